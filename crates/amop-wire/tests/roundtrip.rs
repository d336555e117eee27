//! Whatever is sent arrives as it was sent, wherever the network cuts the stream.

#[path = "common/frames.rs"]
mod frames;
#[path = "common/questions.rs"]
mod questions;
#[path = "common/strategies.rs"]
mod strategies;

use std::fmt::Debug;

use amop_wire::{FrameDecoder, Message, Recent, put_frame_head};
use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::frames::{decoded, encoded};
use crate::strategies::{client_messages, node_messages, peer_messages};

proptest! {
    #[test]
    fn client_messages_arrive_as_they_were_sent(
        messages in vec(client_messages(), 1..6),
        cuts: Vec<Index>,
    ) {
        assert_arrives(&messages, &cuts)?;
    }

    #[test]
    fn node_messages_arrive_as_they_were_sent(
        messages in vec(node_messages(), 1..6),
        cuts: Vec<Index>,
    ) {
        assert_arrives(&messages, &cuts)?;
    }

    #[test]
    fn peer_messages_arrive_as_they_were_sent(
        messages in vec(peer_messages(), 1..6),
        cuts: Vec<Index>,
    ) {
        assert_arrives(&messages, &cuts)?;
    }
}

#[test]
fn the_shortest_frames_arrive_wherever_the_stream_is_cut_twice() {
    let parts = |bytes: usize| (vec![1; bytes / 3], vec![2; bytes % 3]);
    let mut stream = BytesMut::new();
    for (header, payload) in (0..9).map(parts) {
        put_frame_head(&mut stream, payload.len(), |buf| buf.extend_from_slice(&header)).unwrap();
        stream.extend_from_slice(&payload);
    }
    let stream = stream.freeze();
    for first in 0..=stream.len() {
        for second in first..=stream.len() {
            let (mut lane, mut received) = (FrameDecoder::default(), Vec::new());
            for chunk in [0..first, first..second, second..stream.len()] {
                lane.feed(stream.slice(chunk));
                received.extend(std::iter::from_fn(|| lane.next_frame().unwrap()));
            }
            let received = received.iter().map(|f| (f.header.to_vec(), f.payload.to_vec()));
            assert!(received.eq((0..9).map(parts)), "cut at {first} and {second}");
        }
    }
}

fn assert_arrives<M: Message + Debug + PartialEq>(
    messages: &[M],
    cuts: &[Index],
) -> Result<(), TestCaseError> {
    let mut stream = BytesMut::new();
    for message in messages {
        let frame = encoded(message).expect("the message is within the limits");
        let alone = decoded::<M>(frame.clone());
        prop_assert_eq!(alone.as_ref(), Ok(message));
        stream.extend_from_slice(&frame);
    }
    prop_assert_eq!(&received::<M>(&stream.freeze(), cuts)?[..], messages);
    Ok(())
}

/// Feeds the stream in chunks that end at the cuts, some of them empty.
fn received<M: Message>(stream: &Bytes, cuts: &[Index]) -> Result<Vec<M>, TestCaseError> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
    ends.push(stream.len());
    ends.sort_unstable();

    let (mut lane, mut recent) = (FrameDecoder::default(), Recent::default());
    let (mut start, mut messages) = (0, Vec::new());
    for end in ends {
        lane.feed(stream.slice(start..end));
        start = end;
        while let Some(frame) = lane.next_frame().expect("the stream is well-formed") {
            messages.push(M::read(frame, &mut recent).expect("every message is valid"));
        }
    }
    prop_assert_eq!(lane.pending_bytes(), 0);
    Ok(messages)
}
