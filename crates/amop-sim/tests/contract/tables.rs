//! Topic tables: SEQ.

use std::time::Duration;

use amop_sim::{NodeId, World};
use amop_wire::{Epoch, PeerMessage, Seq, Version};

use crate::scene::{SECOND, Scene, millis};

/// SEQ-3
#[test]
fn a_subscription_is_known_at_the_other_node_without_waiting_for_a_heartbeat() {
    let mut scene = Scene::new();
    scene.world.set_latency(millis(10), Duration::ZERO);
    let client = scene.world.client("sub.sdk.bank-b.amop", &[scene.b]);
    scene.world.run_for(millis(100));
    scene.world.subscribe(client, "t");
    scene.world.run_for(millis(41));
    assert_eq!(scene.known(scene.a), 1, "two ways of 10 ms, and 20 ms after the push before");
    scene.end();
}

/// SEQ-4: as long as nothing but heartbeats is lost, or nothing but a push.
#[test]
fn a_lost_push_is_repaired_by_the_next_heartbeat() {
    let mut scene = Scene::new();
    scene.world.set_control_bytes_max(0);
    scene.subscriber(scene.b);
    scene.world.set_control_bytes_max(usize::MAX);
    assert_eq!(scene.known(scene.a), 0, "the push was lost");
    scene.world.run_for(5 * SECOND + millis(10));
    assert_eq!(scene.known(scene.a), 1);
    scene.end();
}

/// SEQ-4: the next push tells that one is missing.
#[test]
fn a_lost_push_is_repaired_by_the_next_push() {
    let mut scene = Scene::new();
    scene.world.set_control_bytes_max(0);
    scene.subscriber(scene.b);
    scene.world.set_control_bytes_max(usize::MAX);
    scene.subscriber(scene.b);
    assert_eq!(scene.known(scene.a), 2);
    scene.end();
}

/// SEQ-4
#[test]
fn a_lost_pull_is_repeated_after_800_ms() {
    let mut scene = Scene::new();
    scene.world.set_control_bytes_max(0);
    let client = scene.subscriber(scene.b);
    (0..20).for_each(|n| scene.world.subscribe(client, &format!("t{n}")));
    // What fits are heartbeat and summary, but not what they make the other node ask for.
    scene.world.run_for(4 * SECOND);
    scene.world.set_control_bytes_max(200);
    scene.world.run_for(SECOND);
    scene.world.set_control_bytes_max(usize::MAX);
    assert_eq!(scene.known(scene.a), 0, "the answer was lost");
    scene.world.run_for(millis(810));
    assert_eq!(scene.known(scene.a), 1);
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

/// SEQ-1, SEQ-4: also when its push is lost.
#[test]
fn an_emptied_set_is_seen_by_the_heartbeat() {
    let mut scene = Scene::new();
    let client = scene.subscriber(scene.b);
    scene.world.set_control_bytes_max(0);
    scene.world.unsubscribe(client, "t");
    scene.world.run_for(millis(100));
    scene.world.set_control_bytes_max(usize::MAX);
    assert_eq!(scene.known(scene.a), 1, "the push was lost");
    scene.world.run_for(5 * SECOND + millis(10));
    assert_eq!(scene.known(scene.a), 0);
    scene.end();
}

/// SEQ-3: a storm of changes is gathered.
#[test]
fn a_change_soon_after_another_is_pushed_20_ms_later() {
    let mut scene = Scene::new();
    let client = scene.subscriber(scene.b);
    let watcher = scene.world.stranger("n9.node.bank-c.amop", scene.b);
    scene.world.say(watcher, &PeerMessage::Greeting(Epoch(1)));
    scene.world.run_for(millis(50));
    let is_push = |message: &&PeerMessage| matches!(message, PeerMessage::Changes(_));
    let pushes = |scene: &Scene| scene.world.told_peer(watcher).iter().filter(is_push).count();
    let before = (version(&scene.world, scene.b).seq, pushes(&scene));
    for round in 0..30 {
        scene.world.subscribe(client, &format!("t{round}"));
        scene.world.run_for(millis(1));
    }
    scene.world.run_for(millis(50));
    let version = version(&scene.world, scene.b);
    assert_eq!(version.seq, Seq(before.0.0 + 30));
    assert_eq!(held(&scene.world, scene.a, scene.b), Some(version));
    let pushes = pushes(&scene) - before.1;
    assert!((2..=3).contains(&pushes), "{pushes} pushes in 30 ms");
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
    let before = version(&scene.world, scene.b);
    // The other end still believes in the old link when the new one is up.
    scene.world.crash(scene.b, Duration::from_secs(6));
    scene.world.restart(scene.b);
    let other = scene.world.client("other.sdk.bank-b.amop", &[scene.b]);
    scene.world.subscribe(other, "u");
    scene.world.link(scene.b, scene.a);
    scene.world.run_for(millis(100));
    let version = version(&scene.world, scene.b);
    assert_eq!(version.seq, before.seq, "only the epoch tells them apart");
    assert_eq!(held(&scene.world, scene.a, scene.b), Some(version));
    assert_eq!(scene.world.node_core(scene.a).table().spread(&"u".parse().unwrap()).len(), 1);
    scene.world.run_for(8 * SECOND);
    assert_eq!(
        scene.world.node_core(scene.a).peers().count(),
        1,
        "the end of the old link does not end the new one"
    );
    scene.end();
}

/// SEQ-4: a summary of everything would cost more than what is new.
#[test]
fn others_are_told_of_what_was_pulled_and_of_nothing_else() {
    let mut scene = Scene::new();
    let watcher = scene.world.stranger("n9.node.bank-c.amop", scene.a);
    scene.world.say(watcher, &PeerMessage::Greeting(Epoch(1)));
    scene.world.run_for(millis(50));
    let told = |scene: &Scene| scene.world.told_peer(watcher).len();
    let before = told(&scene);
    let c = scene.world.node("n3.node.bank-c.amop");
    scene.world.link(c, scene.b);
    scene.world.run_for(millis(200));
    let news = &scene.world.told_peer(watcher)[before..];
    let summaries: Vec<_> = news
        .iter()
        .filter_map(|message| match message {
            PeerMessage::Summary(entries) => Some(entries.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(summaries, [[(scene.world.id_of(c), version(&scene.world, c))]]);
    scene.end();
}

/// SEQ-4, SEQ-6: first only the small announcement of the far node has room.
#[test]
fn what_was_pulled_before_a_path_led_there_is_told_once_one_does() {
    let mut scene = Scene::new();
    let [c, d] = ["n3.node.bank-c.amop", "n4.node.bank-d.amop"].map(|dns| scene.world.node(dns));
    let client = scene.world.client("many.sdk.bank-c.amop", &[c]);
    (0..50).for_each(|n| scene.world.subscribe(client, &format!("t{n}")));
    scene.world.link(c, d);
    scene.world.run_for(millis(100));
    scene.world.set_control_bytes_max(1000);
    scene.world.link(c, scene.b);
    scene.world.run_for(millis(200));
    assert!(held(&scene.world, scene.b, d).is_some());
    assert_eq!(held(&scene.world, scene.b, c), None);
    assert_eq!(held(&scene.world, scene.a, d), None);
    scene.world.set_control_bytes_max(usize::MAX);
    scene.world.run_for(SECOND);
    for of in [c, d] {
        let held = held(&scene.world, scene.a, of);
        assert_eq!(held, Some(version(&scene.world, of)), "without a heartbeat");
    }
    scene.end();
}

fn version(world: &World, of: NodeId) -> Version {
    world.node_core(of).table().own_version()
}

fn held(world: &World, at: NodeId, of: NodeId) -> Option<Version> {
    world.node_core(at).table().version_of(world.node_core(of).id())
}
