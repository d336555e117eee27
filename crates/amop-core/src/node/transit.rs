//! How much of what waits was passed on for each peer, so that none takes the room of others.
//!
//! What waits on a link is a queue, and whoever has more in it has more of the link. So no peer may have
//! more in it than is free: alone it gets half of the room, of three each gets a quarter, and a newcomer
//! finds as much free as each of the others has. One that asks for little gets all of it. The same holds for
//! all links together, of which several may stand still: no peer may have more waiting on them than
//! is free of the memory for what is passed on.
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
    /// What waits for each peer on all of them.
    all: Shares,
}

/// What waits on one link.
#[derive(Debug, Default)]
struct Queue {
    /// For whom, or `None` for this node itself, and how many bytes, oldest first.
    parts: VecDeque<(Option<NodeId>, usize)>,
    bytes: usize,
    of_peers: Shares,
}

/// How many bytes wait for each peer for which some do.
#[derive(Debug, Default)]
struct Shares(BTreeMap<NodeId, usize>);

/// How many bytes may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// On the link.
    pub(super) on_link: usize,
    /// On all links together, more than there are.
    pub(super) left_on_all: usize,
}

impl Transit {
    /// Takes a message that is to be sent; answers whether it may be. It may not if it is passed on for a
    /// peer that has as much waiting as it may have, there or altogether, unless it is a reply: what is dropped
    /// of those leaves doubt.
    pub(super) fn take(
        &mut self,
        link: LinkId,
        message: &PeerMessage,
        bytes: usize,
        room: Room,
    ) -> bool {
        let Some(peer) = passed_on_for(message) else {
            if let Some(queue) = self.links.get_mut(&link) {
                queue.push(None, bytes, &mut self.all);
            }
            return true;
        };
        let queue = self.links.entry(link).or_default();
        let is_fair_there =
            queue.of_peers.of(peer) + bytes <= room.on_link.saturating_sub(queue.bytes);
        let is_fair = is_fair_there && self.all.of(peer) + bytes <= room.left_on_all;
        let is_taken = is_fair || message.lane() == Lane::Replies;
        if is_taken {
            queue.push(Some(peer), bytes, &mut self.all);
        }
        is_taken
    }

    /// The last message taken on this link had no room there.
    pub(super) fn take_back(&mut self, link: LinkId, message: &PeerMessage, bytes: usize) {
        if let Some(queue) = self.links.get_mut(&link) {
            queue.take_back(passed_on_for(message), bytes, &mut self.all);
        }
    }

    /// So much waits on a link.
    pub(super) fn told(&mut self, link: LinkId, bytes: usize) {
        let Some(queue) = self.links.get_mut(&link) else { return };
        queue.told(bytes, &mut self.all);
        if queue.of_peers.0.is_empty() {
            self.links.remove(&link);
        }
    }

    pub(super) fn link_down(&mut self, link: LinkId) {
        let Some(queue) = self.links.remove(&link) else { return };
        for (peer, bytes) in queue.of_peers.0 {
            self.all.take(peer, bytes);
        }
    }
}

impl Queue {
    fn push(&mut self, whose: Option<NodeId>, bytes: usize, all: &mut Shares) {
        self.bytes += bytes;
        if let Some(peer) = whose {
            self.of_peers.add(peer, bytes);
            all.add(peer, bytes);
        }
        match self.parts.back_mut() {
            Some((last, part)) if *last == whose => *part += bytes,
            Some(_) | None => self.parts.push_back((whose, bytes)),
        }
    }

    fn take_back(&mut self, whose: Option<NodeId>, bytes: usize, all: &mut Shares) {
        let Some((last, part)) = self.parts.back_mut() else { return };
        if *last != whose || *part < bytes {
            return;
        }
        *part -= bytes;
        self.gone(whose, bytes, all);
    }

    /// What is not left was at the front; what was there before the first that was counted is nobody's.
    fn told(&mut self, left: usize, all: &mut Shares) {
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
            self.gone(whose, gone, all);
        }
    }

    fn gone(&mut self, whose: Option<NodeId>, bytes: usize, all: &mut Shares) {
        self.bytes -= bytes;
        if let Some(peer) = whose {
            self.of_peers.take(peer, bytes);
            all.take(peer, bytes);
        }
    }
}

impl Shares {
    fn of(&self, peer: NodeId) -> usize {
        self.0.get(&peer).copied().unwrap_or_default()
    }

    fn add(&mut self, peer: NodeId, bytes: usize) {
        *self.0.entry(peer).or_default() += bytes;
    }

    fn take(&mut self, peer: NodeId, bytes: usize) {
        if let Some(held) = self.0.get_mut(&peer) {
            *held -= bytes;
            if *held == 0 {
                self.0.remove(&peer);
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
    use std::time::Duration;

    use amop_wire::{Frame, Path, Relay};
    use bytes::Bytes;

    use super::*;

    fn peer(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    /// Fills the queue for one peer, byte by byte; says how much it got.
    fn fill(queue: &mut Queue, of: u8, room: usize) -> usize {
        let mut all = Shares::default();
        while queue.of_peers.of(peer(of)) < room - queue.bytes {
            queue.push(Some(peer(of)), 1, &mut all);
        }
        queue.of_peers.of(peer(of))
    }

    #[test]
    fn one_peer_gets_half_of_the_room_and_whoever_comes_next_finds_a_share() {
        let mut queue = Queue::default();
        let got = [1, 2, 3].map(|of| fill(&mut queue, of, 1200));
        assert_eq!(got, [600, 300, 150]);
        queue.told(600, &mut Shares::default()); // The first 450 bytes of the first are gone.
        assert_eq!([1, 2, 3].map(|of| queue.of_peers.of(peer(of))), [150, 300, 150]);
        assert_eq!(fill(&mut queue, 3, 1200), 375, "now it may have as much as is free");
    }

    #[test]
    fn what_is_gone_was_at_the_front_whoever_had_sent_it() {
        let (mut queue, mut all) = (Queue::default(), Shares::default());
        for (whose, bytes) in [(Some(1), 10), (None, 20), (Some(2), 30), (Some(1), 40)] {
            queue.push(whose.map(peer), bytes, &mut all);
        }
        let mut left = |bytes| {
            queue.told(bytes, &mut all);
            assert_eq!(queue.of_peers.0, all.0, "there is one link");
            [1, 2].map(|of| queue.of_peers.of(peer(of)))
        };
        assert_eq!(left(95), [45, 30]);
        assert_eq!(left(70), [40, 30]);
        assert_eq!(left(50), [40, 10]);
        assert_eq!(left(60), [40, 10], "what came from elsewhere is nobody's");
        assert_eq!(left(45), [40, 5], "and stands at the front");
        assert_eq!(left(0), [0, 0]);
        assert!(queue.parts.is_empty() && queue.of_peers.0.is_empty() && all.0.is_empty());
    }

    #[test]
    fn what_had_no_room_on_its_link_does_not_wait_there() {
        let (mut queue, mut all) = (Queue::default(), Shares::default());
        queue.push(Some(peer(1)), 10, &mut all);
        queue.push(Some(peer(1)), 5, &mut all);
        queue.take_back(Some(peer(1)), 5, &mut all);
        assert_eq!((queue.of_peers.of(peer(1)), queue.bytes, all.of(peer(1))), (10, 10, 10));
        queue.take_back(Some(peer(2)), 5, &mut all);
        assert_eq!(queue.bytes, 10, "that was not the last");
    }

    /// MEM-3
    #[test]
    fn on_all_links_together_a_peer_has_no_more_than_is_left_of_the_memory() {
        let mut transit = Transit::default();
        let left = |left_on_all| Room { on_link: 1 << 20, left_on_all };
        let (first, second) = (LinkId(1), LinkId(2));
        assert!(transit.take(first, &relay(7, Lane::Unicasts), 100, left(100)));
        assert!(!transit.take(second, &relay(7, Lane::Unicasts), 100, left(199)));
        assert!(transit.take(second, &relay(7, Lane::Unicasts), 100, left(200)));
        assert!(transit.take(second, &relay(8, Lane::Unicasts), 100, left(100)), "of another");
        assert!(transit.take(second, &relay(7, Lane::Replies), 100, left(0)), "a reply");
        assert_eq!([7, 8].map(|of| transit.all.of(peer(of))), [300, 100]);
        transit.link_down(second);
        assert_eq!([7, 8].map(|of| transit.all.of(peer(of))), [100, 0]);
        transit.told(first, 0);
        assert!(transit.all.0.is_empty() && transit.links.is_empty());
    }

    /// What came from one node and goes on to another.
    fn relay(from: u8, lane: Lane) -> PeerMessage {
        let path = Path::new(&[from, 1, 2].map(peer)).unwrap();
        let frame = Frame { header: Bytes::new(), payload: Bytes::new() };
        PeerMessage::Relay(Relay { path, position: 2, lane, spent: Duration::ZERO, frame })
    }
}
