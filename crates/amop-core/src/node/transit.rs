//! How much of what waits on a link was passed on for each peer, so that none takes the room of others.
//!
//! What waits on a link is a queue, and whoever has more in it has more of the link. So no peer may have
//! more in it than is free: alone it gets half of the room, of three each gets a quarter, and a newcomer
//! finds as much free as each of the others has. One that asks for little gets all of it.
//!
//! The core knows what it has put into each queue, in order, and the driver says how much is left; what
//! is not left was at the front. Only links on which something waits for others are looked at.

use std::collections::{BTreeMap, VecDeque};

use amop_wire::{Lane, Message, NodeId, PeerMessage};

use super::{LinkId, Node};

/// What waits on the links on which something waits for others.
#[derive(Debug, Default)]
pub(super) struct Transit {
    links: BTreeMap<LinkId, Queue>,
}

/// What waits on one link.
#[derive(Debug, Default)]
struct Queue {
    /// For whom, or `None` for this node itself, and how many bytes, oldest first.
    parts: VecDeque<(Option<NodeId>, usize)>,
    bytes: usize,
    of_peers: BTreeMap<NodeId, usize>,
}

impl Transit {
    /// Takes a message that is to be sent; answers whether it may be. It may not if it is passed on for a
    /// peer that has as much waiting there as it may have, unless it is a reply: what is dropped of those
    /// leaves doubt.
    pub(super) fn take(
        &mut self,
        link: LinkId,
        message: &PeerMessage,
        bytes: usize,
        room: usize,
    ) -> bool {
        let Some(peer) = passed_on_for(message) else {
            if let Some(queue) = self.links.get_mut(&link) {
                queue.push(None, bytes);
            }
            return true;
        };
        let queue = self.links.entry(link).or_default();
        let is_fair = queue.of(peer) + bytes <= room.saturating_sub(queue.bytes)
            || message.lane() == Lane::Replies;
        if is_fair {
            queue.push(Some(peer), bytes);
        }
        is_fair
    }

    /// The last message taken on this link had no room there.
    pub(super) fn take_back(&mut self, link: LinkId, message: &PeerMessage, bytes: usize) {
        if let Some(queue) = self.links.get_mut(&link) {
            queue.take_back(passed_on_for(message), bytes);
        }
    }

    /// So much waits on a link.
    pub(super) fn told(&mut self, link: LinkId, bytes: usize) {
        let Some(queue) = self.links.get_mut(&link) else { return };
        queue.told(bytes);
        if queue.of_peers.is_empty() {
            self.links.remove(&link);
        }
    }

    pub(super) fn link_down(&mut self, link: LinkId) {
        self.links.remove(&link);
    }
}

impl Queue {
    fn of(&self, peer: NodeId) -> usize {
        self.of_peers.get(&peer).copied().unwrap_or_default()
    }

    fn push(&mut self, whose: Option<NodeId>, bytes: usize) {
        self.bytes += bytes;
        if let Some(peer) = whose {
            *self.of_peers.entry(peer).or_default() += bytes;
        }
        match self.parts.back_mut() {
            Some((last, part)) if *last == whose => *part += bytes,
            Some(_) | None => self.parts.push_back((whose, bytes)),
        }
    }

    fn take_back(&mut self, whose: Option<NodeId>, bytes: usize) {
        let Some((last, part)) = self.parts.back_mut() else { return };
        if *last != whose || *part < bytes {
            return;
        }
        *part -= bytes;
        self.gone(whose, bytes);
    }

    /// What is not left was at the front; what was there before the first that was counted is nobody's.
    fn told(&mut self, left: usize) {
        if left > self.bytes {
            let more = left - self.bytes;
            self.parts.push_front((None, more));
            self.bytes += more;
        }
        while self.bytes > left {
            let over = self.bytes - left;
            let Some((whose, part)) = self.parts.front_mut() else { return };
            let (whose, gone) = (*whose, over.min(*part));
            *part -= gone;
            if *part == 0 {
                self.parts.pop_front();
            }
            self.gone(whose, gone);
        }
    }

    fn gone(&mut self, whose: Option<NodeId>, bytes: usize) {
        self.bytes -= bytes;
        if let Some(peer) = whose
            && let Some(held) = self.of_peers.get_mut(&peer)
        {
            *held -= bytes;
            if *held == 0 {
                self.of_peers.remove(&peer);
            }
        }
    }
}

impl Node {
    /// The links on which something waits for other nodes: how much waits there the driver says with
    /// [`Input::Waiting`](super::Input::Waiting).
    pub fn transit_links(&self) -> impl Iterator<Item = LinkId> {
        self.transit.links.keys().copied()
    }

    pub(super) fn has_transit(&self) -> bool {
        !self.transit.links.is_empty()
    }
}

/// Whether a message that is to be sent is one between other nodes.
pub(super) fn is_transit(message: &PeerMessage) -> bool {
    passed_on_for(message).is_some()
}

/// The peer that a message between other nodes came from.
pub(super) fn passed_on_for(message: &PeerMessage) -> Option<NodeId> {
    if let PeerMessage::Relay(relay) = message {
        return relay.position.checked_sub(2).map(|before| relay.path.nodes()[before]);
    }
    let PeerMessage::Tree(tree) = message else { return None };
    tree.way.len().checked_sub(2).map(|before| tree.way[before])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    /// Fills the queue for one peer, byte by byte; says how much it got.
    fn fill(queue: &mut Queue, of: u8, room: usize) -> usize {
        while queue.of(peer(of)) < room - queue.bytes {
            queue.push(Some(peer(of)), 1);
        }
        queue.of(peer(of))
    }

    #[test]
    fn one_peer_gets_half_of_the_room_and_whoever_comes_next_finds_a_share() {
        let mut queue = Queue::default();
        let got = [1, 2, 3].map(|of| fill(&mut queue, of, 1200));
        assert_eq!(got, [600, 300, 150]);
        queue.told(600); // The first 450 bytes of the first are gone.
        assert_eq!([1, 2, 3].map(|of| queue.of(peer(of))), [150, 300, 150]);
        assert_eq!(fill(&mut queue, 3, 1200), 375, "now it may have as much as is free");
    }

    #[test]
    fn what_is_gone_was_at_the_front_whoever_had_sent_it() {
        let mut queue = Queue::default();
        for (whose, bytes) in [(Some(1), 10), (None, 20), (Some(2), 30), (Some(1), 40)] {
            queue.push(whose.map(peer), bytes);
        }
        let mut left = |bytes| {
            queue.told(bytes);
            [1, 2].map(|of| queue.of(peer(of)))
        };
        assert_eq!(left(95), [45, 30]);
        assert_eq!(left(70), [40, 30]);
        assert_eq!(left(50), [40, 10]);
        assert_eq!(left(60), [40, 10], "what came from elsewhere is nobody's");
        assert_eq!(left(45), [40, 5], "and stands at the front");
        assert_eq!(left(0), [0, 0]);
        assert!(queue.parts.is_empty() && queue.of_peers.is_empty());
    }

    #[test]
    fn what_had_no_room_on_its_link_does_not_wait_there() {
        let mut queue = Queue::default();
        queue.push(Some(peer(1)), 10);
        queue.push(Some(peer(1)), 5);
        queue.take_back(Some(peer(1)), 5);
        assert_eq!((queue.of(peer(1)), queue.bytes), (10, 10));
        queue.take_back(Some(peer(2)), 5);
        assert_eq!(queue.bytes, 10, "that was not the last");
    }
}
