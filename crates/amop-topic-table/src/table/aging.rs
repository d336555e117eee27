//! What time takes from the table: signs of life that do not come, paths that stay lost, answers that
//! are overdue.
//!
//! The last announcement of a node that is gone stays well signed for ever, so whoever passes it on
//! could keep it among the living. But every node signs a new version every minute. An announcement
//! that has been the last for longer than three of those intervals has expired: no path leads to
//! its node until there is a later one. It is measured by our own clock, from the moment when we
//! took that version; how long our own process did not run, does not [count](TopicTable::slept).
//!
//! What has expired, or is of a node that no path leads to, is kept for a day. Who forgot it would
//! believe it anew when somebody passes it on, and could not show it to a node that has come back
//! with an earlier epoch.

use std::time::Duration;

use amop_wire::limits::NODES_MAX;
use amop_wire::{Instant, NodeId};

use super::TopicTable;
use super::claims::gives_way;
use crate::remote::{Pull, Remote};

impl TopicTable {
    /// Forgets all that a node announced.
    pub fn forget(&mut self, now: Instant, node: NodeId) {
        if let Some(remote) = self.remotes.remove(&node) {
            self.index.remove_all(node, remote.topics());
            self.is_rerouted |= self.graph.remove(now, node);
        }
    }

    /// Lets expire what was not renewed, and forgets nodes that could not be reached for long.
    /// Answers the pulls whose answer is overdue at `now`.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<Pull> {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let over = self.remotes.iter().filter(|(_, remote)| is_due(forget_at(remote)));
        for node in over.map(|(&node, _)| node).collect::<Vec<_>>() {
            self.forget(now, node);
        }
        for (&node, remote) in &mut self.remotes {
            if is_due(expires_at(remote)) {
                remote.is_expired = true;
                self.is_rerouted |= self.graph.remove(now, node);
            }
        }
        self.is_rerouted |= self.graph.handle_timeout(now);
        self.remotes.values_mut().filter_map(|remote| remote.handle_timeout(now)).collect()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = self.remotes.values().flat_map(|remote| {
            [remote.poll_timeout(), forget_at(remote), expires_at(remote)].into_iter().flatten()
        });
        due.chain(self.graph.poll_timeout()).min()
    }

    /// Takes no account of a span in which this node did not run: what others said meanwhile may be
    /// about to come, or has to be asked for first.
    pub fn slept(&mut self, span: Duration) {
        for remote in self.remotes.values_mut() {
            remote.renewed_at = remote.renewed_at + span;
        }
    }

    /// Makes room for another node that a peer tells of, if nothing is known of it so far. Says
    /// whether there is: not for ourselves, nor when there are as many nodes as a network may have
    /// and none [gives way](gives_way).
    pub(super) fn make_room(&mut self, now: Instant, via: NodeId, node: NodeId) -> bool {
        if node == self.id || self.remotes.contains_key(&node) {
            return node != self.id;
        }
        if self.remotes.len() + 1 >= NODES_MAX {
            let Some(other) = gives_way(&self.remotes, via) else { return false };
            self.forget(now, other);
        }
        self.remotes.insert(node, Remote::new(node, now));
        true
    }
}

fn expires_at(remote: &Remote) -> Option<Instant> {
    let counts = remote.signed().is_some() && !remote.is_expired;
    counts.then(|| remote.renewed_at + EXPIRY)
}

fn forget_at(remote: &Remote) -> Option<Instant> {
    let kept = if remote.signed().is_some() { KEPT } else { CLAIM_KEPT };
    Some(remote.lost_at? + kept)
}

/// How long a version counts that no later one follows: more than three times the longest interval
/// of the signs of life.
const EXPIRY: Duration = Duration::from_secs(200);

/// How long the announcement of a node is kept to which no path leads.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long it is kept that peers tell of a node that has announced nothing.
const CLAIM_KEPT: Duration = Duration::from_secs(30);
