//! Nodes that keep all rules but one.

use amop_wire::PeerMessage;

use crate::fault::Fault;
use crate::watch::Calm;
use crate::world::{NodeId, NodeSlot, World};

impl World {
    /// Has a node keep to itself what it should pass on, or no longer. It announces as before.
    pub fn set_swallowing(&mut self, node: NodeId, swallows: bool) {
        if swallows {
            self.coverage.fault(Fault::Swallow);
        }
        if self.nodes[node.0].swallows {
            self.nodes[node.0].swallowed_until = self.now;
        }
        self.turn(node, |slot| slot.swallows = swallows);
    }

    /// Has a node say of what it should pass on that it cannot, and give it back, or no longer. It
    /// announces as before.
    pub fn set_denying(&mut self, node: NodeId, denies: bool) {
        if denies {
            self.coverage.fault(Fault::Deny);
        }
        self.turn(node, |slot| slot.denies = denies);
    }

    fn turn(&mut self, node: NodeId, turn: impl FnOnce(&mut NodeSlot)) {
        let slot = &mut self.nodes[node.0];
        let was_honest = !slot.swallows && !slot.denies;
        turn(slot);
        let is_honest = !slot.swallows && !slot.denies;
        let does_its_part = slot.core.is_some() && !slot.is_shut_down && !slot.is_draining;
        if !is_honest {
            slot.calm = Calm::never();
        } else if !was_honest && does_its_part {
            slot.calm = Calm::since(self.now.max(slot.paused_until));
        }
    }

    /// Whether a node keeps a message to itself that it should send.
    pub(crate) fn is_swallowed(&self, node: usize, message: &PeerMessage) -> bool {
        let slot = &self.nodes[node];
        slot.swallows && is_passed_on(slot, message)
    }

    /// Whether a node says of a message that it should send that it cannot.
    pub(crate) fn is_denied(&self, node: usize, message: &PeerMessage) -> bool {
        let slot = &self.nodes[node];
        let is_returned = matches!(message, PeerMessage::Returned(_)); // Nobody is told of that.
        slot.denies && !is_returned && is_passed_on(slot, message)
    }
}

/// Whether a message of others leaves a node.
fn is_passed_on(slot: &NodeSlot, message: &PeerMessage) -> bool {
    match message {
        PeerMessage::Relay(relay) => relay.path.source() != slot.id,
        PeerMessage::Returned(returned) => returned.path.target() != slot.id,
        PeerMessage::Tree(tree) => tree.way[0] != slot.id,
        _ => false,
    }
}
