//! Parties that do not keep the rules: a test says word by word what they send.

use std::time::Duration;

use amop_core::node::{Input as NodeInput, LinkId, Untruth};
use amop_wire::{ClientMessage, CloseReason, Frame, Message, Name, NodeMessage, PeerMessage, Role};

use crate::fault::Fault;
use crate::network::{Kind, Party};
use crate::world::{NodeId, World};

/// A party of a world that has one link and no core behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrangerId(pub(crate) usize);

#[derive(Debug)]
pub(crate) struct Stranger {
    pub(crate) name: Name,
    link: LinkId,
    as_client: Vec<NodeMessage>,
    as_peer: Vec<PeerMessage>,
    /// How its link ended; without a reason if the node did not close it.
    pub(crate) end: Option<Option<CloseReason>>,
}

impl World {
    /// Links a stranger with a node that is up. By its name it is a client or a node, as the
    /// handshake would have found it.
    ///
    /// # Panics
    ///
    /// If `dns` is no certified name.
    pub fn stranger(&mut self, dns: &str, node: NodeId) -> StrangerId {
        let name: Name = dns.parse().expect("a certified name");
        let kind = match name.role() {
            Role::Sdk => Kind::Client,
            Role::Node => Kind::Peer,
        };
        let stranger = self.strangers.len();
        let acceptor = (Party::Node(node.0), self.nodes[node.0].life);
        let link = self.network.connect(self.now, kind, (Party::Stranger(stranger), 0), acceptor);
        let (as_client, as_peer) = (Vec::new(), Vec::new());
        let stranger_name = name.clone();
        self.strangers.push(Stranger { name: stranger_name, link, as_client, as_peer, end: None });
        let input = match kind {
            Kind::Client => NodeInput::ClientUp { link, name },
            Kind::Peer => NodeInput::PeerUp { link, name, dialed: false },
        };
        self.node_batch(node.0, [input]);
        StrangerId(stranger)
    }

    /// Has a stranger say something: a [`ClientMessage`] or a [`PeerMessage`], as its name has it.
    pub fn say(&mut self, stranger: StrangerId, message: &impl Message) {
        self.coverage.fault(Fault::Lie);
        let link = self.strangers[stranger.0].link;
        self.send((Party::Stranger(stranger.0), 0), link, message);
    }

    /// Whether a stranger's link has not ended.
    #[must_use]
    pub fn hears(&self, stranger: StrangerId) -> bool {
        self.strangers[stranger.0].end.is_none()
    }

    /// Has a stranger greet a node as a client of this life.
    pub fn attach(&mut self, stranger: StrangerId, instance: u64, generation: u32) {
        let (instance, generation) = (amop_wire::Instance(instance), amop_wire::Gen(generation));
        self.say(stranger, &ClientMessage::Attach { instance, generation });
    }

    /// Cuts the links of all strangers; the nodes notice at once.
    pub(crate) fn cut_strangers(&mut self) {
        let links: Vec<LinkId> = self.strangers.iter().map(|stranger| stranger.link).collect();
        for link in links {
            self.cut_link(link, [Duration::ZERO; 2]);
        }
    }

    /// What a stranger was told as a client.
    #[must_use]
    pub fn told_client(&self, stranger: StrangerId) -> &[NodeMessage] {
        &self.strangers[stranger.0].as_client
    }

    /// What a stranger was told as a node.
    #[must_use]
    pub fn told_peer(&self, stranger: StrangerId) -> &[PeerMessage] {
        &self.strangers[stranger.0].as_peer
    }

    /// Why the node closed a stranger's link, if it did.
    #[must_use]
    pub fn close_reason(&self, stranger: StrangerId) -> Option<&CloseReason> {
        self.strangers[stranger.0].end.as_ref()?.as_ref()
    }

    /// Whom a node blamed for what cannot be true, in their order.
    #[must_use]
    pub fn blames(&self, node: NodeId) -> &[(Name, Untruth)] {
        &self.nodes[node.0].blamed
    }

    /// Notes that a node blames somebody, and a violation if there is nobody who lies.
    pub(crate) fn blamed(&mut self, node: usize, by: Name, what: Untruth) {
        if self.strangers.is_empty() {
            self.record.broken.push(format!("node {node} blames {by}: {what}"));
        }
        self.nodes[node].blamed.push((by, what));
    }

    pub(crate) fn heard(&mut self, stranger: usize, kind: Kind, frame: Frame) {
        let stranger = &mut self.strangers[stranger];
        match kind {
            Kind::Client => stranger
                .as_client
                .push(NodeMessage::from_frame(frame).expect("what was sent can be read")),
            Kind::Peer => stranger
                .as_peer
                .push(PeerMessage::from_frame(frame).expect("what was sent can be read")),
        }
    }
}
