//! The edges of the network as an adjacency list, and the search for cheap paths on it.
//!
//! A search counts in layers: after layer `h` it knows, for every node, what the cheapest way of at
//! most `h` hops costs. Each way is a chain of labels. A node gets a further label only when more
//! hops make it strictly cheaper, for a node beyond may not be able to afford those hops.
//!
//! From that follows all that callers rely on: a chain never visits a node twice (coming back would
//! have to be cheaper than having been there), the last label of a node is its cheapest way, and
//! among equally cheap ways it has the fewest hops.

use std::collections::{BTreeMap, HashMap};
use std::iter::successors;
use std::ops::Add;

use amop_wire::NodeId;
use amop_wire::limits::HOPS_MAX;

use crate::index::mix;

/// The network as a search reads it: nodes are numbered in the order of their ids.
#[derive(Debug)]
pub(crate) struct Map {
    ids: Vec<NodeId>,
    spots: HashMap<NodeId, usize>,
    neighbours: Vec<Vec<Edge>>,
    /// A number for each node that mixes its id with ours, to spread ties.
    ranks: Vec<u64>,
    own: usize,
}

/// One direction of an edge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) to: usize,
    pub(crate) is_held: bool,
}

impl Map {
    /// Takes the edges that both ends list. Lists are sorted and none names its own node; `is_held`
    /// is asked once for each direction of an edge.
    pub(crate) fn new(
        own: NodeId,
        lists: &BTreeMap<NodeId, Vec<NodeId>>,
        is_held: impl Fn(NodeId, NodeId) -> bool,
    ) -> Self {
        let mut ids: Vec<NodeId> = lists.keys().copied().collect();
        if let Err(position) = ids.binary_search(&own) {
            ids.insert(position, own);
        }
        let spots: HashMap<NodeId, usize> =
            ids.iter().enumerate().map(|(i, &id)| (id, i)).collect();
        let listed: Vec<Vec<usize>> = ids
            .iter()
            .map(|id| lists.get(id).into_iter().flatten())
            .map(|list| list.filter_map(|id| spots.get(id).copied()).collect())
            .collect();
        let edges = |(from, list): (usize, &Vec<usize>)| {
            list.iter()
                .filter(|&&to| listed[to].binary_search(&from).is_ok())
                .map(|&to| Edge { to, is_held: is_held(ids[from], ids[to]) })
                .collect()
        };
        let neighbours = listed.iter().enumerate().map(edges).collect();
        let ranks = ids.iter().map(|&id| mix(digest(own), digest(id))).collect();
        let own = spots[&own];
        Self { ids, spots, neighbours, ranks, own }
    }

    pub(crate) fn own(&self) -> usize {
        self.own
    }

    pub(crate) fn id(&self, spot: usize) -> NodeId {
        self.ids[spot]
    }

    pub(crate) fn ids(&self) -> &[NodeId] {
        &self.ids
    }

    pub(crate) fn spot(&self, node: NodeId) -> Option<usize> {
        self.spots.get(&node).copied()
    }

    pub(crate) fn edge(&self, from: usize, to: usize) -> Option<Edge> {
        let position = self.neighbours[from].binary_search_by_key(&to, |edge| edge.to).ok()?;
        Some(self.neighbours[from][position])
    }

    /// Finds the cheapest ways that begin with `start` (whose first node is ours, and which is
    /// simple) and do not go on from its end to a node in `barred`.
    ///
    /// `relay_cost` says what it costs to pass a node on the way; held edges cost by themselves. If
    /// only the ways to one node are wanted, `only` spares those that would come too late for it.
    pub(crate) fn search(
        &self,
        start: &[usize],
        barred: &[usize],
        only: Option<usize>,
        relay_cost: impl Fn(usize) -> Cost,
    ) -> Labels {
        // That we cost something as a relay would not matter: all ways pay for it alike.
        let step = |from: usize, edge: Edge| {
            relay_cost(from) + Cost { held: u16::from(edge.is_held), ..Cost::default() }
        };
        let mut labels = Labels { labels: Vec::new(), last: vec![None; self.ids.len()] };
        for (hop, &node) in start.iter().enumerate() {
            let cost = hop.checked_sub(1).map_or_else(Cost::default, |parent| {
                let edge = self.edge(start[parent], node).expect("the start is a way");
                labels.labels[parent].cost + step(start[parent], edge)
            });
            labels.push(Label { node, parent: hop.checked_sub(1), cost });
        }
        let mut layer = start.len() - 1..start.len();
        for hops in start.len()..=HOPS_MAX {
            let found = only.and_then(|only| labels.last[only]);
            let bound = found.map(|position| labels.labels[position].cost);
            for parent in layer.clone() {
                let Label { node: from, cost, .. } = labels.labels[parent];
                if bound.is_some_and(|bound| bound <= cost) {
                    continue;
                }
                for &edge in &self.neighbours[from] {
                    if hops > start.len() || !barred.contains(&edge.to) {
                        let cost = cost + step(from, edge);
                        let label = Label { node: edge.to, parent: Some(parent), cost };
                        self.offer(&mut labels, label, layer.end);
                    }
                }
            }
            layer = layer.end..labels.labels.len();
        }
        labels
    }

    /// Takes a label if it is the cheapest of its node so far. The labels from `layer` on have as
    /// many hops as this one, so the cheaper one of them stays, and a tie is decided by rank.
    fn offer(&self, labels: &mut Labels, new: Label, layer: usize) {
        let Some(last) = labels.last[new.node] else { return labels.push(new) };
        let old = labels.labels[last];
        if last < layer {
            if new.cost < old.cost {
                labels.push(new);
            }
        } else if (new.cost, self.rank(labels, new)) < (old.cost, self.rank(labels, old)) {
            labels.labels[last] = new;
        }
    }

    /// Orders equally good labels of one node: by a hash of us, the node and the relay before it,
    /// so that neither all nodes nor all targets rely on the same relay.
    fn rank(&self, labels: &Labels, label: Label) -> (u64, Option<usize>) {
        let relay = label.parent.map(|parent| labels.labels[parent].node);
        (relay.map_or(0, |relay| mix(self.ranks[label.node], self.ranks[relay])), relay)
    }
}

/// What a search found.
#[derive(Debug)]
pub(crate) struct Labels {
    /// Those with fewer hops come first.
    labels: Vec<Label>,
    /// The cheapest label of each node.
    last: Vec<Option<usize>>,
}

/// The end of a way: a node and the label before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    pub(crate) node: usize,
    pub(crate) parent: Option<usize>,
    pub(crate) cost: Cost,
}

impl Labels {
    /// The cheapest label of a node, by its position.
    pub(crate) fn cheapest(&self, node: usize) -> Option<usize> {
        self.last[node]
    }

    pub(crate) fn label(&self, position: usize) -> Label {
        self.labels[position]
    }

    /// The positions of all labels of a way, from its end to ours.
    pub(crate) fn back(&self, position: usize) -> impl Iterator<Item = usize> {
        successors(Some(position), |&position| self.labels[position].parent)
    }

    /// The nodes of a way, from ours to its end.
    pub(crate) fn way(&self, position: usize) -> Vec<usize> {
        let mut way: Vec<usize> =
            self.back(position).map(|position| self.labels[position].node).collect();
        way.reverse();
        way
    }

    fn push(&mut self, label: Label) {
        self.last[label.node] = Some(self.labels.len());
        self.labels.push(label);
    }
}

/// What speaks against a way, the worst first: one more of a field outweighs any number of the
/// fields below it. Hops come after all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cost {
    /// Edges on hold because they flap.
    pub(crate) held: u16,
    /// Relays that ways used before share.
    pub(crate) shared: u16,
    /// Relays that lost preference.
    pub(crate) distrusted: u16,
    /// Failures of all relays since their last successes.
    pub(crate) failures: u16,
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            held: self.held.saturating_add(other.held),
            shared: self.shared.saturating_add(other.shared),
            distrusted: self.distrusted.saturating_add(other.distrusted),
            failures: self.failures.saturating_add(other.failures),
        }
    }
}

fn digest(node: NodeId) -> u64 {
    let words = node.as_bytes().chunks_exact(8);
    words.fold(0, |digest, word| {
        mix(digest, u64::from_le_bytes(word.try_into().expect("a chunk has 8 bytes")))
    })
}
