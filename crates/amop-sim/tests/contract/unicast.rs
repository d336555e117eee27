//! Unicast: UNI, and every code that it can end with.

use std::collections::BTreeMap;

use amop_wire::{AnswerStatus, Code, Instance, MsgId, Reason};

use crate::scene::{SECOND, Scene, answering, deaf, millis, one_by_one, slow};

#[test]
fn a_request_is_answered_across_two_nodes() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(scene.code(id), Code::Ok);
    assert_eq!(scene.reason(id).1, 1, "one attempt");
    scene.end();
}

/// UNI-1
#[test]
fn subscribers_here_and_elsewhere_get_equal_shares() {
    let mut scene = Scene::new();
    for home in [scene.a, scene.b, scene.b] {
        scene.subscriber(home);
    }
    for _ in 0..600 {
        scene.unicast(SECOND);
        scene.world.run_for(millis(1));
    }
    scene.world.run_for(SECOND);
    let mut shares = BTreeMap::<Instance, usize>::new();
    for (_, publication) in scene.world.record().publications() {
        *shares.entry(publication.calls[0].instance).or_default() += 1;
    }
    assert_eq!(shares.len(), 3);
    // 200 each; 50 is more than four standard deviations.
    assert!(shares.values().all(|share| share.abs_diff(200) < 50), "{shares:?}");
    scene.end();
}

/// UNI-4: 100
#[test]
fn a_topic_without_a_subscriber_gets_100_at_once() {
    let mut scene = Scene::new();
    let id = scene.unicast(10 * SECOND);
    scene.world.run_for(millis(10));
    assert_eq!(scene.code(id), Code::NoSubscriber);
    assert_eq!(scene.reason(id), (Reason::NoSubscriber, 0));
    scene.end();
}

/// UNI-2
#[test]
fn after_a_definite_no_the_next_subscriber_is_tried() {
    let mut scene = Scene::new();
    let leaver = scene.subscriber(scene.b);
    let stayer = scene.subscriber(scene.b);
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(scene.unicast(SECOND));
    }
    scene.world.unsubscribe(leaver, "t");
    scene.world.run_for(millis(500));
    let stayer = scene.world.instance(stayer);
    let second_tries = ids.iter().filter(|&&id| scene.reason(id).1 == 2).count();
    assert!(second_tries > 0, "some were meant for the one who left");
    for id in ids {
        let publication = scene.world.record().publication(id);
        assert_eq!((publication.code(), publication.calls[0].instance), (Code::Ok, stayer));
    }
    scene.end();
}

/// UNI-9: 101
#[test]
fn a_full_queue_refuses_and_is_101_if_nobody_else_is_left() {
    let mut scene = Scene::new();
    let full = scene.subscriber(scene.b);
    scene.world.set_application(full, deaf(0));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(scene.code(id), Code::SubscriberUnreachable);
    assert_eq!(scene.reason(id), (Reason::SubscriberBusy, 1));

    let free = scene.subscriber(scene.a);
    for _ in 0..10 {
        let id = scene.unicast(SECOND);
        scene.world.run_for(millis(50));
        let publication = scene.world.record().publication(id);
        let by = scene.world.instance(free);
        assert_eq!((publication.code(), publication.calls[0].instance), (Code::Ok, by));
    }
    scene.end();
}

/// UNI-9, LIMIT-2
#[test]
fn a_link_without_room_refuses_definitely() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    scene.world.set_link_bytes_max(300);
    let ids: Vec<_> = (0..10).map(|_| scene.unicast(SECOND)).collect();
    scene.world.run_for(2 * SECOND);
    let end = |id: &MsgId| (scene.world.record().publication(*id).code(), scene.reason(*id).0);
    let ends: Vec<_> = ids.iter().map(end).collect();
    let no_room = ends.iter().filter(|end| **end == (Code::NoSubscriber, Reason::NoPath)).count();
    assert!((1..10).contains(&no_room), "the first had room, the last had none: {ends:?}");
    scene.end();
}

/// UNI-9, LIMIT-2
#[test]
fn a_subscriber_whose_link_has_no_room_refuses_and_another_gets_it() {
    let mut scene = Scene::new();
    let far = scene.subscriber(scene.b);
    scene.world.set_client_detour(far, scene.b, millis(200));
    scene.world.set_link_bytes_max(250);
    let first = scene.unicast(SECOND);
    scene.world.run_for(millis(20));
    let last = scene.unicast(SECOND);
    scene.world.run_for(SECOND);
    assert_eq!(scene.code(first), Code::Ok);
    assert_eq!(scene.code(last), Code::SubscriberUnreachable);
    assert_eq!(scene.reason(last), (Reason::SubscriberBusy, 1));

    scene.subscriber(scene.b);
    for _ in 0..10 {
        let id = scene.unicast(SECOND);
        scene.world.run_for(millis(20));
        assert!(!scene.has_ended(id) || scene.code(id) == Code::Ok);
    }
    scene.end();
}

/// UNI-3: 102
#[test]
fn a_slow_handler_gives_102_at_the_deadline_and_its_late_answer_changes_nothing() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, slow(2 * SECOND));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(900));
    assert!(!scene.has_ended(id));
    scene.world.run_for(millis(200));
    assert_eq!(scene.code(id), Code::TimedOut);
    assert_eq!((scene.reason(id), scene.calls(id)), ((Reason::Deadline, 1), 1));
    scene.end();
}

/// UNI-3: never a second subscriber.
#[test]
fn a_link_lost_with_a_request_under_way_leaves_doubt_and_asks_nobody_else() {
    let mut scene = Scene::new();
    let first = scene.subscriber(scene.b);
    scene.world.set_application(first, slow(millis(100)));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(scene.calls(id), 1);
    scene.world.cut(scene.a, scene.b, millis(10));
    scene.subscriber(scene.a);
    scene.world.run_for(2 * SECOND);
    assert_eq!(scene.code(id), Code::TimedOut);
    assert_eq!(scene.calls(id), 1);
    scene.end();
}

#[test]
fn an_answer_that_comes_over_a_new_link_before_the_deadline_counts() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, slow(millis(500)));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    scene.world.cut(scene.a, scene.b, millis(10));
    scene.world.run_for(millis(50));
    scene.world.link(scene.b, scene.a);
    scene.world.run_for(SECOND);
    assert_eq!(scene.code(id), Code::Ok);
    scene.end();
}

/// UNI-4: its only subscriber left a moment ago, and another comes.
#[test]
fn a_request_waits_a_moment_for_a_subscriber_of_a_topic_that_had_one() {
    let mut scene = Scene::new();
    let first = scene.subscriber(scene.b);
    scene.world.unsubscribe(first, "t");
    scene.world.run_for(millis(100));
    let id = scene.unicast(4 * SECOND);
    scene.world.run_for(SECOND);
    assert!(!scene.has_ended(id));
    scene.subscriber(scene.b);
    assert_eq!((scene.code(id), scene.calls(id)), (Code::Ok, 1));
    scene.end();
}

/// UNI-4: nobody comes; for half of its time, for 3 s at most, and 30 s after the last one left.
#[test]
fn a_request_waits_for_a_first_subscriber_no_longer_than_it_should() {
    let mut scene = Scene::new();
    let first = scene.subscriber(scene.b);
    scene.world.unsubscribe(first, "t");
    scene.world.run_for(millis(100));
    for (timeout, waits) in
        [(SECOND, millis(500)), (5 * SECOND, millis(2500)), (10 * SECOND, 3 * SECOND)]
    {
        let id = scene.unicast(timeout);
        scene.world.run_for(waits - millis(10));
        assert!(!scene.has_ended(id), "{timeout:?}");
        scene.world.run_for(millis(20));
        assert_eq!(scene.code(id), Code::NoSubscriber, "{timeout:?}");
    }
    scene.world.run_for(30 * SECOND);
    let id = scene.unicast(5 * SECOND);
    scene.world.run_for(millis(10));
    assert_eq!(scene.code(id), Code::NoSubscriber, "it is forgotten");
    scene.end();
}

/// UNI-6, UNI-11: the home node knows the new life, but not yet what it serves.
#[test]
fn a_request_to_an_earlier_life_of_a_node_goes_to_its_new_one() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.crash(scene.b, 6 * SECOND);
    scene.world.restart(scene.b);
    scene.world.cut_client(subscriber, millis(10), SECOND);
    scene.world.run_for(millis(20));
    while !scene.world.is_connected(subscriber) {
        scene.world.run_for(millis(10));
    }
    scene.world.set_detour(scene.a, scene.b, millis(100));
    scene.world.link(scene.a, scene.b);
    // Greeting there, greeting back, pull there, and the set is on its way.
    scene.world.run_for(millis(310));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(600));
    assert_eq!((scene.code(id), scene.calls(id)), (Code::Ok, 1));
    assert_eq!(scene.reason(id), (Reason::Unspecified, 1), "it is one attempt");
    scene.end();
}

/// UNI-6: the link held the request back for longer than it had.
#[test]
fn a_request_without_any_time_left_is_not_handled() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    for timeout in [0, 1] {
        let id = scene.unicast(millis(timeout));
        scene.world.run_for(millis(600));
        assert!(matches!(scene.code(id), Code::TimedOut | Code::SubscriberUnreachable));
    }
    assert!(scene.world.is_connected(subscriber));
    scene.end();
}

/// UNI-7
#[test]
fn a_failing_handler_is_an_answer_and_not_tried_again() {
    for status in [AnswerStatus::Failed, AnswerStatus::Dropped] {
        let mut scene = Scene::new();
        for _ in 0..2 {
            let subscriber = scene.subscriber(scene.b);
            scene.world.set_application(subscriber, answering(status));
        }
        let id = scene.unicast(SECOND);
        scene.world.run_for(millis(50));
        assert_eq!(scene.code(id), Code::Ok);
        assert_eq!(scene.calls(id), 1);
        scene.end();
    }
}

/// UNI-2, UNI-9: an application that unsubscribes refuses what waits for it.
#[test]
fn what_waits_for_an_application_that_unsubscribes_goes_to_another() {
    let mut scene = Scene::new();
    let leaver = scene.subscriber(scene.b);
    scene.world.set_application(leaver, deaf(10));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    assert!(!scene.has_ended(id), "it waits");
    let stayer = scene.subscriber(scene.a);
    scene.world.unsubscribe(leaver, "t");
    scene.world.run_for(millis(50));
    let by = scene.world.instance(stayer);
    let publication = scene.world.record().publication(id);
    assert_eq!((publication.code(), publication.calls[0].instance), (Code::Ok, by));
    scene.end();
}

/// UNI-8
#[test]
fn what_waited_past_its_deadline_is_not_handed_out() {
    let mut scene = Scene::new();
    let sleeper = scene.subscriber(scene.b);
    scene.world.set_application(sleeper, deaf(10));
    let (early, late) = (scene.unicast(SECOND), scene.unicast(5 * SECOND));
    scene.world.run_for(millis(1200));
    assert_eq!(scene.code(early), Code::TimedOut);
    scene.world.set_application(sleeper, slow(millis(1)));
    scene.world.run_for(millis(50));
    assert_eq!((scene.calls(early), scene.calls(late)), (0, 1));
    assert_eq!(scene.code(late), Code::Ok);
    scene.end();
}

/// UNI-3, UNI-8: with one handler, of 200 ms, four of six requests have their turn in time.
#[test]
fn a_busy_application_handles_what_it_can_in_time_and_nothing_later() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, one_by_one(millis(200)));
    let ids: Vec<_> = (0..6).map(|_| scene.unicast(millis(900))).collect();
    scene.world.run_for(2 * SECOND);
    let codes: Vec<Code> = ids.iter().map(|&id| scene.code(id)).collect();
    let calls: Vec<usize> = ids.iter().map(|&id| scene.calls(id)).collect();
    let (ok, out) = (Code::Ok, Code::TimedOut);
    assert_eq!(codes, [ok, ok, ok, ok, out, out]);
    assert_eq!(calls, [1, 1, 1, 1, 1, 0], "the fifth began in time and did not end in time");
    scene.end();
}

/// UNI-3
#[test]
fn a_request_that_was_lost_with_its_link_is_not_tried_elsewhere() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    scene.world.set_detour(scene.a, scene.b, millis(100));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    scene.world.cut(scene.a, scene.b, millis(10));
    scene.subscriber(scene.a);
    scene.world.run_for(2 * SECOND);
    assert_eq!((scene.code(id), scene.calls(id)), (Code::TimedOut, 0));
    scene.end();
}

/// UNI-1: the old link was at another node, which does not know yet that it has ended.
#[test]
fn a_subscriber_that_moved_is_chosen_where_it_is_now() {
    let mut scene = Scene::new();
    let mover = scene.world.client("sub.sdk.bank-b.amop", &[scene.b, scene.a]);
    scene.world.subscribe(mover, "t");
    scene.world.run_for(millis(100));
    scene.world.move_client(mover, scene.a, 6 * SECOND);
    scene.world.run_for(millis(300));
    assert_eq!(scene.world.home_of(mover), Some(scene.a));
    assert_eq!(scene.known(scene.a), 1, "it counts once");
    for _ in 0..10 {
        let id = scene.unicast(SECOND);
        scene.world.run_for(millis(50));
        assert_eq!(scene.code(id), Code::Ok);
    }
    scene.end();
}

/// Two publishers that number alike do not disturb each other.
#[test]
fn publishers_may_use_the_same_numbers() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    let other = scene.world.client("other.sdk.bank-b.amop", &[scene.b]);
    scene.world.run_for(millis(50));
    let ids = [0, 1].map(|_| {
        let mode = amop_wire::Mode::Unicast;
        (scene.unicast(SECOND), scene.world.publish(other, mode, "t", SECOND))
    });
    scene.world.run_for(millis(50));
    for (one, two) in ids {
        assert_eq!(one.counter, two.counter);
        assert_eq!((scene.code(one), scene.code(two)), (Code::Ok, Code::Ok));
    }
    scene.end();
}
