//! Unicast: UNI, and every code that it can end with.

use std::collections::BTreeMap;

use amop_sim::Application;
use amop_wire::{AnswerStatus, Code, Instance, MsgId, Reason};

use crate::scene::{SECOND, Scene, answering, deaf, millis, slow};

#[test]
fn a_request_is_answered_across_two_nodes() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(scene.world.record().publication(id).code(), Code::Ok);
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
    assert_eq!(scene.world.record().publication(id).code(), Code::NoSubscriber);
    assert_eq!(scene.reason(id), (Reason::NoSubscriber, 0));
    scene.end();
}

/// UNI-2: 101
#[test]
fn a_subscriber_that_left_while_the_message_was_on_its_way_gives_101() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.unsubscribe(subscriber, "t");
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(scene.world.record().publication(id).code(), Code::SubscriberUnreachable);
    assert_eq!(scene.reason(id), (Reason::NotSubscribed, 1));
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
    assert_eq!(scene.world.record().publication(id).code(), Code::SubscriberUnreachable);
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

/// UNI-3: 102
#[test]
fn a_slow_handler_gives_102_at_the_deadline_and_its_late_answer_changes_nothing() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, slow(2 * SECOND));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(900));
    assert!(scene.world.record().publication(id).ends.is_empty());
    scene.world.run_for(millis(200));
    assert_eq!(scene.world.record().publication(id).code(), Code::TimedOut);
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
    assert_eq!(scene.world.record().publication(id).code(), Code::TimedOut);
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
    assert_eq!(scene.world.record().publication(id).code(), Code::Ok);
    scene.end();
}

/// UNI-6
#[test]
fn a_request_to_an_earlier_life_of_a_node_is_refused() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    scene.world.crash(scene.b, millis(1));
    scene.world.restart(scene.b);
    let id = scene.unicast(SECOND);
    scene.world.run_for(2 * SECOND);
    assert_eq!(scene.calls(id), 0);
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
        assert_eq!(scene.world.record().publication(id).code(), Code::Ok);
        assert_eq!(scene.calls(id), 1);
        scene.end();
    }
}

/// SES-5: 204
#[test]
fn one_publish_more_than_a_client_may_have_under_way_gets_204() {
    use amop_wire::limits::REQUESTS_PER_CLIENT_MAX;
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.a);
    let patient = Application { capacity: usize::MAX, ..deaf(0) };
    scene.world.set_application(subscriber, patient);
    scene.world.set_link_bytes_max(usize::MAX);
    let ids: Vec<_> = (0..=REQUESTS_PER_CLIENT_MAX).map(|_| scene.unicast(SECOND)).collect();
    scene.world.run_for(millis(50));
    let (last, rest) = ids.split_last().unwrap();
    assert!(rest.iter().all(|&id| scene.world.record().publication(id).ends.is_empty()));
    assert_eq!(scene.world.record().publication(*last).code(), Code::Overloaded);
    assert_eq!(scene.reason(*last).0, Reason::TooManyRequests);
    scene.end();
}
