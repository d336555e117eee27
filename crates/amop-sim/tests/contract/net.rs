//! Nodes in any graph, with one client each.

use std::time::Duration;

use amop_sim::{ClientId, End, NodeId, World};
use amop_wire::{Code, Mode, MsgId, Receipt};

use crate::scene::SECOND;

/// Nodes with one client each, which subscribes to a topic of its own and to one of all.
pub(crate) struct Net {
    pub(crate) world: World,
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) clients: Vec<ClientId>,
}

impl Net {
    pub(crate) fn new(edges: &[(usize, usize)]) -> Self {
        let mut world = World::new(3);
        let count = 1 + edges.iter().map(|&(a, b)| a.max(b)).max().unwrap_or(0);
        let nodes: Vec<NodeId> =
            (0..count).map(|n| world.node(&format!("n{n}.node.bank.amop"))).collect();
        for &(a, b) in edges {
            world.link(nodes[a], nodes[b]);
        }
        let client = |(n, &node)| {
            let client = world.client(&format!("c{n}.sdk.bank.amop"), &[node]);
            world.subscribe(client, &format!("to{n}"));
            world.subscribe(client, "all");
            client
        };
        let clients = nodes.iter().enumerate().map(client).collect();
        // SEQ-3: pushed, and pulled by whoever lacks it, without waiting for a heartbeat.
        world.run_for(SECOND);
        if count < 10 {
            assert_eq!(world.wrong_views(), [] as [String; 0]);
        }
        Self { world, nodes, clients }
    }

    pub(crate) fn request(&mut self, from: usize, topic: &str) -> MsgId {
        self.request_within(from, topic, SECOND)
    }

    pub(crate) fn request_within(&mut self, from: usize, topic: &str, timeout: Duration) -> MsgId {
        self.world.publish(self.clients[from], Mode::Unicast, topic, timeout)
    }

    pub(crate) fn multicast(&mut self, topic: &str) -> MsgId {
        self.world.publish(self.clients[0], Mode::Multicast, topic, SECOND)
    }

    pub(crate) fn receipt(&self, id: MsgId) -> Receipt {
        let End::Receipt(receipt) = self.world.record().publication(id).end() else {
            panic!("an outcome")
        };
        *receipt
    }

    pub(crate) fn carried(&self, from: usize, to: usize) -> u64 {
        self.world.sent(self.nodes[from], self.nodes[to]).messages
    }

    /// The node that messages for another one are sent to first.
    pub(crate) fn next_hop(&self, from: usize, to: usize) -> usize {
        let id = |n: usize| self.world.node_core(self.nodes[n]).id();
        let hop = self.world.node_core(self.nodes[from]).table().next_hop(id(to));
        (0..self.nodes.len()).find(|&n| Some(id(n)) == hop).expect("there is a way")
    }

    pub(crate) fn code(&self, id: MsgId) -> Code {
        self.world.record().publication(id).code()
    }

    pub(crate) fn end(mut self) {
        self.world.run_for(11 * SECOND);
        assert_eq!(self.world.wrong_views(), [] as [String; 0]);
        self.world.check();
    }
}
