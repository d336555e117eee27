//! The near client of the floor: makes the load, and measures it.

use std::array;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use tokio::task::yield_now;

use super::frame::{Content, Cutter, FRAME_BYTES, Kind, put};
use super::transport::{Link, Transport};
use crate::case::Case;
use crate::certs::Party;
use crate::clock::now;
use crate::orders::{Load, Measured, Order, Reply, serve};
use crate::window::{Requests, Window};

/// Runs the near client until the benchmark has no more orders.
///
/// # Errors
///
/// Fails when the link does not come up.
pub(crate) async fn run_publisher(
    dir: &Path,
    relay: SocketAddr,
    ack_frequency: bool,
) -> Result<()> {
    let transport = Transport::load(dir, Party::Publisher, ack_frequency)?;
    let link = transport.dial(relay, Party::Node1).await?;
    let mut publisher = Publisher::new(link);
    serve(async |order| match order {
        Order::Measure(load) => publisher.measure(&load).await.map(Reply::Measured),
        Order::Count => bail!("this client receives no one-way messages"),
    })
    .await
}

struct Publisher {
    link: Link,
    cutter: Cutter,
    chunks: [Bytes; CHUNKS_PER_READ],
    /// What the last read gave.
    answers: Vec<Content>,
    /// What the next write takes.
    buffer: BytesMut,
    /// Requests without an answer, and when they were sent. Answers come in the same order.
    in_flight: VecDeque<(Content, Instant)>,
    next_request: u64,
}

impl Publisher {
    fn new(link: Link) -> Self {
        Self {
            link,
            cutter: Cutter::default(),
            chunks: array::from_fn(|_| Bytes::new()),
            answers: Vec::new(),
            buffer: BytesMut::new(),
            in_flight: VecDeque::new(),
            next_request: 0,
        }
    }

    async fn measure(&mut self, load: &Load) -> Result<Measured> {
        match load.case {
            Case::OneWay => {
                let warm_up = self.stream(load.warm_up).await?;
                let window = Window::open(load)?;
                let done = self.stream(load.window).await?;
                window.close(warm_up + done, done)
            }
            Case::Requests { in_flight } => self.request(load, in_flight).await,
        }
    }

    /// Sends frames for so long, then waits until the other end has counted them.
    async fn stream(&mut self, lasting: Duration) -> Result<u64> {
        let (began, mut sent) = (now(), 0);
        while now().duration_since(began) < lasting {
            for _ in 0..FRAMES_PER_WRITE {
                put(&mut self.buffer, Content { kind: Kind::OneWay, counter: sent });
                sent += 1;
            }
            self.write().await?;
            yield_now().await; // What was written goes out only when the connection runs.
        }
        put(&mut self.buffer, Content { kind: Kind::End, counter: 0 });
        self.write().await?;
        while self.answers.is_empty() {
            self.read().await?;
        }
        let answers = std::mem::take(&mut self.answers);
        let all = Content { kind: Kind::End, counter: sent };
        ensure!(answers == [all], "{sent} messages were sent, and what arrived is {answers:?}");
        Ok(sent)
    }

    /// Keeps so many requests in flight: what is answered is asked again at once.
    async fn request(&mut self, load: &Load, in_flight: u32) -> Result<Measured> {
        let mut run = Requests::begin(load);
        (0..in_flight).for_each(|_| self.ask(&mut run, now()));
        while !self.in_flight.is_empty() {
            self.write().await?;
            self.read().await?;
            let at = now();
            for answer in &self.answers {
                match self.in_flight.pop_front() {
                    Some((request, sent)) if request == *answer => {
                        run.answered(at.duration_since(sent));
                    }
                    request => bail!("{answer:?} is the answer to {request:?}"),
                }
            }
            let answered = self.answers.drain(..).len();
            if run.goes_on(at)? {
                (0..answered).for_each(|_| self.ask(&mut run, at));
            }
        }
        run.finish()
    }

    fn ask(&mut self, run: &mut Requests, at: Instant) {
        let content = Content { kind: Kind::Request, counter: self.next_request };
        self.next_request += 1;
        put(&mut self.buffer, content);
        self.in_flight.push_back((content, at));
        run.sent();
    }

    /// Writes what is in the buffer as one piece.
    async fn write(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = self.buffer.split().freeze();
        self.link.send.write_chunk(piece).await.context("the link broke")
    }

    /// Reads what is there, or waits until something is.
    async fn read(&mut self) -> Result<()> {
        let read = self.link.receive.read_chunks(&mut self.chunks).await;
        let count = read.context("the link broke")?.context("the relay ended the stream")?;
        let mut damaged = false;
        for chunk in &mut self.chunks[..count] {
            self.cutter.cut(&std::mem::take(chunk), |content| match content {
                Some(content) => self.answers.push(content),
                None => damaged = true,
            });
        }
        ensure!(!damaged, "an answer was damaged");
        Ok(())
    }
}

/// About 32 KiB: large enough that a write costs little, small enough to stay in the cache.
const FRAMES_PER_WRITE: usize = (32 << 10) / FRAME_BYTES;

const CHUNKS_PER_READ: usize = 64;
