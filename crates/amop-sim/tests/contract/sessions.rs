//! Sessions and what clients do while they have none: SES.

use amop_wire::{Code, Mode, Reason};

use crate::scene::{SECOND, Scene, deaf, millis, slow};

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
    assert_eq!(scene.world.record().publication(id).code(), Code::Ok);
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
    assert_eq!(scene.world.record().publication(id).code(), Code::Ok);
    scene.world.run_for(8 * SECOND);
    assert_eq!(scene.known(scene.a), 1, "the end of the old link ends nothing new");
    scene.end();
}

/// SES-3: 99
#[test]
fn what_is_published_without_a_connection_waits_and_ends_with_99_at_the_deadline() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    let lonely = scene.world.client("lonely.sdk.bank-a.amop", &[]);
    let id = scene.world.publish(lonely, Mode::Unicast, "t", SECOND);
    scene.world.run_for(millis(990));
    assert!(scene.world.record().publication(id).ends.is_empty());
    scene.world.run_for(millis(20));
    assert_eq!(scene.world.record().publication(id).code(), Code::NotSent);
    assert_eq!(scene.reason(id), (Reason::NotConnected, 0));
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
    assert_eq!(scene.world.record().publication(id).code(), Code::Ok);
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
    assert_eq!(scene.world.record().publication(id).code(), Code::TimedOut);
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
    assert_eq!(scene.world.record().publication(id).code(), Code::Ok);
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
    assert_eq!(scene.world.record().publication(id).code(), Code::Ok);
    scene.end();
}

/// SES-5: 204 for the subscription.
#[test]
fn one_subscription_more_than_a_client_may_have_is_refused_and_the_others_stay() {
    use amop_wire::limits::SUBSCRIPTIONS_PER_CLIENT_MAX;
    let mut scene = Scene::new();
    let client = scene.world.client("many.sdk.bank-b.amop", &[scene.b]);
    scene.world.set_application(client, deaf(0));
    for topic in 0..=SUBSCRIPTIONS_PER_CLIENT_MAX {
        scene.world.subscribe(client, &format!("t{topic}"));
    }
    scene.world.run_for(SECOND);
    let seq = scene.world.node_core(scene.b).table().own_version().seq;
    assert_eq!(seq.0, SUBSCRIPTIONS_PER_CLIENT_MAX as u64);
    assert!(scene.world.is_connected(client));
    scene.end();
}
