//! A relay that alters what it passes on: nobody believes it, and the truth is believed from it too.

use amop_core::node::Refusal;
use amop_sim::{ClientId, StrangerId};
use amop_wire::{Announcement, AnnouncementChanges, NodeId, PeerMessage, Topic, TopicChange};

use crate::forgeries::{NEAR, greet, held_of, id, refusals, sign, version};
use crate::scene::{SECOND, Scene, millis};

/// SEQ-12
#[test]
fn what_a_relay_alters_is_not_believed_and_the_truth_is_once_it_is_told() {
    let mut middle = Middle::new();
    let honest = middle.changes_after("t");
    let (signed, from) = (honest.signed().clone(), honest.from_seq());
    let change = |topic: &str, removed| TopicChange {
        topic: topic.parse().unwrap(),
        subscriber: honest.changes()[0].subscriber,
        removed,
    };
    let changes = |neighbours, changes: Vec<TopicChange>| {
        let changes = AnnouncementChanges::new(from, signed.clone(), neighbours, changes);
        PeerMessage::Changes(changes)
    };
    let alterations = [
        changes(None, vec![]),
        changes(None, vec![change("t", true)]),
        changes(None, vec![change("bait", false)]),
        changes(Some(vec![]), vec![change("t", false)]),
        changes(None, vec![change("t", false), change("bait", false)]),
    ];
    let pulls = middle.pulls();
    for altered in &alterations {
        middle.say_to_a(altered);
        assert_eq!(middle.known_at_a("t") + middle.known_at_a("bait"), 0, "{altered:?}");
    }
    // What it altered has cost it a pull: it gives back only a part of the truth, then all of it.
    assert_eq!(middle.pulls(), pulls + 1);
    let whole = middle.pulled_from_b();
    let (signed, chain) = (whole.signed().clone(), whole.chain().clone());
    let neighbours = whole.neighbours().to_vec();
    let truncated = Announcement::new(signed, chain, neighbours, Vec::new());
    middle.say_to_a(&PeerMessage::Snapshot(truncated));
    assert_eq!(middle.known_at_a("t"), 0);
    let expected = vec![("n1.node.bank-b.amop".to_owned(), Refusal::Altered); 6];
    assert_eq!(refusals(&middle.scene, middle.scene.a), expected);

    middle.say_to_a(&PeerMessage::Changes(honest));
    assert_eq!(middle.known_at_a("t"), 1);
    assert_eq!(middle.scene.world.close_reason(middle.at_a), None);
    middle.scene.end();
}

/// SEQ-10: who has no certificates for changes asks for them, which is what a snapshot is for.
#[test]
fn changes_of_a_node_without_certificates_cause_a_pull_and_are_believed_by_that() {
    let mut middle = Middle::new();
    middle.scene.world.crash(middle.scene.a, millis(5));
    middle.scene.world.restart(middle.scene.a);
    middle.at_a = middle.scene.world.stranger(RELAY, middle.scene.a);
    middle.introduce(middle.at_a);
    let honest = middle.changes_after("t");
    middle.say_to_a(&PeerMessage::Changes(honest));
    assert_eq!(middle.pulls(), 1);
    assert_eq!(middle.known_at_a("t"), 0);
    let whole = middle.pulled_from_b();
    middle.say_to_a(&PeerMessage::Snapshot(whole));
    assert_eq!(middle.known_at_a("t"), 1);
    assert_eq!(middle.scene.world.refused(middle.scene.a), []);
    middle.scene.end();
}

/// Two nodes with a relay between them, as which a test speaks at both ends.
struct Middle {
    scene: Scene,
    at_a: StrangerId,
    at_b: StrangerId,
    subscriber: ClientId,
}

impl Middle {
    /// Each knows of the other, by way of the relay, and nothing is subscribed.
    fn new() -> Self {
        let mut scene = Scene::new();
        let subscriber = scene.world.client("sub.sdk.bank-b.amop", &[scene.b]);
        scene.world.cut(scene.a, scene.b, millis(5));
        scene.world.run_for(SECOND);
        let at_a = scene.world.stranger(RELAY, scene.a);
        let at_b = scene.world.stranger(RELAY, scene.b);
        let mut middle = Self { scene, at_a, at_b, subscriber };
        middle.introduce(at_a);
        middle.introduce(at_b);
        let of_b = middle.pulled_from_b();
        middle.say_to_a(&PeerMessage::Summary(vec![(middle.b_id(), of_b.version())]));
        middle.say_to_a(&PeerMessage::Snapshot(of_b.clone()));
        let (a, b) = (middle.scene.a, middle.scene.b);
        assert_eq!(held_of(&middle.scene.world, a, b), Some(of_b.version()));
        middle
    }

    /// The relay announces itself over one of its links.
    fn introduce(&mut self, over: StrangerId) {
        let (version, neighbours) = (version(1, 1), vec![id(NEAR), self.b_id()]);
        greet(&mut self.scene, over, RELAY, version);
        let signed = sign(&self.scene, over, RELAY, version, &neighbours, &[]);
        let chain = self.scene.world.certificate(RELAY);
        let announcement = Announcement::new(signed, chain, neighbours, Vec::new());
        self.scene.world.say(over, &PeerMessage::Snapshot(announcement));
        self.scene.world.run_for(millis(50));
    }

    /// What the second node tells of this subscription, and the first does not hear.
    fn changes_after(&mut self, topic: &str) -> AnnouncementChanges {
        self.scene.world.subscribe(self.subscriber, topic);
        self.scene.world.run_for(millis(100));
        let told = self.scene.world.told_peer(self.at_b);
        let changes = told.iter().rev().find_map(|message| match message {
            PeerMessage::Changes(changes) => Some(changes.clone()),
            _ => None,
        });
        changes.expect("it was pushed")
    }

    fn pulled_from_b(&mut self) -> Announcement {
        self.scene.world.say(self.at_b, &PeerMessage::Pull(self.b_id()));
        self.scene.world.run_for(millis(50));
        match self.scene.world.told_peer(self.at_b).last() {
            Some(PeerMessage::Snapshot(announcement)) => announcement.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn say_to_a(&mut self, message: &PeerMessage) {
        self.scene.world.say(self.at_a, message);
        self.scene.world.run_for(millis(10));
    }

    /// How often the first node asked the relay for what the second announces.
    fn pulls(&self) -> usize {
        let pull = PeerMessage::Pull(self.b_id());
        self.scene.world.told_peer(self.at_a).iter().filter(|told| **told == pull).count()
    }

    fn known_at_a(&self, topic: &str) -> usize {
        let topic: Topic = topic.parse().unwrap();
        self.scene.world.node_core(self.scene.a).table().spread(&topic).len()
    }

    fn b_id(&self) -> NodeId {
        self.scene.world.node_core(self.scene.b).id()
    }
}

/// The node that alters what it passes on.
const RELAY: &str = "relay.node.bank-c.amop";
