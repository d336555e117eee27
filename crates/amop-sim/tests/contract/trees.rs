//! Multicasts to nodes that are not linked: each link carries one copy.

use amop_wire::{Epoch, Frame, NodeId as Id, PeerMessage, Receipt, Stop, Tree};
use bytes::Bytes;

use crate::net::Net;
use crate::scene::{SECOND, millis};

/// MULTI-2: node 1 is an exit and passes on, node 3 only passes on.
#[test]
fn each_link_carries_one_copy_and_every_subscriber_gets_it() {
    let mut net = Net::new(&[(0, 1), (1, 2), (1, 3), (3, 4), (3, 5)]);
    net.world.unsubscribe(net.clients[3], "all");
    net.world.run_for(SECOND);
    let id = net.multicast("all");
    net.world.run_for(SECOND);
    assert_eq!(net.receipt(id), Receipt { acked: 5, refused: 0, unknown: 0 });
    let links = [(0, 1), (1, 2), (1, 3), (3, 4), (3, 5)];
    assert_eq!(links.map(|(from, to)| net.carried(from, to)), [1; 5]);
    assert_eq!(links.map(|(from, to)| net.carried(to, from)), [0; 5]);
    net.end();
}

/// MULTI-2, ROUTE-4: the part behind a lost link comes back, once for each exit.
#[test]
fn a_part_that_cannot_be_passed_on_is_refused_for_its_exits_alone() {
    let mut net = Net::new(&[(0, 1), (1, 2), (1, 3), (3, 4), (3, 5)]);
    net.world.set_detour(net.nodes[0], net.nodes[1], millis(50));
    let id = net.multicast("all");
    net.world.run_for(millis(10));
    net.world.set_control_bytes_max(0); // The home node does not hear that the link is lost.
    net.world.cut(net.nodes[1], net.nodes[3], millis(5));
    net.world.run_for(millis(300));
    net.world.set_control_bytes_max(usize::MAX);
    assert_eq!(net.receipt(id), Receipt { acked: 3, refused: 3, unknown: 0 });
    net.world.link(net.nodes[1], net.nodes[3]);
    net.end();
}

/// MULTI-2, LIMIT-2: the same where a link has no room, here and at a relay.
#[test]
fn a_part_without_room_is_refused_for_its_exits_alone() {
    for slow in [(0, 1), (1, 3)] {
        let mut net = Net::new(&[(0, 1), (1, 2), (1, 3), (3, 4), (3, 5)]);
        for client in &net.clients[..4] {
            net.world.unsubscribe(*client, "all");
        }
        net.world.run_for(SECOND);
        net.world.set_detour(net.nodes[slow.0], net.nodes[slow.1], SECOND / 4);
        net.world.set_link_bytes_max(600);
        let (first, second) = (net.multicast("all"), net.multicast("all"));
        net.world.run_for(2 * SECOND);
        assert_eq!(net.receipt(first), Receipt { acked: 2, refused: 0, unknown: 0 }, "{slow:?}");
        assert_eq!(net.receipt(second), Receipt { acked: 0, refused: 2, unknown: 0 }, "{slow:?}");
        net.end();
    }
}

/// ROUTE-5: what is passed on must come from the last of its way, be for us, and be a tree.
#[test]
fn a_peer_whose_tree_is_none_or_not_for_us_is_closed_and_nothing_is_passed_on() {
    let mut net = Net::new(&[(0, 1), (1, 2)]);
    let ids = net.nodes.iter().map(|&node| net.world.node_core(node).id()).collect::<Vec<_>>();
    let liar = "liar.node.bank.amop";
    let liar_id = Id::of(&liar.parse().unwrap());
    let stop = |node: usize, depth| Stop { node: ids[node], depth, is_exit: true };
    let trees = [
        (vec![liar_id], vec![stop(0, 1)]),
        (vec![ids[0]], vec![stop(1, 1), stop(2, 2)]),
        (vec![liar_id], vec![stop(1, 2), stop(2, 3)]),
        (vec![liar_id], vec![stop(1, 1), stop(2, 3)]),
        (vec![ids[2], liar_id], vec![stop(1, 2), stop(2, 3)]),
        (vec![liar_id], vec![]),
    ];
    for (way, stops) in trees {
        let peer = net.world.stranger(liar, net.nodes[1]);
        net.world.say(peer, &PeerMessage::Greeting(Epoch(1)));
        let (spent, frame) = (millis(0), Frame { header: Bytes::new(), payload: Bytes::new() });
        net.world.say(peer, &PeerMessage::Tree(Tree { way, stops: stops.clone(), spent, frame }));
        net.world.run_for(millis(100));
        assert!(net.world.close_reason(peer).is_some(), "{stops:?}");
    }
    assert_eq!(net.carried(1, 2), 0);
    let id = net.multicast("all");
    net.world.run_for(SECOND);
    assert_eq!(net.receipt(id).acked, 3, "the others notice nothing");
    net.end();
}
