//! How much a client holds for others, and how full that is.

use amop_wire::limits::Occupancy;

use super::Client;
use super::private::HOMES_MAX;

/// Bounds on what others can make a client hold. What is over the first two is refused, so that no
/// message is taken twice; of the others the oldest goes, and its publisher may end in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pieces of 4,096 numbers of one publisher, half a KiB each, that are noted as heard.
    pub heard_pieces: usize,
    /// Most idempotency keys that are remembered, with their answers.
    pub keys: usize,
    /// Most replies that are kept to be given again.
    pub replies: usize,
    /// Most replies that wait for a connection.
    pub held_replies: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { heard_pieces: 65_536, keys: 65_536, replies: 65_536, held_replies: 1024 }
    }
}

impl Client {
    /// Takes other limits from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// How full each collection is that others can fill.
    pub fn occupancy(&self) -> impl Iterator<Item = Occupancy> {
        let limits = self.limits;
        let homes = self.private.as_ref().map_or(0, |private| private.homes_len());
        let all = [
            ("pieces of numbers heard", self.heard.len(), limits.heard_pieces),
            ("idempotency keys", self.keyed.len(), limits.keys),
            ("replies kept", self.replies.len(), limits.replies),
            ("nodes of publishers", homes, HOMES_MAX),
            ("replies held", self.held.len(), limits.held_replies),
        ];
        all.into_iter().map(|(what, held, limit)| Occupancy { what, held, limit })
    }
}
