//! Everything of a client that lies under its lock: the core, and what the core's effects go to.
//!
//! Every method is part of a *turn* of the [`Driver`](crate::driver::Driver): it hands inputs to
//! the core and performs the effects at once. What is to be sent is only staged, and whom to wake
//! is only noted; both happen once, at the end of the turn.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;
use std::time::Duration;

use amop_core::client::{Client, Delivered, Effect, Input};
use amop_p2p::{Link, LinkEnd};
use amop_wire::{Answer, CloseCode, CloseReason, Code, Instant, NodeId, Reason, Topic};
use tokio::sync::broadcast;
use tracing::{info, warn};

use crate::connect_error::AttemptError;
use crate::event::{EVENTS_MAX, Event};
use crate::files::Files;
use crate::outgoing::{LinkOut, Outgoing, Role};
use crate::publishes::Publishes;
use crate::queue::{Queue, Status};

/// What lies under a client's lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) core: Client,
    phase: Phase,
    /// The phase that others were told.
    phase_told: Phase,
    pub(crate) outgoing: Outgoing,
    pub(crate) publishes: Publishes,
    pub(crate) queues: BTreeMap<Topic, Queue>,
    pub(crate) files: Files,
    /// When to look what applications have taken of what they were handed.
    settle_at: Option<Instant>,
    /// What the timer is set to.
    pub(crate) timer_at: Option<Instant>,
    /// Messages on their way back into the core.
    bounced: VecDeque<Input>,
    /// How many messages this turn brought.
    pub(crate) arrived: usize,
    /// How many messages were skipped because only a newer version understands them.
    pub(crate) unknown: u64,
    /// Whom to wake at the end of the turn.
    pub(crate) woken: Vec<Waker>,
    /// Whether the turn brought others who may receive on private topics, or took some.
    pub(crate) has_other_receivers: bool,
    /// Whether the client is to be linked with another node.
    pub(crate) leaves: bool,
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

impl State {
    pub(crate) fn new(core: Client) -> Self {
        Self {
            core,
            phase: Phase::Connecting,
            phase_told: Phase::Connecting,
            outgoing: Outgoing::default(),
            publishes: Publishes::default(),
            queues: BTreeMap::new(),
            files: Files::default(),
            settle_at: None,
            timer_at: None,
            bounced: VecDeque::new(),
            arrived: 0,
            unknown: 0,
            woken: Vec::new(),
            has_other_receivers: false,
            leaves: false,
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
        self.outgoing.set_now(now);
        self.core.handle(now, input);
        self.perform(now);
        while let Some(bounced) = self.bounced.pop_front() {
            self.core.handle(now, bounced);
            self.perform(now);
        }
    }

    pub(crate) fn perform(&mut self, now: Instant) {
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Send(message) => self.outgoing.stage(message),
                Effect::Deliver(delivered) => self.deliver(delivered),
                Effect::Published { key, end, .. } => {
                    self.woken.extend(self.publishes.end(now, key, end));
                }
                Effect::Subscribed { topic, code, reason } => {
                    self.subscribed(topic, code, reason);
                }
                Effect::Propagated { topic } => self.propagated(&topic),
                Effect::Receivers { .. } => self.has_other_receivers = true,
                Effect::Connected => self.connected(now),
                Effect::Disconnected => {} // Told by `link_down`, which knows why.
                Effect::Leave => self.leaves = true,
                Effect::SendOld(message) => self.outgoing.stage_old(&message),
                Effect::Part => self.outgoing.close_old(),
                Effect::Close(reason) => {
                    warn!(%reason, "closing the link");
                    self.outgoing.close(reason);
                }
            }
        }
    }

    /// Takes a link, and answers its number. One that there is goes on as the old one.
    pub(crate) fn link_up(&mut self, now: Instant, link: &Link) -> u64 {
        let is_moving = self.outgoing.link().is_some();
        let number = self.outgoing.link_up(link);
        let node = NodeId::of(&link.peer().name);
        self.handle(now, Input::LinkUp { node });
        if is_moving {
            self.files.link_down(now);
            self.send_held_again(now);
        }
        number
    }

    /// Has answers that were never sent go out on the next link.
    fn send_held_again(&mut self, now: Instant) {
        for Answer { attempt, status, payload } in self.outgoing.take_held() {
            self.handle(now, Input::Answer { attempt, status, payload });
        }
    }

    /// Notes the end of a link. Says whether the client had been connected by it.
    pub(crate) fn link_down(&mut self, now: Instant, number: u64, end: LinkEnd) -> bool {
        match self.outgoing.role(number) {
            Some(Role::Current) => {}
            Some(Role::Old) => {
                self.outgoing.old_link_down();
                self.handle(now, Input::OldLinkDown);
                return false;
            }
            None => return false,
        }
        let Some(LinkOut { endpoint, .. }) = self.outgoing.link_down() else { return false };
        let was_connected = self.core.is_connected();
        self.handle(now, Input::LinkDown);
        self.files.link_down(now);
        self.send_held_again(now);
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

    fn connected(&mut self, now: Instant) {
        let Some(LinkOut { endpoint, node, .. }) = self.outgoing.link() else { return };
        info!(%endpoint, %node, "connected");
        self.told.push(Event::Connected { endpoint: *endpoint, node: node.clone() });
        self.files.connected(now, NodeId::of(node));
        self.phase = self.phase.max(Phase::Running);
    }

    /// Takes nothing new from now on. The link ends once everything is flushed, see
    /// [`end_turn`](Self::end_turn).
    pub(crate) fn close(&mut self, now: Instant) {
        if !self.is_open() {
            return;
        }
        self.phase = Phase::Closing;
        self.files.close(now);
        for queue in self.queues.values_mut() {
            let refused = queue.drain().map(|waiting| waiting.refusal(Reason::SubscriberGone));
            self.bounced.extend(refused);
            self.woken.extend(queue.set_status(Status::Closed));
        }
        self.woken.extend(self.publishes.end_lines());
        while let Some(refusal) = self.bounced.pop_front() {
            self.handle(now, refusal);
        }
    }

    /// Ends everything that has no end: no time is left.
    pub(crate) fn finish(&mut self) {
        let end_of_time = Instant::after_start(Duration::MAX);
        self.phase = Phase::Closed;
        self.outgoing.link_down();
        self.files.finish();
        self.handle(end_of_time, Input::LinkDown);
        self.handle(end_of_time, Input::Timeout);
        for queue in self.queues.values_mut() {
            self.woken.extend(queue.set_status(Status::Closed));
        }
        self.woken.extend(self.publishes.end_lines());
    }

    fn deliver(&mut self, delivered: Delivered) {
        let Some(queue) = self.queues.get_mut(&delivered.topic) else {
            return self.bounced.push_back(delivered.refusal(Reason::NotSubscribed));
        };
        match queue.admit(delivered.payload.len()) {
            Ok(()) => self.woken.extend(queue.push(delivered, self.arrived)),
            Err(reason) => {
                if reason == Reason::SubscriberBusy && queue.must_tell_full() {
                    self.told.push(Event::SubscriptionFull { topic: queue.topic().clone() });
                }
                self.bounced.push_back(delivered.refusal(reason));
            }
        }
    }

    fn subscribed(&mut self, topic: Topic, code: Code, reason: Reason) {
        let Some(queue) = self.queues.get_mut(&topic) else { return };
        let was_open = matches!(queue.status(), Status::Open | Status::Propagated);
        let status = if code == Code::Ok { Status::Open } else { Status::Refused(code, reason) };
        self.woken.extend(queue.set_status(status));
        if was_open && code != Code::Ok {
            warn!(%topic, %code, %reason, "subscription lost");
            self.told.push(Event::SubscriptionLost { topic, code, reason });
        }
    }

    fn propagated(&mut self, topic: &Topic) {
        if let Some(queue) = self.queues.get_mut(topic)
            && *queue.status() == Status::Open
        {
            self.woken.extend(queue.set_status(Status::Propagated));
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
        self.files.handle_timeout(now);
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
        self.stage_files(now);
        self.outgoing.send();
        if self.phase == Phase::Closing && !self.outgoing.holds() {
            self.outgoing.close_old();
            self.outgoing.close(CloseReason::new(CloseCode::Done, "the client was closed"));
        }
        self.let_in(now);
    }

    /// Stages what waits for the link's files as far as there is room, and has more read.
    fn stage_files(&mut self, now: Instant) {
        self.files.ask_for_reads(now);
        while self.outgoing.has_file_room()
            && let Some(message) = self.files.take_message(now)
        {
            if let Some(message) = self.seal_file(now, message) {
                self.outgoing.stage_file(&message);
            }
        }
        self.files.ask_for_reads(now);
    }

    /// When the timer must ring, at the latest.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let look_at = self.waits_for_link().then(|| now + LOOK_AGAIN_AFTER);
        let files = self.files.poll_timeout(now);
        let room = self.publishes.poll_timeout();
        [self.core.poll_timeout(), files, self.settle_at, look_at, room].into_iter().flatten().min()
    }
}

/// How long an ack may lie because the application takes its time with other messages.
const SETTLE_EVERY: Duration = Duration::from_millis(10);

/// How soon to look again for room on the link. A full outbox takes some ten times as long to
/// empty, so nothing is lost by waiting.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use amop_wire::{Epoch, Instance, NodeMessage};

    use super::*;
    use crate::queue::QueueLimits;

    #[test]
    fn a_subscription_that_is_refused_after_a_reconnect_ends_and_is_told() {
        let now = Instant::default();
        let topic: Topic = "quote".parse().unwrap();
        let mut state = State::new(Client::new(Instance(1)));
        let link = |state: &mut State, code, reason| {
            state.handle(now, Input::LinkUp { node: NodeId::from_bytes([1; 32]) });
            state.handle(
                now,
                Input::Message(NodeMessage::Attached {
                    epoch: Epoch(1),
                    in_flight: amop_wire::InFlight::default(),
                }),
            );
            let topic = topic.clone();
            let answer = NodeMessage::Subscribed { topic, code, reason };
            state.handle(now, Input::Message(answer));
        };
        state.queues.insert(topic.clone(), Queue::new(topic.clone(), QueueLimits::default()));
        state.handle(now, Input::Subscribe(topic.clone()));
        link(&mut state, Code::Ok, Reason::Unspecified);
        assert_eq!(*state.queues[&topic].status(), Status::Open);
        assert!(state.told.is_empty());

        state.handle(now, Input::LinkDown);
        assert_eq!(*state.queues[&topic].status(), Status::Open, "it survives the link");
        let (code, reason) = (Code::Overloaded, Reason::TooManySubscriptions);
        link(&mut state, code, reason);
        assert_eq!(*state.queues[&topic].status(), Status::Refused(code, reason));
        assert_eq!(state.told, [Event::SubscriptionLost { topic, code, reason }]);
    }
}
