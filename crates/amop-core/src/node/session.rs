//! Attached clients: one session for each instance, at its latest link.

use std::collections::{BTreeSet, VecDeque};

use amop_wire::{
    ClientMessage, CloseCode, Code, Gen, InFlight, Instance, Instant, Name, NodeMessage, Reason,
    Subscriber, Topic,
};

use super::drain::Drain;
use super::fanout::{End, FanoutId};
use super::publisher::Publisher;
use super::record::Party;
use super::{Effect, Event, Link, LinkId, Node};

/// One attached client.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) link: LinkId,
    pub(super) name: Name,
    /// Its agency, for records.
    pub(super) party: Party,
    pub(super) generation: Gen,
    pub(super) topics: BTreeSet<Topic>,
    /// Multicast deliveries without an ack, in the order of their numbers.
    pub(super) unacked: Unacked,
}

/// Multicast deliveries on one link, numbered from 0, until they are acked.
#[derive(Debug, Default)]
pub(super) struct Unacked {
    /// The number of the delivery at the front of `slots`.
    first: u64,
    /// `None` where the ack has come before those of older deliveries.
    slots: VecDeque<Option<FanoutId>>,
}

impl Unacked {
    /// How many numbers are open: the acks of all before them have come.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Gives the next number to a delivery.
    pub(super) fn push(&mut self, fanout: FanoutId) {
        self.slots.push_back(Some(fanout));
    }

    /// Takes back the last number that was given: its delivery was not sent.
    pub(super) fn pop(&mut self) -> Option<FanoutId> {
        self.slots.pop_back().flatten()
    }

    /// Whether all of the numbers `first`, `first + 1`, … were given.
    pub(super) fn were_given(&self, first: u64, count: u32) -> bool {
        first.saturating_add(count.into()) <= self.first + self.slots.len() as u64
    }

    /// Takes those of the numbers `first`, `first + 1`, … that are open.
    pub(super) fn take(&mut self, first: u64, count: u32, taken: impl FnMut(FanoutId)) {
        let end = self.first + self.slots.len() as u64;
        let from = first.clamp(self.first, end);
        let to = first.saturating_add(count.into()).clamp(from, end);
        let offset = |number: u64| usize::try_from(number - self.first).expect("within the slots");
        self.slots.range_mut(offset(from)..offset(to)).filter_map(Option::take).for_each(taken);
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
        }
    }

    /// Takes all that are open.
    pub(super) fn take_all(self) -> impl Iterator<Item = FanoutId> {
        self.slots.into_iter().flatten()
    }
}

impl Node {
    /// A client says something; the first thing is who it is.
    pub(super) fn handle_client(&mut self, now: Instant, link: LinkId, message: ClientMessage) {
        let Some(Link::Client { instance, .. }) = self.links.get(&link) else { return };
        let Some(instance) = *instance else {
            return match message {
                ClientMessage::Attach { instance, generation } => {
                    self.attach(link, instance, generation);
                }
                ClientMessage::Subscribe(_)
                | ClientMessage::Unsubscribe(_)
                | ClientMessage::Propagate(_)
                | ClientMessage::Watch(_)
                | ClientMessage::Handshake(_)
                | ClientMessage::Publish(_)
                | ClientMessage::Answer(_)
                | ClientMessage::Refuse(_)
                | ClientMessage::Acks(_) => {
                    self.close(link, CloseCode::Protocol, "the first message must be attach");
                }
            };
        };
        match message {
            ClientMessage::Publish(publish) => {
                self.transfers.make_way(now);
                self.publish(now, link, instance, publish);
            }
            ClientMessage::Answer(answer) => self.answer(instance, answer),
            ClientMessage::Refuse(refuse) => self.refuse(now, instance, &refuse),
            ClientMessage::Acks(runs) => self.acks(link, instance, &runs),
            ClientMessage::Subscribe(topic) => self.subscribe(instance, topic),
            ClientMessage::Unsubscribe(topic) => self.unsubscribe(instance, &topic),
            ClientMessage::Propagate(topic) => self.propagate(instance, topic),
            ClientMessage::Watch(topic) => self.watch(link, instance, topic),
            ClientMessage::Handshake(handshake) => self.handshake(instance, handshake),
            ClientMessage::Attach { .. } => {
                self.close(link, CloseCode::Protocol, "the client attached twice on one link");
            }
        }
    }

    /// Takes a client in. A later link of the same instance supersedes an earlier one at once,
    /// whether or not the earlier one is known to be dead.
    pub(super) fn attach(&mut self, link: LinkId, instance: Instance, generation: Gen) {
        let Some(Link::Client { name, instance: attached, greet_by }) = self.links.get_mut(&link)
        else {
            return;
        };
        let name = name.clone();
        if self.drain != Drain::Serving {
            return self.close(link, CloseCode::Shutdown, "the node is about to stop");
        }
        if self.publishers.get(&instance).is_some_and(|publisher| publisher.name != name) {
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
        let party = self.recorder.party(&name);
        let publisher = || Publisher::new(name.clone(), party);
        self.publishers.entry(instance).or_insert_with(publisher);
        let session = Session {
            link,
            name: name.clone(),
            party,
            generation,
            topics: BTreeSet::new(),
            unacked: Unacked::default(),
        };
        self.sessions.insert(instance, session);
        let in_flight = InFlight {
            messages: u32::try_from(self.limits.requests_per_client).unwrap_or(u32::MAX),
            bytes: self.limits.request_bytes_per_client as u64,
        };
        self.tell_client(instance, NodeMessage::Attached { epoch: self.epoch, in_flight });
        self.effects.push_back(Effect::Event(Event::ClientAttached { name, instance, generation }));
    }

    /// Ends a session, if it is still the one on this link.
    pub(super) fn detach(&mut self, instance: Instance, link: LinkId) {
        if self.sessions.get(&instance).is_none_or(|session| session.link != link) {
            return;
        }
        let Some(session) = self.sessions.remove(&instance) else { return };
        self.propagation.forget_session(instance);
        self.watches.forget(instance);
        for topic in &session.topics {
            self.watches.touch(topic);
            self.table.unsubscribe(topic, instance);
        }
        self.moved.insert(instance);
        for fanout in session.unacked.take_all() {
            self.fanouts.end(fanout, End::Unknown);
        }
        self.forget_idle(instance);
        let name = session.name;
        self.effects.push_back(Effect::Event(Event::ClientDetached { name, instance }));
    }

    pub(super) fn subscribe(&mut self, instance: Instance, topic: Topic) {
        let (code, reason) = match self.try_subscribe(instance, &topic) {
            Ok(()) => (Code::Ok, Reason::Unspecified),
            Err(reason @ Reason::NotPermitted) => (Code::NotPermitted, reason),
            Err(reason) => (Code::Overloaded, reason),
        };
        self.tell_client(instance, NodeMessage::Subscribed { topic, code, reason });
    }

    fn try_subscribe(&mut self, instance: Instance, topic: &Topic) -> Result<(), Reason> {
        if !self.permissions(instance, topic).subscribe {
            return Err(Reason::NotPermitted);
        }
        let Some(session) = self.sessions.get_mut(&instance) else { return Ok(()) };
        let is_full = session.topics.len() >= self.limits.subscriptions_per_client;
        if is_full && !session.topics.contains(topic) {
            return Err(Reason::TooManySubscriptions);
        }
        let subscriber = Subscriber { instance, generation: session.generation };
        self.table.subscribe(topic, subscriber).map_err(|_| Reason::TooManySubscriptions)?;
        session.topics.insert(topic.clone());
        self.watches.touch(topic);
        self.moved.insert(instance);
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, instance: Instance, topic: &Topic) {
        if let Some(session) = self.sessions.get_mut(&instance)
            && session.topics.remove(topic)
        {
            self.propagation.forget(instance, topic);
            self.watches.touch(topic);
            self.table.unsubscribe(topic, instance);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many were taken.
    fn take(unacked: &mut Unacked, first: u64, count: u32) -> usize {
        let mut taken = 0;
        unacked.take(first, count, |_| taken += 1);
        taken
    }

    #[test]
    fn acks_come_in_any_order_and_only_once() {
        let mut unacked = Unacked::default();
        (0..5).for_each(|n| unacked.push(FanoutId(n)));
        assert_eq!(take(&mut unacked, 2, 2), 2);
        assert_eq!(unacked.len(), 5, "older deliveries are open");
        assert_eq!(take(&mut unacked, 0, 3), 2, "number 2 was acked before");
        assert_eq!(unacked.len(), 1);
        unacked.push(FanoutId(5));
        assert_eq!(take(&mut unacked, 0, 4), 0);
        assert_eq!(take(&mut unacked, 5, 1), 1);
    }

    #[test]
    fn the_number_of_what_was_not_sent_is_given_again() {
        let mut unacked = Unacked::default();
        unacked.push(FanoutId(7));
        unacked.push(FanoutId(8));
        assert_eq!(unacked.pop(), Some(FanoutId(8)));
        unacked.push(FanoutId(9));
        let mut taken = Vec::new();
        unacked.take(1, 1, |fanout| taken.push(fanout));
        assert_eq!(taken, [FanoutId(9)]);
    }

    #[test]
    fn acks_of_deliveries_that_never_were_do_nothing() {
        let mut unacked = Unacked::default();
        unacked.push(FanoutId(0));
        assert_eq!(take(&mut unacked, 1, u32::MAX), 0);
        assert_eq!(take(&mut unacked, u64::MAX, 1), 0);
        assert_eq!(take(&mut unacked, 0, u32::MAX), 1);
    }
}
