//! What people who look at a node are shown of its table. Read on demand: nothing is kept for it.

use std::collections::BTreeMap;

use amop_wire::{Name, NodeId, Topic};

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
            topics: if remote.is_indexed { remote.topics().len() } else { 0 },
        })
    }

    /// All topics that count here, with their subscribers counted. Takes time with their number.
    #[must_use]
    pub fn subscribed_topics(&self) -> BTreeMap<&Topic, Subscribed> {
        let mut topics: BTreeMap<&Topic, Subscribed> = BTreeMap::new();
        for (topic, subscribers) in self.own.topics().iter() {
            topics.entry(topic).or_default().here += subscribers.count();
        }
        for remote in self.remotes.values().filter(|remote| remote.is_indexed) {
            for (topic, subscribers) in remote.topics().iter() {
                topics.entry(topic).or_default().elsewhere += subscribers.count();
            }
        }
        topics
    }

    /// How many topics have a subscriber at this node.
    #[must_use]
    pub fn own_topic_count(&self) -> usize {
        self.own.topics().len()
    }
}
