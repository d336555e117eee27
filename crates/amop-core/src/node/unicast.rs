//! Unicasts: chosen, waited for and failed over by the home node, pushed by the exit node.
//!
//! ```text
//!  publish ─▶ choose ─▶ try ──────▶ answered ─▶ 0
//!               ▲        │ refused    (definite: the next candidate; none left: 100 or 101)
//!               └────────┤
//!                        └ no word    (doubt: stay with this subscriber until the deadline: 102)
//! ```
//!
//! The exit node keeps nothing of a unicast: the delivery names home node, id and attempt, and the
//! answer repeats them. The home node takes an answer only from the subscriber that it chose, as
//! the exit node attests it.

use bytes::Bytes;

use amop_wire::limits::TRIED_MAX;
use amop_wire::{
    Answer, AnswerStatus, Attempt, Code, Delivery, Instance, Instant, MsgId, Name, NodeId,
    NodeMessage, Outcome, PeerAnswer, PeerMessage, PeerRefusal, Publish, Reason, Refuse, Request,
    Topic,
};

use amop_topic_table::Place;

use super::{LinkId, Node};

/// A unicast of one of our clients that has no outcome yet.
#[derive(Debug)]
pub(super) struct Pending {
    topic: Topic,
    payload: Bytes,
    deadline: Instant,
    /// How many subscribers were tried, the present one included.
    attempts: u32,
    /// Whom the message is with, and where.
    chosen: Option<(Place, Instance)>,
    /// Who said a definite no.
    excluded: Vec<Instance>,
    /// The nodes of those.
    tried: Vec<Name>,
    /// What the last of those said.
    reason: Option<Reason>,
    /// Whether any of their nodes was reached.
    reached: bool,
}

impl Pending {
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Notes a definite no of the subscriber that was chosen, at this node.
    fn exclude(&mut self, reason: Reason, name: Option<&Name>) {
        let Some((_, instance)) = self.chosen.take() else { return };
        self.excluded.push(instance);
        self.reason = Some(reason);
        self.reached |= reason != Reason::NoPath;
        self.tried.extend(name.filter(|_| self.tried.len() < TRIED_MAX).cloned());
    }
}

impl Node {
    /// As home node: one of our clients wants an answer.
    pub(super) fn request(&mut self, now: Instant, instance: Instance, publish: Publish) {
        let Some(publisher) = self.publishers.get_mut(&instance) else { return };
        let Publish { counter, ttl, topic, payload, .. } = publish;
        let deadline = now + ttl;
        let pending = Pending {
            topic,
            payload,
            deadline,
            attempts: 0,
            chosen: None,
            excluded: Vec::new(),
            tried: Vec::new(),
            reason: None,
            reached: false,
        };
        publisher.wake_by(deadline, instance, &mut self.timers);
        publisher.unicasts.push(counter, pending);
        self.try_next(now, MsgId { publisher: instance, counter });
    }

    /// Tries the subscriber that is next by the choice, or ends the unicast when none is left.
    fn try_next(&mut self, now: Instant, id: MsgId) {
        loop {
            let Some(publisher) = self.publishers.get_mut(&id.publisher) else { return };
            let Some(pending) = publisher.unicasts.get_mut(id.counter) else { return };
            let Some(candidate) = self.table.choose(&pending.topic, id, &pending.excluded) else {
                return self.exhausted(id);
            };
            pending.attempts += 1;
            pending.chosen = Some((candidate.place, candidate.instance));
            let attempt = pending.attempts;
            let ttl = pending.deadline.saturating_since(now);
            let (topic, payload) = (pending.topic.clone(), pending.payload.clone());
            let (from, subscriber) = (publisher.name.clone(), candidate.instance);
            let refusal = match candidate.place {
                Place::Here => {
                    let attempt = Attempt { home: self.id, id, number: attempt };
                    let delivery = Delivery { attempt, ttl, from, topic, payload };
                    self.push(subscriber, delivery).err()
                }
                Place::Node(node) => {
                    let exit_epoch = self.table.version_of(node).unwrap_or_default().epoch;
                    let request =
                        Request { id, ttl, attempt, subscriber, exit_epoch, from, topic, payload };
                    let sent = self.tell_node(node, PeerMessage::Request(request));
                    (!sent).then_some(Reason::NoPath)
                }
            };
            match refusal {
                None => return,
                Some(reason) => self.exclude(id, candidate.place, reason),
            }
        }
    }

    fn exclude(&mut self, id: MsgId, place: Place, reason: Reason) {
        let name = match place {
            Place::Here => Some(&self.name),
            Place::Node(node) => self.table.name_of(node),
        };
        let publisher = self.publishers.get_mut(&id.publisher);
        if let Some(pending) = publisher.and_then(|open| open.unicasts.get_mut(id.counter)) {
            pending.exclude(reason, name);
        }
    }

    fn pending(&self, id: MsgId) -> Option<&Pending> {
        self.publishers.get(&id.publisher)?.unicasts.get(id.counter)
    }

    /// No candidate is left.
    fn exhausted(&mut self, id: MsgId) {
        let Some(pending) = self.pending(id) else { return };
        let (code, reason) = match pending.reason {
            None => (Code::NoSubscriber, Reason::NoSubscriber),
            Some(reason) if pending.reached => (Code::SubscriberUnreachable, reason),
            Some(reason) => (Code::NoSubscriber, reason),
        };
        self.finish(id, |counter| Outcome { code, reason, ..success(counter) });
    }

    pub(super) fn unicast_expired(&mut self, id: MsgId) {
        let (code, reason) = (Code::TimedOut, Reason::Deadline);
        self.finish(id, |counter| Outcome { code, reason, ..success(counter) });
    }

    /// Ends a unicast; attempts and nodes tried are filled in here.
    fn finish(&mut self, id: MsgId, outcome: impl FnOnce(u64) -> Outcome) {
        let Some(publisher) = self.publishers.get_mut(&id.publisher) else { return };
        let Some(pending) = publisher.unicasts.remove(id.counter) else { return };
        let Pending { attempts, tried, .. } = pending;
        let outcome = Outcome { attempts, tried, ..outcome(id.counter) };
        self.tell_client(id.publisher, NodeMessage::Outcome(outcome));
        self.ended(id.publisher, 1);
    }

    /// Whether the unicast is with this subscriber at this place, in this attempt.
    fn is_with(&self, id: MsgId, attempt: u32, place: Place, subscriber: Instance) -> bool {
        self.pending(id).is_some_and(|pending| {
            pending.chosen == Some((place, subscriber)) && pending.attempts == attempt
        })
    }

    /// As home node: the exit node says that the subscriber answered.
    pub(super) fn answered(&mut self, node: NodeId, answer: PeerAnswer) {
        let place = if node == self.id { Place::Here } else { Place::Node(node) };
        if !self.is_with(answer.id, answer.attempt, place, answer.subscriber) {
            return; // Too late, or from somebody who was not asked.
        }
        let by = self.table.name_of(node).unwrap_or(&self.name).clone();
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
        if self.is_with(refusal.id, refusal.attempt, place, refusal.subscriber) {
            self.exclude(refusal.id, place, refusal.reason);
            self.try_next(now, refusal.id);
        }
    }

    /// As exit node: pushes a unicast to the subscriber that the home node chose.
    pub(super) fn push_request(&mut self, home: NodeId, request: Request) {
        let Request { id, ttl, attempt, subscriber, exit_epoch, from, topic, payload } = request;
        let refusal = if exit_epoch != self.epoch {
            Err(Reason::StaleEpoch)
        } else if ttl.is_zero() {
            Err(Reason::Deadline)
        } else {
            let attempt = Attempt { home, id, number: attempt };
            self.push(subscriber, Delivery { attempt, ttl, from, topic, payload })
        };
        if let Err(reason) = refusal {
            let refusal = PeerRefusal { id, attempt, reason, subscriber };
            self.tell_node(home, PeerMessage::Refusal(refusal));
        }
    }

    /// Pushes a unicast to an attached subscriber, or says the definite reason why not.
    fn push(&mut self, subscriber: Instance, delivery: Delivery) -> Result<(), Reason> {
        let session = self.sessions.get(&subscriber).ok_or(Reason::SubscriberGone)?;
        if !session.topics.contains(&delivery.topic) {
            return Err(Reason::NotSubscribed);
        }
        self.tell_client(subscriber, NodeMessage::Delivery(delivery));
        Ok(())
    }

    /// As exit node: one of our clients answered.
    pub(super) fn answer(&mut self, subscriber: Instance, answer: Answer) {
        let Answer { attempt: Attempt { home, id, number }, status, payload } = answer;
        let answer = PeerAnswer { id, attempt: number, status, subscriber, payload };
        if home == self.id {
            self.answered(home, answer);
        } else {
            self.tell_node(home, PeerMessage::Answer(answer));
        }
    }

    /// As exit node: one of our clients will never handle a unicast.
    pub(super) fn refuse(&mut self, now: Instant, subscriber: Instance, refuse: &Refuse) {
        let Attempt { home, id, number } = refuse.attempt;
        let refusal = PeerRefusal { id, attempt: number, reason: refuse.reason, subscriber };
        if home == self.id {
            self.refused(now, home, &refusal);
        } else {
            self.tell_node(home, PeerMessage::Refusal(refusal));
        }
    }

    /// The driver had no room for a message to a client.
    pub(super) fn unsent_to_client(&mut self, now: Instant, link: LinkId, message: NodeMessage) {
        let Some(super::Link::Client { instance: Some(instance), .. }) = self.links.get(&link)
        else {
            return;
        };
        let instance = *instance;
        match message {
            NodeMessage::Multicast(_) => self.delivery_unsent(instance),
            NodeMessage::Delivery(delivery) => {
                let refuse = Refuse { attempt: delivery.attempt, reason: Reason::SubscriberBusy };
                self.refuse(now, instance, &refuse);
            }
            // An outcome that is lost reads as 102 at the client, a receipt as unknown.
            NodeMessage::Attached { .. }
            | NodeMessage::Subscribed { .. }
            | NodeMessage::Outcome(_)
            | NodeMessage::Receipts(_) => {}
        }
    }

    /// The driver had no room for a message to a peer.
    pub(super) fn unsent_to_peer(&mut self, now: Instant, link: LinkId, message: PeerMessage) {
        let Some(super::Link::Peer { node, .. }) = self.links.get(&link) else { return };
        let node = *node;
        match message {
            PeerMessage::Relay(relay) => self.relay_unsent(now, relay),
            message => self.never_sent(now, node, message),
        }
    }

    /// A message to another node did not leave, or came back: it was not handled and never will be.
    pub(super) fn never_sent(&mut self, now: Instant, node: NodeId, message: PeerMessage) {
        match message {
            PeerMessage::Request(Request { id, attempt, subscriber, .. }) => {
                let refusal = PeerRefusal { id, attempt, reason: Reason::NoPath, subscriber };
                self.refused(now, node, &refusal);
            }
            PeerMessage::Multicast(multicast) => self.copy_unsent(node, multicast.id),
            // Answers and receipts that are lost leave doubt, tables are told again.
            PeerMessage::Answer(_)
            | PeerMessage::Refusal(_)
            | PeerMessage::Receipts(_)
            | PeerMessage::Greeting(_)
            | PeerMessage::Summary(_)
            | PeerMessage::Heartbeat(_)
            | PeerMessage::Pull(_)
            | PeerMessage::Snapshot(_)
            | PeerMessage::Changes(_)
            | PeerMessage::Relay(_)
            | PeerMessage::Returned(_) => {}
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
        payload: Bytes::new(),
    }
}
