//! How a subscription is made, and why it is not.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use amop_auth::SecretKey;
use amop_core::client::Input;
use amop_wire::{Code, Reason, Topic, TopicError};
use tokio::time::timeout;

use crate::lease::Lease;
use crate::queue::{Queue, QueueLimits, Status};
use crate::subscription::Subscription;
use crate::topic::IntoTopic;

/// A subscription that is about to be made: await it.
#[must_use = "nothing is subscribed before this is awaited"]
pub struct Subscribe {
    lease: Arc<Lease>,
    topic: Result<Topic, TopicError>,
    key: Option<SecretKey>,
    limits: QueueLimits,
    until: Until,
    timeout: Duration,
}

/// How far a subscription must be before the application gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// The client's node holds it.
    Open,
    /// Every node that can be reached knows of it.
    Propagated,
}

impl Subscribe {
    pub(crate) fn new(lease: Arc<Lease>, topic: impl IntoTopic, timeout: Duration) -> Self {
        let limits = QueueLimits::default();
        let (topic, until) = (topic.into_topic(), Until::Open);
        Self { lease, topic, key: None, limits, until, timeout }
    }

    /// Takes only what is sealed for the holder of this key.
    pub(crate) fn with_key(mut self, key: SecretKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Sets how many messages may wait for the application, at least 1. 8,192 unless it was set.
    ///
    /// What comes when as many wait is refused: a unicast goes to another subscriber, a multicast
    /// is counted as refused.
    pub fn capacity(mut self, messages: usize) -> Self {
        self.limits.messages = messages.max(1);
        self
    }

    /// Sets how many bytes of payload may wait for the application. 64 MiB unless it was set.
    pub fn capacity_bytes(mut self, payload_bytes: usize) -> Self {
        self.limits.payload_bytes = payload_bytes;
        self
    }

    /// Waits until every node knows of the subscription, not only the client's own: what anybody
    /// publishes after that finds a subscriber, at whichever node.
    ///
    /// Every node is one that the client's node can reach: one that is cut off is not waited for,
    /// one that is back meanwhile is. It takes a round trip to the farthest of them. If one stays
    /// silent, the result is [`SubscribeError::NotPropagated`] after the timeout.
    ///
    /// ```no_run
    /// # async fn f(client: amop_sdk::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let quotes = client.subscribe("quote").propagated().await?;
    /// // Now others may be told to ask for quotes.
    /// # Ok(())
    /// # }
    /// ```
    pub fn propagated(mut self) -> Self {
        self.until = Until::Propagated;
        self
    }

    /// Sets how long to wait for the subscription. That of the client, 5 s unless it was set, if
    /// this is not called.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Subscribes, and waits until the subscription is as far as was wanted.
    async fn open(self) -> Result<Subscription, SubscribeError> {
        let Self { lease, topic, key, limits, until, timeout: within } = self;
        let topic = topic.map_err(SubscribeError::BadTopic)?;
        let taken = lease.turn(|state, now| {
            if !state.is_open() {
                return Err(SubscribeError::Closed);
            }
            if state.queues.contains_key(&topic) {
                return Err(SubscribeError::AlreadySubscribed { topic: topic.clone() });
            }
            let queue = Queue::new(topic.clone(), limits);
            let taken = queue.taken();
            state.queues.insert(topic.clone(), queue);
            state.handle(
                now,
                match key {
                    None => Input::Subscribe(topic.clone()),
                    Some(key) => Input::SubscribePrivate { topic: topic.clone(), key },
                },
            );
            if until == Until::Propagated {
                state.handle(now, Input::Propagate(topic.clone()));
            }
            Ok(taken)
        })?;
        let mut subscription = Subscription::new(lease, topic, taken, limits.messages);
        // Giving up drops the subscription, which takes everything back.
        match timeout(within, poll_fn(|cx| subscription.poll_open(cx, until))).await {
            Ok(opened) => opened.map(|()| subscription),
            Err(_) => {
                let topic = subscription.topic().clone();
                Err(match subscription.is_open() {
                    true => SubscribeError::NotPropagated { topic, within },
                    false => SubscribeError::NoAnswer { topic, within },
                })
            }
        }
    }
}

impl IntoFuture for Subscribe {
    type Output = Result<Subscription, SubscribeError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}

impl fmt::Debug for Subscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// Why there is no subscription.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The text is no topic. Nothing was sent.
    #[error("bad topic: {0}")]
    BadTopic(TopicError),
    /// This client has a subscription of the topic. Nothing was sent.
    #[error("this client subscribes to {topic:?} already")]
    AlreadySubscribed {
        /// The topic.
        topic: Topic,
    },
    /// The node does not take the subscription.
    #[error("the node refused the subscription to {topic:?}: {reason}")]
    Refused {
        /// The topic.
        topic: Topic,
        /// The kind of refusal.
        code: Code,
        /// The reason behind it.
        reason: Reason,
    },
    /// No node answered in time. The subscription was taken back.
    #[error("no node answered the subscription to {topic:?} within {within:?}")]
    NoAnswer {
        /// The topic.
        topic: Topic,
        /// How long was waited.
        within: Duration,
    },
    /// The node took the subscription, but not every node that it can reach said in time that it
    /// knows of it. The subscription was taken back, and what had come for it is refused. Only
    /// [`Subscribe::propagated`] waits for that.
    #[error("not every node knows of the subscription to {topic:?} within {within:?}")]
    NotPropagated {
        /// The topic.
        topic: Topic,
        /// How long was waited.
        within: Duration,
    },
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

impl SubscribeError {
    /// The code that a publish would have that failed in this way.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::BadTopic(_) | Self::AlreadySubscribed { .. } => Code::Invalid,
            Self::Refused { code, .. } => *code,
            Self::NoAnswer { .. } | Self::Closed => Code::NotSent,
            Self::NotPropagated { .. } => Code::TimedOut,
        }
    }

    /// Why a subscription in this status has ended, if it has.
    pub(crate) fn of(topic: &Topic, status: &Status) -> Option<Self> {
        match status {
            Status::Opening | Status::Open | Status::Propagated => None,
            Status::Closed => Some(Self::Closed),
            Status::Refused(code, reason) => {
                let (code, reason) = (*code, *reason);
                Some(Self::Refused { topic: topic.clone(), code, reason })
            }
        }
    }
}
