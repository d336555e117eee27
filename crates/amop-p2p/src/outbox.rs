//! What waits to be written to one link, and the way to ask for the link's end.
//!
//! Whoever sends takes one lock for a whole batch and wakes the link at most once; while the link
//! is awake, or has been woken and not run yet, further batches wake nothing. There are no timers
//! and no flushing: the link writes when it runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use amop_wire::{CloseCode, CloseReason, Lane};
use bytes::Bytes;

use crate::batch::{Batch, LaneBuffer, index};
use crate::file_room::FileRoom;
use crate::settings::Settings;
use crate::waiting::Waiting;

/// The sending end of a link. Cheap to clone; works from any thread.
///
/// It stays usable after the link has ended: what is sent then is dropped in silence, since the
/// link's [`run`](crate::Link::run) has told its end already.
#[derive(Clone, Debug)]
pub struct Outbox {
    shared: Arc<Shared>,
}

impl Outbox {
    pub(crate) fn new(settings: &Settings) -> Self {
        let shared = Shared {
            queued_bytes: AtomicUsize::default(),
            control_bytes: AtomicUsize::default(),
            queued_messages: AtomicUsize::default(),
            taken_messages: Default::default(),
            file_room: FileRoom::default(),
            bytes_max: settings.outbox_bytes_max,
            messages_max: settings.outbox_messages_max,
            waiting: settings.waiting.clone(),
            queue: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Queues everything in the batch, which is empty afterwards and may be filled again.
    ///
    /// All of it is taken: ask [`has_room`](Self::has_room) before filling a batch with what may
    /// be refused. If twice the agreed bytes wait nevertheless, the link is closed as one whose
    /// peer does not read.
    pub fn send(&self, batch: &mut Batch) {
        let bytes = batch.bytes();
        if bytes == 0 {
            return;
        }
        let mut queue = self.lock();
        if queue.request.is_some() {
            batch.clear();
            return;
        }
        self.shared.file_room.queued(batch.bytes_on(Lane::Files));
        self.shared.queued_messages.fetch_add(batch.messages(), Ordering::Relaxed);
        let control_bytes = batch.bytes_on(Lane::Control);
        self.shared.control_bytes.fetch_add(control_bytes, Ordering::Relaxed);
        self.shared.waiting.add(bytes - control_bytes);
        for (lane, staged) in queue.lanes.iter_mut().zip(batch.lanes_mut()) {
            if !staged.is_empty() {
                lane.append(staged);
            }
        }
        let queued = self.shared.queued_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if queued > self.shared.bytes_max.saturating_mul(2) {
            let text = format!("did not read while {queued} bytes waited");
            queue.end(Request::Abort(CloseReason::new(CloseCode::SlowReader, text)));
        }
        wake(queue);
    }

    /// The bytes that wait and that QUIC has not taken yet.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.shared.queued_bytes.load(Ordering::Relaxed)
    }

    /// Those of them that are neither on the lane of control messages nor on that for files.
    #[must_use]
    pub fn queued_message_bytes(&self) -> usize {
        let control_bytes = self.shared.control_bytes.load(Ordering::Relaxed);
        let others = control_bytes + self.shared.file_room.queued_bytes();
        self.queued_bytes().saturating_sub(others)
    }

    /// How many messages wait. Of each lane those count that the link took out together, until QUIC has
    /// all of them.
    #[must_use]
    pub fn queued_messages(&self) -> usize {
        self.shared.queued_messages.load(Ordering::Relaxed)
    }

    /// Whether one more message, and so many bytes more, would stay within
    /// [`outbox_bytes_max`](Settings::outbox_bytes_max) and
    /// [`outbox_messages_max`](Settings::outbox_messages_max).
    #[must_use]
    pub fn has_room(&self, extra_bytes: usize) -> bool {
        self.queued_bytes().saturating_add(extra_bytes) <= self.shared.bytes_max
            && self.queued_messages() < self.shared.messages_max
    }

    /// Whether what is staged for this link and so many messages more, of so many bytes in all, would stay
    /// within the same bounds.
    #[must_use]
    pub fn has_room_beside(&self, staged: &Batch, messages: usize, bytes: usize) -> bool {
        let messages = self.queued_messages().saturating_add(staged.messages() + messages);
        self.has_room(staged.bytes().saturating_add(bytes)) && messages <= self.shared.messages_max
    }

    /// Whether more than so many staged bytes may wait on the lane for files. What waits there stands before what other transfers
    /// send later, so that it is little: at most 256 KiB, and what was staged last.
    ///
    /// After a no the link's [`run`](crate::Link::run) tells when half of that is free again, once.
    #[must_use]
    pub fn has_file_room(&self, staged_bytes: usize) -> bool {
        self.shared.file_room.has_room(staged_bytes)
    }

    /// Closes the link once everything queued before has been received by the peer, at the latest
    /// after [`flush_timeout`](crate::Settings::flush_timeout).
    ///
    /// The first reason counts. What is sent afterwards is dropped.
    pub fn close(&self, reason: CloseReason) {
        let mut queue = self.lock();
        if queue.request.is_none() {
            queue.end(Request::Close(reason));
            wake(queue);
        }
    }

    /// Closes the link now, without what is queued; also one that is closing already.
    pub fn abort(&self, reason: CloseReason) {
        let mut queue = self.lock();
        if !matches!(queue.request, Some(Request::Abort(_) | Request::Ended)) {
            queue.end(Request::Abort(reason));
            wake(queue);
        }
    }

    /// Tells the outbox that its link is running, so that sending does not wake it.
    pub(crate) fn link_runs(&self) {
        self.lock().waker = None;
    }

    /// Hands out what waits on each lane that is `idle`, in order. Whatever comes later wakes.
    ///
    /// Answers the request to end the link, if there is one and it was not answered before.
    pub(crate) fn take(
        &self,
        waker: &Waker,
        idle: [bool; Lane::COUNT],
        mut put: impl FnMut(usize, Bytes),
    ) -> Option<Request> {
        let queue = &mut *self.lock();
        for (i, lane) in queue.lanes.iter_mut().enumerate() {
            if idle[i] {
                self.shared.has_written(i, lane.messages());
            }
            if idle[i] && !lane.is_empty() {
                lane.take(|piece| put(i, piece));
            }
        }
        queue.waker = Some(waker.clone());
        queue.news.then(|| {
            queue.news = false;
            queue.request.clone().expect("news is a request")
        })
    }

    /// Whether somebody is to be told that there is room for files again. Answers it once.
    pub(crate) fn pays_file_room(&self) -> bool {
        self.shared.file_room.pays()
    }

    /// Tells that QUIC took so many bytes on each lane, or that they were given up, and on which lanes
    /// it has all that was handed out.
    pub(crate) fn written(&self, bytes: [usize; Lane::COUNT], idle: [bool; Lane::COUNT]) {
        // At once: a link that has nothing to do is not run again, and what it counted would stay.
        for lane in (0..idle.len()).filter(|lane| idle[*lane]) {
            self.shared.has_written(lane, 0);
        }
        let (all, control) = (bytes.iter().sum::<usize>(), bytes[index(Lane::Control)]);
        self.shared.queued_bytes.fetch_sub(all, Ordering::Relaxed);
        self.shared.control_bytes.fetch_sub(control, Ordering::Relaxed);
        self.shared.waiting.sub(all - control);
        self.shared.file_room.written(bytes[index(Lane::Files)]);
    }

    /// Tells that the link has ended, and forgets what waits.
    pub(crate) fn ended(&self) {
        let mut queue = self.lock();
        queue.request = Some(Request::Ended);
        queue.news = false;
        queue.waker = None;
        queue.lanes = Default::default();
        let bytes = self.shared.queued_bytes.swap(0, Ordering::Relaxed);
        self.shared.waiting.sub(bytes - self.shared.control_bytes.swap(0, Ordering::Relaxed));
        self.shared.taken_messages.iter().for_each(|taken| taken.store(0, Ordering::Relaxed));
        self.shared.queued_messages.store(0, Ordering::Relaxed);
        self.shared.file_room.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing under the lock can panic half-way through a change.
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a link shall end, or that it has.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// Write what is queued first.
    Close(CloseReason),
    /// At once.
    Abort(CloseReason),
    /// There is no link any more.
    Ended,
}

#[derive(Debug)]
struct Shared {
    /// Counts what is in `queue` and what the writers took out of it but QUIC did not take yet.
    queued_bytes: AtomicUsize,
    /// Counts what of it is on the lane of control messages.
    control_bytes: AtomicUsize,
    queued_messages: AtomicUsize,
    /// How many messages the link took out of each lane the last time, if QUIC has not all of them.
    taken_messages: [AtomicUsize; Lane::COUNT],
    /// Counts what of it is on the lane for files.
    file_room: FileRoom,
    bytes_max: usize,
    messages_max: usize,
    /// Counts what waits here and elsewhere.
    waiting: Waiting,
    queue: Mutex<Queue>,
}

impl Shared {
    /// QUIC has all messages that the link took out of a lane before; so many are taken out now.
    fn has_written(&self, lane: usize, taken: usize) {
        let written = self.taken_messages[lane].swap(taken, Ordering::Relaxed);
        if written > 0 {
            self.queued_messages.fetch_sub(written, Ordering::Relaxed);
        }
    }
}

#[derive(Debug, Default)]
struct Queue {
    lanes: [LaneBuffer; Lane::COUNT],
    /// How to wake the link; `None` while it is awake.
    waker: Option<Waker>,
    request: Option<Request>,
    /// Whether the link has not seen the request yet.
    news: bool,
}

impl Queue {
    fn end(&mut self, request: Request) {
        self.request = Some(request);
        self.news = true;
    }
}

/// Wakes the link after letting go of the lock, which it needs first of all.
fn wake(mut queue: MutexGuard<'_, Queue>) {
    let waker = queue.waker.take();
    drop(queue);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
