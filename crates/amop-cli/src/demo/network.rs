//! The demo's nodes: four in this process, each on a thread of its own, on free loopback ports.

use std::net::{Ipv4Addr, SocketAddr};

use amop_node::{Limits, Node, NodeConfig, Status};
use amop_p2p::{Settings, Target};
use amop_wire::Name;

use super::certificates::{Certificates, node_name};
use crate::exit::chain;

/// Running nodes.
#[derive(Debug)]
pub(super) struct Network {
    nodes: Vec<Member>,
}

/// Which nodes are linked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// Every two.
    Mesh,
    /// Each with the one before it.
    Line,
    /// Likewise, and the last with the first.
    Ring,
}

/// A node, or the place that one left.
#[derive(Debug)]
struct Member {
    config: NodeConfig,
    node: Option<Node>,
}

impl Network {
    /// Starts the nodes, each dialing those before it that it is linked with.
    pub(super) async fn start(certificates: &Certificates, shape: Shape) -> Result<Self, String> {
        let mut network = Self { nodes: Vec::new() };
        for (agency, label) in NODES {
            let (identity, trust) = certificates.load(&node_name(agency, label))?;
            let config = NodeConfig {
                identity,
                trust,
                p2p_listen: ANY_PORT,
                sdk_listen: ANY_PORT,
                peers: network.targets(shape),
                settings: Settings::default(),
                workers: 1,
                limits: Limits::default(),
                access: amop_node::Access::default(),
            };
            network.nodes.push(Member::start(config).await?);
        }
        Ok(network)
    }

    /// Waits until every running node lists all others.
    pub(super) async fn linked(&self) -> Result<(), String> {
        let nodes: Vec<&Node> = self.running().collect();
        for node in &nodes {
            let others = |status: &Status| status.peers.len() + 1 == nodes.len();
            let name = node.name();
            node.status().wait_for(others).await.map_err(|_| format!("{name} has ended"))?;
        }
        Ok(())
    }

    /// Waits until no running node lists this one.
    pub(super) async fn unlinked(&self, gone: &Name) -> Result<(), String> {
        for node in self.running() {
            let has_noticed = |status: &Status| !status.peers.contains(gone);
            let name = node.name();
            node.status().wait_for(has_noticed).await.map_err(|_| format!("{name} has ended"))?;
        }
        Ok(())
    }

    /// One node, if it runs.
    pub(super) fn node(&self, name: &Name) -> Option<&Node> {
        self.running().find(|node| node.name() == name)
    }

    /// The nodes that run.
    pub(super) fn running(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter_map(|member| member.node.as_ref())
    }

    /// Where clients find a node.
    pub(super) fn sdk_addr(&self, name: &Name) -> SocketAddr {
        self.member(name).config.sdk_listen
    }

    /// Stops a node.
    pub(super) async fn stop(&mut self, name: &Name) -> Result<(), String> {
        let member = self.nodes.iter_mut().find(|member| member.config.identity.name() == name);
        let node = member.and_then(|member| member.node.take());
        node.ok_or_else(|| format!("{name} does not run"))?.shutdown().await;
        Ok(())
    }

    /// Starts the nodes again that were stopped, where they were.
    pub(super) async fn restart(&mut self) -> Result<(), String> {
        for member in self.nodes.iter_mut().filter(|member| member.node.is_none()) {
            *member = Member::start(member.config.clone()).await?;
        }
        Ok(())
    }

    fn member(&self, name: &Name) -> &Member {
        let member = self.nodes.iter().find(|member| member.config.identity.name() == name);
        member.expect("the demo asks for its own nodes")
    }

    /// Those that the next node has to dial.
    fn targets(&self, shape: Shape) -> Vec<(Name, Vec<Target>)> {
        let target = |member: &Member| {
            let name = member.config.identity.name().clone();
            let addr = member.config.p2p_listen.to_string();
            (name.clone(), vec![Target { addr, expected: Some(name) }])
        };
        let is_last = self.nodes.len() + 1 == NODES.len();
        let is_linked = |position: usize| match shape {
            Shape::Mesh => true,
            Shape::Line => position + 1 == self.nodes.len(),
            Shape::Ring => position + 1 == self.nodes.len() || is_last && position == 0,
        };
        let linked = self.nodes.iter().enumerate().filter(|(position, _)| is_linked(*position));
        linked.map(|(_, member)| target(member)).collect()
    }
}

impl Member {
    /// Starts a node and notes the ports that it got.
    async fn start(mut config: NodeConfig) -> Result<Self, String> {
        let node = Node::start(config.clone()).await.map_err(|error| chain(&error))?;
        config.p2p_listen = node.p2p_addr();
        config.sdk_listen = node.sdk_addr();
        Ok(Self { config, node: Some(node) })
    }
}

/// Agency and label.
const NODES: [(&str, &str); 4] =
    [("bank-a", "n1"), ("bank-a", "n2"), ("bank-b", "n1"), ("bank-c", "n1")];

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
