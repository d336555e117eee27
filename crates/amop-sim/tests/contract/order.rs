//! Multicasts come in the order of their publisher, and every hole is told.

use amop_core::client::Gap;
use amop_wire::{MsgId, Receipt};

use crate::scene::{SECOND, Scene, deaf, millis, slow};

/// MULTI-7: one that was refused for want of room is told before the next that has some.
#[test]
fn whoever_had_no_room_for_a_multicast_is_told_of_the_hole_before_the_next() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    let first = scene.multicast(SECOND);
    scene.world.run_for(millis(50));
    scene.world.set_application(subscriber, deaf(1));
    let (waits, lost, also) = (send(&mut scene), send(&mut scene), send(&mut scene));
    scene.world.set_application(subscriber, slow(millis(1)));
    let next = send(&mut scene);
    assert_eq!([first, waits, lost, also, next].map(|id| scene.calls(id)), [1, 1, 0, 0, 1]);
    let instance = scene.world.instance(subscriber);
    let gap = Gap { first: sequence(2, first), count: 2 };
    assert_eq!(scene.world.record().gaps(), [(instance, next, gap)]);
    scene.end();
}

/// MULTI-7, LIMIT-3: the node gives up what a link that nobody reads has no place for, and nothing else.
#[test]
fn a_subscriber_that_stops_reading_is_told_exactly_what_it_missed_and_others_miss_nothing() {
    let mut scene = Scene::new();
    let (stops, reads) = (scene.subscriber(scene.b), scene.subscriber(scene.b));
    scene.world.limit_node(scene.b, |limits| limits.unacked_per_client = 6);
    let first = send(&mut scene);
    scene.world.stall_client(stops, 5 * SECOND);
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(scene.multicast(8 * SECOND));
        scene.world.run_for(millis(20));
    }
    scene.world.run_for(6 * SECOND);
    let next = send(&mut scene);

    let [stops, reads] = [stops, reads].map(|client| scene.world.instance(client));
    let calls = |by| {
        let handled = |id: &&MsgId| {
            let calls = &scene.world.record().publication(**id).calls;
            calls.iter().any(|call| call.instance == by)
        };
        ids.iter().filter(handled).count()
    };
    assert_eq!([calls(stops), calls(reads)], [6, 50]);
    let gap = Gap { first: sequence(7, first), count: 44 };
    assert_eq!(scene.world.record().gaps(), [(stops, next, gap)]);
    scene.end();
}

/// MULTI-7: also what was sent while it was away.
#[test]
fn a_subscriber_that_was_away_is_told_what_it_missed() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    let first = send(&mut scene);
    scene.world.cut_client(subscriber, millis(5), millis(5));
    scene.world.run_for(millis(20));
    let missed = send(&mut scene);
    scene.world.run_for(SECOND);
    let next = send(&mut scene);
    assert_eq!([first, missed, next].map(|id| scene.calls(id)), [1, 0, 1]);
    let gap = Gap { first: sequence(1, first), count: 1 };
    assert_eq!(scene.world.record().gaps()[0].2, gap);
    scene.end();
}

/// MULTI-7: the second takes a shorter way, which came up meanwhile.
#[test]
fn a_multicast_that_was_overtaken_is_refused() {
    let mut scene = Scene::new();
    let c = scene.world.node("n1.node.bank-c.amop");
    scene.world.link(scene.b, c);
    let subscriber = scene.subscriber(c);
    scene.world.run_for(SECOND);
    send(&mut scene);
    scene.world.set_detour(scene.a, scene.b, millis(400));
    let slow = scene.multicast(2 * SECOND);
    scene.world.link(scene.a, c);
    scene.world.run_for(millis(100));
    let quick = scene.multicast(2 * SECOND);
    scene.world.run_for(2 * SECOND);
    assert_eq!([slow, quick].map(|id| scene.calls(id)), [0, 1]);
    assert_eq!(scene.receipt(slow), Receipt { acked: 0, refused: 1, unknown: 0 });
    let (who, before, gap) = scene.world.record().gaps()[0];
    assert_eq!((who, before, gap.count), (scene.world.instance(subscriber), quick, 1));
    scene.end();
}

/// MULTI-7: nobody is told of multicasts to topics that it does not subscribe to, nor of unicasts.
#[test]
fn what_was_not_for_a_subscriber_is_no_hole() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    for topic in ["t", "u", "t", "u", "t"] {
        scene.world.publish(scene.publisher, amop_wire::Mode::Multicast, topic, SECOND);
        scene.unicast(SECOND);
        scene.world.run_for(millis(50));
    }
    assert_eq!(scene.world.record().gaps(), []);
    scene.end();
}

fn send(scene: &mut Scene) -> MsgId {
    let id = scene.multicast(SECOND / 2);
    scene.world.run_for(millis(50));
    id
}

/// The number of the multicast that is so many after the first of its topic.
fn sequence(after: u64, first: MsgId) -> u64 {
    first.counter + after
}
