//! A running node, for programs that embed one and for the daemon.
//!
//! A node lives on a thread of its own with a single-threaded runtime: its links, its core and its
//! timers share that thread, so that no message crosses a thread inside of a node. With more
//! [`workers`](NodeConfig::workers) its links are spread over their threads.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use amop_p2p::{EndpointError, Fingerprint, Identity, Settings, Target, Trust};
use amop_wire::{BadChain, Epoch, Name};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::access::Access;
use crate::border::chain_of;
use crate::epoch::StateError;
use crate::life::{Look, Orders, Started, run_thread};
use crate::limits::Limits;
use crate::trust::LiveTrust;

/// What a node needs to run.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The node's certificate and key; the certificate also says its name.
    pub identity: Identity,
    /// The roots whose members may link and attach.
    pub trust: Trust,
    /// Where peers link; port 0 takes any that is free.
    pub p2p_listen: SocketAddr,
    /// Where clients attach; port 0 takes any that is free.
    pub sdk_listen: SocketAddr,
    /// Whom to link with, and where they can be dialed.
    pub peers: Vec<(Name, Vec<Target>)>,
    /// Tuning of the links. What the fields below say takes the place of what it says.
    pub settings: Settings,
    /// On how many threads links are worked on, at least 1 and at most [`WORKERS_MAX`]. More serve a node on
    /// a machine with more cores; one alone costs least.
    pub workers: usize,
    /// How much others may make it hold, and how fast they may come.
    pub limits: Limits,
    /// Whom it lets in, and what clients may do.
    pub access: Access,
}

/// The most [`workers`](NodeConfig::workers).
pub const WORKERS_MAX: usize = 64;

/// A running node. Dropping it stops it without waiting; [`shutdown`](Self::shutdown) waits. Its
/// state directory is free again once it has stopped.
#[derive(Debug)]
pub struct Node {
    name: Name,
    epoch: Epoch,
    p2p_addr: SocketAddr,
    sdk_addr: SocketAddr,
    status: watch::Receiver<Status>,
    identity: watch::Sender<Identity>,
    pub(crate) trust: LiveTrust,
    limits: watch::Sender<Limits>,
    access: watch::Sender<Access>,
    pub(crate) looks: mpsc::UnboundedSender<Look>,
    drain: Arc<Notify>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What a node knows of its surroundings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The nodes that are linked and have greeted, sorted.
    pub peers: Vec<Name>,
    /// How many clients are attached.
    pub clients: usize,
    /// How many announcements of other nodes were not believed so far: forged, altered on the way, or
    /// contradicting themselves. The log says whose, why, and who passed them on.
    pub refused_announcements: u64,
    /// How many revocation lists that peers gave do not count so far: forged, older than they said, or not to be read.
    /// The log says whose, and why.
    pub refused_lists: u64,
    /// How many messages of clients and other nodes cannot have been true so far: replies to what was never
    /// asked of whoever replies, acks of what was not delivered, messages that left their path. What comes
    /// too late does not count.
    pub refused_messages: u64,
    /// How many messages were skipped so far because only a newer version understands them.
    pub unknown_messages: u64,
    /// Whether the node has [drained](Node::drain): it stops by itself.
    pub is_drained: bool,
    /// Whether another process runs with the name of this node: then this one has given way, and
    /// stops by itself.
    pub is_superseded: bool,
}

/// Why a node did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The socket for peers cannot be opened.
    #[error("cannot listen for peers on {addr} (`p2p.listen`); is the port in use?")]
    P2pListen {
        /// The address.
        addr: SocketAddr,
        /// Why.
        source: EndpointError,
    },
    /// The socket for clients cannot be opened.
    #[error("cannot listen for clients on {addr} (`sdk.listen`); is the port in use?")]
    SdkListen {
        /// The address.
        addr: SocketAddr,
        /// Why.
        source: EndpointError,
    },
    /// The node could not tell others its certificate.
    #[error("the node's certificate chain is too long for others")]
    Chain(#[source] BadChain),
    /// The state directory cannot be used.
    #[error("the node's epoch cannot be kept")]
    State(#[source] StateError),
    /// The system gives no thread or no event queue.
    #[error("cannot start the node's thread")]
    Thread(#[source] io::Error),
}

/// Why a node does not go by another certificate. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecertifyError {
    /// It is that of another node.
    #[error("the certificate is that of {}, but this node is {}", .other.as_dns(), .ours.as_dns())]
    OtherName {
        /// The name of this node.
        ours: Name,
        /// The name in the certificate.
        other: Name,
    },
    /// Others could not be told of it.
    #[error("the certificate chain is too long for others")]
    Chain(#[source] BadChain),
}

impl Node {
    /// Starts a node that keeps its epoch in a directory, on a thread of its own, and returns once
    /// it listens.
    ///
    /// The directory is made if only the one above it is there, and is this node's alone until it
    /// has stopped. Peers are linked in the background; [`status`](Self::status) tells when.
    ///
    /// # Errors
    ///
    /// [`StartError`] names the setting that cannot be met.
    pub async fn start_in(
        config: NodeConfig,
        state_dir: impl Into<PathBuf>,
    ) -> Result<Self, StartError> {
        Self::start_with(config, Some(state_dir.into())).await
    }

    /// Starts a node that keeps nothing, like [`start_in`](Self::start_in) otherwise.
    ///
    /// Its epoch is that of the clock: a life that begins after the clock was set back has a
    /// smaller one than the life before. Good for tests; nodes that others rely on have a directory.
    ///
    /// # Errors
    ///
    /// [`StartError`] names the setting that cannot be met.
    pub async fn start(config: NodeConfig) -> Result<Self, StartError> {
        Self::start_with(config, None).await
    }

    async fn start_with(
        config: NodeConfig,
        state_dir: Option<PathBuf>,
    ) -> Result<Self, StartError> {
        let (started_tx, started) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let name = config.identity.name().clone();
        let (identity, new_identity) = watch::channel(config.identity.clone());
        let (trust, learned) = LiveTrust::new(config.trust.clone());
        let live = trust.clone();
        let (limits, new_limits) = watch::channel(config.limits);
        let (access, new_access) = watch::channel(config.access.clone());
        let drain = Arc::new(Notify::new());
        let (looks, to_look) = mpsc::unbounded_channel();
        let orders = Orders {
            trust: live,
            learned,
            limits: new_limits,
            access: new_access,
            identity: new_identity,
            looks: to_look,
            drain: drain.clone(),
            stopped,
        };
        let thread = std::thread::Builder::new()
            .name(format!("amop {name}"))
            .spawn(move || run_thread(config, orders, state_dir, started_tx))
            .map_err(StartError::Thread)?;
        let ended = |_| Err(StartError::Thread(io::Error::other("the thread ended")));
        match started.await.unwrap_or_else(ended) {
            Ok(Started { epoch, p2p_addr, sdk_addr, status }) => {
                let (stop, thread) = (Some(stop), Some(thread));
                Ok(Self {
                    name,
                    epoch,
                    p2p_addr,
                    sdk_addr,
                    status,
                    identity,
                    trust,
                    limits,
                    access,
                    looks,
                    drain,
                    stop,
                    thread,
                })
            }
            Err(error) => {
                join(thread).await; // Only then are directory and sockets free.
                Err(error)
            }
        }
    }

    /// The node's certified name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The epoch of this life, greater than that of every life before in the same state directory.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Where peers link.
    #[must_use]
    pub fn p2p_addr(&self) -> SocketAddr {
        self.p2p_addr
    }

    /// Where clients attach.
    #[must_use]
    pub fn sdk_addr(&self) -> SocketAddr {
        self.sdk_addr
    }

    /// The node's surroundings, now and whenever they change.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// The fingerprint of the key that the node runs with.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.identity.borrow().fingerprint()
    }

    /// Goes by another certificate of the same name from now on: shows it in every handshake, and announces it. No link is
    /// closed; those that are open keep the certificate that they were made with. The same again changes nothing.
    ///
    /// The node counts as a later life of itself from then on, so that all others ask for the certificate.
    ///
    /// # Errors
    ///
    /// [`RecertifyError`]: nothing has changed.
    pub fn recertify(&self, identity: &Identity) -> Result<(), RecertifyError> {
        if *identity.name() != self.name {
            let (ours, other) = (self.name.clone(), identity.name().clone());
            return Err(RecertifyError::OtherName { ours, other });
        }
        chain_of(identity).map_err(RecertifyError::Chain)?;
        self.identity.send_if_modified(|before| {
            let is_new = !before.chain().eq(identity.chain());
            if is_new {
                before.clone_from(identity);
            }
            is_new
        });
        Ok(())
    }

    /// Trusts from now on the roots and goes by the revocation lists of `trust`. Every open link is judged
    /// again at once; whoever would be refused now is closed with the sentence, without delay.
    ///
    /// Of the lists of one authority the newest stays, also if `trust` has only an older one. Clones of
    /// the trust that the node was started with change as well.
    pub fn reload(&self, trust: &Trust) {
        self.trust.replace(trust);
    }

    /// Goes by other limits from now on. What clients took before counts under other rates, and what is held
    /// already stays. Links keep their queues, so those of [`queue_bytes`](Limits::queue_bytes) and
    /// [`queue_messages`](Limits::queue_messages) are left out. If those of handshakes change, nobody has begun any yet.
    pub fn set_limits(&self, limits: Limits) {
        self.limits.send_if_modified(|before| std::mem::replace(before, limits) != limits);
    }

    /// Goes by other rules and lists from now on. Whoever may not come in any more is closed at once. Sessions lose
    /// what they may not do any more: their subscriptions end with a reason; what was published before goes on to
    /// its end.
    pub fn set_access(&self, access: Access) {
        self.access.send_if_modified(|before| {
            let is_new = *before != access;
            *before = access;
            is_new
        });
    }

    /// Stops the node without harm, within 30 s and a few more for what is queued. Returns once nobody needs
    /// it any more; [`shutdown`](Self::shutdown) then waits for the rest, or cuts it short.
    ///
    /// Clients are told, and attach elsewhere once what they have published here has its ends; nobody else
    /// is taken in. Then no path leads over this node any more, and it passes on what is on its way.
    pub async fn drain(&self) {
        self.drain.notify_one();
        // An error means that it has stopped for another reason.
        let _ = self.status.clone().wait_for(|status| status.is_drained).await;
    }

    /// Stops the node at once: tells clients and peers, sends what is queued, and waits until it is done,
    /// at most a few seconds.
    pub async fn shutdown(mut self) {
        if let Some(stop) = self.stop.take() {
            // The receiver is gone only if the node has stopped already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            join(thread).await;
        }
    }
}

/// Waits for a thread that ends by itself, without blocking the caller's runtime. A panic in it
/// was reported where it happened.
async fn join(thread: JoinHandle<()>) {
    let _ = tokio::task::spawn_blocking(move || thread.join()).await;
}
