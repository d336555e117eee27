//! A node's own topics: what its clients subscribe to, with the version that peers compare.

use amop_wire::{
    Epoch, Instance, Seq, Subscriber, Topic, TopicChange, TopicChanges, TopicSet, Version,
};

use crate::topic_map::{TableFull, TopicMap};

/// A node's own topics.
#[derive(Debug)]
pub(crate) struct OwnTopics {
    version: Version,
    topics: TopicMap,
    /// What happened after `announced`, in its order.
    unannounced: Vec<TopicChange>,
    announced: Seq,
}

impl OwnTopics {
    pub(crate) fn new(epoch: Epoch) -> Self {
        let version = Version { epoch, seq: Seq(0) };
        Self { version, topics: TopicMap::default(), unannounced: Vec::new(), announced: Seq(0) }
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn insert(
        &mut self,
        topic: &Topic,
        subscriber: Subscriber,
    ) -> Result<bool, TableFull> {
        let changed = self.topics.insert(topic, subscriber)?;
        if changed {
            self.note(topic, subscriber, false);
        }
        Ok(changed)
    }

    pub(crate) fn remove(&mut self, topic: &Topic, instance: Instance) -> Option<Subscriber> {
        let generation = self.topics.remove(topic, instance)?;
        let subscriber = Subscriber { instance, generation };
        self.note(topic, subscriber, true);
        Some(subscriber)
    }

    pub(crate) fn subscribers(&self, topic: &Topic) -> impl Iterator<Item = Subscriber> {
        self.topics.subscribers(topic)
    }

    pub(crate) fn snapshot(&self) -> TopicSet {
        let entry = |(topic, subscribers): (&Topic, _)| {
            (topic.clone(), Iterator::collect::<Vec<Subscriber>>(subscribers))
        };
        TopicSet::new(self.version, self.topics.iter().map(entry).collect())
    }

    /// Takes what changed since the last call, to be sent to every peer.
    pub(crate) fn take_changes(&mut self) -> Option<TopicChanges> {
        if self.unannounced.is_empty() {
            return None;
        }
        let changes = std::mem::take(&mut self.unannounced);
        let from_seq = std::mem::replace(&mut self.announced, self.version.seq);
        Some(TopicChanges::new(from_seq, self.version, changes))
    }

    pub(crate) fn has_changes(&self) -> bool {
        !self.unannounced.is_empty()
    }

    fn note(&mut self, topic: &Topic, subscriber: Subscriber, removed: bool) {
        self.version.seq.0 += 1;
        self.unannounced.push(TopicChange { topic: topic.clone(), subscriber, removed });
    }
}
