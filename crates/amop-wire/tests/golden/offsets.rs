//! Where the fields of fixed size stand, for relays that read them in place.
//!
//! A header is the tag of its kind, the length of the body, and the body. The offsets in the body
//! never change; the length in front of it takes two bytes from 128 on, so a relay has to look.

use std::time::Duration;

use amop_wire::limits::{TOPIC_BYTES_MAX, TTL_MAX};
use amop_wire::{
    AckEnd, AckRun, Announcement, AnnouncementChanges, Answer, AnswerStatus, Attempt,
    ClientMessage, Code, Delivery, Epoch, Gen, Instance, Message, Mode, MsgId, Multicast, NodeId,
    NodeMessage, Outcome, PeerAnswer, PeerMessage, PeerReceiptRun, PeerRefusal, Publish, Reason,
    Receipt, ReceiptRun, Refuse, Request, Seq, SignedHead, Terms, Version,
};
use bytes::{Bytes, BytesMut};

use crate::walk::{Field, fields, kind};
use crate::{chain, name, signed, topic};

/// A number that is zero in one message and as large as it can be in the other.
#[derive(Clone, Copy)]
enum Fill {
    Zeros,
    Maxima,
}

#[test]
fn fields_of_fixed_size_keep_their_offsets_when_their_values_change() {
    for (zeros, maxima) in client_messages(Fill::Zeros).iter().zip(&client_messages(Fill::Maxima)) {
        assert_same_layout(zeros, maxima);
    }
    for (zeros, maxima) in node_messages(Fill::Zeros).iter().zip(&node_messages(Fill::Maxima)) {
        assert_same_layout(zeros, maxima);
    }
    for (zeros, maxima) in peer_messages(Fill::Zeros).iter().zip(&peer_messages(Fill::Maxima)) {
        assert_same_layout(zeros, maxima);
    }
}

#[test]
fn a_long_topic_moves_the_body_by_one_byte_and_nothing_in_it() {
    let header = |topic_bytes: usize| {
        let topic = topic(&"t".repeat(topic_bytes));
        header(&ClientMessage::Publish(publish(Fill::Maxima, topic)))
    };
    let (short, long) = (header(1), header(TOPIC_BYTES_MAX));
    let (short_body, long_body) = (kind(&short).value.start, kind(&long).value.start);
    assert_eq!((short_body, long_body), (2, 3));

    let offsets = |header: &[u8], body: usize| -> Vec<(u64, usize)> {
        let body_fields = fields(header, body..header.len());
        body_fields.iter().map(|field| (field.number, field.value.start - body)).take(4).collect()
    };
    assert_eq!(offsets(&short, short_body), [(1, 1), (2, 10), (3, 15), (4, 20)]);
    assert_eq!(offsets(&long, long_body), offsets(&short, short_body));
}

fn assert_same_layout<M: Message + std::fmt::Debug>(zeros: &M, maxima: &M) {
    assert_eq!(layout(zeros), layout(maxima), "{zeros:?}\n{maxima:?}");
    let fields = layout(zeros);
    let first_text = fields.iter().position(is_text).unwrap_or(fields.len());
    let tail = &fields[first_text..];
    assert!(tail.iter().all(is_text), "a fixed field after a text: {zeros:?}");
}

/// Every field of the header with the numbers they hold, wherever they are nested.
fn layout(message: &impl Message) -> Vec<Field> {
    let header = header(message);
    let body = kind(&header).value;
    let mut found = Vec::new();
    for field in fields(&header, body) {
        // Node ids and runs are messages, and begin with the tag of a fixed64; no text does.
        let is_message = field.wire_type == LENGTH_DELIMITED
            && header.get(field.value.start) == Some(&TAG_1_FIXED64);
        if is_message {
            found.extend(fields(&header, field.value));
        } else {
            found.push(field);
        }
    }
    found
}

fn is_text(field: &Field) -> bool {
    field.wire_type == LENGTH_DELIMITED
}

fn header(message: &impl Message) -> BytesMut {
    let mut header = BytesMut::new();
    message.put_header(&mut header);
    header
}

impl Fill {
    fn u32(self) -> u32 {
        match self {
            Self::Zeros => 0,
            Self::Maxima => u32::MAX,
        }
    }

    fn u64(self) -> u64 {
        match self {
            Self::Zeros => 0,
            Self::Maxima => u64::MAX,
        }
    }

    fn ttl(self) -> Duration {
        match self {
            Self::Zeros => Duration::ZERO,
            Self::Maxima => TTL_MAX,
        }
    }

    fn id(self) -> MsgId {
        MsgId { publisher: Instance(self.u64()), counter: self.u64() }
    }

    fn attempt(self) -> Attempt {
        let home = match self {
            Self::Zeros => [0; 32],
            Self::Maxima => [0xff; 32],
        };
        Attempt { home: NodeId::from_bytes(home), id: self.id(), number: self.u32() }
    }

    /// The first and the last of the words that stand for numbers.
    fn pick<T>(self, first: T, last: T) -> T {
        match self {
            Self::Zeros => first,
            Self::Maxima => last,
        }
    }

    fn status(self) -> AnswerStatus {
        self.pick(AnswerStatus::Answered, AnswerStatus::Dropped)
    }

    fn reason(self) -> Reason {
        self.pick(Reason::Unspecified, Reason::ShuttingDown)
    }

    fn receipt(self) -> Receipt {
        Receipt { acked: self.u32(), refused: self.u32(), unknown: self.u32() }
    }

    fn signed(self) -> SignedHead {
        signed(Version { epoch: Epoch(self.u64()), seq: Seq(self.u64()) })
    }
}

fn publish(fill: Fill, topic: amop_wire::Topic) -> Publish {
    Publish {
        terms: Terms::default(),
        counter: fill.u64(),
        ttl: fill.ttl(),
        mode: fill.pick(Mode::Unicast, Mode::Multicast),
        sequence: fill.u64(),
        topic,
        payload: Bytes::new(),
    }
}

fn client_messages(fill: Fill) -> Vec<ClientMessage> {
    let (attempt, status) = (fill.attempt(), fill.status());
    let end = fill.pick(AckEnd::Taken, AckEnd::Refused);
    vec![
        ClientMessage::Attach { instance: Instance(fill.u64()), generation: Gen(fill.u32()) },
        ClientMessage::Publish(publish(fill, topic("quote"))),
        ClientMessage::Answer(Answer { attempt, status, payload: Bytes::new() }),
        ClientMessage::Refuse(Refuse {
            attempt,
            reason: fill.reason(),
            fenced: fill.pick(false, true),
        }),
        ClientMessage::Acks(vec![AckRun { first: fill.u64(), count: fill.u32(), end }]),
    ]
}

fn node_messages(fill: Fill) -> Vec<NodeMessage> {
    let (code, reason) = (fill.pick(Code::Ok, Code::FileRefused), fill.reason());
    vec![
        NodeMessage::Attached {
            epoch: Epoch(fill.u64()),
            in_flight: amop_wire::InFlight::default(),
        },
        NodeMessage::Subscribed { topic: topic("quote"), code, reason },
        NodeMessage::Delivery(Delivery {
            terms: Terms::default(),
            attempt: fill.attempt(),
            ttl: fill.ttl(),
            from: name("pay.sdk.bank-a.amop"),
            topic: topic("quote"),
            payload: Bytes::new(),
        }),
        NodeMessage::Multicast(Multicast {
            id: fill.id(),
            ttl: fill.ttl(),
            sequence: fill.u64(),
            from: name("pay.sdk.bank-a.amop"),
            topic: topic("quote"),
            sealed: false,
            payload: Bytes::new(),
        }),
        NodeMessage::Outcome(Outcome {
            counter: fill.u64(),
            code,
            reason,
            attempts: fill.u32(),
            status: fill.status(),
            answered_by: Some(name("n3.node.bank-c.amop")),
            tried: vec![name("n1.node.bank-a.amop")],
            retry_after: Some(Duration::from_millis(fill.u32().into())),
            payload: Bytes::new(),
        }),
        NodeMessage::Receipts(vec![ReceiptRun {
            first: fill.u64(),
            count: fill.u32(),
            receipt: fill.receipt(),
        }]),
    ]
}

fn peer_messages(fill: Fill) -> Vec<PeerMessage> {
    let (id, attempt, subscriber) = (fill.id(), fill.u32(), Instance(fill.u64()));
    let (from, topic, payload) = (name("pay.sdk.bank-a.amop"), topic("quote"), Bytes::new());
    let receipt = fill.receipt();
    vec![
        PeerMessage::Greeting(Epoch(fill.u64())),
        PeerMessage::Heartbeat(fill.u64()),
        PeerMessage::Pull(fill.attempt().home),
        PeerMessage::Snapshot(Announcement::new(fill.signed(), chain(), vec![], vec![])),
        PeerMessage::Changes(AnnouncementChanges::new(
            Seq(fill.u64()),
            fill.signed(),
            None,
            vec![],
        )),
        PeerMessage::Request(Request {
            terms: Terms::default(),
            id,
            ttl: fill.ttl(),
            attempt,
            subscriber,
            exit_epoch: Epoch(fill.u64()),
            from: from.clone(),
            topic: topic.clone(),
            payload: payload.clone(),
        }),
        PeerMessage::Answer(PeerAnswer {
            id,
            attempt,
            status: fill.status(),
            subscriber,
            payload: payload.clone(),
        }),
        PeerMessage::Refusal(PeerRefusal {
            id,
            attempt,
            reason: fill.reason(),
            subscriber,
            fenced: fill.pick(false, true),
        }),
        PeerMessage::Multicast(Multicast {
            id,
            ttl: fill.ttl(),
            sequence: fill.u64(),
            from,
            topic,
            sealed: false,
            payload,
        }),
        PeerMessage::Receipts(vec![PeerReceiptRun { first: id, count: fill.u32(), receipt }]),
        PeerMessage::Held(Version { epoch: Epoch(fill.u64()), seq: Seq(fill.u64()) }),
    ]
}

const LENGTH_DELIMITED: u64 = 2;
const TAG_1_FIXED64: u8 = 0x09;
