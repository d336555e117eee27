//! Signs of life: SEQ-14, and what is remembered of nodes that give none: SEQ-6.

use amop_sim::{NodeId, StrangerId, World};
use amop_wire::{
    Announcement, AnnouncementChanges, Epoch, Message, NodeId as Id, PeerMessage, Seq, Version,
};
use bytes::BytesMut;

use crate::forgeries::{NEAR, greet, id, sign, version};
use crate::net::Net;
use crate::scene::{SECOND, Scene, millis};

/// SEQ-14: what a node signed last proves for a while that it lives, but not for ever.
#[test]
fn who_says_to_be_linked_with_a_dead_node_cannot_keep_it_among_the_living() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    let at_victim = scene.world.stranger(LIAR, scene.b);
    greet(&mut scene, at_victim, LIAR, version(1, 0));
    let liar = scene.world.stranger(LIAR, scene.a);
    greet(&mut scene, liar, LIAR, version(1, 1));
    let neighbours = vec![id(NEAR), id(VICTIM)];
    let signed = sign(&scene, liar, LIAR, version(1, 1), &neighbours, &[]);
    let chain = scene.world.certificate(LIAR);
    let announcement = Announcement::new(signed, chain, neighbours.clone(), Vec::new());
    scene.world.say(liar, &PeerMessage::Snapshot(announcement));
    scene.world.run_for(SECOND);
    let last = scene.world.node_core(scene.a).table().announcement(id(VICTIM)).unwrap();
    scene.world.crash(scene.b, millis(5));

    for tens in 1..100 {
        scene.world.run_for(10 * SECOND);
        live_on(&mut scene, liar, tens, &neighbours);
        let ahead = Version { seq: Seq(1000 + tens), ..last.version() };
        for version in [last.version(), ahead] {
            scene.world.say(liar, &PeerMessage::Summary(vec![(id(VICTIM), version)]));
            scene.world.run_for(millis(10));
            scene.world.say(liar, &PeerMessage::Snapshot(last.clone()));
        }
        scene.world.run_for(millis(10));
        match tens {
            ..=19 => assert_eq!(scene.known(scene.a), 1, "it may live: {tens}"),
            20 => {}
            21.. => assert_eq!(scene.known(scene.a), 0, "{tens}"),
        }
    }
    assert_eq!(scene.world.close_reason(liar), None, "it announces what it wants of itself");

    scene.world.restart(scene.b);
    scene.world.link(scene.b, scene.a);
    scene.world.run_for(SECOND);
    let client = scene.world.client("new.sdk.bank-b.amop", &[scene.b]);
    scene.world.subscribe(client, "t");
    scene.world.run_for(SECOND);
    assert_eq!(scene.known(scene.a), 2, "the one that came back with its node, and this one");
    scene.end();
}

/// SEQ-14: one frame of a few hundred bytes a minute from each node over each link.
#[test]
fn in_a_quiet_network_everybody_stays_known_and_that_costs_little() {
    let mut net = Net::new(&[(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]);
    let watcher = net.world.stranger(LIAR, net.nodes[0]);
    net.world.say(watcher, &PeerMessage::Greeting(Epoch(1)));
    net.world.run_for(SECOND);
    let before = net.world.told_peer(watcher).len();
    for _ in 0..10 {
        net.world.run_for(60 * SECOND);
        assert_eq!(net.world.wrong_views(), [] as [String; 0]);
    }
    let told = &net.world.told_peer(watcher)[before..];
    let signs: Vec<_> =
        told.iter().filter(|message| matches!(message, PeerMessage::Changes(_))).collect();
    // Five nodes for ten minutes, once in 45 to 60 s.
    assert!((5 * 9..=5 * 14).contains(&signs.len()), "{}", signs.len());
    for sign in signs {
        let mut header = BytesMut::new();
        sign.put_header(&mut header);
        assert!(header.len() < 400, "{} bytes", header.len());
    }
    let pulls = told.iter().filter(|message| matches!(message, PeerMessage::Pull(_))).count();
    assert_eq!(pulls, 0, "nobody lacked anything");
    net.end();
}

/// SEQ-14
#[test]
fn a_node_that_did_not_run_for_long_knows_everybody_soon_after() {
    let mut net = Net::new(&[]);
    net.nodes = (1..4).map(|n| net.world.node(&format!("n{n}.node.bank.amop"))).collect();
    for pair in [(0, 1), (1, 2)] {
        net.world.keep_linked(net.nodes[pair.0], net.nodes[pair.1]);
    }
    net.world.run_for(SECOND);
    net.world.pause(net.nodes[0], 300 * SECOND);
    net.world.run_for(302 * SECOND);
    assert_eq!(net.world.wrong_views(), [] as [String; 0]);
}

/// SEQ-6, SEQ-9: the node before it has forgotten it; those behind have not, but no path leads there.
#[test]
fn a_lost_epoch_is_told_by_whoever_remembers_the_last_life_however_far_away() {
    let mut world = World::new(11);
    let line = [0, 1, 2, 3].map(|n| world.node(&format!("n{n}.node.bank.amop")));
    for pair in line.windows(2) {
        world.keep_linked(pair[0], pair[1]);
    }
    world.run_for(SECOND);
    restart(&mut world, line[3], Epoch(9));
    world.run_for(3 * SECOND);
    world.crash(line[3], millis(10));
    world.run_for(SECOND);
    restart(&mut world, line[2], Epoch(2));
    world.run_for(250 * SECOND); // It has expired.
    world.restart_with(line[3], Epoch(5));
    let client = world.client("sub.sdk.bank.amop", &[line[3]]);
    world.subscribe(client, "t");
    world.run_for(11 * SECOND);
    assert_eq!(world.wrong_views(), [] as [String; 0]);
    assert!(world.node_core(line[3]).table().own_version().epoch > Epoch(9));
    world.check();
}

fn restart(world: &mut World, node: NodeId, epoch: Epoch) {
    world.crash(node, millis(10));
    world.run_for(millis(500));
    world.restart_with(node, epoch);
}

/// The liar gives a sign of life of its own.
fn live_on(scene: &mut Scene, liar: StrangerId, seq: u64, neighbours: &[Id]) {
    let signed = sign(scene, liar, LIAR, version(1, seq + 1), neighbours, &[]);
    let changes = AnnouncementChanges::new(Seq(seq), signed, None, Vec::new());
    scene.world.say(liar, &PeerMessage::Changes(changes));
}

const VICTIM: &str = "n1.node.bank-b.amop";

const LIAR: &str = "liar.node.bank-c.amop";
