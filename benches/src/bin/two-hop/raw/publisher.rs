//! The near client: sends frames as fast as the stream takes them.

use std::array;
use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use quinn::Connection;
use tokio::task::yield_now;

use super::frame::{Cutter, LENGTH_BYTES, put};
use super::transport::{Lane, Link, Transport};
use crate::case::REQUEST_BYTES;
use crate::certs::Party;
use crate::clock::now;
use crate::door::Door;
use crate::flow::Flow;
use crate::message::{CONTENT_BYTES, Content, Kind};
use crate::publisher::{self, serve_publisher};
use crate::system::System;
use crate::window::Requests;

/// Runs the near client until the benchmark has no more orders.
///
/// # Errors
///
/// Fails when the link does not come up.
pub(crate) async fn run_publisher(system: System, dir: &Path, relay: Door) -> Result<()> {
    let transport = Transport::load(system, dir, Party::Publisher)?;
    let link = transport.dial(relay).await?;
    serve_publisher(Publisher::new(link)).await
}

struct Publisher {
    asking: Asking,
    streaming: Streaming,
    /// Dropping the last handle would close the connection.
    _connection: Connection,
}

impl Publisher {
    fn new(link: Link) -> Self {
        let Link { asks, flow, connection } = link;
        let asking = Asking { end: End::new(asks), in_flight: VecDeque::new(), next_request: 0 };
        let streaming = Streaming { end: End::new(flow), sent: 0 };
        Self { asking, streaming, _connection: connection }
    }
}

impl publisher::Publisher for Publisher {
    async fn stream(&mut self, flow: &mut Flow) -> Result<u64> {
        self.streaming.stream(flow).await
    }

    async fn ask(&mut self, in_flight: u32, run: Requests) -> Result<Requests> {
        self.asking.ask(in_flight, run).await
    }

    async fn ask_beside(&mut self, run: Requests, flow: &mut Flow) -> Result<(Requests, u64)> {
        tokio::try_join!(self.asking.ask(1, run), self.streaming.stream(flow))
    }
}

/// What sends messages in one direction.
struct Streaming {
    end: End,
    /// Frames that were sent in all.
    sent: u64,
}

impl Streaming {
    /// A message has arrived when the other end says so after the last one.
    async fn stream(&mut self, flow: &mut Flow) -> Result<u64> {
        let payload_bytes = flow.payload_bytes();
        let frames_per_write = (BYTES_PER_WRITE / (LENGTH_BYTES + payload_bytes)).max(1);
        let mut has_more = true;
        while has_more {
            for _ in 0..frames_per_write {
                match flow.next() {
                    Some(content) => put(&mut self.end.buffer, content, payload_bytes),
                    None => has_more = false,
                }
            }
            self.end.write().await?;
            yield_now().await; // What was written goes out only when the connection runs.
        }
        self.sent += flow.sent();
        put(&mut self.end.buffer, Content { kind: Kind::End, number: 0 }, CONTENT_BYTES);
        self.end.write().await?;
        while self.end.answers.is_empty() {
            self.end.read().await?;
        }
        let answers = std::mem::take(&mut self.end.answers);
        let all = Content { kind: Kind::End, number: self.sent };
        ensure!(answers == [all], "{} were sent, and what arrived is {answers:?}", self.sent);
        Ok(flow.sent())
    }
}

/// What asks and waits for answers.
struct Asking {
    end: End,
    /// Requests without an answer, and when they were sent. Answers come in the same order.
    in_flight: VecDeque<(Content, Instant)>,
    next_request: u64,
}

impl Asking {
    fn ask_one(&mut self, at: Instant) {
        let content = Content { kind: Kind::Request, number: self.next_request };
        self.next_request += 1;
        put(&mut self.end.buffer, content, REQUEST_BYTES);
        self.in_flight.push_back((content, at));
    }

    /// What is answered is asked again at once, in one task.
    async fn ask(&mut self, in_flight: u32, mut run: Requests) -> Result<Requests> {
        (0..in_flight).for_each(|_| self.ask_one(now()));
        while !self.in_flight.is_empty() {
            self.end.write().await?;
            self.end.read().await?;
            let at = now();
            for answer in &self.end.answers {
                match self.in_flight.pop_front() {
                    Some((request, sent)) if request == *answer => {
                        run.answered(at.duration_since(sent));
                    }
                    request => bail!("{answer:?} is the answer to {request:?}"),
                }
            }
            let answered = self.end.answers.drain(..).len();
            if run.goes_on(at)? {
                (0..answered).for_each(|_| self.ask_one(at));
            }
        }
        Ok(run)
    }
}

/// The near end of a lane.
struct End {
    lane: Lane,
    cutter: Cutter,
    chunks: [Bytes; CHUNKS_PER_READ],
    /// What the last read gave.
    answers: Vec<Content>,
    /// What the next write takes.
    buffer: BytesMut,
}

impl End {
    fn new(lane: Lane) -> Self {
        Self {
            lane,
            cutter: Cutter::default(),
            chunks: array::from_fn(|_| Bytes::new()),
            answers: Vec::new(),
            buffer: BytesMut::new(),
        }
    }

    /// Writes what is in the buffer as one piece.
    async fn write(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = self.buffer.split().freeze();
        self.lane.send.write_chunk(piece).await.context("the link broke")
    }

    /// Reads what is there, or waits until something is.
    async fn read(&mut self) -> Result<()> {
        let read = self.lane.receive.read_chunks(&mut self.chunks).await;
        let count = read.context("the link broke")?.context("the relay ended the stream")?;
        let mut damaged = false;
        for chunk in &mut self.chunks[..count] {
            self.cutter.cut(&std::mem::take(chunk), |frame| match frame {
                Some((content, _)) => self.answers.push(content),
                None => damaged = true,
            });
        }
        ensure!(!damaged, "an answer was damaged");
        Ok(())
    }
}

/// Large enough that a write costs little, small enough to stay in the cache.
const BYTES_PER_WRITE: usize = 32 << 10;

const CHUNKS_PER_READ: usize = 64;
