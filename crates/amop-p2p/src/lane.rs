//! One lane of a running link: the stream to read, the stream to write, and what is half done.

use std::collections::VecDeque;
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use amop_wire::{Frame, FrameDecoder, FrameError, Lane};
use bytes::Bytes;
use quinn::{ReadError, RecvStream, SendStream, StoppedError, VarInt, WriteError};

/// Cuts what arrives on one lane into frames.
pub(crate) struct LaneReader {
    pub(crate) lane: Lane,
    stream: RecvStream,
    decoder: FrameDecoder,
    /// What was read and not handed out yet.
    rest: VecDeque<Frame>,
    open: bool,
    /// What was read since somebody looked.
    bytes: usize,
    has_ended: bool,
}

/// What a lane has read lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// How many bytes came.
    pub(crate) bytes: usize,
    /// Whether a frame ended.
    pub(crate) has_ended: bool,
    /// How many bytes are kept of a frame whose end has not come.
    pub(crate) kept: usize,
}

/// What one attempt to read gave. The frames are in the caller's vector in any case.
#[derive(Debug)]
pub(crate) enum Read {
    /// Bytes came; there may be more.
    Progress,
    /// The peer will send nothing more on this lane.
    Finished,
    /// The connection is gone; everything that had arrived was read.
    ConnectionLost,
    /// The peer broke off in the middle.
    Reset,
    /// What came is no row of frames.
    Garbage(FrameError),
}

impl LaneReader {
    pub(crate) fn new(lane: Lane, stream: RecvStream) -> Self {
        Self {
            lane,
            stream,
            decoder: FrameDecoder::default(),
            rest: VecDeque::new(),
            open: true,
            bytes: 0,
            has_ended: false,
        }
    }

    /// Whether more can come on this lane.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Says what was read since the last time.
    pub(crate) fn take_progress(&mut self) -> Progress {
        let (bytes, has_ended) = (mem::take(&mut self.bytes), mem::take(&mut self.has_ended));
        Progress { bytes, has_ended, kept: self.decoder.pending_bytes() }
    }

    /// Whether there are frames that [`poll_read`](Self::poll_read) will give without reading anything.
    pub(crate) fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Reads what is there, at most as many chunks as fit, and appends the frames in it, or a part of them.
    ///
    /// The future of a read is cancel-safe, so one that is not ready can be dropped.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        chunks: &mut [Bytes],
        frames: &mut Vec<Frame>,
    ) -> Poll<Read> {
        if self.has_rest() {
            frames.extend(self.rest.drain(..PART.min(self.rest.len())));
            return Poll::Ready(Read::Progress);
        }
        let read = ready!(pin!(self.stream.read_chunks(chunks)).poll(cx));
        let count = match read {
            Ok(Some(count)) => count,
            Ok(None) => return Poll::Ready(self.end(Read::Finished)),
            Err(ReadError::Reset(_)) => return Poll::Ready(self.end(Read::Reset)),
            Err(_) => return Poll::Ready(self.end(Read::ConnectionLost)),
        };
        let bytes = chunks[..count].iter().map(Bytes::len).sum();
        self.bytes += bytes;
        for chunk in &mut chunks[..count] {
            self.decoder.feed(mem::take(chunk));
            loop {
                match self.decoder.next_frame() {
                    Ok(Some(frame)) => {
                        self.has_ended = true;
                        frames.push(frame);
                    }
                    Ok(None) => break,
                    Err(error) => return Poll::Ready(self.end(Read::Garbage(error))),
                }
            }
        }
        self.divide(bytes, frames);
        Poll::Ready(Read::Progress)
    }

    /// Keeps all frames but the first part, if the read gave neither many nor much.
    ///
    /// Messages that are one in a batch go on as one, and only one process at a time would have work. In parts, the next
    /// one along works on the first while this one works on the second. Many do not wait for each other; a multicast
    /// goes to many links, of which each would get as many packets as there are parts.
    fn divide(&mut self, bytes: usize, frames: &mut Vec<Frame>) {
        let goes_in_parts = matches!(self.lane, Lane::Replies | Lane::Unicasts);
        if goes_in_parts && frames.len() <= DIVIDED_MAX && bytes <= DIVIDED_BYTES_MAX {
            self.rest.extend(frames.drain(PART.min(frames.len())..));
        }
    }

    fn end(&mut self, how: Read) -> Read {
        self.open = false;
        how
    }
}

/// Writes what was queued for one lane.
pub(crate) struct LaneWriter {
    stream: SendStream,
    /// What was taken from the outbox and QUIC has not taken yet.
    pending: VecDeque<Bytes>,
    end: End,
}

enum End {
    Open,
    /// The end of the lane is on its way to the peer.
    Finishing(Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>> + Send>>),
    /// The peer has everything, or will never read anything more.
    Done,
}

/// What one attempt to write gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrote {
    /// The bytes that QUIC took.
    pub(crate) bytes: usize,
    /// Whether something is left that QUIC does not take now.
    pub(crate) blocked: bool,
}

impl LaneWriter {
    pub(crate) fn new(stream: SendStream) -> Self {
        Self { stream, pending: VecDeque::new(), end: End::Open }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether the peer reads this lane no more, though we did not finish it.
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.end, End::Done)
    }

    pub(crate) fn put(&mut self, piece: Bytes) {
        self.pending.push_back(piece);
    }

    /// Gives QUIC as much of what is pending as it takes.
    ///
    /// The future of one `write_chunks` is cancel-safe, unlike that of `write_all_chunks`: what it
    /// took is gone from `pending`, and the rest follows the next time.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>) -> Wrote {
        let mut wrote = Wrote { bytes: 0, blocked: false };
        while !self.pending.is_empty() {
            if self.is_stopped() {
                wrote.bytes += self.pending.drain(..).map(|piece| piece.len()).sum::<usize>();
                break;
            }
            let pieces = self.pending.make_contiguous();
            let written = pin!(self.stream.write_chunks(pieces)).poll(cx);
            match written {
                Poll::Pending => {
                    wrote.blocked = true;
                    break;
                }
                Poll::Ready(Ok(written)) => {
                    self.pending.drain(..written.chunks);
                    wrote.bytes += written.bytes;
                }
                Poll::Ready(Err(WriteError::ConnectionLost(_))) => break, // The readers tell.
                Poll::Ready(Err(_)) => self.end = End::Done,
            }
        }
        wrote
    }

    /// Says the end of the lane, once nothing is pending, and waits until the peer has it all.
    pub(crate) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut self.end {
                End::Open if !self.pending.is_empty() => return Poll::Pending,
                End::Open => {
                    // It fails only if the stream was finished or stopped before.
                    let _ = self.stream.finish();
                    self.end = End::Finishing(Box::pin(self.stream.stopped()));
                }
                End::Finishing(stopped) => {
                    let _ = ready!(stopped.as_mut().poll(cx));
                    self.end = End::Done;
                }
                End::Done => return Poll::Ready(()),
            }
        }
    }
}

/// How many messages go on at once. A part costs a packet of each link that it goes to.
const PART: usize = 16;

/// How many messages of one read go on in parts at most, and how many bytes.
const DIVIDED_MAX: usize = 128;
const DIVIDED_BYTES_MAX: usize = 64 * 1024;
