//! The messages that travel by the million, read and written field by field.
//!
//! A reader answers `None` for whatever is not exactly as our own encoder writes it, values over
//! their limits included; the general decoder then reads it, or says what is wrong with it. A
//! payload is no part of the header: whoever calls puts it in its place.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::delivery::{AnswerStatus, Mode};
use crate::fields::{NODE_ID_BYTES, counter, node_id_in_order, put_node_id, ttl, ttl_millis};
use crate::in_order::{Fields, InOrder};
use crate::{
    Answer, Attempt, Code, Delivery, Epoch, Instance, MsgId, Multicast, Name, Outcome, PeerAnswer,
    Publish, Reason, Recent, Request, Terms,
};

/// A message with a form that can be read and written field by field.
pub(crate) trait Hot: Sized {
    /// The number of its kind in the header.
    const KIND: u8;

    /// Appends the header.
    fn put(&self, buf: &mut BytesMut);

    /// Reads the fields of the header, all but the payload.
    fn get(fields: InOrder<'_>, recent: &mut Recent) -> Option<Self>;
}

/// Reads a header that has this kind and the form of our own encoder.
pub(crate) fn get<M: Hot>(header: &[u8], recent: &mut Recent) -> Option<M> {
    M::get(InOrder::only(header, M::KIND)?, recent)
}

impl Hot for Publish {
    const KIND: u8 = 4;

    fn put(&self, buf: &mut BytesMut) {
        Fields::<{ 2 * F64 + 2 * F32 }>::new()
            .fixed64(1, self.counter)
            .fixed32(2, ttl_millis(self.ttl))
            .fixed32(3, self.mode.number())
            .fixed64(4, self.sequence)
            .put_header(
                buf,
                Self::KIND,
                [(5, self.topic.as_bytes()), (6, self.terms.to_fields().as_bytes())],
            );
    }

    fn get(mut fields: InOrder<'_>, recent: &mut Recent) -> Option<Self> {
        let publish = Self {
            counter: get_counter(&mut fields, 1)?,
            ttl: get_ttl(&mut fields, 2)?,
            mode: Mode::from_number("", Some(fields.fixed32(3)?)).ok()?,
            sequence: fields.fixed64(4)?,
            topic: recent.topic("", fields.bytes(5)?).ok()?,
            terms: Terms::in_order(&mut fields, 6)?,
            payload: Bytes::new(),
        };
        fields.end()?;
        Some(publish)
    }
}

impl Hot for Answer {
    const KIND: u8 = 5;

    fn put(&self, buf: &mut BytesMut) {
        let Attempt { home, id, number } = self.attempt;
        let mut fields = Fields::<{ 2 * F64 + 2 * F32 + NODE_ID_BYTES }>::new();
        fields
            .fixed64(1, id.publisher.0)
            .fixed64(2, id.counter)
            .fixed32(3, number)
            .fixed32(4, self.status.number());
        put_node_id(&mut fields, 5, home);
        fields.put_header(buf, Self::KIND, []);
    }

    fn get(mut fields: InOrder<'_>, _: &mut Recent) -> Option<Self> {
        let (id, number) = (get_id(&mut fields)?, fields.fixed32(3)?);
        let status = get_status(&mut fields, 4)?;
        let attempt = Attempt { home: node_id_in_order(&mut fields, 5)?, id, number };
        fields.end()?;
        Some(Self { attempt, status, payload: Bytes::new() })
    }
}

impl Hot for Delivery {
    const KIND: u8 = 3;

    fn put(&self, buf: &mut BytesMut) {
        let Attempt { home, id, number } = self.attempt;
        let mut fields = Fields::<{ 2 * F64 + 2 * F32 + NODE_ID_BYTES }>::new();
        fields
            .fixed64(1, id.publisher.0)
            .fixed64(2, id.counter)
            .fixed32(3, ttl_millis(self.ttl))
            .fixed32(4, number);
        put_node_id(&mut fields, 5, home);
        fields.put_header(
            buf,
            Self::KIND,
            [
                (6, self.from.as_bytes()),
                (7, self.topic.as_bytes()),
                (8, self.terms.to_fields().as_bytes()),
            ],
        );
    }

    fn get(mut fields: InOrder<'_>, recent: &mut Recent) -> Option<Self> {
        let (id, ttl) = (get_id(&mut fields)?, get_ttl(&mut fields, 3)?);
        let number = fields.fixed32(4)?;
        let home = node_id_in_order(&mut fields, 5)?;
        let delivery = Self {
            attempt: Attempt { home, id, number },
            ttl,
            from: recent.name("", fields.bytes(6)?).ok()?,
            topic: recent.topic("", fields.bytes(7)?).ok()?,
            terms: Terms::in_order(&mut fields, 8)?,
            payload: Bytes::new(),
        };
        fields.end()?;
        Some(delivery)
    }
}

/// Only one without nodes that were tried in vain and without a moment to come back is read and written this way.
impl Hot for Outcome {
    const KIND: u8 = 4;

    fn put(&self, buf: &mut BytesMut) {
        let answered_by = self.answered_by.as_ref().map_or(&[][..], Name::as_bytes);
        Fields::<{ F64 + 4 * F32 }>::new()
            .fixed64(1, self.counter)
            .fixed32(2, self.code.number().into())
            .fixed32(3, self.reason.number())
            .fixed32(4, self.attempts)
            .fixed32(5, self.status.number())
            .put_header(buf, Self::KIND, [(6, answered_by)]);
    }

    fn get(mut fields: InOrder<'_>, recent: &mut Recent) -> Option<Self> {
        let outcome = Self {
            counter: fields.fixed64(1)?,
            code: Code::from_number(fields.fixed32(2)?)?,
            reason: Reason::from_number(fields.fixed32(3)?),
            attempts: fields.fixed32(4)?,
            status: get_status(&mut fields, 5)?,
            answered_by: Some(recent.name("", fields.bytes(6)?).ok()?),
            tried: Vec::new(),
            retry_after: None,
            payload: Bytes::new(),
        };
        fields.end()?;
        Some(outcome)
    }
}

impl Hot for Request {
    const KIND: u8 = 6;

    fn put(&self, buf: &mut BytesMut) {
        Fields::<{ 4 * F64 + 2 * F32 }>::new()
            .fixed64(1, self.id.publisher.0)
            .fixed64(2, self.id.counter)
            .fixed32(3, ttl_millis(self.ttl))
            .fixed32(4, self.attempt)
            .fixed64(5, self.subscriber.0)
            .fixed64(6, self.exit_epoch.0)
            .put_header(
                buf,
                Self::KIND,
                [
                    (7, self.from.as_bytes()),
                    (8, self.topic.as_bytes()),
                    (9, self.terms.to_fields().as_bytes()),
                ],
            );
    }

    fn get(mut fields: InOrder<'_>, recent: &mut Recent) -> Option<Self> {
        let request = Self {
            id: get_id(&mut fields)?,
            ttl: get_ttl(&mut fields, 3)?,
            attempt: fields.fixed32(4)?,
            subscriber: Instance(fields.fixed64(5)?),
            exit_epoch: Epoch(fields.fixed64(6)?),
            from: recent.name("", fields.bytes(7)?).ok()?,
            topic: recent.topic("", fields.bytes(8)?).ok()?,
            terms: Terms::in_order(&mut fields, 9)?,
            payload: Bytes::new(),
        };
        fields.end()?;
        Some(request)
    }
}

impl Hot for PeerAnswer {
    const KIND: u8 = 7;

    fn put(&self, buf: &mut BytesMut) {
        Fields::<{ 3 * F64 + 2 * F32 }>::new()
            .fixed64(1, self.id.publisher.0)
            .fixed64(2, self.id.counter)
            .fixed32(3, self.attempt)
            .fixed32(4, self.status.number())
            .fixed64(5, self.subscriber.0)
            .put_header(buf, Self::KIND, []);
    }

    fn get(mut fields: InOrder<'_>, _: &mut Recent) -> Option<Self> {
        let answer = Self {
            id: get_id(&mut fields)?,
            attempt: fields.fixed32(3)?,
            status: get_status(&mut fields, 4)?,
            subscriber: Instance(fields.fixed64(5)?),
            payload: Bytes::new(),
        };
        fields.end()?;
        Some(answer)
    }
}

/// Only one in the clear is read and written this way. Its kind has the same number in both headers
/// that carry it.
impl Hot for Multicast {
    const KIND: u8 = 9;

    fn put(&self, buf: &mut BytesMut) {
        Fields::<{ 3 * F64 + F32 }>::new()
            .fixed64(1, self.id.publisher.0)
            .fixed64(2, self.id.counter)
            .fixed32(3, ttl_millis(self.ttl))
            .fixed64(4, self.sequence)
            .put_header(buf, Self::KIND, [(5, self.from.as_bytes()), (6, self.topic.as_bytes())]);
    }

    fn get(mut fields: InOrder<'_>, recent: &mut Recent) -> Option<Self> {
        let publisher = Instance(fields.fixed64(1)?);
        let multicast = Self {
            id: MsgId { publisher, counter: get_counter(&mut fields, 2)? },
            ttl: get_ttl(&mut fields, 3)?,
            sequence: fields.fixed64(4)?,
            from: recent.name("", fields.bytes(5)?).ok()?,
            topic: recent.topic("", fields.bytes(6)?).ok()?,
            sealed: false,
            payload: Bytes::new(),
        };
        fields.end()?;
        Some(multicast)
    }
}

/// A message id is always in the first two fields.
fn get_id(fields: &mut InOrder<'_>) -> Option<MsgId> {
    let publisher = Instance(fields.fixed64(1)?);
    Some(MsgId { publisher, counter: fields.fixed64(2)? })
}

fn get_counter(fields: &mut InOrder<'_>, number: u8) -> Option<u64> {
    counter("", Some(fields.fixed64(number)?)).ok()
}

fn get_ttl(fields: &mut InOrder<'_>, number: u8) -> Option<Duration> {
    ttl("", Some(fields.fixed32(number)?)).ok()
}

fn get_status(fields: &mut InOrder<'_>, number: u8) -> Option<AnswerStatus> {
    AnswerStatus::from_number("", Some(fields.fixed32(number)?)).ok()
}

/// The length of a field of 64 bits, its number included.
const F64: usize = 1 + 8;

/// The length of a field of 32 bits, its number included.
const F32: usize = 1 + 4;
