//! Publishes of a client, from the call to the one end that each of them has.

use std::time::Duration;

use amop_wire::limits::REQUESTS_PER_CLIENT_MAX;
use amop_wire::{
    AnswerStatus, ClientMessage, Code, Gen, Instant, Outcome, Publish, Reason, ReceiptRun, Topic,
};
use bytes::Bytes;

use super::{Client, Effect, PublishEnd};

/// A publish that has no end yet.
#[derive(Debug)]
pub(super) struct Pending {
    /// What the driver keeps it under.
    key: usize,
    deadline: Instant,
    /// The link that it was sent on.
    sent_on: Option<Gen>,
    /// The draft that it is a part of, if it is sealed.
    part_of: Option<u64>,
}

impl Pending {
    /// A sealed message, sent on this link.
    pub(super) fn of_draft(first: u64, deadline: Instant, sent_on: Gen) -> Self {
        Self { key: 0, deadline, sent_on: Some(sent_on), part_of: Some(first) }
    }

    /// When its time is up: when the node is given up, or at the deadline while it was not sent.
    fn until(&self) -> Instant {
        match self.sent_on {
            None => self.deadline,
            Some(_) => self.deadline + OUTCOME_GRACE,
        }
    }
}

impl Client {
    pub(super) fn publish(&mut self, now: Instant, key: usize, publish: Publish) {
        let counter = publish.counter;
        let mut pending =
            Pending { key, deadline: now + publish.ttl, sent_on: None, part_of: None };
        if self.may_publish() {
            pending.sent_on = Some(self.generation);
            self.kept.sent(now, &publish);
            self.effects.push_back(Effect::Send(ClientMessage::Publish(publish)));
        } else {
            self.waiting.insert(counter, publish);
        }
        self.await_end(counter, pending);
    }

    /// Waits for the end of a publish.
    pub(super) fn await_end(&mut self, counter: u64, pending: Pending) {
        self.wake_by(pending.until());
        self.publishes.push(counter, pending);
    }

    fn wake_by(&mut self, at: Instant) {
        if self.alarm.is_none_or(|alarm| at < alarm) {
            self.alarm = Some(at);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.publishes_due(now);
        self.private_due(now);
    }

    fn publishes_due(&mut self, now: Instant) {
        if self.alarm.is_none_or(|alarm| now < alarm) {
            return;
        }
        let due = |(counter, pending): (u64, &Pending)| (pending.until() <= now).then_some(counter);
        let due: Vec<u64> = self.publishes.iter().filter_map(due).collect();
        for counter in due {
            self.expired(now, counter);
        }
        let next = self.publishes.iter().map(|(_, pending)| pending.until()).min();
        self.alarm = next.map(|next| next.max(now + LOOK_EVERY));
    }

    /// Sends what waited for a connection, with what is left of its time.
    pub(super) fn send_waiting(&mut self, now: Instant) {
        for (counter, publish) in std::mem::take(&mut self.waiting) {
            let Some(pending) = self.publishes.get_mut(counter) else { continue };
            pending.sent_on = Some(self.generation);
            let ttl = pending.deadline.saturating_since(now);
            let publish = Publish { ttl, ..publish };
            self.effects.push_back(Effect::Send(ClientMessage::Publish(publish)));
        }
    }

    /// Takes back what waits for a connection and goes to a topic: with its counter, the driver's key and
    /// its deadline.
    pub(super) fn take_waiting(&mut self, topic: &Topic) -> Vec<(u64, usize, Instant, Publish)> {
        let is_its = |_: &u64, publish: &mut Publish| publish.topic == *topic;
        let its: Vec<(u64, Publish)> = self.waiting.extract_if(.., is_its).collect();
        let take = |(counter, publish)| {
            let Pending { key, deadline, .. } = self.publishes.remove(counter)?;
            Some((counter, key, deadline, publish))
        };
        its.into_iter().filter_map(take).collect()
    }

    pub(super) fn outcome(&mut self, now: Instant, outcome: Outcome) {
        if outcome.code == Code::Draining && self.takes_back(outcome.counter) {
            return self.node_drains();
        }
        self.end(now, outcome.counter, PublishEnd::Outcome(outcome));
    }

    /// The node has not taken a publish because it is about to stop. Says whether it waits for the next link instead
    /// of ending so.
    fn takes_back(&mut self, counter: u64) -> bool {
        let Some(publish) = self.kept.take(counter) else { return false };
        let Some(pending) = self.publishes.get_mut(counter) else { return false };
        pending.sent_on = None;
        let until = pending.until();
        self.wake_by(until);
        self.waiting.insert(counter, publish);
        true
    }

    pub(super) fn receipts(&mut self, now: Instant, runs: &[ReceiptRun]) {
        // Runs cannot name more publishes than a client may have under way.
        let mut left = REQUESTS_PER_CLIENT_MAX as u64;
        for run in runs {
            let count = u64::from(run.count).min(left);
            left -= count;
            for counter in run.first..run.first + count {
                self.end(now, counter, PublishEnd::Receipt(run.receipt));
            }
        }
    }

    /// Time is up: what was never sent was never handled; of the rest nobody knows.
    pub(super) fn expired(&mut self, now: Instant, counter: u64) {
        self.waiting.remove(&counter);
        let Some(pending) = self.publishes.get(counter) else { return };
        let (code, reason) = match pending.sent_on {
            None => (Code::NotSent, Reason::NotConnected),
            Some(link) if link == self.generation && self.is_connected() => {
                (Code::TimedOut, Reason::Deadline)
            }
            Some(_) => (Code::TimedOut, Reason::ConnectionLost),
        };
        let outcome = Outcome {
            counter,
            code,
            reason,
            attempts: 0,
            status: AnswerStatus::Answered,
            answered_by: None,
            tried: Vec::new(),
            retry_after: None,
            payload: Bytes::new(),
        };
        self.end(now, counter, PublishEnd::Outcome(outcome));
    }

    fn end(&mut self, now: Instant, counter: u64, end: PublishEnd) {
        let Some(Pending { key, part_of, .. }) = self.publishes.remove(counter) else { return };
        self.kept.take(counter);
        match part_of {
            None => self.effects.push_back(Effect::Published { counter, key, end }),
            Some(first) => self.part_ended(now, first, counter, end),
        }
        self.leave_if_idle();
    }
}

/// How long after the deadline the node's own word is waited for. The contract allows 500 ms, and
/// the node itself may take 200 ms to hear from others.
const OUTCOME_GRACE: Duration = Duration::from_millis(400);

/// However many deadlines follow each other, the open publishes are walked only so often.
const LOOK_EVERY: Duration = Duration::from_millis(1);
