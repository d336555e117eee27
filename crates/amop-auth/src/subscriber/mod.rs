//! The subscriber's side of private topics: it proves that it holds a key, and opens what is sealed.
//!
//! It only answers: publishers ask, and ask again. It signs nothing but statements that it puts together
//! itself, about topics that it subscribes to, at most 20 a second; the same challenge gets the same
//! proof again. Who a publisher is it takes from the nodes, as on public topics.

mod allowance;
mod claim;
mod effect;
mod peer;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use amop_wire::{Instance, Instant, MsgId, Name, Topic};
use bytes::Bytes;
use zeroize::Zeroizing;

pub use effect::{Effect, Input};

use crate::file::{FileOpener, FileWay};
use crate::limits::{PUBLISHERS_PER_TOPIC_MAX, VALID_MAX};
use crate::message::{Challenge, Handshake, Kind};
use crate::payload::{self, OpenError, SealError};
use crate::room::Room;
use crate::seal::KeyId;
use crate::{Entropy, Exit, SecretKey};
use allowance::Allowance;
use claim::Claim;
use peer::{Holds, Learned, Peer, Sealed};

/// All private topics that one client subscribes to.
pub struct Subscriber {
    name: Name,
    instance: Instance,
    entropy: Entropy,
    room: Room,
    exit: Option<Exit>,
    topics: BTreeMap<Topic, Subscription>,
    allowance: Allowance,
    effects: VecDeque<Effect>,
}

/// A message that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// What its publisher sealed.
    pub payload: Bytes,
    /// What to seal the answer with, if it is a unicast.
    pub answer: Option<AnswerKey>,
}

/// Names the channel that a unicast came on: its answer goes to whoever sealed the question, even if
/// somebody else has made a channel in its name meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerKey(KeyId);

struct Subscription {
    key: SecretKey,
    publishers: BTreeMap<Instance, Peer>,
}

impl Subscriber {
    /// A subscriber to nothing, with its certified name, whose domain is the network, and the life of the
    /// client.
    #[must_use]
    pub fn new(name: Name, instance: Instance, entropy: Entropy) -> Self {
        let (topics, effects) = (BTreeMap::new(), VecDeque::new());
        let (room, allowance) = (Room::default(), Allowance::default());
        Self { name, instance, entropy, room, exit: None, topics, allowance, effects }
    }

    /// Applies one input; what it causes waits in [`poll_effect`](Self::poll_effect).
    ///
    /// The caller drives it as it does a [`Publisher`](crate::Publisher).
    pub fn handle(&mut self, now: Instant, input: Input) {
        debug_assert!(self.effects.is_empty(), "drain every effect before the next input");
        match input {
            Input::Attached(exit) => self.exit = Some(exit),
            Input::Subscribe { topic, key } => {
                let publishers = BTreeMap::new();
                self.topics.insert(topic, Subscription { key, publishers });
            }
            Input::Unsubscribe { topic } => {
                self.topics.remove(&topic);
            }
            Input::Message { topic, from, name, message } => match Handshake::read(&message) {
                Some(Handshake::Challenge(challenge)) => {
                    self.challenged(now, topic, from, &name, challenge);
                }
                Some(Handshake::Confirmation { publisher_nonce, confirmation }) => {
                    let peer = self.peer(&topic, from);
                    if peer.is_some_and(|peer| peer.confirm(&publisher_nonce, &confirmation)) {
                        self.effects.push_back(Effect::Verified { topic, publisher: from });
                    }
                }
                Some(Handshake::Proof(_) | Handshake::Lost(_)) | None => {}
            },
            Input::Timeout => {
                for subscription in self.topics.values_mut() {
                    subscription.publishers.retain(|_, peer| peer.expire(now));
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
        let publishers = self.topics.values().flat_map(|topic| topic.publishers.values());
        publishers.filter_map(Peer::poll_timeout).min()
    }

    /// Whether the topic was subscribed to with a key, so that what is not sealed must be refused.
    #[must_use]
    pub fn is_private(&self, topic: &Topic) -> bool {
        self.topics.contains_key(topic)
    }

    /// Opens a unicast or a multicast. What this causes waits in [`poll_effect`](Self::poll_effect).
    ///
    /// Open one copy of each message: another one is [`OpenError::Seen`].
    ///
    /// # Errors
    ///
    /// [`OpenError`] if it is not what this publisher sealed for us under this id. Its publisher is told
    /// if a key is missing, and then seals the next one under another.
    pub fn open(
        &mut self,
        now: Instant,
        topic: &Topic,
        id: MsgId,
        sealed: &[u8],
    ) -> Result<Opened, OpenError> {
        let head = payload::head_of(sealed, &[Kind::Unicast, Kind::Multicast])?;
        let subscription = self.topics.get_mut(topic).ok_or(OpenError::UnknownKey)?;
        let (we, mut learned) = (self.instance, Learned::default());
        let mut nobody = Peer::default();
        let peer = subscription.publishers.get_mut(&id.publisher).unwrap_or(&mut nobody);
        let opened = if head.kind == Kind::Unicast {
            let context = &payload::context(topic, id, Some(we));
            let sealed = Sealed { head, bytes: sealed, context };
            let zeros = |bytes| self.room.zeros(bytes);
            let payload = peer.open_unicast(now, zeros, sealed, &mut learned);
            payload.map(|payload| Opened {
                payload: payload.into(),
                answer: Some(AnswerKey(head.key)),
            })
        } else {
            let context = &payload::context(topic, id, None);
            let sealed = Sealed { head, bytes: sealed, context };
            let room = &mut self.room;
            let payload = peer.open_multicast(now, room, we, sealed, &mut learned);
            payload.map(|payload| Opened { payload, answer: None })
        };
        self.learn(now, topic, id.publisher, learned);
        opened
    }

    /// Opens the offer of a file, and answers what opens the file, and the rest of the offer. What this causes
    /// waits in [`poll_effect`](Self::poll_effect).
    ///
    /// # Errors
    ///
    /// As of [`open`](Self::open).
    pub fn open_offer(
        &mut self,
        now: Instant,
        topic: &Topic,
        way: FileWay,
        sealed: &[u8],
    ) -> Result<(FileOpener, Bytes), OpenError> {
        let head = payload::head_of(sealed, &[Kind::Offer])?;
        let subscription = self.topics.get_mut(topic).ok_or(OpenError::UnknownKey)?;
        let (we, mut learned) = (self.instance, Learned::default());
        let id = MsgId { publisher: way.sender, counter: way.transfer };
        let mut nobody = Peer::default();
        let peer = subscription.publishers.get_mut(&way.sender).unwrap_or(&mut nobody);
        let context = &payload::context(topic, id, Some(we));
        let sealed = Sealed { head, bytes: sealed, context };
        // It holds a key: it is wiped, and lies alone.
        let zeros = |bytes| Zeroizing::new(vec![0; bytes]);
        let opened = peer.open_unicast(now, zeros, sealed, &mut learned);
        self.learn(now, topic, way.sender, learned);
        let opened = opened?;
        let (opener, offer) = FileOpener::read(way, &opened).ok_or(OpenError::Forged)?;
        Ok((opener, Bytes::copy_from_slice(offer)))
    }

    /// Seals the answer to a unicast for its publisher. The parts of its payload are sealed as one.
    ///
    /// # Errors
    ///
    /// [`SealError::NotVerified`] if the channel that the question came on is over.
    pub fn seal_answer(
        &mut self,
        now: Instant,
        topic: &Topic,
        id: MsgId,
        key: AnswerKey,
        payload: &[&[u8]],
    ) -> Result<Bytes, SealError> {
        payload::check_length(payload)?;
        let context = payload::context(topic, id, Some(self.instance));
        let room = |bytes| self.room.take(bytes);
        let peer = self.topics.get_mut(topic).and_then(|it| it.publishers.get_mut(&id.publisher));
        let channel = peer.and_then(|peer| peer.channel(now, key.0));
        let channel = channel.ok_or(SealError::NotVerified)?;
        let sealed = channel.sealer.seal(room, Kind::Answer, &[], &context, payload);
        sealed.map(Bytes::from).ok_or(SealError::NotVerified)
    }

    /// Proves that we hold the key, if it is ours to prove.
    fn challenged(
        &mut self,
        now: Instant,
        topic: Topic,
        from: Instance,
        name: &Name,
        challenge: Challenge,
    ) {
        let (Some(exit), Some(subscription)) = (self.exit, self.topics.get_mut(&topic)) else {
            return;
        };
        let known = subscription.publishers.get(&from);
        if let Some(known) = known.and_then(|peer| peer.made_by(&challenge.nonce)) {
            if known.challenge == challenge {
                let message = known.proof.clone();
                self.effects.push_back(Effect::Send { topic, to: from, message });
            }
            return;
        }
        let is_short = (1..=VALID_MAX.as_secs()).contains(&challenge.valid_seconds.into());
        if !is_short || !subscription.has_room_for(from) || !self.allowance.take(now) {
            return;
        }
        let network = self.name.domain();
        let claim = Claim { network, topic: &topic, name, from, subscriber: self.instance, exit };
        let held = claim.prove(now, &subscription.key, challenge, &mut self.entropy);
        let Some(held) = held else { return };
        let message = held.proof.clone();
        subscription.make_room_for(from);
        subscription.publishers.entry(from).or_default().keep(held);
        self.effects.push_back(Effect::Send { topic, to: from, message });
    }

    /// Tells the publisher and the application what came out.
    fn learn(&mut self, now: Instant, topic: &Topic, publisher: Instance, learned: Learned) {
        if learned.is_confirmed {
            self.effects.push_back(Effect::Verified { topic: topic.clone(), publisher });
        }
        let holds = learned.holds.and_then(|Holds { group, channel }| {
            let channel = self.peer(topic, publisher)?.channel(now, channel)?;
            let room = Vec::with_capacity;
            channel.sealer.seal(room, Kind::Holds, &[], &[], &[&group.0.to_be_bytes()])
        });
        let lost = learned.lost.map(|id: KeyId| Handshake::Lost(id).encode());
        for message in holds.into_iter().chain(lost) {
            let (topic, message) = (topic.clone(), message.into());
            self.effects.push_back(Effect::Send { topic, to: publisher, message });
        }
    }

    fn peer(&mut self, topic: &Topic, publisher: Instance) -> Option<&mut Peer> {
        self.topics.get_mut(topic)?.publishers.get_mut(&publisher)
    }
}

impl Subscription {
    /// Whether there is room for this publisher, if need be that of one that never confirmed anything.
    fn has_room_for(&self, publisher: Instance) -> bool {
        self.is_room_free_for(publisher) || self.idle().is_some()
    }

    fn make_room_for(&mut self, publisher: Instance) {
        let idle = self.idle().filter(|_| !self.is_room_free_for(publisher));
        if let Some(idle) = idle {
            self.publishers.remove(&idle);
        }
    }

    fn is_room_free_for(&self, publisher: Instance) -> bool {
        let publishers = &self.publishers;
        publishers.contains_key(&publisher) || publishers.len() < PUBLISHERS_PER_TOPIC_MAX
    }

    fn idle(&self) -> Option<Instance> {
        let idle = self.publishers.iter().find(|(_, peer)| !peer.is_confirmed());
        idle.map(|(publisher, _)| *publisher)
    }
}

/// Shows no keys.
impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topics = self.topics.keys().collect::<Vec<_>>();
        let mut shown = f.debug_struct("Subscriber");
        shown.field("instance", &self.instance).field("exit", &self.exit);
        shown.field("topics", &topics).finish_non_exhaustive()
    }
}
