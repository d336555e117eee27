//! Requests and their answers between two clients of one node, as far as no I/O is concerned.
//!
//! What the clients and their node do for a whole ask is counted together, and nothing is encoded: the two
//! ways differ only by what a private topic costs.

use std::collections::VecDeque;

use amop_auth::{Entropy, Identity, SecretKey};
use amop_core::client::{Client, Delivered, Effect, Input, PublishEnd, Wanted};
use amop_core::node::{self, LinkId, Node};
use amop_wire::{
    AnswerStatus, ClientMessage, Code, Epoch, Instant, Mode, Name, NodeId, NodeMessage, Terms,
    Topic,
};
use bytes::Bytes;

use crate::messages::{self, sample_instance, sample_topic};
use crate::scene::BATCH_MESSAGES;

/// Two clients of one node: the first asks, the second answers with what it was asked.
#[derive(Debug)]
pub struct Asks {
    node: Node,
    clients: [Client; 2],
    to_node: VecDeque<node::Input>,
    to_clients: VecDeque<(usize, Input)>,
    topic: Topic,
    payload: Bytes,
    answered: u32,
}

impl Asks {
    /// Attaches both, and has them verified if the topic is private; payloads have so many bytes.
    #[must_use]
    pub fn set(is_private: bool, payload_bytes: usize) -> Self {
        let node = Node::new(messages::home(), Epoch(1), [1; 32]);
        let names = [messages::publisher(), messages::subscriber()];
        let client = |seed: u8, name: &Name| {
            let instance = sample_instance(seed.into());
            let identity = Identity { name: name.clone(), certificate: [seed; 32], instance };
            Client::new(instance).with_identity(identity, [[seed; 32], [seed + 100; 32]])
        };
        let mut asks = Self {
            node,
            clients: [client(0, &names[0]), client(1, &names[1])],
            to_node: VecDeque::new(),
            to_clients: VecDeque::new(),
            topic: sample_topic(),
            payload: messages::payload(payload_bytes),
            answered: 0,
        };
        for (client, name) in names.into_iter().enumerate() {
            asks.to_node.push_back(node::Input::ClientUp { link: link(client), name });
            let up = Input::LinkUp { node: NodeId::of(&messages::home()) };
            asks.to_clients.push_back((client, up));
        }
        asks.run();
        let topic = asks.topic.clone();
        if is_private {
            let key = SecretKey::generate(&mut Entropy::new([9; 32]));
            let keys = [key.public()].into();
            let held = Input::SubscribePrivate { topic: topic.clone(), key };
            asks.to_clients.extend([(1, held), (0, Input::Allow { topic, keys })]);
        } else {
            asks.to_clients.push_back((1, Input::Subscribe(topic)));
        }
        asks.run();
        asks
    }

    /// Asks [`BATCH_MESSAGES`] times and hands on everything until nothing is left to do; says how many of
    /// them were answered.
    pub fn run_batch(&mut self) -> u32 {
        let before = self.answered;
        for _ in 0..BATCH_MESSAGES {
            let publish = Input::Publish {
                counter: self.clients[0].draw_counter(),
                key: 0,
                mode: Mode::Unicast,
                terms: Terms::default(),
                topic: self.topic.clone(),
                payload: self.payload.clone(),
                timeout: messages::TTL,
            };
            self.tell_client(0, publish);
        }
        self.run();
        self.answered - before
    }

    fn run(&mut self) {
        loop {
            let ends = [0, 1].map(|client| (client, Input::EndOfBatch));
            self.to_clients.extend(ends);
            while let Some((client, input)) = self.to_clients.pop_front() {
                self.tell_client(client, input);
            }
            if self.to_node.is_empty() {
                return;
            }
            self.to_node.push_back(node::Input::EndOfBatch);
            while let Some(input) = self.to_node.pop_front() {
                self.tell_node(input);
            }
        }
    }

    fn tell_client(&mut self, client: usize, input: Input) {
        self.clients[client].handle(now(), input);
        while let Some(effect) = self.clients[client].poll_effect() {
            match effect {
                Effect::Send(message) => self.send(client, message),
                Effect::Deliver(Delivered { wanted: Wanted::Answer(attempt), payload, .. }) => {
                    let status = AnswerStatus::Answered;
                    let answer = Input::Answer { attempt, status, payload };
                    self.to_clients.push_back((client, answer));
                }
                Effect::Published { end: PublishEnd::Outcome(outcome), .. } => {
                    self.answered += u32::from(outcome.code == Code::Ok);
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, client: usize, message: ClientMessage) {
        self.to_node.push_back(node::Input::Client { link: link(client), message });
    }

    fn tell_node(&mut self, input: node::Input) {
        self.node.handle(now(), input);
        while let Some(effect) = self.node.poll_effect() {
            match effect {
                node::Effect::ToClient { link, message } => self.told(link, message),
                node::Effect::ToClients { links, message } => {
                    links.iter().for_each(|&link| self.told(link, message.clone()));
                }
                node::Effect::Sign { .. } => {
                    let (signature, chain) = ("signature".into(), crate::scene::chain());
                    self.to_node.push_front(node::Input::Signed { signature, chain });
                }
                _ => {}
            }
        }
    }

    fn told(&mut self, LinkId(number): LinkId, message: NodeMessage) {
        let client = usize::from(number == 2);
        self.to_clients.push_back((client, Input::Message(message)));
    }
}

/// The link of a client with its node.
fn link(client: usize) -> LinkId {
    LinkId(if client == 0 { 1 } else { 2 })
}

/// Nothing takes time.
fn now() -> Instant {
    Instant::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ask_is_answered_on_public_and_on_private_topics() {
        for is_private in [false, true] {
            let mut asks = Asks::set(is_private, 256);
            assert_eq!([asks.run_batch(), asks.run_batch()], [BATCH_MESSAGES; 2], "{is_private}");
        }
    }
}
