//! A node so raw that it can say anything, with keys that count.

use amop_node::Node;
use amop_p2p::{Batch, Endpoint, Identity, LinkEnd, LinkKind, Settings};
use amop_pki::Consortium;
use amop_topic_table::set_digest;
use amop_wire::{
    Announcement, AnnouncementHead, Chain, CloseReason, Epoch, Frame, Lane, Message, Name, NodeId,
    PeerMessage, Seq, SetDigest, SignedHead, Version,
};
use tokio::sync::mpsc;

use crate::support::{PATIENCE, identity, is_stamp, trust};

/// A link as `n1` of an agency, run in a task.
pub(crate) struct RawNode {
    pub(crate) identity: Identity,
    received: mpsc::UnboundedReceiver<PeerMessage>,
    outbox: amop_p2p::Outbox,
    pub(crate) end: tokio::task::JoinHandle<LinkEnd>,
    // The link needs its socket.
    _endpoint: Endpoint,
}

impl RawNode {
    /// Links with a node, and announces to it that it is linked with these.
    pub(crate) async fn link(
        consortium: &Consortium,
        agency: &str,
        node: &Node,
        neighbours: &[NodeId],
    ) -> Self {
        let identity = identity(consortium.node(agency, "n1").unwrap());
        let trust = trust(consortium);
        let settings = Settings::default();
        let endpoint = Endpoint::dial_only(LinkKind::Node, &identity, &trust, settings).unwrap();
        let link = endpoint.dial(node.p2p_addr(), None).await.unwrap();
        let outbox = link.outbox();
        let (sender, received) = mpsc::unbounded_channel();
        let end = tokio::spawn(link.run(move |_: Lane, frames: &mut Vec<Frame>| {
            for frame in frames.drain(..).filter(|frame| !is_stamp(frame)) {
                // A test that has what it wants does not listen any more.
                let _ = sender.send(PeerMessage::from_frame(frame).unwrap());
            }
            Ok::<(), CloseReason>(())
        }));
        let mut raw = Self { identity, received, outbox, end, _endpoint: endpoint };
        raw.introduce(neighbours).await;
        raw
    }

    async fn introduce(&mut self, neighbours: &[NodeId]) {
        let (id, version) =
            (NodeId::of(self.identity.name()), Version { epoch: Epoch(1), seq: Seq(1) });
        self.send(&PeerMessage::Greeting(version.epoch));
        self.send(&PeerMessage::Summary(vec![(id, version)]));
        self.until(|message| (*message == PeerMessage::Pull(id)).then_some(())).await;
        let digest = set_digest(neighbours, &[]).unwrap();
        let signed = self.sign(self.identity.name().clone(), version, digest);
        let snapshot = Announcement::new(signed, self.chain(), neighbours.to_vec(), Vec::new());
        self.send(&PeerMessage::Snapshot(snapshot));
    }

    /// Signs with the key of this node, in whoever's name.
    pub(crate) fn sign(&self, name: Name, version: Version, digest: SetDigest) -> SignedHead {
        let head = AnnouncementHead { name, version, digest };
        let signature = self.identity.sign(&head.to_sign()).unwrap();
        SignedHead::new(head, signature.into())
    }

    /// The certificates of this node.
    pub(crate) fn chain(&self) -> Chain {
        Chain::new(self.identity.chain().map(|one| one.to_vec().into()).collect()).unwrap()
    }

    pub(crate) fn send(&self, message: &impl Message) {
        let mut batch = Batch::default();
        batch.push(message).unwrap();
        self.outbox.send(&mut batch);
    }

    /// Waits for a message; what comes before it is dropped.
    pub(crate) async fn until<T>(
        &mut self,
        mut wanted: impl FnMut(&PeerMessage) -> Option<T>,
    ) -> T {
        let wait = async {
            loop {
                let message = self.received.recv().await.expect("the link lives");
                if let Some(found) = wanted(&message) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the message comes")
    }

    /// What the node holds of an announcement.
    pub(crate) async fn pull(&mut self, node: NodeId) -> Announcement {
        self.send(&PeerMessage::Pull(node));
        self.until(|message| match message {
            PeerMessage::Snapshot(snapshot) if snapshot.signed().node() == node => {
                Some(snapshot.clone())
            }
            _ => None,
        })
        .await
    }

    /// Asks the node what it holds of nodes that it can reach, until that is a version that is wanted.
    pub(crate) async fn until_held(&mut self, node: NodeId, wanted: impl Fn(Version) -> bool) {
        let is_held = async {
            loop {
                self.send(&PeerMessage::Heartbeat(0)); // A digest that is not its own.
                let entries = self.until(|message| match message {
                    PeerMessage::Summary(entries) => Some(entries.clone()),
                    _ => None,
                });
                if entries.await.iter().any(|&(of, version)| of == node && wanted(version)) {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, is_held).await.expect("the node gets there");
    }
}
