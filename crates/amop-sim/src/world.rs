//! A world of nodes and clients on a virtual clock.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use amop_core::client::Client;
use amop_core::node::{LinkId, Node};
use amop_wire::{AuthorityId, Code, Epoch, Instance, Instant, Name, Topic};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::application::{Application, Inbox};
use crate::contract::Record;
use crate::coverage::Coverage;
use crate::due::Happening;
use crate::files::{Disk, FileRecord, Files};
use crate::limits::Limits;
use crate::network::{Network, Party};
use crate::notary::Notary;
use crate::private::Secrets;
use crate::rates::Taken;
use crate::revocations::Lists;
pub(crate) use crate::slots::{ClientSlot, NodeSlot};
use crate::story::Story;
use crate::stranger::Stranger;
use crate::watch::Calm;

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
    pub(crate) due: BTreeMap<(Instant, u64), Happening>,
    pub(crate) sequence: u64,
    pub(crate) nodes: Vec<NodeSlot>,
    pub(crate) clients: Vec<ClientSlot>,
    pub(crate) strangers: Vec<Stranger>,
    pub(crate) network: Network,
    /// Which node keeps up a link to which.
    pub(crate) dialers: Vec<(usize, usize)>,
    /// Pairs of nodes that cannot dial each other; the smaller comes first.
    pub(crate) parted: BTreeSet<(usize, usize)>,
    pub(crate) record: Record,
    pub(crate) secrets: Secrets,
    pub(crate) file_record: FileRecord,
    pub(crate) notary: Notary,
    pub(crate) coverage: Coverage,
    trace: DefaultHasher,
    /// Every message takes at least this long ...
    pub(crate) latency: Duration,
    /// ... and less than this longer.
    pub(crate) jitter: Duration,
    /// One message of so many takes longer still, by up to so much.
    pub(crate) tail: (u64, Duration),
    /// Since when there is room on every link.
    pub(crate) room: Calm,
    /// Until when something was lost or stood still.
    pub(crate) disturbed_until: Instant,
    /// When a client last came to a topic or left it.
    pub(crate) topics_changed: BTreeMap<Topic, Instant>,
    /// When the rules of a node changed last, if they ever did.
    pub(crate) ruled_at: Instant,
    /// The number of the newest revocation list of each authority.
    pub(crate) made_lists: BTreeMap<AuthorityId, u64>,
    /// A driver looks at what arrived within less than this.
    pub(crate) batching: Duration,
    /// Most bytes on their way from a node over one link; control messages to peers
    /// have a bound of their own, those to clients none.
    pub(crate) link_bytes_max: usize,
    pub(crate) control_bytes_max: usize,
    /// What its nodes and clients hold at most.
    pub(crate) limits: Limits,
    /// Whether it is noted when a view of a node goes back.
    pub(crate) watches_versions: bool,
    pub(crate) last_trace: u64,
    pub(crate) traced: BTreeMap<u64, amop_core::node::Trace>,
    pub(crate) reached: BTreeMap<u64, Option<amop_core::node::Reach>>,
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
            record: Record { story: Some(Story::default()), ..Record::default() },
            secrets: Secrets::default(),
            file_record: FileRecord::default(),
            coverage: Coverage::default(),
            trace: DefaultHasher::new(),
            latency: Duration::from_millis(1),
            jitter: Duration::from_millis(1),
            tail: (0, Duration::ZERO),
            room: Calm::since(Instant::default()),
            disturbed_until: Instant::default(),
            topics_changed: BTreeMap::new(),
            ruled_at: Instant::default(),
            made_lists: BTreeMap::new(),
            batching: Duration::ZERO,
            link_bytes_max: 1 << 20,
            control_bytes_max: usize::MAX,
            limits: Limits::default(),
            watches_versions: true,
            last_trace: 0,
            traced: BTreeMap::new(),
            reached: BTreeMap::new(),
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
            epoch: Epoch(0),
            paused_until: self.now,
            calm: Calm::since(self.now),
            wake_at: None,
            arrived: Vec::new(),
            seen: Vec::new(),
            swallows: false,
            muddles: false,
            denies: false,
            renewals: 0,
            forger: None,
            refused: Vec::new(),
            blamed: Vec::new(),
            swallowed_until: Instant::default(),
            is_shut_down: false,
            is_draining: false,
            taken: Taken::default(),
            rules: Vec::new(),
            lists: Lists::new(),
            ruled_at: Instant::default(),
            unsent: 0,
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
            paused_until: self.now,
            calm: Calm::since(self.now),
            connected: Calm::never(),
            willing: Calm::since(self.now),
            wake_at: None,
            arrived: Vec::new(),
            link: None,
            old_link: None,
            waiting_sealed: Vec::new(),
            leaves: false,
            homes: homes.iter().map(|home| home.0).collect(),
            next_home: 0,
            application: Application::default(),
            inbox: Inbox::default(),
            wanted: BTreeSet::new(),
            subscribed: Vec::new(),
            keys: BTreeMap::new(),
            allowed: BTreeMap::new(),
            propagated: Vec::new(),
            files: Files::default(),
            disk: Disk::default(),
        });
        let client = ClientId(self.clients.len() - 1);
        self.start_client(client);
        client
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

    /// The id that a node has, up or not.
    #[must_use]
    pub fn id_of(&self, node: NodeId) -> amop_wire::NodeId {
        self.nodes[node.0].id
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
        let passes = |id: &LinkId| self.network.links[id].passes == [true; 2];
        links.into_iter().map(|(link, _)| link).filter(passes).collect()
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

    /// How often each kind of thing happened.
    #[must_use]
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
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

    /// Draws one of these.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn any<T: Clone>(&mut self, of: &[T]) -> T {
        let index = usize::try_from(self.draw(of.len() as u64)).expect("it is below a length");
        of[index].clone()
    }

    /// Checks the contract over everything recorded so far.
    ///
    /// # Panics
    ///
    /// If it is broken: with every violation, the seed, and the story that led there.
    pub fn check(&self) {
        let violations = self.record.violations(self.now);
        let Some(first) = violations.first() else { return };
        let (seed, story) = (self.seed, self.record.story(first));
        panic!("seed {seed}: {violations:#?}\n{story}");
    }

    pub(crate) fn draw_instance(&mut self) -> Instance {
        Instance(self.rng.next_u64())
    }

    /// Adds to the trace.
    pub(crate) fn note(&mut self, what: impl Hash) {
        (self.now, what).hash(&mut self.trace);
    }
}
