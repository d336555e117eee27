//! Files on their way through the nodes of a world.

use amop_core::node::{Input as NodeInput, LinkId};
use amop_wire::{FileBody, FileMessage, Frame, Message, NodeId};

use crate::due::Happening;
use crate::fault::Fault;
use crate::network::Party;
use crate::world::{self, World};

impl World {
    /// A frame of the lane for files has reached a party.
    pub(crate) fn file_arrived(&mut self, party: Party, link: LinkId, frame: Frame) {
        self.check_secret_file(&frame);
        let message = match FileMessage::from_frame(frame) {
            Ok(message) => message,
            Err(error) => {
                let what = format!("{party} was sent what is no message of a file: {error}");
                return self.record.broken.push(what);
            }
        };
        self.coverage.file_message(&message.body);
        match party {
            // Of a link that it moves away from it hears nothing: transfers go on with another round.
            Party::Client(client) if self.clients[client].link == Some(link) => {
                self.file_to_client(client, message);
            }
            Party::Client(_) | Party::Stranger(_) => {}
            Party::Node(node) => {
                self.note_offer(node, link, &message);
                let input = NodeInput::File { link, message };
                self.coverage.node_input(&input);
                let now = self.now;
                let Some(core) = self.nodes[node].core.as_mut() else { return };
                core.handle(now, input);
                debug_assert!(core.poll_effect().is_none(), "files have no effects of their own");
                self.send_files(node);
            }
        }
    }

    /// There is room on a link again for files of the party at this end.
    pub(crate) fn file_room(&mut self, link: LinkId, end: usize) {
        let state = self.network.links.get(&link);
        let Some((party, life)) = state.and_then(|state| state.ends[end]) else { return };
        if self.life_of(party) != life {
            return;
        }
        match party {
            Party::Client(client) => self.end_file_turn(client),
            Party::Node(node) => self.send_files(node),
            Party::Stranger(_) => {}
        }
    }

    /// Sends what waits for the files of a node's links, as far as there is room.
    pub(crate) fn send_files(&mut self, node: usize) {
        if self.now < self.nodes[node].paused_until {
            let (at, life) = (self.nodes[node].paused_until, self.nodes[node].life);
            return self.at(at, Happening::NodeFiles { node, life });
        }
        let from = (Party::Node(node), self.nodes[node].life);
        // What is passed on makes neighbours be told, so it goes on until all is quiet.
        loop {
            let Some(core) = self.nodes[node].core.as_ref() else { return };
            let links: Vec<LinkId> = core.file_links().collect();
            let mut has_sent = false;
            for link in links {
                while self.has_file_room(from.0, link) {
                    let now = self.now;
                    let Some(core) = self.nodes[node].core.as_mut() else { return };
                    let Some(message) = core.poll_file(now, link) else { break };
                    has_sent = true;
                    for message in self.muddled(node, message) {
                        self.send(from, link, &message);
                    }
                }
            }
            if !has_sent {
                return self.wake_node_in_time(node); // What was too early waits for its time.
            }
        }
    }

    /// What a node makes of a message that it should pass on.
    fn muddled(&mut self, node: usize, mut message: FileMessage) -> Vec<FileMessage> {
        let slot = &self.nodes[node];
        let is_own = slot.id == message.route.sender.node || slot.id == message.route.receiver.node;
        if slot.swallows && !is_own {
            return Vec::new();
        }
        if !slot.muddles {
            return vec![message];
        }
        match self.draw(24) {
            0 => Vec::new(),
            1 | 2 => vec![message.clone(), message],
            3 if self.draw(2) == 0 => {
                if let FileBody::Piece { data, .. } = &mut message.body {
                    *data = data.iter().map(|byte| byte ^ 1).collect();
                }
                vec![message]
            }
            _ => vec![message],
        }
    }

    /// Has a node lose, double and damage files that it passes on, or stop that.
    pub fn set_muddling(&mut self, node: world::NodeId, muddles: bool) {
        if muddles {
            self.coverage.fault(Fault::Muddle);
        }
        self.nodes[node.0].muddles = muddles;
    }

    /// How a file message is told: who it is for, and what it says.
    pub(crate) fn file_words(&self, frame: Frame) -> String {
        let message = match FileMessage::from_frame(frame) {
            Ok(message) => message,
            Err(error) => return error.to_string(),
        };
        let FileMessage { route, round, body } = message;
        let at = |node: NodeId| {
            let known = self.nodes.iter().position(|slot| slot.id == node);
            known.map_or_else(|| "?".to_owned(), |node| Party::Node(node).to_string())
        };
        let what = match &body {
            FileBody::Piece { start, data } => format!("Piece {start}+{}", data.len()),
            FileBody::Offer(offer) => format!("Offer {} {}", offer.label, offer.layout.size()),
            body => format!("{body:?}"),
        };
        let (sender, receiver) = (route.sender, route.receiver);
        let ends = format!(
            "{} at {} to {} at {}",
            sender.instance,
            at(sender.node),
            receiver.instance,
            at(receiver.node)
        );
        format!("file {} of {ends}, round {round}: {what}", route.transfer)
    }
}
