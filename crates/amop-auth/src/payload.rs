//! What a sealed payload is bound to, and why one could not be sealed or opened.

use std::ops::Deref;

use amop_wire::limits::TOPIC_BYTES_MAX;
use amop_wire::{Instance, MsgId, Topic};
use bytes::Bytes;

use crate::limits::{PRIVATE_PAYLOAD_BYTES_MAX, SEALED_HEAD_BYTES};
use crate::message::Kind;
use crate::room::Room;
use crate::seal::{NotOpened, Opener, SealedHead};

/// What both ends know of a payload beside its head: a copy counts for nothing else.
///
/// ```text
/// length u16 │ topic │ publisher's instance u64 │ counter of the message u64 │ subscriber's instance u64
/// ```
///
/// A multicast has no subscriber.
pub(crate) fn context(topic: &Topic, id: MsgId, subscriber: Option<Instance>) -> Context {
    let length = u16::try_from(topic.len()).expect("a topic has at most 255 bytes");
    let mut context = Context { bytes: [0; CONTEXT_BYTES_MAX], len: 0 };
    context.put(&length.to_be_bytes());
    context.put(topic.as_bytes());
    context.put(&id.publisher.0.to_be_bytes());
    context.put(&id.counter.to_be_bytes());
    if let Some(Instance(subscriber)) = subscriber {
        context.put(&subscriber.to_be_bytes());
    }
    context
}

/// The bytes of a context, which every message has and none keeps.
pub(crate) struct Context {
    bytes: [u8; CONTEXT_BYTES_MAX],
    len: usize,
}

impl Context {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

impl Deref for Context {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

const CONTEXT_BYTES_MAX: usize = 2 + TOPIC_BYTES_MAX + 3 * 8;

/// Reads the head of a payload of one of these kinds.
pub(crate) fn head_of(sealed: &[u8], kinds: &[Kind]) -> Result<SealedHead, OpenError> {
    SealedHead::read(sealed).filter(|head| kinds.contains(&head.kind)).ok_or(OpenError::NotSealed)
}

/// Opens what has nothing in the clear but its head.
pub(crate) fn open(
    opener: &mut Opener,
    room: &mut Room,
    head: SealedHead,
    sealed: &[u8],
    context: &[u8],
) -> Result<Bytes, OpenError> {
    let zeros = |bytes| room.zeros(bytes);
    let plain = opener.open(zeros, head, sealed, SEALED_HEAD_BYTES, context);
    plain.map(Into::into).map_err(OpenError::of)
}

/// Refuses what would be longer than a payload may be, once sealed.
pub(crate) fn check_length(payload: &[&[u8]]) -> Result<(), SealError> {
    let bytes = payload.iter().map(|part| part.len()).sum();
    if bytes > PRIVATE_PAYLOAD_BYTES_MAX {
        return Err(SealError::TooLong { bytes });
    }
    Ok(())
}

/// Why a payload was not sealed. Nothing was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The other side is not verified, is not there, or its keys are spent.
    #[error("no verified channel")]
    NotVerified,
    /// The payload is longer than [`PRIVATE_PAYLOAD_BYTES_MAX`].
    #[error("payload of {bytes} bytes is over the limit of {PRIVATE_PAYLOAD_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
}

/// Why a payload was not opened. It was not taken: drop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is nothing that was sealed. Who sent it in the clear knows nothing of private topics.
    #[error("not sealed")]
    NotSealed,
    /// It is sealed under a key that is not held, or not any more.
    #[error("sealed under an unknown key")]
    UnknownKey,
    /// It was opened before, or is so late that nobody can tell.
    #[error("opened before, or too late")]
    Seen,
    /// It was altered, or was sealed for another message, topic or receiver.
    #[error("not authentic")]
    Forged,
}

impl OpenError {
    pub(crate) fn of(why: NotOpened) -> Self {
        match why {
            NotOpened::Seen => Self::Seen,
            NotOpened::Forged => Self::Forged,
        }
    }
}
