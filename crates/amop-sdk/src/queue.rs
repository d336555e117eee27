//! The driver's side of a subscription: what waits for the application, and what it was handed.
//!
//! ```text
//!  deliver ──▶ waiting ──── all at once ────▶ the Subscription's own buffer ──▶ application
//!                 │                                   │ counts what it takes
//!                 └──▶ handed: bytes and acks ◀───────┘
//! ```
//!
//! The application's side takes everything that waits under one lock and then needs none for each
//! message: it counts in an atomic number what the application took. The driver reads that number
//! when it has the lock anyway, or now and then, and settles: acks go out, room comes back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use amop_core::client::{Delivered, Input, Wanted};
use amop_wire::{Code, Gen, Reason, Topic};
use bytes::Bytes;

/// The messages of one topic on their way to the application.
#[derive(Debug)]
pub(crate) struct Queue {
    topic: Topic,
    status: Status,
    limits: QueueLimits,
    waiting: VecDeque<Delivered>,
    waiting_bytes: usize,
    /// What the application's side has, in order, until it is settled.
    handed: VecDeque<Handed>,
    handed_bytes: usize,
    taken: Taken,
    settled: u64,
    /// Of messages that were settled to make room, until the driver comes for them.
    acks: Vec<(Gen, u64)>,
    waker: Option<Waker>,
    /// Whether the application was told that the queue is full.
    full_told: bool,
}

/// How far a subscription is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The node has not confirmed it yet.
    Opening,
    Open,
    /// Open, and every node that could be reached knew of it, if the application asked.
    Propagated,
    /// The node refused it.
    Refused(Code, Reason),
    /// The client was closed.
    Closed,
}

/// How much may wait for the application, what it was handed and has not taken included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    pub(crate) messages: usize,
    pub(crate) payload_bytes: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { messages: 8192, payload_bytes: 64 << 20 }
    }
}

/// How many messages the application has ever taken. Written by its side only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken(Arc<AtomicU64>);

impl Taken {
    pub(crate) fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Handed {
    payload_bytes: usize,
    /// What a multicast is acked by.
    ack: Option<(Gen, u64)>,
}

impl Queue {
    pub(crate) fn new(topic: Topic, limits: QueueLimits) -> Self {
        Self {
            topic,
            status: Status::Opening,
            limits,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            handed: VecDeque::new(),
            handed_bytes: 0,
            taken: Taken::default(),
            settled: 0,
            acks: Vec::new(),
            waker: None,
            full_told: false,
        }
    }

    pub(crate) fn topic(&self) -> &Topic {
        &self.topic
    }

    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    /// What the application's side counts in.
    pub(crate) fn taken(&self) -> Taken {
        self.taken.clone()
    }

    /// Moves on to another status. Answers whom to wake.
    pub(crate) fn set_status(&mut self, status: Status) -> Option<Waker> {
        self.status = status;
        self.waker.take()
    }

    /// Has `waker` woken when something happens. Answers the waker to drop.
    pub(crate) fn watch(&mut self, waker: &Waker) -> Option<Waker> {
        match &self.waker {
            Some(old) if old.will_wake(waker) => None,
            Some(_) | None => self.waker.replace(waker.clone()),
        }
    }

    /// Says whether a message with such a payload can be [pushed](Self::push), or why it must be
    /// refused.
    pub(crate) fn admit(&mut self, payload_bytes: usize) -> Result<(), Reason> {
        match self.status {
            Status::Refused(..) | Status::Closed => Err(Reason::NotSubscribed),
            Status::Opening | Status::Open | Status::Propagated => {
                self.has_room(payload_bytes).then_some(()).ok_or(Reason::SubscriberBusy)
            }
        }
    }

    /// Whether the application should be told that the queue is full, and has not been.
    pub(crate) fn must_tell_full(&mut self) -> bool {
        !std::mem::replace(&mut self.full_told, true)
    }

    /// Queues one of so many messages that arrived together. Answers whom to wake, once until it
    /// watches again.
    pub(crate) fn push(&mut self, mut delivered: Delivered, arrived: usize) -> Option<Waker> {
        if self.waiting.len() >= SHARED_MAX && arrived < CROWD {
            detach(&mut delivered.payload);
        }
        self.waiting_bytes += delivered.payload.len();
        self.waiting.push_back(delivered);
        self.waker.take()
    }

    /// Hands over everything that waits by swapping it into `empty`. Says whether that was
    /// anything.
    pub(crate) fn hand_over(&mut self, empty: &mut VecDeque<Delivered>) -> bool {
        debug_assert!(empty.is_empty(), "the application's side has taken everything");
        std::mem::swap(&mut self.waiting, empty);
        self.handed_bytes += std::mem::take(&mut self.waiting_bytes);
        self.handed.extend(empty.iter().map(|delivered| Handed {
            payload_bytes: delivered.payload.len(),
            ack: match delivered.wanted {
                Wanted::Answer(_) => None,
                Wanted::Ack(number) => Some((delivered.generation, number)),
            },
        }));
        !empty.is_empty()
    }

    /// Whether the application's side has something that is not settled.
    pub(crate) fn is_unsettled(&self) -> bool {
        !self.handed.is_empty() || !self.acks.is_empty()
    }

    /// Settles what the application has taken; `ack` is called for each multicast, in order.
    pub(crate) fn settle(&mut self, mut ack: impl FnMut(Input)) {
        self.settle_taken();
        for (generation, number) in self.acks.drain(..) {
            ack(Input::Ack { generation, number, refused: false });
        }
    }

    /// Settles the next message that was handed over without an ack: it was refused.
    pub(crate) fn settle_refused(&mut self) {
        self.settle_next();
    }

    /// Whether so much more may wait. What was taken lately makes room.
    fn has_room(&mut self, payload_bytes: usize) -> bool {
        let fits = |queue: &Self| {
            queue.waiting.len() + queue.handed.len() < queue.limits.messages
                && queue.waiting_bytes + queue.handed_bytes + payload_bytes
                    <= queue.limits.payload_bytes
        };
        if !fits(self) {
            self.settle_taken();
        }
        fits(self)
    }

    fn settle_taken(&mut self) {
        let taken = self.taken.get();
        while self.settled < taken {
            let Some(handed) = self.settle_next() else { return };
            self.acks.extend(handed.ack);
        }
    }

    fn settle_next(&mut self) -> Option<Handed> {
        let handed = self.handed.pop_front()?;
        self.settled += 1;
        self.handed_bytes -= handed.payload_bytes;
        let QueueLimits { messages, payload_bytes } = self.limits;
        if self.waiting.len() + self.handed.len() <= messages / 2
            && self.waiting_bytes + self.handed_bytes <= payload_bytes / 2
        {
            self.full_told = false;
        }
        Some(handed)
    }

    /// Takes out everything that waits, to be refused.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Delivered> {
        self.waiting_bytes = 0;
        self.waiting.drain(..)
    }
}

/// Makes a message that may wait for long share no memory with all that arrived with it.
fn detach(payload: &mut Bytes) {
    if payload.len() < DETACH_BELOW_BYTES {
        *payload = Bytes::copy_from_slice(payload);
    }
}

/// How many waiting messages may each keep what arrived with them in memory, up to 64 KiB. An
/// application that keeps up never has so many, and pays for no copy.
const SHARED_MAX: usize = 256;

/// So many messages that arrived together share what they keep in memory: no copy would save much.
const CROWD: usize = 32;

const DETACH_BELOW_BYTES: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use amop_wire::{Attempt, Instance, Instant, Mode, MsgId, NodeId};

    use super::*;

    fn topic() -> Topic {
        "quote".parse().unwrap()
    }

    fn delivered(mode: Mode, number: u64, payload_bytes: usize) -> Delivered {
        let id = MsgId { publisher: Instance(1), counter: number };
        let attempt = Attempt { home: NodeId::from_bytes([0; 32]), id, number: 1 };
        Delivered {
            generation: Gen(1),
            expires: Instant::default(),
            id,
            wanted: match mode {
                Mode::Unicast => Wanted::Answer(attempt),
                Mode::Multicast => Wanted::Ack(number),
            },
            sequence: number,
            redelivered: false,
            from: "app.sdk.bank-a.amop".parse().unwrap(),
            topic: topic(),
            payload: vec![0; payload_bytes].into(),
        }
    }

    fn push(queue: &mut Queue, number: u64, payload_bytes: usize) -> Result<(), Reason> {
        queue.admit(payload_bytes)?;
        queue.push(delivered(Mode::Multicast, number, payload_bytes), 1);
        Ok(())
    }

    fn acks(queue: &mut Queue) -> Vec<u64> {
        let mut numbers = Vec::new();
        queue.settle(|ack| {
            let Input::Ack { number, refused: false, .. } = ack else { panic!("{ack:?}") };
            numbers.push(number);
        });
        numbers
    }

    #[test]
    fn messages_are_acked_in_order_once_they_are_taken_and_not_before() {
        let mut queue = Queue::new(topic(), QueueLimits::default());
        for number in 0..4 {
            push(&mut queue, number, 1).unwrap();
        }
        let mut buffer = VecDeque::new();
        assert!(queue.hand_over(&mut buffer));
        assert_eq!(buffer.len(), 4);
        assert_eq!(acks(&mut queue), [0_u64; 0]);
        queue.taken().set(2);
        assert_eq!(acks(&mut queue), [0, 1]);
        queue.settle_refused();
        queue.taken().set(4);
        assert_eq!(acks(&mut queue), [3], "the third was refused");
        assert!(!queue.is_unsettled());
    }

    #[test]
    fn what_was_handed_over_and_not_taken_fills_the_queue_too() {
        let limits = QueueLimits { messages: 2, ..QueueLimits::default() };
        let mut queue = Queue::new(topic(), limits);
        push(&mut queue, 0, 1).unwrap();
        queue.hand_over(&mut VecDeque::new());
        push(&mut queue, 1, 1).unwrap();
        assert_eq!(push(&mut queue, 2, 1), Err(Reason::SubscriberBusy));
        assert!(queue.must_tell_full());
        assert!(!queue.must_tell_full(), "told once");

        queue.taken().set(1);
        push(&mut queue, 4, 1).unwrap();
        assert_eq!(acks(&mut queue), [0], "what made room is acked like the rest");
        assert_eq!(push(&mut queue, 5, 1), Err(Reason::SubscriberBusy));
        assert!(queue.must_tell_full(), "half of it was taken meanwhile");
    }

    #[test]
    fn bytes_are_taken_up_to_the_limit_and_not_past_it() {
        let limits = QueueLimits { payload_bytes: 10, ..QueueLimits::default() };
        let mut queue = Queue::new(topic(), limits);
        push(&mut queue, 0, 6).unwrap();
        queue.hand_over(&mut VecDeque::new());
        push(&mut queue, 1, 4).unwrap();
        assert_eq!(push(&mut queue, 2, 1), Err(Reason::SubscriberBusy));
        queue.taken().set(1);
        assert_eq!(acks(&mut queue), [0]);
        push(&mut queue, 3, 6).unwrap();
    }

    #[test]
    fn a_queue_that_has_ended_refuses_as_not_subscribed() {
        let mut queue = Queue::new(topic(), QueueLimits::default());
        push(&mut queue, 0, 1).unwrap();
        queue.set_status(Status::Closed);
        assert_eq!(push(&mut queue, 1, 1), Err(Reason::NotSubscribed));
        assert_eq!(queue.drain().count(), 1);
    }

    #[test]
    fn only_messages_behind_many_others_that_came_alone_are_copied() {
        let mut queue = Queue::new(topic(), QueueLimits::default());
        let payload = Bytes::from(vec![7; 100]);
        for number in 0..=SHARED_MAX as u64 {
            let mut delivered = delivered(Mode::Unicast, number, 0);
            delivered.payload = payload.clone();
            queue.push(delivered, 1);
        }
        let is_shared = |delivered: &Delivered| delivered.payload.as_ptr() == payload.as_ptr();
        assert!(is_shared(&queue.waiting[SHARED_MAX - 1]));
        assert!(!is_shared(&queue.waiting[SHARED_MAX]));
        assert_eq!(queue.waiting[SHARED_MAX].payload, payload);

        let mut delivered = delivered(Mode::Unicast, 1000, 0);
        delivered.payload = payload.clone();
        queue.push(delivered, CROWD);
        assert!(queue.waiting.back().is_some_and(is_shared));
    }
}
