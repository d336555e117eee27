//! Edges that come and go too often.

use std::time::Duration;

use amop_topic_table::Graph;
use amop_wire::NodeId;

use crate::{at, graph, graph_of, node, nodes};

/// Lets node 1 lose and regain node 0 four times within 70 ms.
fn flap(graph: &mut Graph, rest: &[NodeId]) {
    let whole: Vec<NodeId> = rest.iter().copied().chain([node(0)]).collect();
    for count in 0..4 {
        assert!(graph.set(at(20 * count), node(1), rest));
        assert!(graph.set(at(20 * count + 10), node(1), &whole));
    }
}

#[test]
fn an_edge_that_flaps_is_avoided_until_it_is_stable() {
    let mut graph = graph(&[(0, 1), (0, 2), (2, 3), (3, 1)]);
    flap(&mut graph, &nodes([3]));
    assert_eq!(graph.path(node(1)), Some(&nodes([0, 2, 3, 1])[..]));
    let stable = graph.poll_timeout().unwrap();
    assert_eq!(stable, at(2_070));
    assert!(!graph.handle_timeout(stable - Duration::from_millis(1)));
    assert_eq!(graph.path(node(1)), Some(&nodes([0, 2, 3, 1])[..]));
    assert!(graph.handle_timeout(stable));
    assert_eq!(graph.path(node(1)), Some(&nodes([0, 1])[..]));
}

#[test]
fn an_edge_that_flaps_is_used_where_it_is_the_only_way() {
    let mut graph = graph(&[(0, 1), (1, 2)]);
    flap(&mut graph, &nodes([2]));
    assert_eq!(graph.path(node(2)), Some(&nodes([0, 1, 2])[..]));
}

#[test]
fn a_relay_without_preference_is_better_than_an_edge_that_flaps() {
    let mut graph = graph(&[(0, 1), (0, 2), (2, 1)]);
    for _ in 0..3 {
        graph.failed(at(0), &nodes([0, 2, 1]));
    }
    flap(&mut graph, &nodes([2]));
    assert_eq!(graph.path(node(1)), Some(&nodes([0, 2, 1])[..]));
    assert_eq!(graph.alternative(node(1), &[nodes([0, 2, 1])]), Some(nodes([0, 1])));
}

#[test]
fn an_alternative_shares_a_relay_rather_than_take_an_edge_that_flaps() {
    let mut graph = graph(&[(0, 1), (1, 9), (0, 2), (2, 9), (2, 3), (3, 9)]);
    flap(&mut graph, &nodes([9]));
    let first = nodes([0, 2, 9]);
    assert_eq!(graph.path(node(9)), Some(&first[..]));
    assert_eq!(graph.alternative(node(9), &[first]), Some(nodes([0, 2, 3, 9])));
}

#[test]
fn a_late_timeout_is_made_up_for_by_the_next_announcement() {
    let mut graph = graph(&[(0, 1), (0, 2), (2, 3), (3, 1)]);
    flap(&mut graph, &nodes([3]));
    assert!(graph.set(at(9_000), node(7), &[]));
    assert_eq!(graph.path(node(1)), Some(&nodes([0, 1])[..]));
}

#[test]
fn an_edge_that_flaps_far_away_is_avoided_too_in_both_directions() {
    let edges = [(5, 1), (1, 0), (0, 6), (5, 2), (2, 3), (3, 0), (1, 7), (7, 8), (8, 6)];
    let (mut from_above, mut from_below) = (graph_of(5, &edges), graph_of(6, &edges));
    assert_eq!(from_above.path(node(0)), Some(&nodes([5, 1, 0])[..]));
    assert_eq!(from_below.path(node(1)), Some(&nodes([6, 0, 1])[..]));
    flap(&mut from_above, &nodes([5, 7]));
    flap(&mut from_below, &nodes([5, 7]));
    assert_eq!(from_above.path(node(0)), Some(&nodes([5, 2, 3, 0])[..]));
    assert_eq!(from_below.path(node(1)), Some(&nodes([6, 8, 7, 1])[..]));
}
