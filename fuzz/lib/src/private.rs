//! Handshakes and sealed payloads of private topics: of each kind of message, only the one that the other
//! end has really made is taken.
//!
//! Both ends draw from seeds, so that every run makes the same messages. Each target brings a pair to the
//! moment at which a message of its kind is due, hands in the bytes instead, and compares what came of
//! them with what the honest message would have done.

use std::sync::LazyLock;

use amop_auth::publisher::{Effect as FromPublisher, Input as ToPublisher};
use amop_auth::subscriber::{Effect as FromSubscriber, Input as ToSubscriber};
use amop_auth::{Entropy, Exit, Identity, Publisher, Receivers, SecretKey, Subscriber};
use amop_wire::{Epoch, Instance, Instant, MsgId, Name, NodeId, Topic};
use bytes::Bytes;

/// The messages of one handshake, and what is sealed after it.
#[derive(Clone, Debug)]
pub struct Honest {
    /// The publisher asks for a proof.
    pub challenge: Bytes,
    /// The subscriber gives it.
    pub proof: Bytes,
    /// The publisher took it.
    pub confirmation: Bytes,
    /// A unicast.
    pub unicast: Bytes,
    /// The answer to it.
    pub answer: Bytes,
    /// A multicast, with the key of its group.
    pub multicast: Bytes,
    /// The subscriber has that key.
    pub holds: Bytes,
    /// The subscriber, which has lost its keys, has no such key.
    pub lost: Bytes,
}

impl Honest {
    /// What the two ends of every target here say.
    #[must_use]
    pub fn messages() -> &'static Self {
        static ALL: LazyLock<Honest> = LazyLock::new(Honest::make);
        &ALL
    }

    fn make() -> Self {
        let (mut pair, challenge) = Pair::new();
        let proof = pair.prove(&challenge);
        let confirmation = pair.take(&proof);
        let unicast = pair.seal_unicast();
        let answer = pair.answer(&unicast);
        let multicast = pair.seal_multicast(MULTICAST);
        assert!(pair.open(MULTICAST, &multicast), "it was sealed for this one");
        let holds = pair.said_by_subscriber();
        pair.tell_subscriber(ToSubscriber::Subscribe { topic: topic(), key: key() });
        assert!(!pair.open(UNICAST, &unicast), "who subscribes anew has no keys");
        let lost = pair.said_by_subscriber();
        Self { challenge, proof, confirmation, unicast, answer, multicast, holds, lost }
    }
}

/// The subscriber signs what the publisher counts as a proof for this challenge, and for no other bytes.
pub(crate) fn challenge(data: &[u8]) {
    let honest = Honest::messages();
    let (mut pair, _) = Pair::new();
    let said = pair.message_to_subscriber(data);
    if let [FromSubscriber::Send { to: PAYROLL, message, .. }] = &said[..] {
        assert_eq!((data.len(), data[0], data[1]), (honest.challenge.len(), 1, 1));
        assert_eq!(message[..2], [1, 2], "it says nothing but proofs");
        assert_eq!(message[2..34], data[2..34], "for the nonce that it was given");
        let seconds = data[98..].iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        assert!((1..=3600).contains(&seconds), "for an hour at most");
        let is_taken = pair.message_to_publisher(message).iter().any(is_verdict);
        assert_eq!(is_taken, data == honest.challenge);
    } else {
        assert_eq!(said, [], "one proof, or not a word");
        assert_ne!(data, honest.challenge);
    }
}

/// The publisher takes the proof of the subscriber, and nothing else.
pub(crate) fn proof(data: &[u8]) {
    let honest = Honest::messages();
    let (mut pair, challenge) = Pair::new();
    pair.prove(&challenge);
    let is_taken = pair.message_to_publisher(data).iter().any(is_verdict);
    assert_eq!(is_taken, data == honest.proof);
    let is_verified = pair.receivers() == Receivers::Verified(vec![HR]);
    assert_eq!(is_verified, is_taken);
}

/// The subscriber is confirmed by who has the keys of the channel, and by nobody else.
pub(crate) fn confirmation(data: &[u8]) {
    let honest = Honest::messages();
    let (mut pair, challenge) = Pair::new();
    pair.prove(&challenge);
    let said = pair.message_to_subscriber(data);
    let is_confirmed = said.iter().any(|said| matches!(said, FromSubscriber::Verified { .. }));
    assert_eq!(is_confirmed, data == honest.confirmation);
}

/// Whatever is said of lost keys, or anything else, withdraws nothing and verifies nobody.
pub(crate) fn lost(data: &[u8]) {
    let mut pair = Pair::verified();
    let said = pair.message_to_publisher(data);
    assert!(!said.iter().any(is_verdict), "verified twice");
    assert_eq!(pair.receivers(), Receivers::Verified(vec![HR]));
    let unicast = pair.seal_unicast();
    pair.answer(&unicast);
}

/// The key of a group is left out of a multicast for who says under its channel that it has it.
pub(crate) fn holds(data: &[u8]) {
    let honest = Honest::messages();
    let mut pair = Pair::verified();
    pair.seal_unicast(); // What is sealed is counted as it was for the honest one.
    let first = pair.seal_multicast(MULTICAST);
    assert!(pair.open(MULTICAST, &first));
    pair.said_by_subscriber();
    pair.message_to_publisher(data);
    let is_left_out = pair.seal_multicast(MULTICAST + 1).len() < first.len();
    assert_eq!(is_left_out, data == honest.holds);
}

/// The subscriber opens the unicast that was sealed for it, once.
pub(crate) fn unicast(data: &[u8]) {
    opens_nothing_but(&Honest::messages().unicast, UNICAST, data);
}

/// The subscriber opens the multicast that was sealed for it, once.
pub(crate) fn multicast(data: &[u8]) {
    opens_nothing_but(&Honest::messages().multicast, MULTICAST, data);
}

/// The publisher opens the answer of the subscriber, once.
pub(crate) fn answer(data: &[u8]) {
    let honest = Honest::messages();
    let mut pair = Pair::verified();
    pair.seal_unicast();
    let is_honest = data == honest.answer;
    assert_eq!(pair.opens_answer(data), is_honest);
    assert_eq!(pair.opens_answer(&honest.answer), !is_honest, "once, whatever came before");
}

fn opens_nothing_but(honest: &Bytes, counter: u64, data: &[u8]) {
    let mut pair = Pair::verified();
    let is_honest = data == honest;
    assert_eq!(pair.open(counter, data), is_honest);
    assert_eq!(pair.open(counter, honest), !is_honest, "once, whatever came before");
    let said = pair.message_to_subscriber(data);
    assert!(!said.iter().any(|said| matches!(said, FromSubscriber::Verified { .. })), "twice");
}

fn is_verdict(said: &FromPublisher) -> bool {
    matches!(said, FromPublisher::Verified { .. } | FromPublisher::Renewed { .. })
}

/// A publisher that lets one key in, and a subscriber that holds it.
struct Pair {
    now: Instant,
    publisher: Publisher,
    subscriber: Subscriber,
    said: Vec<FromSubscriber>,
}

impl Pair {
    /// The two, and the challenge of the one to the other.
    fn new() -> (Self, Bytes) {
        let identity = Identity { name: payroll(), certificate: [5; 32], instance: PAYROLL };
        let name: Name = "hr.sdk.bank-c.amop".parse().expect("a certified name");
        let mut pair = Self {
            now: Instant::default(),
            publisher: Publisher::new(identity, Entropy::new([8; 32])),
            subscriber: Subscriber::new(name, HR, Entropy::new([9; 32])),
            said: Vec::new(),
        };
        let exit = Exit { node: NodeId::from_bytes([7; 32]), epoch: Epoch(3) };
        pair.tell_subscriber(ToSubscriber::Attached(exit));
        pair.tell_subscriber(ToSubscriber::Subscribe { topic: topic(), key: key() });
        let keys = [key().public()].into();
        pair.tell_publisher(ToPublisher::Allow { topic: topic(), keys });
        let said = ToPublisher::Appeared { topic: topic(), subscriber: HR, exit };
        let said = pair.tell_publisher(said);
        let [FromPublisher::Send { message, .. }] = &said[..] else { panic!("{said:?}") };
        (pair, message.clone())
    }

    /// The two after the handshake.
    fn verified() -> Self {
        let (mut pair, challenge) = Self::new();
        let proof = pair.prove(&challenge);
        let confirmation = pair.take(&proof);
        pair.message_to_subscriber(&confirmation);
        pair
    }

    fn prove(&mut self, challenge: &[u8]) -> Bytes {
        self.said = self.message_to_subscriber(challenge);
        self.said_by_subscriber()
    }

    fn take(&mut self, proof: &[u8]) -> Bytes {
        let said = self.message_to_publisher(proof);
        let messages = said.iter().filter_map(|said| match said {
            FromPublisher::Send { message, .. } => Some(message.clone()),
            _ => None,
        });
        messages.last().expect("a true proof is confirmed")
    }

    fn seal_unicast(&mut self) -> Bytes {
        let sealed = self.publisher.seal_unicast(self.now, &topic(), HR, id(UNICAST), &[b"4711"]);
        sealed.expect("it is verified")
    }

    fn seal_multicast(&mut self, counter: u64) -> Bytes {
        let sealed = self.publisher.seal_multicast(self.now, &topic(), id(counter), &[b"all"]);
        sealed.expect("it is verified").sealed
    }

    fn answer(&mut self, unicast: &[u8]) -> Bytes {
        let opened = self.subscriber.open(self.now, &topic(), id(UNICAST), unicast);
        let key = opened.expect("it was sealed for this one").answer.expect("it is a unicast");
        self.drain();
        let sealed = self.subscriber.seal_answer(self.now, &topic(), id(UNICAST), key, &[b"paid"]);
        sealed.expect("it has the channel of the question")
    }

    /// Whether the subscriber opens it; what it says then is kept.
    fn open(&mut self, counter: u64, sealed: &[u8]) -> bool {
        let opened = self.subscriber.open(self.now, &topic(), id(counter), sealed);
        self.drain();
        opened.is_ok()
    }

    fn opens_answer(&mut self, sealed: &[u8]) -> bool {
        self.publisher.open_answer(self.now, &topic(), HR, id(UNICAST), sealed).is_ok()
    }

    /// What it said last.
    fn said_by_subscriber(&mut self) -> Bytes {
        let messages = self.said.drain(..).filter_map(|said| match said {
            FromSubscriber::Send { message, .. } => Some(message),
            FromSubscriber::Verified { .. } => None,
        });
        messages.last().expect("it has said something")
    }

    fn receivers(&self) -> Receivers {
        self.publisher.receivers(self.now, &topic())
    }

    fn message_to_subscriber(&mut self, message: &[u8]) -> Vec<FromSubscriber> {
        let message = Bytes::copy_from_slice(message);
        let (topic, from, name) = (topic(), PAYROLL, payroll());
        self.tell_subscriber(ToSubscriber::Message { topic, from, name, message });
        std::mem::take(&mut self.said)
    }

    fn message_to_publisher(&mut self, message: &[u8]) -> Vec<FromPublisher> {
        let message = Bytes::copy_from_slice(message);
        self.tell_publisher(ToPublisher::Message { topic: topic(), from: HR, message })
    }

    fn tell_subscriber(&mut self, input: ToSubscriber) {
        self.subscriber.handle(self.now, input);
        self.drain();
    }

    fn tell_publisher(&mut self, input: ToPublisher) -> Vec<FromPublisher> {
        self.publisher.handle(self.now, input);
        std::iter::from_fn(|| self.publisher.poll_effect()).collect()
    }

    fn drain(&mut self) {
        self.said = std::iter::from_fn(|| self.subscriber.poll_effect()).collect();
    }
}

fn id(counter: u64) -> MsgId {
    MsgId { publisher: PAYROLL, counter }
}

fn topic() -> Topic {
    "salary".parse().expect("a valid topic")
}

fn payroll() -> Name {
    "payroll.sdk.bank-a.amop".parse().expect("a certified name")
}

fn key() -> SecretKey {
    SecretKey::generate(&mut Entropy::new([1; 32]))
}

const PAYROLL: Instance = Instance(1);
const HR: Instance = Instance(10);
const UNICAST: u64 = 1;
const MULTICAST: u64 = 2;
