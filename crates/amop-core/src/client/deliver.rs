//! Messages for the application, and what it replies.

use std::time::Duration;

use amop_wire::{
    AckEnd, AckRun, AnswerStatus, Attempt, ClientMessage, Delivery, Gen, Instant, MsgId, Multicast,
    Reason, Refuse, Sealing, Topic,
};
use bytes::Bytes;

use super::heard::Copy;
use super::keyed::Use;
use super::{Client, Delivered, Effect, State, Wanted};
use crate::runs::push_run;

impl Client {
    pub(super) fn delivery(&mut self, now: Instant, mut delivery: Delivery) {
        let attempt = delivery.attempt;
        match self.heard.hear(now, attempt.id, self.limits.heard_pieces) {
            Copy::First => {}
            Copy::Repeat => {
                // If there is none the application has not replied yet: it will.
                let reply = self.replies.get(attempt.id).cloned();
                return reply.into_iter().for_each(|reply| self.send_or_hold(reply));
            }
            Copy::NoRoom => {
                let (reason, fenced) = (Reason::SubscriberBusy, false);
                let refuse = Refuse { attempt, reason, fenced };
                return self.send_or_hold(ClientMessage::Refuse(refuse));
            }
        }
        if let Some(reason) = self.unwanted(delivery.ttl, &delivery.topic) {
            return self.refuse(now, attempt, reason);
        }
        let payload = std::mem::take(&mut delivery.payload);
        let sealing = delivery.terms.sealing;
        let id = match self.unseal(now, &delivery.topic, attempt.id, sealing, payload) {
            Ok((id, payload)) => {
                delivery.payload = payload;
                id
            }
            Err(reason) => return self.refuse(now, attempt, reason),
        };
        let most = self.limits.keys;
        let keyed = delivery.terms.key.map(|key| self.keyed.enter(now, key, &delivery, most));
        match keyed.unwrap_or(Use::First) {
            Use::First => self.deliver(now, id, delivery),
            Use::Joined => {}
            Use::Answered(status, payload) => self.answer(now, attempt, status, payload),
            Use::Other => self.refuse(now, attempt, Reason::KeyReused),
            Use::NoRoom => self.refuse(now, attempt, Reason::SubscriberBusy),
        }
    }

    fn deliver(&mut self, now: Instant, id: MsgId, delivery: Delivery) {
        let Delivery { attempt, ttl, terms, from, topic, payload } = delivery;
        self.effects.push_back(Effect::Deliver(Delivered {
            generation: self.generation,
            expires: now + ttl,
            id,
            wanted: Wanted::Answer(attempt),
            sequence: 0,
            redelivered: terms.redelivered,
            from,
            topic,
            payload,
        }));
    }

    pub(super) fn multicast(&mut self, now: Instant, multicast: Multicast) {
        let number = self.multicasts;
        self.multicasts += 1;
        self.take_multicast(now, (self.generation, number), multicast);
    }

    /// Takes a multicast that has this number on the link of this generation.
    pub(super) fn take_multicast(
        &mut self,
        now: Instant,
        (generation, number): (Gen, u64),
        multicast: Multicast,
    ) {
        let Multicast { id, ttl, sequence, from, topic, sealed, payload } = multicast;
        match self.heard.hear(now, id, self.limits.heard_pieces) {
            Copy::First => {}
            // The first may be on its way to the application, taken or refused: it has an end of its own.
            Copy::Repeat => return self.ack(generation, number, AckEnd::Copy),
            Copy::NoRoom => return self.ack(generation, number, AckEnd::Refused),
        }
        if self.unwanted(ttl, &topic).is_some() {
            return self.ack(generation, number, AckEnd::Refused);
        }
        let sealing = if sealed { Sealing::Group } else { Sealing::Clear };
        let Ok((id, payload)) = self.unseal(now, &topic, id, sealing, payload) else {
            return self.ack(generation, number, AckEnd::Refused);
        };
        let delivered = Delivered {
            generation,
            expires: now + ttl,
            id,
            wanted: Wanted::Ack(number),
            sequence,
            redelivered: false,
            from,
            topic,
            payload,
        };
        self.deliver_in_turn(now, delivered);
    }

    /// Why a message is not for the application.
    fn unwanted(&self, ttl: Duration, topic: &Topic) -> Option<Reason> {
        if ttl.is_zero() {
            return Some(Reason::Deadline);
        }
        (!self.subscriptions.contains(topic)).then_some(Reason::NotSubscribed)
    }

    /// Refuses a unicast for good: whatever copies of it come, none is handled.
    pub(super) fn refuse(&mut self, now: Instant, attempt: Attempt, reason: Reason) {
        let joined = self.keyed.refused(attempt.id);
        for attempt in joined.into_iter().chain([attempt]) {
            self.drop_answer_key(attempt.id);
            let refuse = Refuse { attempt, reason, fenced: true };
            self.reply(now, attempt.id, ClientMessage::Refuse(refuse));
        }
    }

    pub(super) fn answer(
        &mut self,
        now: Instant,
        attempt: Attempt,
        status: AnswerStatus,
        payload: Bytes,
    ) {
        // What cannot be sealed any more stays without an answer: its publisher ends in doubt.
        if let Some(answer) = self.seal_answer(now, attempt, status, payload) {
            self.reply(now, attempt.id, ClientMessage::Answer(answer));
        }
    }

    fn reply(&mut self, now: Instant, id: MsgId, reply: ClientMessage) {
        self.replies.keep(now, id, &reply, self.limits.replies);
        self.send_or_hold(reply);
    }

    /// Sends a reply, or holds it until the client is attached somewhere again. Past the limit
    /// the oldest is dropped; its publisher then learns nothing before the deadline.
    fn send_or_hold(&mut self, reply: ClientMessage) {
        if self.moving.replies_go_back {
            return self.effects.push_back(Effect::SendOld(reply));
        }
        if matches!(self.state, State::Subscribing { .. } | State::Connected) {
            return self.send(reply);
        }
        if self.held.len() >= self.limits.held_replies {
            self.held.pop_front();
        }
        self.held.push_back(reply);
    }

    pub(super) fn ack(&mut self, generation: Gen, number: u64, end: AckEnd) {
        let run = AckRun { first: number, count: 1, end };
        // A number means nothing once its link has ended, until the next one and on it least of all.
        if generation == self.generation && !matches!(self.state, State::Offline) {
            push_run(&mut self.acks, run);
        } else if let Some(old) = self.moving.old(generation) {
            push_run(&mut old.acks, run);
        }
    }
}
