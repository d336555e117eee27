//! What applications do, and how often there is trouble.

use std::time::Duration;

use amop_wire::{AnswerStatus, Key, Mode, Terms};

use super::{Swarm, millis};
use crate::{Application, ClientId, Reading};

impl Swarm {
    /// One thing that an application does, or one trouble.
    pub(super) fn step(&mut self) {
        if self.pick(100) < self.harshness {
            return self.trouble();
        }
        let (client, topic) = (self.world.any(&self.clients), self.world.any(&self.topics));
        if !self.world.lives(client) || self.world.is_paused(client) {
            return;
        }
        let most = [4000, 4000, 4000, 12_000][self.pick(4)];
        let timeout = millis(self.world.draw(most));
        if self.is_private && self.world.draw(4) == 0 {
            return self.private_step(client, timeout);
        }
        match self.world.draw(27) {
            0..=12 => self.publish(client, Mode::Unicast, &topic, timeout),
            13..=18 => self.publish(client, Mode::Multicast, &topic, timeout),
            19..=22 => self.world.subscribe(client, &topic),
            23 => self.world.subscribe_propagated(client, &topic),
            24 | 25 => self.world.unsubscribe(client, &topic),
            _ => self.redraw_application(client),
        }
    }

    /// Publishes, sometimes so much at once that links and queues get full.
    fn publish(&mut self, client: ClientId, mode: Mode, topic: &str, timeout: Duration) {
        let is_flood = self.world.draw(16) == 0;
        for _ in 0..if is_flood { 8 } else { 1 } {
            let terms = self.draw_terms(client, mode);
            self.world.publish_on(terms, client, mode, topic, timeout);
        }
    }

    /// Few unicasts ask for anything special. A key is the client's own.
    fn draw_terms(&mut self, client: ClientId, mode: Mode) -> Terms {
        let (kind, key) = (self.world.draw(16), self.world.draw(3));
        let instance = self.world.instance(client);
        match kind {
            0 if mode == Mode::Unicast => Terms { at_least_once: true, ..Terms::default() },
            1 if mode == Mode::Unicast => {
                let key = Some(Key::of(format!("{instance} {key}").as_bytes()));
                Terms { key, ..Terms::default() }
            }
            _ => Terms::default(),
        }
    }

    pub(super) fn redraw_application(&mut self, client: ClientId) {
        let most = [100, 100, 3000][self.pick(3)];
        let delay = millis(self.world.draw(most));
        let (status, reading) = (self.world.draw(4), self.world.draw(8));
        let application = Application {
            delay,
            status: match status {
                0 => AnswerStatus::Failed,
                1 => AnswerStatus::Dropped,
                _ => AnswerStatus::Answered,
            },
            reading: match reading {
                0 => Reading::Never,
                1 | 2 => Reading::OneByOne,
                _ => Reading::Always,
            },
            capacity: self.pick(16),
        };
        self.world.set_application(client, application);
    }
}
