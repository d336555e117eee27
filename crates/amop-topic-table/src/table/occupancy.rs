//! How full the table is.

use amop_wire::limits::{NODES_MAX, Occupancy};

use super::TopicTable;
use crate::limits::Limits;

impl TopicTable {
    /// Takes other limits from now on; none above the default.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.graph.set_watched_max(limits.watched_edges);
    }

    /// How many nodes' announcements a peer was asked for and has not answered.
    #[must_use]
    pub fn pulls_under_way(&self) -> usize {
        self.remotes.values().filter(|remote| remote.is_behind()).count()
    }

    /// How full each collection is that clients or other nodes can fill.
    pub fn occupancy(&self) -> impl Iterator<Item = Occupancy> {
        let all = [
            ("own topics", self.own.topics().len(), self.limits.own_topics),
            ("other nodes", self.remotes.len(), NODES_MAX),
            ("nodes on the map", self.graph.node_count(), NODES_MAX + 1),
            ("edges that went lately", self.graph.flap_count(), self.limits.watched_edges),
            (
                "topics that lost their last subscriber",
                self.missed.len(),
                self.limits.missed_topics,
            ),
        ];
        all.into_iter().map(|(what, held, limit)| Occupancy { what, held, limit })
    }
}
