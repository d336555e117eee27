//! Topic tables: SEQ.

use std::time::Duration;

use amop_wire::Seq;

use crate::scene::{SECOND, Scene, millis};

/// SEQ-3
#[test]
fn a_subscription_is_known_at_the_other_node_without_waiting_for_a_heartbeat() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    assert_eq!(scene.known(scene.a), 1, "100 ms after the subscribe");
    scene.end();
}

/// SEQ-1: the empty set is a change like any other.
#[test]
fn the_last_unsubscribe_is_known_at_the_other_node() {
    let mut scene = Scene::new();
    let client = scene.subscriber(scene.b);
    scene.world.unsubscribe(client, "t");
    scene.world.run_for(millis(100));
    assert_eq!(scene.known(scene.a), 0);
    scene.end();
}

/// SEQ-3: a storm of changes is gathered.
#[test]
fn a_change_soon_after_another_is_pushed_20_ms_later() {
    let mut scene = Scene::new();
    let client = scene.subscriber(scene.b);
    for round in 0..10 {
        scene.world.subscribe(client, &format!("t{round}"));
        scene.world.run_for(millis(1));
    }
    scene.world.run_for(millis(50));
    let version = scene.world.node_core(scene.b).table().own_version();
    assert_eq!(version.seq, Seq(11));
    let b = scene.world.node_core(scene.b).id();
    assert_eq!(scene.world.node_core(scene.a).table().version_of(b), Some(version));
    scene.end();
}

/// SEQ-4, SEQ-6: what was missed while the link was down is fetched when it is back.
#[test]
fn what_changed_while_a_link_was_down_is_known_when_it_is_back() {
    let mut scene = Scene::new();
    let gone = scene.subscriber(scene.b);
    scene.world.cut(scene.a, scene.b, millis(5));
    scene.world.run_for(millis(50));
    assert_eq!(scene.known(scene.a), 0, "nothing is known of a node that nobody can reach");
    scene.subscriber(scene.b);
    scene.world.unsubscribe(gone, "t");
    scene.world.run_for(millis(50));
    scene.world.link(scene.b, scene.a);
    scene.world.run_for(millis(50));
    assert_eq!(scene.known(scene.a), 1);
    assert_eq!(scene.known(scene.b), 1);
    scene.end();
}

/// SEQ-2: the new life's seq is one that the old life had reached before.
#[test]
fn a_restarted_node_is_not_taken_for_its_old_news() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    assert_eq!(scene.world.node_core(scene.b).table().own_version().seq, Seq(1));
    // The other end still believes in the old link when the new one is up.
    scene.world.crash(scene.b, Duration::from_secs(6));
    scene.world.restart(scene.b);
    let other = scene.world.client("other.sdk.bank-b.amop", &[scene.b]);
    scene.world.subscribe(other, "u");
    scene.world.run_for(millis(50));
    assert_eq!(scene.world.node_core(scene.b).table().own_version().seq, Seq(1));
    scene.world.link(scene.b, scene.a);
    scene.world.run_for(millis(100));
    let b = scene.world.node_core(scene.b).id();
    let known = scene.world.node_core(scene.a).table().version_of(b).unwrap();
    assert_eq!(known, scene.world.node_core(scene.b).table().own_version());
    assert_eq!(scene.world.node_core(scene.a).table().spread(&"u".parse().unwrap()).len(), 1);
    scene.world.run_for(8 * SECOND);
    assert_eq!(
        scene.world.node_core(scene.a).peers().count(),
        1,
        "the end of the old link does not end the new one"
    );
    scene.end();
}
