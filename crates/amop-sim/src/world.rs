//! A world of nodes and clients on a virtual clock.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use amop_core::client::{Client, Input as ClientInput};
use amop_core::node::{Input as NodeInput, LinkId, Node};
use amop_wire::{Instance, Instant, Lane, Mode, MsgId, Name, Topic};
use bytes::{Bytes, BytesMut};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::application::{Application, Inbox};
use crate::contract::{Publication, Record};
use crate::network::{Network, Party};

/// A node of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(pub(crate) usize);

/// A client of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientId(pub(crate) usize);

/// Nodes and clients that run real cores, a network between them, and one seed for everything.
///
/// Time passes only in [`run_for`](Self::run_for). The same calls on a world of the same seed
/// cause the same trace.
#[derive(Debug)]
pub struct World {
    pub(crate) now: Instant,
    rng: ChaCha12Rng,
    due: BTreeMap<(Instant, u64), Happening>,
    sequence: u64,
    pub(crate) nodes: Vec<NodeSlot>,
    pub(crate) clients: Vec<ClientSlot>,
    pub(crate) network: Network,
    pub(crate) record: Record,
    trace: DefaultHasher,
    /// Every message takes at least this long ...
    latency: Duration,
    /// ... and less than this longer.
    jitter: Duration,
    /// Most bytes on their way over one link; control messages pass all the same.
    pub(crate) link_bytes_max: usize,
}

#[derive(Debug)]
pub(crate) struct NodeSlot {
    pub(crate) name: Name,
    /// `None` while it is down.
    pub(crate) core: Option<Node>,
    pub(crate) life: u32,
    pub(crate) wake_at: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct ClientSlot {
    pub(crate) name: Name,
    /// `None` once it was killed.
    pub(crate) core: Option<Client>,
    pub(crate) life: u32,
    pub(crate) wake_at: Option<Instant>,
    pub(crate) link: Option<LinkId>,
    /// Where it attaches, tried in turn.
    pub(crate) homes: Vec<usize>,
    pub(crate) next_home: usize,
    pub(crate) application: Application,
    pub(crate) inbox: Inbox,
}

/// What is going to happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A frame reaches one end of a link.
    Arrival { link: LinkId, to: usize, lane: Lane, bytes: BytesMut },
    /// One end learns that its link has ended.
    Notice { link: LinkId, end: usize },
    /// A core's timeout has come.
    Wake { party: Party, life: u32 },
    /// An application is done with what it took from the front of its inbox.
    Handled { client: usize, life: u32, counter: u64 },
    /// A client without a link tries its next node.
    Dial { client: usize, life: u32 },
}

impl World {
    /// An empty world. Messages take 1 to 2 ms.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            now: Instant::default() + Duration::from_secs(1),
            rng: ChaCha12Rng::seed_from_u64(seed),
            due: BTreeMap::new(),
            sequence: 0,
            nodes: Vec::new(),
            clients: Vec::new(),
            network: Network::default(),
            record: Record::default(),
            trace: DefaultHasher::new(),
            latency: Duration::from_millis(1),
            jitter: Duration::from_millis(1),
            link_bytes_max: 1 << 20,
        }
    }

    /// Sets how long messages take from now on: `latency`, and less than `jitter` longer.
    pub fn set_latency(&mut self, latency: Duration, jitter: Duration) {
        (self.latency, self.jitter) = (latency, jitter);
    }

    /// Sets how many bytes may be on their way over one link, in each direction.
    pub fn set_link_bytes_max(&mut self, bytes: usize) {
        self.link_bytes_max = bytes;
    }

    /// Starts a node, `n1.node.bank-a.amop` by its DNS name.
    ///
    /// # Panics
    ///
    /// If that is no name of a node.
    pub fn node(&mut self, dns: &str) -> NodeId {
        let name: Name = dns.parse().expect("a certified name");
        self.nodes.push(NodeSlot { name, core: None, life: 0, wake_at: None });
        let node = NodeId(self.nodes.len() - 1);
        self.restart(node);
        node
    }

    /// Starts a client that attaches to the first of `homes` that takes it in.
    ///
    /// # Panics
    ///
    /// If `dns` is no name of a client.
    pub fn client(&mut self, dns: &str, homes: &[NodeId]) -> ClientId {
        let name = dns.parse().expect("a certified name");
        let instance = Instance(self.rng.next_u64());
        self.clients.push(ClientSlot {
            name,
            core: Some(Client::new(instance)),
            life: 0,
            wake_at: None,
            link: None,
            homes: homes.iter().map(|home| home.0).collect(),
            next_home: 0,
            application: Application::default(),
            inbox: Inbox::default(),
        });
        let client = ClientId(self.clients.len() - 1);
        self.after(Duration::ZERO, Happening::Dial { client: client.0, life: 0 });
        client
    }

    /// Links two nodes; `from` dials.
    pub fn link(&mut self, from: NodeId, to: NodeId) -> LinkId {
        let dialer = (Party::Node(from.0), self.nodes[from.0].life);
        let acceptor = (Party::Node(to.0), self.nodes[to.0].life);
        let link = self.network.connect(dialer, acceptor);
        self.record.tell(self.now, format_args!("{from:?} dials {to:?}"));
        let name = self.nodes[from.0].name.clone();
        self.node_input(to.0, NodeInput::PeerUp { link, name, dialed: false });
        let name = self.nodes[to.0].name.clone();
        self.node_input(from.0, NodeInput::PeerUp { link, name, dialed: true });
        link
    }

    /// Whether a node is up.
    #[must_use]
    pub fn is_up(&self, node: NodeId) -> bool {
        self.nodes[node.0].core.is_some()
    }

    /// Whether either of two nodes knows the other as its peer, or is still greeting it.
    #[must_use]
    pub fn are_linked(&self, a: NodeId, b: NodeId) -> bool {
        let of_b: Vec<LinkId> =
            self.network.links_of(Party::Node(b.0)).map(|(link, _)| link).collect();
        self.network.links_of(Party::Node(a.0)).any(|(link, _)| {
            of_b.contains(&link) && self.network.links.get(&link).is_some_and(|link| link.passes)
        })
    }

    /// Gives a client another application.
    pub fn set_application(&mut self, client: ClientId, application: Application) {
        self.clients[client.0].application = application;
    }

    /// Subscribes.
    pub fn subscribe(&mut self, client: ClientId, topic: &str) {
        self.client_input(client.0, ClientInput::Subscribe(parse(topic)));
    }

    /// Unsubscribes.
    pub fn unsubscribe(&mut self, client: ClientId, topic: &str) {
        self.client_input(client.0, ClientInput::Unsubscribe(parse(topic)));
    }

    /// Publishes.
    ///
    /// # Panics
    ///
    /// If the client was killed.
    pub fn publish(
        &mut self,
        client: ClientId,
        mode: Mode,
        topic: &str,
        timeout: Duration,
    ) -> MsgId {
        let core = self.clients[client.0].core.as_mut().expect("the client lives");
        let (publisher, counter) = (core.instance(), core.draw_counter());
        let id = MsgId { publisher, counter };
        let deadline = self.now + timeout;
        let (calls, ends) = (Vec::new(), Vec::new());
        let publication = Publication { mode, deadline, calls, ends, publisher_lives: true };
        self.record.publications.insert(id, publication);
        self.record.tell(self.now, format_args!("{client:?} publishes {id} to {topic}: {mode:?}"));
        let (topic, payload) = (parse(topic), Bytes::from(id.to_string()));
        let input = ClientInput::Publish { counter, mode, topic, payload, timeout };
        self.client_input(client.0, input);
        id
    }

    /// Lets time pass.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(entry) = self.due.first_entry() {
            if entry.key().0 > end {
                break;
            }
            let ((at, _), happening) = entry.remove_entry();
            self.now = at;
            self.happen(happening);
        }
        self.now = end;
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What applications did and saw.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// A node's core.
    ///
    /// # Panics
    ///
    /// If the node is down.
    #[must_use]
    pub fn node_core(&self, node: NodeId) -> &Node {
        self.nodes[node.0].core.as_ref().expect("the node is up")
    }

    /// Whether a client is connected and its node holds its subscriptions.
    #[must_use]
    pub fn is_connected(&self, client: ClientId) -> bool {
        self.clients[client.0].core.as_ref().is_some_and(Client::is_connected)
    }

    /// The node that a client has a link to, as far as the client knows.
    #[must_use]
    pub fn home_of(&self, client: ClientId) -> Option<NodeId> {
        let link = self.clients[client.0].link?;
        match self.network.links.get(&link)?.ends[1] {
            Some((Party::Node(node), _)) => Some(NodeId(node)),
            Some((Party::Client(_), _)) | None => None,
        }
    }

    /// The life of a client.
    ///
    /// # Panics
    ///
    /// If the client was killed.
    #[must_use]
    pub fn instance(&self, client: ClientId) -> Instance {
        self.clients[client.0].core.as_ref().expect("the client lives").instance()
    }

    /// A number that tells two traces apart.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.trace.finish()
    }

    /// Draws a number below `bound`.
    pub fn draw(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }

    /// Checks the contract over everything recorded so far.
    ///
    /// # Panics
    ///
    /// If it is broken: with every violation and the story that led there.
    pub fn check(&self) {
        let violations = self.record.violations(self.now);
        assert!(violations.is_empty(), "{violations:#?}\n{}", self.record.story);
    }

    pub(crate) fn after(&mut self, span: Duration, happening: Happening) {
        self.at(self.now + span, happening);
    }

    pub(crate) fn at(&mut self, at: Instant, happening: Happening) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), happening);
    }

    pub(crate) fn draw_latency(&mut self) -> Duration {
        let jitter = u64::try_from(self.jitter.as_nanos()).unwrap_or(u64::MAX);
        self.latency + Duration::from_nanos(self.draw(jitter))
    }

    /// Adds to the trace.
    pub(crate) fn note(&mut self, what: impl Hash) {
        (self.now, what).hash(&mut self.trace);
    }
}

fn parse(topic: &str) -> Topic {
    topic.parse().expect("a valid topic")
}
