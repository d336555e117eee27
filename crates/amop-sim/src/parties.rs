//! Drives the cores of a world: hands in what happens, performs what they want.

use std::time::Duration;

use amop_core::client::{
    Client, Delivered, Effect as ClientEffect, Input as ClientInput, PublishEnd,
};
use amop_core::node::{Effect as NodeEffect, Input as NodeInput, LinkId, Node};
use amop_wire::{
    ClientMessage, Gen, Lane, Message, Mode, MsgId, NodeMessage, Outcome, PeerMessage, Reason,
};
use bytes::BytesMut;

use crate::application::Reading;
use crate::contract::{Call, End, answer_to};
use crate::network::{Party, encode, frame};
use crate::world::{Happening, World};

impl World {
    pub(crate) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrival { link, to, lane, bytes } => self.arrive(link, to, lane, bytes),
            Happening::Notice { link, end } => self.notice(link, end),
            Happening::Wake { party, life } => self.wake(party, life),
            Happening::Handled { client, life, counter } => self.handled(client, life, counter),
            Happening::Dial { client, life } => self.dial(client, life),
        }
    }

    /// Hands an input to a node, if it is up, ends the batch, and performs what comes of it.
    pub(crate) fn node_input(&mut self, node: usize, input: NodeInput) {
        let mut inputs = vec![NodeInput::EndOfBatch, input];
        while let Some(input) = inputs.pop() {
            let now = self.now;
            let Some(core) = self.nodes[node].core.as_mut() else { return };
            core.handle(now, input);
            let effects: Vec<NodeEffect> = std::iter::from_fn(|| core.poll_effect()).collect();
            for effect in effects {
                inputs.extend(self.node_effect(node, effect));
            }
        }
        let (party, life) = (Party::Node(node), self.nodes[node].life);
        let wanted = self.nodes[node].core.as_ref().and_then(Node::poll_timeout);
        if let Some(at) = wanted
            && self.nodes[node].wake_at.is_none_or(|set| at < set)
        {
            self.nodes[node].wake_at = Some(at);
            self.at(at.max(self.now), Happening::Wake { party, life });
        }
    }

    /// Performs an effect; answers the input that says that it could not.
    fn node_effect(&mut self, node: usize, effect: NodeEffect) -> Option<NodeInput> {
        let party = Party::Node(node);
        match effect {
            NodeEffect::ToClient { link, message } => {
                let sent = self.send(party, self.nodes[node].life, link, &message);
                (!sent).then_some(NodeInput::UnsentToClient { link, message })
            }
            NodeEffect::ToPeer { link, message } => {
                let sent = self.send(party, self.nodes[node].life, link, &message);
                (!sent).then_some(NodeInput::UnsentToPeer { link, message })
            }
            NodeEffect::Close { link, reason } => {
                self.record.tell(self.now, format_args!("{party:?} closes {link:?}: {reason}"));
                self.close(link);
                None
            }
            NodeEffect::Event(event) => {
                self.record.tell(self.now, format_args!("{party:?} {event:?}"));
                None
            }
        }
    }

    /// Hands an input to a client, if it lives, ends the batch, and performs what comes of it.
    pub(crate) fn client_input(&mut self, client: usize, input: ClientInput) {
        let mut inputs = vec![ClientInput::EndOfBatch, input];
        while let Some(input) = inputs.pop() {
            let now = self.now;
            let Some(core) = self.clients[client].core.as_mut() else { return };
            core.handle(now, input);
            let effects: Vec<ClientEffect> = std::iter::from_fn(|| core.poll_effect()).collect();
            for effect in effects {
                inputs.extend(self.client_effect(client, effect));
            }
        }
        let (party, life) = (Party::Client(client), self.clients[client].life);
        let wanted = self.clients[client].core.as_ref().and_then(Client::poll_timeout);
        if let Some(at) = wanted
            && self.clients[client].wake_at.is_none_or(|set| at < set)
        {
            self.clients[client].wake_at = Some(at);
            self.at(at.max(self.now), Happening::Wake { party, life });
        }
    }

    fn client_effect(&mut self, client: usize, effect: ClientEffect) -> Option<ClientInput> {
        let party = Party::Client(client);
        match effect {
            ClientEffect::Send(message) => {
                if let Some(link) = self.clients[client].link {
                    self.send(party, self.clients[client].life, link, &message);
                }
                None
            }
            ClientEffect::Deliver(delivered) => self.deliver(client, delivered),
            ClientEffect::Published { counter, end } => {
                self.published(client, counter, end);
                None
            }
            ClientEffect::Close(reason) => {
                self.record.tell(self.now, format_args!("{party:?} closes its link: {reason}"));
                if let Some(link) = self.clients[client].link {
                    self.close(link);
                }
                None
            }
            ClientEffect::Subscribed { .. }
            | ClientEffect::Connected
            | ClientEffect::Disconnected => {
                self.record.tell(self.now, format_args!("{party:?} {effect:?}"));
                None
            }
        }
    }

    fn published(&mut self, client: usize, counter: u64, end: PublishEnd) {
        let Some(core) = &self.clients[client].core else { return };
        let id = MsgId { publisher: core.instance(), counter };
        let end = match end {
            PublishEnd::Receipt(receipt) => End::Receipt(receipt),
            PublishEnd::Outcome(Outcome { code, reason, attempts, payload, .. }) => {
                End::Outcome { code, reason, attempts, payload }
            }
        };
        self.record.tell(self.now, format_args!("{id} ends: {end:?}"));
        self.note((id, format!("{end:?}")));
        if let Some(publication) = self.record.publications.get_mut(&id) {
            publication.ends.push((self.now, end));
        }
    }

    /// A message for an application; answers the input that refuses it.
    fn deliver(&mut self, client: usize, delivered: Delivered) -> Option<ClientInput> {
        let slot = &mut self.clients[client];
        if slot.inbox.len() >= slot.application.capacity {
            return Some(refusal(&delivered));
        }
        match (slot.application.reading, delivered.delivery.mode) {
            (Reading::Never, _) => slot.inbox.push_back(delivered),
            (Reading::Always, Mode::Multicast) => {
                let (generation, number) = (delivered.generation, delivered.delivery.number);
                self.called(client, delivered.delivery.attempt.id);
                return Some(ClientInput::Ack { generation, number, refused: false });
            }
            (Reading::Always, Mode::Unicast) => {
                let (id, delay) = (delivered.delivery.attempt.id, slot.application.delay);
                let (life, counter) = (slot.life, id.counter);
                slot.inbox.push_back(delivered);
                self.called(client, id);
                self.after(delay, Happening::Handled { client, life, counter });
            }
        }
        None
    }

    fn called(&mut self, client: usize, id: MsgId) {
        let Some(core) = &self.clients[client].core else { return };
        let call = Call { instance: core.instance(), at: self.now };
        self.record.tell(self.now, format_args!("client {client} handles {id}"));
        self.note((id, call.instance));
        if let Some(publication) = self.record.publications.get_mut(&id) {
            publication.calls.push(call);
        }
    }

    fn handled(&mut self, client: usize, life: u32, counter: u64) {
        let slot = &mut self.clients[client];
        let Some(core) = slot.core.as_ref().filter(|_| slot.life == life) else { return };
        let is_it = |d: &Delivered| d.delivery.attempt.id.counter == counter;
        let Some(position) = slot.inbox.iter().position(is_it) else { return };
        let Some(delivered) = slot.inbox.remove(position) else { return };
        let attempt = delivered.delivery.attempt;
        let payload = answer_to(attempt.id, core.instance());
        let status = slot.application.status;
        self.client_input(client, ClientInput::Answer { attempt, status, payload });
    }

    /// Sends a message over a link, unless it has no room. The link of a client always has room in
    /// the direction of the node: a window of its own keeps a client from filling it.
    fn send<M: Message>(&mut self, from: Party, life: u32, link: LinkId, message: &M) -> bool {
        let Some(end) = self.network.end_of(link, from, life) else { return true };
        let (bytes, lane) = (encode(message), message.lane());
        let latency = self.draw_latency();
        let (now, max) = (self.now, self.link_bytes_max);
        let Some(state) = self.network.links.get_mut(&link) else { return true };
        let is_bounded = lane != Lane::Control && matches!(from, Party::Node(_));
        if is_bounded && state.queued_bytes[end] + bytes.len() > max {
            return false;
        }
        state.queued_bytes[end] += bytes.len();
        let at = state.arrival(end, lane, now, latency);
        self.at(at, Happening::Arrival { link, to: 1 - end, lane, bytes });
        true
    }

    fn arrive(&mut self, link: LinkId, to: usize, lane: Lane, bytes: BytesMut) {
        let Some(state) = self.network.links.get_mut(&link) else { return };
        let from = 1 - to;
        state.queued_bytes[from] = state.queued_bytes[from].saturating_sub(bytes.len());
        if !state.passes {
            return;
        }
        let sender_is_client = link_is_of_client(state.ends[0]);
        let Some((party, life)) = state.ends[to] else { return };
        self.note((link.0, to, lane, bytes.len()));
        let frame = frame(bytes);
        match party {
            Party::Client(client) if self.clients[client].life == life => {
                let message = NodeMessage::from_frame(frame).expect("what was sent can be read");
                self.client_input(client, ClientInput::Message(message));
            }
            Party::Node(node) if self.nodes[node].life == life => {
                let input = if sender_is_client {
                    let message = ClientMessage::from_frame(frame);
                    NodeInput::Client { link, message: message.expect("what was sent can be read") }
                } else {
                    let message = PeerMessage::from_frame(frame);
                    NodeInput::Peer { link, message: message.expect("what was sent can be read") }
                };
                self.node_input(node, input);
            }
            Party::Client(_) | Party::Node(_) => {} // It has died meanwhile.
        }
    }

    /// Closes a link in order: what is on its way arrives first.
    fn close(&mut self, link: LinkId) {
        let latency = self.draw_latency();
        let Some(state) = self.network.links.get(&link) else { return };
        let at = state.last_arrival().max(self.now) + latency;
        for end in 0..2 {
            self.at(at, Happening::Notice { link, end });
        }
    }

    fn notice(&mut self, link: LinkId, end: usize) {
        let Some(state) = self.network.links.get_mut(&link) else { return };
        let Some((party, life)) = state.ends[end].take() else { return };
        if state.ends == [None, None] {
            self.network.links.remove(&link);
        }
        match party {
            Party::Node(node) if self.nodes[node].life == life => {
                self.node_input(node, NodeInput::LinkDown { link });
            }
            Party::Client(client) if self.clients[client].life == life => {
                if self.clients[client].link == Some(link) {
                    self.clients[client].link = None;
                    self.client_input(client, ClientInput::LinkDown);
                    let wait = Duration::from_millis(100 + self.draw(100));
                    self.after(wait, Happening::Dial { client, life });
                }
            }
            Party::Node(_) | Party::Client(_) => {}
        }
    }

    fn wake(&mut self, party: Party, life: u32) {
        match party {
            Party::Node(node) if self.nodes[node].life == life => {
                self.nodes[node].wake_at = None;
                self.node_input(node, NodeInput::Timeout);
            }
            Party::Client(client) if self.clients[client].life == life => {
                self.clients[client].wake_at = None;
                self.client_input(client, ClientInput::Timeout);
            }
            Party::Node(_) | Party::Client(_) => {}
        }
    }

    fn dial(&mut self, client: usize, life: u32) {
        let slot = &mut self.clients[client];
        if slot.life != life || slot.core.is_none() || slot.link.is_some() || slot.homes.is_empty()
        {
            return;
        }
        let node = slot.homes[slot.next_home % slot.homes.len()];
        slot.next_home += 1;
        let name = slot.name.clone();
        if self.nodes[node].core.is_none() {
            return self.after(Duration::from_millis(100), Happening::Dial { client, life });
        }
        let acceptor = (Party::Node(node), self.nodes[node].life);
        let link = self.network.connect((Party::Client(client), life), acceptor);
        self.clients[client].link = Some(link);
        self.node_input(node, NodeInput::ClientUp { link, name });
        self.client_input(client, ClientInput::LinkUp);
    }
}

fn link_is_of_client(dialer: Option<(Party, u32)>) -> bool {
    matches!(dialer, Some((Party::Client(_), _)))
}

/// What a client says to a message that its application has no room for.
fn refusal(delivered: &Delivered) -> ClientInput {
    let reason = Reason::SubscriberBusy;
    match delivered.delivery.mode {
        Mode::Unicast => ClientInput::Refuse { attempt: delivered.delivery.attempt, reason },
        Mode::Multicast => {
            let (generation, number): (Gen, u64) =
                (delivered.generation, delivered.delivery.number);
            ClientInput::Ack { generation, number, refused: true }
        }
    }
}
