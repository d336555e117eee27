//! Decoding is total: whatever a remote sends gives a message or an error that names the fault.
//!
//! Headers are written by hand here, field by field: what the decoders must stand, no encoder of
//! ours writes.

mod bad_fields;
mod bodies;
#[path = "../common/frames.rs"]
mod frames;
mod limits;
mod noise;
mod other_encoders;
mod protobuf;
#[path = "../common/questions.rs"]
mod questions;
#[path = "../common/strategies.rs"]
mod strategies;
#[path = "../common/walk.rs"]
mod walk;

use amop_wire::{Frame, Message, MessageError};
use bytes::Bytes;

use crate::protobuf::Fields;

/// Reads a message whose header has this kind with this body.
fn read<M: Message>(kind: u64, body: Fields, payload: impl Into<Bytes>) -> Result<M, MessageError> {
    let header = Fields::new().message(kind, body).into();
    M::from_frame(Frame { header, payload: payload.into() })
}
