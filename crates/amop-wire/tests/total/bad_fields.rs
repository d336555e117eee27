//! Every value that a field cannot have is refused by the name of the field.

use std::fmt::Debug;

use amop_wire::limits::NODES_MAX;
use amop_wire::{ClientMessage, Frame, Message, MessageError, NodeMessage, PeerMessage};
use bytes::Bytes;

use crate::bodies::{
    answer, changes, delivery, head, hop, multicast, propagated, publish, relay, request, returned,
    snapshot, stop, subscribe, subscribed, tree,
};
use crate::protobuf::Fields;
use crate::read;

#[test]
fn a_bad_field_of_a_client_is_named() {
    let run = Fields::new().fixed64(1, u64::MAX).fixed32(2, 2);
    for (field, kind, body) in [
        ("subscribe.topic", 2, Fields::new()),
        ("subscribe.topic", 2, subscribe().bytes(1, "a\nb")),
        ("unsubscribe.topic", 3, subscribe().bytes(1, " a")),
        ("propagate.topic", 8, Fields::new()),
        ("propagate.topic", 8, propagated().bytes(1, "a\nb")),
        ("publish.counter", 4, publish().fixed64(1, u64::MAX)),
        ("publish.ttl_ms", 4, publish().fixed32(2, u32::MAX)),
        ("publish.mode", 4, publish().fixed32(3, 0)),
        ("publish.mode", 4, publish().fixed32(3, 3)),
        ("publish.mode", 4, Fields::new().bytes(5, "quote")),
        ("publish.topic", 4, publish().bytes(5, b"\xff")),
        ("answer.home", 5, Fields::new()),
        ("answer.home", 5, Fields::new().message(5, three_words())),
        ("answer.status", 5, answer().fixed32(4, 3)),
        ("refuse.home", 6, Fields::new().message(5, three_words())),
        ("acks.count", 7, Fields::new().message(1, run)),
    ] {
        assert_eq!(bad_field::<ClientMessage>(kind, body, ""), field);
    }
}

#[test]
fn a_bad_field_of_a_node_is_named() {
    let run = Fields::new().fixed64(1, u64::MAX).fixed32(2, 2);
    let tried = |dns: &str| Fields::new().bytes(7, dns);
    for (field, kind, body) in [
        ("subscribed.topic", 2, Fields::new()),
        ("subscribed.code", 2, subscribed().fixed32(1, 1)),
        ("subscribed.code", 2, subscribed().fixed32(1, 256)),
        ("propagated.topic", 6, Fields::new()),
        ("propagated.topic", 6, propagated().bytes(1, " a")),
        ("delivery.ttl_ms", 3, delivery().fixed32(3, u32::MAX)),
        ("delivery.home", 3, Fields::new().fixed32(4, 1)),
        ("delivery.from", 3, delivery().bytes(6, "bank-a/n1")),
        ("delivery.topic", 3, delivery().bytes(7, "")),
        ("multicast.counter", 9, multicast().fixed64(2, u64::MAX)),
        ("multicast.ttl_ms", 9, multicast().fixed32(3, u32::MAX)),
        ("multicast.from", 9, multicast().bytes(5, "bank-a/n1")),
        ("multicast.topic", 9, multicast().bytes(6, "")),
        ("outcome.code", 4, Fields::new().fixed32(2, 104)),
        ("outcome.status", 4, Fields::new().fixed32(5, 3)),
        ("outcome.answered_by", 4, Fields::new().bytes(6, "nobody")),
        ("outcome.tried", 4, tried("nobody")),
        ("outcome.tried", 4, tried("")),
        ("receipts.count", 5, Fields::new().message(1, run)),
    ] {
        assert_eq!(bad_field::<NodeMessage>(kind, body, ""), field);
    }
}

#[test]
fn a_bad_field_of_a_peer_is_named() {
    let run = Fields::new().fixed64(2, u64::MAX).fixed32(3, 2);
    let entry = Fields::new().bytes(1, "a\tb");
    let half_a_node = || Fields::new().fixed64(1, 1);
    let backwards = changes().fixed64(1, 2);
    let standing = changes().fixed64(1, 1);
    let headed = |head: Fields| changes().message(2, Fields::new().message(1, head));
    for (field, kind, body, payload) in [
        ("pull.node", 3, Fields::new(), Fields::new()),
        ("head.name", 4, Fields::new(), Fields::new()),
        ("head.name", 5, headed(head().bytes(3, "bank-a/n1")), Fields::new()),
        ("head.digest", 5, headed(head().bytes(4, [7; 31])), Fields::new()),
        ("head.digest", 5, headed(head().bytes(4, [7; 33])), Fields::new()),
        (
            "snapshot.certificates",
            4,
            Fields::new().message(1, Fields::new().message(1, head())),
            Fields::new(),
        ),
        ("announcement.neighbours", 4, snapshot(), Fields::new().message(1, half_a_node())),
        ("announcement.topic", 4, snapshot(), Fields::new().message(2, entry.clone())),
        ("changes.from_seq", 5, headed(head().fixed64(2, 0)), Fields::new()),
        ("changes.from_seq", 5, standing, Fields::new()),
        ("changes.from_seq", 5, backwards, Fields::new()),
        (
            "changes.neighbours",
            5,
            changes(),
            Fields::new().message(1, Fields::new().message(1, half_a_node())),
        ),
        ("changes.topic", 5, changes(), Fields::new().message(2, entry)),
        ("request.ttl_ms", 6, request().fixed32(3, u32::MAX), Fields::new()),
        (
            "revocations_held.authority",
            23,
            Fields::new().message(1, Fields::new().bytes(2, [7; 31])),
            Fields::new(),
        ),
        ("revocation_pull.authority", 24, Fields::new().bytes(1, [7; 33]), Fields::new()),
        ("revocation_list.authority", 25, Fields::new(), Fields::new()),
        ("request.from", 6, request().bytes(7, ""), Fields::new()),
        ("request.topic", 6, request().bytes(8, "a "), Fields::new()),
        ("answer.status", 7, Fields::new().fixed32(4, 3), Fields::new()),
        ("multicast.counter", 9, multicast().fixed64(2, u64::MAX), Fields::new()),
        ("multicast.ttl_ms", 9, multicast().fixed32(3, u32::MAX), Fields::new()),
        ("multicast.from", 9, multicast().bytes(5, "N1.node.a.b"), Fields::new()),
        ("multicast.topic", 9, multicast().bytes(6, "e\u{301}"), Fields::new()),
        ("receipts.count", 10, Fields::new().message(1, run), Fields::new()),
        ("summary.node", 11, Fields::new().message(1, Fields::new()), Fields::new()),
        ("relay.lane", 12, relay().fixed32(2, 0), Fields::new()),
        ("relay.hops", 12, relay().message(4, hop(1)), Fields::new()),
        (
            "relay.hops",
            12,
            (3..10).fold(relay(), |relay, n| relay.message(4, hop(n))),
            Fields::new(),
        ),
        ("relay.position", 12, relay().fixed32(1, 0), Fields::new()),
        ("relay.position", 12, relay().fixed32(1, 3), Fields::new()),
        ("tree.way", 14, Fields::new().message(3, stop(2)), Fields::new()),
        ("tree.way", 14, (2..10).fold(tree(), |tree, n| tree.message(2, hop(n))), Fields::new()),
        ("tree.stops", 14, tree().message(3, stop(3).fixed32(2, 256)), Fields::new()),
        ("tree.stops", 14, tree().message(3, Fields::new().fixed32(2, 1)), Fields::new()),
        (
            "tree.stops",
            14,
            (0..NODES_MAX as u64).fold(tree(), |tree, n| tree.message(3, stop(n))),
            Fields::new(),
        ),
        ("returned.hops", 13, Fields::new(), Fields::new()),
        ("returned.position", 13, returned().fixed32(1, 3), Fields::new()),
    ] {
        assert_eq!(bad_field::<PeerMessage>(kind, body, payload), field);
    }
}

#[test]
fn the_text_of_a_bad_field_names_the_field_and_the_value() {
    let error = read::<ClientMessage>(4, publish().fixed32(3, 3), "").unwrap_err();
    assert_eq!(error.to_string(), "bad field `publish.mode`: 3 is no mode");
    let error = read::<NodeMessage>(4, Fields::new().fixed32(2, 104), "").unwrap_err();
    assert_eq!(error.to_string(), "bad field `outcome.code`: 104 is no code");
}

#[test]
fn a_kind_that_does_not_exist_is_unknown() {
    fn assert_unknown<M: Message + Debug + PartialEq>(first_unused: u64) {
        let nothing = Frame { header: Bytes::new(), payload: Bytes::new() };
        assert_eq!(M::from_frame(nothing), Err(MessageError::NoHeader), "no newer message either");
        for kind in [first_unused, 30, 31, 1 << 28] {
            let message = read::<M>(kind, Fields::new(), "payload");
            assert_eq!(message, Err(MessageError::UnknownKind), "kind {kind}");
        }
    }
    assert_unknown::<ClientMessage>(9);
    assert_unknown::<NodeMessage>(7);
    assert_unknown::<PeerMessage>(17);
}

#[test]
fn a_field_of_another_wire_type_makes_the_header_malformed() {
    let attach = Fields::new().varint(1, 7);
    assert!(matches!(read::<ClientMessage>(1, attach, ""), Err(MessageError::Malformed(_))));
    let header = Fields::new().varint(1, 7).into();
    let bare_number = ClientMessage::from_frame(Frame { header, payload: Bytes::new() });
    assert!(matches!(bare_number, Err(MessageError::Malformed(_))));
    let cut_entry = b"\x0a\x05qu";
    let set = read::<PeerMessage>(4, snapshot(), &cut_entry[..]);
    assert!(matches!(set, Err(MessageError::Malformed(_))));
}

#[test]
fn a_payload_behind_a_message_that_has_none_is_refused() {
    fn assert_refused<M: Message + Debug + PartialEq>(kind: u64, body: &Fields) {
        assert!(read::<M>(kind, body.clone(), "").is_ok(), "kind {kind} is valid without");
        let refused = read::<M>(kind, body.clone(), "four");
        assert_eq!(refused, Err(MessageError::UnexpectedPayload { payload_bytes: 4 }));
    }
    for (kind, body) in [
        (1, Fields::new()),
        (2, subscribe()),
        (3, subscribe()),
        (6, answer()),
        (7, Fields::new()),
        (8, propagated()),
    ] {
        assert_refused::<ClientMessage>(kind, &body);
    }
    for (kind, body) in
        [(1, Fields::new()), (2, subscribed()), (5, Fields::new()), (6, propagated())]
    {
        assert_refused::<NodeMessage>(kind, &body);
    }
    for kind in [1, 2, 8, 10, 11, 15, 16] {
        assert_refused::<PeerMessage>(kind, &Fields::new());
    }
    assert_refused::<PeerMessage>(3, &Fields::new().message(1, hop(1)));
    assert_refused::<PeerMessage>(13, &returned());
}

/// The field that is to blame.
#[track_caller]
fn bad_field<M: Message + Debug>(
    kind: u64,
    body: Fields,
    payload: impl Into<Bytes>,
) -> &'static str {
    match read::<M>(kind, body, payload) {
        Err(MessageError::BadField { field, .. }) => field,
        other => panic!("no bad field was found in kind {kind}: {other:?}"),
    }
}

fn three_words() -> Fields {
    (1..=3).fold(Fields::new(), |home, word| home.fixed64(word, 0))
}
