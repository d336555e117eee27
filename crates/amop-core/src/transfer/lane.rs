//! What waits at a node, or at a client, to be sent on the lane for files of one link.
//!
//! Each transfer has a queue of its own, and they take turns, piece by piece. A queue is bounded by what
//! the neighbour takes: whoever sends pieces is at most [`FILE_WINDOW_BYTES`] ahead of what the neighbour
//! says to have passed on (FILE-12), less where messages go the same way, and counts that anew in each round. So a
//! relay holds no more than that of a transfer, whatever its ends do, and a slow receiver holds up nobody but its
//! own sender.
//!
//! What goes back to senders is short and waits for nothing; nor does the word of a sender that gives up.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use amop_wire::limits::{FILE_PIECE_BYTES_MAX, FILE_WINDOW_BYTES, TRANSFERS_MAX};
use amop_wire::{FileBody, FileMessage, FileRoute, Instance, Instant};

use super::ahead::{Ahead, BESIDE_PIECE_BYTES, Beside};

/// The queues of one link. `F` is where a message came from, for who has to tell its neighbour.
#[derive(Debug)]
pub struct FileLane<F> {
    transfers: BTreeMap<Key, Queue<F>>,
    /// Who was served last.
    last: Option<Key>,
    back: VecDeque<FileMessage>,
    /// If the neighbour is nearby and has messages: until then a client sends no piece, so that these find a processor.
    rests_until: Option<Instant>,
}

/// What became of a message that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// It is sent when its turn comes.
    Yes,
    /// It is dropped: it is of an earlier round, or more than its sender may send.
    Dropped,
    /// It is dropped: 64 other transfers are under way on this link. Whoever offered is told to wait.
    Full,
}

/// A transfer on its way from its sender to its receiver.
type Key = (Instance, u64, Instance);

/// What waits of one transfer. Its numbers count the present round.
#[derive(Debug)]
struct Queue<F> {
    round: u32,
    messages: VecDeque<(F, FileMessage)>,
    piece_bytes: u64,
    ahead: Ahead,
    touched: Instant,
}

impl<F> Default for FileLane<F> {
    fn default() -> Self {
        Self { transfers: BTreeMap::new(), last: None, back: VecDeque::new(), rests_until: None }
    }
}

impl<F: Copy> FileLane<F> {
    /// Takes a message that is to be sent on this link and came from there.
    pub fn push(&mut self, now: Instant, from: F, message: FileMessage) -> Queued {
        match message.body {
            FileBody::Offer(_)
            | FileBody::SealedOffer(_)
            | FileBody::Piece { .. }
            | FileBody::Ask { .. }
            | FileBody::Cancel(_) => self.push_forth(now, from, message),
            FileBody::Credit { .. }
            | FileBody::Wait
            | FileBody::Again
            | FileBody::Done { .. }
            | FileBody::Refused(..)
            | FileBody::Window { .. }
            | FileBody::Find(_) => self.push_back(message),
            FileBody::Found(_) => self.push_found(message),
        }
    }

    /// The neighbour at the other end of this link said how much it has passed on, and beside what. What cannot be
    /// true changes nothing.
    pub fn handle_window(
        &mut self,
        now: Instant,
        (route, round): (&FileRoute, u32),
        passed: u64,
        beside: Beside,
    ) {
        if let Some(queue) = self.transfers.get_mut(&key_of(route))
            && queue.round == round
        {
            queue.ahead.pass(now, passed, beside);
            let rests = queue.ahead.is_beside_messages_nearby();
            self.rests_until = rests.then(|| now + BESIDE_REST);
        }
    }

    /// A transfer is over, so that there is room for another.
    pub fn forget(&mut self, route: &FileRoute) {
        self.transfers.remove(&key_of(route));
    }

    /// Takes what a client is to send next, and where it came from: `None` of what goes back.
    ///
    /// The caller asks when there is room on the link, so that what waits, waits here; and when
    /// [`poll_timeout`](Self::poll_timeout) says.
    pub fn pop(&mut self, now: Instant) -> Option<(Option<F>, FileMessage)> {
        let is_rested = self.rests_until.is_none_or(|at| at <= now);
        let popped = self.pop_if(now, Beside::Files, |_, bytes| is_rested || bytes == 0);
        if let (Some((Some(_), _)), Some(until)) = (&popped, &mut self.rests_until) {
            *until = now + BESIDE_REST;
        }
        popped
    }

    /// When a client that rests beside messages goes on.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.rests_until.filter(|at| *at > now && self.piece_bytes() > 0)
    }

    /// Takes what a node is to send next, of what goes to receivers only what may be sent now: by where it came from, and
    /// how long its piece is.
    pub(crate) fn pop_if(
        &mut self,
        now: Instant,
        beside: Beside,
        may_send: impl FnMut(F, u64) -> bool,
    ) -> Option<(Option<F>, FileMessage)> {
        if let Some(message) = self.back.pop_front() {
            return Some((None, message));
        }
        let key = self.next_in_turn(beside, may_send)?;
        let queue = self.transfers.get_mut(&key).expect("it was just found");
        let (from, message) = queue.messages.pop_front().expect("it may send its first");
        let bytes = piece_bytes(&message);
        queue.piece_bytes -= bytes;
        queue.ahead.send(now, bytes);
        self.last = Some(key);
        Some((Some(from), message))
    }

    /// Takes everything that waits for receivers, and where it came from: the link is gone.
    pub fn drain(self) -> impl Iterator<Item = (F, FileMessage)> {
        self.transfers.into_values().flat_map(|queue| queue.messages)
    }

    /// How long a piece of this transfer may be that is pushed next, in bytes; 0 as long as there is no room for
    /// such a one. A sender reads no more than that.
    #[must_use]
    pub fn piece_room(&self, route: &FileRoute) -> usize {
        let Some(queue) = self.transfers.get(&key_of(route)) else { return FILE_PIECE_BYTES_MAX };
        let most = queue.ahead.piece_bytes_max();
        if queue.piece_bytes + most as u64 > FILE_WINDOW_BYTES { 0 } else { most }
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> usize {
        self.back.len() + self.transfers.values().map(|queue| queue.messages.len()).sum::<usize>()
    }

    /// How many bytes of pieces wait.
    #[must_use]
    pub fn piece_bytes(&self) -> u64 {
        self.transfers.values().map(|queue| queue.piece_bytes).sum()
    }

    fn push_forth(&mut self, now: Instant, from: F, message: FileMessage) -> Queued {
        let key = key_of(&message.route);
        if !self.transfers.contains_key(&key) {
            if matches!(message.body, FileBody::Cancel(_)) {
                return self.push_back(message); // Nothing of its transfer waits, and nothing follows.
            }
            if !self.has_room(now) {
                return Queued::Full;
            }
        }
        let queue = self.transfers.entry(key).or_insert_with(|| Queue::new(message.round, now));
        if message.round < queue.round {
            return Queued::Dropped;
        }
        if message.round > queue.round {
            *queue = Queue::new(message.round, now); // What waits is of no use any more.
        }
        queue.touched = now;
        if matches!(message.body, FileBody::Cancel(_)) {
            // Nobody wants what waits, and this must not wait for it.
            queue.messages.clear();
            queue.piece_bytes = 0;
        }
        let bytes = piece_bytes(&message);
        let is_short = bytes == 0;
        let short = queue.messages.iter().filter(|(_, waiting)| piece_bytes(waiting) == 0);
        if queue.piece_bytes + bytes > FILE_WINDOW_BYTES || is_short && short.count() >= SHORT_MAX {
            return Queued::Dropped;
        }
        queue.piece_bytes += bytes;
        queue.messages.push_back((from, message));
        Queued::Yes
    }

    fn push_back(&mut self, message: FileMessage) -> Queued {
        if self.back.len() >= BACK_MAX {
            return Queued::Dropped; // Its receiver says it again when it is asked.
        }
        self.back.push_back(message);
        Queued::Yes
    }

    /// What is found is long, and whoever asks asks again.
    fn push_found(&mut self, message: FileMessage) -> Queued {
        let is_found = |waiting: &&FileMessage| matches!(waiting.body, FileBody::Found(_));
        if self.back.iter().filter(is_found).count() >= FOUND_MAX {
            return Queued::Dropped;
        }
        self.push_back(message)
    }

    /// Whether another transfer may begin; one of which nothing came for long makes way.
    fn has_room(&mut self, now: Instant) -> bool {
        if self.transfers.len() >= TRANSFERS_MAX {
            self.forget_idle(now);
        }
        self.transfers.len() < TRANSFERS_MAX
    }

    /// Forgets the transfers of which nothing came for long, with what waits of them: a sender that lives
    /// asks every other second.
    pub(crate) fn forget_idle(&mut self, now: Instant) {
        self.transfers.retain(|_, queue| now < queue.touched + IDLE_AFTER);
    }

    /// How many transfers have a place.
    pub(crate) fn transfers(&self) -> usize {
        self.transfers.len()
    }

    /// Whether a transfer has a place.
    pub(crate) fn has_place(&self, route: &FileRoute) -> bool {
        self.transfers.contains_key(&key_of(route))
    }

    /// The first behind the one that was served last that may send something.
    fn next_in_turn(
        &self,
        beside: Beside,
        mut may_send: impl FnMut(F, u64) -> bool,
    ) -> Option<Key> {
        use std::ops::Bound::{Excluded, Unbounded};
        let after = match self.last {
            Some(last) => self.transfers.range((Excluded(last), Unbounded)),
            None => self.transfers.range(..),
        };
        let mut all = after.chain(&self.transfers);
        let mut is_next = |queue: &Queue<F>| {
            let Some((from, message)) = queue.messages.front() else { return false };
            let bytes = piece_bytes(message);
            queue.ahead.may_send(bytes, beside, self.transfers.len()) && may_send(*from, bytes)
        };
        all.find(|(_, queue)| is_next(queue)).map(|(key, _)| *key)
    }
}

impl<F> Queue<F> {
    fn new(round: u32, now: Instant) -> Self {
        let ahead = Ahead::default();
        Self { round, messages: VecDeque::new(), piece_bytes: 0, ahead, touched: now }
    }
}

/// How many pieces of each transfer came on one link and were passed on: what its neighbour is told.
#[derive(Debug, Default)]
pub struct FileWindows {
    transfers: BTreeMap<Key, Passed>,
}

/// What was passed on in one round, and how much of it the neighbour knows.
#[derive(Debug)]
struct Passed {
    round: u32,
    passed: u64,
    told: u64,
}

impl FileWindows {
    /// A message that had come on this link was passed on beside this, or taken by the client. Answers what its
    /// neighbour is to be told.
    pub fn passed(&mut self, message: &FileMessage, beside: Beside) -> Option<FileMessage> {
        let (route, round) = (message.route, message.round);
        let bytes = piece_bytes(message);
        if bytes == 0 {
            return None;
        }
        let key = key_of(&route);
        if self.transfers.len() >= 2 * TRANSFERS_MAX && !self.transfers.contains_key(&key) {
            self.transfers.pop_first(); // It counts too little from now on, until its next round.
        }
        let start = || Passed { round, passed: 0, told: 0 };
        let counted = self.transfers.entry(key).or_insert_with(start);
        if round > counted.round {
            *counted = start();
        }
        if round < counted.round {
            return None;
        }
        counted.passed += bytes;
        if counted.passed - counted.told < TELL_BYTES {
            return None;
        }
        counted.told = counted.passed;
        let beside_messages = beside == Beside::Messages;
        let body = FileBody::Window { passed: counted.passed, beside_messages };
        Some(FileMessage { route, round, body })
    }

    /// A transfer is over.
    pub fn forget(&mut self, route: &FileRoute) {
        self.transfers.remove(&key_of(route));
    }
}

fn key_of(route: &FileRoute) -> Key {
    (route.sender.instance, route.transfer, route.receiver.instance)
}

fn piece_bytes(message: &FileMessage) -> u64 {
    match &message.body {
        FileBody::Piece { data, .. } => u64::try_from(data.len()).expect("a length fits 64 bits"),
        FileBody::Offer(_)
        | FileBody::SealedOffer(_)
        | FileBody::Ask { .. }
        | FileBody::Cancel(_)
        | FileBody::Credit { .. }
        | FileBody::Wait
        | FileBody::Again
        | FileBody::Done { .. }
        | FileBody::Refused(..)
        | FileBody::Window { .. }
        | FileBody::Find(_)
        | FileBody::Found(_) => 0,
    }
}

/// How long a client rests beside messages after each piece and after each word that one was passed on: so most of the
/// time nobody on the way is busy with a piece.
const BESIDE_REST: Duration = Duration::from_millis(1);

/// How many messages without a piece wait of one transfer.
const SHORT_MAX: usize = 8;

/// How many messages wait that go back to senders.
const BACK_MAX: usize = 16 * TRANSFERS_MAX;

/// How many of them say who was found.
const FOUND_MAX: usize = 4;

/// How many bytes are passed on before the neighbour is told: so that it is told of every piece that is not short.
const TELL_BYTES: u64 = BESIDE_PIECE_BYTES as u64 / 4;

/// How long a transfer of which nothing comes keeps its place from others.
const IDLE_AFTER: Duration = Duration::from_secs(60);
