//! The topics of one node with their subscribers, within the limits of what a node may announce.

use amop_wire::limits::{TOPIC_SET_BYTES_MAX, TOPICS_PER_NODE_MAX};
use amop_wire::{Gen, Instance, NodeId, SetDigest, Subscriber, Topic};

use crate::crowd::Crowd;
use crate::digest::{Buckets, Topics};

/// Topics with their subscribers; no topic without one.
#[derive(Debug, Default)]
pub(crate) struct TopicMap {
    topics: Topics,
    buckets: Buckets,
    /// At least as many bytes as a snapshot of this takes.
    encoded_bytes: usize,
}

/// A node has as many topics or subscribers as it may announce. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the node's topics are over the limit of {TOPICS_PER_NODE_MAX} topics or \
     {TOPIC_SET_BYTES_MAX} bytes"
)]
pub struct TableFull;

impl TopicMap {
    /// All that is announced.
    pub(crate) fn from_entries(entries: &[(Topic, Vec<Subscriber>)]) -> Result<Self, TableFull> {
        let mut topics = Self::default();
        for (topic, subscribers) in entries {
            for &subscriber in subscribers {
                topics.insert(topic, subscriber)?;
            }
        }
        Ok(topics)
    }

    /// Adds a subscriber or moves it to a later generation; says whether anything changed.
    pub(crate) fn insert(
        &mut self,
        topic: &Topic,
        subscriber: Subscriber,
    ) -> Result<bool, TableFull> {
        if let Some(subscribers) = self.topics.get_mut(topic) {
            if let Some(generation) = subscribers.generation(subscriber.instance) {
                let changed = generation < subscriber.generation;
                if changed {
                    subscribers.insert(subscriber);
                    self.buckets.changed(topic);
                }
                return Ok(changed);
            }
            if self.encoded_bytes + SUBSCRIBER_BYTES > TOPIC_SET_BYTES_MAX {
                return Err(TableFull);
            }
            self.encoded_bytes += SUBSCRIBER_BYTES;
            subscribers.insert(subscriber);
            self.buckets.changed(topic);
            return Ok(true);
        }
        let bytes = TOPIC_BYTES + topic.len() + SUBSCRIBER_BYTES;
        let full = self.topics.len() >= TOPICS_PER_NODE_MAX;
        if full || self.encoded_bytes + bytes > TOPIC_SET_BYTES_MAX {
            return Err(TableFull);
        }
        self.encoded_bytes += bytes;
        self.topics.insert(topic.clone(), Crowd::of(subscriber));
        self.buckets.changed(topic);
        Ok(true)
    }

    /// Removes a subscriber; says which generation it had, if it was there.
    pub(crate) fn remove(&mut self, topic: &Topic, instance: Instance) -> Option<Gen> {
        let subscribers = self.topics.get_mut(topic)?;
        let generation = subscribers.remove(instance)?;
        self.encoded_bytes -= SUBSCRIBER_BYTES;
        if subscribers.len() == 0 {
            self.topics.remove(topic);
            self.encoded_bytes -= TOPIC_BYTES + topic.len();
            self.buckets.removed(topic);
        } else {
            self.buckets.changed(topic);
        }
        Some(generation)
    }

    /// How many topics have a subscriber.
    pub(crate) fn len(&self) -> usize {
        self.topics.len()
    }

    /// Whether a topic has a subscriber.
    pub(crate) fn contains(&self, topic: &Topic) -> bool {
        self.topics.contains_key(topic)
    }

    /// Which link of a subscriber is known.
    pub(crate) fn generation(&self, topic: &Topic, instance: Instance) -> Option<Gen> {
        self.topics.get(topic)?.generation(instance)
    }

    /// What this is together with these neighbours.
    pub(crate) fn digest(&mut self, neighbours: &[NodeId]) -> SetDigest {
        self.buckets.digest(neighbours, &self.topics)
    }

    /// Every topic with its subscribers, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Topic, impl Iterator<Item = Subscriber>)> {
        self.topics.iter().map(|(topic, subscribers)| (topic, subscribers.iter()))
    }

    /// Every topic with its subscribers, as they are announced.
    pub(crate) fn to_entries(&self) -> Vec<(Topic, Vec<Subscriber>)> {
        self.iter().map(|(topic, subscribers)| (topic.clone(), subscribers.collect())).collect()
    }

    /// The subscribers of one topic, in their order.
    pub(crate) fn subscribers(&self, topic: &Topic) -> impl Iterator<Item = Subscriber> {
        self.topics.get(topic).into_iter().flat_map(Crowd::iter)
    }
}

/// What a topic costs in a snapshot beside its text: two tags and two lengths.
const TOPIC_BYTES: usize = 1 + 4 + 1 + 2;

/// What a subscriber costs in a snapshot: tag, length, instance, generation.
const SUBSCRIBER_BYTES: usize = 2 + 9 + 5;

#[cfg(test)]
mod tests {
    use super::*;
    use amop_wire::limits::NODES_MAX;
    use amop_wire::{Announcement, Version};

    use crate::signing;

    /// All of it, of a node with as many neighbours as it may have.
    fn announcement(map: &mut TopicMap) -> Announcement {
        let neighbours = vec![NodeId::from_bytes([7; 32]); NODES_MAX];
        signing::announcement(Version::default(), neighbours, map.to_entries())
    }

    fn subscriber(instance: u64) -> Subscriber {
        Subscriber { instance: Instance(instance), generation: Gen(1) }
    }

    #[test]
    fn the_last_topic_within_the_limit_is_taken_and_one_more_is_not() {
        let mut map = TopicMap::default();
        let mut fits = 0;
        let full = (0..=TOPICS_PER_NODE_MAX as u64).find_map(|n| {
            let topic = format!("t{n}").parse().unwrap();
            map.insert(&topic, subscriber(1)).map(|_| fits += 1).err()
        });
        assert_eq!(full, Some(TableFull));
        assert!(announcement(&mut map).fits());
        assert!(fits > TOPICS_PER_NODE_MAX / 2, "{fits}");

        map.remove(&"t0".parse().unwrap(), Instance(1)).expect("it was taken");
        assert_eq!(map.insert(&"t0".parse().unwrap(), subscriber(1)), Ok(true), "there is room");
    }

    #[test]
    fn the_last_subscriber_within_the_limit_is_taken_and_one_more_is_not() {
        let topic: Topic = "t".parse().unwrap();
        let mut map = TopicMap::default();
        let full = (0..).find_map(|n| map.insert(&topic, subscriber(n)).err().map(|_| n));
        let last = full.expect("it fills up") - 1;
        assert_eq!(map.insert(&topic, subscriber(last)), Ok(false), "it is there already");
        assert!(announcement(&mut map).fits());
    }
}
