//! Whatever is sent arrives as it was sent, and whatever comes gives a message or an error.

use amop_wire::limits::FILE_BYTES_MAX;
use amop_wire::{
    Code, FileBody, FileEnd, FileFound, FileId, FileLabel, FileLayout, FileMessage, FileOffer,
    FileRoute, FoundReceiver, Frame, Instance, Message, NodeId, Reason, SealedOffer,
};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::{decoded, encoded};

proptest! {
    #[test]
    fn messages_arrive_as_they_were_sent(message in messages()) {
        prop_assert_eq!(decoded(encoded(&message)), Ok(message));
    }

    /// FILE-14
    #[test]
    fn what_is_sealed_of_an_offer_says_all_but_who_sends_and_to_what(offer in offers()) {
        let secret = offer.to_secret();
        let hides = |part: &[u8]| !secret.windows(part.len()).any(|window| window == part);
        prop_assert!(hides(offer.from.as_bytes()) && hides(offer.topic.as_bytes()));
        let read = FileOffer::from_secret(&secret, &offer.from, &offer.topic);
        prop_assert_eq!(read, Ok(offer));
    }

    #[test]
    fn any_bytes_give_a_message_or_an_error(header in vec(any::<u8>(), 0..200), payload in vec(any::<u8>(), 0..99)) {
        assert_total(header, payload.into())?;
    }

    #[test]
    fn a_damaged_message_gives_a_message_or_an_error(
        message in messages(),
        damage in vec((any::<Index>(), any::<u8>(), 0..3), 1..4),
    ) {
        let mut header = bytes::BytesMut::new();
        message.put_header(&mut header);
        let mut header = header.to_vec();
        for (at, byte, kind) in damage {
            let at = at.index(header.len());
            match kind {
                0 => header[at] ^= byte,
                1 => header.insert(at, byte),
                _ => header.truncate(at + 1),
            }
        }
        assert_total(header, message.payload().clone())?;
    }
}

/// A message can be sent on and is the same again; an error is fit for a line in a log.
fn assert_total(header: Vec<u8>, payload: Bytes) -> Result<(), TestCaseError> {
    match FileMessage::from_frame(Frame { header: header.into(), payload }) {
        Ok(message) => prop_assert_eq!(decoded(encoded(&message)), Ok(message)),
        Err(error) => {
            let text = error.to_string();
            prop_assert!(text.len() < 1024 && !text.contains(char::is_control), "{}", text);
        }
    }
    Ok(())
}

fn messages() -> impl Strategy<Value = FileMessage> {
    let node = || any::<[u8; 32]>().prop_map(NodeId::from_bytes);
    let end = move || {
        (any::<u64>(), node())
            .prop_map(|(instance, node)| FileEnd { instance: Instance(instance), node })
    };
    let route = (any::<u64>(), end(), end()).prop_map(|(transfer, sender, receiver)| FileRoute {
        transfer,
        sender,
        receiver,
    });
    (route, any::<u32>(), file_bodies()).prop_map(|(route, round, body)| FileMessage {
        route,
        round,
        body,
    })
}

fn file_bodies() -> impl Strategy<Value = FileBody> {
    let data = vec(any::<u8>(), 1..300).prop_map(Bytes::from);
    let reasons = || select(Reason::ALL);
    let codes = select(&Code::ALL[1..]);
    prop_oneof![
        offers().prop_map(|offer| FileBody::Offer(Box::new(offer))),
        (any::<u64>(), data).prop_map(|(start, data)| FileBody::Piece { start, data }),
        any::<u64>().prop_map(|sent| FileBody::Ask { sent }),
        reasons().prop_map(FileBody::Cancel),
        any::<(u64, u64)>()
            .prop_map(|(a, b)| FileBody::Credit { received: a.min(b), granted: a.max(b) }),
        Just(FileBody::Wait),
        Just(FileBody::Again),
        any::<[u8; 32]>().prop_map(|sha256| FileBody::Done { sha256 }),
        (codes, reasons()).prop_map(|(code, reason)| FileBody::Refused(code, reason)),
        any::<(u64, bool)>()
            .prop_map(|(passed, beside_messages)| FileBody::Window { passed, beside_messages }),
        Just(FileBody::Find("statements".parse().unwrap())),
        vec((0..3, any::<u64>()), 0..9).prop_map(|found| FileBody::Found(Box::new(
            FileFound::new(found.into_iter().map(|(node, instance)| FoundReceiver {
                node: format!("n{node}.node.bank-a.amop").parse().unwrap(),
                instance: Instance(instance),
            }))
        ))),
        vec(any::<u8>(), 0..99).prop_map(|sealed| FileBody::SealedOffer(Box::new(SealedOffer {
            from: "app.sdk.bank-a.amop".parse().unwrap(),
            topic: "statements".parse().unwrap(),
            sealed: sealed.into(),
        }))),
    ]
}

fn offers() -> impl Strategy<Value = FileOffer> {
    let labels =
        "\\PC{1,40}".prop_filter_map("breaks a rule", |text| text.parse::<FileLabel>().ok());
    let hashes = any::<([u8; 32], [u8; 32])>();
    (any::<u128>(), 0..=FILE_BYTES_MAX, any::<u64>(), hashes, labels).prop_map(
        |(id, size, modified_ms, (sha256, list_sha256), label)| FileOffer {
            id: FileId(id),
            layout: FileLayout::new(size).unwrap(),
            modified_ms,
            sha256,
            list_sha256,
            from: "app.sdk.bank-a.amop".parse().unwrap(),
            topic: "statements".parse().unwrap(),
            label,
        },
    )
}
