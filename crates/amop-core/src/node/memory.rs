//! How much memory others can make a node use: one budget, and who is refused first as it fills.
//!
//! ```text
//!   0          1/2             3/4          7/8           1
//!   ├───────────┼───────────────┼────────────┼────────────┤
//!    all comes   no transit      no new       no requests  no replies
//!    in          any more        publishes    and deliveries
//! ```
//!
//! Held are the publishes of our clients without an outcome, and what waits on links. How much that is the
//! driver says before it hands in what has come; what is sent after that is added up here. What does not
//! fit is treated as if its link had no room: it was not handled and never will be, and whoever waits for
//! it is told so. Replies end what others wait for, so they are the last to be dropped.
//!
//! Control messages do not count: each link has a bound for them, past which it is closed.

use amop_wire::{Lane, Message, NodeMessage, PeerMessage};

use super::passage::Neighbours;
use super::transit::{Room, is_transit};
use super::{Effect, LinkId, Node, weight};

/// What is held of the budget.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Publishes without an outcome.
    open: usize,
    /// What waited on all links when the driver said so last.
    waiting: usize,
    /// What was sent since.
    sent: usize,
    /// How many messages were not sent for want of memory or of a fair share.
    unsent: u64,
}

/// What something is held for. It is taken as long as less than its share of the budget is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It is on its way between other nodes.
    Transit,
    /// A client of this node publishes it.
    Publish,
    /// It goes to a subscriber or to its node, or it is a reply on its way between other nodes.
    Delivery,
    /// It says how something has ended.
    Reply,
}

impl Purpose {
    fn share_of(self, budget: usize) -> usize {
        match self {
            Self::Transit => budget / 2,
            Self::Publish => budget / 4 * 3,
            Self::Delivery => budget / 8 * 7,
            Self::Reply => budget,
        }
    }

    fn of_client(message: &NodeMessage) -> Self {
        if carries_messages(message.lane()) { Self::Delivery } else { Self::Reply }
    }

    fn of_peer(message: &PeerMessage) -> Self {
        match (carries_messages(message.lane()), is_transit(message)) {
            (true, true) => Self::Transit,
            (true, false) | (false, true) => Self::Delivery,
            (false, false) => Self::Reply,
        }
    }
}

/// Whether what travels on a lane was published, and does not end what was.
fn carries_messages(lane: Lane) -> bool {
    matches!(lane, Lane::Unicasts | Lane::Multicasts)
}

impl Memory {
    /// How many bytes are held.
    pub(super) fn held(&self) -> usize {
        self.open + self.waiting + self.sent
    }

    /// How many bytes more may be held for a purpose.
    fn room(&self, budget: usize, purpose: Purpose) -> usize {
        purpose.share_of(budget).saturating_sub(self.held())
    }

    /// Whether a publish with so much payload may be held.
    pub(super) fn has_room_for_publish(&self, budget: usize, payload_bytes: usize) -> bool {
        payload_bytes + PUBLISH_BYTES <= self.room(budget, Purpose::Publish)
    }

    /// A publish with so much payload is held from now on.
    pub(super) fn hold(&mut self, payload_bytes: usize) {
        self.open += payload_bytes + PUBLISH_BYTES;
    }

    /// So many publishes, with so much payload together, have ended.
    pub(super) fn release(&mut self, count: usize, payload_bytes: usize) {
        self.open -= payload_bytes + count * PUBLISH_BYTES;
    }
}

impl Node {
    /// How many messages were not sent so far because this node held as much for others as it may, or their
    /// peer had its share of a link. Publishes that were refused for that do not count.
    #[must_use]
    pub fn unsent_for_memory(&self) -> u64 {
        self.memory.unsent
    }

    /// Whether anything that was sent counts as waiting, so that the next batch is to begin with
    /// [`Input::Waiting`](super::Input::Waiting) even if nothing waits any more.
    #[must_use]
    pub fn counts_waiting(&self) -> bool {
        self.memory.waiting + self.memory.sent > 0 || self.has_transit()
    }

    /// Whether the next effect may be performed, as far as memory and transit budgets allow; counts it if it may.
    /// It is judged where it lies, for a message is large to move.
    pub(super) fn affords_next(&mut self) -> bool {
        let Self { effects, memory, transit, passage, limits, peers, links, now, .. } = self;
        let (budget, neighbours) = (limits.memory_bytes, Neighbours { peers, links });
        let bytes = match effects.front() {
            Some(Effect::ToClient { message, .. }) => {
                let Some(bytes) = weight::to_client(message) else { return true };
                if memory.room(budget, Purpose::of_client(message)) < bytes {
                    return false;
                }
                bytes
            }
            Some(Effect::ToClients { links, message }) => {
                let Some(bytes) = weight::to_client(message) else { return true };
                if memory.room(budget, Purpose::of_client(message)) / bytes < links.len() {
                    return false;
                }
                bytes * links.len()
            }
            Some(Effect::ToPeer { link, message }) => {
                let Some(bytes) = weight::to_peer(message) else { return true };
                let fits = memory.room(budget, Purpose::of_peer(message)) >= bytes;
                let left_on_all = memory.room(budget, Purpose::Transit);
                let room = Room { on_link: limits.link_bytes, left_on_all };
                if !fits || !transit.take(*link, message, bytes, room) {
                    return false;
                }
                if !passage.take(*now, limits, neighbours, message) {
                    transit.take_back(*link, message, bytes);
                    return false;
                }
                bytes
            }
            Some(
                Effect::Sign { .. }
                | Effect::JudgeRevocations { .. }
                | Effect::Traced { .. }
                | Effect::Reached { .. }
                | Effect::Close { .. }
                | Effect::Event(_),
            )
            | None => 0,
        };
        memory.sent += bytes;
        true
    }

    /// Treats what cannot be afforded as if its link had no room. Answers what of it can: a part of those that
    /// it is for.
    pub(super) fn not_afforded(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::ToClient { link, message } => self.deny_client(link, message),
            Effect::ToPeer { link, message } => {
                self.memory.unsent += 1;
                self.unsent_to_peer(self.now, link, message);
            }
            Effect::ToClients { links, message } => {
                let bytes = weight::to_client(&message)?;
                let room = self.memory.room(self.limits.memory_bytes, Purpose::of_client(&message));
                let count = links.len().min(room / bytes);
                self.memory.sent += count * bytes;
                let (sent, unsent) = links.split_at(count);
                for &link in unsent {
                    self.deny_client(link, message.clone());
                }
                return (count > 0).then(|| Effect::ToClients { links: sent.into(), message });
            }
            Effect::Sign { .. }
            | Effect::JudgeRevocations { .. }
            | Effect::Traced { .. }
            | Effect::Reached { .. }
            | Effect::Close { .. }
            | Effect::Event(_) => {}
        }
        None
    }

    fn deny_client(&mut self, link: LinkId, message: NodeMessage) {
        self.memory.unsent += 1;
        self.unsent_to_client(self.now, link, message);
    }

    /// The driver says how much waits on links.
    pub(super) fn told_waiting(&mut self, bytes: usize, links: &[(LinkId, usize)]) {
        (self.memory.waiting, self.memory.sent) = (bytes, 0);
        for &(link, bytes) in links {
            self.transit.told(link, bytes);
        }
    }

    /// What was to be sent to a client had no room on its link.
    pub(super) fn client_had_no_room(&mut self, message: &NodeMessage) {
        let bytes = weight::to_client(message).unwrap_or_default();
        self.memory.sent = self.memory.sent.saturating_sub(bytes);
    }

    /// What was to be sent to a peer had no room on its link.
    pub(super) fn peer_had_no_room(&mut self, link: LinkId, message: &PeerMessage) {
        let bytes = weight::to_peer(message).unwrap_or_default();
        self.memory.sent = self.memory.sent.saturating_sub(bytes);
        self.transit.take_back(link, message, bytes);
        let neighbours = Neighbours { peers: &self.peers, links: &self.links };
        self.passage.take_back(&self.limits, neighbours, message);
    }
}

/// What is kept beside the payload of a publish, roughly.
const PUBLISH_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use amop_wire::{
        Attempt, Code, Delivery, Epoch, Frame, Instance, MsgId, NodeId, Outcome, Path, Reason,
        Relay, Terms,
    };
    use bytes::Bytes;

    use super::super::unicast::success;
    use super::*;

    /// MEM-1: what goes to a client or between other nodes, and how much may be held with it.
    #[test]
    fn each_purpose_has_its_share_to_the_byte() {
        let shares = [
            (relay(Lane::Unicasts), 40_000),
            (relay(Lane::Multicasts), 40_000),
            (delivery(), 70_000),
            (relay(Lane::Replies), 70_000),
            (outcome(), 80_000),
        ];
        for (effect, share) in shares {
            let bytes = weight(&effect);
            assert_eq!(is_sent(share - bytes, &effect), (true, 0), "{effect:?}");
            assert_eq!(is_sent(share - bytes + 1, &effect), (false, 1), "{effect:?}");
        }
    }

    /// MEM-1: a publish is held with 512 bytes beside its payload.
    #[test]
    fn publishes_have_three_quarters_to_the_byte() {
        let mut node = node(0);
        let has_room = |node: &Node| node.memory.has_room_for_publish(BUDGET, 100);
        node.told_waiting(60_000 - 612, &[]);
        assert!(has_room(&node));
        node.told_waiting(60_000 - 611, &[]);
        assert!(!has_room(&node));
        node.told_waiting(60_000 - 2 * 612, &[]);
        node.memory.hold(100);
        assert!(has_room(&node));
        node.memory.hold(101);
        assert!(!has_room(&node));
        node.memory.release(1, 101);
        assert!(has_room(&node), "it has ended");
    }

    /// MEM-2: a reply that is dropped is dropped for good: nothing else is sent in its place.
    #[test]
    fn past_all_of_it_a_reply_is_dropped_and_counted() {
        let mut node = node(BUDGET);
        node.effects.extend([outcome(), outcome()]);
        assert_eq!(node.poll_effect(), None);
        assert_eq!(node.unsent_for_memory(), 2);
        assert_eq!(node.memory.held(), BUDGET, "what is dropped is not held");
    }

    /// MEM-2: of several subscribers those get a copy for whom there is memory.
    #[test]
    fn a_copy_for_many_goes_to_as_many_as_there_is_memory_for() {
        let (Effect::ToClient { message, .. }, bytes) = (delivery(), weight(&delivery())) else {
            unreachable!()
        };
        for (left, count) in [(3 * bytes, 3), (3 * bytes - 1, 2), (bytes, 1), (bytes - 1, 0)] {
            let mut node = node(70_000 - left);
            let links = Box::new([LinkId(1), LinkId(2), LinkId(3)]);
            node.effects.push_back(Effect::ToClients { links, message: message.clone() });
            let sent = match node.poll_effect() {
                Some(Effect::ToClients { links, .. }) => links.len(),
                _ => 0,
            };
            assert_eq!((sent, node.unsent_for_memory()), (count, 3 - count as u64), "{left}");
        }
    }

    const BUDGET: usize = 80_000;

    /// A node on whose links so much waits.
    fn node(waiting: usize) -> Node {
        let mut node = Node::new("n1.node.bank-a.amop".parse().unwrap(), Epoch(1), [0; 32]);
        node.limits.memory_bytes = BUDGET;
        node.told_waiting(waiting, &[]);
        node
    }

    /// Whether something is sent while so much waits, and how much is counted that is not.
    fn is_sent(waiting: usize, effect: &Effect) -> (bool, u64) {
        let mut node = node(waiting);
        node.effects.push_back(effect.clone());
        (node.poll_effect().as_ref() == Some(effect), node.unsent_for_memory())
    }

    fn weight(effect: &Effect) -> usize {
        let weight = match effect {
            Effect::ToClient { message, .. } => weight::to_client(message),
            Effect::ToPeer { message, .. } => weight::to_peer(message),
            _ => None,
        };
        weight.expect("it counts")
    }

    /// What came from one node and goes on to another.
    fn relay(lane: Lane) -> Effect {
        let path = Path::new(&[2, 1, 3].map(|number| NodeId::from_bytes([number; 32]))).unwrap();
        let frame = Frame { header: Bytes::from_static(b"header"), payload: PAYLOAD };
        let relay = Relay { path, position: 2, lane, spent: Duration::ZERO, frame };
        Effect::ToPeer { link: LinkId(9), message: PeerMessage::Relay(relay) }
    }

    fn delivery() -> Effect {
        let id = MsgId { publisher: Instance(1), counter: 1 };
        let home = NodeId::from_bytes([1; 32]);
        let delivery = Delivery {
            attempt: Attempt { home, id, number: 1 },
            ttl: Duration::from_secs(1),
            terms: Terms::default(),
            from: "app.sdk.bank-a.amop".parse().unwrap(),
            topic: "t".parse().unwrap(),
            payload: PAYLOAD,
        };
        Effect::ToClient { link: LinkId(9), message: NodeMessage::Delivery(delivery) }
    }

    fn outcome() -> Effect {
        let (code, reason) = (Code::NoSubscriber, Reason::NoSubscriber);
        let outcome = Outcome { code, reason, payload: PAYLOAD, ..success(1) };
        Effect::ToClient { link: LinkId(9), message: NodeMessage::Outcome(outcome) }
    }

    const PAYLOAD: Bytes = Bytes::from_static(b"some payload");
}
