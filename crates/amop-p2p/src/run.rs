//! Runs a link: all lanes, both directions, and its end, in one future.
//!
//! ```text
//!             outbox.close, callback error
//!   ┌──────┐ ──────────────────────────────▶ ┌──────────┐ ── all received, or ──▶ closed
//!   │ Open │                                 │ Flushing │    flush timeout
//!   └──────┘ ──┐                             └──────────┘
//!       │      │ the peer finished a lane: it is flushing, wait for its close
//!       ▼      └──▶ a close, or flush timeout
//!   abort, garbage, reset, stall, connection lost: ended at once
//! ```
//!
//! A poll reads first, most urgent lane first, and then writes, so that what the callback sent
//! back goes out in the same poll. Futures of single reads and writes are made anew in each poll:
//! quinn's are cancel-safe and cost nothing to make, and no half-done one is ever dropped with
//! something in it. A poll reads so much at most and then lets others run.

mod reading;

use std::array;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use amop_wire::{CloseCode, CloseReason, Frame, Lane};
use bytes::Bytes;
use quinn::ConnectionError;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::halves::Halves;
use crate::lane::{LaneReader, LaneWriter, Wrote};
use crate::link::{Guard, Link, LinkEnd, end_of};
use crate::news::News;
use crate::outbox::Request;
use crate::settings::Settings;
use crate::stalls::Stalls;

/// A running link.
pub(crate) struct Runner {
    /// In the order of [`Lane::ALL`], most urgent first, like the writers.
    readers: [LaneReader; Lane::COUNT],
    writers: [LaneWriter; Lane::COUNT],
    /// Which of the readers are to be looked at.
    news: News,
    /// `None` while the link is open.
    ending: Option<Ending>,
    /// What the last read gave. Both are kept for their room.
    frames: Vec<Frame>,
    chunks: Box<[Bytes; CHUNKS_PER_READ]>,
    /// In how many polls in a row less urgent lanes have waited for one whose frames go in parts.
    held_back: usize,
    stalls: Stalls,
    halves: Halves,
    alarm: Alarm,
    settings: Arc<Settings>,
    guard: Guard,
}

struct Ending {
    how: How,
    /// Resolves when the connection is gone.
    closed: Pin<Box<dyn Future<Output = ConnectionError> + Send>>,
    until: Instant,
}

enum How {
    /// The peer finished a lane, so its close must follow.
    PeerFinished,
    /// We write what is queued, then close.
    Flushing {
        reason: CloseReason,
        /// Whether frames that still arrive are handed over.
        reading: bool,
    },
}

/// The link goes on, or it has ended.
type Flow = ControlFlow<LinkEnd>;

/// What gets the frames.
type OnFrames<'a> = &'a mut dyn FnMut(Lane, &mut Vec<Frame>) -> Result<(), CloseReason>;

impl Runner {
    pub(crate) fn new(link: Link) -> Self {
        Self {
            readers: link.readers,
            writers: link.writers,
            news: News::default(),
            ending: None,
            frames: Vec::new(),
            chunks: Box::new(array::from_fn(|_| Bytes::new())),
            held_back: 0,
            stalls: Stalls::default(),
            halves: Halves::new(link.settings.waiting.clone()),
            alarm: Alarm::default(),
            settings: link.settings,
            guard: link.guard,
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, on_frames: OnFrames<'_>) -> Poll<LinkEnd> {
        self.guard.outbox.link_runs();
        let mut flow = self.read(cx, on_frames);
        if flow.is_continue() {
            flow = self.write(cx);
        }
        if flow.is_continue() {
            flow = self.refill(cx, on_frames);
        }
        if flow.is_continue() {
            flow = self.watch_end(cx, on_frames);
        }
        match flow {
            Flow::Continue(()) => Poll::Pending,
            Flow::Break(end) => Poll::Ready(end),
        }
    }

    fn call(&mut self, lane: Lane, on_frames: OnFrames<'_>) {
        let outcome = on_frames(lane, &mut self.frames);
        self.frames.clear();
        self.frames.shrink_to(FRAMES_KEPT);
        if let Err(reason) = outcome {
            self.guard.outbox.close(reason.clone());
            self.flush(reason, false);
        }
    }

    /// Writes what was left over, then what was queued since; a lane gets nothing new before its
    /// old bytes are out.
    fn write(&mut self, cx: &mut Context<'_>) -> Flow {
        let mut wrote = self.writers.each_mut().map(|writer| writer.poll_write(cx));
        let idle = self.writers.each_ref().map(LaneWriter::is_idle);
        let writers = &mut self.writers;
        let request = self.guard.outbox.take(cx.waker(), idle, |i, piece| writers[i].put(piece));
        for (i, wrote) in wrote.iter_mut().enumerate().filter(|(i, _)| idle[*i]) {
            let more = self.writers[i].poll_write(cx);
            *wrote = Wrote { bytes: wrote.bytes + more.bytes, blocked: more.blocked };
        }
        let idle = self.writers.each_ref().map(LaneWriter::is_idle);
        self.guard.outbox.written(wrote.each_ref().map(|wrote| wrote.bytes), idle);
        self.stalls.note(&wrote, self.settings.stall_timeout, now);
        if self.writers.iter().any(LaneWriter::is_stopped) {
            self.peer_finished();
        }
        match request {
            Some(Request::Abort(reason)) => self.close(reason),
            Some(Request::Close(reason)) => {
                self.flush(reason, true);
                Flow::Continue(())
            }
            Some(Request::Ended) | None => Flow::Continue(()),
        }
    }

    /// Tells whoever waits for room on the lane for files that there is some, and writes what comes of it.
    fn refill(&mut self, cx: &mut Context<'_>, on_frames: OnFrames<'_>) -> Flow {
        for _ in 0..REFILLS_PER_POLL {
            if self.ending.is_some() || !self.guard.outbox.pays_file_room() {
                return Flow::Continue(());
            }
            self.guard.outbox.link_runs();
            self.call(Lane::Files, on_frames);
            self.write(cx)?;
        }
        cx.waker().wake_by_ref();
        Flow::Continue(())
    }

    /// Ends the link when its time has come.
    fn watch_end(&mut self, cx: &mut Context<'_>, on_frames: OnFrames<'_>) -> Flow {
        let Some(ending) = &mut self.ending else { return self.watch_stalls(cx) };
        if ending.closed.as_mut().poll(cx).is_ready() {
            return self.read_rest(cx, on_frames);
        }
        let late = self.alarm.poll(cx, ending.until).is_ready();
        match &ending.how {
            How::PeerFinished if late => self.break_off("a lane ended, but not the link".into()),
            How::PeerFinished => Flow::Continue(()),
            How::Flushing { reason, .. } => {
                let reason = reason.clone();
                // Each of them must be polled, or its end would not wake us.
                let mut flushed = true;
                for writer in &mut self.writers {
                    flushed &= writer.poll_finish(cx).is_ready();
                }
                if flushed || late { self.close(reason) } else { Flow::Continue(()) }
            }
        }
    }

    /// Ends the link if its peer does not read, or does not send the rest of what it has begun.
    fn watch_stalls(&mut self, cx: &mut Context<'_>) -> Flow {
        let (stalled, half) = (self.stalls.first(), self.halves.first());
        let Some(first) = stalled.into_iter().chain(half.map(|(at, _)| at)).min() else {
            return Flow::Continue(());
        };
        match (self.alarm.poll(cx, first), half) {
            (Poll::Pending, _) => Flow::Continue(()),
            (Poll::Ready(()), Some((at, lane))) if at == first => {
                let patience = self.settings.half_frame_timeout;
                self.broken(lane, &format!("half a frame, and not the rest of it for {patience:?}"))
            }
            (Poll::Ready(()), _) => {
                let text = format!("did not read for {:?}", self.settings.stall_timeout);
                self.close(CloseReason::new(CloseCode::SlowReader, text))
            }
        }
    }

    fn peer_finished(&mut self) {
        if self.ending.is_none() {
            // The peer may take its own flush timeout, which we do not know; it is ours as a rule.
            let patience = self.settings.flush_timeout + self.settings.idle_timeout;
            self.ending = Some(self.end_within(patience, How::PeerFinished));
        }
    }

    fn flush(&mut self, reason: CloseReason, reading: bool) {
        if let Some(Ending { how: How::Flushing { reading: still, .. }, .. }) = &mut self.ending {
            *still &= reading;
        } else {
            let how = How::Flushing { reason, reading };
            self.ending = Some(self.end_within(self.settings.flush_timeout, how));
        }
    }

    fn end_within(&self, patience: Duration, how: How) -> Ending {
        let connection = self.guard.connection.clone();
        let closed = Box::pin(async move { connection.closed().await });
        Ending { how, closed, until: now() + patience }
    }

    fn close(&self, reason: CloseReason) -> Flow {
        self.guard.close_now(&reason);
        Flow::Break(LinkEnd::ClosedByUs(reason))
    }

    fn broken<C>(&self, lane: usize, what: &str) -> ControlFlow<LinkEnd, C> {
        let name = match self.readers[lane].lane {
            Lane::Control => "control",
            Lane::Replies => "replies",
            Lane::Unicasts => "unicasts",
            Lane::Multicasts => "multicasts",
            Lane::Files => "files",
        };
        self.break_off(format!("{name} lane: {what}"))
    }

    fn break_off<C>(&self, text: String) -> ControlFlow<LinkEnd, C> {
        let reason = CloseReason::new(CloseCode::Protocol, text);
        self.guard.close_now(&reason);
        ControlFlow::Break(LinkEnd::Broken(reason))
    }

    fn lost(&self) -> Flow {
        let error = self.guard.connection.close_reason().expect("a lost connection has a reason");
        Flow::Break(end_of(&error, &self.settings))
    }
}

/// One timer for a deadline that is put off all the time: it is set anew only when it rings or
/// when the deadline comes nearer.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    fn poll(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= at {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
        Poll::Pending
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where links read a clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// How many chunks one read takes. A chunk is what one packet brought.
const CHUNKS_PER_READ: usize = 64;

/// For how many frames room is kept between reads. A batch of tiny ones may have more.
const FRAMES_KEPT: usize = 4096;

/// How often one poll has the lane for files filled before others get their turn.
const REFILLS_PER_POLL: usize = 4;
