//! What a test does to the network of a world: links that come and go, room and time that run out.

use std::time::Duration;

use amop_core::node::{Input as NodeInput, LinkId};

use crate::due::Happening;
use crate::fault::Fault;
use crate::network::{Kind, Party};
use crate::story::{About, What};
use crate::watch::Calm;
use crate::world::{ClientId, NodeId, World};

impl World {
    /// Sets how long messages take from now on: `latency`, and less than `jitter` longer.
    pub fn set_latency(&mut self, latency: Duration, jitter: Duration) {
        (self.latency, self.jitter) = (latency, jitter);
    }

    /// Makes messages between two nodes take longer than others.
    pub fn set_detour(&mut self, a: NodeId, b: NodeId, detour: Duration) {
        self.coverage.fault(Fault::Detour);
        self.network.set_detour(Party::Node(a.0), Party::Node(b.0), detour);
    }

    /// Makes messages between a client and one of its nodes take longer than others.
    pub fn set_client_detour(&mut self, client: ClientId, node: NodeId, detour: Duration) {
        self.network.set_detour(Party::Client(client.0), Party::Node(node.0), detour);
    }

    /// Makes one message of so many take longer than others: by `most`, or half of that, or a
    /// quarter, and so on, each as likely. With 0, none does.
    pub fn set_tail(&mut self, one_of: u64, most: Duration) {
        if one_of > 0 {
            self.coverage.fault(Fault::Tail);
        }
        self.tail = (one_of, most);
    }

    /// Lets what arrives within less than `span` arrive as one batch.
    pub fn set_batching(&mut self, span: Duration) {
        self.batching = span;
    }

    /// Sets how many bytes a node may have on their way over one link, control messages aside.
    pub fn set_link_bytes_max(&mut self, bytes: usize) {
        self.coverage.fault(Fault::Room);
        self.link_bytes_max = bytes;
        self.note_room();
    }

    /// Sets how many bytes a node may have on their way to a peer when it sends a control message;
    /// with 0, none is sent.
    pub fn set_control_bytes_max(&mut self, bytes: usize) {
        self.coverage.fault(Fault::ControlRoom);
        self.control_bytes_max = bytes;
        self.note_room();
        // What was not told meanwhile is told with the next heartbeats.
        self.room.disturb(self.now + TABLES_HEALED);
    }

    /// What has no room may fail, until links and nodes have enough again and pass on whatever comes.
    pub(crate) fn note_room(&mut self) {
        let is_enough = self.link_bytes_max >= 1 << 16 && self.control_bytes_max >= 1 << 16;
        let is_enough = is_enough && !self.is_tight() && self.limits.node.transit.is_none();
        self.room = if is_enough { Calm::since(self.now) } else { Calm::never() };
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
        self.coverage.fault(Fault::Cut);
        for (link, end_of_a) in self.network.links_between(Party::Node(a.0), Party::Node(b.0)) {
            let mut notice = [b_notice; 2];
            notice[end_of_a] = a_notice;
            self.cut_link(link, notice);
        }
    }

    /// Cuts every link between two nodes and lets none come up until they are [joined](Self::join).
    pub fn part(&mut self, a: NodeId, b: NodeId, notice: Duration) {
        self.coverage.fault(Fault::Part);
        self.parted.insert((a.0.min(b.0), a.0.max(b.0)));
        self.cut(a, b, notice);
    }

    /// Lets nothing that `from` sends arrive at `to`, until they are [joined](Self::join) and have
    /// linked again. `to` notices first, since it hears nothing; what it said before that arrives.
    pub fn part_one_way(&mut self, from: NodeId, to: NodeId, to_notice: Duration, later: Duration) {
        self.coverage.fault(Fault::PartOneWay);
        self.parted.insert((from.0.min(to.0), from.0.max(to.0)));
        for (link, end) in self.network.links_between(Party::Node(from.0), Party::Node(to.0)) {
            let mut notice = [to_notice; 2];
            notice[end] = to_notice + later;
            self.cut_link(link, notice);
            self.let_pass(link, 1 - end);
        }
    }

    /// Lets two nodes dial each other again.
    pub fn join(&mut self, a: NodeId, b: NodeId) {
        self.parted.remove(&(a.0.min(b.0), a.0.max(b.0)));
    }

    /// Lets nothing arrive between two nodes for a while; then all of it arrives.
    pub fn stall(&mut self, a: NodeId, b: NodeId, span: Duration) {
        self.coverage.fault(Fault::Stall);
        for (link, _) in self.network.links_between(Party::Node(a.0), Party::Node(b.0)) {
            self.stall_link(link, [true; 2], span);
        }
    }

    /// Lets nothing that `from` sends arrive at `to` for a while; then all of it arrives.
    pub fn stall_one_way(&mut self, from: NodeId, to: NodeId, span: Duration) {
        self.coverage.fault(Fault::StallOneWay);
        for (link, end) in self.network.links_between(Party::Node(from.0), Party::Node(to.0)) {
            self.stall_link(link, [end == 0, end == 1], span);
        }
    }

    /// Cuts the link of a client. The client notices after `client_notice`, its node after
    /// `node_notice`.
    pub fn cut_client(&mut self, client: ClientId, client_notice: Duration, node_notice: Duration) {
        self.coverage.fault(Fault::CutClient);
        if let Some(link) = self.clients[client.0].link {
            self.cut_link(link, [client_notice, node_notice]);
        }
    }

    /// Lets nothing arrive between a client and its node for a while; then all of it arrives.
    pub fn stall_client(&mut self, client: ClientId, span: Duration) {
        self.coverage.fault(Fault::StallClient);
        if let Some(link) = self.clients[client.0].link {
            self.stall_link(link, [true; 2], span);
        }
    }

    pub(crate) fn link_nodes(&mut self, from: usize, to: usize) -> LinkId {
        let dialer = (Party::Node(from), self.nodes[from].life);
        let acceptor = (Party::Node(to), self.nodes[to].life);
        let link = self.network.connect(self.now, Kind::Peer, dialer, acceptor);
        let line = format_args!("dials n{to}: link {}", link.0);
        self.tell(What::Did(Party::Node(from)), About::Nothing, line);
        let name = self.nodes[from].name.clone();
        self.node_batch(to, [NodeInput::PeerUp { link, name, dialed: false }]);
        let name = self.nodes[to].name.clone();
        self.node_batch(from, [NodeInput::PeerUp { link, name, dialed: true }]);
        link
    }
}

/// Two heartbeats and a second: then every view is right again, whatever was lost before.
const TABLES_HEALED: Duration = Duration::from_secs(11);
