//! What waits for a link is counted until QUIC has it, and wakes the link once.

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
        Self::with(&Settings { outbox_bytes_max: bytes_max, ..Settings::default() })
    }

    fn with(settings: &Settings) -> Self {
        Self { outbox: Outbox::new(settings), wakes: Arc::default() }
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }

    /// What one run of the link takes, and what it is asked to do.
    fn take(&self, idle: [bool; Lane::COUNT]) -> (usize, Option<Request>) {
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
    assert_eq!((pair.take([true; Lane::COUNT]).0, pair.wakes()), (10, 0));

    pair.send(Lane::Control, 10);
    pair.send(Lane::Unicasts, 10);
    assert_eq!(pair.wakes(), 1, "it sleeps, then it is about to run");

    pair.outbox.link_runs();
    pair.send(Lane::Replies, 10);
    assert_eq!(pair.wakes(), 1, "it is running");
    assert_eq!(pair.take([true; Lane::COUNT]).0, 30);
}

#[test]
fn an_empty_batch_wakes_nobody() {
    let pair = Pair::new(1000);
    pair.take([true; Lane::COUNT]);
    pair.outbox.send(&mut Batch::default());
    assert_eq!(pair.wakes(), 0);
}

#[test]
fn a_lane_that_is_not_idle_keeps_what_waits_for_it() {
    let pair = Pair::new(1000);
    pair.send(Lane::Control, 10);
    pair.send(Lane::Unicasts, 100);
    assert_eq!(pair.take([true, true, false, true, true]).0, 10);
    assert_eq!(pair.take([true; Lane::COUNT]).0, 100);
}

#[test]
fn bytes_count_as_queued_until_quic_took_them() {
    let pair = Pair::new(100);
    pair.send(Lane::Control, 60);
    pair.take([true; Lane::COUNT]);
    assert_eq!(pair.outbox.queued_bytes(), 60);
    assert!(pair.outbox.has_room(40) && !pair.outbox.has_room(41));
    pair.outbox.written([50, 0, 0, 0, 0], [false; Lane::COUNT]);
    assert_eq!(pair.outbox.queued_bytes(), 10);
    assert!(pair.outbox.has_room(90));
    assert!(!pair.outbox.has_room(usize::MAX));
}

#[test]
fn messages_count_as_queued_until_quic_has_those_that_were_taken_with_them() {
    let pair = Pair::with(&Settings { outbox_messages_max: 3, ..Settings::default() });
    let mut staged = Batch::default();
    pair.send(Lane::Replies, 10);
    pair.send(Lane::Unicasts, 10);
    assert!(pair.outbox.has_room(0) && pair.outbox.has_room_beside(&staged, 1, 0));
    staged.push(&Note { lane: Lane::Unicasts, header: vec![], payload: Bytes::new() }).unwrap();
    assert!(!pair.outbox.has_room_beside(&staged, 1, 0), "with the one staged there are three");
    pair.send(Lane::Unicasts, 10);
    assert!(!pair.outbox.has_room(0));
    pair.take([true; Lane::COUNT]);
    pair.take([false, true, false, true, true]);
    assert_eq!(pair.outbox.queued_messages(), 2, "QUIC has the reply");
    pair.send(Lane::Unicasts, 10);
    pair.take([true; Lane::COUNT]);
    assert_eq!(pair.outbox.queued_messages(), 1, "the last was taken and not written yet");
}

/// LIMIT-2: a link that sleeps since it has nothing to do must not look full.
#[test]
fn what_quic_has_counts_no_more_though_the_link_does_not_run_again() {
    let pair = Pair::with(&Settings { outbox_messages_max: 2, ..Settings::default() });
    for _ in 0..100 {
        assert!(pair.outbox.has_room(10));
        pair.send(Lane::Unicasts, 10);
        pair.send(Lane::Replies, 10);
        pair.take([true; Lane::COUNT]);
        pair.outbox.written([0, 10, 4, 0, 0], [true, true, false, true, true]);
        assert_eq!(pair.outbox.queued_messages(), 1, "one is not written as a whole");
        pair.outbox.written([0, 0, 6, 0, 0], [true; Lane::COUNT]);
        assert_eq!((pair.outbox.queued_messages(), pair.outbox.queued_bytes()), (0, 0));
    }
}

#[test]
fn control_messages_and_files_are_not_among_the_bytes_of_messages() {
    let pair = Pair::new(1000);
    for (lane, bytes) in Lane::ALL.into_iter().zip([10, 20, 40, 80, 160]) {
        pair.send(lane, bytes);
    }
    assert_eq!((pair.outbox.queued_bytes(), pair.outbox.queued_message_bytes()), (310, 140));
    pair.take([true; Lane::COUNT]);
    pair.outbox.written([10, 20, 39, 80, 160], [true, true, false, true, true]);
    assert_eq!(pair.outbox.queued_message_bytes(), 1);
}

#[test]
fn what_waits_on_several_links_is_added_up_without_control_messages() {
    let settings = Settings::default();
    let [one, other] = [0; 2].map(|_| Pair::with(&settings));
    one.send(Lane::Unicasts, 100);
    one.send(Lane::Control, 1000);
    other.send(Lane::Files, 10);
    assert_eq!(settings.waiting.bytes(), 110);
    one.take([true; Lane::COUNT]);
    one.outbox.written([500, 0, 60, 0, 0], [false; Lane::COUNT]);
    assert_eq!(settings.waiting.bytes(), 50);
    one.outbox.ended();
    assert_eq!(settings.waiting.bytes(), 10, "what waited on a link that has ended is gone");
}

#[test]
fn what_waits_for_other_lanes_takes_no_room_from_files_and_what_quic_took_gives_it_back() {
    let pair = Pair::new(1 << 20);
    pair.send(Lane::Unicasts, 2 * FILE_BYTES_MAX);
    pair.send(Lane::Files, FILE_BYTES_MAX - 1);
    assert!(pair.outbox.has_file_room(0) && !pair.outbox.has_file_room(1));
    pair.send(Lane::Files, FRAME_LENGTHS_BYTES);
    assert!(!pair.outbox.has_file_room(0));
    pair.take([true; Lane::COUNT]);
    assert!(!pair.outbox.has_file_room(0), "QUIC has not taken it");
    pair.outbox.written([0, 0, 100, 0, 0], [false; Lane::COUNT]);
    assert!(!pair.outbox.has_file_room(0), "QUIC took something else");
    pair.outbox.written([0, 0, 0, 0, FRAME_LENGTHS_BYTES], [false; Lane::COUNT]);
    assert!(pair.outbox.has_file_room(0));
}

#[test]
fn twice_the_agreed_bytes_may_wait_and_one_more_ends_the_link() {
    let pair = Pair::new(100);
    pair.send(Lane::Unicasts, 200);
    assert!(pair.take([false; Lane::COUNT]).1.is_none());
    pair.send(Lane::Control, 7);
    let (_, request) = pair.take([false; Lane::COUNT]);
    assert!(matches!(request, Some(Request::Abort(r)) if r.code == CloseCode::SlowReader));
}

#[test]
fn the_first_close_counts_and_is_told_once() {
    let pair = Pair::new(1000);
    pair.send(Lane::Control, 10);
    pair.take([false; Lane::COUNT]);
    pair.outbox.close(reason("first"));
    pair.outbox.close(reason("second"));
    pair.send(Lane::Control, 10);
    assert_eq!(pair.wakes(), 1);

    let (bytes, request) = pair.take([true; Lane::COUNT]);
    assert_eq!(bytes, 10, "what was sent before the close, and nothing else");
    assert!(matches!(request, Some(Request::Close(r)) if r == reason("first")));
    assert!(pair.take([true; Lane::COUNT]).1.is_none());
}

#[test]
fn an_abort_overtakes_a_close_but_not_another_abort() {
    let pair = Pair::new(1000);
    pair.outbox.close(reason("close"));
    pair.take([true; Lane::COUNT]);
    pair.outbox.abort(reason("abort"));
    pair.outbox.abort(reason("again"));
    let (_, request) = pair.take([true; Lane::COUNT]);
    assert!(matches!(request, Some(Request::Abort(r)) if r == reason("abort")));
}

#[test]
fn an_outbox_without_a_link_takes_everything_and_keeps_nothing() {
    let pair = Pair::new(1000);
    pair.send(Lane::Control, 10);
    pair.take([false; Lane::COUNT]);
    pair.outbox.ended();
    pair.send(Lane::Control, 10);
    pair.outbox.close(reason("late"));
    pair.outbox.abort(reason("late"));
    assert_eq!((pair.outbox.queued_bytes(), pair.wakes()), (0, 0));
    let (bytes, request) = pair.take([true; Lane::COUNT]);
    assert!(bytes == 0 && request.is_none());
}
