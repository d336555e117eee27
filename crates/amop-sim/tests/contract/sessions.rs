//! Sessions and what clients do while they have none: SES.

use std::time::Duration;

use amop_wire::limits::{REQUESTS_PER_CLIENT_MAX, SUBSCRIPTIONS_PER_CLIENT_MAX};
use amop_wire::{Code, Mode, Reason};

use crate::scene::{SECOND, Scene, deaf, millis, slow};

/// SES-1, SES-4
#[test]
fn a_client_comes_and_goes_and_its_subscriptions_with_it() {
    let mut scene = Scene::new();
    let client = scene.subscriber(scene.b);
    assert_eq!(scene.world.node_core(scene.b).session_count(), 1);
    assert_eq!((scene.known(scene.a), scene.known(scene.b)), (1, 1));
    scene.world.kill(client, millis(10));
    scene.world.run_for(millis(50));
    assert_eq!(scene.world.node_core(scene.b).session_count(), 0);
    assert_eq!((scene.known(scene.a), scene.known(scene.b)), (0, 0));
    scene.end();
}

/// SES-3
#[test]
fn a_client_moves_to_its_other_node_and_is_subscribed_there_before_it_says_so() {
    let mut scene = Scene::new();
    let mover = scene.world.client("sub.sdk.bank-b.amop", &[scene.b, scene.a]);
    scene.world.subscribe(mover, "t");
    scene.world.run_for(millis(100));
    assert_eq!(scene.world.home_of(mover), Some(scene.b));
    scene.world.crash(scene.b, millis(20));
    while !scene.world.is_connected(mover) || scene.world.home_of(mover) != Some(scene.a) {
        scene.world.run_for(millis(1));
    }
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(scene.code(id), Code::Ok);
    scene.end();
}

/// SES-3: the node holds the subscription at the very moment.
#[test]
fn a_client_that_says_it_is_connected_can_be_reached() {
    let mut scene = Scene::new();
    let client = scene.world.client("far.sdk.bank-b.amop", &[scene.b]);
    scene.world.set_client_detour(client, scene.b, millis(50));
    scene.world.subscribe(client, "t");
    let mut connections = 0;
    for _ in 0..3 {
        while !scene.world.is_connected(client) {
            scene.world.run_for(millis(1));
        }
        assert_eq!(scene.known(scene.b), 1);
        connections += 1;
        scene.world.cut_client(client, millis(5), millis(5));
        scene.world.run_for(millis(10));
    }
    assert_eq!(connections, 3);
    scene.end();
}

/// SES-2
#[test]
fn a_later_link_of_the_same_instance_supersedes_one_that_the_node_believes_alive() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    // The node does not notice for 6 s; the client is back after 0.2 s.
    scene.world.cut_client(subscriber, millis(10), 6 * SECOND);
    scene.world.run_for(millis(500));
    assert!(scene.world.is_connected(subscriber));
    assert_eq!(scene.known(scene.a), 1, "it counts once");
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    assert_eq!(scene.code(id), Code::Ok);
    scene.world.run_for(8 * SECOND);
    assert_eq!(scene.known(scene.a), 1, "the end of the old link ends nothing new");
    scene.end();
}

/// SES-1: what was meant for the old process is not handled by the new one.
#[test]
fn a_client_process_that_starts_again_is_another_subscriber() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, slow(5 * SECOND));
    let id = scene.unicast(2 * SECOND);
    scene.world.run_for(millis(50));
    let old = scene.world.instance(subscriber);
    scene.world.kill(subscriber, millis(10));
    scene.world.start_client(subscriber);
    scene.world.subscribe(subscriber, "t");
    scene.world.run_for(millis(100));
    assert_ne!(scene.world.instance(subscriber), old);
    assert_eq!(scene.known(scene.a), 1);
    scene.world.run_for(3 * SECOND);
    assert_eq!((scene.code(id), scene.calls(id)), (Code::TimedOut, 1));
    scene.end();
}

/// SES-3: 99
#[test]
fn what_is_published_without_a_connection_waits_and_ends_with_99_at_the_deadline() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    let lonely = scene.world.client("lonely.sdk.bank-a.amop", &[]);
    let ids =
        [Mode::Unicast, Mode::Multicast].map(|mode| scene.world.publish(lonely, mode, "t", SECOND));
    scene.world.run_for(millis(990));
    assert!(!ids.iter().any(|&id| scene.has_ended(id)));
    scene.world.run_for(millis(20));
    for id in ids {
        assert_eq!(scene.code(id), Code::NotSent);
        assert_eq!(scene.reason(id), (Reason::NotConnected, 0));
    }
    scene.end();
}

/// SES-3
#[test]
fn what_is_published_while_the_client_reconnects_is_sent_then() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    scene.world.cut_client(scene.publisher, millis(5), millis(5));
    scene.world.run_for(millis(10));
    assert!(!scene.world.is_connected(scene.publisher));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(500));
    assert_eq!(scene.code(id), Code::Ok);
    scene.end();
}

/// UNI-10: 102
#[test]
fn what_was_sent_on_a_link_that_ended_is_not_sent_again() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, slow(5 * SECOND));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    // The publisher comes back at its other node, which knows nothing of the request.
    scene.world.crash(scene.a, millis(10));
    scene.world.run_for(3 * SECOND);
    assert_eq!(scene.world.home_of(scene.publisher), Some(scene.b));
    assert_eq!(scene.code(id), Code::TimedOut);
    assert_eq!(scene.calls(id), 1);
    scene.end();
}

/// UNI-10: the home node is the same.
#[test]
fn an_outcome_finds_a_publisher_that_is_back_at_its_node() {
    let mut scene = Scene::new();
    let back = scene.world.client("back.sdk.bank-a.amop", &[scene.a]);
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, slow(millis(700)));
    let id = scene.world.publish(back, Mode::Unicast, "t", SECOND);
    scene.world.run_for(millis(50));
    scene.world.cut_client(back, millis(5), millis(5));
    scene.world.run_for(SECOND);
    assert_eq!(scene.code(id), Code::Ok);
    scene.end();
}

/// An answer given while the subscriber had no link goes out when it has one again.
#[test]
fn an_answer_waits_for_the_subscribers_link() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, slow(millis(100)));
    let id = scene.unicast(SECOND);
    scene.world.run_for(millis(50));
    scene.world.cut_client(subscriber, millis(5), 6 * SECOND);
    scene.world.run_for(SECOND);
    assert_eq!(scene.code(id), Code::Ok);
    scene.end();
}

/// SES-5: 204 for the subscription.
#[test]
fn one_subscription_more_than_a_client_may_have_is_refused_and_the_others_stay() {
    let mut scene = Scene::new();
    let client = scene.world.client("many.sdk.bank-b.amop", &[scene.b]);
    scene.world.set_application(client, deaf(0));
    for topic in 0..=SUBSCRIPTIONS_PER_CLIENT_MAX {
        scene.world.subscribe(client, &format!("t{topic}"));
    }
    scene.world.run_for(SECOND);
    let told = scene.world.subscribed(client);
    let refused: Vec<_> = told.iter().filter(|(_, code)| *code != Code::Ok).collect();
    assert_eq!(told.len(), SUBSCRIPTIONS_PER_CLIENT_MAX + 1);
    let last = format!("t{SUBSCRIPTIONS_PER_CLIENT_MAX}").parse().unwrap();
    assert_eq!(refused, [&(last, Code::Overloaded)]);
    let node = scene.world.node_core(scene.b);
    assert_eq!(node.table().topics_of(node.id()).count(), SUBSCRIPTIONS_PER_CLIENT_MAX);
    assert!(scene.world.is_connected(client));

    scene.world.subscribe(client, "t0");
    scene.world.run_for(millis(50));
    let told = scene.world.subscribed(client).last().cloned();
    assert_eq!(told, Some(("t0".parse().unwrap(), Code::Ok)), "it has that one already");
    assert_eq!(scene.world.wrong_views(), [] as [String; 0]);
    scene.end();
}

/// SES-5: 204
#[test]
fn one_publish_more_than_a_client_may_have_under_way_gets_204() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.a);
    scene.world.set_application(subscriber, deaf(usize::MAX));
    scene.world.set_link_bytes_max(usize::MAX);
    let ids: Vec<_> = (0..=REQUESTS_PER_CLIENT_MAX).map(|_| scene.unicast(SECOND)).collect();
    scene.world.run_for(millis(50));
    let (last, rest) = ids.split_last().unwrap();
    assert!(!rest.iter().any(|&id| scene.has_ended(id)));
    assert_eq!(scene.code(*last), Code::Overloaded);
    assert_eq!(scene.reason(*last).0, Reason::TooManyRequests);
    scene.end();
}

/// SES-5: unicasts and multicasts of a client count together.
#[test]
fn publishes_of_both_modes_fill_what_a_client_may_have_under_way() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, deaf(usize::MAX));
    scene.world.limit_node(scene.a, |limits| limits.requests_per_client = 2);
    let held = [scene.unicast(SECOND), scene.multicast(SECOND)];
    scene.world.run_for(millis(50));
    let past = [scene.unicast(SECOND), scene.multicast(SECOND)];
    scene.world.run_for(millis(50));
    assert_eq!(held.map(|id| scene.has_ended(id)), [false; 2]);
    assert_eq!(past.map(|id| scene.code(id)), [Code::Overloaded; 2]);
    scene.end();
}

/// SES-5: whoever publishes, and in which mode.
#[test]
fn one_publish_more_than_a_node_may_have_under_way_gets_204_until_one_has_ended() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, deaf(usize::MAX));
    scene.world.limit_node(scene.a, |limits| limits.requests_per_node = 3);
    let other = scene.world.client("other.sdk.bank-a.amop", &[scene.a]);
    scene.world.run_for(millis(50));
    let of_other =
        |scene: &mut Scene, mode| scene.world.publish(other, mode, "t", Duration::from_secs(2));
    let first = scene.unicast(SECOND);
    let held = [Mode::Unicast, Mode::Multicast].map(|mode| of_other(&mut scene, mode));
    scene.world.run_for(millis(50));
    let past =
        [scene.unicast(SECOND), scene.multicast(SECOND), of_other(&mut scene, Mode::Unicast)];
    scene.world.run_for(millis(50));
    assert_eq!([first, held[0], held[1]].map(|id| scene.has_ended(id)), [false; 3]);
    for id in past {
        assert_eq!(
            (scene.code(id), scene.reason(id).0),
            (Code::Overloaded, Reason::TooManyRequests)
        );
    }
    scene.world.run_for(SECOND);
    assert!(scene.has_ended(first) && !scene.has_ended(held[0]) && !scene.has_ended(held[1]));
    let next = of_other(&mut scene, Mode::Unicast);
    scene.world.run_for(millis(10));
    let past = scene.unicast(SECOND);
    scene.world.run_for(millis(10));
    assert!(!scene.has_ended(next), "there is room again, for one");
    assert_eq!(scene.code(past), Code::Overloaded);
    scene.end();
}

/// SES-5: the limit is one of the instance, not of a link.
#[test]
fn a_client_that_connects_again_may_not_have_more_under_way() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.a);
    scene.world.set_application(subscriber, deaf(usize::MAX));
    scene.world.set_link_bytes_max(usize::MAX);
    let back = scene.world.client("back.sdk.bank-a.amop", &[scene.a]);
    scene.world.run_for(millis(50));
    let publish = |scene: &mut Scene| scene.world.publish(back, Mode::Unicast, "t", 2 * SECOND);
    for _ in 0..REQUESTS_PER_CLIENT_MAX {
        publish(&mut scene);
    }
    scene.world.run_for(millis(50));
    for notice in [millis(5), 6 * SECOND] {
        scene.world.cut_client(back, millis(5), notice);
        scene.world.run_for(millis(500));
        assert!(scene.world.is_connected(back));
        let id = publish(&mut scene);
        scene.world.run_for(millis(50));
        assert_eq!(scene.code(id), Code::Overloaded);
    }
    scene.world.run_for(2 * SECOND);
    let id = publish(&mut scene);
    scene.world.run_for(millis(50));
    assert!(!scene.has_ended(id), "there is room again");
    scene.end();
}
