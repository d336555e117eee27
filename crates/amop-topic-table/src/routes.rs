//! The map of the network and the shortest paths on it.
//!
//! Every node announces whom it is linked with. An edge counts only if both its ends say so: a
//! node that died is still listed by nobody who noticed, and what one node alone claims leads
//! nowhere. Paths are computed here, from the map, so that no node has to believe another's.

use std::collections::{BTreeMap, VecDeque};

use amop_wire::NodeId;
use amop_wire::limits::HOPS_MAX;

/// The network as one node sees it.
#[derive(Debug)]
pub(crate) struct Routes {
    own: NodeId,
    /// What each node says of its neighbours, in their order.
    neighbours: BTreeMap<NodeId, Vec<NodeId>>,
    /// The shortest path to every node that can be reached, both ends included.
    paths: BTreeMap<NodeId, Vec<NodeId>>,
    /// Whether the paths are older than the map.
    is_stale: bool,
}

impl Routes {
    pub(crate) fn new(own: NodeId) -> Self {
        Self { own, neighbours: BTreeMap::new(), paths: BTreeMap::new(), is_stale: false }
    }

    /// Takes what a node says of its neighbours.
    pub(crate) fn set(&mut self, node: NodeId, neighbours: &[NodeId]) {
        let mut neighbours = neighbours.to_vec();
        neighbours.sort_unstable();
        neighbours.dedup();
        if self.neighbours.get(&node) != Some(&neighbours) {
            self.neighbours.insert(node, neighbours);
            self.is_stale = true;
        }
    }

    pub(crate) fn remove(&mut self, node: NodeId) {
        self.is_stale |= self.neighbours.remove(&node).is_some();
    }

    /// Computes the paths anew if the map has changed; says whether it had.
    pub(crate) fn refresh(&mut self) -> bool {
        let was_stale = std::mem::take(&mut self.is_stale);
        if was_stale {
            self.paths = self.shortest_paths();
        }
        was_stale
    }

    /// The shortest path from this node to another, both included, as of the last refresh.
    pub(crate) fn path(&self, to: NodeId) -> Option<&[NodeId]> {
        self.paths.get(&to).map(Vec::as_slice)
    }

    /// Breadth first, so that the first path found is a shortest one. Among several it is the one
    /// whose relay comes first by its id, mixed with the ids of both ends: not everybody relies on
    /// the same node.
    fn shortest_paths(&self) -> BTreeMap<NodeId, Vec<NodeId>> {
        let mut paths = BTreeMap::from([(self.own, vec![self.own])]);
        let mut queue = VecDeque::from([self.own]);
        while let Some(node) = queue.pop_front() {
            let path = paths[&node].clone();
            if path.len() > HOPS_MAX {
                continue;
            }
            let Some(neighbours) = self.neighbours.get(&node) else { continue };
            let start = rotation(self.own, node, neighbours.len());
            for &next in neighbours[start..].iter().chain(&neighbours[..start]) {
                if !paths.contains_key(&next) && self.lists(next, node) {
                    let path = path.iter().copied().chain([next]).collect();
                    paths.insert(next, path);
                    queue.push_back(next);
                }
            }
        }
        paths.remove(&self.own);
        paths
    }

    fn lists(&self, node: NodeId, neighbour: NodeId) -> bool {
        self.neighbours.get(&node).is_some_and(|all| all.binary_search(&neighbour).is_ok())
    }
}

/// Where to begin in a list, another place for every pair of nodes.
fn rotation(a: NodeId, b: NodeId, len: usize) -> usize {
    let sum = a.as_bytes().iter().zip(b.as_bytes()).map(|(a, b)| usize::from(a ^ b)).sum::<usize>();
    if len == 0 { 0 } else { sum % len }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    /// The map of node 0 after everybody has announced these edges.
    fn routes(edges: &[(u8, u8)]) -> Routes {
        let mut lists = BTreeMap::<u8, Vec<NodeId>>::new();
        for &(a, b) in edges {
            lists.entry(a).or_default().push(node(b));
            lists.entry(b).or_default().push(node(a));
        }
        let mut routes = Routes::new(node(0));
        for (number, neighbours) in lists {
            routes.set(node(number), &neighbours);
        }
        routes.refresh();
        routes
    }

    fn hops(routes: &Routes, to: u8) -> Option<usize> {
        routes.path(node(to)).map(|path| path.len() - 1)
    }

    #[test]
    fn the_shortest_path_is_found_and_another_once_it_is_cut() {
        let mut ring = routes(&[(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]);
        assert_eq!(ring.path(node(2)), Some(&[node(0), node(1), node(2)][..]));
        ring.set(node(1), &[node(2)]);
        assert!(ring.refresh());
        assert_eq!(ring.path(node(2)), Some(&[node(0), node(4), node(3), node(2)][..]));
        assert_eq!(hops(&ring, 1), Some(4));
    }

    #[test]
    fn an_edge_that_only_one_end_lists_leads_nowhere() {
        let mut line = routes(&[(0, 1), (1, 2)]);
        line.set(node(3), &[node(2)]);
        line.refresh();
        assert_eq!(hops(&line, 3), None);
        line.set(node(2), &[node(1), node(3)]);
        line.refresh();
        assert_eq!(hops(&line, 3), Some(3));
        line.remove(node(1));
        line.refresh();
        assert_eq!(hops(&line, 1), None);
    }

    #[test]
    fn a_path_has_at_most_eight_hops() {
        let line =
            routes(&[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 8), (8, 9)]);
        assert_eq!(hops(&line, 8), Some(HOPS_MAX));
        assert_eq!(hops(&line, 9), None);
    }

    #[test]
    fn strange_lists_are_harmless() {
        let mut routes = routes(&[(0, 1)]);
        routes.set(node(1), &[node(1), node(0), node(0), node(7)]);
        routes.set(node(0), &[node(0), node(1), node(1)]);
        routes.refresh();
        assert_eq!(hops(&routes, 1), Some(1));
        assert_eq!(hops(&routes, 0), None);
        assert_eq!(hops(&routes, 7), None);
    }
}
