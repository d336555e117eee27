//! What a test does to a world: links that come and go, parties that die and live again, room and
//! time that run out.

use std::time::Duration;

use amop_core::client::Client;
use amop_core::node::{Input as NodeInput, LinkId, Node};
use amop_wire::Epoch;

use crate::application::Inbox;
use crate::network::{Kind, Party};
use crate::world::{ClientId, Happening, NodeId, World};

/// The network.
impl World {
    /// Sets how long messages take from now on: `latency`, and less than `jitter` longer.
    pub fn set_latency(&mut self, latency: Duration, jitter: Duration) {
        (self.latency, self.jitter) = (latency, jitter);
    }

    /// Makes messages between two nodes take longer than others.
    pub fn set_detour(&mut self, a: NodeId, b: NodeId, detour: Duration) {
        self.network.set_detour(Party::Node(a.0), Party::Node(b.0), detour);
    }

    /// Makes messages between a client and one of its nodes take longer than others.
    pub fn set_client_detour(&mut self, client: ClientId, node: NodeId, detour: Duration) {
        self.network.set_detour(Party::Client(client.0), Party::Node(node.0), detour);
    }

    /// How many messages a node has sent to another one, control messages and replies aside.
    #[must_use]
    pub fn carried(&self, from: NodeId, to: NodeId) -> u64 {
        self.network.carried(Party::Node(from.0), Party::Node(to.0))
    }

    /// Lets what arrives within less than `span` arrive as one batch.
    pub fn set_batching(&mut self, span: Duration) {
        self.batching = span;
    }

    /// Sets how many bytes a node may have on their way over one link, control messages aside.
    pub fn set_link_bytes_max(&mut self, bytes: usize) {
        self.link_bytes_max = bytes;
    }

    /// Sets how many bytes a node may have on their way to a peer when it sends a control message;
    /// with 0, none is sent.
    pub fn set_control_bytes_max(&mut self, bytes: usize) {
        self.control_bytes_max = bytes;
    }

    /// Links two nodes, once; `from` dials.
    pub fn link(&mut self, from: NodeId, to: NodeId) -> LinkId {
        self.link_nodes(from.0, to.0)
    }

    /// Has `from` dial `to` whenever no link leads there, from now on.
    pub fn keep_linked(&mut self, from: NodeId, to: NodeId) {
        self.dialers.push((from.0, to.0));
        let dialer = self.dialers.len() - 1;
        self.after(Duration::ZERO, Happening::PeerDial { dialer });
    }

    /// Cuts every link between two nodes. Both ends notice after `notice`.
    pub fn cut(&mut self, a: NodeId, b: NodeId, notice: Duration) {
        self.cut_half_open(a, b, notice, notice);
    }

    /// Cuts every link between two nodes. Each end notices at its own time: meanwhile one of them
    /// believes in a link that the other knows to have ended.
    pub fn cut_half_open(&mut self, a: NodeId, b: NodeId, a_notice: Duration, b_notice: Duration) {
        for (link, end_of_a) in self.network.links_between(Party::Node(a.0), Party::Node(b.0)) {
            let mut notice = [b_notice; 2];
            notice[end_of_a] = a_notice;
            self.cut_link(link, notice);
        }
    }

    /// Cuts every link between two nodes and lets none come up until they are [joined](Self::join).
    pub fn part(&mut self, a: NodeId, b: NodeId, notice: Duration) {
        self.parted.insert((a.0.min(b.0), a.0.max(b.0)));
        self.cut(a, b, notice);
    }

    /// Lets two nodes dial each other again.
    pub fn join(&mut self, a: NodeId, b: NodeId) {
        self.parted.remove(&(a.0.min(b.0), a.0.max(b.0)));
    }

    /// Lets nothing arrive between two nodes for a while; then all of it arrives.
    pub fn stall(&mut self, a: NodeId, b: NodeId, span: Duration) {
        for (link, _) in self.network.links_between(Party::Node(a.0), Party::Node(b.0)) {
            self.stall_link(link, span);
        }
    }

    /// Cuts the link of a client. The client notices after `client_notice`, its node after
    /// `node_notice`.
    pub fn cut_client(&mut self, client: ClientId, client_notice: Duration, node_notice: Duration) {
        if let Some(link) = self.clients[client.0].link {
            self.cut_link(link, [client_notice, node_notice]);
        }
    }

    /// Lets nothing arrive between a client and its node for a while; then all of it arrives.
    pub fn stall_client(&mut self, client: ClientId, span: Duration) {
        if let Some(link) = self.clients[client.0].link {
            self.stall_link(link, span);
        }
    }

    pub(crate) fn link_nodes(&mut self, from: usize, to: usize) -> LinkId {
        let dialer = (Party::Node(from), self.nodes[from].life);
        let acceptor = (Party::Node(to), self.nodes[to].life);
        let link = self.network.connect(Kind::Peer, dialer, acceptor);
        self.record.tell(self.now, format_args!("node {from} dials node {to}: {link:?}"));
        let name = self.nodes[from].name.clone();
        self.node_batch(to, [NodeInput::PeerUp { link, name, dialed: false }]);
        let name = self.nodes[to].name.clone();
        self.node_batch(from, [NodeInput::PeerUp { link, name, dialed: true }]);
        link
    }
}

/// Nodes and clients.
impl World {
    /// Kills a node, if it is up. Whoever is linked with it notices after `notice`.
    pub fn crash(&mut self, node: NodeId, notice: Duration) {
        if self.nodes[node.0].core.take().is_none() {
            return;
        }
        self.record.tell(self.now, format_args!("{node:?} crashes"));
        let links: Vec<(LinkId, usize)> = self.network.links_of(Party::Node(node.0)).collect();
        for (link, end) in links {
            self.abandon(link, end, notice);
        }
    }

    /// Starts a node that is down: with an empty memory and a greater epoch.
    pub fn restart(&mut self, node: NodeId) {
        let epoch = Epoch(u64::from(self.nodes[node.0].life) + 1);
        self.restart_with(node, epoch);
    }

    /// Starts a node that is down, with an empty memory and this epoch.
    pub fn restart_with(&mut self, node: NodeId, epoch: Epoch) {
        let slot = &mut self.nodes[node.0];
        if slot.core.is_some() {
            return;
        }
        slot.life += 1;
        slot.wake_at = None;
        slot.arrived.clear();
        slot.seen.clear();
        slot.core = Some(Node::new(slot.name.clone(), epoch));
        self.record.tell(self.now, format_args!("{node:?} starts"));
        self.node_batch(node.0, []);
    }

    /// Has a node close its links and refuse what is new. It stays up.
    pub fn shut_down(&mut self, node: NodeId) {
        self.node_batch(node.0, [NodeInput::Shutdown]);
    }

    /// Kills a client, if it lives. Its node notices after `notice`.
    pub fn kill(&mut self, client: ClientId, notice: Duration) {
        let slot = &mut self.clients[client.0];
        let Some(core) = slot.core.take() else { return };
        slot.life += 1;
        slot.inbox = Inbox::default();
        slot.wanted.clear();
        let link = slot.link.take();
        self.record.tell(self.now, format_args!("{client:?} is killed"));
        for (id, publication) in &mut self.record.publications {
            publication.publisher_lives &= id.publisher != core.instance();
        }
        if let Some(link) = link {
            self.abandon(link, 0, notice);
        }
    }

    /// Starts a client that is down: a new instance, which subscribes to nothing.
    pub fn start_client(&mut self, client: ClientId) {
        let instance = self.draw_instance();
        let slot = &mut self.clients[client.0];
        if slot.core.is_some() {
            return;
        }
        slot.core = Some(Client::new(instance));
        slot.wake_at = None;
        slot.arrived.clear();
        slot.subscribed.clear();
        let life = slot.life;
        self.record.tell(self.now, format_args!("{client:?} starts as {instance}"));
        self.after(Duration::ZERO, Happening::Dial { client: client.0, life });
    }

    /// Has a client leave its node for another one. Its node notices after `notice`.
    pub fn move_client(&mut self, client: ClientId, to: NodeId, notice: Duration) {
        let slot = &mut self.clients[client.0];
        if let Some(position) = slot.homes.iter().position(|&home| home == to.0) {
            slot.next_home = position;
        }
        self.cut_client(client, Duration::ZERO, notice);
    }
}
