//! How full the table is.

use amop_wire::limits::{NODES_MAX, Occupancy, TOPICS_PER_NODE_MAX};

use super::TopicTable;
use crate::flaps::EDGES_MAX;

impl TopicTable {
    /// How full each collection is that clients or other nodes can fill.
    pub fn occupancy(&self) -> impl Iterator<Item = Occupancy> {
        let all = [
            ("own topics", self.own.topics().len(), TOPICS_PER_NODE_MAX),
            ("other nodes", self.remotes.len(), NODES_MAX),
            ("nodes on the map", self.graph.node_count(), NODES_MAX + 1),
            ("edges that went lately", self.graph.flap_count(), EDGES_MAX),
            ("topics that lost their last subscriber", self.missed.len(), TOPICS_PER_NODE_MAX),
        ];
        all.into_iter().map(|(what, held, limit)| Occupancy { what, held, limit })
    }
}
