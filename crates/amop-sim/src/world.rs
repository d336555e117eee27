//! A world of nodes and clients on a virtual clock.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use amop_core::client::{Client, Input as ClientInput};
use amop_core::node::{Input as NodeInput, LinkId, Node, Refused};
use amop_wire::{Attempt, Code, Instance, Instant, Lane, Name, Topic, Version};
use bytes::BytesMut;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::application::{Application, Inbox};
use crate::contract::Record;
use crate::network::{Network, Party};
use crate::notary::Notary;
use crate::stranger::Stranger;

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
    seed: u64,
    pub(crate) now: Instant,
    rng: ChaCha12Rng,
    due: BTreeMap<(Instant, u64), Happening>,
    sequence: u64,
    pub(crate) nodes: Vec<NodeSlot>,
    pub(crate) clients: Vec<ClientSlot>,
    pub(crate) strangers: Vec<Stranger>,
    pub(crate) network: Network,
    /// Which node keeps up a link to which.
    pub(crate) dialers: Vec<(usize, usize)>,
    /// Pairs of nodes that cannot dial each other; the smaller comes first.
    pub(crate) parted: BTreeSet<(usize, usize)>,
    pub(crate) record: Record,
    pub(crate) notary: Notary,
    trace: DefaultHasher,
    /// Every message takes at least this long ...
    pub(crate) latency: Duration,
    /// ... and less than this longer.
    pub(crate) jitter: Duration,
    /// A driver looks at what arrived within less than this.
    pub(crate) batching: Duration,
    /// Most bytes on their way from a node over one link; control messages to peers
    /// have a bound of their own, those to clients none.
    pub(crate) link_bytes_max: usize,
    pub(crate) control_bytes_max: usize,
}

#[derive(Debug)]
pub(crate) struct NodeSlot {
    pub(crate) name: Name,
    pub(crate) id: amop_wire::NodeId,
    /// `None` while it is down.
    pub(crate) core: Option<Node>,
    pub(crate) life: u32,
    pub(crate) wake_at: Option<Instant>,
    /// What has arrived and was not handed in yet, with the moment at which it was sent.
    pub(crate) arrived: Vec<(Instant, NodeInput)>,
    /// The versions of every node's topics that it held last.
    pub(crate) seen: Vec<Option<Version>>,
    pub(crate) swallows: bool,
    /// The announcements that it did not believe, and who passed them on.
    pub(crate) refused: Vec<(Name, Refused)>,
}

#[derive(Debug)]
pub(crate) struct ClientSlot {
    pub(crate) name: Name,
    /// `None` while it is down.
    pub(crate) core: Option<Client>,
    pub(crate) life: u32,
    pub(crate) wake_at: Option<Instant>,
    /// What has arrived and was not handed in yet.
    pub(crate) arrived: Vec<(Instant, ClientInput)>,
    pub(crate) link: Option<LinkId>,
    /// Where it attaches, tried in turn.
    pub(crate) homes: Vec<usize>,
    pub(crate) next_home: usize,
    pub(crate) application: Application,
    pub(crate) inbox: Inbox,
    /// The topics that the application wants and was not refused.
    pub(crate) wanted: BTreeSet<Topic>,
    /// What the application was told of its subscribes.
    pub(crate) subscribed: Vec<(Topic, Code)>,
}

/// What is going to happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A frame reaches one end of a link.
    Arrival { link: LinkId, to: usize, lane: Lane, sent_at: Instant, bytes: BytesMut },
    /// A driver hands in what has arrived.
    Batch { party: Party, life: u32 },
    /// One end learns that its link has ended.
    Notice { link: LinkId, end: usize },
    /// A core's timeout has come.
    Wake { party: Party, life: u32 },
    /// An application is done with a unicast.
    Handled { client: usize, life: u32, attempt: Attempt },
    /// A client without a link tries its next node.
    Dial { client: usize, life: u32 },
    /// A node looks after a link that it keeps up.
    PeerDial { dialer: usize },
}

impl World {
    /// An empty world. Messages take 1 to 2 ms, and each is a batch of its own.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            now: Instant::default() + Duration::from_secs(1),
            rng: ChaCha12Rng::seed_from_u64(seed),
            due: BTreeMap::new(),
            sequence: 0,
            nodes: Vec::new(),
            clients: Vec::new(),
            strangers: Vec::new(),
            network: Network::default(),
            dialers: Vec::new(),
            parted: BTreeSet::new(),
            notary: Notary::new(seed),
            record: Record { story: Some(String::new()), ..Record::default() },
            trace: DefaultHasher::new(),
            latency: Duration::from_millis(1),
            jitter: Duration::from_millis(1),
            batching: Duration::ZERO,
            link_bytes_max: 1 << 20,
            control_bytes_max: usize::MAX,
        }
    }

    /// Stops writing down what happens, which costs more than all else: the same calls on a world
    /// that writes tell the story.
    pub fn stop_telling(&mut self) {
        self.record.story = None;
    }

    /// Starts a node, `n1.node.bank-a.amop` by its DNS name.
    ///
    /// # Panics
    ///
    /// If that is no name of a node.
    pub fn node(&mut self, dns: &str) -> NodeId {
        let name: Name = dns.parse().expect("a certified name");
        self.nodes.push(NodeSlot {
            id: amop_wire::NodeId::of(&name),
            name,
            core: None,
            life: 0,
            wake_at: None,
            arrived: Vec::new(),
            seen: Vec::new(),
            swallows: false,
            refused: Vec::new(),
        });
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
        self.clients.push(ClientSlot {
            name: dns.parse().expect("a certified name"),
            core: None,
            life: 0,
            wake_at: None,
            arrived: Vec::new(),
            link: None,
            homes: homes.iter().map(|home| home.0).collect(),
            next_home: 0,
            application: Application::default(),
            inbox: Inbox::default(),
            wanted: BTreeSet::new(),
            subscribed: Vec::new(),
        });
        let client = ClientId(self.clients.len() - 1);
        self.start_client(client);
        client
    }

    /// Subscribes.
    pub fn subscribe(&mut self, client: ClientId, topic: &str) {
        let topic = parse(topic);
        self.clients[client.0].wanted.insert(topic.clone());
        self.client_batch(client.0, [ClientInput::Subscribe(topic)]);
    }

    /// Unsubscribes: what waits for the application is refused.
    pub fn unsubscribe(&mut self, client: ClientId, topic: &str) {
        let topic = parse(topic);
        self.clients[client.0].wanted.remove(&topic);
        let mut inputs = vec![ClientInput::Unsubscribe(topic.clone())];
        inputs.extend(self.refuse_waiting(client.0, &topic));
        self.client_batch(client.0, inputs);
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

    /// Whether a node is up.
    #[must_use]
    pub fn is_up(&self, node: NodeId) -> bool {
        self.nodes[node.0].core.is_some()
    }

    /// Whether a client lives.
    #[must_use]
    pub fn lives(&self, client: ClientId) -> bool {
        self.clients[client.0].core.is_some()
    }

    /// The links between two nodes that pass messages.
    #[must_use]
    pub fn links(&self, a: NodeId, b: NodeId) -> Vec<LinkId> {
        let links = self.network.links_between(Party::Node(a.0), Party::Node(b.0));
        links.into_iter().map(|(link, _)| link).filter(|id| self.network.links[id].passes).collect()
    }

    /// Whether a client is connected and its node holds its subscriptions.
    #[must_use]
    pub fn is_connected(&self, client: ClientId) -> bool {
        self.clients[client.0].core.as_ref().is_some_and(Client::is_connected)
    }

    /// The node that a client has a link to, as far as the client knows.
    #[must_use]
    pub fn home_of(&self, client: ClientId) -> Option<NodeId> {
        self.home(&self.clients[client.0])
    }

    pub(crate) fn home(&self, slot: &ClientSlot) -> Option<NodeId> {
        match self.network.links.get(&slot.link?)?.ends[1] {
            Some((Party::Node(node), _)) => Some(NodeId(node)),
            Some((Party::Client(_) | Party::Stranger(_), _)) | None => None,
        }
    }

    /// What the application of a client was told of its subscribes, in order.
    #[must_use]
    pub fn subscribed(&self, client: ClientId) -> &[(Topic, Code)] {
        &self.clients[client.0].subscribed
    }

    /// The life of a client.
    ///
    /// # Panics
    ///
    /// If the client is down.
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
    /// If it is broken: with every violation, the seed, and the story that led there.
    pub fn check(&self) {
        let violations = self.record.violations(self.now);
        let (seed, story) = (self.seed, self.record.story());
        assert!(violations.is_empty(), "seed {seed}: {violations:#?}\n{story}");
    }

    pub(crate) fn draw_instance(&mut self) -> Instance {
        Instance(self.rng.next_u64())
    }

    pub(crate) fn life_of(&self, party: Party) -> u32 {
        match party {
            Party::Node(node) => self.nodes[node].life,
            Party::Client(client) => self.clients[client].life,
            Party::Stranger(_) => 0,
        }
    }

    pub(crate) fn after(&mut self, span: Duration, happening: Happening) {
        self.at(self.now + span, happening);
    }

    pub(crate) fn at(&mut self, at: Instant, happening: Happening) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), happening);
    }

    /// Puts off what would happen before `at`; it keeps its order.
    pub(crate) fn postpone(&mut self, at: Instant, which: impl Fn(&Happening) -> bool) {
        let is_early =
            |&(&(due, _), happening): &(&(Instant, u64), &Happening)| due < at && which(happening);
        let early: Vec<_> = self.due.iter().filter(is_early).map(|(&key, _)| key).collect();
        for key in early {
            if let Some(happening) = self.due.remove(&key) {
                self.at(at, happening);
            }
        }
    }

    /// Adds to the trace.
    pub(crate) fn note(&mut self, what: impl Hash) {
        (self.now, what).hash(&mut self.trace);
    }
}

pub(crate) fn parse(topic: &str) -> Topic {
    topic.parse().expect("a valid topic")
}
