//! Nodes in the middle of their work, and the messages that come to them.
//!
//! Each scene is one node with one client and one peer, as home node or as exit node. Its traffic
//! comes in batches, in the order in which a driver hands it in: all messages of one kind, the end
//! of the batch, then what the other side says to them, and the end of that batch.

use std::collections::VecDeque;

use amop_core::node::{Effect, Input, LinkId, Node};
use amop_topic_table::set_digest;
use amop_wire::{
    AckEnd, AckRun, Announcement, AnnouncementHead, Answer, AnswerStatus, Attempt, Chain,
    ClientMessage, Epoch, Gen, Instance, Instant, Mode, MsgId, Multicast, Name, NodeId, PeerAnswer,
    PeerMessage, PeerReceiptRun, Publish, Receipt, Request, Seq, SignedHead, Subscriber, Terms,
    Topic, Version,
};
use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::messages::{self, sample_instance, sample_topic};

/// How many messages one batch of traffic has.
pub const BATCH_MESSAGES: u32 = 64;

/// What a node does in a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// Takes unicasts of its client, sends them to its peer, passes the answers back.
    UnicastHome,
    /// Takes unicasts from its peer, pushes them to its client, passes the answers back.
    UnicastExit,
    /// Takes multicasts of its client, sends them to its peer, passes the receipts back.
    MulticastHome,
    /// Takes multicasts from its peer, pushes them to its client, passes the receipts back.
    MulticastExit,
}

/// The messages that come to the node of one scene, without end.
#[derive(Debug)]
pub struct Traffic {
    scene: Scene,
    topic: Topic,
    from: Name,
    home: NodeId,
    payload: Bytes,
    next_counter: u64,
    /// What the home node draws, too.
    attempts: ChaCha12Rng,
}

impl Scene {
    /// Every scene.
    pub const ALL: [Self; 4] =
        [Self::UnicastHome, Self::UnicastExit, Self::MulticastHome, Self::MulticastExit];

    /// The scene's name among the benchmarks.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnicastHome => "unicast_home",
            Self::UnicastExit => "unicast_exit",
            Self::MulticastHome => "multicast_home",
            Self::MulticastExit => "multicast_exit",
        }
    }

    /// A node with its links up and its topics known, and the traffic that comes to it with
    /// payloads of so many bytes.
    #[must_use]
    pub fn set(self, payload_bytes: usize) -> (Node, Traffic) {
        let node = if self.is_home() { home_node() } else { exit_node() };
        let traffic = Traffic {
            scene: self,
            topic: sample_topic(),
            from: messages::publisher(),
            home: NodeId::of(&messages::home()),
            payload: messages::payload(payload_bytes),
            next_counter: 1,
            attempts: ChaCha12Rng::from_seed(HOME_SEED),
        };
        (node, traffic)
    }

    /// How many effects one batch of this scene's traffic causes, if all goes well.
    #[must_use]
    pub fn effects_per_batch(self) -> usize {
        match self {
            // One message on to the next party, and one back.
            Self::UnicastHome | Self::UnicastExit => 2 * BATCH_MESSAGES as usize,
            // Receipts travel as runs: one message tells of the whole batch.
            Self::MulticastHome | Self::MulticastExit => BATCH_MESSAGES as usize + 1,
        }
    }

    fn is_home(self) -> bool {
        matches!(self, Self::UnicastHome | Self::MulticastHome)
    }
}

impl Traffic {
    /// The next [`BATCH_MESSAGES`] messages and all that belongs to them.
    #[must_use]
    pub fn next_batch(&mut self) -> Vec<Input> {
        let first = self.next_counter;
        self.next_counter += u64::from(BATCH_MESSAGES);
        let counters = first..self.next_counter;
        let mut inputs = Vec::with_capacity(2 * BATCH_MESSAGES as usize + 2);
        match self.scene {
            Scene::UnicastHome => {
                inputs.extend(counters.clone().map(|n| self.publish(n, Mode::Unicast)));
                inputs.push(Input::EndOfBatch);
                inputs.extend(counters.map(|n| self.answer_of_peer(n)));
            }
            Scene::UnicastExit => {
                inputs.extend(counters.clone().map(|n| self.request(n)));
                inputs.push(Input::EndOfBatch);
                inputs.extend(counters.map(|n| self.answer_of_client(n)));
            }
            Scene::MulticastHome => {
                inputs.extend(counters.map(|n| self.publish(n, Mode::Multicast)));
                inputs.push(Input::EndOfBatch);
                let receipt = Receipt { acked: 1, ..Receipt::default() };
                let run = PeerReceiptRun { first: id(first), count: BATCH_MESSAGES, receipt };
                inputs.push(from_peer(PeerMessage::Receipts(vec![run])));
            }
            Scene::MulticastExit => {
                inputs.extend(counters.map(|n| self.multicast(n)));
                inputs.push(Input::EndOfBatch);
                // The counters begin with 1, the numbers of the deliveries with 0.
                let run = AckRun { first: first - 1, count: BATCH_MESSAGES, end: AckEnd::Taken };
                inputs.push(from_client(ClientMessage::Acks(vec![run])));
            }
        }
        inputs.push(Input::EndOfBatch);
        inputs
    }

    fn publish(&self, counter: u64, mode: Mode) -> Input {
        from_client(ClientMessage::Publish(Publish {
            terms: Terms::default(),
            counter,
            ttl: messages::TTL,
            mode,
            sequence: counter,
            topic: self.topic.clone(),
            payload: self.payload.clone(),
        }))
    }

    fn answer_of_peer(&mut self, counter: u64) -> Input {
        from_peer(PeerMessage::Answer(PeerAnswer {
            id: id(counter),
            attempt: self.attempts.next_u32().wrapping_add(1),
            status: AnswerStatus::Answered,
            subscriber: subscriber(),
            payload: self.payload.clone(),
        }))
    }

    fn request(&self, counter: u64) -> Input {
        from_peer(PeerMessage::Request(Request {
            terms: Terms::default(),
            id: id(counter),
            ttl: messages::TTL,
            attempt: 1,
            subscriber: subscriber(),
            exit_epoch: EPOCH,
            from: self.from.clone(),
            topic: self.topic.clone(),
            payload: self.payload.clone(),
        }))
    }

    fn answer_of_client(&self, counter: u64) -> Input {
        from_client(ClientMessage::Answer(Answer {
            attempt: Attempt { home: self.home, id: id(counter), number: 1 },
            status: AnswerStatus::Answered,
            payload: self.payload.clone(),
        }))
    }

    fn multicast(&self, counter: u64) -> Input {
        from_peer(PeerMessage::Multicast(Multicast {
            id: id(counter),
            ttl: messages::TTL,
            sequence: counter,
            from: self.from.clone(),
            topic: self.topic.clone(),
            sealed: false,
            payload: self.payload.clone(),
        }))
    }
}

/// Hands in each input and drops what it causes; answers how many effects there were.
pub fn handle_all(node: &mut Node, inputs: Vec<Input>) -> usize {
    let now = Instant::default() + messages::TTL;
    let mut effects = 0;
    let mut inputs = VecDeque::from(inputs);
    while let Some(input) = inputs.pop_front() {
        node.handle(now, input);
        while let Some(effect) = node.poll_effect() {
            if let Effect::Sign { .. } = effect {
                inputs.push_front(Input::Signed { signature: "signature".into(), chain: chain() });
            }
            drop(std::hint::black_box(effect));
            effects += 1;
        }
    }
    effects
}

fn home_node() -> Node {
    let mut node = Node::new(messages::home(), EPOCH, HOME_SEED);
    attach(&mut node, messages::publisher(), publisher());
    let remote = Subscriber { instance: subscriber(), generation: Gen(1) };
    link_peer(&mut node, messages::exit(), vec![(sample_topic(), vec![remote])]);
    node
}

fn exit_node() -> Node {
    let mut node = Node::new(messages::exit(), EPOCH, [2; 32]);
    attach(&mut node, messages::subscriber(), subscriber());
    let subscribe = from_client(ClientMessage::Subscribe(sample_topic()));
    handle_all(&mut node, vec![subscribe, Input::EndOfBatch]);
    link_peer(&mut node, messages::home(), Vec::new());
    node
}

fn attach(node: &mut Node, name: Name, instance: Instance) {
    let attach = ClientMessage::Attach { instance, generation: Gen(1) };
    handle_all(node, vec![Input::ClientUp { link: CLIENT, name }, from_client(attach)]);
}

/// Links a peer that announces these topics.
fn link_peer(node: &mut Node, name: Name, topics: Vec<(Topic, Vec<Subscriber>)>) {
    let version = Version { epoch: EPOCH, seq: Seq(1) };
    let summary = vec![(NodeId::of(&name), version)];
    let neighbours = vec![node.id()];
    let digest = set_digest(&neighbours, &topics).expect("within the limits");
    let head = AnnouncementHead { name: name.clone(), version, digest };
    let signed = SignedHead::new(head, "signature".into());
    let announcement = Announcement::new(signed, chain(), neighbours, topics);
    let up = Input::PeerUp { link: PEER, name, dialed: true };
    let says = [
        PeerMessage::Greeting(EPOCH),
        PeerMessage::Summary(summary),
        PeerMessage::Snapshot(announcement),
    ];
    let inputs = [up].into_iter().chain(says.map(from_peer)).chain([Input::EndOfBatch]);
    handle_all(node, inputs.collect());
}

pub(crate) fn chain() -> Chain {
    Chain::new(vec!["certificate".into()]).expect("one short certificate")
}

fn from_client(message: ClientMessage) -> Input {
    Input::Client { link: CLIENT, message }
}

fn from_peer(message: PeerMessage) -> Input {
    Input::Peer { link: PEER, message }
}

fn id(counter: u64) -> MsgId {
    MsgId { publisher: publisher(), counter }
}

fn publisher() -> Instance {
    sample_instance(0)
}

fn subscriber() -> Instance {
    sample_instance(1)
}

const CLIENT: LinkId = LinkId(1);
const PEER: LinkId = LinkId(2);
const HOME_SEED: [u8; 32] = [1; 32];
const EPOCH: Epoch = Epoch(1_800_000_000_000);

#[cfg(test)]
mod tests {
    use super::*;
    use amop_core::node::Effect;
    use amop_wire::{Code, NodeMessage};

    #[test]
    fn every_batch_of_every_scene_causes_what_it_should() {
        for scene in Scene::ALL {
            let (mut node, mut traffic) = scene.set(256);
            for _ in 0..3 {
                let effects = handle_all(&mut node, traffic.next_batch());
                assert_eq!(effects, scene.effects_per_batch(), "{scene:?}");
            }
        }
    }

    #[test]
    fn the_unicasts_of_a_home_node_end_well() {
        let (mut node, mut traffic) = Scene::UnicastHome.set(16);
        let mut ends = 0;
        for input in traffic.next_batch() {
            node.handle(Instant::default(), input);
            while let Some(effect) = node.poll_effect() {
                if let Effect::ToClient { message: NodeMessage::Outcome(outcome), .. } = effect {
                    assert_eq!((outcome.code, outcome.payload.len()), (Code::Ok, 16));
                    ends += 1;
                }
            }
        }
        assert_eq!(ends, BATCH_MESSAGES);
    }

    #[test]
    fn the_multicasts_of_a_home_node_are_acked_by_everyone() {
        let (mut node, mut traffic) = Scene::MulticastHome.set(16);
        let mut receipts = Vec::new();
        for input in traffic.next_batch() {
            node.handle(Instant::default(), input);
            while let Some(effect) = node.poll_effect() {
                if let Effect::ToClient { message: NodeMessage::Receipts(runs), .. } = effect {
                    receipts.extend(runs);
                }
            }
        }
        let all = Receipt { acked: 1, ..Receipt::default() };
        assert!(receipts.iter().all(|run| run.receipt == all), "{receipts:?}");
        assert_eq!(receipts.iter().map(|run| run.count).sum::<u32>(), BATCH_MESSAGES);
    }
}
