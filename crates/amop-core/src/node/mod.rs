//! The state machine of a node.
//!
//! ```text
//!            admit  ──▶ border     whether an announcement is its node's own
//!  Input ──▶ handle ──▶ links      who is at the other end of each link
//!                   ├─▶ sync       what each node announces, and to whom it is news
//!                   ├─▶ relay      to, from and between nodes that are not linked
//!                   ├─▶ tree       multicasts to, from and between them, one copy for each link
//!                   ├─▶ revocations  lists of revoked certificates, from neighbour to neighbour
//!                   ├─▶ drain      who must go before this node stops
//!                   ├─▶ publisher  as home node: what is open of each client
//!                   ├─▶ access     as home node: what its clients may do
//!                   ├─▶ rates      as home node: whether they publish too fast
//!                   ├─▶ unicast    as home node: choose, wait, fail over
//!                   ├─▶ detour     as home node: another way if nothing is heard
//!                   ├─▶ parking    as home node: held while somebody may come
//!                   ├─▶ failover   as home node: another subscriber, for at least once
//!                   ├─▶ exit       as exit node: push, pass back
//!                   ├─▶ multicast  as home node: spread, count
//!                   ├─▶ fanout     as exit node: fan out, report
//!                   ├─▶ watches    who subscribes to the private topics of our clients
//!                   ├─▶ handshake  what the ends of private topics say to each other
//!                   ├─▶ transfer   file messages on their way
//!                   ├─▶ memory     what is refused when it fills
//!                   ├─▶ transit    what each peer may have waiting on a link
//!                   ├─▶ passage    how fast messages and files of others are passed on
//!                   ├─▶ untruth    what cannot be true
//!                   ├─▶ recorder   what became of each message; and `trace`, of one everywhere
//!                   ├─▶ reach      who would get a message, and over which nodes
//!                   └─▶ propagation  which subscriptions of our clients every node knows of
//!  Effect ◀── poll_effect
//! ```
//!
//! A message is handled where its publisher is attached (its *home node*) and where the chosen
//! subscriber is attached (its *exit node*). Both may be this node: then no link lies between.

mod access;
mod border;
mod detour;
mod drain;
mod effect;
mod exit;
mod failover;
mod fanout;
mod handshake;
mod limits;
mod links;
mod loose;
mod memory;
mod multicast;
mod parking;
mod passage;
mod pending;
mod propagation;
mod publisher;
mod rates;
mod reach;
mod record;
mod recorder;
mod recording;
mod relay;
mod revocations;
mod session;
mod sync;
mod telling;
mod trace;
mod transfer;
mod transit;
mod tree;
mod unicast;
mod unsent;
mod untruth;
mod view;
mod watches;
mod weight;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use amop_topic_table::{Place, TopicTable};
use amop_wire::{Epoch, Instance, Instant, Name, NodeId, Path, PeerMessage, ReachMessage};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

pub use amop_topic_table::{Permissions, Rule, Rules};
pub use border::{Judge, Refusal, Refused};
pub use effect::{Effect, Event, Input, LinkId};
pub use limits::Limits;
pub use rates::{Pace, Rate, Rates};
pub use reach::{Hop, HopWord, Reach};
pub use record::{Mark, NodeTag, Party, Record, Relayed, Step, TopicTag};
pub use trace::{Told, Trace};
pub use untruth::Untruth;
pub use view::{AttachedClient, LinkedPeer};

use crate::id_map::IdMap;
use crate::timers::Timers;
use drain::Drain;
use fanout::Fanouts;
use links::Link;
use memory::Memory;
use passage::Passage;
use propagation::Propagation;
use publisher::Publisher;
use rates::Throttle;
use reach::Reaches;
use recorder::Recorder;
use revocations::Revocations;
use session::Session;
use sync::Announcer;
use trace::Traces;
use transfer::Transfers;
use transit::Transit;
use watches::Watches;

/// One node: routes between its clients and its peers.
#[derive(Debug)]
pub struct Node {
    name: Name,
    id: NodeId,
    /// At the start of this life.
    born: Epoch,
    /// Now: greater than `born` if others knew a later life.
    epoch: Epoch,
    links: BTreeMap<LinkId, Link>,
    /// The link that leads to each peer; a peer may have others that are on their way out.
    peers: BTreeMap<NodeId, LinkId>,
    /// Links that peers use whose greeting is still on its way: a lane may overtake another.
    early: BTreeMap<NodeId, LinkId>,
    sessions: IdMap<Instance, Session>,
    table: TopicTable,
    limits: Limits,
    throttle: Throttle,
    /// How the last message of each node came here that was passed on by others, backwards.
    ways_back: BTreeMap<NodeId, Path>,
    announcer: Announcer,
    /// Subscribers that came to a topic or left it in this batch.
    moved: BTreeSet<Instance>,
    /// Whether a peer is reached over another link than before, or over none, in this batch.
    is_relinked: bool,
    /// Clients that are attached, and those that were and have publishes without an outcome.
    publishers: IdMap<Instance, Publisher>,
    /// How many publishes of all of them have no outcome.
    under_way: usize,
    memory: Memory,
    transit: Transit,
    passage: Passage,
    /// When the last input came.
    now: Instant,
    /// Publishers with receipts that wait for the end of the batch.
    finished: Vec<Instance>,
    /// Where a multicast goes; empty in between, kept for its room.
    places: Vec<(Place, u32)>,
    fanouts: Fanouts,
    propagation: Propagation,
    watches: Watches,
    recorder: Recorder,
    traces: Traces,
    reaches: Reaches,
    revocations: Revocations,
    transfers: Transfers,
    timers: Timers<Timer>,
    effects: VecDeque<Effect>,
    drain: Drain,
    shutting_down: bool,
    random: ChaCha12Rng,
}

/// What can come due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Publisher(Instance),
    Fanouts,
    Greeting(LinkId),
    Linger(LinkId),
    Trace(u64),
    Reach(u64),
    Drain,
}

impl Node {
    /// One life of the node of this name. Every life needs a greater epoch than the one before, and
    /// a secret seed of its own: who knows it can answer for others.
    #[must_use]
    pub fn new(name: Name, epoch: Epoch, seed: [u8; 32]) -> Self {
        Self {
            id: NodeId::of(&name),
            table: TopicTable::new(name.clone(), epoch),
            name,
            limits: Limits::default(),
            recorder: Recorder::new(&Limits::default()),
            throttle: Throttle::default(),
            born: epoch,
            epoch,
            links: BTreeMap::new(),
            peers: BTreeMap::new(),
            early: BTreeMap::new(),
            sessions: IdMap::default(),
            ways_back: BTreeMap::new(),
            announcer: Announcer::default(),
            moved: BTreeSet::new(),
            is_relinked: false,
            publishers: IdMap::default(),
            under_way: 0,
            memory: Memory::default(),
            transit: Transit::default(),
            passage: Passage::default(),
            now: Instant::default(),
            finished: Vec::new(),
            places: Vec::new(),
            fanouts: Fanouts::default(),
            propagation: Propagation::default(),
            watches: Watches::default(),
            traces: Traces::default(),
            reaches: Reaches::default(),
            revocations: Revocations::default(),
            transfers: Transfers::default(),
            timers: Timers::default(),
            effects: VecDeque::new(),
            drain: Drain::default(),
            shutting_down: false,
            random: ChaCha12Rng::from_seed(seed),
        }
    }

    /// Applies one input; what it causes waits in [`poll_effect`](Self::poll_effect).
    ///
    /// The caller drains every effect before the next input. Replaying the same `(now, input)`
    /// pairs on a node of the same name, epoch and seed causes the same effects.
    pub fn handle(&mut self, now: Instant, input: Input) {
        debug_assert!(self.effects.is_empty(), "drain every effect before the next input");
        self.now = now;
        match input {
            Input::Waiting { bytes, transit } => self.told_waiting(bytes, &transit),
            Input::Client { link, message } => self.handle_client(now, link, message),
            Input::Peer { link, message } => self.handle_peer(now, link, message),
            Input::ClientUp { link, name } => self.client_up(now, link, name),
            Input::PeerUp { link, name, dialed } => self.peer_up(now, link, name, dialed),
            Input::File { link, message } => self.file(now, link, message),
            Input::LinkDown { link } => self.link_down(now, link),
            Input::UnsentToClient { link, message } => {
                self.client_had_no_room(&message);
                self.unsent_to_client(now, link, message);
            }
            Input::UnsentToPeer { link, message } => {
                self.peer_had_no_room(link, &message);
                self.unsent_to_peer(now, link, message);
            }
            Input::Signed { signature, chain } => {
                self.signed(now, signature, chain);
                self.confirm_propagation(now);
            }
            Input::EndOfBatch => self.end_of_batch(now),
            Input::Timeout => self.handle_timeout(now),
            Input::Recertified => self.recertified(),
            Input::Rules(rules) => self.ruled(rules),
            Input::Trace { number, id } => self.trace(now, number, id),
            Input::Reach { number, topic, whom } => {
                self.reach(now, number, topic, whom.as_ref());
            }
            Input::Revocations(all) => self.told_revocations(now, all),
            Input::RevocationsJudged { peer, list, verdict } => {
                self.revocations_judged(now, peer, list, verdict);
            }
            Input::Drain => self.start_draining(now),
            Input::Shutdown => self.shut_down(),
        }
    }

    /// Takes the next effect, in the order in which they must be performed.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        loop {
            if self.affords_next() {
                return self.effects.pop_front();
            }
            let effect = self.effects.pop_front()?;
            let affordable = self.not_afforded(effect);
            if affordable.is_some() {
                return affordable;
            }
        }
    }

    /// Says when to hand in [`Input::Timeout`]; coming early is harmless, coming late only slow.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = [
            self.timers.next(),
            self.table.poll_timeout(),
            self.announcer.poll_timeout(),
            self.propagation.poll_timeout(),
            self.passage.poll_timeout(),
            self.revocations.poll_timeout(),
        ];
        due.into_iter().flatten().min()
    }

    /// The id of this node.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Who subscribes to what, as far as this node knows.
    #[must_use]
    pub fn table(&self) -> &TopicTable {
        &self.table
    }

    fn handle_peer(&mut self, now: Instant, link: LinkId, message: PeerMessage) {
        let Some(&Link::Peer { node, greeted, .. }) = self.links.get(&link) else { return };
        if greeted.is_none() && !matches!(message, PeerMessage::Greeting(_)) {
            // It has elected this link: what it is told about this goes the same way.
            self.early.insert(node, link);
        }
        self.transfers.make_way_for(now, &message);
        match message {
            PeerMessage::Request(_)
            | PeerMessage::Multicast(_)
            | PeerMessage::TraceQuestion(_)
            | PeerMessage::Reach(ReachMessage::Question { .. })
            | PeerMessage::Probe => {
                self.came_directly(node);
                _ = self.heard_from(now, node, message);
            }
            PeerMessage::Answer(_)
            | PeerMessage::Refusal(_)
            | PeerMessage::Receipts(_)
            | PeerMessage::Held(_)
            | PeerMessage::TraceAnswer(_)
            | PeerMessage::Reach(ReachMessage::Answer(_))
            | PeerMessage::Handshake(_) => _ = self.heard_from(now, node, message),
            PeerMessage::Relay(relay) => self.relayed(now, link, node, relay),
            PeerMessage::Returned(returned) => self.came_back(now, link, node, returned),
            PeerMessage::Tree(tree) => self.branched(now, link, node, tree),
            PeerMessage::Greeting(epoch) => self.greeted(now, link, node, epoch),
            PeerMessage::Summary(entries) => self.summarized(now, node, &entries),
            PeerMessage::Heartbeat(digest) => self.heartbeat_of(node, digest),
            PeerMessage::Pull(of) => self.pulled(node, of),
            PeerMessage::Snapshot(announcement) => self.snapshot(now, link, node, &announcement),
            PeerMessage::Changes(changes) => self.changes(now, link, node, changes),
            PeerMessage::Revocation(message) => self.heard_of_revocations(now, node, message),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Publisher(instance) => self.publisher_due(now, instance),
                Timer::Fanouts => self.fanouts_due(now),
                Timer::Greeting(link) => self.greeting_overdue(link),
                Timer::Linger(link) => self.linger_over(link),
                Timer::Trace(number) => self.trace_over(number),
                Timer::Reach(number) => self.reach_over(number),
                Timer::Drain => self.drained(),
            }
        }
        self.files_due(now);
        self.revocations_due(now);
        self.heartbeat(now); // It notices if this node did not run.
        for pull in self.table.handle_timeout(now) {
            self.pull(pull);
        }
        self.renew(now);
    }

    fn end_of_batch(&mut self, now: Instant) {
        let moved = std::mem::take(&mut self.moved);
        let is_relinked = std::mem::take(&mut self.is_relinked);
        let lost = self.table.refresh_routes(now);
        let is_rerouted = lost.is_some();
        lost.into_iter().flatten().for_each(|node| self.node_lost(node));
        if is_rerouted {
            self.watches.touch_all();
        }
        if is_rerouted || is_relinked {
            self.propagation.touch();
            self.reconsider(now, None);
        } else if !moved.is_empty() {
            self.reconsider(now, Some(&moved));
        }
        self.tell_watchers();
        self.drain_on(now);
        self.push_changes(now);
        self.confirm_propagation(now);
        self.report_fanouts();
        self.send_receipts();
    }
}
