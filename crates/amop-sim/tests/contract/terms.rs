//! Unicasts that ask for more than the usual: at least once, and idempotency keys.

use amop_sim::{ClientId, End};
use amop_wire::{AnswerStatus, Code, Key, Mode, MsgId, Reason, Sealing, Terms};

use crate::scene::{SECOND, Scene, deaf, millis, slow};

/// TERM-1: the subscriber that was asked first is killed while it handles it.
#[test]
fn at_least_once_asks_another_subscriber_when_the_first_is_gone() {
    for (terms, code, calls) in
        [(AT_LEAST_ONCE, Code::Ok, 2), (Terms::default(), Code::TimedOut, 1)]
    {
        let mut scene = Scene::new();
        let subscribers = [scene.subscriber(scene.b), scene.subscriber(scene.b)];
        subscribers.iter().for_each(|&one| scene.world.set_application(one, slow(SECOND)));
        let id = publish(&mut scene, terms, "t");
        scene.world.run_for(millis(100));
        let first = scene.world.record().publication(id).calls[0].instance;
        let first = subscribers.into_iter().find(|&one| scene.world.instance(one) == first);
        scene.world.kill(first.unwrap(), millis(10));
        scene.world.run_for(5 * SECOND);
        assert_eq!((scene.code(id), scene.calls(id)), (code, calls), "{terms:?}");
        let calls = &scene.world.record().publication(id).calls;
        let waited = calls[calls.len() - 1].at.saturating_since(calls[0].at);
        assert!(waited < SECOND, "not half of its time");
        scene.end();
    }
}

/// TERM-1: half of the time is over; whoever answers first ends it, the slow one included.
#[test]
fn at_least_once_asks_another_subscriber_when_the_first_is_silent_for_long() {
    let mut scene = Scene::new();
    for delay in [millis(2500), millis(2500)] {
        let subscriber = scene.subscriber(scene.b);
        scene.world.set_application(subscriber, slow(delay));
    }
    let id = publish(&mut scene, AT_LEAST_ONCE, "t");
    scene.world.run_for(5 * SECOND);
    assert_eq!((scene.code(id), scene.calls(id)), (Code::Ok, 2));
    let publication = scene.world.record().publication(id);
    let (End::Outcome { attempts, payload, .. }, first) = (publication.end(), publication.calls[0])
    else {
        panic!("a receipt")
    };
    assert_eq!(*attempts, 2);
    let answer = format!("answer to {id} by {}", first.instance);
    assert_eq!(*payload, answer, "the one that was given up answered first");
    scene.end();
}

/// TERM-1: nobody says that it was never handled while somebody may handle it.
#[test]
fn at_least_once_ends_with_102_if_one_gave_no_word_and_all_others_refuse() {
    let mut scene = Scene::new();
    let subscribers = [scene.subscriber(scene.b), scene.subscriber(scene.b)];
    subscribers.iter().for_each(|&one| scene.world.set_application(one, slow(10 * SECOND)));
    let id = publish(&mut scene, AT_LEAST_ONCE, "t");
    scene.world.run_for(millis(100));
    let first = scene.world.record().publication(id).calls[0].instance;
    for subscriber in subscribers {
        if scene.world.instance(subscriber) != first {
            scene.world.set_application(subscriber, deaf(0));
        }
    }
    scene.world.run_for(5 * SECOND);
    assert_eq!((scene.code(id), scene.calls(id)), (Code::TimedOut, 1));
    scene.end();
}

/// TERM-1: its node is gone with the copy, the only other one refuses, and it comes back elsewhere.
#[test]
fn at_least_once_asks_one_in_doubt_again_that_has_come_back_when_nobody_else_is_left() {
    let mut scene = Scene::new();
    let homes = [scene.b, scene.a];
    let refuses = scene.subscriber(scene.a);
    scene.world.set_application(refuses, deaf(0));
    let moves = scene.world.client("sub.sdk.bank-b.amop", &homes);
    scene.world.subscribe(moves, "t");
    scene.world.run_for(millis(100));
    scene.world.crash(scene.b, millis(200));
    let ids: Vec<MsgId> = (0..8).map(|_| publish(&mut scene, AT_LEAST_ONCE, "t")).collect();
    scene.world.run_for(5 * SECOND);
    assert_eq!(scene.world.home_of(moves), Some(scene.a));
    for id in ids {
        assert_eq!((scene.code(id), scene.calls(id)), (Code::Ok, 1));
    }
    scene.end();
}

/// TERM-1: and with the only subscriber it stays.
#[test]
fn at_least_once_calls_an_only_subscriber_once() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, slow(2 * SECOND));
    let id = publish(&mut scene, AT_LEAST_ONCE, "t");
    scene.world.run_for(5 * SECOND);
    assert_eq!((scene.code(id), scene.calls(id)), (Code::Ok, 1));
    scene.end();
}

/// TERM-2: also from another process of the same client.
#[test]
fn publishes_with_one_key_are_handled_once_and_all_get_the_answer() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.subscriber(scene.a);
    scene.world.set_application(subscriber, slow(millis(200)));
    let mut ids = vec![publish(&mut scene, keyed(7), "t"), publish(&mut scene, keyed(7), "t")];
    scene.world.run_for(SECOND);
    ids.push(publish(&mut scene, keyed(7), "t"));
    scene.world.run_for(SECOND);
    scene.world.kill(scene.publisher, millis(10));
    scene.world.run_for(SECOND);
    scene.world.start_client(scene.publisher);
    scene.world.run_for(SECOND);
    ids.push(publish(&mut scene, keyed(7), "t"));
    scene.world.run_for(SECOND);
    assert!(ids.iter().all(|&id| scene.code(id) == Code::Ok));
    assert_eq!(ids.iter().map(|&id| scene.calls(id)).sum::<usize>(), 1);
    let other = publish(&mut scene, keyed(8), "t");
    scene.world.run_for(SECOND);
    assert_eq!(scene.calls(other), 1, "another key");
    scene.end();
}

/// TERM-2
#[test]
fn a_key_that_was_used_for_another_message_is_refused_with_205() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.subscribe(subscriber, "u");
    scene.world.run_for(millis(100));
    let first = publish(&mut scene, keyed(7), "t");
    scene.world.run_for(millis(100));
    let other = publish(&mut scene, keyed(7), "u");
    scene.world.run_for(millis(100));
    assert_eq!((scene.code(first), scene.code(other)), (Code::Ok, Code::IdReused));
    assert_eq!(scene.reason(other).0, Reason::KeyReused);
    scene.end();
}

/// TERM-2: what was definitely not handled may be tried again with its key.
#[test]
fn a_key_whose_message_was_refused_is_free_again() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, deaf(0));
    let refused = publish(&mut scene, keyed(7), "t");
    scene.world.run_for(millis(100));
    assert_eq!(scene.code(refused), Code::SubscriberUnreachable);
    scene.world.set_application(subscriber, slow(millis(1)));
    let again = publish(&mut scene, keyed(7), "t");
    scene.world.run_for(millis(100));
    assert_eq!((scene.code(again), scene.calls(again)), (Code::Ok, 1));
    scene.end();
}

/// TERM-2: a handler that failed has answered, and nobody calls it again.
#[test]
fn the_failure_of_a_handler_is_the_answer_to_its_key() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, crate::scene::answering(AnswerStatus::Failed));
    for calls in [1, 0] {
        let id = publish(&mut scene, keyed(7), "t");
        scene.world.run_for(millis(100));
        let End::Outcome { status, .. } = scene.world.record().publication(id).end() else {
            panic!("a receipt")
        };
        assert_eq!((*status, scene.calls(id)), (AnswerStatus::Failed, calls));
    }
    scene.end();
}

fn publish(scene: &mut Scene, terms: Terms, topic: &str) -> MsgId {
    let publisher: ClientId = scene.publisher;
    scene.world.publish_on(terms, publisher, Mode::Unicast, topic, 4 * SECOND)
}

fn keyed(key: u128) -> Terms {
    Terms { key: Some(Key(key)), ..Terms::default() }
}

const AT_LEAST_ONCE: Terms =
    Terms { key: None, at_least_once: true, redelivered: false, sealing: Sealing::Clear };
