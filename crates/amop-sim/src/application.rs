//! The application above a client: what waits for it, what it handles, and how fast.
//!
//! It is the SDK's queue and the business system in one. What waits is handed out while there is
//! time, and refused when there is none any more, when the queue is full, or when the application
//! no longer subscribes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use amop_core::client::{Client, Delivered, Gap, Input as ClientInput, Order, Turn, Wanted};
use amop_wire::{AnswerStatus, Attempt, Instance, Mode, MsgId, NodeMessage, Reason, Topic};
use bytes::Bytes;

use crate::contract::Call;
use crate::due::Happening;
use crate::network::Party;
use crate::publishing::parse;
use crate::story::What;
use crate::watch::Calm;
use crate::world::{ClientId, World};

/// How the application of a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Application {
    /// How long it handles a unicast. A multicast takes no time.
    pub delay: Duration,
    /// How that ends.
    pub status: AnswerStatus,
    /// Whether it takes what waits for it.
    pub reading: Reading,
    /// How many messages may wait for it; the client refuses more.
    pub capacity: usize,
}

/// Whether an application takes what waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// At once, however many unicasts it handles already.
    Always,
    /// At once, unless it handles a unicast.
    OneByOne,
    /// Never.
    Never,
}

impl Default for Application {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(1),
            status: AnswerStatus::Answered,
            reading: Reading::Always,
            capacity: 100,
        }
    }
}

/// What an application has of the messages that reached its client.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: VecDeque<Delivered>,
    /// Unicasts that were handed out and have no answer yet.
    handling: Vec<(Attempt, MsgId, AnswerStatus)>,
    /// How far it is with the multicasts of each topic.
    orders: BTreeMap<Topic, Order>,
}

impl World {
    /// Subscribes.
    pub fn subscribe(&mut self, client: ClientId, topic: &str) {
        let topic = parse(topic);
        self.clients[client.0].keys.remove(&topic);
        if self.clients[client.0].wanted.insert(topic.clone()) {
            self.topics_changed.insert(topic.clone(), self.now);
        }
        self.client_batch(client.0, [ClientInput::Subscribe(topic)]);
    }

    /// Unsubscribes: what waits for the application is refused.
    pub fn unsubscribe(&mut self, client: ClientId, topic: &str) {
        let topic = parse(topic);
        self.clients[client.0].keys.remove(&topic);
        if self.clients[client.0].wanted.remove(&topic) {
            self.topics_changed.insert(topic.clone(), self.now);
        }
        let mut inputs = vec![ClientInput::Unsubscribe(topic.clone())];
        inputs.extend(self.refuse_waiting(client.0, &topic));
        self.client_batch(client.0, inputs);
    }

    /// Gives a client another application, which takes what waits for it.
    pub fn set_application(&mut self, client: ClientId, application: Application) {
        let slot = &mut self.clients[client.0];
        if application.is_willing() && !slot.application.is_willing() {
            slot.willing = Calm::since(self.now);
        } else if !application.is_willing() {
            slot.willing = Calm::never();
        }
        slot.application = application;
        let taken = self.take_waiting(client.0);
        self.client_batch(client.0, taken);
    }

    /// A message for an application; answers the inputs that follow at once.
    pub(crate) fn deliver(&mut self, client: usize, delivered: Delivered) -> Vec<ClientInput> {
        let slot = &mut self.clients[client];
        if let Some(core) = &slot.core {
            self.record.delivered(delivered.id, core.instance());
        }
        if slot.inbox.waiting.len() >= slot.application.capacity
            && !(slot.application.takes(&slot.inbox) && slot.inbox.waiting.is_empty())
        {
            return vec![self.refuse(client, &delivered, Reason::SubscriberBusy)];
        }
        slot.inbox.waiting.push_back(delivered);
        self.take_waiting(client)
    }

    /// Whether a client gets a message that its application had before.
    pub(crate) fn is_repeated(&self, client: usize, input: &ClientInput) -> bool {
        let (ClientInput::Message(message) | ClientInput::OldMessage(message)) = input else {
            return false;
        };
        let id = match message {
            NodeMessage::Delivery(delivery) => delivery.attempt.id,
            NodeMessage::Multicast(multicast) => multicast.id,
            _ => return false,
        };
        let instance = self.clients[client].core.as_ref().map(Client::instance);
        let delivered_to = self.record.publications.get(&id).map(|of| &of.delivered_to);
        delivered_to.zip(instance).is_some_and(|(to, instance)| to.contains(&instance))
    }

    /// The unicasts that a client's application works on.
    pub fn handling(&self, client: ClientId) -> impl Iterator<Item = Attempt> {
        self.clients[client.0].inbox.handling.iter().map(|&(attempt, ..)| attempt)
    }

    /// An application is done with a unicast.
    pub(crate) fn handled(&mut self, client: usize, life: u32, attempt: Attempt) {
        let slot = &mut self.clients[client];
        let Some(core) = slot.core.as_ref().filter(|_| slot.life == life) else { return };
        let handling = &mut slot.inbox.handling;
        let Some(position) = handling.iter().position(|&(of, ..)| of == attempt) else { return };
        let (attempt, id, status) = handling.swap_remove(position);
        let payload = answer_to(id, core.instance());
        let mut inputs = vec![ClientInput::Answer { attempt, status, payload }];
        inputs.extend(self.take_waiting(client));
        self.client_batch(client, inputs);
    }

    /// Takes what waits for a topic out of the queue: the application no longer wants it.
    pub(crate) fn refuse_waiting(&mut self, client: usize, topic: &Topic) -> Vec<ClientInput> {
        self.forget_order(client, topic);
        let waiting = std::mem::take(&mut self.clients[client].inbox.waiting);
        let (unwanted, wanted): (VecDeque<_>, VecDeque<_>) =
            waiting.into_iter().partition(|delivered| delivered.topic == *topic);
        self.clients[client].inbox.waiting = wanted;
        let refuse = |delivered| self.refuse(client, delivered, Reason::NotSubscribed);
        unwanted.iter().map(refuse).collect()
    }

    /// Hands out what waits, as far as the application takes it.
    fn take_waiting(&mut self, client: usize) -> Vec<ClientInput> {
        let mut inputs = Vec::new();
        loop {
            let slot = &mut self.clients[client];
            if slot.core.is_none() || !slot.application.takes(&slot.inbox) {
                return inputs;
            }
            let Some(delivered) = slot.inbox.waiting.pop_front() else { return inputs };
            if self.now > delivered.expires {
                inputs.push(self.refuse(client, &delivered, Reason::Deadline));
                continue;
            }
            let (life, delay) = (slot.life, slot.application.delay);
            match delivered.wanted {
                Wanted::Answer(attempt) => {
                    slot.inbox.handling.push((attempt, delivered.id, slot.application.status));
                    self.after(delay, Happening::Handled { client, life, attempt });
                }
                Wanted::Ack(number) => {
                    let order = slot.inbox.orders.entry(delivered.topic.clone()).or_default();
                    let turn = order.turn(delivered.id.publisher, delivered.sequence);
                    if turn == Turn::Late {
                        inputs.push(self.refuse(client, &delivered, Reason::Deadline));
                        continue;
                    }
                    if let Turn::After(gap) = turn {
                        self.missed(client, &delivered, gap);
                    }
                    let generation = delivered.generation;
                    inputs.push(ClientInput::Ack { generation, number, refused: false });
                }
            }
            self.called(client, &delivered);
        }
    }

    fn called(&mut self, client: usize, delivered: &Delivered) {
        let Some(core) = &self.clients[client].core else { return };
        let id = delivered.id;
        let status = self.clients[client].application.status;
        let call = Call { instance: core.instance(), at: self.now, status };
        self.tell(What::Did(Party::Client(client)), id.into(), format_args!("handles {id}"));
        self.note((id, call.instance));
        self.record.called(id, call);
        if delivered.mode() == Mode::Multicast {
            let wrong = if self.has_keys(&delivered.topic) {
                self.record.sealed_order.handled(call.instance, delivered)
            } else {
                self.record.sequences.handled(call.instance, id, &delivered.topic)
            };
            self.record.broken.extend(wrong);
        }
    }

    fn missed(&mut self, client: usize, delivered: &Delivered, gap: Gap) {
        let Some(core) = &self.clients[client].core else { return };
        let (by, Delivered { id, topic, .. }) = (core.instance(), delivered);
        let line = format_args!("misses {gap:?} before {id}");
        self.tell(What::Did(Party::Client(client)), (*id).into(), line);
        if self.has_keys(topic) {
            let wrong = self.record.sealed_order.missed(by, delivered, gap);
            return self.record.broken.extend(wrong);
        }
        self.record.gaps.push((by, *id, gap));
        let wrong = self.record.sequences.missed(by, *id, topic, gap);
        self.record.broken.extend(wrong);
    }

    fn forget_order(&mut self, client: usize, topic: &Topic) {
        let slot = &mut self.clients[client];
        slot.inbox.orders.remove(topic);
        if let Some(core) = &slot.core {
            self.record.sequences.unsubscribed(core.instance(), topic);
            self.record.sealed_order.unsubscribed(core.instance(), topic);
        }
    }

    /// What a client says to a message that its application will never handle.
    fn refuse(&mut self, client: usize, delivered: &Delivered, reason: Reason) -> ClientInput {
        let id = delivered.id;
        let line = format_args!("refuses {id}: {reason}");
        self.tell(What::Did(Party::Client(client)), id.into(), line);
        if let Some(core) = &self.clients[client].core {
            self.record.refused(id, self.now, core.instance());
        }
        delivered.refusal(reason)
    }
}

impl Application {
    /// Whether it would take a message now.
    fn takes(&self, inbox: &Inbox) -> bool {
        match self.reading {
            Reading::Always => true,
            Reading::OneByOne => inbox.handling.is_empty(),
            Reading::Never => false,
        }
    }
}

/// What an application must answer to be judged; different for each message and each instance.
#[must_use]
pub fn answer_to(id: MsgId, by: Instance) -> Bytes {
    format!("answer to {id} by {by}").into()
}
