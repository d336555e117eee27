//! The subscribers of one topic at one node.
//!
//! Most topics have one subscriber at a node, and every node of a network holds those of all others.
//! So one costs no more than its place in the map of topics; a map of their own is for many.

use std::collections::BTreeMap;

use amop_wire::{Gen, Instance, Subscriber};

/// Who subscribes to a topic, perhaps nobody any more.
#[derive(Debug)]
pub(crate) enum Crowd {
    One(Instance, Gen),
    #[expect(clippy::box_collection, reason = "a map is twice as large as one subscriber")]
    Many(Box<BTreeMap<Instance, Gen>>),
}

impl Crowd {
    pub(crate) fn of(Subscriber { instance, generation }: Subscriber) -> Self {
        Self::One(instance, generation)
    }

    /// Adds a subscriber or moves it to another generation.
    pub(crate) fn insert(&mut self, Subscriber { instance, generation }: Subscriber) {
        match self {
            Self::One(only, held) if *only == instance => *held = generation,
            Self::One(only, held) => {
                let both = BTreeMap::from([(*only, *held), (instance, generation)]);
                *self = Self::Many(Box::new(both));
            }
            Self::Many(many) => _ = many.insert(instance, generation),
        }
    }

    /// Removes a subscriber; says which generation it had, if it was there.
    pub(crate) fn remove(&mut self, instance: Instance) -> Option<Gen> {
        match self {
            Self::One(only, held) => {
                let held = (*only == instance).then_some(*held)?;
                *self = Self::Many(Box::default());
                Some(held)
            }
            Self::Many(many) => {
                let held = many.remove(&instance)?;
                if let (1, Some((&only, &of_only))) = (many.len(), many.first_key_value()) {
                    *self = Self::One(only, of_only);
                }
                Some(held)
            }
        }
    }

    pub(crate) fn generation(&self, instance: Instance) -> Option<Gen> {
        match self {
            Self::One(only, held) => (*only == instance).then_some(*held),
            Self::Many(many) => many.get(&instance).copied(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::One(..) => 1,
            Self::Many(many) => many.len(),
        }
    }

    /// The subscribers in the order of their instances.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Subscriber> {
        let (one, many) = match self {
            Self::One(only, held) => (Some((only, held)), None),
            Self::Many(many) => (None, Some(many.iter())),
        };
        let all = one.into_iter().chain(many.into_iter().flatten());
        all.map(|(&instance, &generation)| Subscriber { instance, generation })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_crowd_is_a_map_from_instances_to_generations(
            first: (u64, u32),
            steps in prop::collection::vec((0_u64..4, 1_u32..4, any::<bool>()), 0..30),
        ) {
            let subscriber = |(instance, generation)| {
                Subscriber { instance: Instance(instance), generation: Gen(generation) }
            };
            let mut crowd = Crowd::of(subscriber(first));
            let mut twin = BTreeMap::from([(Instance(first.0), Gen(first.1))]);
            for (instance, generation, leave) in steps {
                if leave {
                    let instance = Instance(instance);
                    prop_assert_eq!(crowd.remove(instance), twin.remove(&instance));
                } else {
                    crowd.insert(subscriber((instance, generation)));
                    twin.insert(Instance(instance), Gen(generation));
                }
                let all: Vec<_> = crowd.iter().map(|one| (one.instance, one.generation)).collect();
                prop_assert_eq!(crowd.len(), all.len());
                prop_assert_eq!(crowd.generation(Instance(0)), twin.get(&Instance(0)).copied());
                prop_assert_eq!(all, twin.clone().into_iter().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn one_subscriber_takes_16_bytes() {
        assert_eq!(size_of::<Crowd>(), 16);
    }
}
