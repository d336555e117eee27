//! Cuts a stream of bytes into frames, and puts frames together.
//!
//! ```text
//! ┌────────────┬───────────────────┬────────┬─────────┐
//! │ length u32 │ header length u16 │ header │ payload │   both lengths big-endian
//! └────────────┴───────────────────┴────────┴─────────┘
//!              └───────────── length bytes ───────────┘
//! ```
//!
//! The header is a protobuf message, the payload opaque bytes that relays pass on untouched. A
//! frame that lies whole in one received chunk is sliced out of it; only a frame across two chunks
//! is copied. Both lengths are checked before a byte is kept for them. There is room for 64 KiB at
//! once; more grows with the bytes that arrive, never with those that were announced.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::limits::{FRAME_BYTES_MAX, HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX};

/// One frame as it came off a lane: nothing in it is decoded yet.
///
/// Both parts may share memory with everything else received in the same batch. Copy what is kept
/// for longer than the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The protobuf header.
    pub header: Bytes,
    /// The bytes after it.
    pub payload: Bytes,
}

/// Cuts the bytes of one lane into frames.
///
/// ```
/// use amop_wire::{FrameDecoder, put_frame_head};
/// use bytes::{BufMut, BytesMut};
///
/// let mut sent = BytesMut::new();
/// put_frame_head(&mut sent, 5, |buf| buf.put_slice(b"\x08\x01"))?;
/// sent.put_slice(b"hello");
///
/// let mut lane = FrameDecoder::default();
/// lane.feed(sent.freeze());
/// let frame = lane.next_frame()?.expect("the frame is whole");
/// assert_eq!(frame.payload, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct FrameDecoder {
    /// The rest of the chunk fed last.
    chunk: Bytes,
    /// The beginning of a frame whose end was not in its chunk.
    partial: BytesMut,
}

impl FrameDecoder {
    /// Takes the next bytes of the lane.
    ///
    /// Call [`next_frame`](Self::next_frame) until it answers `None` before feeding again.
    pub fn feed(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "take every frame before feeding the next chunk");
        self.chunk = chunk;
    }

    /// Cuts the next whole frame, or answers `None` until more bytes are [fed](Self::feed).
    ///
    /// After `None`, fewer than [`FRAME_BYTES_MAX`]` + 4` bytes are held, whatever the remote sends.
    ///
    /// # Errors
    ///
    /// Every [`FrameError`] is the remote's fault and final: close the link.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.partial.is_empty() {
            let Some(frame_bytes) = announced(&self.chunk)? else {
                return Ok(self.keep_rest());
            };
            if self.chunk.len() < frame_bytes {
                self.make_room(frame_bytes);
                return Ok(self.keep_rest());
            }
            let frame = self.chunk.split_to(frame_bytes);
            return Ok(Some(split(frame)));
        }
        self.complete_partial()
    }

    /// The bytes held for a frame whose end has not arrived.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.partial.len()
    }

    fn complete_partial(&mut self) -> Result<Option<Frame>, FrameError> {
        self.top_up(PREFIX_BYTES);
        let Some(frame_bytes) = announced(&self.partial)? else { return Ok(None) };
        self.make_room(frame_bytes);
        self.top_up(frame_bytes);
        if self.partial.len() < frame_bytes {
            return Ok(None);
        }
        Ok(Some(split(std::mem::take(&mut self.partial).freeze())))
    }

    /// Moves bytes from the chunk until `partial` has `target` of them or the chunk is empty.
    fn top_up(&mut self, target: usize) {
        let missing = target.saturating_sub(self.partial.len()).min(self.chunk.len());
        self.partial.put(self.chunk.split_to(missing));
    }

    /// Makes room for the beginning of a frame at once, since room that grows chunk by chunk is copied each time. A
    /// longer one doubles it as it comes.
    fn make_room(&mut self, frame_bytes: usize) {
        let room = frame_bytes.min(ROOM_BYTES);
        if self.partial.capacity() < room {
            self.partial.reserve(room - self.partial.len());
        }
    }

    fn keep_rest(&mut self) -> Option<Frame> {
        self.partial.put(std::mem::take(&mut self.chunk));
        None
    }
}

/// Appends the beginning of a frame, all but the payload: the caller appends or sends
/// `payload_bytes` bytes next.
///
/// # Errors
///
/// [`FrameError`] if header or payload is over its limit; nothing was appended.
pub fn put_frame_head(
    buf: &mut BytesMut,
    payload_bytes: usize,
    put_header: impl FnOnce(&mut BytesMut),
) -> Result<(), FrameError> {
    if payload_bytes > PAYLOAD_BYTES_MAX {
        return Err(FrameError::PayloadTooLong { payload_bytes, limit: PAYLOAD_BYTES_MAX });
    }
    let start = buf.len();
    buf.put_bytes(0, PREFIX_BYTES);
    put_header(buf);
    let header_bytes = buf.len() - start - PREFIX_BYTES;
    let Ok(header) = u16::try_from(header_bytes) else {
        buf.truncate(start);
        return Err(FrameError::HeaderTooLong { header_bytes, limit: HEADER_BYTES_MAX });
    };
    let frame = u32::try_from(2 + header_bytes + payload_bytes).expect("limits fit 32 bits");
    buf[start..start + 4].copy_from_slice(&frame.to_be_bytes());
    buf[start + 4..start + PREFIX_BYTES].copy_from_slice(&header.to_be_bytes());
    Ok(())
}

/// Why a lane stopped being a sequence of frames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The length word exceeds what any frame may have. Nothing was kept for it.
    #[error("frame of {frame_bytes} bytes is over the limit of {limit}")]
    TooLong {
        /// The length that was announced.
        frame_bytes: usize,
        /// [`FRAME_BYTES_MAX`].
        limit: usize,
    },
    /// The header is over its limit.
    #[error("header of {header_bytes} bytes is over the limit of {limit}")]
    HeaderTooLong {
        /// Its length.
        header_bytes: usize,
        /// [`HEADER_BYTES_MAX`], or the bytes that the frame has for it.
        limit: usize,
    },
    /// The payload is over its limit.
    #[error("payload of {payload_bytes} bytes is over the limit of {limit}")]
    PayloadTooLong {
        /// Its length.
        payload_bytes: usize,
        /// [`PAYLOAD_BYTES_MAX`].
        limit: usize,
    },
    /// A frame too short to have a header.
    #[error("frame of {frame_bytes} bytes has no room for a header")]
    TooShort {
        /// The length that was announced.
        frame_bytes: usize,
    },
}

/// The length of the frame that begins `bytes`, its length word included, if it can be told yet.
fn announced(bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some((word, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let frame_bytes = usize::try_from(u32::from_be_bytes(*word)).unwrap_or(usize::MAX);
    if frame_bytes > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong { frame_bytes, limit: FRAME_BYTES_MAX });
    }
    let Some(payload_and_header) = frame_bytes.checked_sub(2) else {
        return Err(FrameError::TooShort { frame_bytes });
    };
    let Some(word) = rest.first_chunk::<2>() else { return Ok(None) };
    let header_bytes = usize::from(u16::from_be_bytes(*word));
    let Some(payload_bytes) = payload_and_header.checked_sub(header_bytes) else {
        return Err(FrameError::HeaderTooLong { header_bytes, limit: payload_and_header });
    };
    if payload_bytes > PAYLOAD_BYTES_MAX {
        return Err(FrameError::PayloadTooLong { payload_bytes, limit: PAYLOAD_BYTES_MAX });
    }
    Ok(Some(4 + frame_bytes))
}

/// Splits a whole frame whose lengths [`announced`] has checked.
fn split(mut frame: Bytes) -> Frame {
    frame.advance(4);
    let header_bytes = usize::from(frame.get_u16());
    let header = frame.split_to(header_bytes);
    Frame { header, payload: frame }
}

/// How much room is made for a frame that does not end in its chunk: a piece of a file with its header fits.
const ROOM_BYTES: usize = (64 << 10) + 512;

/// The two lengths at the beginning of a frame.
const PREFIX_BYTES: usize = 4 + 2;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    fn encoded(header: &[u8], payload: &[u8]) -> BytesMut {
        let mut buf = BytesMut::new();
        put_frame_head(&mut buf, payload.len(), |b| b.put_slice(header)).unwrap();
        buf.put_slice(payload);
        buf
    }

    fn decode_all(lane: &mut FrameDecoder, chunk: Bytes) -> Vec<Frame> {
        lane.feed(chunk);
        std::iter::from_fn(|| lane.next_frame().unwrap()).collect()
    }

    #[test]
    fn a_frame_has_the_documented_bytes() {
        assert_eq!(encoded(b"HDR", b"pay")[..], *b"\0\0\0\x08\0\x03HDRpay");
    }

    proptest! {
        #[test]
        fn frames_survive_any_cutting_of_the_stream(
            frames in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(any::<u8>(), 0..300)), 1..12),
            cut in 1_usize..50,
        ) {
            let mut stream = BytesMut::new();
            for (header, payload) in &frames {
                stream.put(encoded(header, payload));
            }
            let mut stream = stream.freeze();
            let mut lane = FrameDecoder::default();
            let mut got = Vec::new();
            while !stream.is_empty() {
                let chunk = stream.split_to(cut.min(stream.len()));
                got.extend(decode_all(&mut lane, chunk));
            }
            let got: Vec<_> = got.iter().map(|f| (f.header.to_vec(), f.payload.to_vec())).collect();
            prop_assert_eq!(got, frames);
            prop_assert_eq!(lane.pending_bytes(), 0);
        }

        #[test]
        fn any_bytes_give_frames_or_an_error_and_hold_little(bytes: Vec<u8>, cut in 1_usize..9) {
            let mut lane = FrameDecoder::default();
            for chunk in bytes.chunks(cut) {
                lane.feed(Bytes::copy_from_slice(chunk));
                loop {
                    match lane.next_frame() {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => return Ok(()),
                    }
                }
                prop_assert!(lane.pending_bytes() <= bytes.len());
            }
        }
    }

    #[test]
    fn a_payload_at_the_limit_passes_and_one_byte_more_is_refused_before_it_arrives() {
        let payload = vec![7; PAYLOAD_BYTES_MAX];
        let mut lane = FrameDecoder::default();
        let frames = decode_all(&mut lane, encoded(b"h", &payload).freeze());
        assert_eq!(frames[0].payload.len(), PAYLOAD_BYTES_MAX);

        let mut head = BytesMut::new();
        head.put_u32(u32::try_from(2 + 1 + PAYLOAD_BYTES_MAX + 1).unwrap());
        head.put_u16(1);
        lane.feed(head.freeze());
        let limit = PAYLOAD_BYTES_MAX;
        let error = FrameError::PayloadTooLong { payload_bytes: limit + 1, limit };
        assert_eq!(lane.next_frame(), Err(error.clone()));
        assert_eq!(put_frame_head(&mut BytesMut::new(), limit + 1, |_| ()), Err(error));
    }

    #[test]
    fn room_for_a_frame_grows_in_few_steps_and_with_what_has_come() {
        let mut head = BytesMut::new();
        head.put_u32(u32::try_from(2 + 1 + (1 << 20)).unwrap());
        head.put_u16(1);
        let mut lane = FrameDecoder::default();
        let mut chunk = head.freeze();
        let mut rooms = BTreeSet::new();
        for _ in 0..175 {
            assert_eq!(decode_all(&mut lane, chunk), []);
            let room = lane.partial.capacity();
            assert!(room <= ROOM_BYTES.max(2 * lane.pending_bytes()), "{room}");
            rooms.insert(room);
            chunk = Bytes::from_static(&[7; 6000]);
        }
        assert!(rooms.len() <= 5, "each step copies what is there: {rooms:?}");
        assert_eq!(decode_all(&mut lane, chunk.slice(..1 + (1 << 20) - 174 * 6000)).len(), 1);
    }

    #[test]
    fn lengths_that_contradict_each_other_are_refused() {
        let error = |bytes: &'static [u8]| {
            let mut lane = FrameDecoder::default();
            lane.feed(Bytes::from_static(bytes));
            lane.next_frame().unwrap_err()
        };
        assert_eq!(error(b"\0\0\0\x01"), FrameError::TooShort { frame_bytes: 1 });
        assert_eq!(
            error(b"\0\0\0\x04\0\x03"),
            FrameError::HeaderTooLong { header_bytes: 3, limit: 2 }
        );
        assert!(matches!(error(b"\xff\xff\xff\xff"), FrameError::TooLong { .. }));
    }

    #[test]
    fn a_header_at_the_limit_passes_and_one_byte_more_leaves_the_buffer_as_it_was() {
        let mut buf = encoded(b"h", b"p");
        let before = buf.clone();
        let too_long = put_frame_head(&mut buf, 0, |b| b.put_bytes(0, HEADER_BYTES_MAX + 1));
        assert!(matches!(too_long, Err(FrameError::HeaderTooLong { .. })));
        assert_eq!(buf, before);
        assert!(put_frame_head(&mut buf, 0, |b| b.put_bytes(0, HEADER_BYTES_MAX)).is_ok());
    }
}
