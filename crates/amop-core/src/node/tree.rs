//! Multicasts to several nodes of which some are not linked with this one: along a tree, so that
//! each link carries one copy.
//!
//! Every node of the tree hands the message to its own clients if it is an exit, and passes a part
//! of the tree on to each of the next nodes. A part that leads to one exit alone is a
//! [path](super::relay). A part that cannot be passed on comes back once for each of its exits, as
//! if it had been sent to each on a path of its own.

use std::time::Duration;

use amop_topic_table::Branch;
use amop_wire::{
    CloseCode, Frame, Instant, Lane, Message, Multicast, NodeId, Path, PeerMessage, Relay,
    Returned, Stop, Tree,
};
use bytes::BytesMut;

use super::{LinkId, Node, Untruth};

impl Node {
    /// As home node: sends a multicast to nodes of which some are not linked. Those that no path
    /// leads to count as if their copy had come back.
    pub(super) fn send_tree(&mut self, now: Instant, exits: &[NodeId], multicast: Multicast) {
        let id = multicast.id;
        let tree = self.table.tree(exits);
        let message = PeerMessage::Multicast(multicast);
        let mut header = BytesMut::new();
        message.put_header(&mut header);
        let frame = Frame { header: header.freeze(), payload: message.payload().clone() };
        for part in tree.branches() {
            self.note_branched(id, part, &frame.header);
            self.send_part(now, vec![self.id], part, Duration::ZERO, frame.clone());
        }
        for &exit in tree.unreachable() {
            self.copy_unsent(exit, id);
        }
    }

    /// A multicast came along a tree.
    pub(super) fn branched(&mut self, now: Instant, link: LinkId, peer: NodeId, tree: Tree) {
        let Tree { mut way, stops, spent, frame } = tree;
        let branch = match Branch::new(&stops) {
            Ok(branch) => branch,
            Err(bad) => return self.close(link, CloseCode::Protocol, bad.to_string()),
        };
        let is_mine = branch.node() == self.id && usize::from(stops[0].depth) == way.len();
        let has_loop = stops.iter().any(|stop| way.contains(&stop.node));
        if !is_mine || has_loop || way.last() != Some(&peer) {
            self.blame(link, Untruth::OffPath);
            let text = "a multicast does not follow its tree";
            return self.close(link, CloseCode::Protocol, text);
        }
        let home = way[0];
        way.push(self.id);
        if branch.is_exit() {
            // One that cannot be read is the fault of its home node, which may not be this peer.
            let Ok(PeerMessage::Multicast(mut multicast)) = PeerMessage::from_frame(frame.clone())
            else {
                return;
            };
            multicast.ttl = multicast.ttl.saturating_sub(spent);
            match Path::new(&way) {
                Some(path) => self.note_way_back(&path),
                None => self.came_directly(home),
            }
            self.fan_out(now, home, multicast);
        }
        for part in branch.branches() {
            self.note_passed_on(&way, part, &frame.header);
            self.send_part(now, way.clone(), part, spent, frame.clone());
        }
    }

    /// Sends a part of a tree to its first node; `way` leads from the home node to this one.
    fn send_part(
        &mut self,
        now: Instant,
        way: Vec<NodeId>,
        part: Branch<'_>,
        spent: Duration,
        frame: Frame,
    ) {
        let (next, stops) = (part.node(), part.stops());
        let message = match chain(stops).map(|chain| [&way[..], &chain].concat()) {
            None => PeerMessage::Tree(Tree { way, stops: stops.to_vec(), spent, frame }),
            Some(nodes) => match Path::new(&nodes) {
                Some(path) => {
                    let position = way.len();
                    let lane = Lane::Multicasts;
                    PeerMessage::Relay(Relay { path, position, lane, spent, frame })
                }
                // From the home node to its neighbour, and no farther.
                None => match PeerMessage::from_frame(frame) {
                    Ok(multicast) => multicast,
                    Err(_) => return,
                },
            },
        };
        match message {
            message if self.peers.contains_key(&next) => _ = self.tell_peer(next, message),
            PeerMessage::Tree(tree) => self.tree_unsent(now, tree),
            PeerMessage::Relay(relay) => self.relay_unsent(now, relay),
            message => self.never_sent(now, next, message),
        }
    }

    /// A part of a tree did not leave this node: it goes back once for each exit.
    pub(super) fn tree_unsent(&mut self, now: Instant, tree: Tree) {
        let Tree { way, stops, frame: Frame { header, .. }, .. } = tree;
        let Some(position) = way.len().checked_sub(2) else {
            for stop in stops.iter().filter(|stop| stop.is_exit) {
                self.not_passed_on(now, stop.node, header.clone());
            }
            return;
        };
        for path in paths(&way, &stops) {
            let returned = Returned { path, position, header: header.clone() };
            self.tell_peer(way[position], PeerMessage::Returned(returned));
        }
    }
}

/// The nodes of a part that leads to one exit alone.
fn chain(stops: &[Stop]) -> Option<Vec<NodeId>> {
    let (last, others) = stops.split_last()?;
    let is_chain = stops.windows(2).all(|pair| pair[1].depth == pair[0].depth + 1);
    let is_for_one = last.is_exit && others.iter().all(|stop| !stop.is_exit);
    (is_chain && is_for_one).then(|| stops.iter().map(|stop| stop.node).collect())
}

/// The paths from the home node to the exits of a part.
fn paths(way: &[NodeId], stops: &[Stop]) -> Vec<Path> {
    let (mut nodes, mut paths) = (way.to_vec(), Vec::new());
    for stop in stops {
        nodes.truncate(stop.depth.into());
        nodes.push(stop.node);
        if stop.is_exit {
            paths.extend(Path::new(&nodes));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    fn stop(number: u8, depth: u8, is_exit: bool) -> Stop {
        Stop { node: node(number), depth, is_exit }
    }

    #[test]
    fn a_part_is_a_path_if_it_leads_to_one_exit_alone() {
        let relay = stop(1, 2, false);
        assert_eq!(chain(&[relay, stop(2, 3, true)]), Some(vec![node(1), node(2)]));
        assert_eq!(chain(&[stop(1, 2, true), stop(2, 3, true)]), None, "two exits in a line");
        assert_eq!(chain(&[relay, stop(2, 3, true), stop(3, 3, true)]), None);
    }

    #[test]
    fn each_exit_has_its_path_from_the_home_node() {
        let stops = [stop(2, 2, false), stop(3, 3, true), stop(4, 4, true), stop(5, 3, true)];
        let expected: [&[u8]; 3] = [&[0, 1, 2, 3], &[0, 1, 2, 3, 4], &[0, 1, 2, 5]];
        let path = |numbers: &[u8]| {
            Path::new(&numbers.iter().copied().map(node).collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(paths(&[node(0), node(1)], &stops), expected.map(path));
    }
}
