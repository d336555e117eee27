//! What an announcement says, in 32 bytes that are cheap to keep up.
//!
//! The topics fall into 256 buckets. Each bucket has a hash of its topics and their subscribers, and
//! the digest is a hash of the neighbours and those hashes: a change costs its bucket anew, and one
//! hash of at most 256 others. Numbers are big-endian, lengths stand before what they measure:
//!
//! ```text
//! bucket of a topic   first byte of SHA-256(topic)
//! entry of a topic    length u16 │ topic │ subscribers u32 │ (instance u64 │ generation u32) ...
//! hash of a bucket    SHA-256(its entries, by topic; subscribers by instance)
//! digest              SHA-256("AMOP-ANNOUNCEMENT-SET/v1" 0 │ neighbours u32 │ their ids ... │
//!                             (bucket u8 │ its hash) ...)
//! ```
//!
//! Neighbours stand in the order in which they are announced, buckets in that of their numbers; an
//! empty bucket is left out. A topic without subscribers counts as not there.

use std::collections::{BTreeMap, BTreeSet};

use amop_wire::{NodeId, SetDigest, Subscriber, Topic};
use sha2::{Digest as _, Sha256};

use crate::crowd::Crowd;
use crate::topic_map::{TableFull, TopicMap};

/// The digest that the head of an announcement must name.
///
/// # Errors
///
/// [`TableFull`] if no node may announce so much.
pub fn set_digest(
    neighbours: &[NodeId],
    topics: &[(Topic, Vec<Subscriber>)],
) -> Result<SetDigest, TableFull> {
    Ok(TopicMap::from_entries(topics)?.digest(neighbours))
}

/// Topics with their subscribers; no topic without one.
pub(crate) type Topics = BTreeMap<Topic, Crowd>;

/// The topics of a node by bucket, with the hashes of those buckets that have not changed.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    /// One set for all buckets, since most nodes have less topics than buckets.
    topics: BTreeSet<Bucketed>,
    /// Of every bucket with a topic.
    hashes: BTreeMap<u8, Option<Hash>>,
}

/// A topic in its bucket; or without one what comes before all topics of the bucket.
type Bucketed = (u8, Option<Topic>);

type Hash = [u8; 32];

impl Buckets {
    /// A topic came, or its subscribers changed.
    pub(crate) fn changed(&mut self, topic: &Topic) {
        let bucket = bucket_of(topic);
        self.topics.insert((bucket, Some(topic.clone())));
        self.hashes.insert(bucket, None);
    }

    /// A topic has no subscribers any more.
    pub(crate) fn removed(&mut self, topic: &Topic) {
        let bucket = bucket_of(topic);
        self.topics.remove(&(bucket, Some(topic.clone())));
        if of_bucket(&self.topics, bucket).next().is_none() {
            self.hashes.remove(&bucket);
        } else {
            self.hashes.insert(bucket, None);
        }
    }

    /// The digest of these topics, which are the ones that it was told of, with these neighbours.
    pub(crate) fn digest(&mut self, neighbours: &[NodeId], topics: &Topics) -> SetDigest {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(count(neighbours.len()));
        neighbours.iter().for_each(|neighbour| hash.update(neighbour.as_bytes()));
        for (&bucket, of) in &mut self.hashes {
            let of = of.get_or_insert_with(|| hash_of(of_bucket(&self.topics, bucket), topics));
            hash.update([bucket]);
            hash.update(of);
        }
        SetDigest::from_bytes(hash.finalize().into())
    }
}

/// The topics of one bucket, in their order.
fn of_bucket(topics: &BTreeSet<Bucketed>, bucket: u8) -> impl Iterator<Item = &Topic> {
    let from = topics.range((bucket, None)..).take_while(move |(of, _)| *of == bucket);
    from.filter_map(|(_, topic)| topic.as_ref())
}

fn hash_of<'a>(of_bucket: impl Iterator<Item = &'a Topic>, topics: &'a Topics) -> Hash {
    let mut hash = Sha256::new();
    for (topic, subscribers) in of_bucket.filter_map(|topic| topics.get_key_value(topic)) {
        let bytes = u16::try_from(topic.len()).expect("a topic is at most 255 bytes long");
        hash.update(bytes.to_be_bytes());
        hash.update(topic.as_bytes());
        hash.update(count(subscribers.len()));
        for Subscriber { instance, generation } in subscribers.iter() {
            hash.update(instance.0.to_be_bytes());
            hash.update(generation.0.to_be_bytes());
        }
    }
    hash.finalize().into()
}

fn bucket_of(topic: &Topic) -> u8 {
    Sha256::digest(topic.as_bytes())[0]
}

fn count(count: usize) -> [u8; 4] {
    u32::try_from(count).expect("no announcement has so many").to_be_bytes()
}

const DOMAIN: &[u8] = b"AMOP-ANNOUNCEMENT-SET/v1\0";

#[cfg(test)]
mod tests {
    use amop_wire::{Gen, Instance};
    use proptest::prelude::*;

    use super::*;

    fn topic(text: &str) -> Topic {
        text.parse().unwrap()
    }

    fn subscriber(instance: u64, generation: u32) -> Subscriber {
        Subscriber { instance: Instance(instance), generation: Gen(generation) }
    }

    fn digest(neighbours: &[NodeId], topics: &[(&str, &[Subscriber])]) -> SetDigest {
        let entries: Vec<_> = topics.iter().map(|(text, of)| (topic(text), of.to_vec())).collect();
        set_digest(neighbours, &entries).unwrap()
    }

    fn sha256(parts: &[&[u8]]) -> Hash {
        Sha256::digest(parts.concat()).into()
    }

    /// SEQ-11: written down once more, from the rule.
    #[test]
    fn the_digest_is_made_of_the_bytes_that_the_rule_names() {
        let (neighbour, domain) = (NodeId::from_bytes([7; 32]), b"AMOP-ANNOUNCEMENT-SET/v1\0");
        assert_eq!(digest(&[], &[]).as_bytes(), &sha256(&[domain, &[0; 4]]));

        let alone = sha256(&[
            &[0, 5],
            b"quote",
            &[0, 0, 0, 2],
            &[0, 0, 0, 0, 0, 0, 0, 1],
            &[0, 0, 0, 9],
            &[0, 0, 0, 0, 0, 0, 0, 2],
            &[0, 0, 0, 8],
        ]);
        let bucket = sha256(&[b"quote"])[0];
        let expected = sha256(&[domain, &[0, 0, 0, 1], neighbour.as_bytes(), &[bucket], &alone]);
        let quote: (&str, &[Subscriber]) = ("quote", &[subscriber(2, 8), subscriber(1, 9)]);
        assert_eq!(digest(&[neighbour], &[quote]).as_bytes(), &expected);
    }

    #[test]
    fn two_sets_that_differ_anywhere_have_two_digests() {
        let [a, b] = [1, 2].map(|byte| NodeId::from_bytes([byte; 32]));
        let one: &[Subscriber] = &[subscriber(1, 1)];
        let sets = [
            digest(&[], &[]),
            digest(&[a], &[]),
            digest(&[b], &[]),
            digest(&[a, b], &[]),
            digest(&[b, a], &[]),
            digest(&[], &[("t", one)]),
            digest(&[a], &[("t", one)]),
            digest(&[], &[("u", one)]),
            digest(&[], &[("tu", one)]),
            digest(&[], &[("t", one), ("u", one)]),
            digest(&[], &[("t", &[subscriber(2, 1)])]),
            digest(&[], &[("t", &[subscriber(1, 2)])]),
            digest(&[], &[("t", &[subscriber(1, 1), subscriber(2, 1)])]),
        ];
        let different: BTreeSet<SetDigest> = sets.into_iter().collect();
        assert_eq!(different.len(), sets.len());
    }

    proptest! {
        /// However a set came about, its digest is that of the same set made at once.
        #[test]
        fn the_digest_depends_on_the_set_alone_and_not_on_how_it_came_about(
            steps in prop::collection::vec((0_u16..400, 0_u64..3, 1_u32..4, any::<bool>(), any::<bool>()), 1..200),
        ) {
            let mut map = TopicMap::default();
            for (number, instance, generation, leave, look) in steps {
                let topic = topic(&format!("t{number}"));
                if leave {
                    map.remove(&topic, Instance(instance));
                } else {
                    map.insert(&topic, subscriber(instance, generation)).unwrap();
                }
                if look {
                    map.digest(&[]);
                }
            }
            let at_once = set_digest(&[], &map.to_entries()).unwrap();
            prop_assert_eq!(map.digest(&[]), at_once);
        }
    }
}
