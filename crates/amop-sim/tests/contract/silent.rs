//! Peers that say too little, and whom nobody waits for longer than needed: PROP-3.

use amop_sim::StrangerId;
use amop_topic_table::set_digest;
use amop_wire::{Announcement, AnnouncementHead, Epoch, PeerMessage, Seq, Version};

use crate::propagated::Line;
use crate::scene::{SECOND, millis};

/// Has a stranger announce that it is linked with the first node.
fn announce(line: &mut Line, stranger: StrangerId) {
    let (name, version) = (STRANGER.parse().unwrap(), Version { epoch: Epoch(1), seq: Seq(1) });
    let neighbours = vec![line.world.id_of(line.nodes[0])];
    let digest = set_digest(&neighbours, &[]).unwrap();
    let id = amop_wire::NodeId::of(&name);
    line.world.say(stranger, &PeerMessage::Summary(vec![(id, version)]));
    line.world.run_for(millis(50));
    let signed = line.world.sign(stranger, AnnouncementHead { name, version, digest });
    let chain = line.world.certificate(STRANGER);
    let announcement = Announcement::new(signed, chain, neighbours, Vec::new());
    line.world.say(stranger, &PeerMessage::Snapshot(announcement));
    line.world.run_for(SECOND);
}

/// PROP-3: no path leads to it, so nobody can publish there who would miss the subscriber.
#[test]
fn a_peer_that_announces_nothing_is_waited_for_10_s_and_no_longer() {
    let mut line = Line::new();
    let mute = line.world.stranger(STRANGER, line.nodes[0]);
    line.world.say(mute, &PeerMessage::Greeting(Epoch(1)));
    line.world.run_for(9 * SECOND);
    line.subscribe();
    line.world.run_for(millis(900));
    assert_eq!(line.told(), None, "what it announces may be on its way");
    let took = line.wait();
    assert!(took <= millis(600), "{took:?}");
    line.world.subscribe_propagated(line.client, "u");
    line.world.run_for(millis(200));
    assert_eq!(line.world.propagated(line.client).len(), 2, "nobody waits for it any more");
    line.assert_reached_from(&[0, 1, 2, 3, 4]);
}

/// A line with a peer at its first node that announces the link, and answers nothing. It does so late, but then
/// all that is held of it counts.
fn with_silent() -> (Line, StrangerId) {
    let mut line = Line::new();
    let silent = line.world.stranger(STRANGER, line.nodes[0]);
    line.world.say(silent, &PeerMessage::Greeting(Epoch(1)));
    line.world.run_for(15 * SECOND);
    announce(&mut line, silent);
    (line, silent)
}

/// PROP-3: it holds back nobody's subscriptions for longer, the first of them or a later one.
#[test]
fn a_node_that_answers_no_probe_is_waited_for_10_s_and_then_not_for_a_minute() {
    let (mut line, silent) = with_silent();
    line.subscribe();
    line.world.run_for(10 * SECOND);
    assert_eq!(line.told(), None);
    let is_probe = |message: &&PeerMessage| **message == PeerMessage::Probe;
    let probes = line.world.told_peer(silent).iter().filter(is_probe).count();
    assert!((20..=26).contains(&probes), "{probes} probes in 10 s");
    let took = line.wait();
    assert!(took <= millis(700), "{took:?}");

    line.world.subscribe_propagated(line.client, "u");
    line.world.run_for(millis(200));
    assert_eq!(line.world.propagated(line.client).len(), 2, "nobody waits for it any more");
    line.world.run_for(60 * SECOND);
    line.world.subscribe_propagated(line.client, "v");
    line.world.run_for(9 * SECOND);
    assert_eq!(line.world.propagated(line.client).len(), 2, "it got another chance");
    line.world.run_for(2 * SECOND);
    assert_eq!(line.world.propagated(line.client).len(), 3);
    line.assert_reached_from(&[0, 1, 2, 3, 4]);
}

/// PROP-3
#[test]
fn a_node_that_was_given_up_is_waited_for_again_once_it_has_answered() {
    let (mut line, silent) = with_silent();
    line.subscribe();
    line.world.run_for(11 * SECOND);
    assert!(line.told().is_some());
    let version = line.world.node_core(line.nodes[0]).table().own_version();
    line.world.say(silent, &PeerMessage::Held(version));
    line.world.run_for(millis(50));
    line.world.subscribe_propagated(line.client, "u");
    line.world.run_for(SECOND);
    assert_eq!(line.world.propagated(line.client).len(), 1);
    let version = line.world.node_core(line.nodes[0]).table().own_version();
    line.world.say(silent, &PeerMessage::Held(version));
    line.world.run_for(SECOND);
    assert_eq!(line.world.propagated(line.client).len(), 2);
    line.world.check();
}

/// PROP-2, PROP-3: who says that it holds less is waited for as long as it says so, for then a publish there would miss
/// the subscriber.
#[test]
fn a_node_that_holds_too_little_is_waited_for_as_long_as_it_says_so() {
    let (mut line, silent) = with_silent();
    let before = line.world.node_core(line.nodes[0]).table().own_version();
    line.subscribe();
    for _ in 0..5 {
        line.world.run_for(4 * SECOND);
        line.world.say(silent, &PeerMessage::Held(before));
        assert_eq!(line.told(), None);
    }

    // A version that never was is no confirmation, nor is one that was before.
    let Version { epoch, seq } = line.world.node_core(line.nodes[0]).table().own_version();
    for lie in [
        Version { epoch: Epoch(epoch.0 + 1), seq },
        Version { epoch, seq: Seq(u64::MAX) },
        Version { epoch, seq: Seq(seq.0 - 1) },
    ] {
        line.world.say(silent, &PeerMessage::Held(lie));
        line.world.run_for(SECOND);
        assert_eq!(line.told(), None, "{lie:?}");
    }
    line.world.say(silent, &PeerMessage::Held(Version { epoch, seq }));
    line.wait();
    line.world.check();
}

/// A node that says what a test has it say.
const STRANGER: &str = "n9.node.bank.amop";
