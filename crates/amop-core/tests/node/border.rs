//! Which announcements a node believes, and what it costs to find out.

use std::cell::RefCell;
use std::time::Duration;

use amop_core::node::{Input, Judge, LinkId, Node, Refusal};
use amop_topic_table::set_digest;
use amop_wire::{
    Announcement, AnnouncementChanges, AnnouncementHead, Chain, Epoch, Gen, Instance, Instant,
    Name, NodeId, PeerMessage, Seq, SignedHead, Subscriber, Topic, TopicChange, Version,
};

use Became::{All, Hint, Nothing};

/// Believes signatures that repeat the certificate and certificates that repeat the name, and
/// remembers what it was asked.
#[derive(Default)]
struct Asked(RefCell<Vec<&'static str>>);

impl Judge for Asked {
    fn certify(&self, chain: &Chain, name: &Name) -> Result<(), String> {
        self.0.borrow_mut().push("certify");
        let certified = chain.leaf().starts_with(name.as_bytes());
        if certified { Ok(()) } else { Err("another name".into()) }
    }

    fn is_signed(&self, leaf: &[u8], _: &[u8], signature: &[u8]) -> bool {
        self.0.borrow_mut().push("is_signed");
        leaf == signature
    }
}

/// What became of a message at the border.
#[derive(Debug, PartialEq)]
enum Became {
    Nothing,
    Hint,
    All,
    Refused(Refusal),
}

/// A node with one peer, that passes on what a third node announces.
struct Scene {
    node: Node,
    asked: Asked,
}

const PEER: LinkId = LinkId(1);
const ORIGIN: &str = "n1.node.bank-c.amop";
const OWN_KEY: &str = "n1.node.bank-a.amop/key 1";
const KEY: &str = "n1.node.bank-c.amop/key 1";
const NEXT_KEY: &str = "n1.node.bank-c.amop/key 2";

impl Scene {
    fn new() -> Self {
        let node = Node::new("n1.node.bank-a.amop".parse().unwrap(), Epoch(1), [0; 32]);
        let mut scene = Self { node, asked: Asked::default() };
        let name = "n1.node.bank-b.amop".parse().unwrap();
        scene.handle(Input::PeerUp { link: PEER, name, dialed: true });
        scene.hand_in(&PeerMessage::Greeting(Epoch(1)));
        scene
    }

    /// A node that holds this version.
    fn holding(epoch: u64, seq: u64) -> Self {
        let mut scene = Self::new();
        scene.summary(epoch, seq);
        scene.hand_in(&snapshot(epoch, seq, KEY, KEY));
        assert_eq!(scene.held(), Some(version(epoch, seq)));
        scene.asked.0.take();
        scene
    }

    fn handle(&mut self, input: Input) {
        self.node.handle(Instant::default(), input);
        while self.node.poll_effect().is_some() {}
    }

    /// Hands in what is admitted of a message; answers that, and what was asked about it.
    fn hand_in(&mut self, message: &PeerMessage) -> (Became, String) {
        let admitted = self.node.admit(message.clone(), &self.asked);
        let asked = self.asked.0.take().join(" ");
        let became = match admitted {
            Ok(None) => Nothing,
            Ok(Some(admitted)) => {
                let became = if admitted == *message { All } else { Hint };
                self.handle(Input::Peer { link: PEER, message: admitted });
                became
            }
            Err(refused) => {
                assert_eq!(refused.origin.as_dns(), ORIGIN);
                Became::Refused(refused.why)
            }
        };
        (became, asked)
    }

    /// The peer says that it has this version.
    fn summary(&mut self, epoch: u64, seq: u64) {
        self.hand_in(&PeerMessage::Summary(vec![(origin(), version(epoch, seq))]));
    }

    fn held(&self) -> Option<Version> {
        self.node.table().version_of(origin())
    }
}

/// SEQ-10
#[test]
fn a_snapshot_is_judged_by_the_certificates_that_come_with_it() {
    let mut scene = Scene::new();
    scene.summary(1, 1);
    let other = "n1.node.bank-b.amop/key 1";
    let refused =
        (Became::Refused(Refusal::Certificate("another name".into())), "certify".to_owned());
    assert_eq!(scene.hand_in(&snapshot(1, 1, other, other)), refused);
    let refused = (Became::Refused(Refusal::Signature), "certify is_signed".to_owned());
    assert_eq!(scene.hand_in(&snapshot(1, 1, KEY, other)), refused);
    assert_eq!(scene.held(), None);
    let admitted = (All, "certify is_signed".to_owned());
    assert_eq!(scene.hand_in(&snapshot(1, 1, KEY, KEY)), admitted);
    assert_eq!(scene.held(), Some(version(1, 1)));
}

/// SEQ-10: one signature for each change, and certificates once.
#[test]
fn changes_are_judged_by_the_certificate_that_is_held() {
    let mut scene = Scene::holding(1, 1);
    let refused = (Became::Refused(Refusal::Signature), "is_signed".to_owned());
    assert_eq!(scene.hand_in(&changes(1, 2, NEXT_KEY)), refused);
    assert_eq!(scene.hand_in(&changes(1, 2, KEY)), (All, "is_signed".to_owned()));
    assert_eq!(scene.held(), Some(version(1, 2)));
    scene.summary(1, 3);
    let snapshot = snapshot(1, 3, KEY, KEY);
    assert_eq!(scene.hand_in(&snapshot), (All, "is_signed".to_owned()));
    assert_eq!(scene.held(), Some(version(1, 3)));
}

/// SEQ-13: every peer passes on every change, so most of them are known already.
#[test]
fn what_is_known_already_or_was_not_asked_for_costs_no_judgement() {
    let mut scene = Scene::holding(2, 2);
    let nothing = (Nothing, String::new());
    assert_eq!(scene.hand_in(&changes(1, 9, KEY)), nothing, "of an earlier life");
    assert_eq!(scene.hand_in(&changes(2, 1, KEY)), nothing, "of an earlier version");
    assert_eq!(scene.hand_in(&snapshot(2, 3, KEY, KEY)), nothing, "nobody asked");
    let held = scene.node.table().announcement(origin()).unwrap().signed().clone();
    let repeated = AnnouncementChanges::new(Seq(1), held, None, Vec::new());
    assert_eq!(scene.hand_in(&PeerMessage::Changes(repeated)), nothing, "of this very version");
    assert_eq!(scene.hand_in(&contradiction(2, 2)), (All, "is_signed".to_owned()));
    assert_eq!(scene.held(), Some(version(2, 2)));
}

/// SEQ-10
#[test]
fn changes_that_cannot_be_judged_count_as_a_hint_that_there_is_something_to_pull() {
    let mut scene = Scene::new();
    assert_eq!(scene.hand_in(&changes(1, 2, KEY)), (Hint, String::new()));
    assert!(scene.node.table().is_pulling(origin()));
    assert_eq!(scene.held(), None);

    let mut scene = Scene::holding(1, 1);
    let hint = (Hint, "is_signed".to_owned());
    assert_eq!(scene.hand_in(&changes(2, 2, NEXT_KEY)), hint, "it may have another key now");
    assert!(scene.node.table().is_pulling(origin()));
    let admitted = (All, "certify is_signed".to_owned());
    assert_eq!(scene.hand_in(&snapshot(2, 2, NEXT_KEY, NEXT_KEY)), admitted);
    assert_eq!(scene.hand_in(&changes(2, 3, NEXT_KEY)), (All, "is_signed".to_owned()));
    let refused = (Became::Refused(Refusal::Signature), "is_signed".to_owned());
    assert_eq!(scene.hand_in(&changes(2, 4, KEY)), refused, "the key of the life before");
}

/// SEQ-9: what a node says goes round, and comes back to it; only a later life of its own, signed
/// with its own key, means anything to it.
#[test]
fn a_node_heeds_what_it_announces_itself_only_if_it_is_of_a_later_life_and_truly_its_own() {
    let mut scene = Scene::new();
    let own = |epoch: u64, certificate: &'static str, key: &'static str| {
        let name: Name = "n1.node.bank-a.amop".parse().unwrap();
        let signed = signed(name, version(epoch, 9), key, &[]);
        let changes = AnnouncementChanges::new(Seq(1), signed.clone(), None, Vec::new());
        let snapshot = Announcement::new(signed, chain(certificate), Vec::new(), Vec::new());
        [PeerMessage::Changes(changes), PeerMessage::Snapshot(snapshot)]
    };
    let epoch = |scene: &Scene| scene.node.table().own_version().epoch;
    for message in own(0, OWN_KEY, OWN_KEY) {
        assert_eq!(scene.node.admit(message, &scene.asked), Ok(None), "of an earlier life");
    }
    let [changes, _] = own(9, OWN_KEY, OWN_KEY);
    assert_eq!(scene.node.admit(changes, &scene.asked), Ok(None), "it names no certificate");
    for (certificate, key) in [(KEY, KEY), (OWN_KEY, KEY)] {
        let [_, forged] = own(9, certificate, key);
        assert!(scene.node.admit(forged, &scene.asked).is_err(), "{certificate} {key}");
    }
    scene.handle(Input::Peer {
        link: PEER,
        message: PeerMessage::Summary(vec![(own_id(), version(9, 9))]),
    });
    assert_eq!(epoch(&scene), Epoch(1), "the word of a peer proves nothing");

    let [_, later] = own(9, OWN_KEY, OWN_KEY);
    let message = scene.node.admit(later, &scene.asked).unwrap().expect("it is our own");
    scene.handle(Input::Peer { link: PEER, message });
    assert_eq!(epoch(&scene), Epoch(10));
}

/// SEQ-9: two lives may have begun with one epoch.
#[test]
fn a_greater_seq_or_another_digest_is_of_another_life_just_as_a_greater_epoch_is() {
    let name: Name = "n1.node.bank-a.amop".parse().unwrap();
    let shown = |seq: u64, topics: &[(Topic, Vec<Subscriber>)], key: &'static str| {
        let signed = signed(name.clone(), version(1, seq), key, topics);
        let changes = AnnouncementChanges::new(Seq(seq), signed.clone(), None, Vec::new());
        let snapshot = Announcement::new(signed, chain(OWN_KEY), Vec::new(), Vec::new());
        [PeerMessage::Changes(changes), PeerMessage::Snapshot(snapshot)]
    };
    let scene = || {
        let mut scene = Scene::new();
        scene.handle(Input::EndOfBatch);
        let (signature, chain) = (OWN_KEY.into(), chain(OWN_KEY));
        scene.handle(Input::Signed { signature, chain });
        assert_eq!(scene.node.table().own_version(), version(1, 1));
        scene
    };
    for form in [0, 1] {
        for (seq, topics) in [(2, topics(1)), (1, topics(1)), (1, topics(9))] {
            let mut scene = scene();
            let message = shown(seq, &topics, OWN_KEY)[form].clone();
            let message = scene.node.admit(message, &scene.asked).unwrap().expect("it is our own");
            scene.handle(Input::Peer { link: PEER, message });
            assert_eq!(scene.node.table().own_version().epoch, Epoch(2), "{seq}");
        }
        let scene = scene();
        let earlier = shown(0, &topics(1), OWN_KEY)[form].clone();
        assert_eq!(scene.node.admit(earlier, &scene.asked), Ok(None));
        let forged = shown(2, &topics(1), KEY)[form].clone();
        assert!(!matches!(scene.node.admit(forged, &scene.asked), Ok(Some(_))));
    }
    let own = scene().node.table().announcement(own_id()).unwrap();
    let changes = AnnouncementChanges::new(Seq(0), own.signed().clone(), None, Vec::new());
    for message in [PeerMessage::Changes(changes), PeerMessage::Snapshot(own)] {
        let scene = scene();
        assert_eq!(scene.node.admit(message, &scene.asked), Ok(None), "it has gone round");
    }
}

/// SEQ-14: links may outlast a process that stands still, and what they bring then comes after the timer.
#[test]
fn a_node_that_stood_still_hears_its_peers_before_it_takes_them_for_silent() {
    let peer: Name = "n1.node.bank-b.amop".parse().unwrap();
    let key = "n1.node.bank-b.amop/key 1";
    let (neighbours, version) = (vec![own_id()], version(1, 1));
    let digest = set_digest(&neighbours, &topics(1)).unwrap();
    let head = AnnouncementHead { name: peer.clone(), version, digest };
    let announcement =
        Announcement::new(SignedHead::new(head, key.into()), chain(key), neighbours, topics(1));
    for (stands_still, is_heard) in [(true, true), (false, false)] {
        let mut scene = Scene::new();
        scene.hand_in(&PeerMessage::Summary(vec![(NodeId::of(&peer), version)]));
        scene.hand_in(&PeerMessage::Snapshot(announcement.clone()));
        scene.handle(Input::EndOfBatch);
        let span = if stands_still { 300 } else { 5 };
        for at in (0..=300).step_by(span).map(Duration::from_secs) {
            for input in [Input::Timeout, Input::EndOfBatch] {
                scene.node.handle(Instant::default() + at, input);
                while scene.node.poll_effect().is_some() {}
            }
        }
        let subscribers = scene.node.table().spread(&"t".parse().unwrap());
        assert_eq!(!subscribers.is_empty(), is_heard, "stands still: {stands_still}");
    }
}

/// One subscriber for each seq.
fn topics(seq: u64) -> Vec<(Topic, Vec<Subscriber>)> {
    vec![("t".parse().unwrap(), (1..=seq).map(subscriber).collect())]
}

fn subscriber(instance: u64) -> Subscriber {
    Subscriber { instance: Instance(instance), generation: Gen(1) }
}

fn snapshot(epoch: u64, seq: u64, certificate: &'static str, key: &'static str) -> PeerMessage {
    let topics = topics(seq);
    let signed = signed(ORIGIN.parse().unwrap(), version(epoch, seq), key, &topics);
    PeerMessage::Snapshot(Announcement::new(signed, chain(certificate), Vec::new(), topics))
}

/// To this version from the one before.
fn changes(epoch: u64, seq: u64, key: &'static str) -> PeerMessage {
    let change =
        TopicChange { topic: "t".parse().unwrap(), subscriber: subscriber(seq), removed: false };
    let signed = signed(ORIGIN.parse().unwrap(), version(epoch, seq), key, &topics(seq));
    PeerMessage::Changes(AnnouncementChanges::new(Seq(seq - 1), signed, None, vec![change]))
}

/// Says that nothing is subscribed at this version.
fn contradiction(epoch: u64, seq: u64) -> PeerMessage {
    let signed = signed(ORIGIN.parse().unwrap(), version(epoch, seq), KEY, &[]);
    PeerMessage::Changes(AnnouncementChanges::new(Seq(seq - 1), signed, None, Vec::new()))
}

fn signed(
    name: Name,
    version: Version,
    key: &'static str,
    topics: &[(Topic, Vec<Subscriber>)],
) -> SignedHead {
    let digest = set_digest(&[], topics).unwrap();
    SignedHead::new(AnnouncementHead { name, version, digest }, key.into())
}

fn chain(certificate: &'static str) -> Chain {
    Chain::new(vec![certificate.into()]).unwrap()
}

fn version(epoch: u64, seq: u64) -> Version {
    Version { epoch: Epoch(epoch), seq: Seq(seq) }
}

fn origin() -> NodeId {
    NodeId::of(&ORIGIN.parse().unwrap())
}

fn own_id() -> NodeId {
    NodeId::of(&"n1.node.bank-a.amop".parse().unwrap())
}
