//! What a publisher and one subscriber of a private topic say to each other, as nodes pass it on.
//!
//! Nothing is kept of it and nothing of it is read. It reaches only who has a part in the topic: a
//! subscriber of it, or a client that watches it. A node speaks for the clients that are attached
//! to it, and for nobody else. What has no receiver is dropped: whoever asks asks again.

use amop_topic_table::Place;
use amop_wire::{
    ClientHandshake, Instance, NodeHandshake, NodeId, NodeMessage, PeerHandshake, PeerMessage,
};

use super::Node;

impl Node {
    /// One of our clients says something.
    pub(super) fn handshake(&mut self, from: Instance, handshake: ClientHandshake) {
        let ClientHandshake { to, home, topic, payload } = handshake;
        let Some(session) = self.sessions.get(&from) else { return };
        let name = session.name.clone();
        let (place, from_publisher) = match home {
            Some(_) if !session.topics.contains(&topic) => return,
            Some(home) if home == self.id => (Place::Here, false),
            Some(home) => (Place::Node(home), false),
            None if !self.watches.is_watched_by(&topic, from) => return,
            None => match self.table.find(&topic, to) {
                Some(candidate) => (candidate.place, true),
                None => return,
            },
        };
        let handshake = PeerHandshake { from, to, from_publisher, name, topic, payload };
        match place {
            Place::Here => self.hand_over(self.id, handshake),
            Place::Node(node) if from_publisher => {
                self.tell_node(node, PeerMessage::Handshake(handshake));
            }
            Place::Node(node) => _ = self.reply_to(node, PeerMessage::Handshake(handshake)),
        }
    }

    /// A client of that node says something to one of ours.
    pub(super) fn hand_over(&mut self, node: NodeId, handshake: PeerHandshake) {
        let PeerHandshake { from, to, from_publisher, name, topic, payload } = handshake;
        let may_pass = if from_publisher {
            self.sessions.get(&to).is_some_and(|session| session.topics.contains(&topic))
        } else {
            let seat = self.table.find(&topic, from);
            let is_there = seat.is_some_and(|seat| self.node_at(seat.place) == node);
            is_there && self.watches.is_watched_by(&topic, to)
        };
        if may_pass {
            let home = from_publisher.then_some(node);
            let handshake = NodeHandshake { from, home, name, topic, payload };
            self.tell_client(to, NodeMessage::Handshake(handshake));
        }
    }
}
