//! Changes that were applied and may turn out to be lies: they can be taken back.

use amop_wire::{Gen, Subscriber, TopicChange};

use crate::topic_map::{TableFull, TopicMap};

/// Those of some changes that changed anything, each with what was there before.
#[derive(Debug)]
pub(crate) struct Patch<'a> {
    steps: Vec<(&'a TopicChange, Option<Gen>)>,
}

impl<'a> Patch<'a> {
    /// Applies changes in their order.
    ///
    /// # Errors
    ///
    /// [`TableFull`] if they make more of the topics than a node may announce; all is as before.
    pub(crate) fn apply(
        topics: &mut TopicMap,
        changes: &'a [TopicChange],
    ) -> Result<Self, TableFull> {
        let mut patch = Self { steps: Vec::new() };
        for change in changes {
            let before = topics.generation(&change.topic, change.subscriber.instance);
            let applied = if change.removed {
                Ok(topics.remove(&change.topic, change.subscriber.instance).is_some())
            } else {
                topics.insert(&change.topic, change.subscriber)
            };
            match applied {
                Ok(true) => patch.steps.push((change, before)),
                Ok(false) => {}
                Err(full) => {
                    patch.revert(topics);
                    return Err(full);
                }
            }
        }
        Ok(patch)
    }

    /// Makes the topics what they were before.
    pub(crate) fn revert(self, topics: &mut TopicMap) {
        for (TopicChange { topic, subscriber, .. }, before) in self.steps.into_iter().rev() {
            topics.remove(topic, subscriber.instance);
            if let Some(generation) = before {
                let instance = subscriber.instance;
                topics
                    .insert(topic, Subscriber { instance, generation })
                    .expect("there was room for it before");
            }
        }
    }

    /// The changes that changed anything, in their order.
    pub(crate) fn effective(&self) -> impl Iterator<Item = &'a TopicChange> {
        self.steps.iter().map(|(change, _)| *change)
    }
}

#[cfg(test)]
mod tests {
    use amop_wire::Instance;
    use amop_wire::limits::TOPICS_PER_NODE_MAX;
    use proptest::prelude::*;

    use super::*;

    fn change(topic: u32, instance: u64, generation: u32, removed: bool) -> TopicChange {
        TopicChange {
            topic: format!("t{topic}").parse().unwrap(),
            subscriber: Subscriber { instance: Instance(instance), generation: Gen(generation) },
            removed,
        }
    }

    proptest! {
        #[test]
        fn what_was_taken_back_never_was(
            before in prop::collection::vec((0_u32..5, 0_u64..3, 1_u32..4, any::<bool>()), 0..20),
            changes in prop::collection::vec((0_u32..5, 0_u64..3, 1_u32..4, any::<bool>()), 0..20),
        ) {
            let all = |of: Vec<(u32, u64, u32, bool)>| -> Vec<TopicChange> {
                of.into_iter().map(|(t, i, g, removed)| change(t, i, g, removed)).collect()
            };
            let (mut topics, changes) = (TopicMap::default(), all(changes));
            Patch::apply(&mut topics, &all(before)).unwrap();
            let (entries, digest) = (topics.to_entries(), topics.digest(&[]));
            let patch = Patch::apply(&mut topics, &changes).unwrap();
            topics.digest(&[]);
            patch.revert(&mut topics);
            prop_assert_eq!(topics.to_entries(), entries);
            prop_assert_eq!(topics.digest(&[]), digest);
        }
    }

    #[test]
    fn changes_past_the_limit_leave_nothing_behind() {
        let mut topics = TopicMap::default();
        topics.insert(&"kept".parse().unwrap(), change(0, 1, 1, false).subscriber).unwrap();
        let before = (topics.to_entries(), topics.digest(&[]));
        let limit = u32::try_from(TOPICS_PER_NODE_MAX).unwrap();
        let changes: Vec<_> = (0..=limit).map(|n| change(n, 1, 1, false)).collect();
        assert!(Patch::apply(&mut topics, &changes).is_err());
        assert_eq!((topics.to_entries(), topics.digest(&[])), before);
    }
}
