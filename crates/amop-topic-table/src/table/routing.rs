//! How to get to the nodes that have announced themselves.

use std::sync::Arc;

use amop_wire::{Instant, NodeId, Path};

use super::TopicTable;
use super::believing::insert_believed;
use crate::tree::Tree;

impl TopicTable {
    /// Computes the paths anew if somebody's neighbours changed. Subscribers at nodes that cannot
    /// be reached are no candidates. Answers the nodes to which the last path was lost, if any
    /// path may be another one now.
    pub fn refresh_routes(&mut self, now: Instant) -> Option<Vec<NodeId>> {
        let lost = self.reroute(now);
        for departed in self.index.take_departed() {
            self.missed.note(now, departed, self.limits.missed_topics);
        }
        lost
    }

    fn reroute(&mut self, now: Instant) -> Option<Vec<NodeId>> {
        if !std::mem::take(&mut self.is_rerouted) {
            return None;
        }
        self.ways.clear();
        let mut lost = Vec::new();
        for (&node, remote) in &mut self.remotes {
            let is_reachable = self.graph.is_reachable(node);
            if is_reachable && !remote.is_indexed {
                insert_believed(&mut self.index, &self.rules, (node, remote));
            } else if !is_reachable && remote.is_indexed {
                self.index.remove_all(node, remote.topics());
                lost.push(node);
            }
            remote.is_indexed = is_reachable;
            remote.lost_at = if is_reachable { None } else { remote.lost_at.or(Some(now)) };
        }
        Some(lost)
    }

    /// The first link of the best path to another node leads here.
    #[must_use]
    pub fn next_hop(&self, to: NodeId) -> Option<NodeId> {
        self.graph.path(to)?.get(1).copied()
    }

    /// The next way over relays for a message that took these: the best path if it took none, and
    /// then one that shares as little as possible with those before it. `None` if there are no more.
    pub fn way(&mut self, to: NodeId, used: &[Path]) -> Option<Path> {
        if self.is_rerouted {
            self.ways.clear();
        }
        self.ways.get(&self.graph, to, used)
    }

    /// Whether these nodes, from this one on, are each linked with the next, as far as is known.
    #[must_use]
    pub fn is_way(&self, nodes: &[NodeId]) -> bool {
        self.graph.is_way(nodes)
    }

    /// The tree along which one message reaches all of these nodes.
    #[must_use]
    pub fn tree(&mut self, exits: &[NodeId]) -> Arc<Tree> {
        if self.is_rerouted {
            self.ways.clear();
        }
        self.ways.tree(&self.graph, exits)
    }

    /// A message got lost on a path without a word, by whichever of its relays.
    pub fn way_failed(&mut self, now: Instant, path: &Path) {
        if self.graph.failed(now, path.nodes()) {
            self.ways.clear();
        }
    }

    /// A message came through on a path.
    pub fn way_worked(&mut self, path: &Path) {
        if self.graph.worked(path.nodes()) {
            self.ways.clear();
        }
    }
}
