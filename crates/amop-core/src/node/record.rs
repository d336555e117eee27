//! What a flight recorder writes down: one step of one message at one node.
//!
//! A record has a fixed size and holds no payload, no topic and no name: nodes stand there by the first half of
//! what tells them apart, topics by a hash, agencies by a number that only this node knows. Who asks for records
//! is shown names as far as the node that shows them knows them.

use amop_wire::{Code, Instance, Instant, MsgId, NodeId, Reason, Receipt, Topic};

/// One step of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which message. Of one that is passed on unread, see [`Mark::as_id`].
    pub id: MsgId,
    /// When, on the clock of the node.
    pub at: Instant,
    /// What the node did with it, or was told of it.
    pub step: Step,
}

/// What a node did with a message, or was told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// As home node: a client published it, and it was taken.
    Accepted {
        /// The publisher's agency.
        party: Party,
        /// How long its payload is, in bytes.
        length: u32,
        /// To what.
        topic: TopicTag,
        /// Whether it is for all subscribers.
        is_multicast: bool,
    },
    /// As home node: a client published it, and it was not taken.
    NotAccepted {
        /// The publisher's agency.
        party: Party,
        /// How long its payload is, in bytes.
        length: u32,
        /// To what.
        topic: TopicTag,
        /// How it ended.
        code: Code,
        /// Why.
        reason: Reason,
    },
    /// As home node: nobody is there for it, and it waits for somebody to come.
    Parked,
    /// As home node: a copy of a unicast is on its way to the subscriber that was chosen.
    Sent {
        /// The subscriber's node.
        node: NodeTag,
        /// The subscriber.
        subscriber: Instance,
        /// The number of the attempt, as it travels.
        attempt: u32,
        /// Which attempt it is, from 1; 255 stands for more.
        nth: u8,
        /// Among how many subscribers it was chosen.
        of: u32,
        /// How much waited on all links of the node, in bytes.
        waiting: u32,
        /// Whether the same attempt was sent before.
        is_again: bool,
    },
    /// A message was sent over other nodes, which do not read it.
    Routed {
        /// The first of them.
        via: NodeTag,
        /// What they know it by.
        mark: Mark,
        /// How many links it is to cross.
        hops: u8,
    },
    /// As exit node: a unicast went to the subscriber.
    Pushed {
        /// The publisher's node.
        home: NodeTag,
        /// The subscriber.
        subscriber: Instance,
        /// The number of the attempt, as it travels.
        attempt: u32,
        /// The publisher's agency.
        from: Party,
        /// The subscriber's agency.
        to: Party,
        /// How long its payload is, in bytes.
        length: u32,
        /// How much waited on all links of the node, in bytes.
        waiting: u32,
    },
    /// As exit node: a unicast was refused before it was pushed.
    NotPushed {
        /// The publisher's node.
        home: NodeTag,
        /// The subscriber that it was for.
        subscriber: Instance,
        /// The number of the attempt, as it travels.
        attempt: u32,
        /// Why.
        reason: Reason,
    },
    /// As exit node: the subscriber answered.
    Replied {
        /// The publisher's node.
        home: NodeTag,
        /// The subscriber.
        subscriber: Instance,
        /// The number of the attempt, as it travels.
        attempt: u32,
    },
    /// As exit node: the subscriber, or its link, refused it.
    Declined {
        /// The publisher's node.
        home: NodeTag,
        /// The subscriber.
        subscriber: Instance,
        /// The number of the attempt, as it travels.
        attempt: u32,
        /// Why.
        reason: Reason,
    },
    /// As home node: the answer came, and ended it with code 0.
    Answered {
        /// The subscriber's node.
        node: NodeTag,
        /// Who answered.
        subscriber: Instance,
        /// The number of the attempt, as it travels.
        attempt: u32,
    },
    /// As home node: a copy will never be handled.
    Refused {
        /// The subscriber's node.
        node: NodeTag,
        /// The subscriber.
        subscriber: Instance,
        /// The number of the attempt, as it travels.
        attempt: u32,
        /// Why.
        reason: Reason,
    },
    /// As home node: it ended without an answer.
    Ended {
        /// The publisher's agency.
        party: Party,
        /// How.
        code: Code,
        /// Why.
        reason: Reason,
        /// How many subscribers were tried.
        attempts: u32,
    },
    /// As home node: a copy of a multicast is on its way to a node.
    Spread {
        /// Which.
        node: NodeTag,
        /// How many subscribers it was known to have.
        known: u32,
    },
    /// As exit node: a multicast went to the subscribers here.
    FannedOut {
        /// The publisher's node.
        home: NodeTag,
        /// The publisher's agency.
        from: Party,
        /// To how many.
        pushed: u32,
        /// How many had no room.
        refused: u32,
        /// How long its payload is, in bytes.
        length: u32,
    },
    /// As exit node: what became of a multicast here was reported.
    Reported {
        /// The publisher's node.
        home: NodeTag,
        /// What.
        receipt: Receipt,
    },
    /// As home node: a multicast ended.
    Received {
        /// The publisher's agency.
        party: Party,
        /// What became of it.
        receipt: Receipt,
    },
    /// A message between other nodes was passed on.
    Relayed(Relayed),
    /// A message between other nodes could not be passed on.
    GivenBack(Relayed),
}

/// A message between other nodes on its way over this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// Who sent it first.
    pub source: NodeTag,
    /// Whom it came from.
    pub from: NodeTag,
    /// Whom it goes to next.
    pub to: NodeTag,
    /// Whom it is for; of a multicast one of them.
    pub target: NodeTag,
}

impl Step {
    /// Whether something went wrong: that is kept for longer.
    #[must_use]
    #[inline(always)]
    pub fn is_failure(&self) -> bool {
        match self {
            Self::NotAccepted { .. }
            | Self::NotPushed { .. }
            | Self::Declined { .. }
            | Self::Refused { .. }
            | Self::Ended { .. }
            | Self::GivenBack(_) => true,
            Self::Reported { receipt, .. } | Self::Received { receipt, .. } => {
                receipt.refused + receipt.unknown > 0
            }
            Self::Accepted { .. }
            | Self::Parked
            | Self::Sent { .. }
            | Self::Routed { .. }
            | Self::Pushed { .. }
            | Self::Replied { .. }
            | Self::Answered { .. }
            | Self::Spread { .. }
            | Self::FannedOut { .. }
            | Self::Relayed(_) => false,
        }
    }
}

/// An agency, as one life of a node numbers those that it has heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Party(pub(super) u16);

impl Party {
    /// One that another node numbers, or nobody does.
    pub const ELSEWHERE: Self = Self(u16::MAX);
}

/// The first 8 bytes of the id of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeTag(pub u64);

impl NodeTag {
    /// That of a node.
    #[must_use]
    pub fn of(node: NodeId) -> Self {
        let (first, _) = node.as_bytes().split_first_chunk().expect("an id has 32 bytes");
        Self(u64::from_be_bytes(*first))
    }
}

/// A hash of a topic, by which one that is known is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicTag(pub u32);

impl TopicTag {
    /// That of a topic.
    #[must_use]
    pub fn of(topic: &Topic) -> Self {
        let folded = fold(topic.as_str().as_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "both halves are wanted")]
        Self((folded >> 32) as u32 ^ folded as u32)
    }
}

/// A hash of the header of a message, by which relays know it again without reading it. The header is the same
/// on the whole way, and holds a number that only those know whom it has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub u64);

impl Mark {
    /// That of a header.
    #[must_use]
    pub fn of(header: &[u8]) -> Self {
        Self(fold(header))
    }

    /// What records of a message that is passed on unread have as their id: that of no publisher.
    #[must_use]
    pub fn as_id(self) -> MsgId {
        MsgId { publisher: Instance(0), counter: self.0 }
    }
}

/// TRACE-2: eight bytes at a time, big-endian; the last may be fewer, or none.
fn fold(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let step = |folded: u64, word: u64| {
        let mixed = (folded ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 32)
    };
    let folded =
        words.iter().fold(bytes.len() as u64, |folded, &w| step(folded, u64::from_be_bytes(w)));
    let last = rest.iter().fold(0, |last, &byte| (last << 8) | u64::from(byte));
    step(folded, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_fits_one_cache_line() {
        assert!(size_of::<Record>() <= 64, "{}", size_of::<Record>());
    }

    /// TRACE-2
    #[test]
    fn a_mark_depends_on_every_byte_and_is_the_same_everywhere() {
        let header: Vec<u8> = (0..29).collect();
        assert_eq!(Mark::of(&header), Mark(0x2553_07e3_4dfd_0eb3));
        for changed in 0..header.len() {
            let mut other = header.clone();
            other[changed] ^= 1;
            assert_ne!(Mark::of(&header), Mark::of(&other), "byte {changed}");
        }
        let longer: Vec<u8> = header.iter().copied().chain([0]).collect();
        assert_ne!(Mark::of(&header), Mark::of(&longer), "zeros at the end count too");
    }
}
