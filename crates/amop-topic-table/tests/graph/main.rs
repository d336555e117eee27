//! The map, its paths and its trees: rule by rule, and against a twin that tries out every path.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod alternatives;
mod holds;
mod model;
mod paths;

use std::collections::BTreeMap;
use std::time::Duration;

use amop_topic_table::Graph;
use amop_wire::{Instant, NodeId};

fn node(number: u16) -> NodeId {
    let mut bytes = [0; 32];
    bytes[30..].copy_from_slice(&number.to_be_bytes());
    NodeId::from_bytes(bytes)
}

fn nodes<const N: usize>(numbers: [u16; N]) -> Vec<NodeId> {
    numbers.map(node).to_vec()
}

fn at(millis: u64) -> Instant {
    Instant::default() + Duration::from_millis(millis)
}

/// The map of a node after everybody has announced these edges.
fn graph_of(own: u16, edges: &[(u16, u16)]) -> Graph {
    let mut lists = BTreeMap::<u16, Vec<NodeId>>::new();
    for &(a, b) in edges {
        lists.entry(a).or_default().push(node(b));
        lists.entry(b).or_default().push(node(a));
    }
    let mut graph = Graph::new(node(own));
    for (number, neighbours) in lists {
        graph.set(at(0), node(number), &neighbours);
    }
    graph
}

fn graph(edges: &[(u16, u16)]) -> Graph {
    graph_of(0, edges)
}

fn line(last: u16) -> Vec<(u16, u16)> {
    (0..last).map(|number| (number, number + 1)).collect()
}
