//! The table of one node: its own topics, those of its peers, and one index over all of them.

use std::collections::BTreeMap;

use amop_wire::{
    Epoch, Instance, Instant, MsgId, NodeId, Subscriber, Topic, TopicChanges, TopicSet, Version,
};

use crate::index::{Candidate, Index, Place};
use crate::own::OwnTopics;
use crate::remote::{Fetch, RemoteTopics, Weighed};
use crate::topic_map::{TableFull, TopicMap};

/// Who subscribes to what, at this node and at its peers.
#[derive(Debug)]
pub struct TopicTable {
    own: OwnTopics,
    remotes: BTreeMap<NodeId, RemoteTopics>,
    index: Index,
}

impl TopicTable {
    /// An empty table for one life of a node.
    #[must_use]
    pub fn new(epoch: Epoch) -> Self {
        Self { own: OwnTopics::new(epoch), remotes: BTreeMap::new(), index: Index::default() }
    }

    /// The version of our own topics.
    #[must_use]
    pub fn own_version(&self) -> Version {
        self.own.version()
    }

    /// Adds a subscriber at this node, or moves it to a later generation; says whether our own
    /// topics changed.
    ///
    /// # Errors
    ///
    /// [`TableFull`] if this node has as much as it may announce.
    pub fn subscribe(&mut self, topic: &Topic, subscriber: Subscriber) -> Result<bool, TableFull> {
        let changed = self.own.insert(topic, subscriber)?;
        if changed {
            self.index.insert(topic, Place::Here, subscriber);
        }
        Ok(changed)
    }

    /// Removes a subscriber at this node; says whether it was there.
    pub fn unsubscribe(&mut self, topic: &Topic, instance: Instance) -> bool {
        let removed = self.own.remove(topic, instance).is_some();
        if removed {
            self.index.remove(topic, Place::Here, instance);
        }
        removed
    }

    /// The subscribers at this node, in the order of their instances.
    pub fn own_subscribers(&self, topic: &Topic) -> impl Iterator<Item = Subscriber> {
        self.own.subscribers(topic)
    }

    /// All of our own topics, to answer a peer that fetches them.
    #[must_use]
    pub fn snapshot(&self) -> TopicSet {
        self.own.snapshot()
    }

    /// Takes what changed in our own topics since the last call, to be pushed to every peer.
    pub fn take_changes(&mut self) -> Option<TopicChanges> {
        self.own.take_changes()
    }

    /// Whether something changed in our own topics since they were last
    /// [taken](Self::take_changes).
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.own.has_changes()
    }

    /// Weighs the version that a peer announced for its own topics; from now on the peer is one
    /// that we keep in step with.
    pub fn announced(&mut self, now: Instant, node: NodeId, version: Version) -> Option<Fetch> {
        self.remotes.entry(node).or_default().announced(now, version)
    }

    /// Takes the topics that we fetched from a peer; says whether they were applied. A set that
    /// nobody asked for, or that is not newer than what we hold, is dropped.
    ///
    /// # Errors
    ///
    /// [`TableFull`] if the peer announces more than a node may; nothing was changed.
    pub fn apply_snapshot(&mut self, node: NodeId, set: &TopicSet) -> Result<bool, TableFull> {
        let Some(remote) = self.remotes.get_mut(&node) else { return Ok(false) };
        let Some(before) = remote.snapshot(set)? else { return Ok(false) };
        remove_all(&mut self.index, node, &before);
        for (topic, subscribers) in remote.topics().iter() {
            for subscriber in subscribers {
                self.index.insert(topic, Place::Node(node), subscriber);
            }
        }
        Ok(true)
    }

    /// Takes changes that a peer pushed. Answers a [`Fetch`] if they do not fit on what we hold.
    ///
    /// # Errors
    ///
    /// [`TableFull`] if the peer announces more than a node may; a part of the changes may have
    /// been applied, so [forget](Self::forget) the peer.
    pub fn apply_changes(
        &mut self,
        now: Instant,
        node: NodeId,
        changes: &TopicChanges,
    ) -> Result<Option<Fetch>, TableFull> {
        let Some(remote) = self.remotes.get_mut(&node) else { return Ok(None) };
        match remote.weigh(now, changes) {
            Weighed::Old => return Ok(None),
            Weighed::Hole(fetch) => return Ok(Some(fetch)),
            Weighed::Applies => {}
        }
        for change in changes.changes() {
            if change.removed {
                if remote.remove(&change.topic, change.subscriber) {
                    let instance = change.subscriber.instance;
                    self.index.remove(&change.topic, Place::Node(node), instance);
                }
            } else if remote.insert(&change.topic, change.subscriber)? {
                self.index.insert(&change.topic, Place::Node(node), change.subscriber);
            }
        }
        Ok(None)
    }

    /// Forgets a peer and all its topics, because no link leads there.
    pub fn forget(&mut self, node: NodeId) {
        if let Some(remote) = self.remotes.remove(&node) {
            remove_all(&mut self.index, node, remote.topics());
        }
    }

    /// The version that we hold of a peer's topics.
    #[must_use]
    pub fn version_of(&self, node: NodeId) -> Option<Version> {
        self.remotes.get(&node)?.version()
    }

    /// The topics that we hold of a peer with their subscribers, in their order.
    pub fn topics_of(
        &self,
        node: NodeId,
    ) -> impl Iterator<Item = (&Topic, impl Iterator<Item = Subscriber>)> {
        self.remotes.get(&node).into_iter().flat_map(|remote| remote.topics().iter())
    }

    /// Chooses one subscriber for a message, but none of the excluded: uniformly over many ids,
    /// the same for the same id.
    #[must_use]
    pub fn choose(&self, topic: &Topic, id: MsgId, excluded: &[Instance]) -> Option<Candidate> {
        self.index.choose(topic, id, excluded)
    }

    /// Every place with a subscriber of the topic, and how many it has.
    #[must_use]
    pub fn spread(&self, topic: &Topic) -> &[(Place, u32)] {
        self.index.spread(topic)
    }

    /// The peers whose answer is overdue at `now` and must be fetched again.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<(NodeId, Fetch)> {
        let overdue = |(&node, remote): (&NodeId, &mut RemoteTopics)| {
            remote.handle_timeout(now).map(|fetch| (node, fetch))
        };
        self.remotes.iter_mut().filter_map(overdue).collect()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.remotes.values().filter_map(RemoteTopics::poll_timeout).min()
    }
}

fn remove_all(index: &mut Index, node: NodeId, topics: &TopicMap) {
    for (topic, subscribers) in topics.iter() {
        for subscriber in subscribers {
            index.remove(topic, Place::Node(node), subscriber.instance);
        }
    }
}
