//! Multicast: MULTI.

use amop_sim::Application;
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
    let hearing = scene.subscriber(scene.b);
    let instance = scene.world.instance(hearing);
    for _ in 0..50 {
        let (id, sent_at) = (scene.multicast(SECOND), scene.world.now());
        scene.world.run_for(millis(10));
        let call = scene.world.record().publication(id).calls[0];
        assert_eq!(call.instance, instance);
        assert!(call.at.saturating_since(sent_at) <= millis(6), "three ways of 1 to 2 ms");
    }
    scene.end();
}

/// LIMIT-2, LIMIT-3: what has no room for one is refused for that one alone.
#[test]
fn one_full_link_costs_the_others_nothing() {
    let mut scene = Scene::new();
    let far = scene.subscriber(scene.b);
    scene.world.set_client_detour(far, scene.b, SECOND);
    let near = scene.subscriber(scene.b);
    scene.world.set_link_bytes_max(1000);
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(scene.multicast(3 * SECOND));
        scene.world.run_for(millis(10));
    }
    scene.world.run_for(4 * SECOND);
    let instances = [far, near].map(|client| scene.world.instance(client));
    let handled = |by: usize| {
        let calls = ids.iter().flat_map(|&id| &scene.world.record().publication(id).calls);
        u32::try_from(calls.filter(|call| call.instance == instances[by]).count()).unwrap()
    };
    assert_eq!(handled(1), 50);
    assert!((1..20).contains(&handled(0)), "{} had room", handled(0));
    let (acked, refused): (Vec<u32>, Vec<u32>) =
        ids.iter().map(|&id| (scene.receipt(id).acked, scene.receipt(id).refused)).unzip();
    assert_eq!(acked.iter().sum::<u32>(), 50 + handled(0));
    assert_eq!(refused.iter().sum::<u32>(), 50 - handled(0));
    scene.end();
}

/// MULTI-3, LIMIT-2: the copy for a whole node had no room.
#[test]
fn a_copy_that_has_no_room_on_its_way_is_refused_for_all_behind_it() {
    let mut scene = Scene::new();
    for home in [scene.a, scene.b, scene.b] {
        scene.subscriber(home);
    }
    scene.world.set_detour(scene.a, scene.b, millis(100));
    scene.world.set_link_bytes_max(150);
    let first = scene.multicast(SECOND);
    scene.world.run_for(millis(20));
    let (second, sent_at) = (scene.multicast(SECOND), scene.world.now());
    scene.world.run_for(SECOND);
    assert_eq!(scene.receipt(first), Receipt { acked: 3, refused: 0, unknown: 0 });
    assert_eq!(scene.receipt(second), Receipt { acked: 1, refused: 2, unknown: 0 });
    let (ended_at, _) = scene.world.record().publication(second).ends[0];
    assert!(ended_at.saturating_since(sent_at) < millis(20), "nobody waits for what never left");
    scene.end();
}

/// MULTI-6: the copy for its new node is slower than its move.
#[test]
fn a_subscriber_that_moves_meets_no_second_copy() {
    let mut scene = Scene::new();
    scene.world.set_detour(scene.a, scene.b, millis(500));
    let mover = scene.world.client("mover.sdk.bank-b.amop", &[scene.a, scene.b]);
    scene.world.subscribe(mover, "t");
    scene.subscriber(scene.b);
    scene.world.run_for(SECOND);
    let id = scene.multicast(3 * SECOND);
    scene.world.run_for(millis(20));
    assert_eq!(scene.calls(id), 1);
    scene.world.move_client(mover, scene.b, millis(5));
    scene.world.run_for(millis(300));
    assert_eq!(scene.world.home_of(mover), Some(scene.b));
    assert_eq!(scene.calls(id), 1, "the copy is on its way still");
    scene.world.run_for(3 * SECOND);
    assert_eq!(scene.calls(id), 2, "one for each");
    scene.end();
}

/// MULTI-6: who refused it at one node does not take it at another.
#[test]
fn a_subscriber_that_moves_keeps_its_word() {
    let mut scene = Scene::new();
    scene.world.set_detour(scene.a, scene.b, millis(500));
    let mover = scene.world.client("mover.sdk.bank-b.amop", &[scene.a, scene.b]);
    scene.world.subscribe(mover, "t");
    scene.subscriber(scene.b);
    scene.world.run_for(SECOND);
    scene.world.set_application(mover, deaf(0));
    let id = scene.multicast(3 * SECOND);
    scene.world.run_for(millis(20));
    scene.world.set_application(mover, deaf(10));
    scene.world.move_client(mover, scene.b, millis(5));
    scene.world.run_for(3 * SECOND);
    // Of the copy at its new node it says nothing.
    assert_eq!(scene.receipt(id), Receipt { acked: 1, refused: 1, unknown: 1 });
    scene.end();
}

/// MULTI-3
#[test]
fn what_waits_for_an_application_that_unsubscribes_or_comes_too_late_is_refused() {
    let mut scene = Scene::new();
    let leaver = scene.subscriber(scene.b);
    scene.world.set_application(leaver, deaf(10));
    let id = scene.multicast(SECOND);
    scene.world.run_for(millis(50));
    scene.world.unsubscribe(leaver, "t");
    scene.world.run_for(millis(50));
    assert_eq!(scene.receipt(id), Receipt { acked: 0, refused: 1, unknown: 0 });

    scene.world.subscribe(leaver, "t");
    scene.world.run_for(millis(50));
    let id = scene.multicast(SECOND);
    scene.world.run_for(2 * SECOND);
    assert_eq!(scene.receipt(id), Receipt { acked: 0, refused: 0, unknown: 1 });
    scene.world.set_application(leaver, Application::default());
    scene.world.run_for(millis(50));
    assert_eq!(scene.calls(id), 0, "its time was up");
    scene.end();
}

/// MULTI-5: receipts of many multicasts in one batch keep to their own.
#[test]
fn multicasts_that_end_in_one_batch_get_their_own_receipts() {
    let mut scene = Scene::new();
    scene.subscriber(scene.a);
    let full = scene.subscriber(scene.b);
    scene.world.set_application(full, deaf(3));
    scene.world.set_batching(millis(50));
    let ids: Vec<_> = (0..9).map(|_| scene.multicast(SECOND)).collect();
    scene.world.run_for(3 * SECOND);
    for (number, id) in ids.into_iter().enumerate() {
        let (refused, unknown) = if number < 3 { (0, 1) } else { (1, 0) };
        assert_eq!(scene.receipt(id), Receipt { acked: 1, refused, unknown });
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
    for _ in 0..UNACKED_PER_CLIENT_MAX {
        scene.multicast(SECOND);
    }
    scene.world.run_for(millis(50));
    let id = scene.multicast(SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(scene.receipt(id), Receipt { acked: 0, refused: 1, unknown: 0 });
    scene.end();
}

/// SES-7, LIMIT-3: it holds as many publishes open as it may, which is half of what its publisher may have.
#[test]
fn one_that_takes_nothing_leaves_its_publisher_room_for_the_others() {
    use amop_wire::limits::{REQUESTS_PER_CLIENT_MAX, UNACKED_PER_CLIENT_MAX};
    let mut scene = Scene::new();
    let deaf_one = scene.subscriber(scene.b);
    scene.world.set_application(deaf_one, deaf(usize::MAX));
    let hearing = scene.subscriber(scene.b);
    scene.world.set_link_bytes_max(usize::MAX);
    let mut ids = Vec::new();
    while ids.len() <= REQUESTS_PER_CLIENT_MAX {
        ids.extend((0..1000).map(|_| scene.multicast(10 * SECOND)));
        scene.world.run_for(millis(50));
    }
    let instance = scene.world.instance(hearing);
    let is_heard = |&id: &_| {
        let calls = &scene.world.record().publication(id).calls;
        calls.iter().any(|call| call.instance == instance)
    };
    assert!(ids.iter().all(is_heard));
    let (held, others) = ids.split_at(UNACKED_PER_CLIENT_MAX);
    assert!(!held.iter().any(|&id| scene.has_ended(id)), "it may still take them");
    for &id in others {
        assert_eq!(scene.receipt(id), Receipt { acked: 1, refused: 1, unknown: 0 });
    }
    scene.world.run_for(11 * SECOND);
    scene.end();
}
