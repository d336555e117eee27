//! The exact bytes of every message, so that no change of the wire format passes unnoticed.
//!
//! The hex follows from `proto/amop/v1` and the layout of frames: first the two lengths, then the
//! header with one field a line, then the payload. When a test fails here, nodes and clients of
//! two versions have ceased to understand each other.

mod client;
#[path = "../common/frames.rs"]
mod frames;
mod node;
mod numbers;
mod offsets;
mod peer;
mod private;
mod probe;
#[path = "../common/walk.rs"]
mod walk;

use std::fmt::Debug;
use std::time::Duration;

use amop_wire::{
    AnnouncementHead, Attempt, Chain, Epoch, Instance, Lane, Message, MsgId, Name, NodeId,
    SetDigest, SignedHead, Topic, Version,
};
use bytes::Bytes;

/// Checks both directions: the message travels on this lane and encodes to these bytes, and these
/// bytes decode to it.
#[track_caller]
fn assert_golden<M: Message + Debug + PartialEq>(lane: Lane, message: &M, hex: &str) {
    assert_eq!(message.lane(), lane, "the lane of {message:?}");
    let bytes = from_hex(hex);
    let encoded = frames::encoded(message).expect("the message is within the limits");
    assert_eq!(to_hex(&encoded), to_hex(&bytes), "the bytes of {message:?}");
    assert_eq!(frames::decoded::<M>(bytes).as_ref(), Ok(message), "read from {hex}");
}

fn from_hex(hex: &str) -> Bytes {
    let digits: Vec<char> = hex.split_whitespace().flat_map(str::chars).collect();
    let byte = |pair: &[char]| {
        let pair: String = pair.iter().collect();
        u8::from_str_radix(&pair, 16).expect("two hex digits")
    };
    digits.chunks(2).map(byte).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A try whose every byte has its own place in the hex.
fn attempt(number: u32) -> Attempt {
    let home = std::array::from_fn(|place| u8::try_from(place).expect("32 places"));
    Attempt { home: NodeId::from_bytes(home), id: ID, number }
}

/// What a node signed at this version, so to speak.
fn signed(version: Version) -> SignedHead {
    let digest = std::array::from_fn(|place| 0x80 + u8::try_from(place).expect("32 places"));
    let (name, digest) = (name("n1.node.bank-a.amop"), SetDigest::from_bytes(digest));
    SignedHead::new(AnnouncementHead { name, version, digest }, "SIG".into())
}

fn chain() -> Chain {
    Chain::new(vec!["LEAF".into(), "CA".into()]).expect("two certificates")
}

fn topic(text: &str) -> Topic {
    text.parse().expect("a valid topic")
}

fn name(dns: &str) -> Name {
    dns.parse().expect("a valid name")
}

const ID: MsgId = MsgId { publisher: Instance(0x0102_0304_0506_0708), counter: COUNTER };
const COUNTER: u64 = 0x1112_1314_1516_1718;
const EPOCH: Epoch = Epoch(0x2122_2324_2526_2728);
const TTL: Duration = Duration::from_millis(30_000);
