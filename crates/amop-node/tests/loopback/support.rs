//! A consortium, its nodes, and clients so raw that they can say anything.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use amop_node::{Limits, Node, NodeConfig, Status};
use amop_p2p::{
    Batch, Endpoint, Identity, Link, LinkEnd, LinkKind, Outbox, Settings, Target, Trust,
};
use amop_pki::{AgencyPlan, Consortium, Leaf};
use amop_wire::{
    ClientMessage, CloseReason, Frame, Gen, Instance, Lane, Message, MessageError, Name,
    NodeMessage, Topic,
};
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

/// Two banks with a node each, and clients `app` and `other` at bank-a.
pub(crate) fn consortium() -> Consortium {
    let plan = [
        AgencyPlan { agency: "bank-a", nodes: &["n1"], clients: &["app", "other"] },
        AgencyPlan { agency: "bank-b", nodes: &["n1"], clients: &["app"] },
    ];
    Consortium::new("Test", "amop", &plan, now()).unwrap()
}

pub(crate) fn identity(leaf: &Leaf) -> Identity {
    Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes()).unwrap()
}

pub(crate) fn trust(consortium: &Consortium) -> Trust {
    Trust::from_pem(consortium.root().certificate_pem().as_bytes()).unwrap()
}

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

/// Adds a peer to dial.
pub(crate) fn dialing(mut config: NodeConfig, name: &Name, addr: SocketAddr) -> NodeConfig {
    let target = Target { addr: addr.to_string(), expected: Some(name.clone()) };
    config.peers.push((name.clone(), vec![target]));
    config
}

/// Waits until a node's surroundings are as wanted.
pub(crate) async fn until(node: &Node, wanted: impl FnMut(&Status) -> bool) {
    let mut status = node.status();
    tokio::time::timeout(PATIENCE, status.wait_for(wanted))
        .await
        .expect("the node gets there")
        .expect("the node runs");
}

/// A link of a client, run in a task.
pub(crate) struct RawClient {
    pub(crate) outbox: Outbox,
    pub(crate) received: mpsc::UnboundedReceiver<NodeMessage>,
    pub(crate) stamps: mpsc::UnboundedReceiver<Frame>,
    pub(crate) end: tokio::task::JoinHandle<LinkEnd>,
    // The link needs its socket.
    _endpoint: Endpoint,
}

impl RawClient {
    pub(crate) async fn dial(consortium: &Consortium, label: &str, node: &Node) -> Self {
        let (endpoint, link) = dial(consortium, label, node).await;
        let outbox = link.outbox();
        let (sender, received) = mpsc::unbounded_channel();
        let (stamp_sender, stamps) = mpsc::unbounded_channel();
        let end = tokio::spawn(link.run(move |_: Lane, frames: &mut Vec<Frame>| {
            for frame in frames.drain(..) {
                // A test that has what it wants does not listen any more.
                if is_stamp(&frame) {
                    let _ = stamp_sender.send(frame);
                } else {
                    let _ = sender.send(NodeMessage::from_frame(frame).unwrap());
                }
            }
            Ok::<(), CloseReason>(())
        }));
        Self { outbox, received, stamps, end, _endpoint: endpoint }
    }

    /// Dials and attaches.
    pub(crate) async fn attach(consortium: &Consortium, label: &str, node: &Node, id: u64) -> Self {
        let mut client = Self::dial(consortium, label, node).await;
        client.send(&attach(id));
        assert!(matches!(client.receive().await, NodeMessage::Attached { .. }));
        client
    }

    pub(crate) fn send<M: Message>(&self, message: &M) {
        let mut batch = Batch::default();
        batch.push(message).unwrap();
        self.outbox.send(&mut batch);
    }

    pub(crate) async fn receive(&mut self) -> NodeMessage {
        let received = tokio::time::timeout(PATIENCE, self.received.recv()).await;
        received.expect("a message comes").expect("the link lives")
    }

    pub(crate) async fn subscribe(&mut self, topic: &str) {
        self.send(&ClientMessage::Subscribe(topic.parse::<Topic>().unwrap()));
        assert!(matches!(self.receive().await, NodeMessage::Subscribed { .. }));
    }

    /// Waits for the end of the link.
    pub(crate) async fn ended(self) -> LinkEnd {
        tokio::time::timeout(PATIENCE, self.end).await.expect("the link ends").unwrap()
    }
}

pub(crate) async fn dial(consortium: &Consortium, label: &str, node: &Node) -> (Endpoint, Link) {
    let me = identity(consortium.client("bank-a", label).unwrap());
    let endpoint =
        Endpoint::dial_only(LinkKind::Sdk, &me, &trust(consortium), Settings::default()).unwrap();
    let link = endpoint.dial(node.sdk_addr(), None).await.unwrap();
    (endpoint, link)
}

pub(crate) fn attach(instance: u64) -> ClientMessage {
    ClientMessage::Attach { instance: Instance(instance), generation: Gen(1) }
}

/// Whether it only says when the next ones were sent.
pub(crate) fn is_stamp(frame: &Frame) -> bool {
    frame.header.is_empty()
}

/// A frame that no decoder of ours made.
pub(crate) struct Junk {
    pub(crate) lane: Lane,
    pub(crate) header: Bytes,
    pub(crate) payload: Bytes,
}

impl Message for Junk {
    fn lane(&self) -> Lane {
        self.lane
    }

    fn put_header(&self, buf: &mut BytesMut) {
        buf.extend_from_slice(&self.header);
    }

    fn payload(&self) -> &Bytes {
        &self.payload
    }

    fn from_frame(_frame: Frame) -> Result<Self, MessageError> {
        Err(MessageError::UnknownKind)
    }
}

#[expect(clippy::disallowed_methods, reason = "certificates are issued as of today")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

pub(crate) const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How long a test waits for what must come, before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
