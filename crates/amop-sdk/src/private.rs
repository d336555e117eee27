//! Private topics as a publisher has them: a list of keys, and who has proved to hold one.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use amop_auth::PublicKey;
use amop_core::client::Input;
use amop_wire::limits::WATCHES_PER_CLIENT_MAX;
use amop_wire::{Instance, Topic, TopicError};
use bytes::Bytes;
use tokio::sync::watch;

use crate::client::Client;
use crate::lease::Lease;
use crate::outcome::{Answer, MulticastReceipt};
use crate::publish::Publish;
use crate::topic::IntoTopic;

/// A topic that is about to be private; name the keys with [`to`](Self::to).
#[must_use = "a topic is private once it has a list of keys"]
pub struct Private {
    client: Client,
    topic: Result<Topic, TopicError>,
}

impl Private {
    pub(crate) fn new(client: Client, topic: impl IntoTopic) -> Self {
        Self { client, topic: topic.into_topic() }
    }

    /// Makes it private: from now on the holders of these keys may read what this client publishes to it,
    /// and nobody else. Nothing leaves the client in the clear any more, as long as it lives.
    ///
    /// # Errors
    ///
    /// [`PrivateError`]; nothing has changed.
    pub fn to(
        self,
        keys: impl IntoIterator<Item = PublicKey>,
    ) -> Result<PrivateTopic, PrivateError> {
        let Self { client, topic } = self;
        let topic = topic.map_err(PrivateError::BadTopic)?;
        let private = PrivateTopic { client, topic };
        private.allow(keys)?;
        Ok(private)
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Private").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// A topic whose messages only the holders of listed keys can read, whatever nodes do.
///
/// A message waits while nobody has proved to hold a key and somebody may be about to; else it ends with
/// code 100 and the reason [`NoVerifiedReceiver`](crate::Reason::NoVerifiedReceiver).
#[derive(Clone, Debug)]
pub struct PrivateTopic {
    client: Client,
    topic: Topic,
}

impl PrivateTopic {
    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Sends a message to one of those who have proved to hold a listed key, and gets its answer; see
    /// [`Client::request`]. The payload has at most
    /// [`PRIVATE_MESSAGE_BYTES_MAX`](crate::PRIVATE_MESSAGE_BYTES_MAX) bytes.
    pub fn request(&self, payload: impl Into<Bytes>) -> Publish<Answer> {
        self.client.request(&self.topic, payload)
    }

    /// Sends a message to all who have proved to hold a listed key; see [`Client::multicast`]. Whoever else
    /// subscribes is counted as refused. The payload has at most
    /// [`PRIVATE_MESSAGE_BYTES_MAX`](crate::PRIVATE_MESSAGE_BYTES_MAX) bytes.
    pub fn multicast(&self, payload: impl Into<Bytes>) -> Publish<MulticastReceipt> {
        self.client.multicast(&self.topic, payload)
    }

    /// Replaces the list of keys. Once it returns, nothing more is sealed for a key that is not on it.
    ///
    /// # Errors
    ///
    /// [`PrivateError`]; nothing has changed.
    pub fn allow(&self, keys: impl IntoIterator<Item = PublicKey>) -> Result<(), PrivateError> {
        let keys = listed(keys)?;
        let topic = self.topic.clone();
        self.client.lease().turn(|state, now| {
            let has_room = state.core.private_topics() < WATCHES_PER_CLIENT_MAX;
            if !has_room && !state.core.is_private(&topic) {
                return Err(PrivateError::TooManyTopics);
            }
            state.handle(now, Input::Allow { topic: topic.clone(), keys: keys.clone() });
            state.files.restrict(now, &topic, |key| keys.contains(key));
            Ok(())
        })
    }

    /// Takes a key off the list. Once it returns, nothing more is sealed for its holders: neither what
    /// waits nor what comes, and files on their way to them are given up. What has left can be read by them.
    pub fn remove(&self, key: &PublicKey) {
        let (topic, key) = (self.topic.clone(), *key);
        self.client.lease().turn(|state, now| {
            state.handle(now, Input::Remove { topic: topic.clone(), key });
            state.files.restrict(now, &topic, |other| *other != key);
        });
    }

    /// Follows who has proved to hold a listed key.
    #[must_use]
    pub fn verified(&self) -> Verified {
        let lease = Arc::clone(self.client.lease());
        let changes = lease.receivers();
        Verified { lease, topic: self.topic.clone(), changes }
    }
}

/// Who has proved to hold a listed key of a private topic, and can be reached.
#[derive(Debug)]
pub struct Verified {
    lease: Arc<Lease>,
    topic: Topic,
    changes: watch::Receiver<u64>,
}

/// A subscriber that has proved to hold a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proved {
    /// The life of the subscriber's client.
    pub instance: Instance,
    /// The key that it holds.
    pub key: PublicKey,
}

impl Verified {
    /// Says who it is now, in the order of their instances.
    #[must_use]
    pub fn now(&self) -> Vec<Proved> {
        let now = self.lease.now();
        let all = self.lease.look(|state| state.core.verified(now, &self.topic));
        all.into_iter().map(|(instance, key)| Proved { instance, key }).collect()
    }

    /// Waits until it may be others than at the last call.
    ///
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Vec<Proved> {
        // The sender lives as long as the lease.
        let _ = self.changes.changed().await;
        self.now()
    }

    /// Waits until somebody has proved to hold this key, for as long as it takes.
    pub async fn by(&mut self, key: &PublicKey) -> Proved {
        loop {
            self.changes.mark_unchanged();
            if let Some(proved) = self.now().into_iter().find(|proved| proved.key == *key) {
                return proved;
            }
            self.changed().await;
        }
    }
}

/// Why a topic cannot have this list of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateError {
    /// The text is no topic.
    #[error("bad topic: {0}")]
    BadTopic(TopicError),
    /// The list is too long.
    #[error("more than {KEYS_MAX} keys")]
    TooManyKeys,
    /// This client has as many private topics as it may.
    #[error("the client has {WATCHES_PER_CLIENT_MAX} private topics already")]
    TooManyTopics,
}

/// A list of keys, each of which counts once.
fn listed(keys: impl IntoIterator<Item = PublicKey>) -> Result<BTreeSet<PublicKey>, PrivateError> {
    let mut list = BTreeSet::new();
    for key in keys {
        list.insert(key);
        if list.len() > KEYS_MAX {
            return Err(PrivateError::TooManyKeys);
        }
    }
    Ok(list)
}

/// Most keys on a list: as many subscribers as a topic may have.
const KEYS_MAX: usize = amop_auth::limits::SUBSCRIBERS_PER_TOPIC_MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate_key;

    #[test]
    fn a_list_has_1024_keys_and_whatever_is_named_twice_counts_once() {
        let keys: Vec<PublicKey> = (0..=KEYS_MAX).map(|_| generate_key().public()).collect();
        assert_eq!(listed(keys[..1024].iter().copied()).unwrap().len(), 1024);
        assert!(matches!(listed(keys.iter().copied()), Err(PrivateError::TooManyKeys)));
        let often = vec![keys[0]; 3000].into_iter().chain([keys[1]]);
        assert_eq!(listed(often).unwrap(), [keys[0], keys[1]].into());
    }
}
