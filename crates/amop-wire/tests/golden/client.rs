//! What a client says to its node, byte by byte.

use amop_wire::{
    AckEnd, AckRun, Answer, AnswerStatus, ClientMessage, Gen, Key, Lane, Mode, Publish, Reason,
    Refuse, Terms,
};

use crate::{COUNTER, ID, TTL, assert_golden, attempt, topic};

#[test]
fn an_attach_keeps_its_bytes() {
    assert_golden(
        Lane::Control,
        &ClientMessage::Attach { instance: ID.publisher, generation: Gen(9) },
        "00000012 0010
         0a0e
           09 0807060504030201
           15 09000000",
    );
}

#[test]
fn a_subscribe_keeps_its_bytes() {
    assert_golden(
        Lane::Control,
        &ClientMessage::Subscribe(topic("quote")),
        "0000000b 0009
         1207
           0a05 71756f7465",
    );
}

#[test]
fn an_unsubscribe_keeps_its_bytes() {
    assert_golden(
        Lane::Control,
        &ClientMessage::Unsubscribe(topic("quote")),
        "0000000b 0009
         1a07
           0a05 71756f7465",
    );
}

#[test]
fn a_propagate_keeps_its_bytes() {
    assert_golden(
        Lane::Control,
        &ClientMessage::Propagate(topic("quote")),
        "0000000b 0009
         4207
           0a05 71756f7465",
    );
}

#[test]
fn a_publish_keeps_its_bytes() {
    assert_golden(
        Lane::Multicasts,
        &ClientMessage::Publish(Publish {
            terms: Terms::default(),
            counter: COUNTER,
            ttl: TTL,
            mode: Mode::Multicast,
            sequence: 0x7172_7374_7576_7778,
            topic: topic("quote"),
            payload: "how much?".into(),
        }),
        "00000030 0025
         2223
           09 1817161514131211
           15 30750000
           1d 02000000
           21 7877767574737271
           2a05 71756f7465
         686f77206d7563683f",
    );
}

#[test]
fn a_publish_with_terms_of_its_own_keeps_its_bytes() {
    let key = Some(Key(0x8182_8384_8586_8788_9192_9394_9596_9798));
    assert_golden(
        Lane::Unicasts,
        &ClientMessage::Publish(Publish {
            counter: COUNTER,
            ttl: TTL,
            mode: Mode::Unicast,
            sequence: 0,
            terms: Terms { key, at_least_once: true, ..Terms::default() },
            topic: topic("quote"),
            payload: "how much?".into(),
        }),
        "00000048 003d
         223b
           09 1817161514131211
           15 30750000
           1d 01000000
           21 0000000000000000
           2a05 71756f7465
           3216
             09 8887868584838281
             11 9897969594939291
             18 01
             20 00
         686f77206d7563683f",
    );
}

#[test]
fn an_answer_keeps_its_bytes() {
    assert_golden(
        Lane::Replies,
        &ClientMessage::Answer(Answer {
            attempt: attempt(2),
            status: AnswerStatus::Failed,
            payload: "42".into(),
        }),
        "00000048 0044
         2a42
           09 0807060504030201
           11 1817161514131211
           1d 02000000
           25 01000000
           2a24
             09 0001020304050607
             11 08090a0b0c0d0e0f
             19 1011121314151617
             21 18191a1b1c1d1e1f
         3432",
    );
}

#[test]
fn a_refuse_keeps_its_bytes() {
    assert_golden(
        Lane::Replies,
        &ClientMessage::Refuse(Refuse {
            attempt: attempt(2),
            reason: Reason::SubscriberBusy,
            fenced: true,
        }),
        "00000048 0046
         3244
           09 0807060504030201
           11 1817161514131211
           1d 02000000
           25 06000000
           2a24
             09 0001020304050607
             11 08090a0b0c0d0e0f
             19 1011121314151617
             21 18191a1b1c1d1e1f
           30 01",
    );
}

#[test]
fn acks_keep_their_bytes() {
    assert_golden(
        Lane::Replies,
        &ClientMessage::Acks(vec![
            AckRun { first: 7, count: 3, end: AckEnd::Taken },
            AckRun { first: 10, count: 1, end: AckEnd::Refused },
            AckRun { first: 11, count: 1, end: AckEnd::Copy },
        ]),
        "0000003c 003a
         3a38
           0a10
             09 0700000000000000
             15 03000000
             18 00
           0a10
             09 0a00000000000000
             15 01000000
             18 01
           0a12
             09 0b00000000000000
             15 01000000
             18 00
             20 01",
    );
}
