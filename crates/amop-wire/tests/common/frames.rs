//! Takes a message to the wire and back, as the two ends of a lane do.

use amop_wire::{FrameDecoder, FrameError, Message, MessageError, put_frame_head};
use bytes::{Bytes, BytesMut};

/// Encodes one whole frame.
pub(crate) fn encoded(message: &impl Message) -> Result<Bytes, FrameError> {
    let mut frame = BytesMut::new();
    put_frame_head(&mut frame, message.payload().len(), |buf| message.put_header(buf))?;
    frame.extend_from_slice(message.payload());
    Ok(frame.freeze())
}

/// Decodes bytes that are exactly one frame.
pub(crate) fn decoded<M: Message>(bytes: Bytes) -> Result<M, MessageError> {
    let mut lane = FrameDecoder::default();
    lane.feed(bytes);
    let frame = lane.next_frame().expect("the lengths agree").expect("the frame is whole");
    assert_eq!(lane.next_frame(), Ok(None), "nothing follows the frame");
    assert_eq!(lane.pending_bytes(), 0, "nothing of it is left");
    M::from_frame(frame)
}
