//! How a node finds out what another one holds, byte by byte.

use std::time::Duration;

use amop_wire::{
    AuthorityId, Instance, Lane, MsgId, PeerMessage, ReachAnswer, ReachMessage, RevocationList,
    RevocationMessage, Seq, TraceAnswer, TraceQuestion, TraceStep, TraceWord, Version,
};

use crate::{EPOCH, assert_golden};

#[test]
fn a_probe_keeps_its_bytes() {
    assert_golden(
        Lane::Replies,
        &PeerMessage::Probe,
        "00000004 0002
         7a00",
    );
}

#[test]
fn what_is_held_keeps_its_bytes() {
    assert_golden(
        Lane::Replies,
        &PeerMessage::Held(Version { epoch: EPOCH, seq: Seq(0x4142_4344_4546_4748) }),
        "00000017 0015
         820112
           09 2827262524232221
           11 4847464544434241",
    );
}

#[test]
fn what_is_asked_of_a_message_and_its_answer_keep_their_bytes() {
    let id = MsgId { publisher: Instance(0x11), counter: 0x12 };
    assert_golden(
        Lane::Replies,
        &PeerMessage::TraceQuestion(TraceQuestion { number: 0x10, id, attempt: 0x13 }),
        "00000025 0023
         aa0120
         09 1000000000000000
         11 1100000000000000
         19 1200000000000000
         25 13000000",
    );
    let step = TraceStep { ago: Duration::from_micros(0x20), kind: 7, numbers: vec![0x21] };
    let answer = TraceAnswer { number: 0x10, word: TraceWord::Busy, steps: vec![step] };
    assert_golden(
        Lane::Replies,
        &PeerMessage::TraceAnswer(answer),
        "0000002d 002b
         b20128
         09 1000000000000000
         15 02000000
         1a 18
         09 2000000000000000
         15 07000000
         1a 08 2100000000000000",
    );
}

/// REACH-1
#[test]
fn what_is_asked_of_a_topic_and_its_answer_keep_their_bytes() {
    let topic = Some("quote".parse().unwrap());
    assert_golden(
        Lane::Replies,
        &PeerMessage::Reach(ReachMessage::Question { number: 0x10, topic }),
        "00000015 0013
         d20110
         09 1000000000000000
         12 05 71756f7465",
    );
    let subscribers = vec![Instance(0x11)];
    let answer = ReachAnswer { number: 0x10, is_busy: false, count: 0x12, subscribers };
    assert_golden(
        Lane::Replies,
        &PeerMessage::Reach(ReachMessage::Answer(answer)),
        "0000001f 001d
         da011a
         09 1000000000000000
         10 00
         1d 12000000
         22 08 1100000000000000",
    );
}

/// CRL-2
#[test]
fn what_is_said_of_revocation_lists_keeps_its_bytes() {
    let authority = AuthorityId::of(b"name", b"key");
    let golden = |message, hex: &str| {
        assert_golden(Lane::Control, &PeerMessage::Revocation(message), hex);
    };
    golden(
        RevocationMessage::Held(vec![(authority, 0x10)]),
        "00000032 0030
         ba012d
         0a 2b
         09 1000000000000000
         12 20 b5d53bf5b13eacc86caf69e08c62e6d6
              f257e3048c394adab2b405eafc13aac1",
    );
    golden(
        RevocationMessage::Pull(authority),
        "00000027 0025
         c20122
         0a 20 b5d53bf5b13eacc86caf69e08c62e6d6
              f257e3048c394adab2b405eafc13aac1",
    );
    golden(
        RevocationMessage::List(RevocationList { authority, number: 0x10, der: "DER".into() }),
        "00000033 002e
         ca012b
         09 1000000000000000
         12 20 b5d53bf5b13eacc86caf69e08c62e6d6
              f257e3048c394adab2b405eafc13aac1
         444552",
    );
}
