//! Private topics in random worlds: lists that change, keys that are on none, and subscribers without one.

use std::time::Duration;

use amop_wire::{Code, Mode, MsgId, Terms, Topic};

use super::chaos::Deed;
use super::{SECOND, Swarm, millis};
use crate::{ClientId, End};

impl Swarm {
    /// One thing that an application does with a private topic.
    pub(super) fn private_step(&mut self, client: ClientId, timeout: Duration) {
        let topic = self.any_private_topic();
        if self.has_forger && self.world.draw(8) == 0 {
            return self.forge();
        }
        match self.world.draw(16) {
            0 => {
                let keys: Vec<u8> = KEYS.into_iter().filter(|_| self.world.draw(2) == 0).collect();
                self.world.allow(client, &topic, &keys);
            }
            1 => {
                let key = self.world.any(&KEYS);
                self.world.remove_key(client, &topic, key);
            }
            2..=4 => {
                let key = self.world.any(&KEYS);
                self.world.subscribe_private(client, &topic, key);
            }
            5 => self.world.subscribe(client, &topic),
            6 => self.world.unsubscribe(client, &topic),
            draw => {
                let mode = if draw < 13 { Mode::Unicast } else { Mode::Multicast };
                let at_least_once = mode == Mode::Unicast && self.world.draw(8) == 0;
                let terms = Terms { at_least_once, ..Terms::default() };
                self.world.publish_on(terms, client, mode, &topic, timeout);
            }
        }
    }

    /// A node deceives the ends of private topics for a while.
    fn forge(&mut self) {
        let node = self.world.any(&self.nodes);
        self.world.set_forging(node, true);
        let span = millis(self.world.draw(20_000));
        self.plan(span, Deed::EndForge(node));
    }

    /// Once nothing fails any more, who holds a listed key is verified and gets what is published.
    pub(super) fn check_private(&mut self) {
        let (publisher, holder) = (self.world.any(&self.clients), self.world.any(&self.clients));
        let topic = self.any_private_topic();
        self.world.allow(publisher, &topic, &[1, 2]);
        self.world.subscribe_private(holder, &topic, 1);
        // Who failed to prove anything for long is asked again within a minute.
        self.world.run_for(70 * SECOND);
        // PRIV-13: who has subscribed again says at the first message that it has no keys.
        self.world.publish(publisher, Mode::Multicast, &topic, 5 * SECOND);
        self.world.run_for(5 * SECOND);
        let Some(home) = self.world.home_of(publisher) else { return };
        let (name, reach) =
            (topic.parse::<Topic>().expect("a valid topic"), self.world.in_reach(home.0));
        let holds = |client: &&ClientId| {
            let slot = &self.world.clients[client.0];
            let is_there = self.world.home(slot).is_some_and(|home| reach.contains(&home.0));
            let has_key = slot.keys.get(&name).is_some_and(|key| [1, 2].contains(key));
            is_there && has_key && slot.wanted.contains(&name)
        };
        let holders = self.clients.iter().filter(holds).count();
        let ids = [Mode::Unicast, Mode::Multicast]
            .map(|mode| self.world.publish(publisher, mode, &topic, 5 * SECOND));
        self.world.run_for(6 * SECOND);
        for id in ids {
            if !self.is_private_well(id, holders) {
                let publication = self.world.record().publication(id);
                let violation = format!("{id} to {holders} holders in quiet: {publication:?}");
                self.violations.push(violation);
            }
        }
    }

    fn is_private_well(&self, id: MsgId, holders: usize) -> bool {
        let publication = self.world.record().publication(id);
        match publication.ends.first() {
            Some((_, End::Receipt(receipt))) => {
                receipt.acked as usize == holders && receipt.unknown == 0
            }
            Some((_, End::Outcome { code: Code::Ok, .. })) => holders > 0,
            // Who was verified once and has no key any more may be asked in vain.
            Some((
                _,
                End::Outcome { code: Code::NoSubscriber | Code::SubscriberUnreachable, .. },
            )) => holders == 0,
            Some((_, End::Outcome { .. })) | None => false,
        }
    }

    fn any_private_topic(&mut self) -> String {
        format!("private {}", self.world.draw(2))
    }
}

/// The keys that anybody holds.
pub(super) const KEYS: [u8; 4] = [1, 2, 3, 4];
