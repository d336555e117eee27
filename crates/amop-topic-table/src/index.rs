//! All subscribers of a topic, wherever they are, and the choice among them.
//!
//! The choice is a rendezvous hash: every subscriber gets a score out of message id and instance,
//! and the highest wins. So every subscriber is equally likely, one id always falls on the same
//! subscriber, and when that one is excluded the others keep their order.

use std::collections::HashMap;

use amop_wire::{Gen, Instance, MsgId, NodeId, Subscriber, Topic};

use crate::topic_map::TopicMap;

/// Where a subscriber is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// At this node.
    Here,
    /// At another node.
    Node(NodeId),
}

/// A subscriber that a message can go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub instance: Instance,
    /// Which link of it.
    pub generation: Gen,
    /// Where that link leads.
    pub place: Place,
}

/// Every topic with all its subscribers.
#[derive(Debug, Default)]
pub(crate) struct Index {
    topics: HashMap<Topic, Subscribers>,
    /// Topics that lost their last subscriber since they were last taken.
    departed: Vec<Topic>,
}

/// The subscribers of one topic. Most topics have one, and it would be a waste to keep lists for it.
#[derive(Debug)]
enum Subscribers {
    One { instance: Instance, generation: Gen, spread: [(Place, u32); 1] },
    Many(Box<Many>),
}

/// The subscribers of one topic, each once: at the place of its highest generation.
#[derive(Debug, Default)]
struct Many {
    /// Sorted.
    instances: Vec<Instance>,
    /// A hash of the instance at the same position, so that instances that somebody picked score
    /// like random ones; a list of its own so that a choice reads memory in one sweep.
    hashes: Vec<u64>,
    /// Where the instance at the same position is.
    seats: Vec<(Gen, Place)>,
    /// Older links of instances that are seated elsewhere.
    shadowed: Vec<Candidate>,
    /// How many are seated at each place; few places, so a list.
    spread: Vec<(Place, u32)>,
}

impl Index {
    /// Adds a subscriber, or moves it to another generation at the same place.
    pub(crate) fn insert(&mut self, topic: &Topic, place: Place, subscriber: Subscriber) {
        let Subscriber { instance, generation } = subscriber;
        let candidate = Candidate { instance, generation, place };
        match self.topics.get_mut(topic) {
            Some(subscribers) => subscribers.insert(candidate),
            None => _ = self.topics.insert(topic.clone(), Subscribers::one(candidate)),
        }
    }

    /// Removes what `place` had said of a subscriber.
    pub(crate) fn remove(&mut self, topic: &Topic, place: Place, instance: Instance) {
        let Some(subscribers) = self.topics.get_mut(topic) else { return };
        if subscribers.remove(place, instance) {
            self.topics.remove(topic);
            self.departed.push(topic.clone());
        }
    }

    /// Takes the topics that lost their last subscriber since the last call.
    pub(crate) fn take_departed(&mut self) -> Vec<Topic> {
        std::mem::take(&mut self.departed)
    }

    /// Removes all that a node had announced.
    pub(crate) fn remove_all(&mut self, node: NodeId, topics: &TopicMap) {
        for (topic, subscribers) in topics.iter() {
            for subscriber in subscribers {
                self.remove(topic, Place::Node(node), subscriber.instance);
            }
        }
    }

    /// Chooses one subscriber for a message, but none of the excluded, and says how many there are.
    pub(crate) fn choose(
        &self,
        topic: &Topic,
        id: MsgId,
        excluded: &[Instance],
    ) -> Option<(Candidate, usize)> {
        match self.topics.get(topic)? {
            Subscribers::One { instance, .. } if excluded.contains(instance) => None,
            Subscribers::One { instance, generation, spread: [(place, _)] } => {
                let (instance, generation, place) = (*instance, *generation, *place);
                Some((Candidate { instance, generation, place }, 1))
            }
            Subscribers::Many(many) => Some((many.best(id, excluded)?, many.instances.len())),
        }
    }

    /// Where a subscriber of the topic is.
    pub(crate) fn find(&self, topic: &Topic, instance: Instance) -> Option<Candidate> {
        match self.topics.get(topic)? {
            Subscribers::One { instance: only, generation, spread: [(place, _)] } => {
                let (generation, place) = (*generation, *place);
                (*only == instance).then_some(Candidate { instance, generation, place })
            }
            Subscribers::Many(many) => {
                Some(many.candidate(many.instances.binary_search(&instance).ok()?))
            }
        }
    }

    /// All subscribers of the topic, each where it is.
    pub(crate) fn subscribers(&self, topic: &Topic) -> impl Iterator<Item = Candidate> {
        let (one, many) = match self.topics.get(topic) {
            None => (None, None),
            Some(Subscribers::One { instance, generation, spread: [(place, _)] }) => {
                let (instance, generation, place) = (*instance, *generation, *place);
                (Some(Candidate { instance, generation, place }), None)
            }
            Some(Subscribers::Many(many)) => (None, Some(many)),
        };
        let count = many.map_or(0, |many| many.instances.len());
        one.into_iter().chain((0..count).filter_map(move |at| Some(many?.candidate(at))))
    }

    /// Every place with a subscriber, and how many it has.
    pub(crate) fn spread(&self, topic: &Topic) -> &[(Place, u32)] {
        match self.topics.get(topic) {
            None => &[],
            Some(Subscribers::One { spread, .. }) => spread,
            Some(Subscribers::Many(many)) => &many.spread,
        }
    }
}

impl Subscribers {
    fn one(Candidate { instance, generation, place }: Candidate) -> Self {
        Self::One { instance, generation, spread: [(place, 1)] }
    }

    /// Adds a subscriber, or moves it to another generation at the same place.
    fn insert(&mut self, new: Candidate) {
        match self {
            Self::One { instance, spread: [(place, _)], .. }
                if (*instance, *place) == (new.instance, new.place) =>
            {
                *self = Self::one(new);
            }
            Self::One { instance, generation, spread: [(place, _)] } => {
                let old = Candidate { instance: *instance, generation: *generation, place: *place };
                let mut many = Box::<Many>::default();
                many.insert(old);
                many.insert(new);
                *self = Self::Many(many);
            }
            Self::Many(many) => {
                many.remove(new.place, new.instance);
                many.insert(new);
            }
        }
    }

    /// Removes what `place` had said of a subscriber; says whether nobody is left.
    fn remove(&mut self, place: Place, instance: Instance) -> bool {
        match self {
            Self::One { instance: only, spread: [(at, _)], .. } => {
                (*only, *at) == (instance, place)
            }
            Self::Many(many) => {
                many.remove(place, instance);
                many.instances.is_empty()
            }
        }
    }
}

impl Many {
    fn candidate(&self, position: usize) -> Candidate {
        let (generation, place) = self.seats[position];
        Candidate { instance: self.instances[position], generation, place }
    }

    /// The instance with the highest score.
    fn best(&self, id: MsgId, excluded: &[Instance]) -> Option<Candidate> {
        let score = score_for(id);
        let scored = self.hashes.iter().map(|&hash| score(hash)).enumerate();
        let best = if excluded.is_empty() {
            scored.max_by_key(|&(_, score)| score)
        } else {
            let allowed =
                |&(position, _): &(usize, u64)| !excluded.contains(&self.instances[position]);
            scored.filter(allowed).max_by_key(|&(_, score)| score)
        };
        best.map(|(position, _)| self.candidate(position))
    }

    fn insert(&mut self, new: Candidate) {
        match self.instances.binary_search(&new.instance) {
            Err(position) => {
                self.instances.insert(position, new.instance);
                self.hashes.insert(position, hash_of(new.instance));
                self.seats.insert(position, (new.generation, new.place));
                self.count(new.place);
            }
            Ok(position) if self.seats[position].0 < new.generation => {
                let seat = &mut self.seats[position];
                let (generation, place) = std::mem::replace(seat, (new.generation, new.place));
                self.shadowed.push(Candidate { instance: new.instance, generation, place });
                self.discount(place);
                self.count(new.place);
            }
            Ok(_) => self.shadowed.push(new),
        }
    }

    fn remove(&mut self, place: Place, instance: Instance) {
        self.shadowed.retain(|shadow| (shadow.place, shadow.instance) != (place, instance));
        let Ok(position) = self.instances.binary_search(&instance) else { return };
        if self.seats[position].1 != place {
            return;
        }
        self.instances.remove(position);
        self.hashes.remove(position);
        self.seats.remove(position);
        self.discount(place);
        let heirs = self.shadowed.iter().enumerate().filter(|(_, heir)| heir.instance == instance);
        if let Some((heir, _)) = heirs.max_by_key(|(_, heir)| heir.generation) {
            let heir = self.shadowed.swap_remove(heir);
            self.insert(heir);
        }
    }

    fn count(&mut self, place: Place) {
        match self.spread.iter_mut().find(|(at, _)| *at == place) {
            Some((_, count)) => *count += 1,
            None => self.spread.push((place, 1)),
        }
    }

    fn discount(&mut self, place: Place) {
        if let Some((_, count)) = self.spread.iter_mut().find(|(at, _)| *at == place) {
            *count -= 1;
        }
        self.spread.retain(|&(_, count)| count > 0);
    }
}

/// Chooses one of some subscribers for a message as [`TopicTable`](crate::TopicTable) does: uniformly over
/// many ids, the same for the same id as long as it is among them.
#[must_use]
pub fn choose_among(all: impl IntoIterator<Item = Instance>, id: MsgId) -> Option<Instance> {
    let score = score_for(id);
    all.into_iter().max_by_key(|&instance| score(hash_of(instance)))
}

/// Scores the hashes of instances for a message.
fn score_for(id: MsgId) -> impl Fn(u64) -> u64 {
    let left = mix(id.publisher.0, id.counter);
    // A product with an odd factor keeps different hashes apart; all their bits decide its upper ones.
    let factor = mix(left, id.counter) | 1;
    move |hash| (hash ^ left).wrapping_mul(factor)
}

fn hash_of(instance: Instance) -> u64 {
    mix(mix(instance.0, 1), 2)
}

/// Folds a 128-bit product: one multiplication, and every input bit moves many output bits.
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xd1b5_4a32_d192_ed03);
    #[expect(clippy::cast_possible_truncation, reason = "both halves of the product are wanted")]
    let folded = (product >> 64) as u64 ^ product as u64;
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn topic() -> Topic {
        "t".parse().unwrap()
    }

    fn id(counter: u64) -> MsgId {
        MsgId { publisher: Instance(0x5eed), counter }
    }

    fn subscriber(instance: u64, generation: u32) -> Subscriber {
        Subscriber { instance: Instance(instance), generation: Gen(generation) }
    }

    fn node(number: u8) -> Place {
        Place::Node(NodeId::from_bytes([number; 32]))
    }

    #[test]
    fn every_subscriber_gets_its_share_whichever_node_it_is_at() {
        let mut index = Index::default();
        index.insert(&topic(), Place::Here, subscriber(1, 1));
        for instance in 2..=10 {
            index.insert(&topic(), node(1), subscriber(instance, 1));
        }
        let mut counts = BTreeMap::<Instance, u32>::new();
        for counter in 0..100_000 {
            *counts
                .entry(index.choose(&topic(), id(counter), &[]).unwrap().0.instance)
                .or_default() += 1;
        }
        // Chi-square with 9 degrees of freedom: above 27.9 once in a thousand.
        let chi: f64 = counts.values().map(|&n| (f64::from(n) - 1e4).powi(2) / 1e4).sum();
        assert_eq!(counts.len(), 10);
        assert!(chi < 27.9, "{chi} {counts:?}");
    }

    #[test]
    fn one_id_keeps_its_subscriber_when_others_come_and_go() {
        let mut index = Index::default();
        for instance in 1..=20 {
            index.insert(&topic(), node(1), subscriber(instance, 1));
        }
        for counter in 0..200 {
            let chosen = index.choose(&topic(), id(counter), &[]).unwrap().0.instance;
            let next = index.choose(&topic(), id(counter), &[chosen]).unwrap().0.instance;
            assert_ne!(chosen, next);
            let other = (1..=20).map(Instance).find(|&i| i != chosen && i != next).unwrap();
            index.remove(&topic(), node(1), other);
            assert_eq!(index.choose(&topic(), id(counter), &[]).unwrap().0.instance, chosen);
            assert_eq!(index.choose(&topic(), id(counter), &[chosen]).unwrap().0.instance, next);
            index.insert(&topic(), node(1), Subscriber { instance: other, generation: Gen(1) });
        }
    }

    #[test]
    fn a_choice_among_some_is_that_of_the_table() {
        let mut index = Index::default();
        let all = (1..=20).map(Instance);
        for Instance(instance) in all.clone() {
            index.insert(&topic(), node(1), subscriber(instance, 1));
        }
        let found: Vec<_> = index.subscribers(&topic()).map(|one| one.instance).collect();
        assert_eq!(found, all.clone().collect::<Vec<_>>());
        for counter in 0..200 {
            let chosen = index.choose(&topic(), id(counter), &[]).map(|(one, _)| one.instance);
            assert_eq!(choose_among(all.clone(), id(counter)), chosen);
        }
        assert_eq!(choose_among([], id(1)), None);
    }

    #[test]
    fn an_instance_counts_once_at_its_latest_link_until_that_ends() {
        let mut index = Index::default();
        index.insert(&topic(), node(1), subscriber(1, 1));
        index.insert(&topic(), node(2), subscriber(1, 2));
        assert_eq!(index.spread(&topic()), [(node(2), 1)]);
        assert_eq!(index.choose(&topic(), id(0), &[]).unwrap().0.place, node(2));

        index.insert(&topic(), node(1), subscriber(1, 1));
        assert_eq!(index.spread(&topic()), [(node(2), 1)], "an older link changes nothing");

        index.remove(&topic(), node(2), Instance(1));
        assert_eq!(index.spread(&topic()), [(node(1), 1)]);
        index.remove(&topic(), node(1), Instance(1));
        assert!(index.topics.is_empty(), "nothing is kept of a topic without subscribers");
    }

    #[test]
    fn when_all_are_excluded_there_is_no_choice() {
        let mut index = Index::default();
        index.insert(&topic(), Place::Here, subscriber(1, 1));
        assert_eq!(index.choose(&topic(), id(0), &[Instance(1)]), None);
        assert_eq!(index.choose(&"other".parse().unwrap(), id(0), &[]), None);
    }
}
