//! What people who look at a node are shown of its table. Read on demand: nothing is kept for it.

use std::collections::BTreeMap;

use amop_wire::{Name, NodeId, Topic};

use crate::remote::Remote;
use crate::table::TopicTable;

/// Another node, as far as its announcement is known.
#[derive(Debug)]
pub struct KnownNode<'a> {
    /// Its id.
    pub id: NodeId,
    /// Its certified name, once it has announced itself.
    pub name: Option<&'a Name>,
    /// The nodes that it says to be linked with.
    pub neighbours: &'a [NodeId],
    /// The path to it, with both ends: none leads there if it is `None`.
    pub path: Option<&'a [NodeId]>,
    /// How many topics count there.
    pub topics: usize,
}

/// How many subscribers a topic has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subscribed {
    /// At this node.
    pub here: usize,
    /// At all others that can be reached.
    pub elsewhere: usize,
}

impl TopicTable {
    /// All other nodes that have announced themselves or were told of, by their ids.
    pub fn known_nodes(&self) -> impl Iterator<Item = KnownNode<'_>> {
        self.remotes.iter().map(|(&id, remote)| KnownNode {
            id,
            name: remote.name(),
            neighbours: remote.neighbours(),
            path: self.graph.path(id),
            topics: self.counting_of(remote).count(),
        })
    }

    /// All topics that count here, with their subscribers counted. Takes time with their number.
    #[must_use]
    pub fn subscribed_topics(&self) -> BTreeMap<&Topic, Subscribed> {
        let mut topics: BTreeMap<&Topic, Subscribed> = BTreeMap::new();
        for (topic, subscribers) in self.own.topics().iter() {
            topics.entry(topic).or_default().here += subscribers.count();
        }
        for (topic, count) in self.remotes.values().flat_map(|remote| self.counting_of(remote)) {
            topics.entry(topic).or_default().elsewhere += count;
        }
        topics
    }

    /// The topics that count at another node, with how many subscribers each has.
    fn counting_of<'a>(&'a self, remote: &'a Remote) -> impl Iterator<Item = (&'a Topic, usize)> {
        let topics = remote.is_indexed.then(|| remote.topics().iter());
        let all = topics.into_iter().flatten();
        all.filter(|(topic, _)| self.is_believed(remote, topic))
            .map(|(topic, subscribers)| (topic, subscribers.count()))
    }

    /// How many topics have a subscriber at this node.
    #[must_use]
    pub fn own_topic_count(&self) -> usize {
        self.own.topics().len()
    }
}
