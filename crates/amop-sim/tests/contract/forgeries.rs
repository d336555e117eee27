//! Announcements that are not what their node signed, old ones, and nodes that contradict
//! themselves: nobody believes them, and who is honest notices nothing.
//!
//! The liars are strangers: a test says word by word what they pass on. They can copy whatever
//! others signed, but sign only in their own name.

use amop_core::node::Refusal;
use amop_sim::{NodeId, StrangerId, World};
use amop_topic_table::set_digest;
use amop_wire::{
    Announcement, AnnouncementChanges, AnnouncementHead, CloseCode, Epoch, Gen, Instance,
    NodeId as Id, PeerMessage, Seq, SignedHead, Subscriber, Topic, TopicChange, Version,
};

use crate::scene::{SECOND, Scene, millis};

/// SEQ-2, SEQ-5
#[test]
fn a_peer_cannot_take_its_word_back_or_tell_what_nobody_asked_for() {
    let mut scene = Scene::new();
    let peer = scene.world.stranger(LIAR, scene.a);
    greet(&mut scene, peer, LIAR, version(2, 5));
    assert!(scene.world.told_peer(peer).contains(&PeerMessage::Pull(id(LIAR))), "it is behind");
    say_snapshot(&mut scene, peer, version(2, 5), &[7, 8]);
    assert_eq!(scene.known(scene.a), 2);

    say_snapshot(&mut scene, peer, version(2, 6), &[7, 8, 9]);
    assert_eq!(scene.known(scene.a), 2, "nobody asked");

    for (from, to) in [(Seq(5), version(1, 9)), (Seq(4), version(2, 5))] {
        let changes = departure(&scene, peer, from, to, &[8]);
        scene.world.say(peer, &changes);
    }
    scene.world.run_for(millis(10));
    assert_eq!(scene.known(scene.a), 2, "an earlier life, and an earlier version");

    scene.world.say(peer, &PeerMessage::Summary(vec![(id(LIAR), version(2, 7))]));
    let changes = departure(&scene, peer, Seq(5), version(2, 8), &[8]);
    scene.world.say(peer, &changes);
    say_snapshot(&mut scene, peer, version(2, 7), &[7, 8, 9]);
    assert_eq!(scene.known(scene.a), 1, "it was asked for, and is older than the change");
    scene.end();
}

/// SEQ-13: the other set under version 5 is as well signed as the first.
#[test]
fn who_signs_two_sets_under_one_version_is_held_to_the_first() {
    let mut scene = Scene::new();
    let peer = scene.world.stranger(LIAR, scene.a);
    greet(&mut scene, peer, LIAR, version(2, 5));
    say_snapshot(&mut scene, peer, version(2, 5), &[7, 8]);
    let changes = departure(&scene, peer, Seq(4), version(2, 5), &[8]);
    scene.world.say(peer, &changes);
    scene.world.say(peer, &PeerMessage::Summary(vec![(id(LIAR), version(2, 6))]));
    scene.world.run_for(millis(10));
    say_snapshot(&mut scene, peer, version(2, 5), &[9]);
    assert_eq!(scene.known(scene.a), 2);
    let expected = vec![(LIAR.to_owned(), Refusal::Contradicts); 2];
    assert_eq!(refusals(&scene, scene.a), expected);
    assert_eq!(scene.world.close_reason(peer), None, "its link is of use for others");

    let changes = departure(&scene, peer, Seq(5), version(2, 6), &[8]);
    scene.world.say(peer, &changes);
    scene.world.run_for(millis(10));
    assert_eq!(scene.known(scene.a), 1, "what follows on the first is taken");
    scene.end();
}

/// SEQ-7, LIMIT-1
#[test]
fn a_peer_that_announces_more_topics_than_it_may_is_closed() {
    let mut scene = Scene::new();
    let peer = scene.world.stranger(LIAR, scene.a);
    greet(&mut scene, peer, LIAR, version(1, 1));
    say_snapshot(&mut scene, peer, version(1, 1), &[7]);
    assert_eq!(scene.known(scene.a), 1);
    let change = |topic: u64| TopicChange {
        topic: format!("{topic:0>7}").parse().unwrap(),
        subscriber: subscriber(7),
        removed: false,
    };
    let signed = sign(&scene, peer, LIAR, version(1, 35_001), &[], &[]);
    let changes = (0..35_000).map(change).collect();
    let changes = AnnouncementChanges::new(Seq(1), signed, None, changes);
    scene.world.say(peer, &PeerMessage::Changes(changes));
    scene.world.run_for(millis(50));
    let reason = scene.world.close_reason(peer).expect("it was closed");
    assert_eq!(reason.code, CloseCode::Protocol);
    assert_eq!(scene.known(scene.a), 0, "nobody can be reached there");
    scene.subscriber(scene.b);
    assert_eq!(scene.known(scene.a), 1, "the others notice nothing");
    scene.end();
}

/// SEQ-8, SEQ-10: whoever is linked with us, about a node that is linked with us and about one that
/// is not.
#[test]
fn nobody_can_announce_in_the_name_of_another() {
    let mut scene = Scene::new();
    scene.subscriber(scene.b);
    let c = scene.world.node(FAR);
    scene.world.link(scene.b, c);
    scene.subscriber(c);
    assert_eq!(scene.known(scene.a), 2);
    let peer = scene.world.stranger(LIAR, scene.a);
    greet(&mut scene, peer, LIAR, version(1, 0));
    let mut expected = Vec::new();
    for (victim, dns) in [(scene.b, "n1.node.bank-b.amop"), (c, FAR)] {
        let held = scene.world.node_core(scene.a).table().announcement(id(dns)).unwrap();
        let (of_liar, of_victim) = (scene.world.certificate(LIAR), held.chain().clone());
        let later = Version { epoch: Epoch(u64::MAX), seq: Seq(9) };
        let next = Version { seq: Seq(held.version().seq.0 + 1), ..held.version() };
        let neighbours = vec![id(LIAR)];
        let forged = |version, signature: SignedHead| {
            let digest = set_digest(&neighbours, &[]).unwrap();
            let head = AnnouncementHead { name: dns.parse().unwrap(), version, digest };
            SignedHead::new(head, signature.signature().clone())
        };
        let by_liar = |version| sign(&scene, peer, dns, version, &neighbours, &[]);
        let copied = |version| forged(version, held.signed().clone());

        let mut lies = vec![PeerMessage::Summary(vec![(id(dns), later)])];
        for (signed, chain) in [
            (by_liar(later), of_liar.clone()),
            (by_liar(later), of_victim.clone()),
            (copied(later), of_victim.clone()),
        ] {
            let snapshot = Announcement::new(signed, chain, neighbours.clone(), Vec::new());
            lies.push(PeerMessage::Snapshot(snapshot));
        }
        for signed in [by_liar(next), copied(next)] {
            let (from, neighbours) = (held.version().seq, Some(neighbours.clone()));
            let changes = AnnouncementChanges::new(from, signed, neighbours, Vec::new());
            lies.push(PeerMessage::Changes(changes));
        }
        for lie in lies {
            scene.world.say(peer, &lie);
            scene.world.run_for(millis(10));
        }
        let text = format!("the certificate is not that of {}", held.name());
        expected.push((dns.to_owned(), Refusal::Certificate(text)));
        expected.extend(vec![(dns.to_owned(), Refusal::Signature); 4]);
        assert_eq!(refusals(&scene, scene.a), expected);
        assert_eq!(scene.world.node_core(scene.a).table().signed_by(id(dns)), Some(held.signed()));
        assert_eq!(scene.known(scene.a), 2);
        assert!(scene.world.is_up(victim));
    }
    assert_eq!(scene.world.close_reason(peer), None, "forgeries close no link");
    let id = scene.multicast(SECOND);
    scene.world.run_for(SECOND);
    assert_eq!(scene.receipt(id).acked, 2);
    scene.end();
}

/// SEQ-2: what a node said before is signed as well as what it says now.
#[test]
fn what_a_node_said_before_is_not_believed_again() {
    let mut scene = Scene::new();
    let client = scene.subscriber(scene.b);
    let peer = scene.world.stranger(LIAR, scene.a);
    greet(&mut scene, peer, LIAR, version(1, 0));
    let victim = id("n1.node.bank-b.amop");
    let snapshot = scene.world.node_core(scene.a).table().announcement(victim).unwrap();
    scene.world.unsubscribe(client, "t");
    scene.world.subscribe(client, "other");
    scene.world.run_for(millis(100));
    let is_changes = |message: &&PeerMessage| matches!(message, PeerMessage::Changes(_));
    let changes: Vec<PeerMessage> =
        scene.world.told_peer(peer).iter().filter(is_changes).cloned().collect();
    assert!(!changes.is_empty(), "they were passed on");
    let now = held_of(&scene.world, scene.a, scene.b);

    let replay = |scene: &mut Scene| {
        let ahead = Version { epoch: Epoch(u64::MAX), seq: Seq(0) };
        scene.world.say(peer, &PeerMessage::Summary(vec![(victim, ahead)]));
        scene.world.say(peer, &PeerMessage::Snapshot(snapshot.clone()));
        changes.iter().for_each(|changes| scene.world.say(peer, changes));
        scene.world.run_for(millis(50));
    };
    replay(&mut scene);
    assert_eq!(held_of(&scene.world, scene.a, scene.b), now);
    assert_eq!(scene.known(scene.a), 0);

    scene.world.crash(scene.b, millis(5));
    scene.world.run_for(millis(50));
    scene.world.restart(scene.b);
    scene.world.link(scene.b, scene.a);
    scene.world.run_for(SECOND);
    let now = held_of(&scene.world, scene.a, scene.b);
    replay(&mut scene);
    assert_eq!(held_of(&scene.world, scene.a, scene.b), now, "nor what an earlier life said");
    scene.end();
}

/// SEQ-4: a claim is nobody's signed word, and costs the honest no more than one timeout.
#[test]
fn who_says_that_it_has_more_and_never_answers_keeps_nobody_from_being_heard() {
    let mut scene = Scene::new();
    let peer = scene.world.stranger(LIAR, scene.a);
    greet(&mut scene, peer, LIAR, version(1, 0));
    let ahead = Version { epoch: Epoch(u64::MAX), seq: Seq(0) };
    let claim = PeerMessage::Summary(vec![(id(FAR), ahead)]);
    scene.world.say(peer, &claim);
    scene.world.run_for(millis(10));
    assert!(scene.world.told_peer(peer).contains(&PeerMessage::Pull(id(FAR))));
    let c = scene.world.node(FAR);
    let client = scene.world.client("sub.sdk.bank-d.amop", &[c]);
    scene.world.subscribe(client, "t");
    scene.world.link(scene.b, c);
    for _ in 0..10 {
        scene.world.say(peer, &claim);
        scene.world.run_for(millis(100));
    }
    assert_eq!(scene.known(scene.a), 1);
    scene.end();
}

/// SEQ-8: its own link is slow, and another leads there.
#[test]
fn a_neighbours_own_word_counts_by_whichever_way_it_comes() {
    let mut scene = Scene::new();
    let c = scene.world.node(FAR);
    scene.world.link(scene.a, c);
    scene.world.link(scene.b, c);
    scene.world.run_for(SECOND);
    scene.world.set_detour(scene.a, scene.b, 2 * SECOND);
    scene.subscriber(scene.b);
    assert_eq!(scene.known(scene.a), 1);
    assert_eq!(scene.world.refused(scene.a), []);
    scene.end();
}

/// Greets as a node, and says which version of its own announcement it has.
pub(crate) fn greet(scene: &mut Scene, peer: StrangerId, dns: &str, version: Version) {
    scene.world.say(peer, &PeerMessage::Greeting(version.epoch));
    scene.world.run_for(millis(5));
    scene.world.say(peer, &PeerMessage::Summary(vec![(id(dns), version)]));
    scene.world.run_for(millis(5));
}

/// Says that these instances subscribe to `t` at the liar.
fn say_snapshot(scene: &mut Scene, peer: StrangerId, version: Version, instances: &[u64]) {
    let (neighbours, topics) = (vec![id(NEAR)], topics(instances));
    let signed = sign(scene, peer, LIAR, version, &neighbours, &topics);
    let chain = scene.world.certificate(LIAR);
    let announcement = Announcement::new(signed, chain, neighbours, topics);
    scene.world.say(peer, &PeerMessage::Snapshot(announcement));
    scene.world.run_for(millis(10));
}

/// Says that instance 7 left `t`, whereupon these are left.
fn departure(scene: &Scene, peer: StrangerId, from: Seq, to: Version, left: &[u64]) -> PeerMessage {
    let change =
        TopicChange { topic: "t".parse().unwrap(), subscriber: subscriber(7), removed: true };
    let signed = sign(scene, peer, LIAR, to, &[id(NEAR)], &topics(left));
    PeerMessage::Changes(AnnouncementChanges::new(from, signed, None, vec![change]))
}

/// What a stranger signs, in whoever's name.
pub(crate) fn sign(
    scene: &Scene,
    peer: StrangerId,
    dns: &str,
    version: Version,
    neighbours: &[Id],
    topics: &[(Topic, Vec<Subscriber>)],
) -> SignedHead {
    let digest = set_digest(neighbours, topics).unwrap();
    scene.world.sign(peer, AnnouncementHead { name: dns.parse().unwrap(), version, digest })
}

fn topics(instances: &[u64]) -> Vec<(Topic, Vec<Subscriber>)> {
    vec![("t".parse().unwrap(), instances.iter().map(|&n| subscriber(n)).collect())]
}

fn subscriber(instance: u64) -> Subscriber {
    Subscriber { instance: Instance(instance), generation: Gen(1) }
}

/// What a node refused: of whom, and why.
pub(crate) fn refusals(scene: &Scene, node: NodeId) -> Vec<(String, Refusal)> {
    let refused = scene.world.refused(node).iter();
    refused.map(|(_, what)| (what.origin.as_dns().to_owned(), what.why.clone())).collect()
}

pub(crate) fn held_of(world: &World, at: NodeId, of: NodeId) -> Option<Version> {
    world.node_core(at).table().version_of(world.node_core(of).id())
}

pub(crate) fn version(epoch: u64, seq: u64) -> Version {
    Version { epoch: Epoch(epoch), seq: Seq(seq) }
}

pub(crate) fn id(dns: &str) -> Id {
    Id::of(&dns.parse().unwrap())
}

/// The first node of every scene.
pub(crate) const NEAR: &str = "n1.node.bank-a.amop";

/// A node that is linked with others only.
const FAR: &str = "n1.node.bank-d.amop";

/// The node that lies about itself or others.
const LIAR: &str = "liar.node.bank-c.amop";
