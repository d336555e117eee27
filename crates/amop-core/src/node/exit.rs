//! Unicasts as an exit node has them: pushed, and passed back answered or refused. It keeps nothing
//! of them.

use amop_wire::{
    Answer, Attempt, Delivery, Instance, Instant, NodeId, NodeMessage, PeerAnswer, PeerMessage,
    PeerRefusal, Reason, Refuse, Request,
};

use super::Node;

impl Node {
    /// Pushes a unicast to the subscriber that the home node chose.
    pub(super) fn push_request(&mut self, home: NodeId, request: Request) {
        let Request { id, ttl, attempt, subscriber, exit_epoch, terms, from, topic, payload } =
            request;
        let refusal = if !(self.born..=self.epoch).contains(&exit_epoch) {
            Err(Reason::StaleEpoch)
        } else if ttl.is_zero() {
            Err(Reason::Deadline)
        } else {
            let attempt = Attempt { home, id, number: attempt };
            self.push(subscriber, Delivery { attempt, ttl, terms, from, topic, payload })
        };
        if let Err(reason) = refusal {
            let refusal = PeerRefusal { id, attempt, reason, subscriber, fenced: false };
            self.note_not_pushed(home, &refusal);
            self.reply_to(home, PeerMessage::Refusal(refusal));
        }
    }

    /// Pushes a unicast to an attached subscriber, or says the definite reason why not.
    pub(super) fn push(&mut self, subscriber: Instance, delivery: Delivery) -> Result<(), Reason> {
        let session = self.sessions.get(&subscriber).ok_or(Reason::SubscriberGone)?;
        if !session.topics.contains(&delivery.topic) {
            return Err(Reason::NotSubscribed);
        }
        let to = session.party;
        self.note_pushed(subscriber, to, &delivery);
        self.tell_client(subscriber, NodeMessage::Delivery(delivery));
        Ok(())
    }

    /// One of our clients answered.
    pub(super) fn answer(&mut self, subscriber: Instance, answer: Answer) {
        let Answer { attempt: Attempt { home, id, number }, status, payload } = answer;
        let answer = PeerAnswer { id, attempt: number, status, subscriber, payload };
        self.note_replied(home, &answer);
        if home == self.id {
            self.answered(home, answer);
        } else {
            self.reply_to(home, PeerMessage::Answer(answer));
        }
    }

    /// One of our clients will never handle a unicast.
    pub(super) fn refuse(&mut self, now: Instant, subscriber: Instance, refuse: &Refuse) {
        let Attempt { home, id, number } = refuse.attempt;
        let Refuse { reason, fenced, .. } = *refuse;
        let refusal = PeerRefusal { id, attempt: number, reason, subscriber, fenced };
        self.note_declined(home, &refusal);
        if home == self.id {
            self.refused(now, home, &refusal);
        } else {
            self.reply_to(home, PeerMessage::Refusal(refusal));
        }
    }
}
