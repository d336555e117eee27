//! Messages to and from nodes that this one is not linked with.
//!
//! The sender wraps the message with the whole path. Every node on it passes it to the next, or
//! gives it back if there is no link or no room: then it has not been passed on and never will be,
//! so that its sender may do something else with it. Nobody on the way reads it.

use std::time::Duration;

use amop_wire::{
    CloseCode, Frame, Instant, Message, MessageError, NodeId, Path, PeerMessage, ReachMessage,
    Relay, Returned,
};
use bytes::{Bytes, BytesMut};

use super::{Effect, LinkId, Node, Step, Untruth};

impl Node {
    /// Sends to another node, linked or not; says whether there is a way.
    pub(super) fn tell_node(&mut self, node: NodeId, message: PeerMessage) -> bool {
        if self.link_back(node).is_some() {
            return self.tell_peer(node, message);
        }
        self.table.way(node, &[]).is_some_and(|path| self.send_along(path, &message))
    }

    /// Sends what another node waits for the way that its last message came: the way that this one
    /// would choose may be what the other has given up, such as a link whose loss only it has noticed.
    /// If that way has broken since, as far as this node knows, another one is taken, if there is one.
    pub(super) fn reply_to(&mut self, node: NodeId, message: PeerMessage) -> bool {
        let is_linked = self.link_back(node).is_some();
        let is_best = |way: &&Path| {
            self.table.is_way(way.nodes()) || !is_linked && self.table.next_hop(node).is_none()
        };
        match self.ways_back.get(&node).filter(is_best).cloned() {
            Some(way) => self.send_along(way, &message),
            None => self.tell_node(node, message),
        }
    }

    pub(super) fn send_along(&mut self, path: Path, message: &PeerMessage) -> bool {
        let mut header = BytesMut::new();
        message.put_header(&mut header);
        let frame = Frame { header: header.freeze(), payload: message.payload().clone() };
        let first = path.nodes()[1];
        self.note_routed(message, &path, &frame.header);
        let (lane, spent) = (message.lane(), Duration::ZERO);
        let relay = Relay { path, position: 1, lane, spent, frame };
        self.tell_peer(first, PeerMessage::Relay(relay))
    }

    /// A message came over others, for this node or for one behind it.
    pub(super) fn relayed(&mut self, now: Instant, link: LinkId, peer: NodeId, relay: Relay) {
        let (nodes, position) = (relay.path.nodes(), relay.position);
        if nodes[position] != self.id || nodes[position - 1] != peer {
            self.blame(link, Untruth::OffPath);
            let text = "a relayed message does not follow its path";
            return self.close(link, CloseCode::Protocol, text);
        }
        let Some(&next) = nodes.get(position + 1) else {
            let source = relay.path.source();
            // A message that cannot be read is the fault of its source, which is not this peer; one of a
            // newer version is nobody's.
            let mut message = match PeerMessage::from_frame(relay.frame) {
                Ok(message) => message,
                Err(MessageError::UnknownKind) => return,
                Err(_) => return self.not_relayable(source),
            };
            message.deduct(relay.spent);
            self.came_along(now, &relay.path, &message);
            if !self.heard_from(now, source, message) {
                self.not_relayable(source);
            }
            return;
        };
        let Some(&link) = self.peers.get(&next) else { return self.give_back(relay) };
        self.note_relayed(&relay, Step::Relayed);
        let message = PeerMessage::Relay(Relay { position: position + 1, ..relay });
        self.effects.push_back(Effect::ToPeer { link, message });
    }

    /// A path has brought a message to this node.
    fn came_along(&mut self, now: Instant, path: &Path, message: &PeerMessage) {
        match message {
            PeerMessage::Request(_)
            | PeerMessage::Multicast(_)
            | PeerMessage::TraceQuestion(_)
            | PeerMessage::Reach(ReachMessage::Question { .. })
            | PeerMessage::Probe => {
                self.note_way_back(path);
            }
            PeerMessage::Handshake(handshake) if handshake.from_publisher => {
                self.note_way_back(path);
            }
            PeerMessage::Answer(answer) => self.way_answered(now, answer.id, path),
            _ => self.table.way_worked(path),
        }
    }

    /// Notes how a message came over others; the way that it came is the way back.
    pub(super) fn note_way_back(&mut self, path: &Path) {
        let source = path.source();
        let is_known = |way: &Path| way.nodes().iter().rev().eq(path.nodes());
        if self.ways_back.get(&source).is_some_and(is_known) {
            return;
        }
        if self.ways_back.len() >= self.limits.ways_back {
            self.ways_back.clear(); // Without one, the best path is taken.
        }
        self.ways_back.insert(source, path.reversed());
    }

    /// A message came by the link with its source: the way back is that link.
    pub(super) fn came_directly(&mut self, source: NodeId) {
        self.ways_back.remove(&source);
    }

    /// What a node says that may come over others; answers whether it may.
    pub(super) fn heard_from(&mut self, now: Instant, node: NodeId, message: PeerMessage) -> bool {
        match message {
            PeerMessage::Request(request) => self.push_request(node, request),
            PeerMessage::Answer(answer) => self.answered(node, answer),
            PeerMessage::Refusal(refusal) => self.refused(now, node, &refusal),
            PeerMessage::Multicast(multicast) => self.fan_out(now, node, multicast),
            PeerMessage::Receipts(runs) => self.receipts(node, &runs),
            PeerMessage::Probe => self.probed(node),
            PeerMessage::Held(version) => self.held(node, version),
            PeerMessage::Handshake(handshake) => self.hand_over(node, handshake),
            PeerMessage::TraceQuestion(question) => self.trace_asked(now, node, question),
            PeerMessage::TraceAnswer(answer) => self.trace_answered(now, node, &answer),
            PeerMessage::Reach(message) => self.heard_of_reach(now, node, message),
            // These are between neighbours.
            PeerMessage::Greeting(_)
            | PeerMessage::Summary(_)
            | PeerMessage::Heartbeat(_)
            | PeerMessage::Pull(_)
            | PeerMessage::Snapshot(_)
            | PeerMessage::Changes(_)
            | PeerMessage::Revocation(_)
            | PeerMessage::Relay(_)
            | PeerMessage::Returned(_)
            | PeerMessage::Tree(_) => return false,
        }
        true
    }

    /// A message that this node sent or passed on comes back.
    pub(super) fn came_back(
        &mut self,
        now: Instant,
        link: LinkId,
        peer: NodeId,
        returned: Returned,
    ) {
        let (nodes, position) = (returned.path.nodes(), returned.position);
        if nodes[position] != self.id || nodes.get(position + 1) != Some(&peer) {
            self.blame(link, Untruth::OffPath);
            let text = "a returned message does not follow its path";
            return self.close(link, CloseCode::Protocol, text);
        }
        match position.checked_sub(1) {
            None => self.not_passed_on(now, returned.path.target(), returned.header),
            Some(before) => {
                let previous = nodes[before];
                let message = PeerMessage::Returned(Returned { position: before, ..returned });
                self.tell_peer(previous, message);
            }
        }
    }

    /// A relay had no room on its link.
    pub(super) fn relay_unsent(&mut self, now: Instant, relay: Relay) {
        match relay.position {
            1 => self.not_passed_on(now, relay.path.target(), relay.frame.header),
            position => self.give_back(Relay { position: position - 1, ..relay }),
        }
    }

    /// Gives back what was passed to this node, at the relay's position.
    fn give_back(&mut self, relay: Relay) {
        self.note_relayed(&relay, Step::GivenBack);
        let position = relay.position - 1;
        let previous = relay.path.nodes()[position];
        let (path, header) = (relay.path, relay.frame.header);
        self.tell_peer(previous, PeerMessage::Returned(Returned { path, position, header }));
    }

    /// A message of this node did not get to its target.
    pub(super) fn not_passed_on(&mut self, now: Instant, target: NodeId, header: Bytes) {
        let frame = Frame { header, payload: Bytes::new() };
        if let Ok(message) = PeerMessage::from_frame(frame) {
            self.never_sent(now, target, message);
        }
    }
}
