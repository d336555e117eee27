//! What is staged comes out in order, and in pieces that QUIC likes.

use std::time::Duration;

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
        batch.push(&note(Lane::Unicasts, b"", payload_bytes)).unwrap();
    }
    for _ in 0..2000 {
        batch.push(&note(Lane::Unicasts, b"", 100)).unwrap();
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
    assert_eq!(bytes_at(None, Lane::Unicasts), plain, "nobody told the time");
    let stamped = [(1, 2), (2, 2), (10, 2), (11, 2), (11, 0)];
    let bytes = stamped.map(|(now, lane)| bytes_at(Some(now), Lane::ALL[lane]) - plain);
    assert_eq!(bytes, [STAMP_BYTES, 0, 0, STAMP_BYTES, STAMP_BYTES]);
}

fn any_note() -> impl Strategy<Value = Note> {
    let size = prop_oneof![0_usize..300, 8000_usize..9000, 60_000_usize..70_000];
    let header = prop::collection::vec(any::<u8>(), 0..40);
    (0..Lane::COUNT, header, size).prop_map(|(lane, header, size)| {
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
        let mut waiting: [LaneBuffer; Lane::COUNT] = Default::default();
        let mut lanes: [FrameDecoder; Lane::COUNT] = Default::default();
        let mut got: [Vec<(Bytes, Bytes)>; Lane::COUNT] = Default::default();
        for (i, notes) in batches.iter().enumerate() {
            let mut bytes = 0;
            for note in notes {
                let mut encoded = Encoded::default();
                encoded.push(note).unwrap();
                bytes += encoded.bytes();
                if encoded_first {
                    staged.push_encoded(&mut encoded);
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
