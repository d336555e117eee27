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

use crate::batch::{Batch, LaneBuffer};
use crate::file_room::FileRoom;

/// The sending end of a link. Cheap to clone; works from any thread.
///
/// It stays usable after the link has ended: what is sent then is dropped in silence, since the
/// link's [`run`](crate::Link::run) has told its end already.
#[derive(Clone, Debug)]
pub struct Outbox {
    shared: Arc<Shared>,
}

impl Outbox {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let (queued_bytes, file_room, queue) = Default::default();
        Self { shared: Arc::new(Shared { queued_bytes, file_room, bytes_max, queue }) }
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

    /// Whether so many bytes more would stay within
    /// [`outbox_bytes_max`](crate::Settings::outbox_bytes_max).
    #[must_use]
    pub fn has_room(&self, extra_bytes: usize) -> bool {
        self.queued_bytes().saturating_add(extra_bytes) <= self.shared.bytes_max
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
        idle: [bool; 4],
        mut put: impl FnMut(usize, Bytes),
    ) -> Option<Request> {
        let mut queue = self.lock();
        for (i, lane) in queue.lanes.iter_mut().enumerate() {
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

    /// Tells that QUIC took so many bytes, or that they were given up: on all lanes, and of them for files.
    pub(crate) fn written(&self, bytes: usize, file_bytes: usize) {
        self.shared.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.shared.file_room.written(file_bytes);
    }

    /// Tells that the link has ended, and forgets what waits.
    pub(crate) fn ended(&self) {
        let mut queue = self.lock();
        queue.request = Some(Request::Ended);
        queue.news = false;
        queue.waker = None;
        queue.lanes = Default::default();
        self.shared.queued_bytes.store(0, Ordering::Relaxed);
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
    /// Counts what of it is on the lane for files.
    file_room: FileRoom,
    bytes_max: usize,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    lanes: [LaneBuffer; 4],
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
mod tests {
    use std::task::Wake;

    use super::*;
    use crate::file_room::FILE_BYTES_MAX;
    use crate::testing::Note;

    #[derive(Default)]
    struct CountsWakes(AtomicUsize);

    impl Wake for CountsWakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An outbox, and a link that takes from it.
    struct Pair {
        outbox: Outbox,
        wakes: Arc<CountsWakes>,
    }

    impl Pair {
        fn new(bytes_max: usize) -> Self {
            Self { outbox: Outbox::new(bytes_max), wakes: Arc::default() }
        }

        fn wakes(&self) -> usize {
            self.wakes.0.load(Ordering::Relaxed)
        }

        /// What one run of the link takes, and what it is asked to do.
        fn take(&self, idle: [bool; 4]) -> (usize, Option<Request>) {
            self.outbox.link_runs();
            let mut bytes = 0;
            let waker = Arc::clone(&self.wakes).into();
            let request = self.outbox.take(&waker, idle, |_, piece| bytes += piece.len());
            (bytes, request)
        }

        fn send(&self, lane: Lane, bytes: usize) {
            let mut batch = Batch::default();
            let payload = vec![0; bytes - FRAME_LENGTHS_BYTES].into();
            batch.push(&Note { lane, header: vec![], payload }).unwrap();
            self.outbox.send(&mut batch);
            assert!(batch.is_empty());
        }
    }

    const FRAME_LENGTHS_BYTES: usize = 6;

    fn reason(text: &str) -> CloseReason {
        CloseReason::new(CloseCode::Done, text)
    }

    #[test]
    fn a_sleeping_link_is_woken_once_and_a_running_one_not_at_all() {
        let pair = Pair::new(1000);
        pair.send(Lane::Control, 10);
        assert_eq!((pair.take([true; 4]).0, pair.wakes()), (10, 0));

        pair.send(Lane::Control, 10);
        pair.send(Lane::Messages, 10);
        assert_eq!(pair.wakes(), 1, "it sleeps, then it is about to run");

        pair.outbox.link_runs();
        pair.send(Lane::Replies, 10);
        assert_eq!(pair.wakes(), 1, "it is running");
        assert_eq!(pair.take([true; 4]).0, 30);
    }

    #[test]
    fn an_empty_batch_wakes_nobody() {
        let pair = Pair::new(1000);
        pair.take([true; 4]);
        pair.outbox.send(&mut Batch::default());
        assert_eq!(pair.wakes(), 0);
    }

    #[test]
    fn a_lane_that_is_not_idle_keeps_what_waits_for_it() {
        let pair = Pair::new(1000);
        pair.send(Lane::Control, 10);
        pair.send(Lane::Messages, 100);
        assert_eq!(pair.take([true, true, false, true]).0, 10);
        assert_eq!(pair.take([true; 4]).0, 100);
    }

    #[test]
    fn bytes_count_as_queued_until_quic_took_them() {
        let pair = Pair::new(100);
        pair.send(Lane::Control, 60);
        pair.take([true; 4]);
        assert_eq!(pair.outbox.queued_bytes(), 60);
        assert!(pair.outbox.has_room(40) && !pair.outbox.has_room(41));
        pair.outbox.written(50, 0);
        assert_eq!(pair.outbox.queued_bytes(), 10);
        assert!(pair.outbox.has_room(90));
        assert!(!pair.outbox.has_room(usize::MAX));
    }

    #[test]
    fn what_waits_for_other_lanes_takes_no_room_from_files_and_what_quic_took_gives_it_back() {
        let pair = Pair::new(1 << 20);
        pair.send(Lane::Messages, 2 * FILE_BYTES_MAX);
        pair.send(Lane::Files, FILE_BYTES_MAX - 1);
        assert!(pair.outbox.has_file_room(0) && !pair.outbox.has_file_room(1));
        pair.send(Lane::Files, FRAME_LENGTHS_BYTES);
        assert!(!pair.outbox.has_file_room(0));
        pair.take([true; 4]);
        assert!(!pair.outbox.has_file_room(0), "QUIC has not taken it");
        pair.outbox.written(100, 0);
        assert!(!pair.outbox.has_file_room(0), "QUIC took something else");
        pair.outbox.written(FRAME_LENGTHS_BYTES, FRAME_LENGTHS_BYTES);
        assert!(pair.outbox.has_file_room(0));
    }

    #[test]
    fn twice_the_agreed_bytes_may_wait_and_one_more_ends_the_link() {
        let pair = Pair::new(100);
        pair.send(Lane::Messages, 200);
        assert!(pair.take([false; 4]).1.is_none());
        pair.send(Lane::Control, 7);
        let (_, request) = pair.take([false; 4]);
        assert!(matches!(request, Some(Request::Abort(r)) if r.code == CloseCode::SlowReader));
    }

    #[test]
    fn the_first_close_counts_and_is_told_once() {
        let pair = Pair::new(1000);
        pair.send(Lane::Control, 10);
        pair.take([false; 4]);
        pair.outbox.close(reason("first"));
        pair.outbox.close(reason("second"));
        pair.send(Lane::Control, 10);
        assert_eq!(pair.wakes(), 1);

        let (bytes, request) = pair.take([true; 4]);
        assert_eq!(bytes, 10, "what was sent before the close, and nothing else");
        assert!(matches!(request, Some(Request::Close(r)) if r == reason("first")));
        assert!(pair.take([true; 4]).1.is_none());
    }

    #[test]
    fn an_abort_overtakes_a_close_but_not_another_abort() {
        let pair = Pair::new(1000);
        pair.outbox.close(reason("close"));
        pair.take([true; 4]);
        pair.outbox.abort(reason("abort"));
        pair.outbox.abort(reason("again"));
        let (_, request) = pair.take([true; 4]);
        assert!(matches!(request, Some(Request::Abort(r)) if r == reason("abort")));
    }

    #[test]
    fn an_outbox_without_a_link_takes_everything_and_keeps_nothing() {
        let pair = Pair::new(1000);
        pair.send(Lane::Control, 10);
        pair.take([false; 4]);
        pair.outbox.ended();
        pair.send(Lane::Control, 10);
        pair.outbox.close(reason("late"));
        pair.outbox.abort(reason("late"));
        assert_eq!((pair.outbox.queued_bytes(), pair.wakes()), (0, 0));
        let (bytes, request) = pair.take([true; 4]);
        assert!(bytes == 0 && request.is_none());
    }
}
