//! Nodes that are not linked with each other: as long as a path leads there, messages get through.

use std::time::Duration;

use amop_wire::{Code, Epoch, Frame, Lane, Mode, MsgId, Path, PeerMessage, Reason, Receipt, Relay};

use crate::net::Net;
use crate::scene::{SECOND, millis, slow};

/// ROUTE-1, ROUTE-2: over every graph, between any two nodes.
#[test]
fn a_message_crosses_any_connected_graph() {
    let line = [(0, 1), (1, 2), (2, 3), (3, 4)];
    let ring = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)];
    let star = [(0, 1), (0, 2), (0, 3), (0, 4)];
    let cliques = [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (3, 5), (4, 5)];
    let tangle = [(0, 3), (3, 5), (5, 1), (1, 4), (4, 0), (4, 2), (2, 6), (6, 5)];
    for edges in [&line[..], &ring, &star, &cliques, &tangle] {
        let mut net = Net::new(edges);
        let count = net.clients.len();
        let pairs = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
        let requests: Vec<MsgId> =
            pairs.map(|(from, to)| net.request(from, &format!("to{to}"))).collect();
        net.world.run_for(SECOND);
        for id in requests {
            assert_eq!(net.code(id), Code::Ok, "{edges:?}");
        }
        net.end();
    }
}

/// ROUTE-2, MULTI-1
#[test]
fn a_multicast_reaches_everybody_once_over_relays() {
    let mut net = Net::new(&[(0, 1), (1, 2), (1, 3), (3, 4)]);
    let publisher = net.clients[0];
    let id = net.world.publish(publisher, Mode::Multicast, "all", SECOND);
    net.world.run_for(SECOND);
    let publication = net.world.record().publication(id);
    assert_eq!(publication.calls.len(), 5);
    let receipt = Receipt { acked: 5, refused: 0, unknown: 0 };
    assert_eq!(publication.end(), &amop_sim::End::Receipt(receipt));
    net.end();
}

/// ROUTE-1: nobody is told which way to go; everybody sees it on his own map.
#[test]
fn the_next_message_goes_another_way_once_a_link_is_cut() {
    let mut net = Net::new(&[(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]);
    for (a, b) in [(0, 1), (3, 4)] {
        net.world.cut(net.nodes[a], net.nodes[b], millis(5));
        net.world.run_for(millis(100));
        let id = net.request(0, "to2");
        net.world.run_for(SECOND);
        let expected = if a == 0 { Code::Ok } else { Code::NoSubscriber };
        assert_eq!(net.code(id), expected, "after {a}-{b} was cut");
        net.world.link(net.nodes[a], net.nodes[b]);
        net.world.run_for(millis(100));
        let id = net.request(0, "to2");
        net.world.run_for(SECOND);
        assert_eq!(net.code(id), Code::Ok, "after {a}-{b} is back");
        if a == 0 {
            net.world.cut(net.nodes[0], net.nodes[1], millis(5));
            net.world.run_for(millis(100));
        }
    }
    net.end();
}

/// SEQ-3, SEQ-8: over four links, long before the next heartbeat.
#[test]
fn a_change_is_known_at_the_far_end_at_once() {
    let mut net = Net::new(&[(0, 1), (1, 2), (2, 3), (3, 4)]);
    let spread = |net: &Net| {
        net.world.node_core(net.nodes[4]).table().spread(&"news".parse().unwrap()).len()
    };
    for (round, expected) in [1, 0, 1].into_iter().enumerate() {
        if expected == 1 {
            net.world.subscribe(net.clients[0], "news");
        } else {
            net.world.unsubscribe(net.clients[0], "news");
        }
        net.world.run_for(millis(100));
        assert_eq!(spread(&net), expected, "round {round}");
    }
    net.end();
}

/// SEQ-9: its file is lost and its clock is behind, or somebody claims to know a later life.
#[test]
fn a_node_whose_epoch_was_lost_is_heard_again_by_all() {
    let mut net = Net::new(&[(0, 1), (1, 2), (2, 3)]);
    net.world.crash(net.nodes[3], millis(50));
    net.world.run_for(SECOND);
    net.world.restart_with(net.nodes[3], Epoch(0));
    net.world.link(net.nodes[2], net.nodes[3]);
    net.world.run_for(2 * SECOND);
    let id = net.request(0, "to3");
    net.world.run_for(SECOND);
    assert_eq!(net.code(id), Code::Ok);
    assert_eq!(net.world.wrong_views(), [] as [String; 0]);
    net.end();
}

/// ROUTE-3
#[test]
fn eight_hops_are_reached_and_nine_are_not() {
    let edges: Vec<(usize, usize)> = (0..9).map(|n| (n, n + 1)).collect();
    let mut net = Net::new(&edges);
    let (near, far) = (net.request(0, "to8"), net.request(0, "to9"));
    net.world.run_for(SECOND);
    assert_eq!(net.code(near), Code::Ok);
    assert_eq!(net.code(far), Code::NoSubscriber);
    net.end();
}

/// ROUTE-4, UNI-4: the link behind the only relay is lost while the message is on its way there.
#[test]
fn a_relay_that_cannot_pass_on_gives_back() {
    let mut net = Net::new(&[(0, 1), (1, 2)]);
    net.world.set_detour(net.nodes[0], net.nodes[1], millis(50));
    let (request, publisher) = (net.request(0, "to2"), net.clients[0]);
    let multicast = net.world.publish(publisher, Mode::Multicast, "to2", SECOND);
    net.world.run_for(millis(10));
    net.world.cut(net.nodes[1], net.nodes[2], millis(5));
    net.world.run_for(SECOND);
    let amop_sim::End::Outcome { code, reason, .. } = net.world.record().publication(request).end()
    else {
        panic!("a receipt")
    };
    assert_eq!((*code, *reason), (Code::NoSubscriber, Reason::NoPath));
    let amop_sim::End::Receipt(receipt) = net.world.record().publication(multicast).end() else {
        panic!("an outcome")
    };
    assert_eq!((receipt.acked, receipt.targets()), (0, 1));
    net.end();
}

/// ROUTE-6: the relay says nothing, and the answer would come by way of it as well.
#[test]
fn a_request_finds_another_way_round_a_relay_that_swallows_it() {
    let mut net = Net::new(&[(0, 1), (1, 2), (0, 3), (3, 4), (4, 2)]);
    net.world.set_swallowing(net.nodes[1], true);
    let id = net.request(0, "to2");
    net.world.run_for(SECOND);
    assert_eq!(net.code(id), Code::Ok);
    net.end();
}

/// ROUTE-4, UNI-2: the relay gives it back although it could pass it on.
#[test]
fn a_request_finds_another_way_round_a_relay_that_says_no_to_everything() {
    let mut net = Net::new(&[(0, 1), (1, 2), (0, 3), (3, 4), (4, 2)]);
    net.world.set_denying(net.nodes[1], true);
    for _ in 0..5 {
        let id = net.request(0, "to2");
        net.world.run_for(millis(100));
        assert_eq!(net.code(id), Code::Ok);
    }
    net.end();
}

/// ROUTE-6: an answer goes the way that its request came, which another way has found to be open.
#[test]
fn a_relay_that_swallows_answers_alone_is_avoided_too() {
    let mut net = Net::new(&[(0, 1), (1, 2), (0, 3), (3, 4), (4, 2)]);
    net.world.set_application(net.clients[2], slow(millis(100)));
    let id = net.request(0, "to2");
    net.world.run_for(millis(60));
    net.world.set_swallowing(net.nodes[1], true);
    net.world.run_for(SECOND);
    assert_eq!(net.code(id), Code::Ok);
    assert_eq!(net.world.record().publication(id).calls.len(), 1);
    net.end();
}

/// ROUTE-7
#[test]
fn a_relay_that_swallows_messages_loses_preference_and_gets_another_chance_after_a_minute() {
    let mut net = Net::new(&[(0, 1), (1, 2), (0, 3), (3, 4), (4, 2)]);
    let took = |net: &mut Net| {
        let (id, before) = (net.request(0, "to2"), net.world.now());
        net.world.run_for(SECOND);
        assert_eq!(net.code(id), Code::Ok);
        let (at, _) = net.world.record().publication(id).ends[0];
        at.saturating_since(before)
    };
    let is_quick = |took: Duration| took < millis(100);
    net.world.set_swallowing(net.nodes[1], true);
    let quick: Vec<bool> = (0..5).map(|_| is_quick(took(&mut net))).collect();
    assert_eq!(quick, [false, false, false, true, true]);
    assert_eq!(net.next_hop(0, 2), 3, "the long way");
    net.world.run_for(60 * SECOND);
    assert_eq!([0, 1].map(|_| is_quick(took(&mut net))), [false, true], "one chance");
    net.world.set_swallowing(net.nodes[1], false);
    net.world.run_for(60 * SECOND);
    let short = took(&mut net);
    assert!(is_quick(short), "{short:?}");
    assert_eq!(net.next_hop(0, 2), 1, "the short way again");
    net.end();
}

/// ROUTE-6: nothing is sent twice while every relay does its part, and at most four times if the
/// subscriber takes its time.
#[test]
fn few_copies_are_sent_for_a_slow_handler_and_it_is_called_once() {
    let mut net = Net::new(&[(0, 1), (1, 2), (0, 3), (3, 4), (4, 2)]);
    net.world.set_application(net.clients[2], slow(millis(900)));
    let id = net.request(0, "to2");
    net.world.run_for(SECOND);
    assert_eq!(net.code(id), Code::Ok);
    assert_eq!(net.world.record().publication(id).calls.len(), 1);
    net.end();
}

/// ROUTE-7: the reports of exit nodes come by the deadline whatever their subscribers do.
#[test]
fn a_relay_that_swallows_multicasts_loses_preference() {
    let mut net = Net::new(&[(0, 1), (1, 2), (0, 3), (3, 4), (4, 2)]);
    net.world.set_swallowing(net.nodes[1], true);
    let acked = |net: &mut Net| {
        let id = net.world.publish(net.clients[0], Mode::Multicast, "to2", SECOND / 4);
        net.world.run_for(SECOND);
        let amop_sim::End::Receipt(receipt) = net.world.record().publication(id).end() else {
            panic!("an outcome")
        };
        receipt.acked
    };
    assert_eq!([0; 5].map(|_| acked(&mut net)), [0, 0, 0, 1, 1]);
    net.end();
}

/// UNI-8, MULTI-8: each link stands still for nearly as long as one that is lost, so that the time of
/// both is long over when they arrive.
#[test]
fn what_was_held_up_on_its_way_is_not_handled_long_after_its_time() {
    let mut net = Net::new(&[(0, 1), (1, 2)]);
    let send = |net: &mut Net| {
        let publisher = net.clients[0];
        let publish = |mode| net.world.publish(publisher, mode, "to2", SECOND);
        [Mode::Unicast, Mode::Multicast].map(publish)
    };
    let prompt = send(&mut net);
    net.world.run_for(SECOND);
    for (a, b) in [(0, 1), (1, 2)] {
        net.world.stall(net.nodes[a], net.nodes[b], 5 * SECOND);
    }
    let late = send(&mut net);
    net.world.run_for(millis(4900));
    net.world.stall(net.nodes[1], net.nodes[2], 5 * SECOND);
    net.world.run_for(10 * SECOND);
    let calls = |id: MsgId| net.world.record().publication(id).calls.len();
    assert_eq!((prompt.map(calls), late.map(calls)), ([1, 1], [0, 0]));
    net.end();
}

/// ROUTE-5, LIMIT-1
#[test]
fn a_peer_whose_relayed_messages_do_not_follow_their_path_is_closed() {
    let mut net = Net::new(&[(0, 1), (1, 2)]);
    let ids = net.nodes.iter().map(|&node| net.world.node_core(node).id()).collect::<Vec<_>>();
    let liar = net.world.stranger("liar.node.bank.amop", net.nodes[1]);
    net.world.say(liar, &PeerMessage::Greeting(Epoch(1)));
    let frame = Frame { header: Default::default(), payload: Default::default() };
    let path = Path::new(&[ids[0], ids[1], ids[2]]).unwrap();
    let relay = Relay { path, position: 1, lane: Lane::Unicasts, spent: millis(0), frame };
    net.world.say(liar, &PeerMessage::Relay(relay));
    net.world.run_for(millis(100));
    assert!(net.world.close_reason(liar).is_some(), "it is not the first node of that path");
    let id = net.request(0, "to2");
    net.world.run_for(SECOND);
    assert_eq!(net.code(id), Code::Ok, "the others notice nothing");
    net.end();
}
