//! Every limit of a message, at the limit and one past it, and every field that can be wrong.

use amop_wire::limits::{
    FILE_BYTES_MAX, FILE_PIECE_BYTES_MAX, FILE_RECEIVERS_MAX, LABEL_OF_FILE_BYTES_MAX,
    SEALED_OFFER_BYTES_MAX,
};
use amop_wire::{FileBody, MessageError};

use crate::protobuf::Fields;
use crate::{decoded, encoded, message, offer, read};

#[test]
fn a_file_may_have_128_gib_and_a_name_of_255_bytes() {
    assert_eq!((FILE_BYTES_MAX, LABEL_OF_FILE_BYTES_MAX), (128 << 30, 255));
    let label = "x".repeat(LABEL_OF_FILE_BYTES_MAX).parse().unwrap();
    let longest = message(FileBody::Offer(offer(FILE_BYTES_MAX, &label)));
    assert_eq!(decoded(encoded(&longest)), Ok(longest));
    assert_eq!(bad_field(1, offer_fields().fixed64(2, FILE_BYTES_MAX + 1), ""), "file_offer.size");
    let long = "x".repeat(LABEL_OF_FILE_BYTES_MAX + 1);
    assert_eq!(bad_field(1, offer_fields().bytes(10, long), ""), "file_offer.label");
}

/// FILE-12.
#[test]
fn a_piece_has_one_to_65536_bytes() {
    assert_eq!(FILE_PIECE_BYTES_MAX, 65_536);
    for bytes in [1, FILE_PIECE_BYTES_MAX] {
        assert!(read(2, routed(), vec![7; bytes]).is_ok());
    }
    for bytes in [0, FILE_PIECE_BYTES_MAX + 1] {
        assert_eq!(bad_field(2, routed(), vec![7; bytes]), "file_piece");
    }
}

#[test]
fn credit_may_end_where_the_receiver_is_and_not_before() {
    assert!(read(5, routed().fixed64(2, 7).fixed64(3, 7), "").is_ok());
    assert_eq!(bad_field(5, routed().fixed64(2, 7).fixed64(3, 6), ""), "file_credit.granted");
}

#[test]
fn a_node_names_1024_receivers_at_most() {
    let at = |count: u64| {
        let at = Fields::new().bytes(1, "n1.node.bank-a.amop");
        let at = (0..count).fold(at, |at, instance| at.fixed64(2, instance));
        routed().message(3, at)
    };
    assert_eq!(FILE_RECEIVERS_MAX, 1024);
    assert!(read(12, at(1024), "").is_ok());
    assert_eq!(bad_field(12, at(1025), ""), "file_found.at");
}

/// FILE-14
#[test]
fn a_sealed_offer_has_1024_bytes_at_most() {
    assert_eq!(SEALED_OFFER_BYTES_MAX, 1024);
    let fields = || routed().bytes(2, "app.sdk.bank-a.amop").bytes(3, "t");
    assert!(read(13, fields(), vec![7; 1024]).is_ok());
    assert_eq!(bad_field(13, fields(), vec![7; 1025]), "file_sealed_offer");
}

#[test]
fn a_bad_field_is_named() {
    let three_words = || (1..=3).fold(Fields::new(), |id, word| id.fixed64(word, 0));
    for (field, kind, body) in [
        ("file_route.home", 6, Fields::new()),
        ("file_route.home", 6, Fields::new().message(1, Fields::new().message(4, three_words()))),
        ("file_route.exit", 7, Fields::new().message(1, Fields::new().message(4, node()))),
        ("file_offer.sha256", 1, offer_fields().bytes(6, [7; 31])),
        ("file_offer.list_sha256", 1, offer_fields().bytes(7, [7; 33])),
        ("file_offer.from", 1, offer_fields().bytes(8, "bank-a/app")),
        ("file_offer.topic", 1, offer_fields().bytes(9, "")),
        ("file_offer.label", 1, offer_fields().bytes(10, "../x")),
        ("file_done.sha256", 8, routed().bytes(2, [7; 31])),
        ("file_find.topic", 11, routed()),
        ("file_found.node", 12, routed().message(3, Fields::new().bytes(1, "bank-a/n1"))),
        ("file_sealed_offer.from", 13, routed().bytes(3, "t")),
        ("file_sealed_offer.topic", 13, routed().bytes(2, "app.sdk.bank-a.amop")),
        ("file_refused.code", 9, routed()),
        ("file_refused.code", 9, routed().fixed32(2, 0)),
        ("file_refused.code", 9, routed().fixed32(2, 104)),
    ] {
        assert_eq!(bad_field(kind, body, ""), field);
    }
}

#[test]
fn only_pieces_and_what_is_sealed_have_a_payload_and_other_kinds_are_unknown() {
    for (kind, body) in [
        (1, offer_fields()),
        (3, routed()),
        (4, routed()),
        (5, routed()),
        (6, routed()),
        (7, routed()),
        (8, routed().bytes(2, [7; 32])),
        (9, routed().fixed32(2, 206)),
        (10, routed()),
        (11, routed().bytes(2, "t")),
        (12, routed()),
    ] {
        assert!(read(kind, body.clone(), "").is_ok(), "kind {kind}");
        let refused = read(kind, body, "x");
        assert_eq!(refused, Err(MessageError::UnexpectedPayload { payload_bytes: 1 }));
    }
    assert_eq!(read(14, routed(), ""), Err(MessageError::UnknownKind));
}

#[test]
fn fields_of_newer_versions_are_skipped() {
    let newer = routed().varint(99, 7);
    assert_eq!(read(6, newer, ""), read(6, routed(), ""));
}

#[track_caller]
fn bad_field(kind: u64, body: Fields, payload: impl Into<bytes::Bytes>) -> &'static str {
    match read(kind, body, payload) {
        Err(MessageError::BadField { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

/// The fewest fields with which an offer is valid; the last of a repeated one wins.
fn offer_fields() -> Fields {
    routed()
        .bytes(6, [7; 32])
        .bytes(7, [7; 32])
        .bytes(8, "app.sdk.bank-a.amop")
        .bytes(9, "statements")
        .bytes(10, "a.bin")
}

fn routed() -> Fields {
    Fields::new().message(1, route())
}

fn route() -> Fields {
    Fields::new().message(4, node()).message(6, node())
}

fn node() -> Fields {
    (1..=4).fold(Fields::new(), |id, word| id.fixed64(word, 0))
}
