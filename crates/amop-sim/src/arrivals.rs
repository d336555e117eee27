//! What reaches a party: read, gathered to a batch, and handed in as its driver does it.

use std::time::Duration;

use amop_core::client::Input as ClientInput;
use amop_core::node::{Input as NodeInput, LinkId};
use amop_wire::{
    ClientMessage, CloseCode, CloseReason, Frame, Instant, Message, MessageError, NodeMessage,
    PeerMessage,
};

use crate::due::Happening;
use crate::network::{Kind, Party};
use crate::world::World;

impl World {
    /// A frame has reached a party; its driver may look only a moment later. What it cannot read
    /// closes the link.
    pub(crate) fn arrived(
        &mut self,
        party: Party,
        kind: Kind,
        link: LinkId,
        sent_at: Instant,
        frame: Frame,
    ) {
        let is_first = match (party, kind) {
            (Party::Stranger(stranger), _) => return self.heard(stranger, kind, frame),
            (Party::Client(client), _) => NodeMessage::from_frame(frame).map(|message| {
                let slot = &mut self.clients[client];
                let is_old = slot.old_link == Some(link);
                let of_link = if is_old { ClientInput::OldMessage } else { ClientInput::Message };
                // Of a link that it has closed it hears nothing.
                let is_heard = is_old || slot.link == Some(link);
                slot.arrived.extend(is_heard.then(|| (sent_at, of_link(message))));
                is_heard && slot.arrived.len() == 1
            }),
            (Party::Node(node), Kind::Client) => ClientMessage::from_frame(frame).map(|message| {
                let arrived = &mut self.nodes[node].arrived;
                arrived.push((sent_at, NodeInput::Client { link, message }));
                arrived.len() == 1
            }),
            (Party::Node(node), Kind::Peer) => PeerMessage::from_frame(frame).map(|message| {
                let arrived = &mut self.nodes[node].arrived;
                arrived.push((sent_at, NodeInput::Peer { link, message }));
                arrived.len() == 1
            }),
        };
        let is_first = match is_first {
            Ok(is_first) => is_first,
            Err(error) => {
                self.blame(link, party, &error);
                let reason = CloseReason::new(CloseCode::Protocol, error.to_string());
                return self.close((party, self.life_of(party)), link, reason);
            }
        };
        let paused_until = self.paused_until(party);
        if self.now < paused_until {
            if is_first {
                let life = self.life_of(party);
                self.at(paused_until, Happening::Batch { party, life });
            }
        } else if self.batching.is_zero() {
            self.flush(party);
        } else if is_first {
            let span = u64::try_from(self.batching.as_nanos()).unwrap_or(u64::MAX);
            let (wait, life) = (Duration::from_nanos(self.draw(span)), self.life_of(party));
            self.after(wait, Happening::Batch { party, life });
        }
    }

    /// Notes a violation if an honest party said what cannot be read.
    fn blame(&mut self, link: LinkId, party: Party, error: &MessageError) {
        let Some(state) = self.network.links.get(&link) else { return };
        if !state.parties.iter().any(|party| matches!(party, Party::Stranger(_))) {
            self.record.broken.push(format!("{party} was told what it cannot read: {error}"));
        }
    }

    /// Hands in all that has arrived.
    pub(crate) fn flush(&mut self, party: Party) {
        match party {
            Party::Node(node) => {
                let arrived = std::mem::take(&mut self.nodes[node].arrived);
                if !arrived.is_empty() {
                    let inputs: Vec<NodeInput> = arrived
                        .into_iter()
                        .map(|(sent_at, input)| self.deduct_from_node_input(sent_at, input))
                        .collect();
                    self.node_batch(node, inputs);
                }
            }
            Party::Client(client) => {
                let arrived = std::mem::take(&mut self.clients[client].arrived);
                if !arrived.is_empty() {
                    let inputs: Vec<ClientInput> = arrived
                        .into_iter()
                        .map(|(sent_at, mut input)| {
                            if let ClientInput::Message(message)
                            | ClientInput::OldMessage(message) = &mut input
                            {
                                message.deduct(self.held_up(sent_at));
                            }
                            input
                        })
                        .collect();
                    self.client_batch(client, inputs);
                }
            }
            Party::Stranger(_) => {}
        }
    }

    /// By how long a driver finds that a message was held up: it knows no shorter way than the
    /// shortest.
    fn held_up(&self, sent_at: Instant) -> Duration {
        let held_up = self.now.saturating_since(sent_at).saturating_sub(self.latency);
        if held_up < NOTICED { Duration::ZERO } else { held_up }
    }

    fn deduct_from_node_input(&self, sent_at: Instant, mut input: NodeInput) -> NodeInput {
        let held_up = self.held_up(sent_at);
        match &mut input {
            NodeInput::Client { message, .. } => message.deduct(held_up),
            NodeInput::Peer { message, .. } => message.deduct(held_up),
            _ => {}
        }
        input
    }
}

/// What drivers leave alone, since batches and jitter take as long.
const NOTICED: Duration = Duration::from_millis(50);
