//! What two linked nodes say to each other, byte by byte.

use std::time::Duration;

use amop_wire::{
    Announcement, AnnouncementChanges, AnswerStatus, Frame, Gen, Instance, Lane, MsgId, Multicast,
    NodeId, Path, PeerAnswer, PeerMessage, PeerReceiptRun, PeerRefusal, Reason, Receipt, Relay,
    Request, Returned, Seq, Stop, Subscriber, Terms, TopicChange, Tree, Version,
};

use crate::{EPOCH, ID, TTL, assert_golden, chain, name, signed, topic};

#[test]
fn a_greeting_keeps_its_bytes() {
    assert_golden(
        Lane::Control,
        &PeerMessage::Greeting(VERSION.epoch),
        "0000000d 000b
         0a09
           09 2827262524232221",
    );
}

#[test]
fn a_summary_keeps_its_bytes() {
    assert_golden(
        Lane::Control,
        &PeerMessage::Summary(vec![(node(0), VERSION)]),
        "0000003e 003c
         5a3a
           0a38
             0a24
               09 0001020304050607
               11 08090a0b0c0d0e0f
               19 1011121314151617
               21 18191a1b1c1d1e1f
             11 2827262524232221
             19 4847464544434241",
    );
}

#[test]
fn a_heartbeat_keeps_its_bytes() {
    assert_golden(
        Lane::Control,
        &PeerMessage::Heartbeat(VERSION.seq.0),
        "0000000d 000b
         1209
           09 4847464544434241",
    );
}

#[test]
fn a_pull_keeps_its_bytes() {
    assert_golden(
        Lane::Control,
        &PeerMessage::Pull(node(0)),
        "0000002a 0028
         1a26
           0a24
             09 0001020304050607
             11 08090a0b0c0d0e0f
             19 1011121314151617
             21 18191a1b1c1d1e1f",
    );
}

#[test]
fn a_snapshot_keeps_its_bytes() {
    let both = vec![
        Subscriber { instance: ID.publisher, generation: Gen(9) },
        Subscriber { instance: INSTANCE, generation: Gen(10) },
    ];
    let topics = vec![(topic("quote"), both), (topic("settle"), vec![])];
    let announcement = Announcement::new(signed(VERSION), chain(), vec![node(0)], topics);
    assert_golden(
        Lane::Control,
        &PeerMessage::Snapshot(announcement),
        "000000b9 005e
         225c
           0a50
             0a49
               09 2827262524232221
               11 4847464544434241
               1a13 6e312e6e6f64652e62616e6b2d612e616d6f70
               2220 808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f
             1203 534947
           1204 4c454146
           1202 4341
         0a24
           09 0001020304050607
           11 08090a0b0c0d0e0f
           19 1011121314151617
           21 18191a1b1c1d1e1f
         1227
           0a05 71756f7465
           120e
             09 0807060504030201
             15 09000000
           120e
             09 5857565554535251
             15 0a000000
         1208
           0a06 736574746c65",
    );
}

#[test]
fn changes_keep_their_bytes() {
    let came = TopicChange {
        topic: topic("quote"),
        subscriber: Subscriber { instance: ID.publisher, generation: Gen(9) },
        removed: false,
    };
    let left = TopicChange {
        topic: topic("settle"),
        subscriber: Subscriber { instance: INSTANCE, generation: Gen(10) },
        removed: true,
    };
    let (from_seq, changes) = (Seq(VERSION.seq.0 - 2), vec![came, left]);
    let changes = AnnouncementChanges::new(from_seq, signed(VERSION), Some(vec![node(0)]), changes);
    assert_golden(
        Lane::Control,
        &PeerMessage::Changes(changes),
        "000000ba 005d
         2a5b
           09 4647464544434241
           1250
             0a49
               09 2827262524232221
               11 4847464544434241
               1a13 6e312e6e6f64652e62616e6b2d612e616d6f70
               2220 808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f
             1203 534947
         0a26
           0a24
             09 0001020304050607
             11 08090a0b0c0d0e0f
             19 1011121314151617
             21 18191a1b1c1d1e1f
         1217
           0a05 71756f7465
           11 0807060504030201
           1d 09000000
           20 00
         1218
           0a06 736574746c65
           11 5857565554535251
           1d 0a000000
           20 01",
    );
}

#[test]
fn a_relay_keeps_its_bytes() {
    let spent = Duration::from_secs(1);
    let frame = Frame { header: "HDR".into(), payload: "pay".into() };
    assert_golden(
        Lane::Replies,
        &PeerMessage::Relay(Relay { path: path(), position: 2, lane: Lane::Replies, spent, frame }),
        "0000008e 0089
         628601
           0d 02000000
           15 01000000
           1d e8030000
           2224
             09 0001020304050607
             11 08090a0b0c0d0e0f
             19 1011121314151617
             21 18191a1b1c1d1e1f
           2224
             09 2021222324252627
             11 28292a2b2c2d2e2f
             19 3031323334353637
             21 38393a3b3c3d3e3f
           2224
             09 4041424344454647
             11 48494a4b4c4d4e4f
             19 5051525354555657
             21 58595a5b5c5d5e5f
           2a03 484452
         706179",
    );
}

#[test]
fn a_tree_keeps_its_bytes() {
    let frame = Frame { header: "HDR".into(), payload: "pay".into() };
    let stops = vec![
        Stop { node: node(32), depth: 1, is_exit: false },
        Stop { node: node(64), depth: 2, is_exit: true },
    ];
    assert_golden(
        Lane::Multicasts,
        &PeerMessage::Tree(Tree {
            way: vec![node(0)],
            stops,
            spent: Duration::from_secs(1),
            frame,
        }),
        "00000096 0091
         728e01
           0d e8030000
           1224
             09 0001020304050607
             11 08090a0b0c0d0e0f
             19 1011121314151617
             21 18191a1b1c1d1e1f
           1a2d
             0a24
               09 2021222324252627
               11 28292a2b2c2d2e2f
               19 3031323334353637
               21 38393a3b3c3d3e3f
             15 01000000
             18 00
           1a2d
             0a24
               09 4041424344454647
               11 48494a4b4c4d4e4f
               19 5051525354555657
               21 58595a5b5c5d5e5f
             15 02000000
             18 01
           2203 484452
         706179",
    );
}

#[test]
fn what_is_returned_keeps_its_bytes() {
    assert_golden(
        Lane::Replies,
        &PeerMessage::Returned(Returned { path: path(), position: 0, header: "HDR".into() }),
        "00000080 007e
         6a7c
           0d 00000000
           1224
             09 0001020304050607
             11 08090a0b0c0d0e0f
             19 1011121314151617
             21 18191a1b1c1d1e1f
           1224
             09 2021222324252627
             11 28292a2b2c2d2e2f
             19 3031323334353637
             21 38393a3b3c3d3e3f
           1224
             09 4041424344454647
             11 48494a4b4c4d4e4f
             19 5051525354555657
             21 58595a5b5c5d5e5f
           1a03 484452",
    );
}

#[test]
fn a_request_keeps_its_bytes() {
    assert_golden(
        Lane::Unicasts,
        &PeerMessage::Request(Request {
            terms: Terms::default(),
            id: ID,
            ttl: TTL,
            attempt: 2,
            subscriber: INSTANCE,
            exit_epoch: EPOCH,
            from: name("pay.sdk.bank-a.amop"),
            topic: topic("quote"),
            payload: "how much?".into(),
        }),
        "00000057 004c
         324a
           09 0807060504030201
           11 1817161514131211
           1d 30750000
           25 02000000
           29 5857565554535251
           31 2827262524232221
           3a13 7061792e73646b2e62616e6b2d612e616d6f70
           4205 71756f7465
         686f77206d7563683f",
    );
}

#[test]
fn an_answer_between_nodes_keeps_its_bytes() {
    assert_golden(
        Lane::Replies,
        &PeerMessage::Answer(PeerAnswer {
            id: ID,
            attempt: 2,
            status: AnswerStatus::Failed,
            subscriber: INSTANCE,
            payload: "42".into(),
        }),
        "0000002b 0027
         3a25
           09 0807060504030201
           11 1817161514131211
           1d 02000000
           25 01000000
           29 5857565554535251
         3432",
    );
}

#[test]
fn a_refusal_keeps_its_bytes() {
    assert_golden(
        Lane::Replies,
        &PeerMessage::Refusal(PeerRefusal {
            id: ID,
            attempt: 2,
            reason: Reason::StaleEpoch,
            subscriber: INSTANCE,
            fenced: false,
        }),
        "0000002b 0029
         4227
           09 0807060504030201
           11 1817161514131211
           1d 02000000
           25 09000000
           29 5857565554535251
           30 00",
    );
}

#[test]
fn a_multicast_keeps_its_bytes() {
    assert_golden(
        Lane::Multicasts,
        &PeerMessage::Multicast(Multicast {
            id: ID,
            ttl: TTL,
            sequence: 0x7172_7374_7576_7778,
            from: name("pay.sdk.bank-a.amop"),
            topic: topic("quote"),
            sealed: false,
            payload: "how much?".into(),
        }),
        "00000049 003e
         4a3c
           09 0807060504030201
           11 1817161514131211
           1d 30750000
           21 7877767574737271
           2a13 7061792e73646b2e62616e6b2d612e616d6f70
           3205 71756f7465
         686f77206d7563683f",
    );
}

#[test]
fn receipts_between_nodes_keep_their_bytes() {
    assert_golden(
        Lane::Replies,
        &PeerMessage::Receipts(vec![
            PeerReceiptRun {
                first: ID,
                count: 5,
                receipt: Receipt { acked: 3, refused: 2, unknown: 1 },
            },
            PeerReceiptRun {
                first: MsgId { publisher: INSTANCE, counter: 7 },
                count: 1,
                receipt: Receipt::default(),
            },
        ]),
        "00000054 0052
         5250
           0a26
             09 0807060504030201
             11 1817161514131211
             1d 05000000
             25 03000000
             2d 02000000
             35 01000000
           0a26
             09 5857565554535251
             11 0700000000000000
             1d 01000000
             25 00000000
             2d 00000000
             35 00000000",
    );
}

const VERSION: Version = Version { epoch: EPOCH, seq: Seq(0x4142_4344_4546_4748) };
const INSTANCE: Instance = Instance(0x5152_5354_5556_5758);

/// A node whose id counts up from this byte.
fn node(first: u8) -> NodeId {
    NodeId::from_bytes(std::array::from_fn(|i| first + u8::try_from(i).expect("below 32")))
}

fn path() -> Path {
    Path::new(&[node(0), node(32), node(64)]).expect("three nodes")
}
