//! The paths for further tries of one message.

use amop_wire::NodeId;

use crate::{at, graph, line, node, nodes};

#[test]
fn an_alternative_avoids_all_used_relays_even_if_it_is_longer() {
    let graph = graph(&[(0, 1), (1, 9), (1, 2), (2, 9), (0, 3), (3, 4), (4, 5), (5, 9)]);
    let best = graph.path(node(9)).unwrap();
    assert_eq!(best, nodes([0, 1, 9]));
    assert_eq!(graph.alternative(node(9), &[best]), Some(nodes([0, 3, 4, 5, 9])));
}

#[test]
fn an_alternative_to_a_direct_link_takes_a_relay() {
    let graph = graph(&[(0, 9), (0, 1), (1, 9)]);
    assert_eq!(graph.alternative(node(9), &[nodes([0, 9])]), Some(nodes([0, 1, 9])));
    assert_eq!(graph.alternative(node(9), &[nodes([0, 1, 9])]), Some(nodes([0, 9])));
}

#[test]
fn alternatives_to_a_bridge_share_no_more_than_the_bridge() {
    let graph = graph(&[(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (4, 5), (4, 6), (5, 9), (6, 9)]);
    let first = graph.path(node(9)).unwrap().to_vec();
    let second = graph.alternative(node(9), std::slice::from_ref(&first)).unwrap();
    let shared: Vec<&NodeId> = first.iter().filter(|node| second.contains(node)).collect();
    assert_eq!(shared, [&node(0), &node(3), &node(4), &node(9)]);
}

#[test]
fn the_used_path_comes_again_only_when_there_is_no_other_the_oldest_first() {
    let line = graph(&line(3));
    let only = nodes([0, 1, 2, 3]);
    assert_eq!(line.alternative(node(3), std::slice::from_ref(&only)), Some(only));

    let square = graph(&[(0, 1), (1, 9), (0, 2), (2, 9)]);
    let (a, b) = (nodes([0, 1, 9]), nodes([0, 2, 9]));
    assert_eq!(square.alternative(node(9), &[&a, &b]).as_ref(), Some(&a));
    assert_eq!(square.alternative(node(9), &[&a, &b, &a]).as_ref(), Some(&b));
}

#[test]
fn a_used_path_that_is_none_or_leads_elsewhere_takes_no_path_away() {
    let graph = graph(&[(0, 9), (0, 1), (1, 9), (9, 2), (3, 4)]);
    let direct = nodes([0, 9]);
    let strange = [
        nodes([0, 1]),
        nodes([0, 1, 2]),
        nodes([0, 9, 1]),
        nodes([0, 2, 9]),
        nodes([0, 3, 4, 9]),
        nodes([1, 9]),
        nodes([0, 7, 9]),
        vec![],
    ];
    for path in strange {
        let used = [&path, &direct];
        assert_eq!(graph.alternative(node(9), &used), Some(nodes([0, 1, 9])), "{path:?}");
    }
}

#[test]
fn an_alternative_visits_no_node_twice_even_if_a_used_path_did() {
    let graph = graph(&[(0, 9), (0, 1), (0, 2), (2, 9)]);
    let used = [nodes([0, 9]), nodes([0, 2, 9]), nodes([0, 1, 0, 9])];
    assert_eq!(graph.alternative(node(9), &used), Some(nodes([0, 9])));
}

#[test]
fn among_equally_fresh_relays_an_alternative_takes_the_one_that_failed_less() {
    let mut graph = graph(&[(0, 1), (1, 9), (0, 2), (2, 9), (0, 3), (3, 4), (4, 9)]);
    graph.failed(at(0), &nodes([0, 2, 9]));
    assert_eq!(graph.alternative(node(9), &[nodes([0, 1, 9])]), Some(nodes([0, 3, 4, 9])));
}

#[test]
fn an_alternative_tries_a_relay_without_preference_rather_than_a_used_one() {
    let mut graph = graph(&[(0, 1), (1, 9), (1, 3), (3, 9), (0, 2), (2, 9)]);
    for _ in 0..3 {
        graph.failed(at(0), &nodes([0, 2, 9]));
    }
    assert_eq!(graph.path(node(9)), Some(&nodes([0, 1, 9])[..]));
    assert_eq!(graph.alternative(node(9), &[nodes([0, 1, 9])]), Some(nodes([0, 2, 9])));
}

#[test]
fn a_used_path_of_somebody_else_is_not_searched_on() {
    let graph = graph(&[(0, 9), (0, 1), (1, 2), (2, 9), (2, 3), (3, 9)]);
    let used = [nodes([0, 9]), nodes([2, 9])];
    assert_eq!(graph.alternative(node(9), &used), Some(nodes([0, 1, 2, 9])));
}
