//! What nodes have sent to each other, counted as it leaves them.

use std::ops::Sub;

use amop_wire::Lane;

use crate::network::Party;
use crate::world::{NodeId, World};

/// What one party has sent to another since the world began. What had no room is not in it, what got
/// lost on the way is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// How many frames, on all lanes.
    pub frames: u64,
    /// How many bytes these have, as they would lie in a stream of a link: what encryption and
    /// packets add is not in it.
    pub bytes: u64,
    /// How many of the frames went over the lanes of messages.
    pub messages: u64,
}

impl Sent {
    pub(crate) fn add(&mut self, lane: Lane, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes as u64;
        self.messages += u64::from(matches!(lane, Lane::Unicasts | Lane::Multicasts));
    }
}

/// What was sent after an earlier count.
impl Sub for Sent {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            frames: self.frames - earlier.frames,
            bytes: self.bytes - earlier.bytes,
            messages: self.messages - earlier.messages,
        }
    }
}

impl World {
    /// What a node has sent to another one so far.
    #[must_use]
    pub fn sent(&self, from: NodeId, to: NodeId) -> Sent {
        let parties = (Party::Node(from.0), Party::Node(to.0));
        self.network.sent.get(&parties).copied().unwrap_or_default()
    }

    /// How many messages of a kind a node has sent to another one, by the kind's name in the
    /// [coverage](Self::coverage). Nobody counts in a world that [tells nothing](Self::stop_telling).
    #[must_use]
    pub fn sent_of_kind(&self, from: NodeId, to: NodeId, kind: &'static str) -> u64 {
        self.network.sent_of_kind(from.0, to.0, kind)
    }
}
