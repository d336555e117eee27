//! Any bytes on a lane give messages or an error, and a message that was read is written as one that
//! reads the same.

use std::fmt::Debug;

use amop_wire::{
    ClientMessage, FileMessage, Frame, FrameDecoder, Message, NodeMessage, PeerMessage, Recent,
    put_frame_head,
};
use bytes::{Bytes, BytesMut};

/// What a client says to its node.
pub(crate) fn client(data: &[u8]) {
    lane::<ClientMessage>(data);
}

/// What a node says to its client.
pub(crate) fn node(data: &[u8]) {
    lane::<NodeMessage>(data);
}

/// What nodes say to each other: announcements as well.
pub(crate) fn peer(data: &[u8]) {
    lane::<PeerMessage>(data);
}

/// Offers and pieces of files, and what is said of them.
pub(crate) fn file(data: &[u8]) {
    lane::<FileMessage>(data);
}

/// The messages of a lane, up to the first error.
pub(crate) fn messages<M: Message>(data: &[u8]) -> impl Iterator<Item = M> {
    let mut lane = FrameDecoder::default();
    lane.feed(Bytes::copy_from_slice(data));
    std::iter::from_fn(move || M::from_frame(lane.next_frame().ok()??).ok())
}

/// Writes a message as a frame.
///
/// # Panics
///
/// If it is over a limit.
fn written(message: &impl Message) -> Bytes {
    let mut frame = BytesMut::new();
    let payload_bytes = message.payload().len();
    put_frame_head(&mut frame, payload_bytes, |buf| message.put_header(buf))
        .expect("what was read, or is sent, fits a frame");
    frame.extend_from_slice(message.payload());
    frame.freeze()
}

/// Reads a message that was just written.
///
/// # Panics
///
/// If whoever gets it would close the link for it.
pub(crate) fn read_back<M: Message>(frame: Bytes) -> M {
    let mut lane = FrameDecoder::default();
    lane.feed(frame);
    let frame = lane.next_frame().expect("the lengths agree").expect("the frame is whole");
    M::from_frame(frame).expect("what is sent can be read")
}

/// Writes a message that is to be sent, and reads it as whoever gets it does. What comes of that is the same but for
/// times, of which the wire has whole milliseconds.
///
/// # Panics
///
/// If it is not, or cannot be sent.
pub(crate) fn survives<M: Message>(message: &M) {
    let sent = written(message);
    assert_eq!(written(&read_back::<M>(sent.clone())), sent);
}

fn lane<M: Message + Debug + PartialEq>(data: &[u8]) {
    // Wherever the bytes were cut on their way, the frames are the same.
    let whole = frames([data]);
    let (one, other) = data.split_at(data.len() / 3);
    assert_eq!(whole, frames([one, other]));
    for frame in whole {
        let read = M::from_frame(frame.clone());
        assert_eq!(M::read(frame, &mut Recent::default()), read, "both ways agree");
        match read {
            Ok(message) => assert_eq!(read_back::<M>(written(&message)), message),
            Err(error) => {
                let text = error.to_string();
                assert!(text.len() < 1024 && !text.contains(char::is_control), "{text}");
            }
        }
    }
}

fn frames<const CHUNKS: usize>(chunks: [&[u8]; CHUNKS]) -> Vec<Frame> {
    let (mut lane, mut frames) = (FrameDecoder::default(), Vec::new());
    for chunk in chunks {
        lane.feed(Bytes::copy_from_slice(chunk));
        loop {
            match lane.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return frames,
            }
        }
    }
    frames
}
