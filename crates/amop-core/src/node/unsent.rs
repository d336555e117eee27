//! What the driver had no room for, and what relays gave back: it was not handled and never will be.

use amop_wire::{
    CloseCode, Instant, NodeId, NodeMessage, PeerMessage, PeerRefusal, Reason, Refuse, Request,
};

use super::{Link, LinkId, Node};

impl Node {
    /// The driver had no room for a message to a client.
    pub(super) fn unsent_to_client(&mut self, now: Instant, link: LinkId, message: NodeMessage) {
        let Some(Link::Client { instance: Some(instance), .. }) = self.links.get(&link) else {
            return;
        };
        let instance = *instance;
        match message {
            NodeMessage::Multicast(_) => self.delivery_unsent(instance),
            NodeMessage::Delivery(delivery) => {
                let (attempt, reason) = (delivery.attempt, Reason::SubscriberBusy);
                let refuse = Refuse { attempt, reason, fenced: false };
                self.refuse(now, instance, &refuse);
            }
            // Whoever watches must know all: the next link begins with all of it.
            NodeMessage::Watched(_) => {
                self.close(link, CloseCode::SlowReader, "no room to tell who subscribes");
            }
            // An outcome that is lost reads as 102 at the client, a receipt as unknown.
            NodeMessage::Attached { .. }
            | NodeMessage::Subscribed { .. }
            | NodeMessage::Propagated { .. }
            | NodeMessage::Handshake(_)
            | NodeMessage::Outlived { .. }
            | NodeMessage::Draining
            | NodeMessage::Outcome(_)
            | NodeMessage::Receipts(_) => {}
        }
    }

    /// The driver had no room for a message to a peer.
    pub(super) fn unsent_to_peer(&mut self, now: Instant, link: LinkId, message: PeerMessage) {
        let Some(Link::Peer { node, .. }) = self.links.get(&link) else { return };
        let node = *node;
        match message {
            PeerMessage::Relay(relay) => self.relay_unsent(now, relay),
            PeerMessage::Tree(tree) => self.tree_unsent(now, tree),
            message => self.never_sent(now, node, message),
        }
    }

    /// A message to another node did not leave, or came back: it was not handled and never will be.
    pub(super) fn never_sent(&mut self, now: Instant, node: NodeId, message: PeerMessage) {
        match message {
            PeerMessage::Request(Request { id, attempt, subscriber, .. }) => {
                let (reason, fenced) = (Reason::NoPath, false);
                let refusal = PeerRefusal { id, attempt, reason, subscriber, fenced };
                self.refused(now, node, &refusal);
            }
            PeerMessage::Multicast(multicast) => self.copy_unsent(node, multicast.id),
            // Answers and receipts that are lost leave doubt, tables and lists are told again, probes and
            // challenges repeated.
            PeerMessage::Answer(_)
            | PeerMessage::Refusal(_)
            | PeerMessage::Receipts(_)
            | PeerMessage::Greeting(_)
            | PeerMessage::Summary(_)
            | PeerMessage::Heartbeat(_)
            | PeerMessage::Pull(_)
            | PeerMessage::Snapshot(_)
            | PeerMessage::Changes(_)
            | PeerMessage::Relay(_)
            | PeerMessage::Returned(_)
            | PeerMessage::Tree(_)
            | PeerMessage::Probe
            | PeerMessage::Held(_)
            | PeerMessage::TraceQuestion(_)
            | PeerMessage::TraceAnswer(_)
            | PeerMessage::Reach(_)
            | PeerMessage::Revocation(_)
            | PeerMessage::Handshake(_) => {}
        }
    }
}
