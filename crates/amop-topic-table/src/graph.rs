//! The network as one node sees it: who is linked with whom, and the ways that messages take.
//!
//! What nodes announce of their neighbours, and how paths fared, comes in; paths and trees go out.
//! All paths are found in one search, by whoever asks first after a change that can move one: an
//! edge came, went or flaps, or a relay lost or regained preference. A single failure is no such
//! change.
//!
//! What surprises:
//! - Preference is no ban. A way over an edge on hold is better than none, and one over a relay
//!   that fails is better than one over an edge on hold; see [`Cost`] for the whole order.
//! - A relay that lost preference carries no message as long as others can, so nothing may ever
//!   clear it but an [alternative](Graph::alternative), for which a fresh relay counts more than a
//!   good one.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use amop_wire::{Instant, NodeId};

use crate::alternative::{alternative, is_way};
use crate::flaps::Flaps;
use crate::map::{Cost, Labels, Map};
use crate::tree::{Tree, tree};
use crate::trust::{Trust, is_distrusted};

/// The network as one node sees it.
///
/// A path is the list of nodes that a message visits, both ends included, at most
/// [`HOPS_MAX`](amop_wire::limits::HOPS_MAX) links long; no node is in it twice. Equal histories
/// give equal paths. Where several are equally good, different nodes and different targets have
/// different ones.
///
/// Any list of neighbours is harmless, however strange, but the caller bounds how many nodes there
/// are and how many neighbours each has, by [`NODES_MAX`](amop_wire::limits::NODES_MAX).
#[derive(Debug)]
pub struct Graph {
    own: NodeId,
    /// What each node says of its neighbours, in their order.
    lists: BTreeMap<NodeId, Vec<NodeId>>,
    /// Only of nodes that are in `lists`.
    trust: Trust,
    flaps: Flaps,
    routes: OnceLock<Routes>,
}

impl Graph {
    /// Makes the map of a node that has heard of nobody.
    #[must_use]
    pub fn new(own: NodeId) -> Self {
        Self {
            own,
            lists: BTreeMap::new(),
            trust: Trust::default(),
            flaps: Flaps::default(),
            routes: OnceLock::new(),
        }
    }

    /// Takes what a node, ours included, says of its neighbours in place of what it said before;
    /// says whether paths may be others now.
    ///
    /// An edge exists only while both its ends list each other.
    pub fn set(&mut self, now: Instant, node: NodeId, neighbours: &[NodeId]) -> bool {
        let has_freed = self.handle_timeout(now);
        let mut list: Vec<NodeId> = neighbours.iter().copied().filter(|&to| to != node).collect();
        list.sort_unstable();
        list.dedup();
        let old = self.lists.insert(node, list).unwrap_or_default();
        let list = &self.lists[&node];
        let is_edge = |to: &NodeId| self.lists.get(to).is_some_and(|back| has(back, node));
        let mut has_changed = false;
        for &to in list.iter().filter(|&&to| !has(&old, to)).filter(|to| is_edge(to)) {
            self.flaps.came(now, node, to);
            has_changed = true;
        }
        for &to in old.iter().filter(|&&to| !has(list, to)).filter(|to| is_edge(to)) {
            self.flaps.went(now, node, to);
            has_changed = true;
        }
        if has_changed {
            self.routes.take();
        }
        has_changed || has_freed
    }

    /// Forgets a node and its failures, because it has left or fallen silent; says whether paths
    /// may be others now.
    pub fn remove(&mut self, now: Instant, node: NodeId) -> bool {
        let has_changed = self.set(now, node, &[]);
        self.lists.remove(&node);
        let has_regained = self.clear(&[node]);
        has_changed || has_regained
    }

    pub(crate) fn node_count(&self) -> usize {
        self.lists.len()
    }

    pub(crate) fn set_watched_max(&mut self, edges_max: usize) {
        self.flaps.set_max(edges_max);
    }

    pub(crate) fn flap_count(&self) -> usize {
        self.flaps.len()
    }

    /// The best path from our node to another: over as few edges on hold as possible, then over as
    /// few relays without preference, then over as few hops.
    #[must_use]
    pub fn path(&self, to: NodeId) -> Option<&[NodeId]> {
        self.routes().path(to)
    }

    /// Whether there is a path to this other node.
    #[must_use]
    pub fn is_reachable(&self, node: NodeId) -> bool {
        self.path(node).is_some()
    }

    /// The other nodes that there is a path to, in the order of their ids.
    pub fn reachable(&self) -> impl Iterator<Item = NodeId> {
        self.routes().map.ids().iter().copied().filter(|&node| self.is_reachable(node))
    }

    /// Finds a path for another try of a message that is in doubt on the `used` ones, the oldest
    /// first.
    ///
    /// It shares no relay with any of them if that is possible, else as few as possible; among such
    /// paths it is the one whose relays failed the least, then the shortest. It is none of the used
    /// ones unless there is no other; then it is the one used the longest ago. An edge on hold
    /// counts for none of this as long as some path that was not used can do without it.
    ///
    /// Each call searches, which takes less than a millisecond in a network of 100 nodes, and a few
    /// in one of 1,000.
    #[must_use]
    pub fn alternative(&self, to: NodeId, used: &[impl AsRef<[NodeId]>]) -> Option<Vec<NodeId>> {
        let map = &self.routes().map;
        let to = map.spot(to).filter(|&to| to != map.own())?;
        let mut costs = self.relay_costs(map);
        for &relay in used.iter().flat_map(|path| relays(path.as_ref())) {
            if let Some(spot) = map.spot(relay) {
                costs[spot].shared = 1;
            }
        }
        let ways = used.iter().filter_map(|path| {
            let way: Vec<usize> =
                path.as_ref().iter().map(|&node| map.spot(node)).collect::<Option<_>>()?;
            (is_way(map, &way) && way.last() == Some(&to)).then_some(way)
        });
        let way = alternative(map, to, &ways.collect::<Vec<_>>(), |relay| costs[relay])?;
        Some(way.into_iter().map(|spot| map.id(spot)).collect())
    }

    /// Whether these nodes are a simple way that begins with ours, over edges that exist.
    #[must_use]
    pub fn is_way(&self, nodes: &[NodeId]) -> bool {
        let map = &self.routes().map;
        let spots: Option<Vec<usize>> = nodes.iter().map(|&node| map.spot(node)).collect();
        spots.is_some_and(|spots| is_way(map, &spots))
    }

    /// Joins the paths to these exits into a tree that sends one copy over each of its links.
    ///
    /// Our own node is not in it, be it an exit or not.
    #[must_use]
    pub fn tree(&self, exits: &[NodeId]) -> Tree {
        let Routes { map, labels, .. } = self.routes();
        tree(map, labels, exits)
    }

    /// Notes that a message was lost on a path, by whichever of its relays; says whether paths may
    /// be others now. The third failure in a row without a success costs a relay its preference.
    pub fn failed(&mut self, now: Instant, path: &[NodeId]) -> bool {
        let mut has_lost = false;
        for &relay in relays(path) {
            if self.lists.contains_key(&relay) {
                has_lost |= self.trust.failed(now, relay);
            }
        }
        if has_lost {
            self.routes.take();
        }
        has_lost
    }

    /// Notes that a message came through on a path, which clears all of its relays; says whether
    /// paths may be others now.
    pub fn worked(&mut self, path: &[NodeId]) -> bool {
        self.clear(relays(path))
    }

    /// Frees the edges that flapped and have been stable for long enough at `now`, and gives relays
    /// another chance that failed long ago; says whether paths may be others now.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        let has_freed = self.flaps.handle_timeout(now) | self.trust.handle_timeout(now);
        if has_freed {
            self.routes.take();
        }
        has_freed
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.flaps.poll_timeout(), self.trust.poll_timeout()].into_iter().flatten().min()
    }

    fn clear(&mut self, relays: &[NodeId]) -> bool {
        let mut has_regained = false;
        for &relay in relays {
            has_regained |= self.trust.worked(relay);
        }
        if has_regained {
            self.routes.take();
        }
        has_regained
    }

    fn routes(&self) -> &Routes {
        self.routes.get_or_init(|| {
            let map = Map::new(self.own, &self.lists, |a, b| self.flaps.is_held(a, b));
            let mut costs = self.relay_costs(&map);
            costs.iter_mut().for_each(|cost| cost.failures = 0); // Fewer than three move nothing.
            Routes::new(map, &costs)
        })
    }

    /// What it costs to pass each node. A node that came without an edge may not be on the map yet.
    fn relay_costs(&self, map: &Map) -> Vec<Cost> {
        let mut costs = vec![Cost::default(); map.ids().len()];
        for (relay, failures) in self.trust.failures() {
            if let Some(spot) = map.spot(relay) {
                let distrusted = is_distrusted(failures).into();
                costs[spot] = Cost { distrusted, failures, ..Cost::default() };
            }
        }
        costs
    }
}

/// All that is computed from the map.
#[derive(Debug)]
struct Routes {
    map: Map,
    labels: Labels,
    /// The path to each node of the map; empty if there is none.
    paths: Vec<Vec<NodeId>>,
}

impl Routes {
    fn new(map: Map, costs: &[Cost]) -> Self {
        let labels = map.search(&[map.own()], &[], None, |relay| costs[relay]);
        let path = |spot: usize| {
            let last = labels.cheapest(spot).filter(|_| spot != map.own());
            let way = last.map_or_else(Vec::new, |last| labels.way(last));
            way.into_iter().map(|spot| map.id(spot)).collect()
        };
        let paths = (0..map.ids().len()).map(path).collect();
        Self { map, labels, paths }
    }

    fn path(&self, to: NodeId) -> Option<&[NodeId]> {
        let path = &self.paths[self.map.spot(to)?];
        (!path.is_empty()).then_some(path)
    }
}

/// The nodes of a path between its ends.
fn relays(path: &[NodeId]) -> &[NodeId] {
    path.get(1..path.len().saturating_sub(1)).unwrap_or_default()
}

fn has(list: &[NodeId], node: NodeId) -> bool {
    list.binary_search(&node).is_ok()
}
