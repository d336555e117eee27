//! The handle with which an application publishes and subscribes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use amop_auth::SecretKey;
use amop_wire::{Instance, Mode, Name};
use bytes::Bytes;

use crate::builder::ClientBuilder;
use crate::event::Events;
use crate::files::{ReceiveFiles, SendFile};
use crate::lease::Lease;
use crate::outcome::{Answer, MulticastReceipt, answer, receipt};
use crate::private::Private;
use crate::publish::Publish;
use crate::state::Phase;
use crate::subscribe::Subscribe;
use crate::topic::IntoTopic;

/// A client of an AMOP network. Cheap to clone; works from any thread and any task.
///
/// It connects again by itself when its link is lost, to another endpoint if it has several, and
/// subscribes again before it says so. What is published meanwhile waits until its deadline.
///
/// It lives as long as any clone of it, any subscription, message or publish under way is left;
/// [`close`](Self::close) ends it at once. Its tasks run on the tokio runtime that connected it.
#[derive(Clone, Debug)]
pub struct Client {
    lease: Arc<Lease>,
    name: Name,
    timeout: Duration,
}

impl Client {
    /// Begins to make a client.
    #[must_use]
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    pub(crate) fn new(lease: Arc<Lease>, name: Name, timeout: Duration) -> Self {
        Self { lease, name, timeout }
    }

    /// Subscribes to a topic; await it.
    ///
    /// Once that is done, the client's node holds the subscription, and it tells its peers; with
    /// [`propagated`](Subscribe::propagated), every node knows of it. A client has at most one subscription of a topic at a time.
    pub fn subscribe(&self, topic: impl IntoTopic) -> Subscribe {
        Subscribe::new(Arc::clone(&self.lease), topic, self.timeout)
    }

    /// Subscribes to a private topic: takes only what is sealed for the holder of this key, which is
    /// proved to each publisher that asks; await it.
    ///
    /// Publishers ask as soon as they know of the subscription. Until then, and if the key is not on their
    /// list, nothing comes from them. Whatever comes unsealed is refused.
    ///
    /// ```no_run
    /// # async fn f(client: amop_sdk::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let key = amop_sdk::read_key_file("hr.key".as_ref(), None)?;
    /// let mut salaries = client.subscribe_private("salary", key).await?;
    /// # let _ = salaries.next().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe_private(&self, topic: impl IntoTopic, key: SecretKey) -> Subscribe {
        self.subscribe(topic).with_key(key)
    }

    /// Begins to make a topic private: whatever this client publishes to it can be read by the holders of
    /// [these keys](Private::to) alone. For others it is as before.
    pub fn private(&self, topic: impl IntoTopic) -> Private {
        Private::new(self.clone(), topic)
    }

    /// Sends a message to one subscriber of the topic, chosen at random, and gets its answer;
    /// await it.
    ///
    /// The payload has at most 1 MiB. The result is an [`Answer`] also if the handler failed or
    /// dropped the message: look at its `status`.
    pub fn request(&self, topic: impl IntoTopic, payload: impl Into<Bytes>) -> Publish<Answer> {
        let lease = Arc::clone(&self.lease);
        Publish::new(lease, Mode::Unicast, topic, payload.into(), self.timeout, answer)
    }

    /// Sends a message to every subscriber of the topic and counts what became of it; await it.
    ///
    /// The payload has at most 1 MiB. The result is a [`MulticastReceipt`] also if nobody
    /// subscribes to the topic: its `targets` are 0 then. It takes as long as the slowest
    /// subscriber does to take the message, at most the timeout.
    pub fn multicast(
        &self,
        topic: impl IntoTopic,
        payload: impl Into<Bytes>,
    ) -> Publish<MulticastReceipt> {
        let lease = Arc::clone(&self.lease);
        Publish::new(lease, Mode::Multicast, topic, payload.into(), self.timeout, receipt)
    }

    /// Sends a file to one subscriber of the topic, which must [receive files](Self::receive_files); await
    /// it, or [start](SendFile::start) it to follow it.
    ///
    /// It has ended well once the file is complete, checked, and safe on the receiver's disk. The same file
    /// sent again goes on where it was, and moves nothing if it is there. To send it to all who subscribe, say
    /// [`to_all`](SendFile::to_all). On a topic that this client has made [private](Self::private) only who has
    /// proved to hold a listed key gets it, and nobody else reads what it is called, how it is hashed or what is in it.
    pub fn send_file(&self, topic: impl IntoTopic, path: impl Into<PathBuf>) -> SendFile {
        SendFile::new(Arc::clone(&self.lease), self.name.clone(), topic, path.into())
    }

    /// Subscribes to a topic and receives the files that are sent there into a directory; await it.
    ///
    /// The directory must be there. A file appears under its name when it is complete and right, and never
    /// replaces another unless the [settings](ReceiveFiles::settings) say so. [With a key](ReceiveFiles::with_key)
    /// only files come that are sealed for its holder. From then on the process keeps up to 8 MiB of what it frees, if its
    /// allocator is that of glibc.
    pub fn receive_files(&self, topic: impl IntoTopic, dir: impl Into<PathBuf>) -> ReceiveFiles {
        let topic = topic.into_topic();
        // A topic that is none is told when this is awaited; then nothing is subscribed to.
        let subscribe = Subscribe::new(Arc::clone(&self.lease), topic.clone(), self.timeout);
        ReceiveFiles::new(Arc::clone(&self.lease), topic, subscribe, dir.into())
    }

    pub(crate) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// Follows what happens to the client from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.lease.events()
    }

    /// Whether a node has taken the client in and holds all of its subscriptions.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.lease.look(|state| state.core.is_connected())
    }

    /// How many publishes have no end yet.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.lease.look(|state| state.publishes.under_way())
    }

    /// How many messages of its nodes the client has skipped, since only a newer version understands them.
    #[must_use]
    pub fn unknown_messages(&self) -> u64 {
        self.lease.look(|state| state.unknown)
    }

    /// The certified name of this client.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The life of this client: the first half of the ids of its messages.
    #[must_use]
    pub fn instance(&self) -> Instance {
        self.lease.instance()
    }

    /// Sends what is queued, closes the link, and waits until that is done, some seconds at most.
    ///
    /// Await what was published before: what has no end yet ends with 99 or 102. Messages that
    /// wait in subscriptions are refused, and the subscriptions end; drop them before if they may
    /// have been read in part.
    pub async fn close(&self) {
        let mut phase = self.lease.phase();
        self.lease.close();
        // The sender lives as long as the lease.
        let _ = phase.wait_for(|phase| *phase == Phase::Closed).await;
    }
}
