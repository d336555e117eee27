//! Messages as they look in practice, with payloads of any length.

use std::time::Duration;

use amop_wire::{
    Attempt, ClientMessage, Delivery, Epoch, Instance, Mode, MsgId, Name, NodeId, NodeMessage,
    PeerMessage, Publish, Request, Terms, Topic,
};
use bytes::Bytes;

/// A topic of usual length.
#[must_use]
pub fn sample_topic() -> Topic {
    "payments.settlement".parse().expect("a valid topic")
}

/// The instance that comes `index`th in a fixed row of instances that look random.
#[must_use]
pub fn sample_instance(index: u64) -> Instance {
    // An odd factor makes different instances of different indices.
    Instance((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A client's publish with a payload of so many bytes.
#[must_use]
pub fn publish(payload_bytes: usize) -> ClientMessage {
    ClientMessage::Publish(Publish {
        terms: Terms::default(),
        counter: COUNTER,
        ttl: TTL,
        mode: Mode::Unicast,
        sequence: 0,
        topic: sample_topic(),
        payload: payload(payload_bytes),
    })
}

/// A home node's request to the exit node, with a payload of so many bytes.
#[must_use]
pub fn request(payload_bytes: usize) -> PeerMessage {
    PeerMessage::Request(Request {
        terms: Terms::default(),
        id: MsgId { publisher: sample_instance(0), counter: COUNTER },
        ttl: TTL,
        attempt: 1,
        subscriber: sample_instance(1),
        exit_epoch: Epoch(1_800_000_000_000),
        from: publisher(),
        topic: sample_topic(),
        payload: payload(payload_bytes),
    })
}

/// A delivery to a subscriber, with a payload of so many bytes.
#[must_use]
pub fn delivery(payload_bytes: usize) -> NodeMessage {
    let id = MsgId { publisher: sample_instance(0), counter: COUNTER };
    NodeMessage::Delivery(Delivery {
        terms: Terms::default(),
        attempt: Attempt { home: NodeId::of(&home()), id, number: 1 },
        ttl: TTL,
        from: publisher(),
        topic: sample_topic(),
        payload: payload(payload_bytes),
    })
}

/// The node of the publisher.
pub(crate) fn home() -> Name {
    name("n1.node.bank-a.amop")
}

/// The node of the subscriber.
pub(crate) fn exit() -> Name {
    name("n1.node.bank-b.amop")
}

pub(crate) fn publisher() -> Name {
    name("payments.sdk.bank-a.amop")
}

pub(crate) fn subscriber() -> Name {
    name("ledger.sdk.bank-b.amop")
}

pub(crate) fn payload(bytes: usize) -> Bytes {
    vec![0x5a; bytes].into()
}

fn name(dns: &str) -> Name {
    dns.parse().expect("a valid name")
}

/// Large enough to be encoded in as many bytes as a counter of a busy client.
const COUNTER: u64 = 1_000_000;

pub(crate) const TTL: Duration = Duration::from_secs(10);
