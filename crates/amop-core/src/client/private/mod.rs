//! Private topics of one client: the two machines of `amop-auth`, and what they need of the client.
//!
//! ```text
//!   Watched (node) ──────▶ Publisher ──▶ receivers ──▶ drafts: sealed for one of them, or for all
//!   Handshake (node) ────▶ Publisher, Subscriber ──▶ Handshake (to the node)
//!   Delivery, Multicast ─▶ Subscriber ──▶ opened, then as on public topics
//! ```
//!
//! A client without private topics has none of this but a look at an empty map. Who gets a unicast is chosen
//! here, for only this end knows who is verified; the home node tries that one alone.

mod draft;
mod files;
mod homes;
mod open;
mod publish;
mod watch;

use std::collections::BTreeMap;
use std::fmt;

use amop_auth::{Entropy, Identity, Publisher, Subscriber, publisher, subscriber};
use amop_wire::{ClientHandshake, ClientMessage, Instance, Instant, MsgId, NodeId, Topic};
use bytes::Bytes;

use super::{Client, Effect, State};
use crate::by_counter::ByCounter;
use crate::id_map::IdMap;
pub(super) use draft::Draft;
pub use files::{FILE_NEXT_WITHIN, FileReceivers};
pub(super) use homes::HOMES_MAX;
use homes::Homes;
pub use open::PRIVATE_MESSAGE_BYTES_MAX;
use watch::Outlet;

/// What a client has of private topics.
pub(super) struct Private {
    publisher: Publisher,
    subscriber: Subscriber,
    /// The topics that this client publishes to in private.
    outlets: BTreeMap<Topic, Outlet>,
    /// Publishes to them that have no end yet, by their first counters.
    drafts: ByCounter<Draft>,
    /// When to look at the drafts: none is due earlier.
    alarm: Option<Instant>,
    /// What the answers to unicasts with the application are sealed with.
    answers: IdMap<MsgId, (Topic, subscriber::AnswerKey)>,
    homes: Homes,
    /// The node at the other end of the link.
    node: Option<NodeId>,
}

impl Private {
    /// Whether all that this client publishes to the topic must be sealed.
    pub(super) fn publishes_to(&self, topic: &Topic) -> bool {
        self.outlets.contains_key(topic)
    }

    /// How many nodes of publishers are known.
    pub(super) fn homes_len(&self) -> usize {
        self.homes.len()
    }

    /// How many publishes have no end.
    pub(super) fn drafts_len(&self) -> usize {
        self.drafts.len()
    }

    /// How many unicasts the application has not answered.
    pub(super) fn answers_len(&self) -> usize {
        self.answers.len()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let machines = [self.publisher.poll_timeout(), self.subscriber.poll_timeout()];
        machines.into_iter().flatten().chain(self.alarm).min()
    }

    pub(super) fn linked(&mut self, node: NodeId) {
        self.node = Some(node);
    }

    pub(super) fn link_down(&mut self) {
        self.outlets.values_mut().for_each(Outlet::link_down);
    }

    fn wake_by(&mut self, at: Instant) {
        self.alarm = Some(self.alarm.map_or(at, |alarm| alarm.min(at)));
    }
}

impl Client {
    /// Lets this client have private topics: with who it is, and two seeds of 32 bytes each of the
    /// operating system's generator that are used for nothing else.
    #[must_use]
    pub fn with_identity(mut self, identity: Identity, [one, other]: [[u8; 32]; 2]) -> Self {
        let subscriber =
            Subscriber::new(identity.name.clone(), identity.instance, Entropy::new(one));
        self.private = Some(Box::new(Private {
            publisher: Publisher::new(identity, Entropy::new(other)),
            subscriber,
            outlets: BTreeMap::new(),
            drafts: ByCounter::default(),
            alarm: None,
            answers: IdMap::default(),
            homes: Homes::default(),
            node: None,
        }));
        self
    }

    pub(super) fn private_due(&mut self, now: Instant) {
        let Some(private) = &mut self.private else { return };
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let is_publisher_due = is_due(private.publisher.poll_timeout());
        if is_due(private.subscriber.poll_timeout()) {
            private.subscriber.handle(now, subscriber::Input::Timeout);
            self.drain_subscriber();
        }
        if is_publisher_due {
            self.tell_publisher(now, publisher::Input::Timeout);
        }
        self.drafts_due(now);
    }

    /// Hands the publishing side something and does what it wants done.
    fn tell_publisher(&mut self, now: Instant, input: publisher::Input) {
        let Some(private) = &mut self.private else { return };
        private.publisher.handle(now, input);
        let effects: Vec<_> = std::iter::from_fn(|| private.publisher.poll_effect()).collect();
        for effect in effects {
            let topic = match effect {
                publisher::Effect::Send { topic, to, message } => {
                    self.send_handshake(topic, to, None, message);
                    continue;
                }
                publisher::Effect::Verified { topic, subscriber, key } => {
                    self.proved(&topic, subscriber, Some(key));
                    self.renewed(&topic, subscriber);
                    topic
                }
                publisher::Effect::Renewed { topic, subscriber } => {
                    self.let_in_again(&topic, subscriber);
                    self.renewed(&topic, subscriber);
                    topic
                }
                publisher::Effect::Withdrawn { topic, subscriber } => {
                    self.proved(&topic, subscriber, None);
                    topic
                }
                publisher::Effect::Refused { topic, .. } => {
                    self.effects.push_back(Effect::Receivers { topic: topic.clone() });
                    topic
                }
            };
            self.look_again(now, &topic);
        }
    }

    /// Does what the subscribing side wants done.
    fn drain_subscriber(&mut self) {
        let Some(private) = &mut self.private else { return };
        let effects: Vec<_> = std::iter::from_fn(|| private.subscriber.poll_effect()).collect();
        for effect in effects {
            match effect {
                subscriber::Effect::Send { topic, to, message } => {
                    let home = self.private.as_ref().and_then(|private| private.homes.get(to));
                    if let Some(home) = home {
                        self.send_handshake(topic, to, Some(home), message);
                    }
                }
                subscriber::Effect::Verified { .. } => {}
            }
        }
    }

    /// Sends a part of a handshake if there is a node: else it is lost, and asked for again.
    fn send_handshake(&mut self, topic: Topic, to: Instance, home: Option<NodeId>, payload: Bytes) {
        if matches!(self.state, State::Subscribing { .. } | State::Connected) {
            let handshake = ClientHandshake { to, home, topic, payload };
            self.effects.push_back(Effect::Send(ClientMessage::Handshake(handshake)));
        }
    }
}

/// Shows no keys.
impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Private");
        shown.field("publisher", &self.publisher).field("subscriber", &self.subscriber);
        shown.field("drafts", &self.drafts.len()).finish_non_exhaustive()
    }
}
