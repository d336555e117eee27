//! Nodes that keep all rules but one.

use amop_wire::PeerMessage;

use crate::world::{NodeId, World};

impl World {
    /// Has a node keep to itself what it should pass on, or no longer. It announces as before.
    pub fn set_swallowing(&mut self, node: NodeId, swallows: bool) {
        self.nodes[node.0].swallows = swallows;
    }

    /// Whether a node keeps a message to itself that it should send.
    pub(crate) fn is_swallowed(&self, node: usize, message: &PeerMessage) -> bool {
        let slot = &self.nodes[node];
        let is_passed_on = match message {
            PeerMessage::Relay(relay) => relay.path.source() != slot.id,
            PeerMessage::Returned(returned) => returned.path.target() != slot.id,
            PeerMessage::Tree(tree) => tree.way[0] != slot.id,
            _ => false,
        };
        slot.swallows && is_passed_on
    }
}
