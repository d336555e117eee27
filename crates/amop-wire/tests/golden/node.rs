//! What a node says to a client, byte by byte.

use std::time::Duration;

use amop_wire::{
    AnswerStatus, Code, Delivery, Lane, Multicast, NodeMessage, Outcome, Reason, Receipt,
    ReceiptRun, Terms,
};
use bytes::Bytes;

use crate::frames::encoded;
use crate::{COUNTER, EPOCH, ID, TTL, assert_golden, attempt, name, topic};

#[test]
fn an_attached_keeps_its_bytes() {
    assert_golden(
        Lane::Control,
        &NodeMessage::Attached { epoch: EPOCH, in_flight: amop_wire::InFlight::default() },
        "0000001b 0019
         0a17
           09 2827262524232221
           15 00400000
           19 0000000100000000",
    );
}

#[test]
fn a_subscribed_keeps_its_bytes() {
    assert_golden(
        Lane::Control,
        &NodeMessage::Subscribed {
            topic: topic("quote"),
            code: Code::Invalid,
            reason: Reason::TooManySubscriptions,
        },
        "00000015 0013
         1211
           0d c9000000
           15 0c000000
           1a05 71756f7465",
    );
}

#[test]
fn a_propagated_keeps_its_bytes() {
    assert_golden(
        Lane::Control,
        &NodeMessage::Propagated { topic: topic("quote") },
        "0000000b 0009
         3207
           0a05 71756f7465",
    );
}

#[test]
fn a_delivery_keeps_its_bytes() {
    assert_golden(
        Lane::Unicasts,
        &NodeMessage::Delivery(Delivery {
            terms: Terms::default(),
            attempt: attempt(3),
            ttl: TTL,
            from: name("pay.sdk.bank-a.amop"),
            topic: topic("quote"),
            payload: "how much?".into(),
        }),
        "0000006b 0060
         1a5e
           09 0807060504030201
           11 1817161514131211
           1d 30750000
           25 03000000
           2a24
             09 0001020304050607
             11 08090a0b0c0d0e0f
             19 1011121314151617
             21 18191a1b1c1d1e1f
           3213 7061792e73646b2e62616e6b2d612e616d6f70
           3a05 71756f7465
         686f77206d7563683f",
    );
}

#[test]
fn a_multicast_has_the_same_bytes_for_a_client_as_between_nodes() {
    assert_golden(
        Lane::Multicasts,
        &NodeMessage::Multicast(Multicast {
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
fn an_outcome_with_an_answer_keeps_its_bytes() {
    assert_golden(
        Lane::Replies,
        &NodeMessage::Outcome(Outcome {
            counter: COUNTER,
            code: Code::Ok,
            reason: Reason::Unspecified,
            attempts: 2,
            status: AnswerStatus::Failed,
            answered_by: Some(name("n3.node.bank-c.amop")),
            tried: vec![name("n1.node.bank-a.amop"), name("n2.node.bank-b.amop")],
            retry_after: None,
            payload: "42".into(),
        }),
        "00000062 005e
         225c
           09 1817161514131211
           15 00000000
           1d 00000000
           25 02000000
           2d 01000000
           3213 6e332e6e6f64652e62616e6b2d632e616d6f70
           3a13 6e312e6e6f64652e62616e6b2d612e616d6f70
           3a13 6e322e6e6f64652e62616e6b2d622e616d6f70
         3432",
    );
}

#[test]
fn an_outcome_without_an_answer_keeps_its_bytes() {
    assert_golden(
        Lane::Replies,
        &NodeMessage::Outcome(Outcome {
            counter: COUNTER,
            code: Code::TimedOut,
            reason: Reason::Deadline,
            attempts: 0,
            status: AnswerStatus::Answered,
            answered_by: None,
            tried: vec![],
            retry_after: None,
            payload: Bytes::new(),
        }),
        "00000021 001f
         221d
           09 1817161514131211
           15 66000000
           1d 08000000
           25 00000000
           2d 00000000",
    );
}

#[test]
fn an_outcome_over_a_limit_keeps_its_bytes_and_rounds_the_wait_up() {
    let outcome = |retry_after| {
        NodeMessage::Outcome(Outcome {
            counter: COUNTER,
            code: Code::Limited,
            reason: Reason::SessionRate,
            attempts: 0,
            status: AnswerStatus::Answered,
            answered_by: None,
            tried: vec![],
            retry_after: Some(retry_after),
            payload: Bytes::new(),
        })
    };
    let bytes = "00000028 0026
         2224
           09 1817161514131211
           15 67000000
           1d 18000000
           25 00000000
           2d 00000000
           4205
             0d dc050000";
    assert_golden(Lane::Replies, &outcome(Duration::from_millis(1500)), bytes);
    let a_little_less = encoded(&outcome(Duration::from_nanos(1_499_000_001)));
    assert_eq!(a_little_less, encoded(&outcome(Duration::from_millis(1500))));
}

#[test]
fn receipts_keep_their_bytes() {
    assert_golden(
        Lane::Replies,
        &NodeMessage::Receipts(vec![
            ReceiptRun {
                first: COUNTER,
                count: 5,
                receipt: Receipt { acked: 3, refused: 2, unknown: 1 },
            },
            ReceiptRun { first: COUNTER + 5, count: 1, receipt: Receipt::default() },
        ]),
        "00000042 0040
         2a3e
           0a1d
             09 1817161514131211
             15 05000000
             1d 03000000
             25 02000000
             2d 01000000
           0a1d
             09 1d17161514131211
             15 01000000
             1d 00000000
             25 00000000
             2d 00000000",
    );
}
