//! Nodes that deceive the ends of private topics, as far as a node can: it hands on what it likes, to whom it
//! likes, in whose name it likes, as long as they are clients of its own.
//!
//! Its core keeps all rules; what lies is the driver around it. It says
//!
//! - to its subscribers what was meant for another one of them, and takes the proof of the one for that of
//!   the other,
//! - to itself, as if a subscriber had said it, what any of them said before,
//! - to its publishers, in the name of one subscriber, what another has said, and says it twice,
//! - to its publishers that somebody subscribes elsewhere, or in another life of the node.

use std::collections::BTreeMap;

use amop_core::node::{Input as NodeInput, LinkId};
use amop_wire::{ClientHandshake, ClientMessage, Epoch, NodeHandshake, NodeMessage, Watched};

use crate::fault::Fault;
use crate::network::Party;
use crate::world::{NodeId, World};

/// What a node that deceives has heard.
#[derive(Debug, Default)]
pub(crate) struct Forger {
    /// What its clients said as subscribers.
    replies: Vec<ClientHandshake>,
    /// What came for its clients as publishers.
    proofs: Vec<NodeHandshake>,
    /// Who was asked in place of whom.
    in_place_of: BTreeMap<LinkId, LinkId>,
}

impl World {
    /// Has a node deceive the ends of private topics that are attached to it, or no longer. What it made
    /// them believe of others ends with their links, which it then loses.
    pub fn set_forging(&mut self, node: NodeId, forges: bool) {
        let was_forging = self.nodes[node.0].forger.is_some();
        if forges {
            self.coverage.fault(Fault::Forge);
            self.nodes[node.0].forger.get_or_insert_default();
        } else if was_forging {
            self.nodes[node.0].forger = None;
            for client in self.clients_at(node) {
                let soon = std::time::Duration::from_millis(10);
                self.cut_client(client, soon, soon);
            }
        }
    }

    /// What is handed to a node in place of an input, if it deceives.
    pub(crate) fn forged_inputs(&mut self, node: usize, input: NodeInput) -> Vec<NodeInput> {
        let NodeInput::Client { link, message: ClientMessage::Handshake(said) } = &input else {
            return vec![input];
        };
        let (link, said) = (*link, said.clone());
        if self.nodes[node].forger.is_none() || said.home.is_none() {
            return vec![input];
        }
        let chance = self.draw(CHANCES);
        let Some(forger) = &mut self.nodes[node].forger else { return vec![input] };
        let meant = forger.in_place_of.get(&link).copied().unwrap_or(link);
        let handed =
            |link, said| NodeInput::Client { link, message: ClientMessage::Handshake(said) };
        let mut inputs = vec![handed(meant, said.clone())];
        let older = usize::try_from(chance).ok().and_then(|at| forger.replies.iter().rev().nth(at));
        let older = older.filter(|older| older.topic == said.topic && older.to == said.to);
        inputs.extend(older.map(|older| handed(meant, older.clone())));
        forger.replies.push(said);
        inputs
    }

    /// What a node sends to a client in place of a message, and on which link, if it deceives.
    pub(crate) fn forged_messages(
        &mut self,
        node: usize,
        link: LinkId,
        message: &NodeMessage,
    ) -> Option<Vec<(LinkId, NodeMessage)>> {
        self.nodes[node].forger.as_ref()?;
        match message {
            NodeMessage::Handshake(said) if said.home.is_some() => {
                let other = self.other_client(node, link)?;
                let forger = self.nodes[node].forger.as_mut()?;
                forger.in_place_of.insert(other, link);
                Some(vec![(other, message.clone())])
            }
            NodeMessage::Handshake(said) => {
                let chance = self.draw(CHANCES);
                let forger = self.nodes[node].forger.as_mut()?;
                let at = usize::try_from(chance).ok()?;
                let heard = forger.proofs.iter().rev().filter(|heard| heard.topic == said.topic);
                // Another's proof in this one's name, or an old one of its own.
                let older = heard
                    .clone()
                    .nth(at)
                    .map(|heard| NodeHandshake { payload: heard.payload.clone(), ..said.clone() });
                forger.proofs.push(said.clone());
                let older = older.map(|older| (link, NodeMessage::Handshake(older)));
                Some([(link, message.clone())].into_iter().chain(older).collect())
            }
            NodeMessage::Watched(watched) => {
                let watched = self.forged_seats(node, watched.clone());
                Some(vec![(link, NodeMessage::Watched(watched))])
            }
            _ => None,
        }
    }

    /// Says of some subscribers that they are here, or there in another life of their node.
    fn forged_seats(&mut self, node: usize, mut watched: Watched) -> Watched {
        for seated in &mut watched.present {
            match self.draw(CHANCES) {
                0 => seated.node = self.nodes[node].id,
                1 => seated.epoch = Epoch(seated.epoch.0 + 1),
                _ => {}
            }
        }
        watched
    }

    /// Another client of a node, now and then.
    fn other_client(&mut self, node: usize, link: LinkId) -> Option<LinkId> {
        if self.draw(2) == 0 {
            return None;
        }
        let links: Vec<LinkId> = self
            .clients_at(NodeId(node))
            .into_iter()
            .filter_map(|client| self.clients[client.0].link)
            .filter(|other| *other != link)
            .collect();
        (!links.is_empty()).then(|| self.any(&links))
    }

    fn clients_at(&self, node: NodeId) -> Vec<crate::ClientId> {
        let is_here = |link: LinkId| {
            let link = self.network.links.get(&link);
            let end = link.and_then(|link| link.ends[1]);
            end.is_some_and(|(party, _)| party == Party::Node(node.0))
        };
        let all = self.clients.iter().enumerate();
        let here = all.filter(|(_, slot)| slot.link.is_some_and(is_here));
        here.map(|(at, _)| crate::ClientId(at)).collect()
    }
}

/// One of so many things is said otherwise.
const CHANCES: u64 = 4;
