//! What a node announces to all others: who it is linked with and who subscribes to what there, as
//! a whole or as changes.
//!
//! Both travel as payloads, behind a [`SignedHead`] that says whose they are and what they lead to.
//! Nothing here checks that: it takes the whole announcement to do so.

use bytes::Bytes;
use prost::Message as _;

use crate::fields::{bad, node_id, node_id_words, text, topic};
use crate::generated as pb;
use crate::limits::{NODES_MAX, PAYLOAD_BYTES_MAX, TOPICS_PER_NODE_MAX};
use crate::{Chain, Gen, Instance, MessageError, Name, NodeId, Seq, SignedHead, Topic, Version};

/// A client process that is attached to the announcing node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subscriber {
    /// The life of the process.
    pub instance: Instance,
    /// Which of its links leads there.
    pub generation: Gen,
}

/// All that one node announces, at one version. Equal only if encoded alike too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    signed: SignedHead,
    chain: Chain,
    neighbours: Vec<NodeId>,
    topics: Vec<(Topic, Vec<Subscriber>)>,
    encoded: Bytes,
}

/// How the announcement of one node changed, from one version to a later one of the same epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncementChanges {
    signed: SignedHead,
    from_seq: Seq,
    neighbours: Option<Vec<NodeId>>,
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

impl Announcement {
    /// Encodes an announcement. Only one that [fits](Self::fits) can be sent.
    #[must_use]
    pub fn new(
        signed: SignedHead,
        chain: Chain,
        neighbours: Vec<NodeId>,
        topics: Vec<(Topic, Vec<Subscriber>)>,
    ) -> Self {
        let entry = |(topic, subscribers): &(Topic, Vec<Subscriber>)| pb::TopicEntry {
            topic: text(topic.as_bytes()),
            subscribers: subscribers.iter().map(put_subscriber).collect(),
        };
        let announcement = pb::Announcement {
            neighbours: put_nodes(&neighbours),
            topics: topics.iter().map(entry).collect(),
        };
        let encoded = announcement.encode_to_vec().into();
        Self { signed, chain, neighbours, topics, encoded }
    }

    /// Reads an announcement that came as a payload.
    ///
    /// # Errors
    ///
    /// [`MessageError`]: malformed, a bad topic, or more than one node may announce.
    pub fn decode(signed: SignedHead, chain: Chain, encoded: Bytes) -> Result<Self, MessageError> {
        let read = pb::Announcement::decode(encoded.clone()).map_err(MessageError::Malformed)?;
        check_count("announcement.topics", read.topics.len(), TOPICS_PER_NODE_MAX)?;
        // An honest one has no more: each takes 16 bytes of the one payload.
        let subscribers = read.topics.iter().map(|entry| entry.subscribers.len()).sum();
        check_count("announcement.subscribers", subscribers, TOPICS_PER_NODE_MAX)?;
        let entry = |entry: pb::TopicEntry| {
            let subscribers = entry.subscribers.iter().map(read_subscriber).collect();
            Ok((topic("announcement.topic", &entry.topic)?, subscribers))
        };
        Ok(Self {
            signed,
            chain,
            neighbours: read_nodes("announcement.neighbours", read.neighbours)?,
            topics: read.topics.into_iter().map(entry).collect::<Result<_, MessageError>>()?,
            encoded,
        })
    }

    /// Whose it is, and what it must be.
    #[must_use]
    pub fn signed(&self) -> &SignedHead {
        &self.signed
    }

    /// The certificates that say whose the signature is.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The version of the announcement.
    #[must_use]
    pub fn version(&self) -> Version {
        self.signed.version()
    }

    /// The certified name of the node that announces.
    #[must_use]
    pub fn name(&self) -> &Name {
        self.signed.name()
    }

    /// The nodes that it is linked with.
    #[must_use]
    pub fn neighbours(&self) -> &[NodeId] {
        &self.neighbours
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

    /// Whether the announcement still fits one payload.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.encoded.len() <= PAYLOAD_BYTES_MAX
    }
}

impl AnnouncementChanges {
    /// Encodes the changes that lead from `from_seq` to the version of the head, whose seq is
    /// greater: a receiver refuses others. The neighbours are all there are, or `None` if they are
    /// those from before.
    #[must_use]
    pub fn new(
        from_seq: Seq,
        signed: SignedHead,
        neighbours: Option<Vec<NodeId>>,
        changes: Vec<TopicChange>,
    ) -> Self {
        let change = |change: &TopicChange| pb::TopicChange {
            topic: text(change.topic.as_bytes()),
            instance: Some(change.subscriber.instance.0),
            generation: Some(change.subscriber.generation.0),
            removed: Some(change.removed),
        };
        let nodes = |nodes: &Vec<NodeId>| pb::Neighbours { nodes: put_nodes(nodes) };
        let encoded = pb::AnnouncementChanges {
            neighbours: neighbours.as_ref().map(nodes),
            changes: changes.iter().map(change).collect(),
        };
        let encoded = encoded.encode_to_vec().into();
        Self { signed, from_seq, neighbours, changes, encoded }
    }

    /// Reads changes that came as a payload. What they do not need is left out when they are passed
    /// on: nobody signed it.
    ///
    /// # Errors
    ///
    /// [`MessageError`]: malformed, a bad topic, too many changes, or versions that do not grow.
    pub fn decode(signed: SignedHead, from_seq: Seq, encoded: Bytes) -> Result<Self, MessageError> {
        if from_seq >= signed.version().seq {
            return Err(bad("changes.from_seq", "it is not before the seq of the head"));
        }
        let read = pb::AnnouncementChanges::decode(encoded).map_err(MessageError::Malformed)?;
        check_count("changes.changes", read.changes.len(), TOPICS_PER_NODE_MAX)?;
        let change = |change: pb::TopicChange| {
            Ok(TopicChange {
                topic: topic("changes.topic", &change.topic)?,
                subscriber: Subscriber {
                    instance: Instance(change.instance.unwrap_or_default()),
                    generation: Gen(change.generation.unwrap_or_default()),
                },
                removed: change.removed.unwrap_or_default(),
            })
        };
        let nodes = |read: pb::Neighbours| read_nodes("changes.neighbours", read.nodes);
        let neighbours = read.neighbours.map(nodes).transpose()?;
        let changes = read.changes.into_iter().map(change).collect::<Result<_, MessageError>>()?;
        Ok(Self::new(from_seq, signed, neighbours, changes))
    }

    /// Whose they are, and what they must lead to.
    #[must_use]
    pub fn signed(&self) -> &SignedHead {
        &self.signed
    }

    /// The version after the changes.
    #[must_use]
    pub fn version(&self) -> Version {
        self.signed.version()
    }

    /// The seq, of the same epoch, that the changes apply to.
    #[must_use]
    pub fn from_seq(&self) -> Seq {
        self.from_seq
    }

    /// The certified name of the node that announces.
    #[must_use]
    pub fn name(&self) -> &Name {
        self.signed.name()
    }

    /// All nodes that it is linked with now, if they have changed.
    #[must_use]
    pub fn neighbours(&self) -> Option<&[NodeId]> {
        self.neighbours.as_deref()
    }

    /// The changes of topics, in their order.
    #[must_use]
    pub fn changes(&self) -> &[TopicChange] {
        &self.changes
    }

    /// The payload that says all this.
    #[must_use]
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// Whether the changes fit one payload; else only the whole announcement can be told.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.encoded.len() <= PAYLOAD_BYTES_MAX
    }
}

/// Spells node ids for the general encoder.
pub(crate) fn put_nodes(nodes: &[NodeId]) -> Vec<pb::NodeId> {
    nodes.iter().filter_map(|&node| node_id_words(node)).collect()
}

/// Reads node ids, no more than a network may have.
pub(crate) fn read_nodes(
    field: &'static str,
    nodes: Vec<pb::NodeId>,
) -> Result<Vec<NodeId>, MessageError> {
    check_count(field, nodes.len(), NODES_MAX)?;
    nodes.into_iter().map(|node| node_id(field, Some(node))).collect()
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

pub(crate) fn check_count(
    field: &'static str,
    count: usize,
    limit: usize,
) -> Result<(), MessageError> {
    if count > limit {
        return Err(bad(field, format!("{count} are over the limit of {limit}")));
    }
    Ok(())
}
