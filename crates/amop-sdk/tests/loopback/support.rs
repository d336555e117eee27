//! A consortium, its nodes, and clients.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use amop_node::{Limits, Node, NodeConfig};
use amop_pki::{AgencyPlan, Consortium, Leaf};
use amop_sdk::{
    Client, ClientBuilder, Event, Events, Identity, Message, Mode, Settings, Subscription, Trust,
};

/// Two banks with a node each, and clients `app` and `other`.
pub(crate) fn consortium() -> Consortium {
    let agency = |agency| AgencyPlan { agency, nodes: &["n1"], clients: &["app", "other"] };
    Consortium::new("Test", "amop", &[agency("bank-a"), agency("bank-b")], now()).unwrap()
}

pub(crate) fn identity(leaf: &Leaf) -> Identity {
    Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes()).unwrap()
}

pub(crate) fn trust(consortium: &Consortium) -> Trust {
    Trust::from_pem(consortium.root().certificate_pem().as_bytes()).unwrap()
}

/// Starts the node of an agency.
pub(crate) async fn start(consortium: &Consortium, agency: &str) -> Node {
    Node::start(config(consortium, agency)).await.unwrap()
}

/// What the node of an agency needs.
pub(crate) fn config(consortium: &Consortium, agency: &str) -> NodeConfig {
    NodeConfig {
        identity: identity(consortium.node(agency, "n1").unwrap()),
        trust: trust(consortium),
        p2p_listen: ANY,
        sdk_listen: ANY,
        peers: Vec::new(),
        settings: Settings::default(),
        workers: 1,
        limits: Limits::default(),
        access: amop_node::Access::default(),
    }
}

/// A builder for a client of bank-a, without an endpoint.
pub(crate) fn builder(consortium: &Consortium, label: &str) -> ClientBuilder {
    Client::builder()
        .identity(identity(consortium.client("bank-a", label).unwrap()))
        .trust(trust(consortium))
        .timeout(PATIENCE)
}

/// A node of bank-a with two clients: the first subscribes, the second publishes.
pub(crate) async fn pair() -> (Node, Client, Client) {
    let consortium = consortium();
    let node = start(&consortium, "bank-a").await;
    let client = |label| builder(&consortium, label).endpoint(node.sdk_addr().to_string());
    let (subscriber, publisher) = tokio::join!(client("app").connect(), client("other").connect());
    (node, subscriber.unwrap(), publisher.unwrap())
}

/// Answers every request with its own payload; multicasts want no answer.
pub(crate) async fn echo(mut subscription: Subscription) {
    while let Some(message) = subscription.next().await {
        if message.mode() == Mode::Unicast {
            let payload = message.payload().clone();
            message.reply(payload).unwrap();
        }
    }
}

/// The next message, which must come.
pub(crate) async fn next(subscription: &mut Subscription) -> Message {
    within(subscription.next()).await.expect("the subscription goes on")
}

/// The first event that is wanted.
pub(crate) async fn event(events: &mut Events, is_wanted: impl Fn(&Event) -> bool) -> Event {
    within(async {
        loop {
            let event = events.next().await.expect("the client lives");
            if is_wanted(&event) {
                return event;
            }
        }
    })
    .await
}

/// Waits until the node has so many clients.
pub(crate) async fn clients(node: &Node, count: usize) {
    let mut status = node.status();
    within(status.wait_for(|status| status.clients == count)).await.unwrap();
}

/// What must come comes in time.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

#[expect(clippy::disallowed_methods, reason = "certificates are judged by the real time")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Short enough to wait for, and longer than a message takes to its subscriber.
pub(crate) const SHORT: Duration = Duration::from_millis(400);

pub(crate) const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
