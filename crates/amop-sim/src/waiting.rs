//! How much waits on the links of a node, as its driver tells the core before it hands in a batch.

use amop_core::client::Client;
use amop_core::node::{Input as NodeInput, Limits, LinkId, Node};

use crate::network::{Network, Party};
use crate::world::{NodeId, World};

impl World {
    /// Has one node that is up go by other limits, in this life of it.
    ///
    /// # Panics
    ///
    /// If the node is down.
    pub fn limit_node(&mut self, node: NodeId, change: impl FnOnce(&mut Limits)) {
        let mut limits = self.limits.node;
        change(&mut limits);
        self.nodes[node.0].core.as_mut().expect("the node is up").set_limits(limits);
    }

    /// What has begun at any party and has not ended, one sentence each.
    pub fn loose_ends(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        for (party, bytes) in self.network.waiting.iter().filter(|(_, bytes)| **bytes > 0) {
            all.push(format!("{bytes} bytes of {party} wait on links"));
        }
        for node in 0..self.nodes.len() {
            self.node_batch(node, []); // It is told of what waits at the beginning of each.
            let core = self.nodes[node].core.iter();
            let ends = core.flat_map(Node::loose_ends);
            all.extend(ends.map(|(what, count)| format!("node {node} has {count} {what}")));
        }
        for (client, slot) in self.clients.iter().enumerate() {
            let ends = slot.core.iter().flat_map(Client::loose_ends);
            all.extend(ends.map(|(what, count)| format!("client {client} has {count} {what}")));
        }
        all
    }

    /// Of these, what is not only on its way at this moment.
    pub fn unfinished(&mut self) -> Vec<String> {
        let mut all = self.loose_ends();
        all.retain(|what| !ON_THE_WAY.iter().any(|kind| what.ends_with(kind)));
        all
    }

    /// What a node is told of what waits, if anything does or the node thinks so.
    pub(crate) fn waiting_input(&self, node: usize) -> Option<NodeInput> {
        let bytes = self.network.waiting.get(&Party::Node(node)).copied().unwrap_or_default();
        let slot = &self.nodes[node];
        let core = slot.core.as_ref().filter(|core| bytes > 0 || core.counts_waiting())?;
        let life = slot.life;
        let on = |link: LinkId| {
            let Some(state) = self.network.links.get(&link) else { return 0 };
            let end = state.ends.iter().position(|end| *end == Some((Party::Node(node), life)));
            end.map_or(0, |end| state.waiting_bytes[end])
        };
        let transit = core.transit_links().map(|link| (link, on(link))).collect();
        Some(NodeInput::Waiting { bytes, transit })
    }
}

impl Network {
    pub(crate) fn waits_less(&mut self, party: Party, bytes: usize) {
        if let Some(waiting) = self.waiting.get_mut(&party) {
            *waiting -= bytes;
        }
    }

    /// What waits at one end of a link is given up.
    pub(crate) fn gives_up(&mut self, link: LinkId, end: usize) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let (party, bytes) = (state.parties[end], std::mem::take(&mut state.waiting_bytes[end]));
        self.waits_less(party, bytes);
    }
}

/// What is there whenever anybody is saying something.
const ON_THE_WAY: [&str; 3] = ["wait on links", "bytes held", "links with something passed on"];
