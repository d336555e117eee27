//! What private topics need beyond the rest, byte by byte.

use amop_wire::{
    ClientHandshake, ClientMessage, Instance, Lane, Mode, Multicast, NodeHandshake, NodeMessage,
    PeerHandshake, PeerMessage, Publish, Sealing, Seated, Terms, Watched,
};

use crate::{COUNTER, EPOCH, ID, TTL, assert_golden, attempt, name, topic};

#[test]
fn a_watch_keeps_its_bytes() {
    assert_golden(
        Lane::Control,
        &ClientMessage::Watch(topic("quote")),
        "0000000c 000a
         820107
           0a05 71756f7465",
    );
}

#[test]
fn who_is_watched_keeps_its_bytes() {
    let present = vec![Seated { instance: FROM, node: attempt(1).home, epoch: EPOCH }];
    assert_golden(
        Lane::Control,
        &NodeMessage::Watched(Watched {
            is_all: true,
            topic: topic("quote"),
            present,
            gone: vec![TO],
        }),
        "00000052 0050
         82014d
           08 01
           1205 71756f7465
           1a38
             09 8887868584838281
             1224
               09 0001020304050607 11 08090a0b0c0d0e0f
               19 1011121314151617 21 18191a1b1c1d1e1f
             19 2827262524232221
           2208 9897969594939291",
    );
}

#[test]
fn that_a_node_was_outlived_keeps_its_bytes() {
    assert_golden(
        Lane::Control,
        &NodeMessage::Outlived { epoch: EPOCH },
        "0000000e 000c
         920109
           09 2827262524232221",
    );
}

#[test]
fn that_a_node_drains_keeps_its_bytes() {
    assert_golden(Lane::Control, &NodeMessage::Draining, "00000005 0003 9a0100");
}

#[test]
fn handshakes_keep_their_bytes() {
    let (topic, payload) = (topic("quote"), "proof".into());
    let home = Some(attempt(1).home);
    assert_golden(
        Lane::Replies,
        &ClientMessage::Handshake(ClientHandshake { to: TO, home, topic, payload }),
        "00000040 0039
         8a0136
           09 9897969594939291
           1224
             09 0001020304050607 11 08090a0b0c0d0e0f
             19 1011121314151617 21 18191a1b1c1d1e1f
           1a05 71756f7465
         70726f6f66",
    );
}

#[test]
fn handshakes_for_clients_keep_their_bytes() {
    assert_golden(
        Lane::Replies,
        &NodeMessage::Handshake(NodeHandshake {
            from: FROM,
            home: None,
            name: name("pay.sdk.bank-a.amop"),
            topic: topic("quote"),
            payload: "proof".into(),
        }),
        "0000002f 0028
         8a0125
           09 8887868584838281
           1a13 7061792e73646b2e62616e6b2d612e616d6f70
           2205 71756f7465
         70726f6f66",
    );
}

#[test]
fn handshakes_between_nodes_keep_their_bytes() {
    assert_golden(
        Lane::Replies,
        &PeerMessage::Handshake(PeerHandshake {
            from: FROM,
            to: TO,
            from_publisher: true,
            name: name("pay.sdk.bank-a.amop"),
            topic: topic("quote"),
            payload: "proof".into(),
        }),
        "0000003a 0033
         a20130
           09 8887868584838281
           11 9897969594939291
           18 01
           2213 7061792e73646b2e62616e6b2d612e616d6f70
           2a05 71756f7465
         70726f6f66",
    );
}

#[test]
fn what_is_sealed_says_so_byte_by_byte() {
    let publish = |sealing| {
        ClientMessage::Publish(Publish {
            counter: COUNTER,
            ttl: TTL,
            mode: Mode::Unicast,
            sequence: 0,
            terms: Terms { sealing, ..Terms::default() },
            topic: topic("quote"),
            payload: "sealed".into(),
        })
    };
    assert_golden(
        Lane::Unicasts,
        &publish(Sealing::For(TO)),
        "0000003c 0034
         2232
           09 1817161514131211
           15 30750000
           1d 01000000
           21 0000000000000000
           2a05 71756f7465
           320d
             18 00
             20 00
             29 9897969594939291
         7365616c6564",
    );
    assert_golden(
        Lane::Unicasts,
        &publish(Sealing::Group),
        "00000035 002d
         222b
           09 1817161514131211
           15 30750000
           1d 01000000
           21 0000000000000000
           2a05 71756f7465
           3206
             18 00
             20 00
             30 01
         7365616c6564",
    );
    assert_golden(
        Lane::Multicasts,
        &PeerMessage::Multicast(Multicast {
            id: ID,
            ttl: TTL,
            sequence: 7,
            from: name("pay.sdk.bank-a.amop"),
            topic: topic("quote"),
            sealed: true,
            payload: "sealed".into(),
        }),
        "00000048 0040
         4a3e
           09 0807060504030201
           11 1817161514131211
           1d 30750000
           21 0700000000000000
           2a13 7061792e73646b2e62616e6b2d612e616d6f70
           3205 71756f7465
           38 01
         7365616c6564",
    );
}

const FROM: Instance = Instance(0x8182_8384_8586_8788);
const TO: Instance = Instance(0x9192_9394_9596_9798);
