//! The publisher's side of private topics: who may receive, and what is sealed for whom.
//!
//! ```text
//!   application                 publisher                              subscriber
//!       │ Allow(topic, keys) ──▶ │                                          │
//!       │       home node: Appeared (0x37)                                  │
//!       │                        │ challenge (0x30) ──────────────────────▶ │
//!       │                        │ ◀─────────────────────────  proof (0x31) │
//!       │ ◀─ Verified (0x38)     │                                          │
//!       │                        │ confirmation ──────────────────────────▶ │
//!       │ seal_unicast, ───────▶ │ sealed payloads                          │
//!       │ seal_multicast         │                                          │
//! ```
//!
//! A verdict is about one subscriber instance on one topic, and belongs to the publisher that this machine
//! is: nobody else can reach one, and nobody but it can act on one. Nobody is told of it: the publisher
//! chooses among those who are verified, and what keeps a message secret is that it is sealed for them alone.

mod audience;
mod effect;
mod group;
mod receiver;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use amop_wire::{Instance, Instant, MsgId, Topic};
use bytes::Bytes;

pub use effect::{Effect, Identity, Input, Receivers};

use crate::Entropy;
use crate::file::{FileSealer, FileWay};
use crate::message::Kind;
use crate::payload::{OpenError, SealError};
use crate::room::Room;
use crate::seal::KeyId;
use audience::{Audience, Office, Steps};
use receiver::Step;

/// All private topics that one client publishes to.
pub struct Publisher {
    identity: Identity,
    entropy: Entropy,
    room: Room,
    audiences: BTreeMap<Topic, Audience>,
    effects: VecDeque<Effect>,
}

/// A multicast that can be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multicast {
    /// What all receivers get.
    pub sealed: Bytes,
    /// Who can open it, in the order of their instances.
    pub receivers: Vec<Instance>,
}

impl Publisher {
    /// A publisher without private topics.
    #[must_use]
    pub fn new(identity: Identity, entropy: Entropy) -> Self {
        let (audiences, effects) = (BTreeMap::new(), VecDeque::new());
        Self { identity, entropy, room: Room::default(), audiences, effects }
    }

    /// Applies one input; what it causes waits in [`poll_effect`](Self::poll_effect).
    ///
    /// The caller drains every effect before the next input. The same inputs cause the same effects on
    /// a publisher made from the same seed.
    pub fn handle(&mut self, now: Instant, input: Input) {
        debug_assert!(self.effects.is_empty(), "drain every effect before the next input");
        match input {
            Input::Allow { topic, keys } => {
                self.audiences.entry(topic.clone()).or_default();
                self.at(now, &topic, |audience, office| audience.allow(office, keys));
            }
            Input::Remove { topic, key } => {
                self.at(now, &topic, |audience, office| audience.remove(office, &key));
            }
            Input::Appeared { topic, subscriber, exit } => {
                self.at(now, &topic, |audience, office| {
                    audience.appeared(office, subscriber, exit)
                });
            }
            Input::Gone { topic, subscriber } => {
                self.at(now, &topic, |audience, office| audience.gone(office, subscriber));
            }
            Input::Message { topic, from, message } => {
                self.at(now, &topic, |audience, office| audience.message(office, from, &message));
            }
            Input::CannotOpen { topic, subscriber } => {
                self.at(now, &topic, |audience, office| {
                    audience.lost(office, subscriber, KeyId::ALL)
                });
            }
            Input::Timeout => {
                let due = |audience: &Audience| audience.poll_timeout().is_some_and(|at| at <= now);
                let due = self.audiences.iter().filter(|(_, audience)| due(audience));
                let due: Vec<_> = due.map(|(topic, _)| topic.clone()).collect();
                for topic in due {
                    self.at(now, &topic, Audience::handle_timeout);
                }
            }
        }
    }

    /// Takes the next effect, in the order in which they must be performed.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Says when to hand in [`Input::Timeout`]; coming early is harmless, coming late only slow.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.audiences.values().filter_map(Audience::poll_timeout).min()
    }

    /// Whether the topic has a list of keys, so that everything on it must be sealed.
    #[must_use]
    pub fn is_private(&self, topic: &Topic) -> bool {
        self.audiences.contains_key(topic)
    }

    /// Says who would get a message on a private topic now, and whether to wait for somebody.
    #[must_use]
    pub fn receivers(&self, now: Instant, topic: &Topic) -> Receivers {
        let audience = self.audiences.get(topic);
        audience.map_or(Receivers::Nobody, |audience| audience.receivers(now))
    }

    /// Those who are verified and attached, as [`receivers`](Self::receivers) says, without a list of them.
    pub fn verified(&self, now: Instant, topic: &Topic) -> impl Iterator<Item = Instance> {
        self.audiences.get(topic).into_iter().flat_map(move |audience| audience.ready(now))
    }

    /// Seals a unicast for one subscriber, which no other can open. The parts of its payload are sealed as
    /// one.
    ///
    /// Seal it once for each subscriber that it is sent to; copies to the same one are the same bytes.
    /// The caller polls the timeout again.
    ///
    /// # Errors
    ///
    /// [`SealError::NotVerified`] if nothing may be sent to this subscriber now.
    pub fn seal_unicast(
        &mut self,
        now: Instant,
        topic: &Topic,
        to: Instance,
        id: MsgId,
        payload: &[&[u8]],
    ) -> Result<Bytes, SealError> {
        let Self { identity, entropy, room, audiences, .. } = self;
        let audience = audiences.get_mut(topic).ok_or(SealError::NotVerified)?;
        let office = &mut Office { now, identity, topic, entropy, room };
        audience.seal_for(office, Kind::Unicast, to, id, payload)
    }

    /// Seals a multicast for all who are verified now. The parts of its payload are sealed as one.
    ///
    /// The key is another one whenever they are others than at the multicast before, so that who comes
    /// reads nothing of before, and who goes nothing of after. The caller polls the timeout again.
    ///
    /// # Errors
    ///
    /// [`SealError::NotVerified`] if nobody is.
    pub fn seal_multicast(
        &mut self,
        now: Instant,
        topic: &Topic,
        id: MsgId,
        payload: &[&[u8]],
    ) -> Result<Multicast, SealError> {
        let Self { identity, entropy, room, audiences, .. } = self;
        let audience = audiences.get_mut(topic).ok_or(SealError::NotVerified)?;
        let office = &mut Office { now, identity, topic, entropy, room };
        let (sealed, receivers) = audience.seal_multicast(office, id, payload)?;
        Ok(Multicast { sealed, receivers })
    }

    /// Begins to send a file to one subscriber, with a key of its own.
    pub fn file_sealer(&mut self, way: FileWay) -> FileSealer {
        FileSealer::draw(way, &mut self.entropy)
    }

    /// Seals the offer of a file for the receiver that it goes to, with the key of that file.
    ///
    /// Seal it each time that it is sent: nobody opens the same one twice.
    ///
    /// # Errors
    ///
    /// [`SealError::NotVerified`] if nothing may be sent to this subscriber now.
    pub fn seal_offer(
        &mut self,
        now: Instant,
        topic: &Topic,
        file: &FileSealer,
        offer: &[u8],
    ) -> Result<Bytes, SealError> {
        let FileWay { transfer, sender, receiver } = file.way();
        let Self { identity, entropy, room, audiences, .. } = self;
        let audience = audiences.get_mut(topic).ok_or(SealError::NotVerified)?;
        let office = &mut Office { now, identity, topic, entropy, room };
        let id = MsgId { publisher: sender, counter: transfer };
        let plain = file.put_key(offer);
        audience.seal_for(office, Kind::Offer, receiver, id, &[&plain])
    }

    /// Whether somebody is being verified who may receive on a topic soon.
    #[must_use]
    pub fn is_verifying(&self, now: Instant, topic: &Topic) -> bool {
        self.audiences.get(topic).is_some_and(|audience| audience.is_verifying(now))
    }

    /// Opens the answer of a subscriber to a unicast.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if it is not what this subscriber answered to this message, or comes twice.
    pub fn open_answer(
        &mut self,
        now: Instant,
        topic: &Topic,
        from: Instance,
        id: MsgId,
        sealed: &[u8],
    ) -> Result<Bytes, OpenError> {
        let Self { identity, entropy, room, audiences, .. } = self;
        let audience = audiences.get_mut(topic).ok_or(OpenError::UnknownKey)?;
        let office = &mut Office { now, identity, topic, entropy, room };
        audience.open_answer(office, from, id, sealed)
    }

    /// Lets one topic act, if it is private, and keeps what it wants done.
    fn at(
        &mut self,
        now: Instant,
        topic: &Topic,
        act: impl FnOnce(&mut Audience, &mut Office<'_>) -> Steps,
    ) {
        let Self { identity, entropy, room, audiences, .. } = self;
        let Some(audience) = audiences.get_mut(topic) else { return };
        let steps = act(audience, &mut Office { now, identity, topic, entropy, room });
        self.effects.extend(steps.into_iter().map(|(subscriber, step)| {
            let topic = topic.clone();
            match step {
                Step::Send(message) => {
                    Effect::Send { topic, to: subscriber, message: message.into() }
                }
                Step::Verified(key) => Effect::Verified { topic, subscriber, key },
                Step::Renewed => Effect::Renewed { topic, subscriber },
                Step::Refused => Effect::Refused { topic, subscriber },
                Step::Withdrawn => Effect::Withdrawn { topic, subscriber },
            }
        }));
    }
}

/// Shows no keys.
impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topics = self.audiences.keys().collect::<Vec<_>>();
        let mut shown = f.debug_struct("Publisher");
        shown.field("identity", &self.identity).field("topics", &topics).finish_non_exhaustive()
    }
}
