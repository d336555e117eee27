//! Frames staged for one destination, and the buffers they travel through until QUIC has them.
//!
//! What costs is the packet and the wake, not the byte: small frames are copied behind each other
//! into one buffer and go out as one piece. A large payload is kept as a shared segment between
//! two pieces instead. Buffers are handed on by swapping, from the batch to the outbox and on to
//! the writer, and come back empty with the room they had grown.

use amop_wire::{
    FrameError, Instant, Lane, Message, STAMP_BYTES, STAMP_EVERY, put_frame_head, put_stamp,
};
use bytes::{Bytes, BytesMut};

mod encoded;

pub use encoded::Encoded;

/// Frames staged for one destination, lane by lane.
///
/// Keep one for each destination and fill it again after each
/// [`Outbox::send`](crate::Outbox::send), which leaves it empty.
#[derive(Debug, Default)]
pub struct Batch {
    lanes: [LaneBuffer; Lane::COUNT],
    /// The time on the clock of its owner, who puts stamps.
    now: Option<Instant>,
    stamped_at: [Option<Instant>; Lane::COUNT],
}

impl Batch {
    /// Says what time it is. What is staged on a lane from now on begins with a stamp, unless the
    /// last one is less than 10 ms old; see [`Transit`](amop_wire::Transit).
    pub fn set_now(&mut self, now: Instant) {
        self.now = Some(now);
    }

    /// Stages a message on its lane. Messages of one lane keep their order.
    ///
    /// # Errors
    ///
    /// [`FrameError`] if the message is over a limit; nothing was staged.
    pub fn push<M: Message>(&mut self, message: &M) -> Result<(), FrameError> {
        let buffer = self.buffer(message.lane());
        buffer.push_frame(message.payload(), |head| message.put_header(head))
    }

    /// Stages messages that were encoded once for several destinations, whose bytes they share.
    pub fn push_encoded(&mut self, encoded: &mut Encoded) {
        let Some((lane, messages)) = encoded.lane_and_messages() else { return };
        let buffer = self.buffer(lane);
        buffer.messages += messages - 1; // One is counted already.
        encoded.segments().iter().for_each(|segment| buffer.push_part(segment));
    }

    /// The bytes staged, with everything that frames add.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lanes.iter().map(LaneBuffer::bytes).sum()
    }

    /// The bytes staged on one lane, with everything that frames add.
    #[must_use]
    pub fn bytes_on(&self, lane: Lane) -> usize {
        self.lanes[index(lane)].bytes()
    }

    /// How many messages are staged.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.lanes.iter().map(|lane| lane.messages).sum()
    }

    /// Whether nothing is staged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    /// Forgets everything staged.
    pub fn clear(&mut self) {
        self.lanes.iter_mut().for_each(LaneBuffer::clear);
    }

    pub(crate) fn lanes_mut(&mut self) -> &mut [LaneBuffer; Lane::COUNT] {
        &mut self.lanes
    }

    /// The buffer of a lane, with a stamp if one is due.
    fn buffer(&mut self, lane: Lane) -> &mut LaneBuffer {
        let i = index(lane);
        let (buffer, stamped_at) = (&mut self.lanes[i], &mut self.stamped_at[i]);
        if let Some(now) = self.now
            && buffer.is_empty()
            && stamped_at.is_none_or(|at| at + STAMP_EVERY <= now)
        {
            *stamped_at = Some(now);
            buffer.reserve(STAMP_BYTES);
            put_stamp(&mut buffer.tail, now);
        }
        buffer.messages += 1;
        buffer
    }
}

/// Bytes on their way to one lane: whole segments first, then the buffer that grows.
#[derive(Debug, Default)]
pub(crate) struct LaneBuffer {
    segments: Vec<Bytes>,
    tail: BytesMut,
    segment_bytes: usize,
    /// How many messages it has, also those that a limit kept out.
    messages: usize,
    /// How long the tail was when it was last made a segment. It will be about as long again, and
    /// growing there step by step would copy it each time.
    last_tail_bytes: usize,
}

impl LaneBuffer {
    pub(crate) fn bytes(&self) -> usize {
        self.segment_bytes + self.tail.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    pub(crate) fn clear(&mut self) {
        self.segments.clear();
        self.tail.clear();
        self.segment_bytes = 0;
        self.messages = 0;
    }

    /// Moves everything out of `other` behind what is here. Swaps where it can, copies only short
    /// pieces.
    pub(crate) fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        self.messages += other.messages;
        if other.segments.is_empty() && other.tail.len() < COPY_BELOW_BYTES {
            self.tail.extend_from_slice(&other.tail);
        } else {
            self.cut();
            self.segments.append(&mut other.segments);
            self.segment_bytes += other.segment_bytes;
            std::mem::swap(&mut self.tail, &mut other.tail);
        }
        other.clear();
    }

    /// All that is here, as pieces that others may share.
    fn segments(&mut self) -> &[Bytes] {
        self.cut();
        &self.segments
    }

    /// How many messages are in it.
    pub(crate) fn messages(&self) -> usize {
        self.messages
    }

    /// Hands out everything, in order, in pieces of at most [`PIECE_BYTES_MAX`].
    pub(crate) fn take(&mut self, mut put: impl FnMut(Bytes)) {
        self.cut();
        self.messages = 0;
        for mut segment in self.segments.drain(..) {
            while segment.len() > PIECE_BYTES_MAX {
                put(segment.split_to(PIECE_BYTES_MAX));
            }
            put(segment);
        }
        self.segment_bytes = 0;
    }

    fn push_frame(
        &mut self,
        payload: &Bytes,
        put_header: impl FnOnce(&mut BytesMut),
    ) -> Result<(), FrameError> {
        self.reserve(USUAL_HEAD_BYTES + payload.len().min(COPY_BELOW_BYTES));
        put_frame_head(&mut self.tail, payload.len(), put_header)?;
        self.push_part(payload);
        Ok(())
    }

    fn push_part(&mut self, part: &Bytes) {
        if part.len() < COPY_BELOW_BYTES {
            self.reserve(part.len());
            self.tail.extend_from_slice(part);
        } else {
            self.cut();
            self.segment_bytes += part.len();
            self.segments.push(part.clone());
        }
    }

    /// Makes what was copied so far a segment, so that something can follow that is not copied.
    fn cut(&mut self) {
        if !self.tail.is_empty() {
            self.segment_bytes += self.tail.len();
            self.last_tail_bytes = self.tail.len();
            self.segments.push(self.tail.split().freeze());
        }
    }

    /// Makes room in the tail: grows it by a good piece at once, takes back the room of what was
    /// sent before, or begins the next piece.
    fn reserve(&mut self, bytes: usize) {
        if self.tail.len() + bytes > PIECE_BYTES_MAX {
            self.cut();
        }
        if self.tail.capacity() - self.tail.len() < bytes {
            let usual = self.last_tail_bytes.saturating_sub(self.tail.len());
            self.tail.reserve(bytes.max(GROW_BYTES).max(usual));
        }
    }
}

pub(crate) fn index(lane: Lane) -> usize {
    usize::from(lane.number())
}

/// Payloads shorter than this are copied: QUIC walks its send queue piece by piece, which costs
/// more than the copy.
const COPY_BELOW_BYTES: usize = 8 << 10;

/// The longest piece that QUIC gets. It gives room back only when a piece was acknowledged as a
/// whole, so that pieces near its send window would make it stop and wait.
const PIECE_BYTES_MAX: usize = 64 << 10;

const GROW_BYTES: usize = 16 << 10;

/// A frame without its payload is seldom longer; if it is, the buffer grows once more.
const USUAL_HEAD_BYTES: usize = 256;

#[cfg(test)]
mod tests;
