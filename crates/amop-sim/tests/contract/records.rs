//! What flight recorders hold of a message: the story of its fate, node by node.

use amop_core::node::{Mark, Record, Step};
use amop_sim::{NodeId, World};
use amop_wire::{Code, MsgId};

use crate::net::Net;
use crate::scene::{SECOND, Scene, deaf, millis, slow};

/// What a node has written down of a message, in words.
pub(crate) fn story(world: &World, node: NodeId, id: MsgId) -> Vec<String> {
    world.node_core(node).records(id).iter().map(words).collect()
}

pub(crate) fn words(record: &Record) -> String {
    match record.step {
        Step::Accepted { length, is_multicast: false, .. } => format!("accepted {length} B"),
        Step::Accepted { length, .. } => format!("accepted {length} B for all"),
        Step::NotAccepted { code, reason, .. } => format!("not accepted {code} {}", reason.kind()),
        Step::Parked => "parked".into(),
        Step::Sent { is_again: true, .. } => "sent again".into(),
        Step::Sent { nth, of, .. } => format!("sent {nth} of {of}"),
        Step::Routed { hops, .. } => format!("over relays, {hops} hops"),
        Step::Pushed { .. } => "pushed".into(),
        Step::NotPushed { reason, .. } => format!("not pushed {}", reason.kind()),
        Step::Replied { .. } => "replied".into(),
        Step::Declined { reason, .. } => format!("declined {}", reason.kind()),
        Step::Answered { .. } => "answered".into(),
        Step::Refused { reason, .. } => format!("refused {}", reason.kind()),
        Step::Ended { code, reason, attempts, .. } => {
            format!("ended {code} {} after {attempts}", reason.kind())
        }
        Step::Spread { known, .. } => format!("spread to {known}"),
        Step::FannedOut { pushed, refused, .. } => format!("fanned out to {pushed}, not {refused}"),
        Step::Reported { receipt, .. } => {
            format!("reported {} {} {}", receipt.acked, receipt.refused, receipt.unknown)
        }
        Step::Received { receipt, .. } => {
            format!("received {} {} {}", receipt.acked, receipt.refused, receipt.unknown)
        }
        Step::Relayed(_) => "relayed".into(),
        Step::GivenBack(_) => "given back".into(),
        other => format!("{other:?}"),
    }
}

/// What relays know a message by that this node has sent over them.
pub(crate) fn marks(world: &World, node: NodeId, id: MsgId) -> Vec<Mark> {
    let mark = |record: &Record| match record.step {
        Step::Routed { mark, .. } => Some(mark),
        _ => None,
    };
    world.node_core(node).records(id).iter().filter_map(mark).collect()
}

/// TRACE-1
#[test]
fn a_request_that_is_answered_leaves_its_story_at_both_nodes() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(story(&scene.world, scene.a, id), ["accepted 32 B", "sent 1 of 1", "answered"]);
    assert_eq!(story(&scene.world, scene.b, id), ["pushed", "replied"]);
    let at = |n: usize| scene.world.node_core(scene.a).records(id)[n].at;
    assert!(at(0) == at(1) && at(1) < at(2), "the answer took its time");
    scene.end();
}

/// TRACE-1
#[test]
fn a_refusal_and_the_next_attempt_are_told_with_their_reason() {
    let mut scene = Scene::new();
    for _ in 0..2 {
        let full = scene.subscriber(scene.b);
        scene.world.set_application(full, deaf(0));
    }
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(100));
    assert_eq!(scene.code(id), Code::SubscriberUnreachable);
    let (sent, refused) = ("sent 1 of 2", "refused subscriber-busy");
    let ended = "ended 101 subscriber-busy after 2";
    let home = ["accepted 32 B", sent, refused, "sent 2 of 2", refused, ended];
    assert_eq!(story(&scene.world, scene.a, id), home);
    let declined = "declined subscriber-busy";
    assert_eq!(story(&scene.world, scene.b, id), ["pushed", declined, "pushed", declined]);
    scene.end();
}

/// TRACE-1
#[test]
fn who_moves_gets_the_message_again_and_who_says_nothing_lets_it_expire() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, slow(3 * SECOND));
    let id = scene.unicast(SECOND);
    scene.world.run_for(2 * SECOND);
    let ended = "ended 102 deadline after 1";
    assert_eq!(story(&scene.world, scene.a, id), ["accepted 32 B", "sent 1 of 1", ended]);

    let (a, b) = (scene.a, scene.b);
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(100));
    scene.world.cut(a, b, millis(5));
    scene.world.run_for(millis(20));
    scene.world.link(a, b);
    scene.world.run_for(2 * SECOND);
    assert_eq!(
        story(&scene.world, a, id),
        ["accepted 32 B", "sent 1 of 1", "sent again", "ended 102 deadline after 1"]
    );
    scene.end();
}

/// TRACE-1
#[test]
fn what_waits_for_a_subscriber_and_what_is_limited_is_told() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.unsubscribe(subscriber, "t");
    scene.world.run_for(millis(100));
    let id = scene.unicast(SECOND);
    scene.world.run_for(SECOND);
    let ended = "ended 100 no-subscriber after 0";
    assert_eq!(story(&scene.world, scene.a, id), ["accepted 32 B", "parked", ended]);

    let rate = amop_core::node::Rate { per_second: 1, burst: 1 };
    let session = amop_core::node::Pace { messages: Some(rate), bytes: None };
    scene.world.set_rates(amop_core::node::Rates { session, ..Default::default() });
    let ids = [scene.unicast(SECOND), scene.unicast(SECOND)];
    scene.world.run_for(SECOND);
    let limited = "not accepted 103 session-rate";
    assert_eq!(story(&scene.world, scene.a, ids[1]), [limited]);
    scene.end();
}

/// TRACE-2: relays know that something passed and between whom, and nothing else.
#[test]
fn relays_write_down_what_passes_by_its_mark_alone() {
    let mut net = Net::new(&[(0, 1), (1, 2), (2, 3)]);
    let id = net.request(0, "to3");
    net.world.run_for(millis(200));
    let routed = "over relays, 3 hops";
    let world = &net.world;
    let home = ["accepted 32 B", "sent 1 of 1", routed, "answered"];
    assert_eq!(story(world, net.nodes[0], id), home);
    assert_eq!(story(world, net.nodes[3], id), ["pushed", "replied", routed]);
    for relay in [net.nodes[1], net.nodes[2]] {
        assert_eq!(story(world, relay, id), [] as [&str; 0], "it does not read it");
        for end in [net.nodes[0], net.nodes[3]] {
            let marks = marks(world, end, id);
            let passed: Vec<_> =
                marks.iter().map(|mark| story(world, relay, mark.as_id())).collect();
            assert_eq!(passed, [["relayed"]], "there and back");
        }
    }
    net.end();
}

/// TRACE-1
#[test]
fn a_multicast_leaves_its_story_at_every_node_of_its_tree() {
    let mut net = Net::new(&[(0, 1), (1, 2), (1, 3)]);
    let id = net.multicast("all");
    net.world.run_for(millis(200));
    let world = &net.world;
    let mut home = story(world, net.nodes[0], id);
    home.sort();
    let expected = [
        "accepted 32 B for all",
        "fanned out to 1, not 0",
        "over relays, 2 hops",
        "received 4 0 0",
        "reported 1 0 0",
        "spread to 1",
        "spread to 1",
        "spread to 1",
        "spread to 1",
    ];
    assert_eq!(home, expected);
    for exit in 1..4 {
        let exit = story(world, net.nodes[exit], id);
        assert_eq!(exit[..2], ["fanned out to 1, not 0", "reported 1 0 0"]);
    }
    let mark = marks(world, net.nodes[0], id)[0];
    assert_eq!(story(world, net.nodes[1], mark.as_id()), ["relayed", "relayed"]);
    net.end();
}

/// TRACE-1: private topics too, since a record holds nothing that a node may not know.
#[test]
fn a_private_message_is_told_as_others_are() {
    let mut scene = Scene::new();
    scene.world.allow(scene.publisher, "t", &[1]);
    let subscriber = scene.world.client("sub.sdk.bank-b.amop", &[scene.b]);
    scene.world.subscribe_private(subscriber, "t", 1);
    scene.world.run_for(millis(200));
    let id = scene.unicast(SECOND);
    scene.world.run_for(SECOND);
    assert_eq!(story(&scene.world, scene.a, id), ["accepted 81 B", "sent 1 of 1", "answered"]);
    scene.end();
}
