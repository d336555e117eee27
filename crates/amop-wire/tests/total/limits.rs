//! Every limit of a message, at the limit and one past it.

use std::fmt::Debug;
use std::time::Duration;

use amop_wire::limits::{
    AUTHORITIES_MAX, CHAIN_BYTES_MAX, CHAIN_CERTIFICATES_MAX, HANDSHAKE_BYTES_MAX, HEAD_BYTES_MAX,
    HEADER_BYTES_MAX, NAME_BYTES_MAX, NODES_MAX, PAYLOAD_BYTES_MAX, SIGNATURE_BYTES_MAX,
    SUBSCRIBERS_PER_ANSWER_MAX, TOPIC_BYTES_MAX, TOPICS_PER_NODE_MAX, TRIED_MAX, TTL_MAX,
    WATCHED_SUBSCRIBERS_MAX,
};
use amop_wire::{
    AckEnd, AckRun, Announcement, AnnouncementHead, AnswerStatus, AuthorityId, Chain,
    ClientMessage, Code, Epoch, Frame, FrameError, Instance, Message, MessageError, Mode, MsgId,
    Multicast, Name, NodeId, NodeMessage, Outcome, PeerMessage, Publish, Reason, RevocationMessage,
    Seated, SetDigest, SignedHead, Terms, Version, Watched,
};
use bytes::Bytes;

use crate::bodies::{
    NAME, changes, delivery, head, home, multicast, publish, request, snapshot, subscribed,
};
use crate::frames::{decoded, encoded};
use crate::protobuf::Fields;
use crate::read;

#[test]
fn a_topic_may_have_255_bytes_in_every_message() {
    let topic = |bytes: usize| "t".repeat(bytes);
    let entry = |bytes: usize| announced(Fields::new().bytes(1, topic(bytes)));
    let (limit, more) = (TOPIC_BYTES_MAX, TOPIC_BYTES_MAX + 1);
    assert_eq!(limit, 255);

    for kind in [2, 3, 8] {
        let body = |bytes: usize| Fields::new().bytes(1, topic(bytes));
        assert_limit::<ClientMessage>(kind, body(limit), body(more));
    }
    let body = |bytes: usize| publish().bytes(5, topic(bytes));
    assert_limit::<ClientMessage>(4, body(limit), body(more));
    let body = |bytes: usize| subscribed().bytes(3, topic(bytes));
    assert_limit::<NodeMessage>(2, body(limit), body(more));
    let body = |bytes: usize| Fields::new().bytes(1, topic(bytes));
    assert_limit::<NodeMessage>(6, body(limit), body(more));
    let body = |bytes: usize| delivery().bytes(7, topic(bytes));
    assert_limit::<NodeMessage>(3, body(limit), body(more));
    let body = |bytes: usize| request().bytes(8, topic(bytes));
    assert_limit::<PeerMessage>(6, body(limit), body(more));
    let body = |bytes: usize| multicast().bytes(6, topic(bytes));
    assert_limit::<PeerMessage>(9, body(limit), body(more));
    assert_payload_limit(4, snapshot(), entry(limit), entry(more));
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
    let body = |name: &str| changes().message(2, Fields::new().message(1, head().bytes(3, name)));
    assert_limit::<PeerMessage>(5, body(&limit), body(&more));
}

#[test]
fn a_head_and_its_signature_may_have_512_bytes_each() {
    let signed = |head: Fields, signature: usize| {
        Fields::new().message(1, head).bytes(2, vec![7; signature])
    };
    // What a newer version adds; its tag and length take four bytes.
    let long = |bytes: usize| head().bytes(1000, vec![7; bytes - head().as_ref().len() - 4]);
    assert_eq!((HEAD_BYTES_MAX, SIGNATURE_BYTES_MAX), (512, 512));
    assert_eq!(long(HEAD_BYTES_MAX).as_ref().len(), HEAD_BYTES_MAX);
    for (kind, number, body) in [(4, 1, snapshot()), (5, 2, changes())] {
        let body = |head, signature| body.clone().message(number, signed(head, signature));
        let limit = || body(head(), SIGNATURE_BYTES_MAX);
        assert_limit::<PeerMessage>(kind, limit(), body(head(), SIGNATURE_BYTES_MAX + 1));
        let limit = body(long(HEAD_BYTES_MAX), 64);
        assert_limit::<PeerMessage>(kind, limit, body(long(HEAD_BYTES_MAX + 1), 64));
    }
}

#[test]
fn a_chain_has_one_to_four_certificates_of_16_kib_together() {
    let signed = || Fields::new().message(1, Fields::new().message(1, head()));
    let chain = |lengths: &[usize]| {
        lengths.iter().fold(signed(), |body, &bytes| body.bytes(2, vec![7; bytes]))
    };
    assert_eq!((CHAIN_CERTIFICATES_MAX, CHAIN_BYTES_MAX), (4, 16_384));
    assert_limit::<PeerMessage>(4, chain(&[1]), chain(&[]));
    assert_limit::<PeerMessage>(4, chain(&[1; 4]), chain(&[1; 5]));
    assert_limit::<PeerMessage>(4, chain(&[16_000, 384]), chain(&[16_000, 385]));
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
            .fold(announced(Fields::new().bytes(1, "t")), |set, topic| set.message(2, entry(topic)))
    };
    let (limit, more) = (entries(TOPICS_PER_NODE_MAX - 1), entries(TOPICS_PER_NODE_MAX));
    assert_eq!(TOPICS_PER_NODE_MAX, 65_536);
    assert_payload_limit(4, snapshot(), limit.clone(), more.clone());
    assert_payload_limit(5, changes(), limit, more);
}

/// REACH-1
#[test]
fn an_answer_names_at_most_128_subscribers() {
    let (limit, more) = (SUBSCRIBERS_PER_ANSWER_MAX, SUBSCRIBERS_PER_ANSWER_MAX + 1);
    assert_eq!(limit, 128);
    let answer = |count: usize| Fields::new().bytes(4, vec![7; 8 * count]);
    assert_limit::<PeerMessage>(27, answer(limit), answer(more));
    let question = |bytes: usize| Fields::new().bytes(2, vec![b't'; bytes]);
    assert_limit::<PeerMessage>(26, question(TOPIC_BYTES_MAX), question(TOPIC_BYTES_MAX + 1));
}

#[test]
fn a_network_has_at_most_1024_nodes() {
    let (limit, more) = (NODES_MAX, NODES_MAX + 1);
    assert_eq!(limit, 1024);
    let nodes = |number: u64, count: usize| {
        (0..count).fold(Fields::new(), |nodes, _| nodes.message(number, home()))
    };
    assert_payload_limit(4, snapshot(), nodes(1, limit), nodes(1, more));
    let changes_of = |count| Fields::new().message(1, nodes(1, count));
    assert_payload_limit(5, changes(), changes_of(limit), changes_of(more));
    let entry = || Fields::new().message(1, home());
    let summary = |count| (0..count).fold(Fields::new(), |all, _| all.message(1, entry()));
    assert_limit::<PeerMessage>(11, summary(limit), summary(more));
}

/// CRL-2
#[test]
fn a_node_tells_of_the_lists_of_at_most_1024_authorities() {
    let (limit, more) = (AUTHORITIES_MAX, AUTHORITIES_MAX + 1);
    assert_eq!(limit, 1024);
    let entry = || Fields::new().bytes(2, [7; 32]);
    let held = |count| (0..count).fold(Fields::new(), |all, _| all.message(1, entry()));
    assert_limit::<PeerMessage>(23, held(limit), held(more));

    let authority = AuthorityId::of(b"name", b"key");
    let most = RevocationMessage::Held(vec![(authority, u64::MAX); limit]);
    assert!(encoded(&PeerMessage::Revocation(most)).is_ok(), "they fit a header");
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

/// SES-6: a run of receipts for the last one would have no end, whichever way it is written.
#[test]
fn a_publish_and_a_multicast_have_any_number_but_the_last_one() {
    let body = |counter: u64| publish().fixed64(1, counter);
    assert_limit::<ClientMessage>(4, body(u64::MAX - 1), body(u64::MAX));
    let ours = |number| match publish_of(TTL_MAX, Bytes::new()) {
        ClientMessage::Publish(publish) => {
            ClientMessage::Publish(Publish { counter: number, ..publish })
        }
        other => other,
    };
    let limit = ours(u64::MAX - 1);
    assert_eq!(decoded(encoded(&limit).unwrap()), Ok(limit));
    decoded::<ClientMessage>(encoded(&ours(u64::MAX)).unwrap()).unwrap_err();

    let body = |counter: u64| multicast().fixed64(2, counter);
    assert_limit::<NodeMessage>(9, body(u64::MAX - 1), body(u64::MAX));
    assert_limit::<PeerMessage>(9, body(u64::MAX - 1), body(u64::MAX));
    let ours = |counter: u64| {
        PeerMessage::Multicast(Multicast {
            id: MsgId { publisher: Instance(1), counter },
            ttl: TTL_MAX,
            sequence: 0,
            from: NAME.parse().unwrap(),
            topic: "t".parse().unwrap(),
            sealed: false,
            payload: Bytes::new(),
        })
    };
    let limit = ours(u64::MAX - 1);
    assert_eq!(decoded(encoded(&limit).unwrap()), Ok(limit));
    decoded::<PeerMessage>(encoded(&ours(u64::MAX)).unwrap()).unwrap_err();
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
        let (name, version) = (NAME.parse().unwrap(), Version::default());
        let head = AnnouncementHead { name, version, digest: SetDigest::from_bytes([7; 32]) };
        let signed = SignedHead::new(head, "signature".into());
        let chain = Chain::new(vec!["certificate".into()]).unwrap();
        Announcement::new(signed, chain, vec![], topics)
    };
    let limit = set(250);
    assert_eq!(limit.encoded().len(), PAYLOAD_BYTES_MAX);
    assert!(limit.fits());
    let snapshot = PeerMessage::Snapshot(limit);
    assert_eq!(decoded(encoded(&snapshot).unwrap()), Ok(snapshot));

    let more = set(251);
    assert!(!more.fits());
    let refused = encoded(&PeerMessage::Snapshot(more));
    assert!(matches!(refused, Err(FrameError::PayloadTooLong { .. })));
}

#[test]
fn more_acks_than_a_header_holds_are_refused_before_they_travel() {
    let acks = |runs: usize| {
        ClientMessage::Acks(vec![AckRun { first: 0, count: 1, end: AckEnd::Taken }; runs])
    };
    // A run takes 18 bytes; the tag and the length of the kind take four.
    let limit = (HEADER_BYTES_MAX - 4) / 18;
    assert_eq!(decoded(encoded(&acks(limit)).unwrap()), Ok(acks(limit)));
    let refused = encoded(&acks(limit + 1));
    assert!(matches!(refused, Err(FrameError::HeaderTooLong { .. })));
}

#[test]
fn a_handshake_may_have_512_bytes_whoever_says_it() {
    assert_eq!(HANDSHAKE_BYTES_MAX, 512);
    let frame = |kind: u64, body: Fields, bytes: usize| Frame {
        header: Fields::new().message(kind, body).into(),
        payload: vec![0; bytes].into(),
    };
    let for_client = || Fields::new().bytes(3, NAME).bytes(4, "quote");
    let for_peer = || Fields::new().bytes(4, NAME).bytes(5, "quote");
    let is_taken = |bytes: usize| {
        let of_client = frame(17, Fields::new().bytes(3, "quote"), bytes);
        [
            ClientMessage::from_frame(of_client).is_ok(),
            NodeMessage::from_frame(frame(17, for_client(), bytes)).is_ok(),
            PeerMessage::from_frame(frame(20, for_peer(), bytes)).is_ok(),
        ]
    };
    assert_eq!(is_taken(HANDSHAKE_BYTES_MAX), [true; 3]);
    assert_eq!(is_taken(HANDSHAKE_BYTES_MAX + 1), [false; 3]);
}

#[test]
fn who_watches_is_told_of_1024_subscribers_in_one_frame() {
    let watched = |present: usize, gone: usize| {
        let (node, epoch) = (NodeId::from_bytes([1; 32]), Epoch(u64::MAX));
        let seated = |n: usize| Seated { instance: Instance(n as u64), node, epoch };
        NodeMessage::Watched(Watched {
            is_all: true,
            topic: "t".repeat(TOPIC_BYTES_MAX).parse().expect("a valid topic"),
            present: (0..present).map(seated).collect(),
            gone: (0..gone).map(|n| Instance(n as u64)).collect(),
        })
    };
    let limit = WATCHED_SUBSCRIBERS_MAX;
    for (message, is_taken) in [
        (watched(limit, 0), true),
        (watched(0, limit), true),
        (watched(limit + 1, 0), false),
        (watched(0, limit + 1), false),
    ] {
        let bytes = encoded(&message).expect("it fits a header");
        assert_eq!(decoded::<NodeMessage>(bytes) == Ok(message), is_taken);
    }
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
        retry_after: None,
        payload: Bytes::new(),
    })
}

/// An announcement, or changes of one, with one entry for a topic.
fn announced(entry: Fields) -> Fields {
    Fields::new().message(2, entry)
}
