//! How much the parties of a world hold for each other.
//!
//! With limits that a handful of messages reach, the cores meet each of them in every such world. That
//! none is ever passed is checked after each batch.

use amop_core::{client, node};

use crate::fault::Fault;
use crate::world::World;

/// What every node and every client of a world holds at most.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) node: node::Limits,
    pub(crate) client: client::Limits,
}

impl Limits {
    /// So little that some messages at once are too many.
    fn tight() -> Self {
        Self {
            node: node::Limits {
                subscriptions_per_client: 3,
                requests_per_client: 8,
                request_bytes_per_client: 100,
                requests_per_node: 10,
                memory_bytes: 9000,
                link_bytes: 3000,
                unacked_per_client: 6,
                ways_back: 1,
                records: 8,
                failures: 2,
                rates: node::Rates::default(),
                transit: None,
                files: None,
                table: amop_topic_table::Limits {
                    own_topics: 3,
                    missed_topics: 1,
                    watched_edges: 2,
                },
            },
            client: client::Limits { heard_pieces: 3, keys: 2, replies: 6, held_replies: 1 },
        }
    }
}

impl World {
    /// Has all nodes and clients hold little from now on, or as much as usual.
    pub fn set_tight(&mut self, is_tight: bool) {
        if is_tight {
            self.coverage.fault(Fault::TightLimits);
        }
        let node::Limits { rates, transit, files, .. } = self.limits.node;
        self.limits = if is_tight { Limits::tight() } else { Limits::default() };
        self.limits.node = node::Limits { rates, transit, files, ..self.limits.node };
        self.set_node_limits();
        for core in self.clients.iter_mut().filter_map(|slot| slot.core.as_mut()) {
            core.set_limits(self.limits.client);
        }
    }

    pub(crate) fn is_tight(&self) -> bool {
        self.limits.client != client::Limits::default()
    }

    /// Has the nodes know their limits. What has no room may fail until there is room again.
    pub(crate) fn set_node_limits(&mut self) {
        self.note_room();
        for core in self.nodes.iter_mut().filter_map(|slot| slot.core.as_mut()) {
            core.set_limits(self.limits.node);
        }
    }

    /// Notes a violation if a node holds more than it may.
    pub(crate) fn check_node_limits(&mut self, node: usize) {
        let Some(core) = &self.nodes[node].core else { return };
        let unsent = core.unsent_for_memory();
        if std::mem::replace(&mut self.nodes[node].unsent, unsent) < unsent {
            self.disturb(self.now); // As if a link had had no room.
        }
        let Some(core) = &self.nodes[node].core else { return };
        for occupancy in core.occupancy() {
            if occupancy.held == occupancy.limit {
                self.coverage.limit(occupancy.what);
            } else if !occupancy.is_within() {
                self.record.broken.push(format!("node {node} holds too much: {occupancy:?}"));
            }
        }
    }

    /// Notes a violation if a client holds more than it may.
    pub(crate) fn check_client_limits(&mut self, client: usize) {
        let Some(core) = &self.clients[client].core else { return };
        for occupancy in core.occupancy() {
            if occupancy.held == occupancy.limit {
                self.coverage.limit(occupancy.what);
            } else if !occupancy.is_within() {
                self.record.broken.push(format!("client {client} holds too much: {occupancy:?}"));
            }
        }
    }
}
