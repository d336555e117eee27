//! One large network in which nothing fails: how long its tables take to agree, and what they cost.
//!
//! The nodes stand on three rings, each through all of them in an order drawn at random, and are linked
//! with their neighbours on each. So a node has up to six links, and the farthest two of a thousand
//! nodes are five or six hops apart. All links come up and all clients subscribe at the same moment, the
//! worst that can happen to a network: everybody has everything to learn at once.
//!
//! Cores take no time in a world, so the spans here are those of the network alone: what waits for
//! messages, not for processors. How long the run itself took says what the processors would add.

use std::collections::BTreeSet;
use std::time::Duration;

use amop_sim::{ClientId, NodeId, Sent, World};
use amop_wire::Topic;

use crate::memory::Memory;

mod report;

pub(crate) use report::LargeReport;

/// What it took.
#[derive(Debug)]
pub(crate) struct Large {
    pub(crate) nodes: usize,
    pub(crate) topics: usize,
    pub(crate) links: usize,
    /// How many hops the farthest two nodes are apart.
    pub(crate) diameter: usize,
    /// From the moment at which all came up to the one at which every node knew everything.
    pub(crate) start: Phase,
    /// From a subscribe after that to the moment at which every node knew of it.
    pub(crate) subscribe: Phase,
    /// What crossed the links meanwhile when nothing changed, by heartbeat.
    pub(crate) heartbeat: PerLink,
    /// The largest and the smallest count of frames that crossed one direction of a link then.
    pub(crate) heartbeat_frames: (u64, u64),
    /// Of the whole process, once all knew everything.
    pub(crate) memory: Option<Memory>,
    /// Where a node's view differs from what the clients want. It should be nowhere.
    pub(crate) wrong_views: Vec<String>,
}

/// A change, and what it cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Phase {
    /// How long it took in simulated time, to the next look; `None` if it took too long.
    pub(crate) took: Option<Duration>,
    pub(crate) cost: PerLink,
}

/// What crossed a link, both directions together: at the median link, and at the one where it was most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PerLink {
    pub(crate) bytes_median: u64,
    pub(crate) bytes_max: u64,
    pub(crate) frames_median: u64,
    pub(crate) frames_max: u64,
}

/// Builds the network, lets it come to rest, and has one client subscribe once more.
pub(crate) fn run(nodes: usize, topics: usize, memory: impl Fn() -> Option<Memory>) -> Large {
    let mut network = Network::new(nodes, topics);
    let start = network.phase(LOOK_COARSE);
    network.world.run_for(REST);
    let memory = memory();
    let sent = network.sent();
    network.world.run_for(HEARTBEATS * HEARTBEAT_INTERVAL);
    let quiet = network.since(&sent);
    let heartbeat = PerLink::of(&quiet, u64::from(HEARTBEATS));
    let frames = || quiet.iter().flatten().map(|sent| sent.frames / u64::from(HEARTBEATS));
    let heartbeat_frames = (frames().min().unwrap_or(0), frames().max().unwrap_or(0));

    let sent = network.sent();
    network.subscribe(topics);
    let mut subscribe = network.phase(LOOK_FINE);
    // What was on its way when the last node knew of it is part of its cost.
    network.world.run_for(Duration::from_millis(500));
    subscribe.cost = PerLink::of(&network.since(&sent), 1);

    let (links, wrong_views) = (network.links.len(), network.world.wrong_views());
    let diameter = diameter(nodes, &network.links);
    // To take a thousand nodes apart costs a tenth of the run, and the process ends here.
    std::mem::forget(network);
    Large {
        nodes,
        topics,
        links,
        diameter,
        start,
        subscribe,
        heartbeat,
        heartbeat_frames,
        memory,
        wrong_views,
    }
}

/// The world, and what was linked in it.
struct Network {
    world: World,
    nodes: Vec<NodeId>,
    clients: Vec<ClientId>,
    links: Vec<(usize, usize)>,
    /// What was subscribed to last.
    newest: Topic,
}

impl Network {
    fn new(nodes: usize, topics: usize) -> Self {
        let mut world = World::new(SEED);
        world.stop_telling();
        world.stop_watching_versions();
        world.set_latency(LATENCY, LATENCY);
        world.set_batching(Duration::from_millis(1));
        world.set_paper_bytes(SIGNATURE_BYTES, CERTIFICATE_BYTES);
        let count = nodes;
        let nodes: Vec<NodeId> =
            (0..count).map(|n| world.node(&format!("n1.node.bank-{n}.amop"))).collect();
        let links = rings(&mut world, count);
        for &(a, b) in &links {
            world.link(nodes[a], nodes[b]);
        }
        let clients = (0..count.max(topics / SUBSCRIPTIONS + 1))
            .map(|n| world.client(&format!("app-{n}.sdk.bank.amop"), &[nodes[n % count]]))
            .collect();
        let newest = topic(0);
        let mut network = Self { world, nodes, clients, links, newest };
        (0..topics).for_each(|number| network.subscribe(number));
        network
    }

    /// The topics are spread over all clients, and these over all nodes.
    fn subscribe(&mut self, number: usize) {
        self.newest = topic(number);
        self.world.subscribe(self.clients[number % self.clients.len()], self.newest.as_str());
    }

    /// Lets time pass until everybody knows what there is to know.
    fn phase(&mut self, look_every: Duration) -> Phase {
        let (started, before) = (self.world.now(), self.sent());
        let mut took = None;
        while took.is_none() && self.world.now() < started + PATIENCE {
            self.world.run_for(look_every);
            took = self.agrees().then(|| self.world.now().saturating_since(started));
        }
        Phase { took, cost: PerLink::of(&self.since(&before), 1) }
    }

    /// Whether every client is connected, and every node holds, and can reach, what each announces.
    fn agrees(&self) -> bool {
        let tables = || self.nodes.iter().map(|&node| self.world.node_core(node).table());
        let mut truth: Vec<_> = tables().map(|table| (table.id(), table.own_version())).collect();
        truth.sort_unstable();
        self.clients.iter().all(|&client| self.world.is_connected(client))
            && tables().all(|table| !table.spread(&self.newest).is_empty())
            && tables().all(|table| table.summary().eq(truth.iter().copied()))
    }

    /// What has crossed each link so far, in either direction.
    fn sent(&self) -> Vec<[Sent; 2]> {
        let sent = |a: usize, b: usize| self.world.sent(self.nodes[a], self.nodes[b]);
        self.links.iter().map(|&(a, b)| [sent(a, b), sent(b, a)]).collect()
    }

    fn since(&self, before: &[[Sent; 2]]) -> Vec<[Sent; 2]> {
        let pairs = self.sent().into_iter().zip(before);
        pairs.map(|(now, before)| [now[0] - before[0], now[1] - before[1]]).collect()
    }
}

fn topic(number: usize) -> Topic {
    format!("settlement/{number:09}").parse().expect("it is plain text")
}

/// Three rings through all nodes; the first in the order of their numbers, so that none is left out.
fn rings(world: &mut World, nodes: usize) -> Vec<(usize, usize)> {
    let mut links = BTreeSet::new();
    let mut order: Vec<usize> = (0..nodes).collect();
    for _ in 0..RINGS {
        for (&a, &b) in order.iter().zip(order.iter().cycle().skip(1)) {
            if a != b {
                links.insert((a.min(b), a.max(b)));
            }
        }
        for last in (1..nodes).rev() {
            let other = usize::try_from(world.draw(last as u64 + 1)).expect("it is an index");
            order.swap(last, other);
        }
    }
    links.into_iter().collect()
}

/// How many hops the farthest two nodes are apart.
fn diameter(nodes: usize, links: &[(usize, usize)]) -> usize {
    let mut neighbours = vec![Vec::new(); nodes];
    for &(a, b) in links {
        neighbours[a].push(b);
        neighbours[b].push(a);
    }
    let farthest = |from: usize| {
        let (mut reached, mut last, mut hops) = (BTreeSet::from([from]), vec![from], 0);
        loop {
            let next = last.iter().flat_map(|&node| &neighbours[node]).copied();
            last = next.filter(|&node| reached.insert(node)).collect();
            if last.is_empty() {
                return hops;
            }
            hops += 1;
        }
    };
    (0..nodes).map(farthest).max().unwrap_or(0)
}

impl PerLink {
    /// Adds up both directions of each link, and divides by how often something happened.
    fn of(links: &[[Sent; 2]], times: u64) -> Self {
        let sorted = |count: fn(&Sent) -> u64| {
            let both = links.iter().map(|[there, back]| (count(there) + count(back)) / times);
            let mut all: Vec<u64> = both.collect();
            all.sort_unstable();
            (all.get(all.len() / 2).copied().unwrap_or(0), all.last().copied().unwrap_or(0))
        };
        let (bytes_median, bytes_max) = sorted(|sent| sent.bytes);
        let (frames_median, frames_max) = sorted(|sent| sent.frames);
        Self { bytes_median, bytes_max, frames_median, frames_max }
    }
}

/// The same network each time, so that figures can be compared.
const SEED: u64 = 1;

const RINGS: usize = 3;

/// How many topics one client subscribes to at most; it may have a few more.
const SUBSCRIPTIONS: usize = 1000;

/// A message takes this long, and less than this longer.
const LATENCY: Duration = Duration::from_millis(5);

/// What a signature with a key of P-256 takes at most.
const SIGNATURE_BYTES: usize = 72;

/// What the certificates of a node and of its agency take together, as `amop cert` makes them.
const CERTIFICATE_BYTES: usize = 1010;

/// How often it is asked whether everybody knows everything, when there is much to know ...
const LOOK_COARSE: Duration = Duration::from_millis(50);

/// ... and when there is little.
const LOOK_FINE: Duration = Duration::from_millis(1);

/// Who does not agree by then never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the last to agree told others, and what they said to that, has passed by then.
const REST: Duration = Duration::from_secs(6);

/// SEQ-4.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// How many heartbeats are counted.
const HEARTBEATS: u32 = 4;

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static SMALL: LazyLock<Large> = LazyLock::new(|| run(60, 600, || None));

    /// SEQ-3, SEQ-4
    #[test]
    fn a_network_comes_to_agree_within_a_second_and_is_quiet_then_but_for_heartbeats() {
        let large = &*SMALL;
        assert_eq!(large.wrong_views, [] as [String; 0]);
        assert!(large.diameter <= amop_wire::limits::HOPS_MAX, "{large:?}");
        assert!(large.start.took.is_some_and(|took| took < Duration::from_secs(1)), "{large:?}");
        assert_eq!(large.heartbeat_frames, (1, 1));
        let per_direction = large.heartbeat.bytes_max / 2;
        assert!(per_direction <= 20, "{per_direction}");
    }

    /// SEQ-3: a change is news once in each direction, and nobody answers it.
    #[test]
    fn one_more_subscription_costs_each_link_two_frames_and_a_kibibyte_at_most() {
        let Phase { took, cost } = SMALL.subscribe;
        assert!(took.is_some_and(|took| took < Duration::from_millis(200)), "{took:?}");
        assert!(cost.frames_max <= 2 && cost.bytes_max <= 1024, "{cost:?}");
    }
}
