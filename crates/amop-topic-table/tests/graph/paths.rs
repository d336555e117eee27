//! What there is a path to, which path it is, and the trees that join them.

use std::collections::{BTreeMap, BTreeSet};

use amop_topic_table::{Branch, Graph};
use amop_wire::limits::{HOPS_MAX, NODES_MAX};
use amop_wire::{NodeId, Stop};

use crate::{at, graph, graph_of, line, node, nodes};

#[test]
fn an_edge_exists_while_both_ends_list_it() {
    let mut graph = Graph::new(node(0));
    assert!(!graph.set(at(0), node(0), &nodes([1])));
    assert_eq!(graph.path(node(1)), None, "node 1 has not spoken");
    assert!(!graph.set(at(0), node(1), &nodes([2])));
    assert_eq!(graph.path(node(1)), None, "node 1 does not know us");
    assert!(graph.set(at(0), node(1), &nodes([2, 0])));
    assert_eq!(graph.path(node(1)), Some(&nodes([0, 1])[..]));
    assert!(!graph.set(at(0), node(1), &nodes([0, 2, 0])), "nothing new");
    assert!(graph.set(at(0), node(0), &[]), "we lost the link first");
    assert_eq!(graph.path(node(1)), None);
}

#[test]
fn a_cut_path_is_replaced_and_a_removed_node_leads_nowhere() {
    let mut ring = graph(&[(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]);
    assert_eq!(ring.path(node(2)), Some(&nodes([0, 1, 2])[..]));
    assert!(ring.set(at(0), node(1), &nodes([2])));
    assert_eq!(ring.path(node(2)), Some(&nodes([0, 4, 3, 2])[..]));
    assert!(ring.remove(at(0), node(3)));
    assert!(!ring.remove(at(0), node(3)));
    assert_eq!(ring.path(node(2)), None);
    assert_eq!(ring.reachable().collect::<Vec<_>>(), nodes([4]));
}

#[test]
fn there_is_no_path_to_ourselves_nor_to_a_stranger() {
    let graph = graph(&[(0, 1)]);
    for target in [0, 7] {
        assert_eq!(graph.path(node(target)), None);
        assert!(!graph.is_reachable(node(target)));
        assert_eq!(graph.alternative(node(target), &[nodes([0, 1])]), None);
    }
}

#[test]
fn a_path_has_at_most_eight_hops() {
    let graph = graph(&line(9));
    assert_eq!(graph.path(node(8)).map(<[NodeId]>::len), Some(HOPS_MAX + 1));
    assert!(graph.is_reachable(node(8)) && !graph.is_reachable(node(9)));
    assert!(graph.alternative(node(8), &[[]; 0]).is_some());
    assert_eq!(graph.alternative(node(9), &[[]; 0]), None);
    assert_eq!(graph.tree(&nodes([8, 9])).unreachable(), nodes([9]));
}

#[test]
fn strange_lists_are_harmless() {
    let mut graph = graph(&[(0, 1), (1, 2)]);
    graph.set(at(0), node(1), &nodes([1, 0, 2, 0, 9, 1]));
    graph.set(at(0), node(0), &nodes([0, 1, 1, 0]));
    let many: Vec<NodeId> = (0..10_000).map(node).collect();
    graph.set(at(0), node(2), &many);
    assert_eq!(graph.path(node(2)), Some(&nodes([0, 1, 2])[..]));
    assert_eq!(graph.reachable().collect::<Vec<_>>(), nodes([1, 2]));
    for path in [vec![], nodes([5]), nodes([0, 0, 0, 1, 2, 9, 9]), many] {
        assert!(!graph.failed(at(0), &path) && !graph.worked(&path));
        assert_eq!(graph.alternative(node(2), &[path]), Some(nodes([0, 1, 2])));
    }
}

#[test]
fn a_node_without_an_edge_may_be_blamed_before_the_map_knows_it() {
    let mut graph = graph(&[(0, 1)]);
    assert!(graph.is_reachable(node(1)));
    assert!(!graph.set(at(0), node(2), &nodes([0])));
    for _ in 0..3 {
        graph.failed(at(0), &nodes([0, 2, 1]));
    }
    assert_eq!(graph.alternative(node(1), &[nodes([0, 2, 1])]), Some(nodes([0, 1])));
}

/// Four relays that all lead from nodes 100 to 163 to nodes 200 to 263.
fn between() -> Vec<(u16, u16)> {
    let ends = (100..164).chain(200..264);
    ends.flat_map(|end| (1..=4).map(move |relay| (end, relay))).collect()
}

fn count_relays(relays: impl Iterator<Item = NodeId>) -> BTreeMap<NodeId, usize> {
    let mut counts = BTreeMap::new();
    relays.for_each(|relay| *counts.entry(relay).or_default() += 1);
    counts
}

#[test]
fn equally_good_relays_share_the_targets_of_one_node_and_the_sources_of_one_target() {
    let edges = between();
    let one = graph_of(100, &edges);
    let of_one = count_relays((200..264).map(|to| one.path(node(to)).unwrap()[1]));
    assert!(of_one.len() == 4 && of_one.values().all(|&count| count >= 8), "{of_one:?}");

    let relay = |own| graph_of(own, &edges).path(node(200)).unwrap()[1];
    let to_one = count_relays((100..164).map(relay));
    assert!(to_one.len() == 4 && to_one.values().all(|&count| count >= 8), "{to_one:?}");
}

#[test]
fn the_same_map_gives_the_same_paths_whatever_came_first() {
    let edges = between();
    let backwards: Vec<(u16, u16)> = edges.iter().rev().copied().collect();
    let expected = graph_of(100, &edges);
    let mut graph = Graph::new(node(100));
    for number in (0..300).rev() {
        let ends = backwards.iter().filter_map(|&(a, b)| match number {
            number if number == a => Some(node(b)),
            number if number == b => Some(node(a)),
            _ => None,
        });
        graph.set(at(0), node(number), &ends.collect::<Vec<_>>());
        let _ = graph.path(node(200));
    }
    for to in 200..264 {
        assert_eq!(graph.path(node(to)), expected.path(node(to)));
        let used = [expected.path(node(to)).unwrap()];
        assert_eq!(graph.alternative(node(to), &used), expected.alternative(node(to), &used));
    }
}

#[test]
fn the_third_failure_in_a_row_costs_preference_and_a_success_restores_it() {
    let mut graph = graph(&[(0, 1), (1, 9), (0, 2), (2, 3), (3, 9)]);
    let (short, long) = (nodes([0, 1, 9]), nodes([0, 2, 3, 9]));
    assert!(!graph.failed(at(0), &short) && !graph.failed(at(0), &short));
    assert_eq!(graph.path(node(9)), Some(&short[..]));
    assert!(!graph.worked(&short), "no path moves, but the count begins anew");
    assert!(!graph.failed(at(0), &short) && !graph.failed(at(0), &short));
    assert!(graph.failed(at(0), &short));
    assert_eq!(graph.path(node(9)), Some(&long[..]));
    assert_eq!(graph.path(node(1)), Some(&nodes([0, 1])[..]), "a target is no relay");
    assert!(!graph.failed(at(0), &short) && !graph.worked(&long));
    assert_eq!(graph.path(node(9)), Some(&long[..]));
    assert!(graph.worked(&short));
    assert_eq!(graph.path(node(9)), Some(&short[..]));
}

#[test]
fn the_ends_of_a_path_are_not_to_blame() {
    let mut graph = graph(&[(0, 1), (1, 2), (0, 3), (3, 4), (4, 2)]);
    for _ in 0..3 {
        assert!(!graph.failed(at(0), &nodes([0, 1])));
    }
    assert_eq!(graph.path(node(2)), Some(&nodes([0, 1, 2])[..]));
}

#[test]
fn a_relay_without_preference_is_used_where_no_other_path_exists() {
    let mut graph = graph(&[(0, 1), (1, 2), (2, 3)]);
    for _ in 0..3 {
        graph.failed(at(0), &nodes([0, 1, 2, 3]));
    }
    assert_eq!(graph.path(node(3)), Some(&nodes([0, 1, 2, 3])[..]));
    assert!(graph.is_reachable(node(2)));
}

#[test]
fn a_removed_node_comes_back_without_its_failures() {
    let mut graph = graph(&[(0, 1), (1, 9), (0, 2), (2, 3), (3, 9)]);
    for _ in 0..3 {
        graph.failed(at(0), &nodes([0, 1, 9]));
    }
    graph.remove(at(0), node(1));
    graph.set(at(0), node(1), &nodes([0, 9]));
    assert_eq!(graph.path(node(9)), Some(&nodes([0, 1, 9])[..]));
    for _ in 0..3 {
        graph.failed(at(0), &nodes([0, 7, 9]));
    }
    assert!(graph.set(at(0), node(7), &nodes([0, 9])) || graph.is_reachable(node(9)));
    assert!(!graph.worked(&nodes([0, 7, 9])), "who was unknown was not blamed");
}

/// The way around a distrusted relay 1 to node 20 has 8 hops; node 21 is behind it.
fn detour() -> Graph {
    let mut edges = line(7).into_iter().map(|(a, b)| (a * 2, b * 2)).collect::<Vec<_>>();
    edges.extend([(14, 20), (0, 1), (1, 20), (20, 21)]);
    let mut graph = graph(&edges);
    for _ in 0..3 {
        graph.failed(at(0), &nodes([0, 1, 20]));
    }
    graph
}

#[test]
fn preference_ends_where_it_would_take_more_than_eight_hops() {
    let graph = detour();
    assert_eq!(graph.path(node(20)), Some(&nodes([0, 2, 4, 6, 8, 10, 12, 14, 20])[..]));
    assert_eq!(graph.path(node(21)), Some(&nodes([0, 1, 20, 21])[..]));
}

#[test]
fn a_tree_reaches_a_node_once_even_if_that_costs_preference() {
    let graph = detour();
    let stop = |number, depth, is_exit| Stop { node: node(number), depth, is_exit };
    let tree = graph.tree(&nodes([20, 21]));
    assert_eq!(tree.stops(), [stop(1, 1, false), stop(20, 2, true), stop(21, 3, true)]);
    let alone = graph.tree(&nodes([20]));
    assert_eq!(alone.stops().len(), 8, "alone it can do with the long way");
}

#[test]
fn a_tree_carries_each_part_over_one_link() {
    let graph = graph(&[(0, 1), (1, 2), (2, 3), (1, 4), (0, 5), (5, 6), (0, 7)]);
    let tree = graph.tree(&nodes([3, 4, 5, 0, 3, 99]));
    assert_eq!(tree.unreachable(), nodes([99]));
    let parts: Vec<(NodeId, bool, usize)> =
        tree.branches().map(|part| (part.node(), part.is_exit(), part.stops().len())).collect();
    assert_eq!(parts, [(node(1), false, 4), (node(5), true, 1)]);
    let behind: Vec<NodeId> =
        tree.branches().flat_map(Branch::branches).map(Branch::node).collect();
    assert_eq!(behind, nodes([2, 4]));
    assert_eq!(graph.tree(&[]).branches().count(), 0);
}

#[test]
fn a_network_as_large_as_may_be_is_searched_whole() {
    let count = u16::try_from(NODES_MAX).unwrap();
    let wheel = |step: u16| (0..count).map(move |from| (from, (from + step) % count));
    let edges: Vec<(u16, u16)> = [1, 3, 9, 27, 81, 243].into_iter().flat_map(wheel).collect();
    let graph = graph(&edges);
    assert_eq!(graph.reachable().count(), NODES_MAX - 1);
    let all: Vec<NodeId> = (0..count).map(node).collect();
    let tree = graph.tree(&all);
    assert_eq!(tree.unreachable(), []);
    let stops: BTreeSet<NodeId> = tree.stops().iter().map(|stop| stop.node).collect();
    assert_eq!((stops.len(), tree.stops().len()), (NODES_MAX - 1, NODES_MAX - 1));
    let best = graph.path(node(512)).unwrap();
    let other = graph.alternative(node(512), &[best]).unwrap();
    assert!(other[1..other.len() - 1].iter().all(|relay| !best.contains(relay)));
}
