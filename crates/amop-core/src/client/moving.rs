//! Moving away from a node that stops, without missing anything.
//!
//! ```text
//!  old link ─────────Draining──────────multicasts──────▶│ closed
//!                           Leave│                      │
//!  new link                      └─Attach──Connected────┴──multicasts──▶
//!                                              └ PARTING┘
//! ```
//!
//! The old link is kept until every node knows where the client is now, and what was on its way to the
//! old place has come. Nothing is published there any more; what comes is taken, and multicasts are acked
//! there. What comes on the new link may have overtaken what comes on the old one, so multicasts wait there
//! for a moment, and go out in the order in which they came.

use std::collections::VecDeque;
use std::time::Duration;

use amop_wire::{AckEnd, AckRun, ClientMessage, Gen, Instant, NodeMessage, Topic};

use super::{Client, Delivered, Effect, Wanted};
use crate::runs::take_lots;

/// How far a client is with moving.
#[derive(Debug, Default)]
pub(super) struct Moving {
    old: Option<Old>,
    /// Multicasts of the new link, and until when they wait at most.
    waiting: VecDeque<(Instant, Delivered)>,
    waiting_bytes: usize,
    /// Whether what is replied now is to something that the old link brought.
    pub(super) replies_go_back: bool,
}

/// The link that is parted from.
#[derive(Debug)]
pub(super) struct Old {
    pub(super) generation: Gen,
    /// How many multicasts it has brought.
    pub(super) multicasts: u64,
    pub(super) acks: Vec<AckRun>,
    /// When it is needed no longer, once that is known.
    part_at: Option<Instant>,
}

impl Moving {
    /// The link that is parted from, if it is this one.
    pub(super) fn old(&mut self, generation: Gen) -> Option<&mut Old> {
        self.old.as_mut().filter(|old| old.generation == generation)
    }

    /// How many links it still has beside the one that it is connected on, and how many multicasts wait for
    /// them: bytes without a multicast count as one.
    pub(super) fn loose_ends(&self) -> usize {
        usize::from(self.old.is_some()) + self.waiting.len().max(self.waiting_bytes.min(1))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let part_at = self.old.as_ref().and_then(|old| old.part_at);
        self.waiting.iter().map(|&(until, _)| until).chain(part_at).min()
    }
}

impl Client {
    /// Another link takes the place of the one that the client is connected on.
    pub(super) fn part_from_link(&mut self) {
        self.deliver_all_waiting(); // One that was the old one before brings nothing more.
        let (generation, multicasts) = (self.generation, self.multicasts);
        let acks = std::mem::take(&mut self.acks);
        self.moving.old = Some(Old { generation, multicasts, acks, part_at: None });
    }

    /// The new node holds all subscriptions.
    pub(super) fn has_moved(&mut self, now: Instant) {
        if let Some(old) = &mut self.moving.old {
            old.part_at = Some(now + PARTING);
        }
    }

    /// The old link has ended.
    pub(super) fn parted(&mut self) {
        self.moving.old = None;
        self.deliver_all_waiting();
    }

    /// The old link brought something.
    pub(super) fn handle_parting(&mut self, now: Instant, message: NodeMessage) {
        let Some(old) = &mut self.moving.old else { return };
        match message {
            NodeMessage::Multicast(multicast) => {
                let place = (old.generation, old.multicasts);
                old.multicasts += 1;
                self.take_multicast(now, place, multicast);
            }
            NodeMessage::Delivery(delivery) => {
                // The new node was not asked, so a word from there counts only once this client is known
                // to be there, with this subscription.
                self.moving.replies_go_back = true;
                self.delivery(now, delivery);
                self.moving.replies_go_back = false;
            }
            // Nothing was published there without an end, and the new node tells what others do.
            NodeMessage::Outcome(_)
            | NodeMessage::Receipts(_)
            | NodeMessage::Subscribed { .. }
            | NodeMessage::Propagated { .. }
            | NodeMessage::Attached { .. }
            | NodeMessage::Watched(_)
            | NodeMessage::Handshake(_)
            | NodeMessage::Outlived { .. }
            | NodeMessage::Draining => {}
        }
    }

    /// Hands a multicast to the application, or has it wait for what may come on the old link.
    pub(super) fn deliver_in_turn(&mut self, now: Instant, delivered: Delivered) {
        let is_new = delivered.generation == self.generation;
        if !is_new || self.moving.old.is_none() {
            self.deliver_those_before(&delivered);
            return self.effects.push_back(Effect::Deliver(delivered));
        }
        let Moving { waiting, waiting_bytes, .. } = &mut self.moving;
        let left = delivered.expires.saturating_since(now);
        *waiting_bytes += delivered.payload.len();
        waiting.push_back((now + WAIT.min(left / 2), delivered));
        self.deliver_waiting(now);
    }

    /// Hands out what waits of the same publisher and topic and has a smaller number: after this one it would
    /// be too late for it. Such a one has come on both links, and sooner on the new one.
    fn deliver_those_before(&mut self, next: &Delivered) {
        let is_before = |(_, waiting): &(Instant, Delivered)| {
            let is_of_row =
                waiting.id.publisher == next.id.publisher && waiting.topic == next.topic;
            is_of_row && waiting.sequence < next.sequence
        };
        if !self.moving.waiting.iter().any(is_before) {
            return;
        }
        let all = std::mem::take(&mut self.moving.waiting);
        let (before, others): (VecDeque<_>, _) = all.into_iter().partition(is_before);
        self.moving.waiting = others;
        for (_, delivered) in before {
            self.moving.waiting_bytes -= delivered.payload.len();
            self.effects.push_back(Effect::Deliver(delivered));
        }
    }

    /// Hands out what has waited long enough, and whatever came before it.
    pub(super) fn deliver_waiting(&mut self, now: Instant) {
        let Moving { waiting, waiting_bytes, .. } = &mut self.moving;
        let is_due = |&(until, _): &(Instant, Delivered)| until <= now;
        let mut due = waiting.iter().rposition(is_due).map_or(0, |last| last + 1);
        while due > 0 || *waiting_bytes > WAITING_BYTES_MAX || waiting.len() > WAITING_MAX {
            let Some((_, delivered)) = waiting.pop_front() else { return };
            due = due.saturating_sub(1);
            *waiting_bytes -= delivered.payload.len();
            self.effects.push_back(Effect::Deliver(delivered));
        }
    }

    fn deliver_all_waiting(&mut self) {
        self.moving.waiting_bytes = 0;
        let waiting = self.moving.waiting.drain(..);
        self.effects.extend(waiting.map(|(_, delivered)| Effect::Deliver(delivered)));
    }

    /// The application wants nothing of a topic any more.
    pub(super) fn refuse_waiting(&mut self, topic: &Topic) {
        let waiting = std::mem::take(&mut self.moving.waiting);
        for (until, delivered) in waiting {
            match delivered.wanted {
                Wanted::Ack(number) if delivered.topic == *topic => {
                    self.moving.waiting_bytes -= delivered.payload.len();
                    self.ack(delivered.generation, number, AckEnd::Refused);
                }
                Wanted::Ack(_) | Wanted::Answer(_) => {
                    self.moving.waiting.push_back((until, delivered));
                }
            }
        }
    }

    /// Does what is due of a move at `now`.
    pub(super) fn move_on(&mut self, now: Instant) {
        self.deliver_waiting(now);
        let part_at = self.moving.old.as_ref().and_then(|old| old.part_at);
        if part_at.is_some_and(|at| at <= now) {
            self.send_parting_acks();
            self.parted();
            self.effects.push_back(Effect::Part);
        }
    }

    pub(super) fn send_parting_acks(&mut self) {
        let Some(old) = &mut self.moving.old else { return };
        for lot in take_lots(&mut old.acks) {
            self.effects.push_back(Effect::SendOld(ClientMessage::Acks(lot)));
        }
    }
}

/// How long the old link is kept once the new node holds all subscriptions: so long it takes at most until
/// every node knows of them, and until what was sent before has come.
const PARTING: Duration = Duration::from_secs(1);

/// By how much what comes on the new link may have overtaken what comes on the old one.
const WAIT: Duration = Duration::from_millis(250);

/// Past either, what came first waits no longer. A node has no more deliveries without an ack at a client.
const WAITING_BYTES_MAX: usize = 16 << 20;
const WAITING_MAX: usize = 16_384;

#[cfg(test)]
mod tests {
    use amop_wire::{
        Attempt, Delivery, Epoch, Instance, MsgId, Multicast, NodeId, Reason, Refuse, Terms,
    };

    use super::super::Input;
    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    fn at(millis: u64) -> Instant {
        Instant::default() + Duration::from_millis(millis)
    }

    /// What comes of an input: the sequences that are handed out, and whether the old link is closed.
    fn handed_out(client: &mut Client, now: Instant, input: Input) -> (Vec<u64>, bool) {
        client.handle(now, input);
        let effects: Vec<Effect> = std::iter::from_fn(|| client.poll_effect()).collect();
        let sequence = |effect: &Effect| match effect {
            Effect::Deliver(delivered) => Some(delivered.sequence),
            _ => None,
        };
        (effects.iter().filter_map(sequence).collect(), effects.contains(&Effect::Part))
    }

    fn multicast(sequence: u64) -> NodeMessage {
        NodeMessage::Multicast(Multicast {
            id: MsgId { publisher: Instance(9), counter: sequence },
            ttl: TTL,
            sequence,
            from: "app.sdk.bank.amop".parse().unwrap(),
            topic: "t".parse().unwrap(),
            sealed: false,
            payload: "news".into(),
        })
    }

    fn link(client: &mut Client, now: Instant, node: u8) {
        let node = NodeId::from_bytes([node; 32]);
        handed_out(client, now, Input::LinkUp { node });
        handed_out(
            client,
            now,
            Input::Message(NodeMessage::Attached {
                epoch: Epoch(1),
                in_flight: amop_wire::InFlight::default(),
            }),
        );
        let (topic, code) = ("t".parse().unwrap(), amop_wire::Code::Ok);
        let subscribed = NodeMessage::Subscribed { topic, code, reason: Reason::Unspecified };
        handed_out(client, now, Input::Message(subscribed));
    }

    /// A client that has moved from one node to another at 0 ms.
    fn moved() -> Client {
        let mut client = Client::new(Instance(1));
        client.handle(at(0), Input::Subscribe("t".parse().unwrap()));
        link(&mut client, at(0), 1);
        handed_out(&mut client, at(0), Input::Message(NodeMessage::Draining));
        link(&mut client, at(0), 2);
        client
    }

    /// DRAIN-5: what comes on the new link waits for what comes on the old one, for a moment.
    #[test]
    fn what_comes_on_the_new_link_goes_out_after_what_comes_on_the_old_one() {
        let mut client = moved();
        assert_eq!(handed_out(&mut client, at(10), Input::Message(multicast(2))).0, []);
        assert_eq!(handed_out(&mut client, at(20), Input::OldMessage(multicast(1))).0, [1]);
        assert_eq!(handed_out(&mut client, at(259), Input::Timeout).0, []);
        assert_eq!(client.poll_timeout(), Some(at(260)));
        assert_eq!(handed_out(&mut client, at(260), Input::Timeout).0, [2]);
    }

    /// DRAIN-5: each of the first two has come on both links, and on the new one sooner.
    #[test]
    fn what_waits_goes_out_before_what_follows_it_on_the_old_link() {
        let mut client = moved();
        for sequence in [2, 3, 7] {
            assert_eq!(handed_out(&mut client, at(10), Input::Message(multicast(sequence))).0, []);
        }
        let NodeMessage::Multicast(mut of_another) = multicast(1) else { unreachable!() };
        of_another.id.publisher = Instance(10);
        let of_another = NodeMessage::Multicast(of_another);
        assert_eq!(handed_out(&mut client, at(11), Input::Message(of_another)).0, []);
        for sequence in [2, 3] {
            let copy = Input::OldMessage(multicast(sequence));
            assert_eq!(handed_out(&mut client, at(20), copy).0, []);
        }
        assert_eq!(handed_out(&mut client, at(30), Input::OldMessage(multicast(4))).0, [2, 3, 4]);
        assert_eq!(handed_out(&mut client, at(261), Input::Timeout).0, [7, 1], "those wait on");
    }

    /// DRAIN-5: the old link is kept for a second, and nothing waits once it is gone.
    #[test]
    fn nothing_waits_once_the_old_link_is_gone() {
        let mut client = moved();
        handed_out(&mut client, at(900), Input::Message(multicast(1)));
        assert_eq!(handed_out(&mut client, at(1000), Input::Timeout), (vec![1], true));
        assert_eq!(handed_out(&mut client, at(1001), Input::Message(multicast(2))).0, [2]);
        let mut client = moved();
        handed_out(&mut client, at(10), Input::Message(multicast(1)));
        assert_eq!(handed_out(&mut client, at(20), Input::OldLinkDown).0, [1]);
    }

    /// DRAIN-5: the new node stops as well, before the client has parted from the old one.
    #[test]
    fn who_moves_twice_gets_what_waited_before_what_comes_next() {
        let mut client = moved();
        handed_out(&mut client, at(10), Input::Message(multicast(1)));
        handed_out(&mut client, at(11), Input::Message(NodeMessage::Draining));
        let node = NodeId::from_bytes([3; 32]);
        assert_eq!(handed_out(&mut client, at(20), Input::LinkUp { node }).0, [1]);
        assert_eq!(handed_out(&mut client, at(30), Input::OldMessage(multicast(2))).0, [2]);
    }

    /// DRAIN-5: multicasts are acked where they came from.
    #[test]
    fn what_came_on_the_old_link_is_acked_there() {
        let mut client = moved();
        handed_out(&mut client, at(10), Input::OldMessage(multicast(1)));
        let ack = Input::Ack { generation: Gen(1), number: 0, refused: false };
        handed_out(&mut client, at(20), ack);
        client.handle(at(20), Input::EndOfBatch);
        let run = AckRun { first: 0, count: 1, end: AckEnd::Taken };
        let acks = Effect::SendOld(ClientMessage::Acks(vec![run]));
        assert_eq!(client.poll_effect(), Some(acks));
    }

    /// DRAIN-5: the new node was never asked, so a word from there would not count.
    #[test]
    fn what_the_old_link_asks_is_refused_there() {
        let mut client = moved();
        let id = MsgId { publisher: Instance(9), counter: 1 };
        let attempt = Attempt { home: NodeId::from_bytes([1; 32]), id, number: 1 };
        let delivery = Delivery {
            attempt,
            ttl: TTL,
            terms: Terms::default(),
            from: "app.sdk.bank.amop".parse().unwrap(),
            topic: "another".parse().unwrap(),
            payload: "question".into(),
        };
        client.handle(at(10), Input::OldMessage(NodeMessage::Delivery(delivery)));
        let refuse = Refuse { attempt, reason: Reason::NotSubscribed, fenced: true };
        assert_eq!(client.poll_effect(), Some(Effect::SendOld(ClientMessage::Refuse(refuse))));
    }

    /// DRAIN-5: empty messages fill no bytes, but no more of them wait either.
    #[test]
    fn past_a_number_what_came_first_goes_out_at_once() {
        let mut client = moved();
        let most = WAITING_MAX as u64;
        for sequence in 1..=most {
            assert_eq!(handed_out(&mut client, at(10), Input::Message(multicast(sequence))).0, []);
        }
        let next = Input::Message(multicast(most + 1));
        assert_eq!(handed_out(&mut client, at(10), next).0, [1]);
    }
}
