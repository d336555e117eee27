//! The state machine of a client.
//!
//! ```text
//!            LinkUp               Attached                  every Subscribed
//!  ┌─────────┐ ───▶ ┌───────────┐ ───────▶ ┌─────────────┐ ───────▶ ┌───────────┐
//!  │ Offline │      │ Attaching │          │ Subscribing │          │ Connected │
//!  └─────────┘ ◀─── └───────────┘ ◀─────── └─────────────┘ ◀─────── └───────────┘
//!            LinkDown
//! ```
//!
//! A client tells the application that it is connected only once the node holds all of its
//! subscriptions. What is published before waits; what was sent on a link that ended may have been
//! handled, so it is not sent again: its outcome may still come, and else it ends with 102.

mod deliver;
mod effect;
mod heard;
mod kept;
mod keyed;
mod limits;
mod loose;
mod moving;
mod order;
mod private;
mod publish;
mod replies;
mod sequences;
mod subscriptions;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use amop_wire::{
    AckEnd, AckRun, ClientMessage, Gen, Instance, Instant, Mode, NodeId, NodeMessage, Publish,
    Topic,
};

pub use effect::{Delivered, Effect, Input, PublishEnd, Wanted};
pub use limits::Limits;
pub use order::{Gap, Order, Turn};
pub use private::{FILE_NEXT_WITHIN, FileReceivers, PRIVATE_MESSAGE_BYTES_MAX};

use crate::by_counter::ByCounter;
use crate::runs::take_lots;
use heard::Heard;
use kept::Kept;
use keyed::Keyed;
use moving::Moving;
use private::{Draft, Private};
use publish::Pending;
use replies::Replies;
use sequences::Sequences;
use subscriptions::Subscriptions;

/// One life of a client.
#[derive(Debug)]
pub struct Client {
    instance: Instance,
    generation: Gen,
    state: State,
    subscriptions: Subscriptions,
    publishes: ByCounter<Pending>,
    stay: Stay,
    moving: Moving,
    /// Publishes that wait for a connection, in the order of their counters.
    waiting: BTreeMap<u64, Publish>,
    kept: Kept,
    last_counter: u64,
    sequences: Sequences,
    /// Answers that wait for a connection.
    held: VecDeque<ClientMessage>,
    limits: Limits,
    /// How many multicasts the link has brought.
    multicasts: u64,
    acks: Vec<AckRun>,
    heard: Heard,
    replies: Replies,
    keyed: Keyed,
    /// What it has of private topics, if it may have any.
    private: Option<Box<Private>>,
    /// When to look for publishes whose time is up: none is earlier.
    alarm: Option<Instant>,
    effects: VecDeque<Effect>,
}

/// Whether the client may stay where it is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    Staying,
    /// The node stops soon: nothing new is published there.
    Leaving,
    /// Nothing that was published there is without an end.
    Idle,
}

#[derive(Debug)]
enum State {
    Offline,
    Attaching,
    Subscribing {
        /// The topics that the node has not confirmed.
        open: BTreeSet<Topic>,
    },
    Connected,
}

impl Client {
    /// One life of a client; the instance must be drawn at random.
    #[must_use]
    pub fn new(instance: Instance) -> Self {
        Self {
            instance,
            generation: Gen(0),
            state: State::Offline,
            subscriptions: Subscriptions::default(),
            publishes: ByCounter::default(),
            stay: Stay::Staying,
            moving: Moving::default(),
            waiting: BTreeMap::new(),
            kept: Kept::default(),
            last_counter: 0,
            sequences: Sequences::default(),
            held: VecDeque::new(),
            limits: Limits::default(),
            multicasts: 0,
            acks: Vec::new(),
            heard: Heard::default(),
            replies: Replies::default(),
            keyed: Keyed::default(),
            private: None,
            alarm: None,
            effects: VecDeque::new(),
        }
    }

    /// Draws the counter of the next publish, which must be handed in next.
    pub fn draw_counter(&mut self) -> u64 {
        self.last_counter += 1;
        self.last_counter
    }

    /// The life of this client.
    #[must_use]
    pub fn instance(&self) -> Instance {
        self.instance
    }

    /// Applies one input; what it causes waits in [`poll_effect`](Self::poll_effect).
    ///
    /// The caller drains every effect before the next input.
    pub fn handle(&mut self, now: Instant, input: Input) {
        debug_assert!(self.effects.is_empty(), "drain every effect before the next input");
        match input {
            Input::Message(message) => {
                self.kept.heard(now);
                self.handle_message(now, message);
            }
            Input::OldMessage(message) => self.handle_parting(now, message),
            Input::Publish { counter, key, mode, terms, topic, payload, timeout }
                if self.is_private(&topic) =>
            {
                let draft = Draft::new(key, (mode, terms), topic, payload, now + timeout);
                self.publish_private(now, counter, draft);
            }
            Input::Publish { counter, key, mode, terms, topic, payload, timeout } => {
                let sequence = match mode {
                    Mode::Unicast => 0,
                    Mode::Multicast => self.sequences.next(&topic, counter),
                };
                let ttl = timeout;
                let publish = Publish { counter, ttl, mode, sequence, terms, topic, payload };
                self.publish(now, key, publish);
            }
            Input::Answer { attempt, status, payload } => {
                for joined in self.keyed.answered(now, attempt.id, status, &payload) {
                    self.answer(now, joined, status, payload.clone());
                }
                self.answer(now, attempt, status, payload);
            }
            Input::Refuse { attempt, reason } => {
                self.refuse(now, attempt, reason);
            }
            Input::Ack { generation, number, refused } => {
                let end = if refused { AckEnd::Refused } else { AckEnd::Taken };
                self.ack(generation, number, end);
            }
            Input::Subscribe(topic) => {
                self.drop_key(now, &topic);
                self.subscribe(now, topic);
            }
            Input::SubscribePrivate { topic, key } => {
                self.hold_key(now, topic.clone(), key);
                self.subscribe(now, topic);
            }
            Input::Allow { topic, keys } => self.allow(now, topic, keys),
            Input::Remove { topic, key } => self.remove_key(now, topic, key),
            Input::CannotOpen { topic, subscriber } => self.cannot_open(now, topic, subscriber),
            Input::Propagate(topic) => self.propagate(topic),
            Input::Unsubscribe(topic) => self.unsubscribe(now, topic),
            Input::LinkUp { node } => self.link_up(node),
            Input::LinkDown => self.link_down(),
            Input::OldLinkDown => self.parted(),
            Input::EndOfBatch => self.send_acks(),
            Input::Timeout => {
                self.handle_timeout(now);
                self.move_on(now);
            }
        }
    }

    /// Takes the next effect, in the order in which they must be performed.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Says when to hand in [`Input::Timeout`]; coming early is harmless, coming late only slow.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let private = self.private.as_ref().and_then(|private| private.poll_timeout());
        self.alarm.into_iter().chain(private).chain(self.moving.poll_timeout()).min()
    }

    /// Whether the node has taken the client in and holds its subscriptions.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected)
    }

    fn link_up(&mut self, node: NodeId) {
        if let Some(private) = &mut self.private {
            private.linked(node);
        }
        if !matches!(self.state, State::Offline) {
            self.part_from_link();
            self.forget_link();
        }
        self.generation.0 += 1;
        self.multicasts = 0;
        self.stay = Stay::Staying;
        self.state = State::Attaching;
        let (instance, generation) = (self.instance, self.generation);
        self.send(ClientMessage::Attach { instance, generation });
    }

    fn link_down(&mut self) {
        self.forget_link();
        self.acks.clear(); // They name deliveries of the link that has ended.
        if self.is_connected() {
            self.effects.push_back(Effect::Disconnected);
        }
        self.state = State::Offline;
    }

    /// Forgets what the node has answered and told on a link.
    fn forget_link(&mut self) {
        self.subscriptions.link_down();
        if let Some(private) = &mut self.private {
            private.link_down();
        }
    }

    fn handle_message(&mut self, now: Instant, message: NodeMessage) {
        match message {
            NodeMessage::Multicast(multicast) => self.multicast(now, multicast),
            NodeMessage::Delivery(delivery) => self.delivery(now, delivery),
            NodeMessage::Outcome(outcome) => self.outcome(now, outcome),
            NodeMessage::Receipts(runs) => self.receipts(now, &runs),
            NodeMessage::Subscribed { topic, code, reason } => {
                self.subscribed(now, topic, code, reason);
            }
            NodeMessage::Propagated { topic } => self.propagated(topic),
            NodeMessage::Attached { epoch, in_flight: _ } => self.attached(now, epoch),
            NodeMessage::Watched(watched) => self.watched(now, watched),
            NodeMessage::Handshake(handshake) => self.handshake(now, handshake),
            NodeMessage::Outlived { epoch } => self.attached_to(now, epoch),
            NodeMessage::Draining => self.node_drains(),
        }
    }

    /// The node is about to stop, so that nothing more is published there.
    fn node_drains(&mut self) {
        if self.stay == Stay::Staying {
            self.stay = Stay::Leaving;
        }
        self.leave_if_idle();
    }

    /// Whether what is published now goes out at once.
    fn may_publish(&self) -> bool {
        self.is_connected() && self.stay == Stay::Staying
    }

    /// Asks to be linked with another node, once nothing that was published here is without an end.
    fn leave_if_idle(&mut self) {
        if self.stay == Stay::Leaving && self.publishes.len() == self.waiting.len() {
            self.stay = Stay::Idle;
            self.effects.push_back(Effect::Leave);
        }
    }

    fn connected_if_complete(&mut self, now: Instant) {
        if !matches!(&self.state, State::Subscribing { open } if open.is_empty()) {
            return;
        }
        self.state = State::Connected;
        self.has_moved(now);
        self.effects.push_back(Effect::Connected);
        for answer in std::mem::take(&mut self.held) {
            self.send(answer);
        }
        self.send_waiting(now);
        self.look_again_at_all(now);
    }

    fn send_acks(&mut self) {
        self.send_parting_acks();
        for lot in take_lots(&mut self.acks) {
            self.effects.push_back(Effect::Send(ClientMessage::Acks(lot)));
        }
    }

    fn send(&mut self, message: ClientMessage) {
        self.effects.push_back(Effect::Send(message));
    }
}
