//! How many bytes a message takes on a link, not less than it does and seldom much more.

use amop_wire::{Lane, Message, NodeMessage, PeerMessage, ReachMessage, Topic};

/// Of a message to a client; `None` if it travels on the lane of control messages, which have a bound of
/// their own.
pub(super) fn to_client(message: &NodeMessage) -> Option<usize> {
    let more = match message {
        NodeMessage::Delivery(delivery) => delivery.topic.len() + delivery.from.as_dns().len(),
        NodeMessage::Multicast(multicast) => multicast.topic.len() + multicast.from.as_dns().len(),
        NodeMessage::Outcome(outcome) => {
            let names = outcome.answered_by.iter().chain(&outcome.tried);
            names.map(|name| name.as_dns().len() + 2).sum()
        }
        NodeMessage::Receipts(runs) => runs.len() * RUN_BYTES,
        NodeMessage::Handshake(handshake) => handshake.topic.len(),
        NodeMessage::Attached { .. }
        | NodeMessage::Subscribed { .. }
        | NodeMessage::Propagated { .. }
        | NodeMessage::Watched(_)
        | NodeMessage::Outlived { .. }
        | NodeMessage::Draining => return None,
    };
    Some(HEAD_BYTES + more + message.payload().len())
}

/// Of a message to a peer; `None` as with [`to_client`].
pub(super) fn to_peer(message: &PeerMessage) -> Option<usize> {
    if message.lane() == Lane::Control {
        return None;
    }
    let more = match message {
        PeerMessage::Request(request) => request.topic.len() + request.from.as_dns().len(),
        PeerMessage::Multicast(multicast) => multicast.topic.len() + multicast.from.as_dns().len(),
        PeerMessage::Receipts(runs) => runs.len() * RUN_BYTES,
        PeerMessage::Relay(relay) => {
            relay.path.nodes().len() * NODE_BYTES + relay.frame.header.len()
        }
        PeerMessage::Returned(returned) => {
            returned.path.nodes().len() * NODE_BYTES + returned.header.len()
        }
        PeerMessage::Tree(tree) => {
            (tree.way.len() + tree.stops.len()) * NODE_BYTES + tree.frame.header.len()
        }
        PeerMessage::Handshake(handshake) => handshake.topic.len(),
        PeerMessage::Answer(_)
        | PeerMessage::Refusal(_)
        | PeerMessage::Probe
        | PeerMessage::Held(_)
        | PeerMessage::Greeting(_)
        | PeerMessage::Summary(_)
        | PeerMessage::Heartbeat(_)
        | PeerMessage::Pull(_)
        | PeerMessage::Snapshot(_)
        | PeerMessage::Changes(_)
        | PeerMessage::Revocation(_)
        | PeerMessage::TraceQuestion(_) => 0,
        PeerMessage::TraceAnswer(answer) => answer.steps.len() * STEP_BYTES,
        PeerMessage::Reach(ReachMessage::Question { topic, .. }) => {
            topic.as_ref().map_or(0, Topic::len)
        }
        PeerMessage::Reach(ReachMessage::Answer(answer)) => {
            answer.subscribers.len() * INSTANCE_BYTES
        }
    };
    Some(HEAD_BYTES + more + message.payload().len())
}

/// The fields of fixed size, the lengths of a frame, and a stamp before it.
const HEAD_BYTES: usize = 160;

/// A node of a path or a tree.
const NODE_BYTES: usize = 48;

/// A run of receipts.
const RUN_BYTES: usize = 64;

/// An instance in an answer.
const INSTANCE_BYTES: usize = 8;

/// What a step of a message takes in an answer.
const STEP_BYTES: usize = 96;
