//! The ways that the copies of one message take, one after another, while nothing is heard of it.
//!
//! The first is the best path; each of the next shares as little as possible with those before it.
//! They depend on the map and on trust in relays, so they are searched once for each target, not for
//! each message.

use std::collections::BTreeMap;
use std::sync::Arc;

use amop_wire::{NodeId, Path};

use crate::graph::Graph;
use crate::tree::Tree;

/// The ways to nodes that are not neighbours, as far as somebody asked.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    /// No more than the map has nodes.
    found: BTreeMap<NodeId, Found>,
    /// The tree that was asked for last: most publishers send to one topic many times.
    tree: Option<(Vec<NodeId>, Arc<Tree>)>,
}

#[derive(Debug, Default)]
struct Found {
    ways: Vec<Path>,
    /// There is no other.
    is_complete: bool,
}

impl Ways {
    /// The next way for a message that took these.
    pub(crate) fn get(&mut self, graph: &Graph, to: NodeId, used: &[Path]) -> Option<Path> {
        graph.path(to)?;
        let Found { ways, is_complete } = self.found.entry(to).or_default();
        let mut number = 0;
        loop {
            match ways.get(number) {
                Some(way) if !used.contains(way) => return Some(way.clone()),
                Some(_) => number += 1,
                None if *is_complete => return None,
                None => match next(graph, to, ways) {
                    Some(way) => ways.push(way),
                    None => *is_complete = true,
                },
            }
        }
    }

    /// The tree that joins the paths to these exits.
    pub(crate) fn tree(&mut self, graph: &Graph, exits: &[NodeId]) -> Arc<Tree> {
        if let Some((_, tree)) = self.tree.as_ref().filter(|(to, _)| to == exits) {
            return Arc::clone(tree);
        }
        let tree = Arc::new(graph.tree(exits));
        self.tree = Some((exits.to_vec(), Arc::clone(&tree)));
        tree
    }

    /// The map has changed.
    pub(crate) fn clear(&mut self) {
        self.found.clear();
        self.tree = None;
    }
}

/// Another way than those before; none that is a single link, since nobody swallows anything there.
fn next(graph: &Graph, to: NodeId, before: &[Path]) -> Option<Path> {
    let way = if before.is_empty() {
        Path::new(graph.path(to)?)?
    } else {
        Path::new(&graph.alternative(to, before)?)?
    };
    (!before.contains(&way)).then_some(way)
}

#[cfg(test)]
mod tests {
    use super::*;
    use amop_wire::Instant;

    fn node(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    fn graph(edges: &[(u8, u8)]) -> Graph {
        let mut graph = Graph::new(node(0));
        for end in 0..=9 {
            let other = |&(a, b): &(u8, u8)| match end {
                _ if a == end => Some(node(b)),
                _ if b == end => Some(node(a)),
                _ => None,
            };
            let neighbours: Vec<NodeId> = edges.iter().filter_map(other).collect();
            graph.set(Instant::default(), node(end), &neighbours);
        }
        graph
    }

    #[test]
    fn the_next_way_shares_no_relay_with_those_before_until_there_is_no_other() {
        let graph = graph(&[(0, 1), (1, 9), (0, 2), (2, 3), (3, 9)]);
        let mut ways = Ways::default();
        let short = Path::new(&[node(0), node(1), node(9)]);
        let long = Path::new(&[node(0), node(2), node(3), node(9)]);
        let (short, long) = (short.unwrap(), long.unwrap());
        assert_eq!(ways.get(&graph, node(9), &[]), Some(short.clone()));
        assert_eq!(ways.get(&graph, node(9), std::slice::from_ref(&short)), Some(long.clone()));
        assert_eq!(ways.get(&graph, node(9), std::slice::from_ref(&long)), Some(short.clone()));
        assert_eq!(ways.get(&graph, node(9), &[long, short]), None);
    }

    #[test]
    fn the_tree_of_other_exits_is_another() {
        let graph = graph(&[(0, 1), (1, 9), (0, 2)]);
        let mut ways = Ways::default();
        let count = |ways: &mut Ways, exits: &[u8]| {
            let exits: Vec<NodeId> = exits.iter().copied().map(node).collect();
            ways.tree(&graph, &exits).stops().len()
        };
        assert_eq!([&[9][..], &[9], &[9, 2]].map(|exits| count(&mut ways, exits)), [2, 2, 3]);
    }

    #[test]
    fn there_is_no_way_over_relays_to_a_neighbour_or_to_nobody() {
        let graph = graph(&[(0, 1)]);
        let mut ways = Ways::default();
        assert_eq!(ways.get(&graph, node(1), &[]), None);
        assert_eq!(ways.get(&graph, node(9), &[]), None);
        assert_eq!(ways.found.len(), 1, "nothing is kept of who is not on the map");
    }
}
