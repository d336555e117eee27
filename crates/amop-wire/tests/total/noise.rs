//! Bytes that nobody meant as a message, and messages that were damaged on the way.

use std::fmt::Debug;

use amop_wire::{ClientMessage, Frame, FrameDecoder, Message, NodeMessage, PeerMessage, Recent};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::frames::{decoded, encoded};
use crate::protobuf::Fields;
use crate::strategies::{client_messages, node_messages, peer_messages};
use crate::{bodies, walk};

proptest! {
    #[test]
    fn any_bytes_give_a_message_or_an_error(
        header in vec(any::<u8>(), 0..200),
        payload in vec(any::<u8>(), 0..200),
    ) {
        assert_total_for_all(&header, &payload)?;
    }

    #[test]
    fn any_fields_give_a_message_or_an_error(
        header in headers(),
        payload in payloads(),
    ) {
        assert_total_for_all(header.as_ref(), payload.as_ref())?;
    }

    #[test]
    fn a_damaged_client_message_gives_a_message_or_an_error(
        message in client_messages(),
        damage in vec(damages(), 1..4),
    ) {
        assert_total_when_damaged(&message, &damage)?;
    }

    #[test]
    fn a_damaged_node_message_gives_a_message_or_an_error(
        message in node_messages(),
        damage in vec(damages(), 1..4),
    ) {
        assert_total_when_damaged(&message, &damage)?;
    }

    #[test]
    fn a_damaged_peer_message_gives_a_message_or_an_error(
        message in peer_messages(),
        damage in vec(damages(), 1..4),
    ) {
        assert_total_when_damaged(&message, &damage)?;
    }
}

fn assert_total_for_all(header: &[u8], payload: &[u8]) -> Result<(), TestCaseError> {
    let header = Bytes::copy_from_slice(header);
    let frame = Frame { header, payload: Bytes::copy_from_slice(payload) };
    assert_total::<ClientMessage>(frame.clone())?;
    assert_total::<NodeMessage>(frame.clone())?;
    assert_total::<PeerMessage>(frame)
}

/// A message can be sent on and is the same again; an error is fit for a line in a log.
fn assert_total<M: Message + Debug + PartialEq>(frame: Frame) -> Result<(), TestCaseError> {
    let read = M::from_frame(frame.clone());
    prop_assert_eq!(&M::read(frame, &mut Recent::default()), &read, "both ways agree");
    match read {
        Ok(message) => {
            let again = decoded::<M>(encoded(&message).expect("it came in one frame"));
            prop_assert_eq!(again.as_ref(), Ok(&message));
        }
        Err(error) => {
            let text = error.to_string();
            prop_assert!(text.len() < 1024 && !text.contains(char::is_control), "{}", text);
        }
    }
    Ok(())
}

fn assert_total_when_damaged<M: Message + Debug + PartialEq>(
    message: &M,
    damage: &[Damage],
) -> Result<(), TestCaseError> {
    let whole = encoded(message).expect("the message is within the limits").to_vec();
    let mut lane = FrameDecoder::default();
    lane.feed(damaged(&whole, damage).into());
    while let Ok(Some(frame)) = lane.next_frame() {
        assert_total::<M>(frame)?;
    }

    // Damage to the lengths hides damage behind them, so each part is damaged alone too.
    let header_bytes = whole.len() - PREFIX_BYTES - message.payload().len();
    let (header, payload) = whole[PREFIX_BYTES..].split_at(header_bytes);
    let body = &header[walk::kind(header).value];
    let number = walk::kind(header).number;
    let damaged_body = Fields::new().bytes(number, damaged(body, damage));
    for (header, payload) in [
        (damaged(header, damage), payload.to_vec()),
        (header.to_vec(), damaged(payload, damage)),
        (damaged_body.as_ref().to_vec(), payload.to_vec()),
    ] {
        assert_total::<M>(Frame { header: header.into(), payload: payload.into() })?;
    }
    Ok(())
}

#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
}

fn damages() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<Index>(), 1..=u8::MAX).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<Index>().prop_map(Damage::Remove),
        any::<Index>().prop_map(Damage::Truncate),
    ]
}

fn damaged(bytes: &[u8], damage: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for damage in damage {
        match damage {
            Damage::Insert(at, byte) => bytes.insert(at.index(bytes.len() + 1), *byte),
            Damage::Truncate(at) => bytes.truncate(at.index(bytes.len() + 1)),
            Damage::Flip(..) | Damage::Remove(_) if bytes.is_empty() => {}
            Damage::Flip(at, bits) => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Damage::Remove(at) => {
                bytes.remove(at.index(bytes.len()));
            }
        }
    }
    bytes
}

/// A header of any kind, some of which exist, with a body of well-formed fields.
fn headers() -> impl Strategy<Value = Fields> {
    let any_kind = (1_u64..18, Just(Fields::new()));
    let valid_start = select(vec![
        (2, bodies::subscribe()),
        (2, bodies::subscribed()),
        (3, bodies::delivery()),
        (4, bodies::publish()),
        (5, bodies::answer()),
        (5, bodies::changes()),
        (6, bodies::propagated()),
        (6, bodies::request()),
        (8, bodies::propagated()),
        (9, bodies::multicast()),
        (12, bodies::relay()),
        (13, bodies::returned()),
        (14, bodies::tree()),
    ]);
    (prop_oneof![any_kind, valid_start], bodies())
        .prop_map(|((kind, start), rest)| Fields::new().message(kind, start.then(rest.as_ref())))
}

/// Nothing, any fields, or messages as topic sets and their changes hold them.
fn payloads() -> impl Strategy<Value = Fields> {
    let entries = vec((1_u64..4, bodies()), 0..6).prop_map(|entries| {
        entries.into_iter().fold(Fields::new(), |all, (number, body)| all.message(number, body))
    });
    prop_oneof![3 => Just(Fields::new()), 1 => bodies(), 2 => entries]
}

fn bodies() -> impl Strategy<Value = Fields> {
    vec(field(), 0..4)
        .prop_map(|all| all.iter().fold(Fields::new(), |body, field| body.then(field.as_ref())))
}

fn field() -> impl Strategy<Value = Fields> {
    let number = || 1_u64..11;
    let small = prop_oneof![0_u32..4, any::<u32>()];
    let text = prop_oneof![
        Just(bodies::TOPIC.as_bytes().to_vec()),
        Just(bodies::NAME.as_bytes().to_vec()),
        Just(bodies::home().as_ref().to_vec()),
        vec(any::<u8>(), 0..40),
    ];
    prop_oneof![
        (number(), any::<u64>()).prop_map(|(number, value)| Fields::new().varint(number, value)),
        (number(), any::<u64>()).prop_map(|(number, value)| Fields::new().fixed64(number, value)),
        (number(), small).prop_map(|(number, value)| Fields::new().fixed32(number, value)),
        (number(), text).prop_map(|(number, value)| Fields::new().bytes(number, value)),
    ]
}

const PREFIX_BYTES: usize = 4 + 2;
