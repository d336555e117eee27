//! Frames of the floor: a length and opaque bytes, of which only the two ends make sense.
//!
//! The bytes begin with a letter that says what they are and a counter; zeros fill the rest.

use bytes::{BufMut as _, BytesMut};

use crate::case::PAYLOAD_BYTES;

/// What the far end does with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Counts it.
    OneWay,
    /// Sends it back.
    Request,
    /// Says how many one-way frames came since the last time, as the counter.
    End,
}

/// What a frame says to the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) kind: Kind,
    pub(crate) counter: u64,
}

/// Appends one frame.
pub(crate) fn put(buffer: &mut BytesMut, Content { kind, counter }: Content) {
    let letter = match kind {
        Kind::OneWay => b'm',
        Kind::Request => b'r',
        Kind::End => b'e',
    };
    buffer.reserve(FRAME_BYTES);
    buffer.put_u32(u32::try_from(PAYLOAD_BYTES).expect("payloads are short"));
    buffer.put_u8(letter);
    buffer.put_u64(counter);
    buffer.put_bytes(0, PAYLOAD_BYTES - 1 - 8);
}

/// Cuts received chunks into frames.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    /// The beginning of a frame whose end was not in its chunk.
    partial: Vec<u8>,
}

impl Cutter {
    /// Hands out every frame that ends in this chunk. A frame that makes no sense is `None`.
    pub(crate) fn cut(&mut self, mut chunk: &[u8], mut on_frame: impl FnMut(Option<Content>)) {
        if !self.partial.is_empty() {
            let missing = FRAME_BYTES - self.partial.len();
            let (head, rest) = chunk.split_at(missing.min(chunk.len()));
            self.partial.extend_from_slice(head);
            chunk = rest;
            let Some(frame) = self.partial.first_chunk() else { return };
            on_frame(read(frame));
            self.partial.clear();
        }
        while let Some((frame, rest)) = chunk.split_first_chunk() {
            on_frame(read(frame));
            chunk = rest;
        }
        self.partial.extend_from_slice(chunk);
    }
}

fn read(frame: &[u8; FRAME_BYTES]) -> Option<Content> {
    let (length, payload) = frame.split_first_chunk::<4>()?;
    if usize::try_from(u32::from_be_bytes(*length)) != Ok(PAYLOAD_BYTES) {
        return None;
    }
    let (&letter, rest) = payload.split_first()?;
    let kind = match letter {
        b'm' => Kind::OneWay,
        b'r' => Kind::Request,
        b'e' => Kind::End,
        _ => return None,
    };
    Some(Content { kind, counter: u64::from_be_bytes(*rest.first_chunk()?) })
}

/// All frames are of one length, so the ends need not read the length to find the end.
pub(crate) const FRAME_BYTES: usize = 4 + PAYLOAD_BYTES;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_cutting_of_the_stream() {
        let contents: Vec<_> = [Kind::OneWay, Kind::Request, Kind::End, Kind::OneWay]
            .into_iter()
            .zip(u64::MAX - 9..)
            .map(|(kind, counter)| Content { kind, counter })
            .collect();
        let mut stream = BytesMut::new();
        contents.iter().for_each(|&content| put(&mut stream, content));
        for cut in 1..=stream.len() {
            let (mut cutter, mut got) = (Cutter::default(), Vec::new());
            for chunk in stream.chunks(cut) {
                cutter.cut(chunk, |content| got.extend(content));
            }
            assert_eq!(got, contents, "cut every {cut} bytes");
        }
    }

    #[test]
    fn bytes_that_are_no_frame_are_told() {
        let mut got = Vec::new();
        Cutter::default().cut(&[7; 2 * FRAME_BYTES], |content| got.push(content));
        assert_eq!(got, [None, None]);
    }
}
