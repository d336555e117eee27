//! What newer versions and other implementations of protobuf may write differently.

use std::fmt::Debug;
use std::time::Duration;

use amop_wire::{
    AnswerStatus, Attempt, ClientMessage, Code, Delivery, Epoch, Frame, Gen, Instance, Message,
    Mode, MsgId, NodeId, NodeMessage, Outcome, PeerMessage, PeerRefusal, Publish, Reason, Terms,
    Topic, Version,
};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use crate::bodies::{NAME, TOPIC, changes, delivery, head, publish, snapshot};
use crate::protobuf::Fields;
use crate::strategies::{client_messages, node_messages, peer_messages};
use crate::{read, walk};

proptest! {
    #[test]
    fn a_client_message_is_read_whatever_was_added_and_in_any_order(message in client_messages()) {
        assert_read_alike(&message)?;
    }

    #[test]
    fn a_node_message_is_read_whatever_was_added_and_in_any_order(message in node_messages()) {
        assert_read_alike(&message)?;
    }

    #[test]
    fn a_peer_message_is_read_whatever_was_added_and_in_any_order(message in peer_messages()) {
        assert_read_alike(&message)?;
    }
}

#[test]
fn a_reason_of_a_newer_version_reads_as_none_given() {
    let message = read::<PeerMessage>(8, Fields::new().fixed32(4, u32::MAX), "").unwrap();
    let PeerMessage::Refusal(refusal) = message else { panic!("no refusal: {message:?}") };
    assert_eq!(refusal.reason, Reason::Unspecified);
}

#[test]
fn an_announcement_of_a_newer_version_is_read_and_kept_as_it_came() {
    let subscriber = newer(Fields::new().fixed64(1, 7).fixed32(2, 1));
    let entry = newer(Fields::new().message(2, subscriber).bytes(1, TOPIC));
    let payload = Bytes::from(newer(Fields::new().message(2, entry)));
    let message = read(4, snapshot(), payload.clone()).unwrap();
    let PeerMessage::Snapshot(set) = message else { panic!("no snapshot: {message:?}") };

    let [(topic, subscribers)] = set.topics() else { panic!("one topic: {set:?}") };
    assert_eq!((topic.as_str(), subscribers.len()), (TOPIC, 1));
    assert_eq!((subscribers[0].instance, subscribers[0].generation), (Instance(7), Gen(1)));
    assert_eq!(set.encoded(), &payload);
}

/// SEQ-10: the signature covers what a newer version says, whether or not this one understands it.
#[test]
fn a_head_of_a_newer_version_is_signed_as_it_came() {
    let head = newer(head());
    let signed = Fields::new().message(1, head.clone()).bytes(2, "signature");
    let message = read(5, changes().message(2, signed), "").unwrap();
    let PeerMessage::Changes(changes) = &message else { panic!("no changes: {message:?}") };
    let expected = [b"AMOP-ANNOUNCEMENT/v1\0", head.as_ref()].concat();
    assert_eq!(changes.signed().signed_bytes(), expected);
    assert_eq!(changes.signed().signature(), "signature");

    let mut header = BytesMut::new();
    message.put_header(&mut header);
    let found = header.windows(head.as_ref().len()).any(|bytes| bytes == head.as_ref());
    assert!(found, "and it is passed on so");
}

/// SEQ-12: what a relay adds to changes goes no farther than to its neighbours.
#[test]
fn what_nobody_signed_is_not_passed_on_with_changes() {
    let change = Fields::new().bytes(1, TOPIC).fixed64(2, 7).fixed32(3, 1).varint(4, 0);
    let plain = Fields::new().message(2, change.clone());
    let padded = newer(Fields::new().message(2, newer(change)));
    let message = read::<PeerMessage>(5, changes(), padded).unwrap();
    assert_eq!(message.payload(), plain.as_ref());
    assert_eq!(message, read(5, changes(), plain).unwrap());
}

#[test]
fn a_client_leaves_out_numbers_that_are_zero() {
    let attach = ClientMessage::Attach { instance: Instance(0), generation: Gen(0) };
    assert_eq!(read(1, Fields::new(), ""), Ok(attach));
    let expected = ClientMessage::Publish(Publish {
        terms: Terms::default(),
        counter: 0,
        ttl: Duration::ZERO,
        mode: Mode::Unicast,
        sequence: 0,
        topic: topic(),
        payload: "how much?".into(),
    });
    assert_eq!(read(4, publish(), "how much?"), Ok(expected));
}

#[test]
fn a_node_leaves_out_numbers_that_are_zero() {
    let expected = NodeMessage::Delivery(Delivery {
        terms: Terms::default(),
        attempt: Attempt { home: NodeId::from_bytes([0; 32]), id: NOBODYS, number: 0 },
        ttl: Duration::ZERO,
        from: NAME.parse().unwrap(),
        topic: topic(),
        payload: "how much?".into(),
    });
    assert_eq!(read(3, delivery(), "how much?"), Ok(expected));
    let expected = NodeMessage::Outcome(Outcome {
        counter: 0,
        code: Code::Ok,
        reason: Reason::Unspecified,
        attempts: 0,
        status: AnswerStatus::Answered,
        answered_by: None,
        tried: vec![],
        retry_after: None,
        payload: "42".into(),
    });
    assert_eq!(read(4, Fields::new(), "42"), Ok(expected));
}

#[test]
fn a_peer_leaves_out_numbers_that_are_zero() {
    assert_eq!(read(1, Fields::new(), ""), Ok(PeerMessage::Greeting(Epoch(0))));
    let refusal = PeerRefusal {
        id: NOBODYS,
        attempt: 0,
        reason: Reason::Unspecified,
        subscriber: Instance(0),
        fenced: false,
    };
    assert_eq!(read(8, Fields::new(), ""), Ok(PeerMessage::Refusal(refusal)));
    assert_eq!(read(16, Fields::new(), ""), Ok(PeerMessage::Held(Version::default())));
}

/// Adds fields of all wire types with unknown numbers to a header and to its body, and turns the
/// order of the fields in the body around; nothing of it changes the message.
fn assert_read_alike<M: Message + Debug + PartialEq>(message: &M) -> Result<(), TestCaseError> {
    let mut header = BytesMut::new();
    message.put_header(&mut header);
    let kind = walk::kind(&header);

    let mut fields = walk::fields(&header, kind.value.clone());
    fields.sort_by_key(|field| std::cmp::Reverse(field.number)); // Repeated ones keep their order.
    let reversed =
        fields.iter().fold(Fields::new(), |body, field| body.then(&header[field.whole.clone()]));
    let same_order = Fields::new().then(&header[kind.value]);

    let added_behind = newer(Fields::new().then(&header));
    let added_before = newer(Fields::new()).then(&header);
    let added_inside = Fields::new().message(kind.number, newer(same_order));
    let turned_around = Fields::new().message(kind.number, reversed);
    for header in [added_behind, added_before, added_inside, turned_around] {
        let frame = Frame { header: header.into(), payload: message.payload().clone() };
        let read = M::from_frame(frame);
        prop_assert_eq!(read.as_ref(), Ok(message));
    }
    Ok(())
}

fn newer(fields: Fields) -> Fields {
    fields.varint(1000, u64::MAX).fixed64(1001, 1).bytes(1002, "new").fixed32(1003, 1)
}

fn topic() -> Topic {
    TOPIC.parse().expect("a valid topic")
}

const NOBODYS: MsgId = MsgId { publisher: Instance(0), counter: 0 };
