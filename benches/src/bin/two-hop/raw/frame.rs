//! Frames of the bare relays: a length and a payload, of which only the two ends make sense.

use bytes::{Buf as _, BufMut as _, BytesMut};

use crate::message::{CONTENT_BYTES, Content};

/// Appends one frame with a payload of so many bytes.
pub(crate) fn put(buffer: &mut BytesMut, content: Content, payload_bytes: usize) {
    let payload_bytes = payload_bytes.max(CONTENT_BYTES);
    buffer.reserve(LENGTH_BYTES + payload_bytes);
    buffer.put_u32(u32::try_from(payload_bytes).expect("payloads are short"));
    buffer.put_slice(&content.encode());
    buffer.put_bytes(0, payload_bytes - CONTENT_BYTES);
}

/// Cuts received chunks into frames, of which it looks at the beginning alone.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    /// The beginning of a frame, as far as it has come.
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    /// How much of a frame is still to come behind its beginning.
    rest_bytes: usize,
    /// What that frame says, which is handed out at its end.
    content: Option<Content>,
}

impl Cutter {
    /// Hands out every frame that ends in this chunk. A frame that makes no sense is `None`, and
    /// so is all that comes after it.
    pub(crate) fn cut(
        &mut self,
        mut chunk: &[u8],
        mut on_frame: impl FnMut(Option<(Content, usize)>),
    ) {
        while !chunk.is_empty() {
            if self.head_bytes < HEAD_BYTES {
                let taken = chunk.len().min(HEAD_BYTES - self.head_bytes);
                self.head[self.head_bytes..][..taken].copy_from_slice(&chunk[..taken]);
                self.head_bytes += taken;
                chunk.advance(taken);
                if self.head_bytes < HEAD_BYTES {
                    return;
                }
                (self.content, self.rest_bytes) = match read(&self.head) {
                    Some((content, payload_bytes)) => {
                        (Some(content), payload_bytes - CONTENT_BYTES)
                    }
                    None => (None, 0),
                };
            }
            let taken = chunk.len().min(self.rest_bytes);
            self.rest_bytes -= taken;
            chunk.advance(taken);
            if self.rest_bytes == 0 {
                let payload_bytes = u32::from_be_bytes(*self.head.first_chunk().expect("4 < 13"));
                on_frame(self.content.map(|content| (content, payload_bytes as usize)));
                self.head_bytes = 0;
            }
        }
    }
}

fn read(head: &[u8; HEAD_BYTES]) -> Option<(Content, usize)> {
    let (length, payload) = head.split_first_chunk()?;
    let payload_bytes = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    if payload_bytes < CONTENT_BYTES {
        return None;
    }
    Some((Content::decode(payload)?, payload_bytes))
}

pub(crate) const LENGTH_BYTES: usize = 4;
const HEAD_BYTES: usize = LENGTH_BYTES + CONTENT_BYTES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Kind;

    #[test]
    fn frames_survive_any_cutting_of_the_stream() {
        let frames: Vec<_> = [(Kind::OneWay, 9), (Kind::Request, 40), (Kind::End, 16)]
            .into_iter()
            .zip(u64::MAX - 9..)
            .map(|((kind, bytes), number)| (Content { kind, number }, bytes))
            .collect();
        let mut stream = BytesMut::new();
        frames.iter().for_each(|&(content, bytes)| put(&mut stream, content, bytes));
        for cut in 1..=stream.len() {
            let (mut cutter, mut got) = (Cutter::default(), Vec::new());
            for chunk in stream.chunks(cut) {
                cutter.cut(chunk, |frame| got.extend(frame));
            }
            assert_eq!(got, frames, "cut every {cut} bytes");
        }
    }

    #[test]
    fn bytes_that_are_no_frame_are_told() {
        let mut got = Vec::new();
        Cutter::default().cut(&[7; 2 * HEAD_BYTES], |frame| got.push(frame));
        assert_eq!(got, [None, None]);
        let short = [&3_u32.to_be_bytes()[..], &[b'm'; CONTENT_BYTES]].concat();
        Cutter::default().cut(&short, |frame| assert_eq!(frame, None));
    }
}
