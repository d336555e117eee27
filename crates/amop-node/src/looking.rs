//! Looks at a running node, and asks it for what its operator wants.
//!
//! The questions are answered on the node's own thread, between two batches, so that nothing that a node does
//! ever waits for a lock. With tens of thousands of topics an answer can take some milliseconds.

use std::net::SocketAddr;

use amop_wire::{Epoch, MsgId, Name, Topic};
use tokio::sync::{mpsc, oneshot};

use crate::driver::{Driver, unix};
use crate::life::Look;
use crate::node::Node;
use crate::trust::LiveTrust;
use crate::view::{
    ClientView, ListView, NodeView, Overview, PeerView, ReachView, SubscriberView, TopicView,
    TraceView,
};

/// The node has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node has stopped")]
pub struct Stopped;

impl Node {
    /// A window into this node, to look and to ask through.
    #[must_use]
    pub fn window(&self) -> Window {
        Window {
            epoch: self.epoch(),
            addrs: [self.p2p_addr(), self.sdk_addr()],
            trust: self.trust.clone(),
            looks: self.looks.clone(),
        }
    }
}

/// Looks into a running node. Cheap to clone; it does not keep the node running.
#[derive(Clone, Debug)]
pub struct Window {
    epoch: Epoch,
    /// For peers and for clients.
    addrs: [SocketAddr; 2],
    trust: LiveTrust,
    looks: mpsc::UnboundedSender<Look>,
}

impl Window {
    /// The node as a whole.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn overview(&self) -> Result<Overview, Stopped> {
        let mut overview = self.look(Driver::overview).await?;
        overview.epoch = self.epoch.0;
        overview.p2p_addr = self.addrs[0].to_string();
        overview.sdk_addr = self.addrs[1].to_string();
        let list = |list: amop_p2p::ListDates| ListView {
            issuer: list.issuer,
            number: list.number,
            until: unix(list.next_update),
            learned: list.is_learned,
        };
        overview.revocation_lists = self.trust.revocations().dates().map(list).collect();
        Ok(overview)
    }

    /// Every peer that is linked or to be dialed, by name.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn peer_views(&self) -> Result<Vec<PeerView>, Stopped> {
        self.look(Driver::peers).await
    }

    /// Every attached client, by name.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn client_views(&self) -> Result<Vec<ClientView>, Stopped> {
        self.look(Driver::clients).await
    }

    /// The first `limit` topics that begin like this, by name, and how many there are.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn topic_views(
        &self,
        beginning: &str,
        limit: usize,
    ) -> Result<(Vec<TopicView>, usize), Stopped> {
        let beginning = beginning.to_owned();
        self.look(move |driver| driver.topics(&beginning, limit)).await
    }

    /// Everybody who would get a message on a topic.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn subscriber_views(&self, topic: Topic) -> Result<Vec<SubscriberView>, Stopped> {
        self.look(move |driver| driver.subscribers(&topic)).await
    }

    /// This node and every other that is known, by name.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn node_views(&self) -> Result<Vec<NodeView>, Stopped> {
        self.look(Driver::topology).await
    }

    /// What is left of a message, here and at the nodes on its way, which are asked; takes 2 s at most if one of
    /// them does not answer.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn trace_view(&self, id: MsgId) -> Result<TraceView, Stopped> {
        let answer = self.look(move |driver| driver.begin_trace(id)).await?;
        let trace = answer.await.map_err(|_| Stopped)?;
        self.look(move |driver| driver.shown_trace(&trace)).await
    }

    /// Who would get a message on a topic now, and over which nodes, which are asked; takes 2 s at most if one of them
    /// does not answer. `None` if the client of this name may not publish there, or, without a name, no client of
    /// the node's agency. Nothing is delivered.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn reach_view(
        &self,
        topic: Topic,
        whom: Option<Name>,
    ) -> Result<Option<ReachView>, Stopped> {
        let answer = self.look(move |driver| driver.begin_reach(topic, whom)).await?;
        match answer.await.map_err(|_| Stopped)? {
            Some(reach) => self.look(move |driver| Some(driver.shown_reach(&reach))).await,
            None => Ok(None),
        }
    }

    /// Closes the links of every client or peer of this name, or of the client with this instance, and answers how many
    /// there were. They may come back at once: revoke their certificate to keep them out.
    ///
    /// # Errors
    ///
    /// [`Stopped`].
    pub async fn kick(&self, whom: &str) -> Result<usize, Stopped> {
        let whom = whom.to_owned();
        self.look(move |driver| driver.kick(&whom)).await
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Driver) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (seen, answer) = oneshot::channel();
        // Whoever asked may be gone.
        let look = Box::new(move |driver: &Driver| drop(seen.send(look(driver))));
        self.looks.send(look).map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}
