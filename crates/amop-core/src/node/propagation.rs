//! Which subscriptions every other node knows of, for the clients that asked.
//!
//! A subscription is in every version of our announcement from the one on that it brought, until it
//! ends. So all that is wanted of another node is which version counts there. As long as somebody
//! waits, the nodes that are not known to hold enough are probed: once the version is pushed, and
//! again and again while the answer is too old or none comes. One probe serves all that wait.
//!
//! ```text
//!            Propagate          pushed            Held by every node
//!   client ───────────▶ waits ─────────▶ probed ────────────────────▶ Propagated
//!                                         │  ▲ 20 ms, then twice as long, to 500 ms
//!                                         └──┘
//! ```
//!
//! Who cannot be reached any more is not waited for; who can be reached now is. A peer that was just linked
//! counts before it has announced that, but not for long. Who answers no probe for long is given up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use amop_wire::{Epoch, Instance, Instant, NodeId, NodeMessage, Path, PeerMessage, Topic, Version};

use super::Node;
use super::links::Link;

/// Subscriptions that wait until every node knows of them, and how far each node is.
#[derive(Debug, Default)]
pub(super) struct Propagation {
    /// Who waits, by the version that must be held. No more than there are subscriptions.
    waiting: BTreeMap<Version, BTreeSet<(Instance, Topic)>>,
    /// The same, by who waits.
    wanted: BTreeMap<Instance, BTreeMap<Topic, Version>>,
    /// Every node that could be reached when somebody waited last.
    nodes: BTreeMap<NodeId, Progress>,
    /// The version that was pushed to our peers last, as far as somebody waited.
    pushed: Version,
    /// Something happened that may end a wait.
    is_touched: bool,
    probe_at: Option<Instant>,
}

/// How far another node is.
#[derive(Debug)]
struct Progress {
    /// Another life of the node knows nothing of what this one held.
    life: Epoch,
    /// What it said to hold since somebody waits.
    held: Option<Version>,
    silence: Silence,
    /// What it was probed for last, and how often.
    asked: (Version, u32),
    probed_at: Option<Instant>,
    /// The relays that did not bring an answer so far.
    ways: Vec<Path>,
}

/// Whether a node answers what it is asked.
#[derive(Clone, Copy, Debug)]
enum Silence {
    Broken,
    /// It was probed then, and has said nothing since.
    Since(Instant),
    /// It is waited for no longer: until then, or until it says something.
    GivenUp(Instant),
}

impl Propagation {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.probe_at.filter(|_| !self.waiting.is_empty())
    }

    /// How many subscriptions wait, by their versions and by their clients.
    pub(super) fn waiting(&self) -> usize {
        let by_version = self.waiting.values().map(BTreeSet::len).sum::<usize>();
        by_version.max(self.wanted.values().map(BTreeMap::len).sum())
    }

    /// Notes that nodes may be within reach that were not, or no longer.
    pub(super) fn touch(&mut self) {
        self.is_touched = true;
    }

    /// Forgets what a session waits for.
    pub(super) fn forget_session(&mut self, instance: Instance) {
        for (topic, version) in self.wanted.remove(&instance).unwrap_or_default() {
            self.no_longer(version, instance, topic);
        }
    }

    /// Forgets a subscription that has ended.
    pub(super) fn forget(&mut self, instance: Instance, topic: &Topic) {
        let Some(topics) = self.wanted.get_mut(&instance) else { return };
        let Some(version) = topics.remove(topic) else { return };
        if topics.is_empty() {
            self.wanted.remove(&instance);
        }
        self.no_longer(version, instance, topic.clone());
    }

    fn no_longer(&mut self, version: Version, instance: Instance, topic: Topic) {
        let Some(waiting) = self.waiting.get_mut(&version) else { return };
        waiting.remove(&(instance, topic));
        if waiting.is_empty() {
            self.waiting.remove(&version);
        }
        self.is_touched = true;
    }

    /// Has a subscription wait until every node holds this version.
    fn wait_for(&mut self, version: Version, instance: Instance, topic: Topic) {
        if self.waiting.is_empty() {
            // What they held when somebody waited last says nothing of now.
            for progress in self.nodes.values_mut() {
                (progress.held, progress.asked) = (None, Default::default());
                if let Silence::Since(_) = progress.silence {
                    progress.silence = Silence::Broken; // Nobody has asked it since.
                }
            }
        }
        let topics = self.wanted.entry(instance).or_default();
        let version = *topics.entry(topic.clone()).or_insert(version);
        self.waiting.entry(version).or_default().insert((instance, topic));
        self.is_touched = true;
    }

    /// Whether there is something to do; `is_pushed` says that our peers were told everything.
    fn is_due(&self, now: Instant, is_pushed: bool) -> bool {
        let Some((last, _)) = self.waiting.last_key_value() else { return false };
        self.is_touched
            || is_pushed && *last > self.pushed
            || self.probe_at.is_some_and(|at| at <= now)
    }

    /// Takes the nodes that can be reached, and their lives.
    fn reach(&mut self, reached: impl Iterator<Item = (NodeId, Epoch)>) {
        let mut before = std::mem::take(&mut self.nodes);
        let progress = |(node, life)| {
            let known = before.remove(&node).filter(|progress| progress.life == life);
            (node, known.unwrap_or_else(|| Progress::new(life)))
        };
        self.nodes = reached.map(progress).collect();
    }

    /// A node says what it holds of our announcement.
    fn held(&mut self, own: Version, node: NodeId, version: Version) {
        // A node that knows a later life of us, which never was, holds nothing that we announce.
        if version > own {
            return;
        }
        let Some(progress) = self.nodes.get_mut(&node) else { return };
        progress.silence = Silence::Broken;
        if self.waiting.is_empty() {
            return;
        }
        progress.ways.clear();
        if progress.held < Some(version) {
            progress.held = Some(version);
            self.is_touched = true;
        }
    }

    /// Gives up the nodes that have not answered for too long.
    fn give_up(&mut self, now: Instant) {
        for progress in self.nodes.values_mut() {
            progress.silence = match progress.silence {
                Silence::Since(at) if at + SILENT_MAX <= now => {
                    Silence::GivenUp(now + GIVEN_UP_FOR)
                }
                Silence::GivenUp(until) if until <= now => Silence::Broken,
                same @ (Silence::Broken | Silence::Since(_) | Silence::GivenUp(_)) => same,
            };
        }
    }

    /// Takes the subscriptions that every node knows of, but for those that were given up.
    fn take_confirmed(&mut self) -> Vec<(Instance, Topic)> {
        let counts = |progress: &&Progress| !matches!(progress.silence, Silence::GivenUp(_));
        let least = self.nodes.values().filter(counts).map(|progress| progress.held).min();
        let mut confirmed = Vec::new();
        while let Some(first) = self.waiting.first_entry() {
            if least.is_some_and(|held| held < Some(*first.key())) {
                break;
            }
            confirmed.extend(first.remove());
        }
        for (instance, topic) in &confirmed {
            let Some(topics) = self.wanted.get_mut(instance) else { continue };
            topics.remove(topic);
            if topics.is_empty() {
                self.wanted.remove(instance);
            }
        }
        confirmed
    }

    /// Takes the nodes to probe at `now`.
    fn take_probes(&mut self, now: Instant) -> Vec<NodeId> {
        self.is_touched = false;
        self.probe_at = None;
        let mut probes = Vec::new();
        let Some((&target, _)) = self.waiting.range(..=self.pushed).next_back() else {
            return probes;
        };
        let lacking = |progress: &&mut Progress| progress.held < Some(target);
        for (&node, progress) in &mut self.nodes {
            let Some(progress) = Some(progress).filter(lacking) else { continue };
            if progress.asked.0 != target {
                progress.asked = (target, 0);
            }
            if progress.probe_at().is_none_or(|at| at <= now) {
                progress.probed_at = Some(now);
                progress.asked.1 += 1;
                if let Silence::Broken = progress.silence {
                    progress.silence = Silence::Since(now);
                }
                probes.push(node);
            }
            self.probe_at = [self.probe_at, progress.probe_at()].into_iter().flatten().min();
        }
        probes
    }
}

impl Progress {
    fn new(life: Epoch) -> Self {
        let asked = (Version::default(), 0);
        let silence = Silence::Broken;
        Self { life, held: None, silence, asked, probed_at: None, ways: Vec::new() }
    }

    /// When to probe again; at once if it never was.
    fn probe_at(&self) -> Option<Instant> {
        let doublings = self.asked.1.saturating_sub(1).min(DOUBLINGS_MAX);
        Some(self.probed_at? + (PROBE_INTERVAL * (1 << doublings)).min(PROBE_INTERVAL_MAX))
    }
}

impl Node {
    /// A client wants to be told when every node knows of its subscription.
    pub(super) fn propagate(&mut self, instance: Instance, topic: Topic) {
        let session = self.sessions.get(&instance);
        if session.is_some_and(|session| session.topics.contains(&topic)) {
            self.propagation.wait_for(self.table.own_version(), instance, topic);
        }
    }

    /// Another node asks what counts here of its announcement. It gets no answer if no way is known
    /// that leads to it: then nothing does.
    pub(super) fn probed(&mut self, node: NodeId) {
        if let Some(version) = self.table.version_of(node)
            && self.table.next_hop(node).is_some()
        {
            self.reply_to(node, PeerMessage::Held(version));
        }
    }

    pub(super) fn held(&mut self, node: NodeId, version: Version) {
        self.propagation.held(self.table.own_version(), node, version);
    }

    /// Tells the clients what every node knows, and probes those that are not known to.
    pub(super) fn confirm_propagation(&mut self, now: Instant) {
        let is_pushed = !self.table.has_changes();
        if !self.propagation.is_due(now, is_pushed) {
            return;
        }
        if is_pushed {
            self.propagation.pushed = self.table.own_version();
        }
        let known = self.table.summary().map(|(node, version)| (node, version.epoch));
        let mut reached: BTreeMap<NodeId, Epoch> = known.collect();
        reached.remove(&self.id);
        for peer in self.newcomers(now) {
            reached.entry(peer).or_default();
        }
        self.propagation.reach(reached.into_iter());
        self.propagation.give_up(now);
        for (instance, topic) in self.propagation.take_confirmed() {
            self.tell_client(instance, NodeMessage::Propagated { topic });
        }
        for node in self.propagation.take_probes(now) {
            self.probe(node);
        }
    }

    /// Peers whose link is so new that they may not have announced it. Who does not do so for long is
    /// reached by nobody, and nobody waits for it.
    fn newcomers(&self, now: Instant) -> impl Iterator<Item = NodeId> {
        let is_new = move |link| match self.links.get(link) {
            Some(Link::Peer { greeted: Some(greeted), .. }) => {
                now < greeted.when().1 + ANNOUNCED_WITHIN
            }
            Some(Link::Peer { greeted: None, .. } | Link::Client { .. }) | None => false,
        };
        self.peers.iter().filter(move |(_, link)| is_new(*link)).map(|(&peer, _)| peer)
    }

    /// Probes a node, each time by another way over relays, until one has brought an answer.
    fn probe(&mut self, node: NodeId) {
        if self.tell_peer(node, PeerMessage::Probe) {
            return;
        }
        let Some(progress) = self.propagation.nodes.get_mut(&node) else { return };
        let path = self.table.way(node, &progress.ways).or_else(|| {
            progress.ways.clear();
            self.table.way(node, &[])
        });
        if let Some(path) = path {
            progress.ways.push(path.clone());
            self.send_along(path, &PeerMessage::Probe);
        }
    }
}

/// How long a peer may take to announce a new link: twice what five pulls take.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(10);

/// How long a node may answer no probe: the link of one that stands still is lost after 6 s.
const SILENT_MAX: Duration = Duration::from_secs(10);

/// How long nobody waits for one that was given up.
const GIVEN_UP_FOR: Duration = Duration::from_mins(1);

/// How long an answer may take before the probe is repeated; twice as long each time ...
const PROBE_INTERVAL: Duration = Duration::from_millis(20);

/// ... up to this.
const PROBE_INTERVAL_MAX: Duration = Duration::from_millis(500);

/// So many doublings pass the limit.
const DOUBLINGS_MAX: u32 = 5;
