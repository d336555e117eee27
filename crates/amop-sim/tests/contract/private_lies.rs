//! Who does not keep the rules of private topics: not a word is read, and nobody is verified who should not be.

use amop_sim::{ClientId, StrangerId};
use amop_wire::{
    ClientHandshake, ClientMessage, Code, Epoch, Instance, Message, NodeMessage, PeerHandshake,
    PeerMessage, Topic,
};
use bytes::Bytes;

use crate::scene::{SECOND, Scene, millis};

fn topic() -> Topic {
    "t".parse().unwrap()
}

/// A scene with a publisher at `a` that lets key 1 in, and a holder of it at `b`.
fn verified() -> (Scene, ClientId) {
    let mut scene = Scene::new();
    scene.world.allow(scene.publisher, "t", &[1]);
    let alice = scene.world.client("alice.sdk.bank-b.amop", &[scene.b]);
    scene.world.subscribe_private(alice, "t", 1);
    scene.world.run_for(millis(200));
    assert_eq!(scene.world.verified(scene.publisher, "t"), [scene.world.instance(alice)]);
    (scene, alice)
}

impl Scene {
    /// A client at the publisher's own node that subscribes to `t`.
    fn mallory(&mut self) -> StrangerId {
        let mallory = self.world.stranger("mallory.sdk.bank-a.amop", self.a);
        self.world.attach(mallory, MALLORY.0, 1);
        self.world.say(mallory, &ClientMessage::Subscribe(topic()));
        self.world.say(mallory, &ClientMessage::Watch(topic()));
        self.world.run_for(millis(50));
        mallory
    }

    /// What a stranger heard of handshakes of this kind (PRIV-3), and who said it.
    fn heard(&self, stranger: StrangerId, kind: u8) -> Vec<(Instance, Bytes)> {
        let heard = self.world.told_client(stranger).iter().filter_map(|message| match message {
            NodeMessage::Handshake(handshake) => Some((handshake.from, handshake.payload.clone())),
            _ => None,
        });
        heard.filter(|(_, payload)| payload.get(1) == Some(&kind)).collect()
    }

    fn says(&mut self, stranger: StrangerId, to: Instance, is_reply: bool, payload: Bytes) {
        let home = is_reply.then(|| self.world.id_of(self.a));
        let handshake = ClientHandshake { to, home, topic: topic(), payload };
        self.world.say(stranger, &ClientMessage::Handshake(handshake));
        self.world.run_for(millis(50));
    }
}

/// PRIV-3, PRIV-4: the challenge that Mallory got is put to Alice, and her proof handed in as Mallory's own;
/// and once more, later.
#[test]
fn a_relayed_challenge_a_relayed_proof_and_a_replayed_one_verify_nobody() {
    let (mut scene, alice) = verified();
    let (alice, publisher) = (scene.world.instance(alice), scene.world.instance(scene.publisher));
    let mallory = scene.mallory();
    let [(from, challenge)] = &scene.heard(mallory, CHALLENGE)[..] else { panic!("not one") };
    assert_eq!(*from, publisher, "whoever subscribes is asked");
    scene.says(mallory, alice, false, challenge.clone());
    let proofs = scene.heard(mallory, PROOF);
    let [(from, proof)] = &proofs[..] else { panic!("{proofs:?}") };
    assert_eq!(*from, alice, "she proves it to Mallory, not to whom he took it from");
    for _ in 0..2 {
        scene.says(mallory, publisher, true, proof.clone());
        assert_eq!(scene.world.verified(scene.publisher, "t"), [alice]);
        scene.world.run_for(2 * SECOND);
    }
    scene.end();
}

/// PRIV-2, PRIV-16: a copy of the subscription at the same node reads nothing, and gets no unicast.
#[test]
fn a_copied_subscription_at_the_publishers_own_node_gets_ciphertext_and_no_unicast() {
    let (mut scene, _) = verified();
    let mallory = scene.mallory();
    let unicasts = [0; 20].map(|_| scene.unicast(SECOND));
    scene.multicast(SECOND);
    scene.world.run_for(2 * SECOND);
    assert!(unicasts.iter().all(|&id| scene.code(id) == Code::Ok));
    let mut multicasts = 0;
    for message in scene.world.told_client(mallory) {
        assert!(!matches!(message, NodeMessage::Delivery(_)), "{message:?}");
        if let NodeMessage::Multicast(multicast) = message {
            multicasts += 1;
            assert!(multicast.sealed && !is_readable(message.payload()), "{multicast:?}");
        }
    }
    assert_eq!(multicasts, 1);
    scene.end();
}

/// PRIV-16: a node says in the name of a subscriber that is elsewhere what it likes.
#[test]
fn a_node_cannot_speak_for_a_subscriber_of_another_one() {
    let (mut scene, alice) = verified();
    let (alice, publisher) = (scene.world.instance(alice), scene.world.instance(scene.publisher));
    let before = scene.world.coverage().clone();
    let liar = scene.world.stranger("liar.node.bank-c.amop", scene.a);
    scene.world.say(liar, &PeerMessage::Greeting(Epoch(1)));
    scene.world.run_for(millis(50));
    let lost = Bytes::from_static(&[1, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
    scene.world.say(
        liar,
        &PeerMessage::Handshake(PeerHandshake {
            from: alice,
            to: publisher,
            from_publisher: false,
            name: "alice.sdk.bank-b.amop".parse().unwrap(),
            topic: topic(),
            payload: lost,
        }),
    );
    scene.world.run_for(SECOND);
    let handshakes = |coverage: &amop_sim::Coverage| {
        coverage.counts().find(|(_, kind, _)| *kind == "NodeHandshake").unwrap().2
    };
    assert_eq!(handshakes(scene.world.coverage()), handshakes(&before));
    scene.end();
}

/// PRIV-2 to PRIV-5, PRIV-7: the nodes of both ends hand handshakes to the wrong one, play them again and in
/// another's name, and say that subscribers are elsewhere.
#[test]
fn nodes_that_deceive_both_ends_have_nobody_verified_who_should_not_be_and_do_no_lasting_harm() {
    let mut scene = Scene::new();
    let (a, b) = (scene.a, scene.b);
    scene.world.allow(scene.publisher, "t", &[1]);
    for node in [a, b] {
        scene.world.set_forging(node, true);
    }
    let holders = [1, 7, 8].map(|key| {
        let holder = scene.world.client(&format!("c{key}.sdk.bank-b.amop"), &[b]);
        scene.world.subscribe_private(holder, "t", key);
        holder
    });
    let [alice, others @ ..] = holders.map(|holder| scene.world.instance(holder));
    for round in 0..300 {
        scene.world.run_for(millis(200));
        let verified = scene.world.verified(scene.publisher, "t");
        assert!(!others.iter().any(|other| verified.contains(other)), "{round}: {verified:?}");
        if round % 50 == 0 {
            scene.world.cut_client(holders[round % 3], millis(1), millis(1));
        }
    }
    for node in [a, b] {
        scene.world.set_forging(node, false);
    }
    scene.world.run_for(70 * SECOND);
    assert_eq!(scene.world.verified(scene.publisher, "t"), [alice]);
    scene.end();
}

/// PRIV-18: statements name the epoch of the exit node, so its clients must know which one counts.
#[test]
fn who_is_attached_to_a_node_that_was_outlived_is_verified_there() {
    let mut scene = Scene::new();
    scene.world.allow(scene.publisher, "t", &[1]);
    scene.world.crash(scene.b, millis(50));
    scene.world.run_for(SECOND);
    scene.world.restart_with(scene.b, Epoch(0));
    let holder = scene.world.client("alice.sdk.bank-b.amop", &[scene.b]);
    scene.world.subscribe_private(holder, "t", 1);
    scene.world.run_for(SECOND);
    scene.world.link(scene.a, scene.b);
    scene.world.run_for(4 * SECOND);
    let holder = scene.world.instance(holder);
    assert_eq!(scene.world.verified(scene.publisher, "t"), [holder]);
    scene.end();
}

fn is_readable(payload: &[u8]) -> bool {
    payload.windows(SECRET.len()).any(|window| window == SECRET)
}

/// What all that is published to private topics begins with.
const SECRET: &[u8] = b"secret ";

const MALLORY: Instance = Instance(66);

const CHALLENGE: u8 = 1;

const PROOF: u8 = 2;
