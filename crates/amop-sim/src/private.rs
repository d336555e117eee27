//! Private topics in a world: who holds which key, who lets which in, and that nobody else reads a word.
//!
//! Keys are numbers here. Every frame that is sent is searched for what must be sealed, and whoever opens a
//! message must hold a key that was on the list when the message left its publisher.

use std::collections::{BTreeMap, BTreeSet};

use amop_auth::{Entropy, Identity, PublicKey, SecretKey};
use amop_core::client::{Client, Effect as ClientEffect, Input as ClientInput};
use amop_wire::{ClientMessage, Instance, MsgId, NodeMessage, Publish, Sealing, Topic};
use sha2::{Digest, Sha256};

use crate::network::Party;
use crate::nonces::Nonces;
use crate::publishing::parse;
use crate::story::{About, What};
use crate::verdicts::Verdicts;
use crate::world::{ClientId, World};

/// What a world knows of private topics.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    /// The keys on the list when a sealed message left its publisher.
    sealed_for: BTreeMap<MsgId, BTreeSet<u8>>,
    /// Those that anybody ever had keys for.
    private_topics: BTreeSet<Topic>,
    /// The keys that a client ever subscribed with.
    pub(crate) held: BTreeMap<(Instance, Topic), BTreeSet<u8>>,
    pub(crate) verdicts: Verdicts,
    pub(crate) nonces: Nonces,
}

/// What every payload to a private topic begins with.
pub(crate) const SECRET: &str = "secret ";

/// The key of this number: the same in every world.
#[must_use]
pub fn key(number: u8) -> SecretKey {
    SecretKey::generate(&mut Entropy::new([number; 32]))
}

impl World {
    /// A client gives a topic a list of keys: what it publishes there is private from now on.
    pub fn allow(&mut self, client: ClientId, topic: &str, keys: &[u8]) {
        let topic = parse(topic);
        self.secrets.private_topics.insert(topic.clone());
        self.clients[client.0].allowed.insert(topic.clone(), keys.iter().copied().collect());
        let keys: BTreeSet<PublicKey> = keys.iter().map(|&number| key(number).public()).collect();
        self.client_batch(client.0, [ClientInput::Allow { topic: topic.clone(), keys }]);
        self.restrict_files(client.0, &topic);
    }

    /// A client takes a key off the list of a topic.
    pub fn remove_key(&mut self, client: ClientId, topic: &str, number: u8) {
        let topic = parse(topic);
        if let Some(keys) = self.clients[client.0].allowed.get_mut(&topic) {
            keys.remove(&number);
        }
        let key = key(number).public();
        self.client_batch(client.0, [ClientInput::Remove { topic: topic.clone(), key }]);
        self.restrict_files(client.0, &topic);
    }

    /// Subscribes to a private topic with a key.
    pub fn subscribe_private(&mut self, client: ClientId, topic: &str, number: u8) {
        let topic = parse(topic);
        self.secrets.private_topics.insert(topic.clone());
        let slot = &mut self.clients[client.0];
        slot.keys.insert(topic.clone(), number);
        if let Some(core) = &slot.core {
            let held = self.secrets.held.entry((core.instance(), topic.clone())).or_default();
            held.insert(number);
        }
        if slot.wanted.insert(topic.clone()) {
            self.topics_changed.insert(topic.clone(), self.now);
        }
        let key = key(number);
        self.client_batch(client.0, [ClientInput::SubscribePrivate { topic, key }]);
    }

    /// Who would get what a client publishes to a private topic now.
    ///
    /// # Panics
    ///
    /// If the client is down.
    #[must_use]
    pub fn verified(&self, client: ClientId, topic: &str) -> Vec<Instance> {
        let core = self.clients[client.0].core.as_ref().expect("the client lives");
        core.verified(self.now, &parse(topic)).into_iter().map(|(instance, _)| instance).collect()
    }

    /// The core of a client that begins its life: what it draws follows from its instance.
    pub(crate) fn new_client(&self, client: ClientId, instance: Instance) -> Client {
        let name = self.clients[client.0].name.clone();
        let certificate = Sha256::digest(name.as_bytes()).into();
        let seed = |purpose: u8| {
            let mut hash = Sha256::new();
            hash.update(instance.0.to_be_bytes());
            hash.update([purpose]);
            hash.finalize().into()
        };
        let identity = Identity { name, certificate, instance };
        Client::new(instance).with_identity(identity, [seed(1), seed(2)])
    }

    /// Whether a topic is a matter of keys for anybody, or ever was.
    pub(crate) fn has_keys(&self, topic: &Topic) -> bool {
        self.secrets.private_topics.contains(topic)
    }

    pub(crate) fn told_receivers(&mut self, client: usize, topic: &Topic) {
        let Some(core) = &self.clients[client].core else { return };
        let verified = core.verified(self.now, topic).len();
        let line = format_args!("may send to {verified} on {topic}");
        self.tell(What::Did(Party::Client(client)), About::Nothing, line);
        self.check_verdicts(client, topic);
        self.wake_files_at(client, self.now);
    }

    /// Notes for whom a message is sealed when it leaves, and who may not have opened it.
    pub(crate) fn check_sealing(
        &mut self,
        client: usize,
        sealed: Option<MsgId>,
        effect: &ClientEffect,
    ) {
        match effect {
            ClientEffect::Send(ClientMessage::Publish(publish)) => self.leaves(client, publish),
            ClientEffect::Deliver(delivered) => {
                let is_secret = delivered.payload.starts_with(SECRET.as_bytes());
                let key = self.clients[client].keys.get(&delivered.topic).copied();
                let waited = self.clients[client].waiting_sealed.iter().copied();
                let waited = waited.filter(|id| id.publisher == delivered.id.publisher);
                let mut all = sealed.into_iter().chain(waited);
                let may = all.any(|id| {
                    let may = self.secrets.sealed_for.get(&id);
                    may.zip(key).is_some_and(|(may, key)| may.contains(&key))
                });
                if is_secret && !may {
                    let id = delivered.id;
                    let what = format!("{id}: opened by c{client} with key {key:?}, not listed");
                    self.record.broken.push(what);
                }
            }
            _ => {}
        }
    }

    fn leaves(&mut self, client: usize, publish: &Publish) {
        let Some(core) = &self.clients[client].core else { return };
        let id = MsgId { publisher: core.instance(), counter: publish.counter };
        let Some(allowed) = self.clients[client].allowed.get(&publish.topic) else { return };
        let wrong = match publish.terms.sealing {
            Sealing::Clear => Some("left in the clear".to_owned()),
            Sealing::For(instance) => {
                let held = self.secrets.held.get(&(instance, publish.topic.clone()));
                let is_listed = held.is_some_and(|held| !held.is_disjoint(allowed));
                (!is_listed).then(|| format!("sealed for {instance} with {held:?}, not listed"))
            }
            Sealing::Group => self.record.sealed_order.leaves(id.publisher, publish),
        };
        self.record.broken.extend(wrong.map(|wrong| format!("{id}: {wrong}")));
        self.secrets.sealed_for.insert(id, allowed.clone());
    }

    /// Nothing that must be sealed is ever seen on a link.
    pub(crate) fn check_plaintext(&mut self, payload: &[u8]) {
        let words = SECRET.as_bytes();
        if !self.secrets.sealed_for.is_empty()
            && payload.windows(words.len()).any(|window| window == words)
        {
            self.record.broken.push("the plaintext of a private topic is on a link".to_owned());
        }
    }
}

/// The id on the wire of a sealed message that comes to a client.
pub(crate) fn sealed_id(input: &ClientInput) -> Option<MsgId> {
    let (ClientInput::Message(message) | ClientInput::OldMessage(message)) = input else {
        return None;
    };
    match message {
        NodeMessage::Delivery(delivery) => Some(delivery.attempt.id),
        NodeMessage::Multicast(multicast) => Some(multicast.id),
        _ => None,
    }
}
