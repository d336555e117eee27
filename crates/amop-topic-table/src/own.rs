//! What a node itself announces: its neighbours and what its clients subscribe to, with the
//! version that others compare.

use amop_wire::{
    Announcement, AnnouncementChanges, Epoch, Instance, Name, NodeId, Seq, Subscriber, Topic,
    TopicChange, Version,
};

use crate::topic_map::{TableFull, TopicMap};

/// A node's own announcement.
#[derive(Debug)]
pub(crate) struct Own {
    name: Name,
    version: Version,
    neighbours: Vec<NodeId>,
    topics: TopicMap,
    /// What happened after `announced`, in its order.
    unannounced: Vec<TopicChange>,
    has_new_neighbours: bool,
    announced: Seq,
}

impl Own {
    pub(crate) fn new(name: Name, epoch: Epoch) -> Self {
        Self {
            name,
            version: Version { epoch, seq: Seq(0) },
            neighbours: Vec::new(),
            topics: TopicMap::default(),
            unannounced: Vec::new(),
            has_new_neighbours: false,
            announced: Seq(0),
        }
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Takes the nodes that this node is linked with, in their order; says whether they are others
    /// than before.
    pub(crate) fn set_neighbours(&mut self, neighbours: Vec<NodeId>) -> bool {
        if self.neighbours == neighbours {
            return false;
        }
        self.neighbours = neighbours;
        self.has_new_neighbours = true;
        self.version.seq.0 += 1;
        true
    }

    /// Moves on to a later epoch.
    pub(crate) fn raise_epoch(&mut self, epoch: Epoch) {
        self.version.epoch = epoch;
        self.version.seq.0 += 1;
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

    pub(crate) fn topics(&self) -> &TopicMap {
        &self.topics
    }

    pub(crate) fn announcement(&self) -> Announcement {
        let (name, neighbours) = (self.name.clone(), self.neighbours.clone());
        Announcement::new(self.version, name, neighbours, self.topics.to_entries())
    }

    /// Takes what changed since the last call, to be sent to every peer.
    pub(crate) fn take_changes(&mut self) -> Option<AnnouncementChanges> {
        if !self.has_changes() {
            return None;
        }
        let changes = std::mem::take(&mut self.unannounced);
        let from_seq = std::mem::replace(&mut self.announced, self.version.seq);
        let neighbours =
            std::mem::take(&mut self.has_new_neighbours).then(|| self.neighbours.clone());
        let name = self.name.clone();
        Some(AnnouncementChanges::new(from_seq, self.version, name, neighbours, changes))
    }

    pub(crate) fn has_changes(&self) -> bool {
        self.announced != self.version.seq
    }

    fn note(&mut self, topic: &Topic, subscriber: Subscriber, removed: bool) {
        self.version.seq.0 += 1;
        self.unannounced.push(TopicChange { topic: topic.clone(), subscriber, removed });
    }
}
