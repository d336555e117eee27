//! What a node tells its peers about its own topics: the whole set, or how it changed.
//!
//! Both travel as payloads and keep their encoded form: what a node encodes once goes to every
//! peer.

use bytes::Bytes;
use prost::Message as _;

use crate::fields::{bad, text, topic};
use crate::generated as pb;
use crate::limits::{PAYLOAD_BYTES_MAX, TOPICS_PER_NODE_MAX};
use crate::{Gen, Instance, MessageError, Seq, Topic, Version};

/// A client process that is attached to the announcing node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subscriber {
    /// The life of the process.
    pub instance: Instance,
    /// Which of its links leads there.
    pub generation: Gen,
}

/// All topics of one node, at one version. Sets are equal only if they are encoded alike too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSet {
    version: Version,
    topics: Vec<(Topic, Vec<Subscriber>)>,
    encoded: Bytes,
}

/// How the topics of one node changed, from one version to a later one of the same epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicChanges {
    version: Version,
    from_seq: Seq,
    changes: Vec<TopicChange>,
    encoded: Bytes,
}

/// One subscriber came to a topic or left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicChange {
    /// The topic.
    pub topic: Topic,
    /// Who.
    pub subscriber: Subscriber,
    /// Whether it left.
    pub removed: bool,
}

impl TopicSet {
    /// Encodes a set. Only a set that [fits](Self::fits) can be sent.
    #[must_use]
    pub fn new(version: Version, topics: Vec<(Topic, Vec<Subscriber>)>) -> Self {
        let entry = |(topic, subscribers): &(Topic, Vec<Subscriber>)| pb::TopicEntry {
            topic: text(topic.as_bytes()),
            subscribers: subscribers.iter().map(put_subscriber).collect(),
        };
        let set = pb::TopicSet { topics: topics.iter().map(entry).collect() };
        Self { version, topics, encoded: set.encode_to_vec().into() }
    }

    /// Reads a set that came as a payload.
    ///
    /// # Errors
    ///
    /// [`MessageError`]: malformed, a bad topic, or more topics than one node may have.
    pub fn decode(version: Version, encoded: Bytes) -> Result<Self, MessageError> {
        let set = pb::TopicSet::decode(encoded.clone()).map_err(MessageError::Malformed)?;
        check_count("topic_set.topics", set.topics.len())?;
        // An honest set has no more: each takes 16 bytes of the one payload.
        let subscribers = set.topics.iter().map(|entry| entry.subscribers.len()).sum();
        check_count("topic_set.subscribers", subscribers)?;
        let entry = |entry: pb::TopicEntry| {
            let subscribers = entry.subscribers.iter().map(read_subscriber).collect();
            Ok((topic("topic_set.topic", &entry.topic)?, subscribers))
        };
        let topics = set.topics.into_iter().map(entry).collect::<Result<_, MessageError>>()?;
        Ok(Self { version, topics, encoded })
    }

    /// The version that this set is.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Every topic with its subscribers.
    #[must_use]
    pub fn topics(&self) -> &[(Topic, Vec<Subscriber>)] {
        &self.topics
    }

    /// The payload that says all this.
    #[must_use]
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// Whether the set still fits one payload.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.encoded.len() <= PAYLOAD_BYTES_MAX
    }
}

impl TopicChanges {
    /// Encodes the changes that lead from `from_seq` to `version`, whose seq is greater: a receiver
    /// refuses others.
    #[must_use]
    pub fn new(from_seq: Seq, version: Version, changes: Vec<TopicChange>) -> Self {
        let change = |change: &TopicChange| pb::TopicChange {
            topic: text(change.topic.as_bytes()),
            instance: Some(change.subscriber.instance.0),
            generation: Some(change.subscriber.generation.0),
            removed: Some(change.removed),
        };
        let encoded = pb::TopicChanges { changes: changes.iter().map(change).collect() };
        Self { version, from_seq, changes, encoded: encoded.encode_to_vec().into() }
    }

    /// Reads changes that came as a payload.
    ///
    /// # Errors
    ///
    /// [`MessageError`]: malformed, a bad topic, too many changes, or versions that do not grow.
    pub fn decode(version: Version, from_seq: Seq, encoded: Bytes) -> Result<Self, MessageError> {
        if from_seq >= version.seq {
            return Err(bad("changes.to_seq", "it is not after from_seq"));
        }
        let read = pb::TopicChanges::decode(encoded.clone()).map_err(MessageError::Malformed)?;
        check_count("topic_changes.changes", read.changes.len())?;
        let change = |change: pb::TopicChange| {
            Ok(TopicChange {
                topic: topic("topic_changes.topic", &change.topic)?,
                subscriber: Subscriber {
                    instance: Instance(change.instance.unwrap_or_default()),
                    generation: Gen(change.generation.unwrap_or_default()),
                },
                removed: change.removed.unwrap_or_default(),
            })
        };
        let changes = read.changes.into_iter().map(change).collect::<Result<_, MessageError>>()?;
        Ok(Self { version, from_seq, changes, encoded })
    }

    /// The version after the changes.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The seq, of the same epoch, that the changes apply to.
    #[must_use]
    pub fn from_seq(&self) -> Seq {
        self.from_seq
    }

    /// The changes, in their order.
    #[must_use]
    pub fn changes(&self) -> &[TopicChange] {
        &self.changes
    }

    /// The payload that says all this.
    #[must_use]
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }
}

fn put_subscriber(subscriber: &Subscriber) -> pb::Subscriber {
    pb::Subscriber {
        instance: Some(subscriber.instance.0),
        generation: Some(subscriber.generation.0),
    }
}

fn read_subscriber(subscriber: &pb::Subscriber) -> Subscriber {
    Subscriber {
        instance: Instance(subscriber.instance.unwrap_or_default()),
        generation: Gen(subscriber.generation.unwrap_or_default()),
    }
}

fn check_count(field: &'static str, count: usize) -> Result<(), MessageError> {
    if count > TOPICS_PER_NODE_MAX {
        return Err(bad(field, format!("{count} are over the limit of {TOPICS_PER_NODE_MAX}")));
    }
    Ok(())
}
