//! Multicast: MULTI.

use amop_wire::Receipt;

use crate::scene::{SECOND, Scene, deaf, millis};

/// MULTI-1
#[test]
fn everybody_gets_it_once_wherever_he_is_attached() {
    let mut scene = Scene::new();
    for home in [scene.a, scene.b, scene.b] {
        scene.subscriber(home);
    }
    let id = scene.multicast(SECOND);
    scene.world.run_for(millis(100));
    assert_eq!(scene.receipt(id), Receipt { acked: 3, refused: 0, unknown: 0 });
    assert_eq!(scene.calls(id), 3);
    scene.end();
}

/// MULTI-1: also when there is nobody.
#[test]
fn a_multicast_to_nobody_is_a_success_with_no_targets() {
    let mut scene = Scene::new();
    let id = scene.multicast(10 * SECOND);
    scene.world.run_for(millis(10));
    assert_eq!(scene.receipt(id).targets(), 0);
    scene.end();
}

/// MULTI-3
#[test]
fn who_left_while_it_was_on_its_way_is_counted_as_refused() {
    let mut scene = Scene::new();
    let leaver = scene.subscriber(scene.b);
    scene.subscriber(scene.b);
    scene.world.unsubscribe(leaver, "t");
    let id = scene.multicast(SECOND);
    scene.world.run_for(millis(100));
    assert_eq!(scene.receipt(id), Receipt { acked: 1, refused: 1, unknown: 0 });
    scene.end();
}

/// MULTI-3
#[test]
fn who_takes_nothing_is_unknown_at_the_deadline_and_who_is_full_refuses() {
    let mut scene = Scene::new();
    let deaf_one = scene.subscriber(scene.b);
    scene.world.set_application(deaf_one, deaf(1));
    scene.subscriber(scene.b);
    let first = scene.multicast(SECOND);
    let second = scene.multicast(SECOND);
    scene.world.run_for(millis(1200));
    assert_eq!(scene.receipt(first), Receipt { acked: 1, refused: 0, unknown: 1 });
    assert_eq!(scene.receipt(second), Receipt { acked: 1, refused: 1, unknown: 0 });
    scene.end();
}

/// MULTI-3
#[test]
fn a_session_that_ends_before_its_ack_leaves_its_delivery_unknown_at_once() {
    let mut scene = Scene::new();
    let doomed = scene.subscriber(scene.b);
    scene.world.set_application(doomed, deaf(1));
    let id = scene.multicast(10 * SECOND);
    scene.world.run_for(millis(50));
    scene.world.kill(doomed, millis(10));
    scene.world.run_for(millis(50));
    assert_eq!(scene.receipt(id), Receipt { acked: 0, refused: 0, unknown: 1 });
    scene.end();
}

#[test]
fn a_node_that_is_lost_before_its_report_leaves_its_subscribers_unknown_at_once() {
    let mut scene = Scene::new();
    for home in [scene.a, scene.b, scene.b] {
        scene.subscriber(home);
    }
    let id = scene.multicast(10 * SECOND);
    scene.world.run_for(millis(1));
    scene.world.cut(scene.a, scene.b, millis(10));
    scene.world.run_for(millis(100));
    assert_eq!(scene.receipt(id), Receipt { acked: 1, refused: 0, unknown: 2 });
    scene.end();
}

/// LIMIT-3
#[test]
fn one_deaf_subscriber_costs_the_others_nothing() {
    let mut scene = Scene::new();
    let deaf_one = scene.subscriber(scene.b);
    scene.world.set_application(deaf_one, deaf(5));
    scene.subscriber(scene.b);
    let ids: Vec<_> = (0..50).map(|_| scene.multicast(SECOND)).collect();
    scene.world.run_for(2 * SECOND);
    for id in ids {
        assert_eq!((scene.receipt(id).acked, scene.calls(id)), (1, 1));
    }
    scene.end();
}

/// MULTI-4
#[test]
fn a_subscriber_with_as_many_open_deliveries_as_it_may_have_refuses_more() {
    use amop_wire::limits::UNACKED_PER_CLIENT_MAX;
    let mut scene = Scene::new();
    let deaf_one = scene.subscriber(scene.a);
    scene.world.set_application(deaf_one, deaf(usize::MAX));
    scene.world.set_link_bytes_max(usize::MAX);
    // Two publishers, since one may not have so many under way.
    let other = scene.world.client("other.sdk.bank-a.amop", &[scene.a]);
    scene.world.run_for(millis(50));
    let first = UNACKED_PER_CLIENT_MAX / 2;
    for _ in 0..first {
        scene.multicast(SECOND);
    }
    for _ in first..UNACKED_PER_CLIENT_MAX {
        scene.world.publish(other, amop_wire::Mode::Multicast, "t", SECOND);
    }
    scene.world.run_for(millis(50));
    let id = scene.multicast(SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(scene.receipt(id), Receipt { acked: 0, refused: 1, unknown: 0 });
    scene.end();
}
