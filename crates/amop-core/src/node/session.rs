//! Attached clients: one session for each instance, at its latest link.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, VecDeque};

use amop_wire::limits::SUBSCRIPTIONS_PER_CLIENT_MAX;
use amop_wire::{
    CloseCode, Code, Gen, Instance, Name, NodeMessage, Reason, ReceiptRun, Subscriber, Topic,
};

use super::multicast::FanoutKey;
use super::{Effect, Event, Link, LinkId, Node};

/// One attached client.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) link: LinkId,
    pub(super) name: Name,
    pub(super) generation: Gen,
    pub(super) topics: BTreeSet<Topic>,
    /// Publishes of this client that have no outcome yet.
    pub(super) under_way: usize,
    /// Multicast deliveries without an ack, in the order of their numbers.
    pub(super) unacked: Unacked,
    /// Outcomes of multicasts that wait for the end of the batch.
    pub(super) receipts: Vec<ReceiptRun>,
}

/// A client that is not attached now and has publishes without an outcome.
#[derive(Debug)]
pub(super) struct Absent {
    name: Name,
    under_way: usize,
}

/// Multicast deliveries on one link, numbered from 0, until they are acked.
#[derive(Debug, Default)]
pub(super) struct Unacked {
    /// The number of the delivery at the front of `slots`.
    first: u64,
    /// `None` where the ack has come before those of older deliveries.
    slots: VecDeque<Option<FanoutKey>>,
}

impl Unacked {
    /// How many numbers are open: the acks of all before them have come.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Numbers the next delivery.
    pub(super) fn push(&mut self, fanout: FanoutKey) -> u64 {
        self.slots.push_back(Some(fanout));
        self.first + self.slots.len() as u64 - 1
    }

    /// Takes those of the numbers `first`, `first + 1`, … that are open.
    pub(super) fn take(&mut self, first: u64, count: u32) -> impl Iterator<Item = FanoutKey> {
        let end = self.first + self.slots.len() as u64;
        let from = first.clamp(self.first, end);
        let to = first.saturating_add(count.into()).clamp(from, end);
        let offset = |number: u64| usize::try_from(number - self.first).expect("within the slots");
        let taken: Vec<FanoutKey> =
            self.slots.range_mut(offset(from)..offset(to)).filter_map(Option::take).collect();
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
        }
        taken.into_iter()
    }

    /// Takes all that are open.
    pub(super) fn take_all(self) -> impl Iterator<Item = FanoutKey> {
        self.slots.into_iter().flatten()
    }
}

impl Node {
    /// Takes a client in. A later link of the same instance supersedes an earlier one at once,
    /// whether or not the earlier one is known to be dead.
    pub(super) fn attach(&mut self, link: LinkId, instance: Instance, generation: Gen) {
        let Some(Link::Client { name, instance: attached, greet_by }) = self.links.get_mut(&link)
        else {
            return;
        };
        let name = name.clone();
        let present = self.sessions.get(&instance).map(|session| &session.name);
        let absent = self.absent.get(&instance).map(|absent| &absent.name);
        if present.or(absent).is_some_and(|owner| *owner != name) {
            let text = "the instance belongs to another client";
            return self.close(link, CloseCode::Refused, text);
        }
        if let Some(session) = self.sessions.get(&instance) {
            let older = session.link;
            if session.generation >= generation {
                let text = "a later link of the same instance is attached";
                return self.close(link, CloseCode::Superseded, text);
            }
            *attached = Some(instance);
            self.timers.cancel(*greet_by, super::Timer::Greeting(link));
            self.detach(instance, older);
            self.links.remove(&older);
            self.close(older, CloseCode::Superseded, "a later link of the same instance attached");
        } else {
            *attached = Some(instance);
            self.timers.cancel(*greet_by, super::Timer::Greeting(link));
        }
        let absent = self.absent.remove(&instance);
        let session = Session {
            link,
            name: name.clone(),
            generation,
            topics: BTreeSet::new(),
            under_way: absent.map_or(0, |absent| absent.under_way),
            unacked: Unacked::default(),
            receipts: Vec::new(),
        };
        self.sessions.insert(instance, session);
        self.tell_client(instance, NodeMessage::Attached { epoch: self.epoch });
        self.effects.push_back(Effect::Event(Event::ClientAttached { name, instance, generation }));
    }

    /// Ends a session, if it is still the one on this link.
    pub(super) fn detach(&mut self, instance: Instance, link: LinkId) {
        if self.sessions.get(&instance).is_none_or(|session| session.link != link) {
            return;
        }
        let Some(session) = self.sessions.remove(&instance) else { return };
        for topic in &session.topics {
            self.table.unsubscribe(topic, instance);
        }
        for fanout in session.unacked.take_all() {
            self.multicasts.unknown(fanout);
        }
        let (name, under_way) = (session.name, session.under_way);
        if under_way > 0 {
            self.absent.insert(instance, Absent { name: name.clone(), under_way });
        }
        self.effects.push_back(Effect::Event(Event::ClientDetached { name, instance }));
    }

    /// A publish of a client that is not attached has its outcome, which nobody hears.
    pub(super) fn absent_ended(&mut self, publisher: Instance) {
        if let Entry::Occupied(mut absent) = self.absent.entry(publisher) {
            absent.get_mut().under_way -= 1;
            if absent.get().under_way == 0 {
                absent.remove();
            }
        }
    }

    pub(super) fn subscribe(&mut self, instance: Instance, topic: Topic) {
        let (code, reason) = match self.try_subscribe(instance, &topic) {
            Ok(()) => (Code::Ok, Reason::Unspecified),
            Err(reason) => (Code::Overloaded, reason),
        };
        self.tell_client(instance, NodeMessage::Subscribed { topic, code, reason });
    }

    fn try_subscribe(&mut self, instance: Instance, topic: &Topic) -> Result<(), Reason> {
        let Some(session) = self.sessions.get_mut(&instance) else { return Ok(()) };
        if session.topics.len() >= SUBSCRIPTIONS_PER_CLIENT_MAX && !session.topics.contains(topic) {
            return Err(Reason::TooManySubscriptions);
        }
        let subscriber = Subscriber { instance, generation: session.generation };
        self.table.subscribe(topic, subscriber).map_err(|_| Reason::TooManySubscriptions)?;
        session.topics.insert(topic.detached());
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, instance: Instance, topic: &Topic) {
        if let Some(session) = self.sessions.get_mut(&instance)
            && session.topics.remove(topic)
        {
            self.table.unsubscribe(topic, instance);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acks_come_in_any_order_and_only_once() {
        let mut unacked = Unacked::default();
        let numbers: Vec<u64> = (0..5).map(|n| unacked.push(FanoutKey::test(n))).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        assert_eq!(unacked.take(2, 2).count(), 2);
        assert_eq!(unacked.len(), 5, "older deliveries are open");
        assert_eq!(unacked.take(0, 3).count(), 2, "number 2 was acked before");
        assert_eq!(unacked.len(), 1);
        assert_eq!(unacked.push(FanoutKey::test(5)), 5);
        assert_eq!(unacked.take(0, 4).count(), 0);
    }

    #[test]
    fn acks_of_deliveries_that_never_were_do_nothing() {
        let mut unacked = Unacked::default();
        unacked.push(FanoutKey::test(0));
        assert_eq!(unacked.take(1, u32::MAX).count(), 0);
        assert_eq!(unacked.take(u64::MAX, 1).count(), 0);
        assert_eq!(unacked.take(0, u32::MAX).count(), 1);
    }
}
