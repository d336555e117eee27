//! Nodes that keep all rules but one.

use amop_wire::PeerMessage;

use crate::fault::Fault;
use crate::watch::Calm;
use crate::world::{NodeId, World};

impl World {
    /// Has a node keep to itself what it should pass on, or no longer. It announces as before.
    pub fn set_swallowing(&mut self, node: NodeId, swallows: bool) {
        if swallows {
            self.coverage.fault(Fault::Swallow);
        }
        let slot = &mut self.nodes[node.0];
        let is_mended = slot.swallows && !swallows && slot.core.is_some() && !slot.is_shut_down;
        if slot.swallows {
            slot.swallowed_until = self.now;
        }
        slot.swallows = swallows;
        if swallows {
            slot.calm = Calm::never();
        } else if is_mended {
            slot.calm = Calm::since(self.now.max(slot.paused_until));
        }
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
