//! Real nodes that are not all linked with each other.

use std::net::SocketAddr;

use amop_node::{Limits, Node, NodeConfig, Pace, Rate, Rates, Status};
use amop_p2p::Target;
use amop_pki::{AgencyPlan, Consortium};
use amop_sdk::{Client, Code, Settings};
use amop_wire::limits::PAYLOAD_BYTES_MAX;

use super::liar::Liar;
use super::support::{ANY, echo, identity, now, trust, within};

/// ROUTE-1, ROUTE-2: request, answer, multicast and receipt over three links.
#[tokio::test]
async fn a_request_and_a_multicast_cross_a_line_of_four_nodes() {
    let net = Net::start(&[&[], &[0], &[1], &[2]]).await;
    let (near, far) = (net.client(0).await, net.client(3).await);
    let subscription = far.subscribe("t").await.unwrap();
    tokio::spawn(echo(subscription));
    known(&near).await;
    let answer = near.request("t", "over two relays").await.unwrap();
    assert_eq!(answer.payload, "over two relays");
    assert_eq!(answer.answered_by.as_ref(), Some(net.nodes[3].name()));
}

/// ROUTE-1: whichever way the messages went, one of the two cuts made them go the other.
#[tokio::test]
async fn messages_take_the_other_way_round_a_ring_once_a_node_is_gone() {
    let mut net = Net::start(&[&[], &[0], &[1], &[2, 0]]).await;
    let (near, far) = (net.client(0).await, net.client(2).await);
    let subscription = far.subscribe("t").await.unwrap();
    tokio::spawn(echo(subscription));
    known(&near).await;
    let gone = net.nodes.remove(1);
    let name = gone.name().clone();
    gone.shutdown().await;
    for node in &net.nodes {
        let mut status = node.status();
        let has_noticed = |status: &Status| !status.peers.contains(&name);
        within(status.wait_for(has_noticed)).await.unwrap();
    }
    for _ in 0..100 {
        assert_eq!(near.request("t", "x").await.unwrap().payload, "x");
    }
}

/// Large payloads are passed on as they are.
#[tokio::test]
async fn a_payload_of_a_mebibyte_crosses_a_star() {
    let net = Net::start(&[&[], &[0], &[0]]).await;
    let (near, far) = (net.client(1).await, net.client(2).await);
    let subscription = far.subscribe("t").await.unwrap();
    tokio::spawn(echo(subscription));
    known(&near).await;
    let payload = vec![7; PAYLOAD_BYTES_MAX];
    let answer = near.request("t", payload.clone()).await.unwrap();
    assert!(answer.payload == payload);
}

/// MEM-3: what a peer may have waiting on a link is reckoned by the queue that the link has, not by one that counts from the
/// next start on.
#[tokio::test]
async fn another_length_of_queues_leaves_what_a_running_node_passes_on_as_it_was() {
    let net = Net::start(&[&[], &[0], &[1]]).await;
    let (near, far) = (net.client(0).await, net.client(2).await);
    let subscription = far.subscribe("t").await.unwrap();
    tokio::spawn(echo(subscription));
    known(&near).await;
    // So slow that whoever publishes in the middle sees when the limits count.
    let messages = Some(Rate { per_second: 0, burst: 1 });
    let rates = Rates { node: Pace { messages, bytes: None }, ..Rates::default() };
    net.nodes[1].set_limits(Limits { rates, queue_bytes: 1, ..Limits::default() });
    let middle = net.client(1).await;
    let is_limited = async || match middle.request("t", "").await {
        Ok(_) => false,
        Err(error) => error.code() == Code::Limited,
    };
    within(async { while !is_limited().await {} }).await;
    assert_eq!(near.request("t", "passed on").await.unwrap().payload, "passed on");
}

/// Nodes of one bank each.
pub(crate) struct Net {
    consortium: Consortium,
    nodes: Vec<Node>,
}

impl Net {
    /// Starts nodes; each dials some of those before it.
    pub(crate) async fn start(dials: &[&[usize]]) -> Self {
        let plan = |&agency| AgencyPlan { agency, nodes: &["n1"], clients: &["app"] };
        let plans: Vec<AgencyPlan<'_>> = BANKS[..dials.len()].iter().map(plan).collect();
        let consortium = Consortium::new("Test", "amop", &plans, now()).unwrap();
        let mut nodes = Vec::<Node>::new();
        for (agency, dials) in BANKS.iter().zip(dials) {
            let target = |&other: &usize| {
                let node: &Node = &nodes[other];
                let target = Target {
                    addr: node.p2p_addr().to_string(),
                    expected: Some(node.name().clone()),
                };
                (node.name().clone(), vec![target])
            };
            let config = NodeConfig {
                identity: identity(consortium.node(agency, "n1").unwrap()),
                trust: trust(&consortium),
                p2p_listen: ANY,
                sdk_listen: ANY,
                peers: dials.iter().map(target).collect(),
                settings: Settings::default(),
                workers: 1,
                limits: Limits::default(),
                access: amop_node::Access::default(),
            };
            nodes.push(Node::start(config).await.unwrap());
        }
        Self { consortium, nodes }
    }

    pub(crate) async fn client(&self, node: usize) -> Client {
        self.client_at(node, self.nodes[node].sdk_addr()).await
    }

    /// A client of a node's bank that attaches somewhere.
    pub(crate) async fn client_at(&self, node: usize, addr: SocketAddr) -> Client {
        Client::builder()
            .identity(identity(self.consortium.client(BANKS[node], "app").unwrap()))
            .trust(trust(&self.consortium))
            .endpoint(addr.to_string())
            .connect()
            .await
            .unwrap()
    }

    /// A node that stands before another one, and may lie to its clients.
    pub(crate) fn liar(&self, node: usize) -> Liar {
        let bank = BANKS[node];
        let before = identity(self.consortium.node(bank, "n1").unwrap());
        let clients = identity(self.consortium.client(bank, "app").unwrap());
        Liar::before(self.nodes[node].sdk_addr(), &before, &clients, &trust(&self.consortium))
    }
}

/// Waits until the publisher's node knows of a subscriber of `t`.
pub(crate) async fn known(publisher: &Client) {
    within(async {
        loop {
            match publisher.request("t", "are you there?").await {
                Ok(_) => return,
                Err(error) => assert_eq!(error.code(), Code::NoSubscriber),
            }
        }
    })
    .await;
}

const BANKS: [&str; 4] = ["bank-a", "bank-b", "bank-c", "bank-d"];
