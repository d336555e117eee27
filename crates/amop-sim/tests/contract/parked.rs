//! Unicasts that somebody said no to, definitely, and that have somebody to go to a moment later.

use amop_sim::End;
use amop_wire::{Code, Reason};

use crate::net::Net;
use crate::scene::{SECOND, Scene, deaf, millis};

/// UNI-4: every way is cut while the message is under way, and one is mended.
#[test]
fn a_request_without_a_way_goes_out_once_there_is_one() {
    for cut_after in [0, 5, 10, 60] {
        let mut net = Net::new(&[(0, 1), (1, 2)]);
        net.world.set_detour(net.nodes[0], net.nodes[1], millis(50));
        let id = net.request(0, "to2");
        net.world.run_for(millis(cut_after));
        net.world.cut(net.nodes[1], net.nodes[2], millis(5));
        net.world.run_for(millis(150));
        net.world.link(net.nodes[1], net.nodes[2]);
        net.world.run_for(2 * SECOND);
        assert_eq!(net.code(id), Code::Ok, "cut after {cut_after} ms");
        assert_eq!(net.world.record().publication(id).calls.len(), 1);
        net.end();
    }
}

/// UNI-4, ROUTE-6: the only relay gives it back, and takes it a moment later, of which nobody tells.
#[test]
fn a_request_that_came_back_goes_the_same_way_a_moment_later() {
    for taken_after in [20, 100] {
        let mut net = Net::new(&[(0, 1), (1, 2)]);
        net.world.set_denying(net.nodes[1], true);
        let (id, before) = (net.request_within(0, "to2", 10 * SECOND), net.world.now());
        net.world.run_for(millis(taken_after));
        net.world.set_denying(net.nodes[1], false);
        net.world.run_for(SECOND);
        assert_eq!(net.code(id), Code::Ok, "taken after {taken_after} ms");
        let (at, _) = net.world.record().publication(id).ends[0];
        let waited = at.saturating_since(before);
        assert!(waited < millis(2 * taken_after + 100), "{waited:?} of {taken_after} ms");
        net.end();
    }
}

/// UNI-4, ROUTE-6: a relay that has no room is not asked for it again and again.
#[test]
fn a_request_that_always_comes_back_goes_out_five_times() {
    let mut net = Net::new(&[(0, 1), (1, 2)]);
    net.world.set_denying(net.nodes[1], true);
    let id = net.request_within(0, "to2", 10 * SECOND);
    net.world.run_for(3 * SECOND + millis(50));
    let End::Outcome { code, reason, attempts, .. } = net.world.record().publication(id).end()
    else {
        panic!("a receipt")
    };
    assert_eq!((*code, *reason, *attempts), (Code::NoSubscriber, Reason::NoPath, 5));
    net.end();
}

/// UNI-4: its node knows that the subscriber has gone before anybody is told where it is.
#[test]
fn a_request_waits_for_a_subscriber_that_is_on_its_way_to_another_node() {
    let mut scene = Scene::new();
    let subscriber = scene.world.client("sub.sdk.bank-b.amop", &[scene.b, scene.a]);
    scene.world.subscribe(subscriber, "t");
    scene.world.run_for(millis(200));
    scene.world.set_detour(scene.a, scene.b, millis(50));
    let id = scene.unicast(2 * SECOND);
    scene.world.run_for(millis(40));
    // Its node notices at once, it does not.
    scene.world.cut_client(subscriber, millis(300), millis(0));
    scene.world.run_for(millis(200));
    assert!(!scene.has_ended(id));
    scene.world.run_for(2 * SECOND);
    assert_eq!((scene.code(id), scene.calls(id)), (Code::Ok, 1));
    scene.end();
}

/// UNI-4: another subscriber will do as well as the one that has left.
#[test]
fn a_request_whose_subscriber_left_goes_to_one_that_comes() {
    let mut scene = Scene::new();
    let leaver = scene.subscriber(scene.b);
    scene.world.unsubscribe(leaver, "t");
    let id = scene.unicast(2 * SECOND);
    scene.world.run_for(millis(500));
    assert!(!scene.has_ended(id));
    scene.subscriber(scene.a);
    scene.world.run_for(millis(100));
    assert_eq!((scene.code(id), scene.reason(id)), (Code::Ok, (Reason::Unspecified, 2)));
    scene.end();
}

/// UNI-4: for half of its time, and 3 s at most. UNI-2: then it is 101.
#[test]
fn a_request_whose_subscriber_does_not_come_back_is_held_for_a_while_only() {
    for (timeout, held) in [(SECOND, millis(500)), (10 * SECOND, 3 * SECOND)] {
        let mut scene = Scene::new();
        let subscriber = scene.subscriber(scene.b);
        scene.world.unsubscribe(subscriber, "t");
        let id = scene.unicast(timeout);
        scene.world.run_for(held - millis(20));
        assert!(!scene.has_ended(id), "{timeout:?}");
        scene.world.run_for(millis(40));
        assert_eq!(scene.code(id), Code::SubscriberUnreachable);
        assert_eq!(scene.reason(id), (Reason::NotSubscribed, 1));
        scene.end();
    }
}

/// UNI-4: nothing that may come back is waited for if the subscriber itself says no.
#[test]
fn a_request_that_its_only_subscriber_refuses_ends_at_once() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, deaf(0));
    let id = scene.unicast(10 * SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(scene.code(id), Code::SubscriberUnreachable);
    scene.end();
}
