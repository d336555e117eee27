//! Checks that every decoded field passes on its way from generated code to our own types.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::generated as pb;
use crate::in_order::{Fields, InOrder};
use crate::limits::TTL_MAX;
use crate::{Instance, MessageError, MsgId, Name, NodeId, Topic};

/// Appends a header. Its room is made once, since a buffer that may grow asks before every field.
pub(crate) fn put(header: &impl prost::Message, buf: &mut BytesMut) {
    let start = buf.len();
    buf.resize(start + header.encoded_len(), 0);
    header.encode(&mut &mut buf[start..]).expect("the room is as long as the header");
}

/// A text as a field for the general encoder, which shares what it gets.
pub(crate) fn text(text: &[u8]) -> Bytes {
    Bytes::copy_from_slice(text)
}

pub(crate) fn topic(field: &'static str, bytes: &[u8]) -> Result<Topic, MessageError> {
    Topic::from_bytes(bytes).map_err(|error| bad(field, error.to_string()))
}

pub(crate) fn name(field: &'static str, bytes: &[u8]) -> Result<Name, MessageError> {
    Name::from_dns(bytes).map_err(|error| bad(field, error.to_string()))
}

/// Takes the next field, a node id in four words.
pub(crate) fn node_id_in_order(fields: &mut InOrder<'_>, number: u8) -> Option<NodeId> {
    let mut words = InOrder::message(fields.bytes(number)?);
    let mut bytes = [0; 32];
    for (chunk, number) in bytes.chunks_exact_mut(8).zip(1..) {
        chunk.copy_from_slice(&words.fixed64(number)?.to_le_bytes());
    }
    words.end()?;
    Some(NodeId::from_bytes(bytes))
}

/// The length of a node id as a field, its own beginning included.
pub(crate) const NODE_ID_BYTES: usize = 2 + 4 * (1 + 8);

/// Puts a node id in four words.
#[inline(always)]
pub(crate) fn put_node_id<const N: usize>(fields: &mut Fields<N>, number: u8, id: NodeId) {
    fields.message(number, 4 * (1 + 8));
    for (chunk, number) in id.as_bytes().chunks_exact(8).zip(1..) {
        let word = u64::from_le_bytes(chunk.try_into().expect("chunks of 8 bytes"));
        fields.fixed64(number, word);
    }
}

pub(crate) fn node_id(field: &'static str, id: Option<pb::NodeId>) -> Result<NodeId, MessageError> {
    let pb::NodeId { word0: Some(a), word1: Some(b), word2: Some(c), word3: Some(d) } =
        id.unwrap_or_default()
    else {
        return Err(bad(field, "a node id has four words"));
    };
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip([a, b, c, d]) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    Ok(NodeId::from_bytes(bytes))
}

/// Spells a node id as words, which encode without an allocation.
pub(crate) fn node_id_words(id: NodeId) -> Option<pb::NodeId> {
    let mut words = id
        .as_bytes()
        .chunks_exact(8)
        .map(|chunk| u64::from_le_bytes(chunk.try_into().expect("chunks of 8 bytes")));
    Some(pb::NodeId {
        word0: words.next(),
        word1: words.next(),
        word2: words.next(),
        word3: words.next(),
    })
}

pub(crate) fn msg_id(publisher: Option<u64>, counter: Option<u64>) -> MsgId {
    let publisher = Instance(publisher.unwrap_or_default());
    MsgId { publisher, counter: counter.unwrap_or_default() }
}

/// The number of what gets receipts: one run of them must have an end, so the last number is none (SES-6).
pub(crate) fn counter(field: &'static str, counter: Option<u64>) -> Result<u64, MessageError> {
    match counter.unwrap_or_default() {
        u64::MAX => Err(bad(field, "is the last number")),
        counter => Ok(counter),
    }
}

pub(crate) fn ttl(field: &'static str, millis: Option<u32>) -> Result<Duration, MessageError> {
    let ttl = Duration::from_millis(millis.unwrap_or_default().into());
    if ttl > TTL_MAX {
        return Err(bad(field, format!("{ttl:?} is over the limit of {TTL_MAX:?}")));
    }
    Ok(ttl)
}

/// Rounds up, so that a deadline that is still ahead never travels as one that has passed; what is
/// over the limit travels as the limit.
pub(crate) fn ttl_millis(ttl: Duration) -> u32 {
    let ttl = ttl.min(TTL_MAX);
    let seconds = u32::try_from(ttl.as_secs()).expect("the limit is an hour");
    seconds * 1000 + ttl.subsec_nanos().div_ceil(1_000_000)
}

pub(crate) fn no_payload(payload: &Bytes) -> Result<(), MessageError> {
    if payload.is_empty() {
        Ok(())
    } else {
        Err(MessageError::UnexpectedPayload { payload_bytes: payload.len() })
    }
}

pub(crate) fn bad(field: &'static str, why: impl Into<String>) -> MessageError {
    MessageError::BadField { field, why: why.into() }
}
