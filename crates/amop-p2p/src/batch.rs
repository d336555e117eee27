//! Frames staged for one destination, and the buffers they travel through until QUIC has them.
//!
//! What costs is the packet and the wake, not the byte: small frames are copied behind each other
//! into one buffer and go out as one piece. A large payload is kept as a shared segment between
//! two pieces instead. Buffers are handed on by swapping, from the batch to the outbox and on to
//! the writer, and come back empty with the room they had grown.

use std::time::Duration;

use amop_wire::{FrameError, Instant, Lane, Message, STAMP_BYTES, put_frame_head, put_stamp};
use bytes::{Bytes, BytesMut};

/// Frames staged for one destination, lane by lane.
///
/// Keep one for each destination and fill it again after each
/// [`Outbox::send`](crate::Outbox::send), which leaves it empty.
#[derive(Debug, Default)]
pub struct Batch {
    lanes: [LaneBuffer; 4],
    /// The time on the clock of its owner, who puts stamps.
    now: Option<Instant>,
    stamped_at: [Option<Instant>; 4],
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

    /// Stages a message that was encoded once for several destinations.
    pub fn push_encoded(&mut self, encoded: &Encoded) {
        let buffer = self.buffer(encoded.lane);
        buffer.push_part(&encoded.head);
        buffer.push_part(&encoded.payload);
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

    /// Whether nothing is staged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    /// Forgets everything staged.
    pub fn clear(&mut self) {
        self.lanes.iter_mut().for_each(LaneBuffer::clear);
    }

    pub(crate) fn lanes_mut(&mut self) -> &mut [LaneBuffer; 4] {
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
        buffer
    }
}

/// A message in the form in which it travels, encoded once for any number of destinations.
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Encoded {
    lane: Lane,
    head: Bytes,
    payload: Bytes,
}

impl Encoded {
    /// Encodes a message.
    ///
    /// # Errors
    ///
    /// [`FrameError`] if the message is over a limit.
    pub fn new<M: Message>(message: &M) -> Result<Self, FrameError> {
        let payload = message.payload().clone();
        let mut head = BytesMut::with_capacity(USUAL_HEAD_BYTES);
        put_frame_head(&mut head, payload.len(), |head| message.put_header(head))?;
        Ok(Self { lane: message.lane(), head: head.freeze(), payload })
    }

    /// The bytes that this message takes on a link.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.head.len() + self.payload.len()
    }
}

/// Bytes on their way to one lane: whole segments first, then the buffer that grows.
#[derive(Debug, Default)]
pub(crate) struct LaneBuffer {
    segments: Vec<Bytes>,
    tail: BytesMut,
    segment_bytes: usize,
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
    }

    /// Moves everything out of `other` behind what is here. Swaps where it can, copies only short
    /// pieces.
    pub(crate) fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
            return;
        }
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

    /// Hands out everything, in order, in pieces of at most [`PIECE_BYTES_MAX`].
    pub(crate) fn take(&mut self, mut put: impl FnMut(Bytes)) {
        self.cut();
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

/// A receiver ignores what it could be wrong about by this.
const STAMP_EVERY: Duration = Duration::from_millis(10);

/// The longest piece that QUIC gets. It gives room back only when a piece was acknowledged as a
/// whole, so that pieces near its send window would make it stop and wait.
const PIECE_BYTES_MAX: usize = 64 << 10;

const GROW_BYTES: usize = 16 << 10;

/// A frame without its payload is seldom longer; if it is, the buffer grows once more.
const USUAL_HEAD_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use amop_wire::FrameDecoder;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Note;

    fn note(lane: Lane, header: &[u8], payload_bytes: usize) -> Note {
        Note { lane, header: header.to_vec(), payload: vec![b'p'; payload_bytes].into() }
    }

    fn pieces(buffer: &mut LaneBuffer) -> Vec<Bytes> {
        let mut pieces = Vec::new();
        buffer.take(|piece| pieces.push(piece));
        pieces
    }

    #[test]
    fn short_payloads_are_copied_into_one_piece_and_long_ones_are_shared() {
        let mut batch = Batch::default();
        let short = note(Lane::Control, b"short", COPY_BELOW_BYTES - 1);
        let long = note(Lane::Control, b"long", COPY_BELOW_BYTES);
        for note in [&short, &short, &long, &short] {
            batch.push(note).unwrap();
        }

        let pieces = pieces(&mut batch.lanes_mut()[0]);
        let short_frame = 6 + 5 + COPY_BELOW_BYTES - 1;
        let lengths: Vec<_> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [2 * short_frame + 6 + 4, COPY_BELOW_BYTES, short_frame]);
        assert_eq!(pieces[1].as_ptr(), long.payload.as_ptr());
        assert!(batch.is_empty());
    }

    #[test]
    fn appending_to_an_empty_buffer_swaps_and_leaves_the_room_behind() {
        let (mut here, mut there) = (LaneBuffer::default(), LaneBuffer::default());
        here.push_part(&Bytes::from_static(b"warm up"));
        here.clear();
        let room = here.tail.capacity();
        there.push_part(&Bytes::from_static(b"staged"));
        let staged = there.tail.as_ptr();

        here.append(&mut there);
        assert_eq!(here.tail.as_ptr(), staged, "nothing was copied");
        assert!(there.is_empty() && there.tail.capacity() == room);
    }

    #[test]
    fn a_long_batch_is_not_copied_behind_what_waits() {
        let (mut here, mut there) = (LaneBuffer::default(), LaneBuffer::default());
        here.push_part(&Bytes::from_static(b"waiting"));
        for _ in 0..3 {
            there.push_part(&Bytes::from(vec![1; COPY_BELOW_BYTES - 1]));
        }
        let staged = there.tail.as_ptr();
        here.append(&mut there);
        assert_eq!(here.tail.as_ptr(), staged);
        assert!(there.is_empty());
    }

    #[test]
    fn no_piece_is_longer_than_quic_shall_get_at_once() {
        let mut batch = Batch::default();
        for payload_bytes in [1 << 20, 5000, 5000, 300_000] {
            batch.push(&note(Lane::Messages, b"", payload_bytes)).unwrap();
        }
        for _ in 0..2000 {
            batch.push(&note(Lane::Messages, b"", 100)).unwrap();
        }
        let pieces = pieces(&mut batch.lanes_mut()[2]);
        assert!(pieces.iter().all(|piece| (1..=PIECE_BYTES_MAX).contains(&piece.len())));
    }

    #[test]
    fn a_lane_is_stamped_when_something_is_staged_but_not_more_often_than_matters() {
        let at = |millis| Instant::after_start(Duration::from_millis(millis));
        let mut batch = Batch::default();
        let mut bytes_at = |now: Option<u64>, lane| {
            if let Some(now) = now {
                batch.set_now(at(now));
            }
            batch.push(&note(lane, b"h", 0)).unwrap();
            batch.push(&note(lane, b"h", 0)).unwrap();
            let bytes = batch.bytes();
            batch.clear();
            bytes
        };
        let plain = 2 * (6 + 1);
        assert_eq!(bytes_at(None, Lane::Messages), plain, "nobody told the time");
        let stamped = [(1, 2), (2, 2), (10, 2), (11, 2), (11, 0)];
        let bytes = stamped.map(|(now, lane)| bytes_at(Some(now), Lane::ALL[lane]) - plain);
        assert_eq!(bytes, [STAMP_BYTES, 0, 0, STAMP_BYTES, STAMP_BYTES]);
    }

    fn any_note() -> impl Strategy<Value = Note> {
        let size = prop_oneof![0_usize..300, 8000_usize..9000, 60_000_usize..70_000];
        let header = prop::collection::vec(any::<u8>(), 0..40);
        (0_usize..4, header, size).prop_map(|(lane, header, size)| {
            let payload: Vec<u8> = (0_u8..=255).cycle().take(size).collect();
            Note { lane: Lane::ALL[lane], header, payload: payload.into() }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever way the messages take through batches and buffers, they come out in order.
        #[test]
        fn each_lane_keeps_its_order_and_loses_nothing(
            batches in prop::collection::vec(prop::collection::vec(any_note(), 0..8), 0..8),
            taken_after in prop::collection::vec(any::<bool>(), 8),
            encoded_first: bool,
        ) {
            let mut staged = Batch::default();
            let mut waiting: [LaneBuffer; 4] = Default::default();
            let mut lanes: [FrameDecoder; 4] = Default::default();
            let mut got: [Vec<(Bytes, Bytes)>; 4] = Default::default();
            for (i, notes) in batches.iter().enumerate() {
                let mut bytes = 0;
                for note in notes {
                    let encoded = Encoded::new(note).unwrap();
                    bytes += encoded.bytes();
                    if encoded_first {
                        staged.push_encoded(&encoded);
                    } else {
                        staged.push(note).unwrap();
                    }
                }
                prop_assert_eq!(staged.bytes(), bytes);
                let last = i + 1 == batches.len();
                for (lane, waiting) in waiting.iter_mut().enumerate() {
                    waiting.append(&mut staged.lanes_mut()[lane]);
                    if taken_after[i] || last {
                        waiting.take(|piece| {
                            lanes[lane].feed(piece);
                            while let Some(frame) = lanes[lane].next_frame().unwrap() {
                                got[lane].push((frame.header, frame.payload));
                            }
                        });
                        prop_assert!(waiting.is_empty());
                    }
                }
                prop_assert!(staged.is_empty());
            }
            for lane in Lane::ALL {
                let sent: Vec<_> = batches.iter().flatten().filter(|note| note.lane == lane)
                    .map(|note| (Bytes::from(note.header.clone()), note.payload.clone()))
                    .collect();
                prop_assert!(got[index(lane)] == sent);
            }
        }
    }
}
