//! What every message has in common: a header, perhaps a payload, and the lane it travels on.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::{Frame, Lane, Recent};

/// A message of one kind of link, ready for the wire.
pub trait Message: Sized {
    /// The lane that this message travels on.
    fn lane(&self) -> Lane;

    /// Appends the encoded header.
    ///
    /// Nothing is checked here: a value over its limit encodes, and the receiver refuses it.
    fn put_header(&self, buf: &mut BytesMut);

    /// The opaque bytes after the header.
    fn payload(&self) -> &Bytes;

    /// Deducts what a message has spent on its way from what is left of its time, if it has one.
    fn deduct(&mut self, spent: Duration) {
        let _ = spent;
    }

    /// Reads a message from a frame. Any bytes give a message or an error.
    ///
    /// # Errors
    ///
    /// Every [`MessageError`] but [`UnknownKind`](MessageError::UnknownKind) is the remote's fault and final:
    /// close the link.
    fn from_frame(frame: Frame) -> Result<Self, MessageError>;

    /// Reads a message as [`from_frame`](Self::from_frame) does, and remembers its topic and its
    /// names: whoever reads a lane keeps one [`Recent`] for it, so that those which return cost
    /// little. What is read shares no memory with the frame but its payload.
    ///
    /// # Errors
    ///
    /// Those of [`from_frame`](Self::from_frame).
    fn read(frame: Frame, recent: &mut Recent) -> Result<Self, MessageError> {
        let _ = recent; // Only what travels by the million is worth it.
        Self::from_frame(frame)
    }
}

/// Why a frame is no message. The remote is at fault.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The header is no protobuf message of this kind of link.
    #[error("malformed header")]
    Malformed(#[source] prost::DecodeError),
    /// There is no header, and what there is is no stamp either.
    #[error("a frame without a message")]
    NoHeader,
    /// The header is well-formed but of no kind that this version knows: it is of a newer one, so skip the
    /// frame, count it, and go on.
    #[error("unknown message kind")]
    UnknownKind,
    /// A field has a value that it cannot have.
    #[error("bad field `{field}`: {why}")]
    BadField {
        /// The field, as `message.field`.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A message that has no payload came with one.
    #[error("unexpected payload of {payload_bytes} bytes")]
    UnexpectedPayload {
        /// Its length.
        payload_bytes: usize,
    },
}

/// Why a header has no kind that is known.
pub(crate) fn no_kind(header_bytes: usize) -> MessageError {
    if header_bytes == 0 { MessageError::NoHeader } else { MessageError::UnknownKind }
}
