//! Publishers and subscribers of one private topic, a virtual clock, and a network that a seed decides.
//!
//! The world stands in for all nodes: it attests who says something, and tells publishers who is
//! attached where. It keeps everything that was ever sent, so that a test can play it again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use amop_auth::publisher::{Effect as PublisherEffect, Input as PublisherInput};
use amop_auth::subscriber::{AnswerKey, Effect as SubscriberEffect, Input as SubscriberInput};
use amop_auth::{
    Entropy, Exit, Identity, PublicKey, Publisher, Receivers, SealError, SecretKey, Subscriber,
};
use amop_wire::{Epoch, Instance, Instant, MsgId, Name, NodeId, Topic};
use bytes::Bytes;

/// Longer than any message takes while nothing is lost.
pub(crate) const SOON: Duration = Duration::from_millis(50);

/// All of it.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) publishers: BTreeMap<Instance, (Name, Publisher)>,
    pub(crate) subscribers: BTreeMap<Instance, Subscriber>,
    /// What every subscriber opened, in order.
    pub(crate) opened: BTreeMap<Instance, Vec<(MsgId, Bytes)>>,
    /// What every unicast was answered with.
    pub(crate) answers: Vec<(MsgId, Bytes)>,
    /// What publishers and subscribers wanted to be known.
    pub(crate) told: Vec<(Instance, Told)>,
    /// Everything that was ever sent.
    pub(crate) sent: Vec<Parcel>,
    on_their_way: BTreeMap<(Instant, u64), Parcel>,
    count: u64,
    counter: u64,
    loss_percent: u64,
    chance: u64,
}

/// What an effect told about whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Verified(Instance, PublicKey),
    Renewed(Instance),
    Refused(Instance),
    Withdrawn(Instance),
    /// A subscriber knows of a channel.
    Channel(Instance),
}

/// What is on its way to somebody.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) from: Instance,
    pub(crate) to: Instance,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Handshake(Bytes),
    Payload(MsgId, Bytes),
    Answer(MsgId, Bytes),
}

pub(crate) fn topic() -> Topic {
    "salary".parse().unwrap()
}

pub(crate) fn exit(number: u8) -> Exit {
    Exit { node: NodeId::from_bytes([number; 32]), epoch: Epoch(u64::from(number)) }
}

/// The name of a subscriber, in a network.
pub(crate) fn hr(domain: &str) -> Name {
    format!("hr.sdk.bank-c.{domain}").parse().unwrap()
}

/// The key that everything about this number uses.
pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::generate(&mut Entropy::new([number; 32]))
}

/// Publisher, and a subscriber that it has verified.
pub(crate) fn pair(seed: u64) -> (World, Instance, Instance) {
    let mut world = World::new(seed);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let alice = world.add_subscriber(10, key(1));
    world.run_for(SOON);
    assert_eq!(world.receivers(publisher), Receivers::Verified(vec![alice]));
    (world, publisher, alice)
}

/// The first handshake message of this kind that was sent.
pub(crate) fn sent(world: &World, kind: u8) -> Bytes {
    let mut messages = world.sent.iter().filter_map(|parcel| match &parcel.what {
        What::Handshake(message) => Some(message),
        What::Payload(..) | What::Answer(..) => None,
    });
    messages.find(|message| message[1] == kind).unwrap().clone()
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            now: Instant::default(),
            publishers: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            opened: BTreeMap::new(),
            answers: Vec::new(),
            told: Vec::new(),
            sent: Vec::new(),
            on_their_way: BTreeMap::new(),
            count: 0,
            counter: 0,
            loss_percent: 0,
            chance: seed,
        }
    }

    /// Of the parcels sent from now on so many are lost, and as many come twice.
    pub(crate) fn lose(&mut self, percent: u64) {
        self.loss_percent = percent;
    }

    /// A publisher that lets these keys in.
    pub(crate) fn add_publisher(&mut self, instance: u64, keys: &[&SecretKey]) -> Instance {
        let instance = Instance(instance);
        let name: Name = "payroll.sdk.bank-a.amop".parse().unwrap();
        let identity = Identity { name: name.clone(), certificate: [5; 32], instance };
        let publisher = Publisher::new(identity, self.entropy(instance));
        self.publishers.insert(instance, (name, publisher));
        self.allow(instance, keys);
        instance
    }

    pub(crate) fn allow(&mut self, publisher: Instance, keys: &[&SecretKey]) {
        let keys: BTreeSet<PublicKey> = keys.iter().map(|key| key.public()).collect();
        self.tell(publisher, PublisherInput::Allow { topic: topic(), keys });
    }

    pub(crate) fn remove(&mut self, publisher: Instance, key: &SecretKey) {
        let key = key.public();
        self.tell(publisher, PublisherInput::Remove { topic: topic(), key });
    }

    /// A subscriber with a key, attached somewhere.
    pub(crate) fn add_subscriber(&mut self, instance: u64, key: SecretKey) -> Instance {
        self.add_subscriber_named(hr("amop"), instance, key)
    }

    pub(crate) fn add_subscriber_named(
        &mut self,
        name: Name,
        instance: u64,
        key: SecretKey,
    ) -> Instance {
        let instance = Instance(instance);
        let entropy = self.entropy(instance);
        let subscriber = Subscriber::new(name, instance, entropy);
        self.subscribers.insert(instance, subscriber);
        self.tell_subscriber(instance, SubscriberInput::Subscribe { topic: topic(), key });
        self.attach(instance, 1);
        instance
    }

    /// A subscriber attaches to a node, and everybody is told.
    pub(crate) fn attach(&mut self, subscriber: Instance, number: u8) {
        let exit = exit(number);
        self.tell_subscriber(subscriber, SubscriberInput::Attached(exit));
        for publisher in self.publishers.keys().copied().collect::<Vec<_>>() {
            self.tell(publisher, PublisherInput::Appeared { topic: topic(), subscriber, exit });
        }
    }

    /// A subscriber is attached nowhere any more, and everybody is told.
    pub(crate) fn detach(&mut self, subscriber: Instance) {
        for publisher in self.publishers.keys().copied().collect::<Vec<_>>() {
            self.tell(publisher, PublisherInput::Gone { topic: topic(), subscriber });
        }
    }

    pub(crate) fn receivers(&self, publisher: Instance) -> Receivers {
        self.publishers[&publisher].1.receivers(self.now, &topic())
    }

    /// Sends a unicast to one subscriber.
    pub(crate) fn unicast(
        &mut self,
        from: Instance,
        to: Instance,
        payload: &str,
    ) -> Result<MsgId, SealError> {
        let id = self.next_id(from);
        let (_, publisher) = self.publishers.get_mut(&from).unwrap();
        let sealed = publisher.seal_unicast(self.now, &topic(), to, id, &[payload.as_bytes()])?;
        self.send(Parcel { from, to, what: What::Payload(id, sealed) });
        Ok(id)
    }

    /// Sends a multicast to everybody who is attached, verified or not: nodes may lie. Gives its
    /// id and for whom it is.
    pub(crate) fn multicast(
        &mut self,
        from: Instance,
        payload: &str,
    ) -> Result<(MsgId, Vec<Instance>), SealError> {
        let id = self.next_id(from);
        let (_, publisher) = self.publishers.get_mut(&from).unwrap();
        let multicast = publisher.seal_multicast(self.now, &topic(), id, &[payload.as_bytes()])?;
        for to in self.subscribers.keys().copied().collect::<Vec<_>>() {
            self.send(Parcel { from, to, what: What::Payload(id, multicast.sealed.clone()) });
        }
        Ok((id, multicast.receivers))
    }

    /// Lets time pass.
    pub(crate) fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let parcel = self.on_their_way.first_key_value().map(|((due, _), _)| *due);
            let timers = self.publishers.values().filter_map(|(_, one)| one.poll_timeout());
            let timers =
                timers.chain(self.subscribers.values().filter_map(Subscriber::poll_timeout));
            let timer = timers.min();
            let next = parcel.into_iter().chain(timer).min().filter(|due| *due <= end);
            let Some(due) = next else { break };
            self.now = self.now.max(due);
            if parcel.is_some_and(|parcel| parcel <= due) {
                let (_, parcel) = self.on_their_way.pop_first().unwrap();
                self.deliver(parcel);
            } else {
                for publisher in self.publishers.keys().copied().collect::<Vec<_>>() {
                    self.tell(publisher, PublisherInput::Timeout);
                }
                for subscriber in self.subscribers.keys().copied().collect::<Vec<_>>() {
                    self.tell_subscriber(subscriber, SubscriberInput::Timeout);
                }
            }
        }
        self.now = end;
    }

    /// Takes the next parcel off its way.
    pub(crate) fn intercept(&mut self) -> Option<Parcel> {
        self.on_their_way.pop_first().map(|(_, parcel)| parcel)
    }

    /// Hands a parcel over, as it is.
    pub(crate) fn deliver(&mut self, Parcel { from, to, what }: Parcel) {
        match what {
            What::Handshake(message) if self.publishers.contains_key(&to) => {
                self.tell(to, PublisherInput::Message { topic: topic(), from, message });
            }
            What::Handshake(message) => {
                // A publisher that nobody knows is one of the attacker's.
                let known = self.publishers.get(&from).map(|(name, _)| name.clone());
                let name = known.unwrap_or_else(|| "mallory.sdk.bank-m.amop".parse().unwrap());
                let topic = topic();
                self.tell_subscriber(to, SubscriberInput::Message { topic, from, name, message });
            }
            What::Payload(id, sealed) => {
                let Some(subscriber) = self.subscribers.get_mut(&to) else { return };
                let opened = subscriber.open(self.now, &topic(), id, &sealed);
                if let Ok(opened) = opened {
                    self.opened.entry(to).or_default().push((id, opened.payload.clone()));
                    if let Some(key) = opened.answer {
                        self.answer(to, id, key, &opened.payload);
                    }
                }
                self.drain_subscriber(to);
            }
            What::Answer(id, sealed) => {
                let Some((_, publisher)) = self.publishers.get_mut(&to) else { return };
                if let Ok(answer) = publisher.open_answer(self.now, &topic(), from, id, &sealed) {
                    self.answers.push((id, answer));
                }
            }
        }
    }

    /// Puts something on its way.
    pub(crate) fn send(&mut self, parcel: Parcel) {
        let copies = match self.draw(100) {
            lucky if lucky < self.loss_percent => 0,
            doubled if doubled < 2 * self.loss_percent => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let most_ms = if self.loss_percent > 0 { 400 } else { 4 };
            let delay = Duration::from_millis(1 + self.draw(most_ms));
            self.count += 1;
            self.on_their_way.insert((self.now + delay, self.count), parcel.clone());
        }
        self.sent.push(parcel);
    }

    /// A number below `end`, by the seed.
    pub(crate) fn draw(&mut self, end: u64) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    pub(crate) fn tell(&mut self, to: Instance, input: PublisherInput) {
        let (_, publisher) = self.publishers.get_mut(&to).unwrap();
        publisher.handle(self.now, input);
        let effects: Vec<_> = std::iter::from_fn(|| publisher.poll_effect()).collect();
        for effect in effects {
            match effect {
                PublisherEffect::Send { to: subscriber, message, .. } => {
                    let what = What::Handshake(message);
                    self.send(Parcel { from: to, to: subscriber, what });
                }
                PublisherEffect::Verified { subscriber, key, .. } => {
                    self.told.push((to, Told::Verified(subscriber, key)));
                }
                PublisherEffect::Refused { subscriber, .. } => {
                    self.told.push((to, Told::Refused(subscriber)));
                }
                PublisherEffect::Renewed { subscriber, .. } => {
                    self.told.push((to, Told::Renewed(subscriber)));
                }
                PublisherEffect::Withdrawn { subscriber, .. } => {
                    self.told.push((to, Told::Withdrawn(subscriber)));
                }
            }
        }
    }

    pub(crate) fn tell_subscriber(&mut self, to: Instance, input: SubscriberInput) {
        if let Some(subscriber) = self.subscribers.get_mut(&to) {
            subscriber.handle(self.now, input);
            self.drain_subscriber(to);
        }
    }

    fn drain_subscriber(&mut self, which: Instance) {
        let subscriber = self.subscribers.get_mut(&which).unwrap();
        let effects: Vec<_> = std::iter::from_fn(|| subscriber.poll_effect()).collect();
        for effect in effects {
            match effect {
                SubscriberEffect::Send { to, message, .. } => {
                    self.send(Parcel { from: which, to, what: What::Handshake(message) });
                }
                SubscriberEffect::Verified { publisher, .. } => {
                    self.told.push((which, Told::Channel(publisher)));
                }
            }
        }
    }

    fn answer(&mut self, from: Instance, id: MsgId, key: AnswerKey, payload: &[u8]) {
        let answer = [b"re: ", payload].concat();
        let subscriber = self.subscribers.get_mut(&from).unwrap();
        let sealed = subscriber.seal_answer(self.now, &topic(), id, key, &[&answer]).unwrap();
        self.send(Parcel { from, to: id.publisher, what: What::Answer(id, sealed) });
    }

    fn next_id(&mut self, publisher: Instance) -> MsgId {
        self.counter += 1;
        MsgId { publisher, counter: self.counter }
    }

    fn entropy(&mut self, instance: Instance) -> Entropy {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&instance.0.to_be_bytes());
        seed[8..16].copy_from_slice(&self.draw(u64::MAX).to_be_bytes());
        Entropy::new(seed)
    }
}
