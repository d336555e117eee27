//! What of each message is written down, told by those who decide it.
//!
//! Relays read nothing of what they pass on. They write down between whom it travels, which its wrapper says,
//! and the [`Mark`] of its header, by which the ends can ask for it; who does not know the header cannot.

use amop_topic_table::{Branch, Place};
use amop_wire::{
    Delivery, Instance, Mode, MsgId, NodeId, Outcome, Path, PeerAnswer, PeerMessage,
    PeerReceiptRun, PeerRefusal, Publish, Reason, Relay,
};
use bytes::Bytes;

use super::Node;
use super::pending::{Pending, Seat};
use super::record::{Mark, NodeTag, Party, Relayed, Step, TopicTag};

impl Node {
    /// As home node: a publish was not taken.
    pub(super) fn note_not_accepted(
        &mut self,
        instance: Instance,
        outcome: &Outcome,
        of: &Publish,
    ) {
        let Some(publisher) = self.publishers.get(&instance) else { return };
        let step = Step::NotAccepted {
            party: publisher.party,
            length: length_of(&of.payload),
            topic: TopicTag::of(&of.topic),
            code: outcome.code,
            reason: outcome.reason,
        };
        self.note(MsgId { publisher: instance, counter: of.counter }, step);
    }

    /// As home node: a copy will never be handled.
    pub(super) fn note_refused(
        &mut self,
        id: MsgId,
        place: Place,
        subscriber: Instance,
        reason: Reason,
    ) {
        let Some(pending) = self.pending(id) else { return };
        let attempt = pending.attempt();
        let node = NodeTag::of(self.node_at(place));
        self.note(id, Step::Refused { node, subscriber, attempt, reason });
    }

    /// As home node: the answer came.
    pub(super) fn note_answered(&mut self, node: NodeId, answer: &PeerAnswer) {
        let &PeerAnswer { id, attempt, subscriber, .. } = answer;
        self.note(id, Step::Answered { node: NodeTag::of(node), subscriber, attempt });
    }

    /// As exit node: a unicast goes to a subscriber.
    pub(super) fn note_pushed(&mut self, subscriber: Instance, to: Party, delivery: &Delivery) {
        let from = self.recorder.party(&delivery.from);
        let step = Step::Pushed {
            home: NodeTag::of(delivery.attempt.home),
            subscriber,
            attempt: delivery.attempt.number,
            from,
            to,
            length: length_of(&delivery.payload),
            waiting: bounded(self.memory.held()),
        };
        self.note(delivery.attempt.id, step);
    }

    /// As exit node: a unicast is refused before it is pushed.
    pub(super) fn note_not_pushed(&mut self, home: NodeId, refusal: &PeerRefusal) {
        let &PeerRefusal { id, attempt, reason, subscriber, .. } = refusal;
        let home = NodeTag::of(home);
        self.note(id, Step::NotPushed { home, subscriber, attempt, reason });
    }

    /// As exit node: a subscriber answered.
    pub(super) fn note_replied(&mut self, home: NodeId, answer: &PeerAnswer) {
        let &PeerAnswer { id, attempt, subscriber, .. } = answer;
        self.note(id, Step::Replied { home: NodeTag::of(home), subscriber, attempt });
    }

    /// As exit node: a subscriber, or its link, refused.
    pub(super) fn note_declined(&mut self, home: NodeId, refusal: &PeerRefusal) {
        let &PeerRefusal { id, attempt, reason, subscriber, .. } = refusal;
        let home = NodeTag::of(home);
        self.note(id, Step::Declined { home, subscriber, attempt, reason });
    }

    /// As exit node: what became of multicasts here goes to their home node.
    pub(super) fn note_reported(&mut self, home: NodeId, runs: &[PeerReceiptRun]) {
        let home = NodeTag::of(home);
        for &PeerReceiptRun { first, count, receipt } in runs {
            for nth in 0..count {
                // Its publisher's node has numbered it, and may have come to the last number.
                let counter = first.counter.wrapping_add(nth.into());
                self.note(MsgId { counter, ..first }, Step::Reported { home, receipt });
            }
        }
    }

    /// A message of this node goes over others.
    pub(super) fn note_routed(&mut self, message: &PeerMessage, path: &Path, header: &[u8]) {
        let id = match message {
            PeerMessage::Request(request) => request.id,
            PeerMessage::Answer(answer) => answer.id,
            PeerMessage::Refusal(refusal) => refusal.id,
            PeerMessage::Multicast(multicast) => multicast.id,
            _ => return,
        };
        let via = NodeTag::of(path.nodes()[1]);
        let hops = u8::try_from(path.nodes().len() - 1).expect("a path has 8 hops at most");
        self.note(id, Step::Routed { via, mark: Mark::of(header), hops });
    }

    /// A multicast of this node goes to several others, the first of which passes it on.
    pub(super) fn note_branched(&mut self, id: MsgId, part: Branch<'_>, header: &[u8]) {
        let hops = part.stops().iter().map(|stop| stop.depth).max().unwrap_or(1);
        let via = NodeTag::of(part.node());
        self.note(id, Step::Routed { via, mark: Mark::of(header), hops });
    }

    /// A message between other nodes is passed on, or given back.
    pub(super) fn note_relayed(&mut self, relay: &Relay, step: fn(Relayed) -> Step) {
        let (nodes, position) = (relay.path.nodes(), relay.position);
        let between = Relayed {
            source: NodeTag::of(relay.path.source()),
            from: NodeTag::of(nodes[position - 1]),
            to: NodeTag::of(nodes[position + 1]),
            target: NodeTag::of(relay.path.target()),
        };
        self.note(Mark::of(&relay.frame.header).as_id(), step(between));
    }

    /// A multicast that came this way is passed on to the nodes of this part of its tree.
    pub(super) fn note_passed_on(&mut self, way: &[NodeId], part: Branch<'_>, header: &[u8]) {
        let (Some(source), Some(from)) = (way.first(), way.iter().nth_back(1)) else { return };
        let target = part.stops().iter().rfind(|stop| stop.is_exit).map_or(part.node(), |s| s.node);
        let between = Relayed {
            source: NodeTag::of(*source),
            from: NodeTag::of(*from),
            to: NodeTag::of(part.node()),
            target: NodeTag::of(target),
        };
        self.note(Mark::of(header).as_id(), Step::Relayed(between));
    }
}

/// A publish of somebody of this agency was taken.
pub(super) fn accepted(party: Party, publish: &Publish) -> Step {
    Step::Accepted {
        party,
        length: length_of(&publish.payload),
        topic: TopicTag::of(&publish.topic),
        is_multicast: publish.mode == Mode::Multicast,
    }
}

/// A copy is about to go to the subscriber in this seat, of so many, while so much is held.
pub(super) fn sent(
    own: NodeId,
    pending: &Pending,
    seat: Seat,
    of: Option<usize>,
    held: usize,
) -> Step {
    let node = match seat.at.place {
        Place::Here => own,
        Place::Node(node) => node,
    };
    Step::Sent {
        node: NodeTag::of(node),
        subscriber: seat.at.instance,
        attempt: pending.attempt(),
        nth: u8::try_from(pending.attempts).unwrap_or(u8::MAX),
        of: bounded(of.unwrap_or_default()),
        waiting: bounded(held),
        is_again: of.is_none(),
    }
}

/// How long a payload is.
pub(super) fn length_of(payload: &Bytes) -> u32 {
    bounded(payload.len())
}

fn bounded(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
