//! How much a table holds.

use amop_wire::limits::TOPICS_PER_NODE_MAX;

use crate::flaps::EDGES_MAX;

/// Bounds on what clients and the course of events can make a table hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most topics with a subscriber at this node; a subscribe past that is refused.
    pub own_topics: usize,
    /// Most topics that are remembered because they lost their last subscriber; the first are forgotten.
    pub missed_topics: usize,
    /// Most edges that are watched because they went lately; others are not watched.
    pub watched_edges: usize,
}

/// The largest that may be set: other nodes rely on the first.
impl Default for Limits {
    fn default() -> Self {
        Self {
            own_topics: TOPICS_PER_NODE_MAX,
            missed_topics: TOPICS_PER_NODE_MAX,
            watched_edges: EDGES_MAX,
        }
    }
}
