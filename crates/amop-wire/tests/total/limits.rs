//! Every limit of a message, at the limit and one past it.

use std::fmt::Debug;
use std::time::Duration;

use amop_wire::limits::{
    HEADER_BYTES_MAX, NAME_BYTES_MAX, NODES_MAX, PAYLOAD_BYTES_MAX, TOPIC_BYTES_MAX,
    TOPICS_PER_NODE_MAX, TRIED_MAX, TTL_MAX,
};
use amop_wire::{
    AckRun, Announcement, AnswerStatus, ClientMessage, Code, FrameError, Message, MessageError,
    Mode, Name, NodeMessage, Outcome, PeerMessage, Publish, Reason, Terms, Version,
};
use bytes::Bytes;

use crate::bodies::{NAME, changes, delivery, home, multicast, publish, request, subscribed};
use crate::frames::{decoded, encoded};
use crate::protobuf::Fields;
use crate::read;

#[test]
fn a_topic_may_have_255_bytes_in_every_message() {
    let topic = |bytes: usize| "t".repeat(bytes);
    let entry = |bytes: usize| announced(Fields::new().bytes(1, topic(bytes)));
    let (limit, more) = (TOPIC_BYTES_MAX, TOPIC_BYTES_MAX + 1);
    assert_eq!(limit, 255);

    for kind in [2, 3] {
        let body = |bytes: usize| Fields::new().bytes(1, topic(bytes));
        assert_limit::<ClientMessage>(kind, body(limit), body(more));
    }
    let body = |bytes: usize| publish().bytes(5, topic(bytes));
    assert_limit::<ClientMessage>(4, body(limit), body(more));
    let body = |bytes: usize| subscribed().bytes(3, topic(bytes));
    assert_limit::<NodeMessage>(2, body(limit), body(more));
    let body = |bytes: usize| delivery().bytes(7, topic(bytes));
    assert_limit::<NodeMessage>(3, body(limit), body(more));
    let body = |bytes: usize| request().bytes(8, topic(bytes));
    assert_limit::<PeerMessage>(6, body(limit), body(more));
    let body = |bytes: usize| multicast().bytes(6, topic(bytes));
    assert_limit::<PeerMessage>(9, body(limit), body(more));
    assert_payload_limit(4, Fields::new(), entry(limit), entry(more));
    assert_payload_limit(5, changes(), entry(limit), entry(more));
}

#[test]
fn a_name_may_have_253_bytes_in_every_message() {
    let label = "n".repeat(63);
    let name = |bytes: usize| {
        let start = format!("{label}.node.{label}.{label}.");
        format!("{start}{}", "d".repeat(bytes - start.len()))
    };
    let (limit, more) = (name(NAME_BYTES_MAX), name(NAME_BYTES_MAX + 1));
    assert_eq!(limit.len(), 253);

    let body = |name: &str| delivery().bytes(6, name);
    assert_limit::<NodeMessage>(3, body(&limit), body(&more));
    let body = |name: &str| Fields::new().bytes(6, name);
    assert_limit::<NodeMessage>(4, body(&limit), body(&more));
    let body = |name: &str| Fields::new().bytes(7, name);
    assert_limit::<NodeMessage>(4, body(&limit), body(&more));
    let body = |name: &str| request().bytes(7, name);
    assert_limit::<PeerMessage>(6, body(&limit), body(&more));
    let body = |name: &str| multicast().bytes(5, name);
    assert_limit::<PeerMessage>(9, body(&limit), body(&more));
}

#[test]
fn a_publish_may_take_an_hour_in_every_message() {
    let limit = u32::try_from(TTL_MAX.as_millis()).unwrap();
    assert_eq!(limit, 3_600_000);
    let body = |ttl_ms: u32| publish().fixed32(2, ttl_ms);
    assert_limit::<ClientMessage>(4, body(limit), body(limit + 1));
    let body = |ttl_ms: u32| delivery().fixed32(3, ttl_ms);
    assert_limit::<NodeMessage>(3, body(limit), body(limit + 1));
    let body = |ttl_ms: u32| request().fixed32(3, ttl_ms);
    assert_limit::<PeerMessage>(6, body(limit), body(limit + 1));
    let body = |ttl_ms: u32| multicast().fixed32(3, ttl_ms);
    assert_limit::<PeerMessage>(9, body(limit), body(limit + 1));
}

#[test]
fn a_deadline_still_ahead_never_travels_as_one_that_has_passed() {
    for (ttl, arrives) in [
        (Duration::ZERO, Duration::ZERO),
        (Duration::from_nanos(1), Duration::from_millis(1)),
        (Duration::from_micros(1_001), Duration::from_millis(2)),
        (TTL_MAX, TTL_MAX),
    ] {
        let frame = encoded(&publish_of(ttl, Bytes::new())).unwrap();
        assert_eq!(decoded(frame), Ok(publish_of(arrives, Bytes::new())));
    }
}

#[test]
fn an_outcome_names_at_most_16_nodes_tried_in_vain() {
    let tried = |nodes: usize| {
        (0..nodes).fold(Fields::new(), |body, node| body.bytes(7, format!("n{node}.node.a.amop")))
    };
    assert_eq!(TRIED_MAX, 16);
    assert_limit::<NodeMessage>(4, tried(TRIED_MAX), tried(TRIED_MAX + 1));

    let name = |node: usize| format!("n{node}.node.a.amop").parse::<Name>().unwrap();
    let sent = outcome((0..=TRIED_MAX).map(name).collect());
    let received = outcome((0..TRIED_MAX).map(name).collect());
    assert_eq!(decoded(encoded(&sent).unwrap()), Ok(received), "the first 16 are sent");
}

#[test]
fn a_node_has_at_most_65536_topics_and_changes_as_many_at_once() {
    let entries = |count: usize| {
        let entry = |topic: usize| Fields::new().bytes(1, format!("{topic:x}"));
        (0..count)
            .fold(announced(Fields::new().bytes(1, "t")), |set, topic| set.message(3, entry(topic)))
    };
    let (limit, more) = (entries(TOPICS_PER_NODE_MAX - 1), entries(TOPICS_PER_NODE_MAX));
    assert_eq!(TOPICS_PER_NODE_MAX, 65_536);
    assert_payload_limit(4, Fields::new(), limit.clone(), more.clone());
    assert_payload_limit(5, changes(), limit, more);
}

#[test]
fn a_network_has_at_most_1024_nodes() {
    let (limit, more) = (NODES_MAX, NODES_MAX + 1);
    assert_eq!(limit, 1024);
    let nodes = |number: u64, count: usize| {
        (0..count).fold(Fields::new(), |nodes, _| nodes.message(number, home()))
    };
    let announcement = |count| Fields::new().bytes(1, NAME).then(nodes(2, count).as_ref());
    assert_payload_limit(4, Fields::new(), announcement(limit), announcement(more));
    let changes_of = |count| Fields::new().bytes(1, NAME).message(2, nodes(1, count));
    assert_payload_limit(5, changes(), changes_of(limit), changes_of(more));
    let entry = || Fields::new().message(1, home());
    let summary = |count| (0..count).fold(Fields::new(), |all, _| all.message(1, entry()));
    assert_limit::<PeerMessage>(11, summary(limit), summary(more));
}

#[test]
fn a_run_may_reach_the_last_number_and_not_pass_it() {
    let run = |first: u64| Fields::new().fixed64(1, first).fixed32(2, 5);
    let body = |first: u64| Fields::new().message(1, run(first));
    let (limit, more) = (u64::MAX - 5, u64::MAX - 3);
    assert_limit::<ClientMessage>(7, body(limit), body(more));
    assert_limit::<NodeMessage>(5, body(limit), body(more));
    let run = |first: u64| Fields::new().fixed64(2, first).fixed32(3, 5);
    let body = |first: u64| Fields::new().message(1, run(first));
    assert_limit::<PeerMessage>(10, body(limit), body(more));
}

#[test]
fn a_payload_may_have_one_mebibyte() {
    let publish = |bytes: usize| publish_of(TTL_MAX, vec![7; bytes].into());
    let (limit, more) = (PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX + 1);
    assert_eq!(limit, 1_048_576);
    assert_eq!(decoded(encoded(&publish(limit)).unwrap()), Ok(publish(limit)));
    let error = FrameError::PayloadTooLong { payload_bytes: more, limit };
    assert_eq!(encoded(&publish(more)), Err(error));
}

#[test]
fn an_announcement_fits_as_long_as_one_payload_holds_it() {
    // With two bytes of tag and four of lengths, an entry of 250 bytes takes 256.
    let set = |last_bytes: usize| {
        let last = std::iter::once("t".repeat(last_bytes));
        let topics = (1..4096).map(|topic| format!("{topic:0>250}")).chain(last);
        let topics = topics.map(|topic| (topic.parse().unwrap(), vec![])).collect();
        // With its tag and length, the name takes 16 bytes, which the last topic leaves out.
        let name = "abc.node.b.de".parse().unwrap();
        Announcement::new(Version::default(), name, vec![], topics)
    };
    let limit = set(250 - 15);
    assert_eq!(limit.encoded().len(), PAYLOAD_BYTES_MAX);
    assert!(limit.fits());
    let snapshot = PeerMessage::Snapshot(limit);
    assert_eq!(decoded(encoded(&snapshot).unwrap()), Ok(snapshot));

    let more = set(251 - 15);
    assert!(!more.fits());
    let refused = encoded(&PeerMessage::Snapshot(more));
    assert!(matches!(refused, Err(FrameError::PayloadTooLong { .. })));
}

#[test]
fn more_acks_than_a_header_holds_are_refused_before_they_travel() {
    let acks = |runs: usize| {
        ClientMessage::Acks(vec![AckRun { first: 0, count: 1, refused: false }; runs])
    };
    // A run takes 18 bytes; the tag and the length of the kind take four.
    let limit = (HEADER_BYTES_MAX - 4) / 18;
    assert_eq!(decoded(encoded(&acks(limit)).unwrap()), Ok(acks(limit)));
    let refused = encoded(&acks(limit + 1));
    assert!(matches!(refused, Err(FrameError::HeaderTooLong { .. })));
}

/// Takes the one body and refuses a field of the other.
#[track_caller]
fn assert_limit<M: Message + Debug>(kind: u64, at_the_limit: Fields, one_past_it: Fields) {
    let taken = read::<M>(kind, at_the_limit, "");
    assert!(taken.is_ok(), "kind {kind} at the limit: {taken:?}");
    let refused = read::<M>(kind, one_past_it, "");
    assert!(
        matches!(refused, Err(MessageError::BadField { .. })),
        "kind {kind} past the limit: {refused:?}"
    );
}

/// Does the same to what a peer sends as a payload.
#[track_caller]
fn assert_payload_limit(kind: u64, body: Fields, at_the_limit: Fields, one_past_it: Fields) {
    assert!(read::<PeerMessage>(kind, body.clone(), at_the_limit).is_ok(), "at the limit");
    let refused = read::<PeerMessage>(kind, body, one_past_it);
    assert!(matches!(refused, Err(MessageError::BadField { .. })), "past the limit");
}

fn publish_of(ttl: Duration, payload: Bytes) -> ClientMessage {
    let topic = "quote".parse().expect("a valid topic");
    ClientMessage::Publish(Publish {
        terms: Terms::default(),
        counter: 1,
        ttl,
        mode: Mode::Unicast,
        sequence: 0,
        topic,
        payload,
    })
}

fn outcome(tried: Vec<Name>) -> NodeMessage {
    NodeMessage::Outcome(Outcome {
        counter: 1,
        code: Code::SubscriberUnreachable,
        reason: Reason::SubscriberGone,
        attempts: 17,
        status: AnswerStatus::Answered,
        answered_by: None,
        tried,
        payload: Bytes::new(),
    })
}

/// An announcement, or changes of one, with one entry for a topic.
fn announced(entry: Fields) -> Fields {
    Fields::new().bytes(1, NAME).message(3, entry)
}
