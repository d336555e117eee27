//! Everything of a client that lies under its lock: the core, and what the core's effects go to.
//!
//! Every method is part of a *turn* of the [`Driver`](crate::driver::Driver): it hands inputs to
//! the core and performs the effects at once. What is to be sent is only staged, and whom to wake
//! is only noted; both happen once, at the end of the turn.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::task::Waker;
use std::time::Duration;

use amop_core::client::{Client, Delivered, Effect, Input};
use amop_p2p::{Batch, Link, LinkEnd, Outbox};
use amop_wire::{
    Answer, ClientMessage, CloseCode, CloseReason, Code, Instance, Instant, Name, Reason, Topic,
};
use tokio::sync::broadcast;
use tracing::{info, warn};

use crate::builder::AttemptError;
use crate::event::{EVENTS_MAX, Event};
use crate::publishes::Publishes;
use crate::queue::{Queue, Status, refusal};

/// What lies under a client's lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) core: Client,
    phase: Phase,
    /// The phase that others were told.
    phase_told: Phase,
    link: Option<LinkOut>,
    /// Frames of this turn.
    batch: Batch,
    /// Answers that have no room on the link, in order.
    held: VecDeque<Answer>,
    held_bytes: usize,
    pub(crate) publishes: Publishes,
    pub(crate) queues: BTreeMap<Topic, Queue>,
    /// When to look what applications have taken of what they were handed.
    settle_at: Option<Instant>,
    /// What the timer is set to.
    pub(crate) timer_at: Option<Instant>,
    /// Messages on their way back into the core.
    bounced: VecDeque<Input>,
    /// Whom to wake at the end of the turn.
    pub(crate) woken: Vec<Waker>,
    /// What to tell at the end of the turn.
    pub(crate) told: Vec<Event>,
    /// `None` once everything was told.
    pub(crate) events: Option<broadcast::Sender<Event>>,
    /// Why attempts to connect for the first time failed.
    pub(crate) failures: Vec<AttemptError>,
}

/// The stages of a client's life, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Never connected so far.
    Connecting,
    /// Was connected once, and connects again whenever it is not.
    Running,
    /// Takes nothing new, and flushes.
    Closing,
    Closed,
}

#[derive(Debug)]
struct LinkOut {
    outbox: Outbox,
    endpoint: SocketAddr,
    node: Name,
}

impl State {
    pub(crate) fn new(instance: Instance) -> Self {
        Self {
            core: Client::new(instance),
            phase: Phase::Connecting,
            phase_told: Phase::Connecting,
            link: None,
            batch: Batch::default(),
            held: VecDeque::new(),
            held_bytes: 0,
            publishes: Publishes::default(),
            queues: BTreeMap::new(),
            settle_at: None,
            timer_at: None,
            bounced: VecDeque::new(),
            woken: Vec::new(),
            told: Vec::new(),
            events: Some(broadcast::Sender::new(EVENTS_MAX)),
            failures: Vec::new(),
        }
    }

    /// Whether the application may still ask for something.
    pub(crate) fn is_open(&self) -> bool {
        match self.phase {
            Phase::Connecting | Phase::Running => true,
            Phase::Closing | Phase::Closed => false,
        }
    }

    /// The phase, if it is another one than was answered last.
    pub(crate) fn take_phase_change(&mut self) -> Option<Phase> {
        let is_new = std::mem::replace(&mut self.phase_told, self.phase) != self.phase;
        is_new.then_some(self.phase)
    }

    /// Applies an input and performs what it causes.
    pub(crate) fn handle(&mut self, now: Instant, input: Input) {
        self.core.handle(now, input);
        self.perform(now);
        while let Some(bounced) = self.bounced.pop_front() {
            self.core.handle(now, bounced);
            self.perform(now);
        }
    }

    fn perform(&mut self, now: Instant) {
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Send(message) => self.stage(message),
                Effect::Deliver(delivered) => self.deliver(delivered),
                Effect::Published { counter, end } => {
                    self.woken.extend(self.publishes.end(now, counter, end));
                }
                Effect::Subscribed { topic, code, reason } => {
                    self.subscribed(topic, code, reason);
                }
                Effect::Connected => self.connected(),
                Effect::Disconnected => {} // Told by `link_down`, which knows why.
                Effect::Close(reason) => {
                    warn!(%reason, "closing the link");
                    self.close_link(reason);
                }
            }
        }
    }

    pub(crate) fn link_up(&mut self, now: Instant, link: &Link) {
        // A socket for both families shows addresses of the older one in the form of the newer.
        let remote = link.remote_addr();
        let endpoint = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        let node = link.peer().name.clone();
        self.link = Some(LinkOut { outbox: link.outbox(), endpoint, node });
        self.handle(now, Input::LinkUp);
    }

    /// Notes the end of the link. Says whether the client had been connected by it.
    pub(crate) fn link_down(&mut self, now: Instant, end: LinkEnd) -> bool {
        let Some(LinkOut { endpoint, .. }) = self.link.take() else { return false };
        let was_connected = self.core.is_connected();
        self.handle(now, Input::LinkDown);
        self.held_bytes = 0;
        for answer in std::mem::take(&mut self.held) {
            // It was never sent, so it may go out on the next link.
            let Answer { attempt, status, payload } = answer;
            self.handle(now, Input::Answer { attempt, status, payload });
        }
        if was_connected {
            info!(%endpoint, %end, "disconnected");
            self.told.push(Event::Disconnected { why: end.to_string() });
        } else if self.is_open() {
            self.attempt_failed(AttemptError::Ended { endpoint, end });
        }
        was_connected
    }

    pub(crate) fn attempt_failed(&mut self, error: AttemptError) {
        warn!(%error, "cannot connect");
        self.told.push(Event::AttemptFailed { why: error.to_string() });
        if self.phase == Phase::Connecting {
            self.failures.push(error);
        }
    }

    fn connected(&mut self) {
        let Some(LinkOut { endpoint, node, .. }) = &self.link else { return };
        info!(%endpoint, %node, "connected");
        self.told.push(Event::Connected { endpoint: *endpoint, node: node.clone() });
        self.phase = self.phase.max(Phase::Running);
    }

    /// Takes nothing new from now on. The link ends once everything is flushed, see
    /// [`end_turn`](Self::end_turn).
    pub(crate) fn close(&mut self, now: Instant) {
        if !self.is_open() {
            return;
        }
        self.phase = Phase::Closing;
        for queue in self.queues.values_mut() {
            let refused = queue.drain().map(|waiting| refusal(&waiting, Reason::SubscriberGone));
            self.bounced.extend(refused);
            self.woken.extend(queue.set_status(Status::Closed));
        }
        self.woken.extend(self.publishes.take_waiting_wakers());
        while let Some(refusal) = self.bounced.pop_front() {
            self.handle(now, refusal);
        }
    }

    /// Ends everything that has no end: no time is left.
    pub(crate) fn finish(&mut self) {
        let end_of_time = Instant::after_start(Duration::MAX);
        self.phase = Phase::Closed;
        self.link = None;
        self.handle(end_of_time, Input::LinkDown);
        self.handle(end_of_time, Input::Timeout);
        for queue in self.queues.values_mut() {
            self.woken.extend(queue.set_status(Status::Closed));
        }
        self.woken.extend(self.publishes.take_waiting_wakers());
    }

    fn close_link(&mut self, reason: CloseReason) {
        if let Some(link) = &self.link {
            link.outbox.send(&mut self.batch);
            link.outbox.close(reason);
        }
    }

    /// Whether the link takes such a payload now, or there is none so that the core keeps it.
    pub(crate) fn link_has_room(&self, payload_bytes: usize) -> bool {
        self.link.as_ref().is_none_or(|link| {
            let staged_bytes = self.batch.bytes();
            // One that is larger than the outbox must not wait for ever.
            staged_bytes + link.outbox.queued_bytes() == 0
                || link.outbox.has_room(staged_bytes + payload_bytes + HEAD_BYTES)
        })
    }

    /// Whether such an answer may be held if the link does not take it.
    pub(crate) fn may_hold(&self, payload_bytes: usize) -> bool {
        self.held_bytes + payload_bytes <= HELD_BYTES_MAX
    }

    fn stage(&mut self, message: ClientMessage) {
        if let ClientMessage::Answer(answer) = message {
            let payload_bytes = answer.payload.len();
            if !self.held.is_empty() || !self.link_has_room(payload_bytes) {
                self.held_bytes += payload_bytes;
                return self.held.push_back(answer);
            }
            return self.push(&ClientMessage::Answer(answer));
        }
        self.push(&message);
    }

    fn push(&mut self, message: &ClientMessage) {
        if let Err(error) = self.batch.push(message) {
            warn!(%error, "a message was not sent");
        }
    }

    fn deliver(&mut self, delivered: Delivered) {
        let Some(queue) = self.queues.get_mut(&delivered.delivery.topic) else {
            return self.bounced.push_back(refusal(&delivered, Reason::NotSubscribed));
        };
        match queue.push(delivered) {
            Ok(waker) => self.woken.extend(waker),
            Err(bounced) => {
                if bounced.tell {
                    let topic = queue.topic().clone();
                    self.told.push(Event::SubscriptionFull { topic });
                }
                self.bounced.push_back(refusal(&bounced.delivered, bounced.reason));
            }
        }
    }

    fn subscribed(&mut self, topic: Topic, code: Code, reason: Reason) {
        let Some(queue) = self.queues.get_mut(&topic) else { return };
        let was_open = *queue.status() == Status::Open;
        let status = if code == Code::Ok { Status::Open } else { Status::Refused(code, reason) };
        self.woken.extend(queue.set_status(status));
        if was_open && code != Code::Ok {
            warn!(%topic, %code, %reason, "subscription lost");
            self.told.push(Event::SubscriptionLost { topic, code, reason });
        }
    }

    /// Acks what the application took of one topic, and gives it room for more.
    pub(crate) fn settle(&mut self, now: Instant, topic: &Topic) {
        let core = &mut self.core;
        if let Some(queue) = self.queues.get_mut(topic) {
            // Acks wait in the core for the end of the turn: they have no effect before.
            queue.settle(|ack| core.handle(now, ack));
            if queue.is_unsettled() && self.settle_at.is_none() {
                self.settle_at = Some(now + SETTLE_EVERY);
            }
        }
    }

    /// Does what is due at `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.handle(now, Input::Timeout);
        if self.settle_at.is_some_and(|at| at <= now) {
            self.settle_at = None;
            let core = &mut self.core;
            for queue in self.queues.values_mut() {
                queue.settle(|ack| core.handle(now, ack));
                if queue.is_unsettled() {
                    self.settle_at = Some(now + SETTLE_EVERY);
                }
            }
        }
    }

    /// Sends what was staged, and lets those in who find room now.
    pub(crate) fn end_turn(&mut self, now: Instant) {
        self.handle(now, Input::EndOfBatch);
        while let Some(answer) = self.held.front() {
            let payload_bytes = answer.payload.len();
            if !self.link_has_room(payload_bytes) {
                break;
            }
            self.held_bytes -= payload_bytes;
            if let Some(answer) = self.held.pop_front() {
                self.push(&ClientMessage::Answer(answer));
            }
        }
        match &self.link {
            Some(link) => link.outbox.send(&mut self.batch),
            None => self.batch.clear(),
        }
        if self.phase == Phase::Closing && self.held.is_empty() {
            self.close_link(CloseReason::new(CloseCode::Done, "the client was closed"));
        }
        if let Some(payload_bytes) = self.publishes.next_payload_bytes()
            && self.publishes.has_room(payload_bytes)
            && self.link_has_room(payload_bytes)
        {
            self.woken.extend(self.publishes.take_next_waker());
        }
    }

    /// When the timer must ring, at the latest.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let look_at = self.waits_for_link().then(|| now + LOOK_AGAIN_AFTER);
        [self.core.poll_timeout(), self.settle_at, look_at].into_iter().flatten().min()
    }

    /// Whether something waits for nothing but room on the link, which tells nobody when it has
    /// some.
    fn waits_for_link(&self) -> bool {
        let next = self.publishes.next_payload_bytes();
        !self.held.is_empty()
            || next
                .is_some_and(|bytes| self.publishes.has_room(bytes) && !self.link_has_room(bytes))
    }
}

/// How long an ack may lie because the application takes its time with other messages.
const SETTLE_EVERY: Duration = Duration::from_millis(10);

/// How soon to look again for room on the link. A full outbox takes some ten times as long to
/// empty, so nothing is lost by waiting.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(1);

/// Most bytes of answers that wait for room on the link.
const HELD_BYTES_MAX: usize = 64 << 20;

/// What a header and the lengths before it take, roughly, when room is looked for.
const HEAD_BYTES: usize = 256;
