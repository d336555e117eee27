//! Unicasts: chosen, waited for and failed over by the home node, pushed by the exit node.
//!
//! ```text
//!  publish ─▶ choose ─▶ try ──────▶ answered ─▶ 0
//!               ▲        │ refused    (definite: the next candidate; none left: 100 or 101)
//!               └────────┤
//!                        └ no word    (doubt: stay with this subscriber until the deadline: 102)
//!                          it moved, or the way there: send it again, it takes one copy
//! ```
//!
//! The exit node keeps nothing of a unicast: the delivery names home node, id and attempt, and the
//! answer repeats them. The home node takes an answer only from the subscriber that it chose, as
//! the exit node attests it.

use std::collections::BTreeSet;

use bytes::Bytes;
use rand_chacha::rand_core::Rng;

use amop_wire::{
    AnswerStatus, Attempt, Code, Delivery, Instance, Instant, MsgId, NodeId, NodeMessage, Outcome,
    PeerAnswer, PeerMessage, PeerRefusal, Publish, Reason, Request, Sealing,
};

use amop_topic_table::{Candidate, Place};

use super::pending::{Chosen, Pending, Seat};
use super::recording::sent;
use super::{LinkId, Node, Step};

impl Node {
    /// As home node: one of our clients wants an answer.
    pub(super) fn request(&mut self, now: Instant, instance: Instance, publish: Publish) {
        let Some(publisher) = self.publishers.get_mut(&instance) else { return };
        let (counter, deadline) = (publish.counter, now + publish.ttl);
        let pending = Pending::new(publish, deadline, self.random.next_u32());
        publisher.wake_by(deadline, instance, &mut self.timers);
        publisher.unicasts.push(counter, pending);
        self.try_next(now, MsgId { publisher: instance, counter });
    }

    /// Tries the subscriber that is next by the choice, or ends the unicast when none is left.
    pub(super) fn try_next(&mut self, now: Instant, id: MsgId) {
        while let Some(pending) = self.pending(id) {
            let Some((candidate, of)) = self.choose(pending, id) else {
                if self.readmit(id) {
                    continue;
                }
                return self.park_or_end(now, id);
            };
            let seat = self.seat(candidate);
            let (own, held) = (self.id, self.memory.held());
            let Some(pending) = self.pending_mut(id) else { return };
            pending.attempts += 1;
            // A subscriber without a link on the way there is tried, so that it is named as such.
            let seat = seat.unwrap_or(Seat { at: candidate, link: LinkId(0) });
            pending.chosen = Some(Chosen::new(seat, now));
            let step = sent(own, pending, seat, Some(of), held);
            self.note(id, step);
            match self.send_copy(now, id, candidate) {
                Ok(()) => return,
                Err(reason) => {
                    self.note_refused(id, candidate.place, candidate.instance, reason);
                    self.exclude(id, candidate.place, reason, false);
                }
            }
        }
    }

    /// The subscriber that is next: of a sealed unicast, none but the one that can open it.
    fn choose(&self, pending: &Pending, id: MsgId) -> Option<(Candidate, usize)> {
        match pending.terms.sealing {
            Sealing::Clear | Sealing::Group => {
                self.table.choose_of(&pending.topic, pending.choice(id), &pending.excluded)
            }
            Sealing::For(instance) if pending.excluded.contains(&instance) => None,
            Sealing::For(instance) => Some((self.table.find(&pending.topic, instance)?, 1)),
        }
    }

    /// Sends one more copy to the subscriber that was chosen, since it or the way there is another
    /// one now. It keeps to the first of them that it gets.
    fn send_anew(&mut self, now: Instant, id: MsgId, seat: Seat) {
        if let Some(chosen) = self.pending_mut(id).and_then(|pending| pending.chosen.as_mut()) {
            chosen.move_to(seat);
            self.send_again(now, id);
        }
    }

    /// Sends one more copy to where the last one went.
    pub(super) fn send_again(&mut self, now: Instant, id: MsgId) {
        let (own, held) = (self.id, self.memory.held());
        let Some(pending) = self.pending_mut(id) else { return };
        let Some(chosen) = pending.chosen.as_mut() else { return };
        chosen.open += 1;
        chosen.came_back = false;
        chosen.sent_at = now;
        let seat = chosen.seat;
        let step = sent(own, pending, seat, None, held);
        self.note(id, step);
        if let Err(reason) = self.send_copy(now, id, seat.at) {
            self.copy_refused(now, id, seat.at.place, reason, false);
        }
    }

    fn send_copy(&mut self, now: Instant, id: MsgId, to: Candidate) -> Result<(), Reason> {
        let Some(publisher) = self.publishers.get(&id.publisher) else { return Ok(()) };
        let Some(pending) = publisher.unicasts.get(id.counter) else { return Ok(()) };
        let (attempt, subscriber) = (pending.attempt(), to.instance);
        let ttl = pending.deadline.saturating_since(now);
        let (topic, payload) = (pending.topic.clone(), pending.payload.clone());
        let (from, terms) = (publisher.name.clone(), pending.terms);
        match to.place {
            Place::Here => {
                let attempt = Attempt { home: self.id, id, number: attempt };
                self.push(subscriber, Delivery { attempt, ttl, terms, from, topic, payload })?;
                self.listen(now, id, false);
                Ok(())
            }
            Place::Node(node) => {
                let exit_epoch = self.table.version_of(node).unwrap_or_default().epoch;
                let request = Request {
                    id,
                    ttl,
                    attempt,
                    subscriber,
                    exit_epoch,
                    terms,
                    from,
                    topic,
                    payload,
                };
                let message = PeerMessage::Request(request);
                if !self.peers.contains_key(&node) {
                    return self.send_over_relays(now, id, node, &message);
                }
                self.tell_peer(node, message);
                self.listen(now, id, false);
                Ok(())
            }
        }
    }

    /// Where a subscriber is, if there is a way.
    pub(super) fn seat(&self, at: Candidate) -> Option<Seat> {
        let link = match at.place {
            Place::Here => self.sessions.get(&at.instance)?.link,
            Place::Node(node) => match self.peers.get(&node) {
                Some(&link) => link,
                None => *self.peers.get(&self.table.next_hop(node)?)?,
            },
        };
        Some(Seat { at, link })
    }

    /// Where the chosen subscriber is now.
    fn seat_of_chosen(&self, pending: &Pending) -> Option<Seat> {
        let chosen = pending.chosen.as_ref()?;
        self.seat(self.table.find(&pending.topic, chosen.seat.at.instance)?)
    }

    /// Sends unicasts again whose subscriber is somewhere else now, or is reached over another
    /// link: their last copy may be lost. Looks at those with one of these subscribers, or at all.
    pub(super) fn reconsider(&mut self, now: Instant, moved: Option<&BTreeSet<Instance>>) {
        let (mut again, mut found, mut lost) = (Vec::new(), Vec::new(), Vec::new());
        for (&publisher, open) in &self.publishers {
            for (counter, pending) in open.unicasts.iter() {
                let id = MsgId { publisher, counter };
                let Some(chosen) = &pending.chosen else {
                    found.extend(self.has_found(id, pending, moved.is_none()).then_some(id));
                    continue;
                };
                let instance = chosen.seat.at.instance;
                if moved.is_some_and(|moved| !moved.contains(&instance)) {
                    continue;
                }
                match self.seat_of_chosen(pending) {
                    Some(seat) if seat != chosen.seat => again.push((id, seat)),
                    Some(seat) if moved.is_none() && !self.is_near(seat) => again.push((id, seat)),
                    Some(_) => {}
                    None => lost.extend(pending.terms.at_least_once.then_some(id)),
                }
            }
        }
        again.sort_unstable_by_key(|&(id, _)| id);
        for (id, seat) in again {
            self.send_anew(now, id, seat);
        }
        lost.sort_unstable();
        for id in lost {
            self.fail_over(now, id);
        }
        found.sort_unstable();
        for id in found {
            self.unpark(id, moved.is_none());
            self.try_next(now, id);
        }
    }

    /// Whether no relay lies in between, so that nothing gets lost without our link being lost.
    pub(super) fn is_near(&self, seat: Seat) -> bool {
        match seat.at.place {
            Place::Here => true,
            Place::Node(node) => self.peers.contains_key(&node),
        }
    }

    /// One copy of a unicast will never be handled, or none of them.
    fn copy_refused(
        &mut self,
        now: Instant,
        id: MsgId,
        place: Place,
        reason: Reason,
        fenced: bool,
    ) {
        let Some(pending) = self.pending_mut(id) else { return };
        let Some(chosen) = &mut pending.chosen else { return };
        let seat = chosen.seat;
        let is_left = chosen.copy_refused(place);
        self.note_refused(id, place, seat.at.instance, reason);
        if is_left && !fenced {
            if reason == Reason::NoPath && place == seat.at.place {
                self.turned_back(now, id);
            }
            return; // Another copy may be handled: that is doubt.
        }
        let now_at = self.pending(id).and_then(|pending| self.seat_of_chosen(pending));
        match now_at.filter(|now_at| *now_at != seat && !fenced) {
            Some(elsewhere) => self.send_anew(now, id, elsewhere),
            None if reason == Reason::NoPath && self.has_other_way(id) => self.send_again(now, id),
            None => {
                self.exclude(id, seat.at.place, reason, fenced);
                self.try_next(now, id);
            }
        }
    }

    fn exclude(&mut self, id: MsgId, place: Place, reason: Reason, fenced: bool) {
        let name = match place {
            Place::Here => Some(&self.name),
            Place::Node(node) => self.table.name_of(node),
        };
        let name = name.cloned();
        let chosen = self.pending(id).and_then(|pending| pending.chosen.as_ref());
        // A neighbour without room is not cut off: nothing that can change is waited for.
        let may_return = chosen.is_some_and(|chosen| {
            !fenced && (reason != Reason::NoPath || !self.is_near(chosen.seat))
        });
        if let Some(pending) = self.pending_mut(id) {
            pending.exclude(reason, name.as_ref(), may_return);
        }
    }

    pub(super) fn pending(&self, id: MsgId) -> Option<&Pending> {
        self.publishers.get(&id.publisher)?.unicasts.get(id.counter)
    }

    pub(super) fn pending_mut(&mut self, id: MsgId) -> Option<&mut Pending> {
        self.publishers.get_mut(&id.publisher)?.unicasts.get_mut(id.counter)
    }

    /// No candidate is left.
    pub(super) fn exhausted(&mut self, id: MsgId) {
        let Some(pending) = self.pending(id) else { return };
        if !pending.doubted.is_empty() {
            return; // Somebody may handle it still.
        }
        let (code, reason) = match pending.reason {
            None => (Code::NoSubscriber, Reason::NoSubscriber),
            Some(reason) if pending.reached => (Code::SubscriberUnreachable, reason),
            Some(reason) => (Code::NoSubscriber, reason),
        };
        self.finish(id, |counter| Outcome { code, reason, ..success(counter) });
    }

    /// Time is up, nobody has appeared, or nothing is heard of it.
    pub(super) fn unicast_expired(&mut self, now: Instant, id: MsgId) {
        let has_waited = |pending: &Pending| pending.held_until.is_some_and(|until| until <= now);
        if self.pending(id).is_some_and(|pending| pending.is_parked && has_waited(pending)) {
            return self.exhausted(id);
        }
        if self.pending(id).is_some_and(|pending| now < pending.deadline) {
            return self.silent(now, id);
        }
        let (code, reason) = (Code::TimedOut, Reason::Deadline);
        self.finish(id, |counter| Outcome { code, reason, ..success(counter) });
    }

    /// Ends a unicast; attempts and nodes tried are filled in here.
    fn finish(&mut self, id: MsgId, outcome: impl FnOnce(u64) -> Outcome) {
        let Some(publisher) = self.publishers.get_mut(&id.publisher) else { return };
        let known = |pending: &mut Pending| {
            (pending.attempts, std::mem::take(&mut pending.tried), pending.payload.len())
        };
        let Some((attempts, tried, bytes)) = publisher.unicasts.end(id.counter, known) else {
            return;
        };
        let party = publisher.party;
        let outcome = Outcome { attempts, tried, ..outcome(id.counter) };
        if outcome.code != Code::Ok {
            let Outcome { code, reason, attempts, .. } = outcome;
            self.recorder.note(self.now, id, Step::Ended { party, code, reason, attempts });
        }
        self.tell_client(id.publisher, NodeMessage::Outcome(outcome));
        self.ended(id.publisher, 1, bytes);
    }

    /// Whether the unicast is with this subscriber at this place, in this attempt.
    fn is_with(&self, id: MsgId, attempt: u32, place: Place, subscriber: Instance) -> bool {
        self.pending(id).is_some_and(|pending| pending.is_with(attempt, place, subscriber))
    }

    /// As home node: the exit node says that the subscriber answered.
    pub(super) fn answered(&mut self, node: NodeId, answer: PeerAnswer) {
        let place = if node == self.id { Place::Here } else { Place::Node(node) };
        let is_asked = self.is_with(answer.id, answer.attempt, place, answer.subscriber);
        let is_doubted =
            |pending: &Pending| pending.is_doubted(answer.attempt, place, answer.subscriber);
        if !is_asked && !self.pending(answer.id).is_some_and(is_doubted) {
            return self.unasked(node, answer.id, answer.attempt, answer.subscriber);
        }
        let by = self.table.name_of(node).unwrap_or(&self.name).clone();
        self.note_answered(node, &answer);
        self.finish(answer.id, |counter| Outcome {
            status: answer.status,
            answered_by: Some(by),
            payload: answer.payload,
            ..success(counter)
        });
    }

    /// As home node: the exit node says that the subscriber will never handle it.
    pub(super) fn refused(&mut self, now: Instant, node: NodeId, refusal: &PeerRefusal) {
        let place = if node == self.id { Place::Here } else { Place::Node(node) };
        let &PeerRefusal { id, attempt, reason, subscriber, fenced } = refusal;
        if !self.is_with(id, attempt, place, subscriber) {
            self.unasked(node, id, attempt, subscriber);
            self.doubted_refused(now, refusal, place);
        } else if reason == Reason::KeyReused && self.is_first(id) {
            let code = Code::IdReused;
            self.finish(id, |counter| Outcome { code, reason, ..success(counter) });
        } else {
            if fenced && let Some(pending) = self.pending_mut(id) {
                pending.clear(subscriber);
            }
            self.copy_refused(now, id, place, reason, fenced);
        }
    }
}

/// An outcome to start from.
pub(super) fn success(counter: u64) -> Outcome {
    Outcome {
        counter,
        code: Code::Ok,
        reason: Reason::Unspecified,
        attempts: 0,
        status: AnswerStatus::Answered,
        answered_by: None,
        tried: Vec::new(),
        retry_after: None,
        payload: Bytes::new(),
    }
}
