//! Publishes to private topics: parked until somebody is verified, sealed, and tried with the next.
//!
//! ```text
//!            nobody yet                  verified: seal
//!   draft ─────────────▶ parked ───────────────────────────▶ Publish, for one subscriber or all
//!     ▲                    │ nobody came: 100                  │
//!     └─────────────────────────────── a definite no ──────────┤
//!                                                              └ answered, or in doubt: its end
//! ```
//!
//! What is sealed of a message is the number that the application's publish has, whichever try this is, as 8
//! bytes, and its payload. The list of keys is looked at when something is sealed, and nothing is sealed ahead.

use std::collections::BTreeSet;
use std::time::Duration;

use amop_auth::{Receivers, SealError};
use amop_topic_table::choose_among;
use amop_wire::{
    ClientMessage, Code, Instance, Instant, Mode, MsgId, Outcome, Publish, Reason, Sealing, Terms,
    Topic,
};
use bytes::Bytes;

use super::super::publish::Pending;
use super::super::{Client, Effect, PublishEnd};
use super::draft::{Draft, Part};
use super::open::read_answer;

impl Client {
    /// The application publishes to a private topic.
    pub(in super::super) fn publish_private(&mut self, now: Instant, first: u64, draft: Draft) {
        let Some(private) = &mut self.private else { return };
        // What waited when its topic became private is older than drafts of other topics.
        private.drafts.insert(first, draft);
        self.dispatch(now, first);
    }

    /// Looks again at what waits for somebody to be verified.
    pub(in super::super) fn look_again(&mut self, now: Instant, topic: &Topic) {
        let Some(private) = &self.private else { return };
        let waits = |draft: &Draft| draft.topic == *topic && draft.parked.is_some();
        let waiting = private.drafts.iter().filter(|(_, draft)| waits(draft));
        for first in waiting.map(|(first, _)| first).collect::<Vec<_>>() {
            self.dispatch(now, first);
        }
    }

    /// Looks again at all of it, for there is a connection.
    pub(in super::super) fn look_again_at_all(&mut self, now: Instant) {
        let Some(private) = &self.private else { return };
        for topic in private.outlets.keys().cloned().collect::<Vec<_>>() {
            self.look_again(now, &topic);
        }
    }

    /// Sends a draft to whoever may receive it, or has it wait, or ends it.
    fn dispatch(&mut self, now: Instant, first: u64) {
        let is_connected = self.may_publish();
        let Some(private) = &mut self.private else { return };
        let Some(draft) = private.drafts.get(first) else { return };
        let Some(outlet) = private.outlets.get(&draft.topic) else { return };
        if draft.is_garbled {
            return;
        }
        if !is_connected || !outlet.is_told() {
            return self.park(first, |draft| draft.deadline);
        }
        if draft.mode == Mode::Unicast {
            let verified = private.publisher.verified(now, &draft.topic);
            let left = verified.filter(|&one| draft.is_left(one));
            let choice = draft.choice(self.instance, first);
            if let Some(subscriber) = choose_among(left, choice) {
                return self.send_to(now, first, subscriber);
            }
        }
        let is_missed = draft.is_new() && outlet.is_missed(now) || draft.is_wanted();
        match private.publisher.receivers(now, &draft.topic) {
            Receivers::Verified(_) if draft.mode == Mode::Multicast => self.send_to_all(now, first),
            _ if !draft.is_idle() => {}
            Receivers::Verifying => self.park(first, |draft| draft.deadline),
            Receivers::Verified(_) | Receivers::Nobody if is_missed => {
                self.park_a_while(now, first);
            }
            Receivers::Verified(_) | Receivers::Nobody => self.give_up(first),
        }
    }

    fn park(&mut self, first: u64, until: impl FnOnce(&Draft) -> Instant) {
        let Some(private) = &mut self.private else { return };
        let Some(draft) = private.drafts.get_mut(first) else { return };
        let until = until(draft);
        draft.parked = Some(until);
        if draft.is_idle() {
            draft.fail_over_at = None; // It is with nobody in whose place another could be asked.
        }
        let due = draft.due();
        due.into_iter().for_each(|due| private.wake_by(due));
    }

    /// Waits for half of the time that is left, 3 s at most. What waits so already waits no longer for that.
    fn park_a_while(&mut self, now: Instant, first: u64) {
        self.park(first, |draft| {
            let half = draft.deadline.saturating_since(now) / 2;
            let until = now + half.min(PARKED_MAX);
            draft.parked.map_or(until, |parked| parked.min(until))
        });
    }

    fn send_to(&mut self, now: Instant, first: u64, subscriber: Instance) {
        let counter = self.counter_for(first);
        let Some(private) = &mut self.private else { return };
        let Some(draft) = private.drafts.get_mut(first) else { return };
        let id = MsgId { publisher: self.instance, counter };
        let (topic, payload) = (&draft.topic, &draft.payload);
        let plain = [&first.to_be_bytes()[..], payload];
        let sealed = private.publisher.seal_unicast(now, topic, subscriber, id, &plain);
        let sealed = match sealed {
            Ok(sealed) => sealed,
            Err(error) => {
                draft.cannot_ask(subscriber);
                return self.not_sealed(now, first, error);
            }
        };
        draft.fail_over_at = draft.terms.at_least_once.then(|| {
            let left = draft.deadline.saturating_since(now);
            now + left / 2
        });
        // To ask another one in doubt is up to this end, so the node is not asked for it.
        let sealing = Sealing::For(subscriber);
        let redelivered = !draft.open.is_empty();
        let terms = Terms { at_least_once: false, redelivered, sealing, ..draft.terms };
        let sequence = 0;
        self.send_sealed(now, first, Some(subscriber), (counter, sequence), terms, sealed);
    }

    fn send_to_all(&mut self, now: Instant, first: u64) {
        let counter = self.counter_for(first);
        let Some(private) = &mut self.private else { return };
        let Some(draft) = private.drafts.get(first) else { return };
        let id = MsgId { publisher: self.instance, counter };
        let topic = draft.topic.clone();
        let plain = [&first.to_be_bytes()[..], &draft.payload];
        match private.publisher.seal_multicast(now, &topic, id, &plain) {
            Ok(multicast) => {
                let terms = Terms { sealing: Sealing::Group, ..Terms::default() };
                let sequence = self.sequences.next(&topic, counter);
                self.send_sealed(now, first, None, (counter, sequence), terms, multicast.sealed);
            }
            Err(error) => self.not_sealed(now, first, error),
        }
    }

    fn send_sealed(
        &mut self,
        now: Instant,
        first: u64,
        subscriber: Option<Instance>,
        (counter, sequence): (u64, u64),
        terms: Terms,
        payload: Bytes,
    ) {
        let Some(private) = &mut self.private else { return };
        let Some(draft) = private.drafts.get_mut(first) else { return };
        draft.parked = None;
        let outlet = private.outlets.get(&draft.topic);
        let seat = subscriber.and_then(|one| outlet.and_then(|outlet| outlet.seat(one)));
        draft.open.push(Part { counter, subscriber, seat });
        let (topic, deadline, mode) = (draft.topic.clone(), draft.deadline, draft.mode);
        let pending = Pending::of_draft(first, deadline, self.generation);
        let ttl = deadline.saturating_since(now);
        let due = draft.due();
        due.into_iter().for_each(|due| private.wake_by(due));
        self.await_end(counter, pending);
        let publish = Publish { counter, ttl, mode, sequence, terms, topic, payload };
        self.effects.push_back(Effect::Send(ClientMessage::Publish(publish)));
    }

    /// The number of the next message: that of the draft, if it is still the latest that was drawn.
    fn counter_for(&mut self, first: u64) -> u64 {
        let is_unused = first == self.last_counter && self.publishes.get(first).is_none();
        let was_sent = self.private.as_ref().and_then(|it| it.drafts.get(first));
        if is_unused && was_sent.is_some_and(Draft::is_new) { first } else { self.draw_counter() }
    }

    fn not_sealed(&mut self, now: Instant, first: u64, error: SealError) {
        match error {
            SealError::TooLong { .. } => {
                self.end_draft(first, |draft| {
                    draft.outcome(first, Code::Invalid, Reason::PayloadTooLong)
                });
            }
            // Its keys are spent: they are being renewed.
            _ => self.park_a_while(now, first),
        }
    }

    /// A message of a draft has ended.
    pub(in super::super) fn part_ended(
        &mut self,
        now: Instant,
        first: u64,
        counter: u64,
        end: PublishEnd,
    ) {
        let Some(private) = &mut self.private else { return };
        let Some(draft) = private.drafts.get_mut(first) else { return };
        let part = draft.take_open(counter);
        let subscriber = part.as_ref().and_then(|part| part.subscriber);
        let mut outcome = match end {
            PublishEnd::Outcome(outcome) => outcome,
            receipt @ PublishEnd::Receipt(_) => return self.end_with(first, |_| receipt),
        };
        if outcome.code == Code::Ok
            && let Some(subscriber) = subscriber
        {
            let id = MsgId { publisher: self.instance, counter };
            let (topic, sealed) = (&draft.topic, &outcome.payload);
            let opened = private.publisher.open_answer(now, topic, subscriber, id, sealed);
            if let Some((status, payload)) = opened.ok().and_then(read_answer) {
                return self
                    .end_draft(first, |draft| draft.answered(first, outcome, status, payload));
            }
            // Somebody on the way made it up: what became of the message nobody knows.
            outcome.code = Code::TimedOut;
            outcome.reason = Reason::CannotOpen;
            draft.is_garbled = true;
            let deadline = draft.deadline;
            private.wake_by(deadline);
        }
        let Some(draft) = private.drafts.get_mut(first) else { return };
        if outcome.code == Code::Draining {
            draft.failed(None, &outcome); // Nobody was asked: it waits for the next node, sealed anew there.
            self.node_drains();
            return self.dispatch(now, first);
        }
        draft.failed(subscriber, &outcome);
        if let Some((subscriber, seat)) = part.and_then(|part| part.subscriber.zip(part.seat)) {
            let outlet = private.outlets.get(&draft.topic);
            let now_at = outlet.and_then(|outlet| outlet.seat(subscriber));
            if now_at.is_some_and(|now_at| now_at != seat) {
                draft.readmit(subscriber); // It was asked where it is not any more.
            }
        }
        let may_ask_another =
            matches!(outcome.code, Code::NoSubscriber | Code::SubscriberUnreachable);
        if may_ask_another && draft.mode == Mode::Unicast {
            self.dispatch(now, first);
        } else if draft.is_idle() && !draft.is_garbled {
            self.give_up(first);
        }
    }

    /// A subscriber has keys that it had not, or is somewhere else: what it could not take may go to it
    /// again.
    pub(super) fn renewed(&mut self, topic: &Topic, subscriber: Instance) {
        let Some(private) = &mut self.private else { return };
        let drafts = private.drafts.iter_mut().map(|(_, draft)| draft);
        for draft in drafts.filter(|draft| draft.topic == *topic) {
            draft.readmit(subscriber);
        }
    }

    /// Asks others in place of those who went, as far as a draft may be handled more than once.
    pub(super) fn fail_over_from(
        &mut self,
        now: Instant,
        topic: &Topic,
        gone: &BTreeSet<Instance>,
    ) {
        let Some(private) = &self.private else { return };
        let is_with_one = |draft: &Draft| {
            let mut asked = draft.open.iter().filter_map(|part| part.subscriber);
            draft.terms.at_least_once && asked.any(|subscriber| gone.contains(&subscriber))
        };
        let all = private.drafts.iter();
        let all = all.filter(|(_, draft)| draft.topic == *topic && is_with_one(draft));
        for first in all.map(|(first, _)| first).collect::<Vec<_>>() {
            self.dispatch(now, first);
        }
    }

    /// Does what is due of the drafts.
    pub(super) fn drafts_due(&mut self, now: Instant) {
        let Some(private) = &mut self.private else { return };
        if private.alarm.is_none_or(|alarm| now < alarm) {
            return;
        }
        private.alarm = None;
        let is_due = |draft: &Draft| draft.due().is_some_and(|at| at <= now);
        let due: Vec<u64> =
            private.drafts.iter().filter(|(_, draft)| is_due(draft)).map(|(n, _)| n).collect();
        for first in due {
            let Some(private) = &mut self.private else { return };
            let Some(draft) = private.drafts.get_mut(first) else { continue };
            if draft.parked.is_none() && now < draft.deadline {
                draft.fail_over_at = None;
                self.dispatch(now, first);
            } else if draft.is_idle() || draft.is_garbled {
                self.give_up(first);
            } else {
                // Somebody may handle it still, whose end is waited for.
                (draft.parked, draft.fail_over_at) = (None, None);
            }
        }
        let Some(private) = &mut self.private else { return };
        let next = private.drafts.iter().filter_map(|(_, draft)| draft.due()).min();
        next.into_iter().for_each(|next| private.wake_by(next));
    }

    /// Nobody is left who could be asked.
    fn give_up(&mut self, first: u64) {
        let (code, reason) = if self.is_connected() {
            (Code::NoSubscriber, Reason::NoVerifiedReceiver)
        } else {
            (Code::NotSent, Reason::NotConnected)
        };
        self.end_draft(first, |draft| draft.outcome(first, code, reason));
    }

    fn end_draft(&mut self, first: u64, outcome: impl FnOnce(Draft) -> Outcome) {
        self.end_with(first, |draft| PublishEnd::Outcome(outcome(draft)));
    }

    fn end_with(&mut self, first: u64, end: impl FnOnce(Draft) -> PublishEnd) {
        let Some(private) = &mut self.private else { return };
        let Some(draft) = private.drafts.remove(first) else { return };
        for part in &draft.open {
            self.publishes.remove(part.counter); // Somebody else has answered.
        }
        let key = draft.key;
        self.effects.push_back(Effect::Published { counter: first, key, end: end(draft) });
    }
}

/// How long a message waits for somebody to come back, as at nodes.
const PARKED_MAX: Duration = Duration::from_secs(3);
