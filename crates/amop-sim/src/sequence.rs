//! Whether subscribers get multicasts in order, and are told of every hole.
//!
//! What a publisher sent to a topic is known here from its calls alone, so that the numbers that
//! travel are checked and not believed.

use std::collections::BTreeMap;

use amop_core::client::Gap;
use amop_wire::{Instance, MsgId, Topic};

/// What was published to each topic, and what each subscriber got of it.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    /// In the order of the calls.
    published: BTreeMap<(Instance, Topic), Vec<MsgId>>,
    /// Of each subscriber: the index of the last that it got or was told to miss.
    last: BTreeMap<(Instance, Instance, Topic), usize>,
}

impl Sequences {
    pub(crate) fn published(&mut self, id: MsgId, topic: &Topic) {
        self.published.entry((id.publisher, topic.clone())).or_default().push(id);
    }

    /// A subscriber begins anew.
    pub(crate) fn unsubscribed(&mut self, subscriber: Instance, topic: &Topic) {
        self.last.retain(|(who, _, what), _| !(*who == subscriber && what == topic));
    }

    /// A subscriber handles a multicast. Answers what is wrong with that.
    pub(crate) fn handled(&mut self, by: Instance, id: MsgId, topic: &Topic) -> Option<String> {
        let published = self.published.get(&(id.publisher, topic.clone()))?;
        let index = published.iter().position(|other| *other == id)?;
        let last = self.last.insert((by, id.publisher, topic.clone()), index);
        let is_next = last.is_none_or(|last| index == last + 1);
        (!is_next).then(|| format!("{id}: handled by {by} as number {index} after {last:?}"))
    }

    /// A subscriber is told what it misses before this multicast. Answers what is wrong with that.
    pub(crate) fn missed(
        &mut self,
        by: Instance,
        id: MsgId,
        topic: &Topic,
        gap: Gap,
    ) -> Option<String> {
        let published = self.published.get(&(id.publisher, topic.clone()))?;
        let offset = |number: u64| usize::try_from(number).ok();
        // A topic begins with the counter of its first multicast.
        let first = offset(gap.first.checked_sub(published[0].counter)?)?;
        let last = self.last.get_mut(&(by, id.publisher, topic.clone()));
        let Some(last) = last.filter(|last| first == **last + 1 && gap.count > 0) else {
            return Some(format!("{id}: {by} is told of {gap:?}, which is no hole"));
        };
        *last += offset(gap.count)?;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(counter: u64) -> MsgId {
        MsgId { publisher: Instance(1), counter }
    }

    fn sequences() -> (Sequences, Topic) {
        let (mut sequences, topic) = (Sequences::default(), "t".parse::<Topic>().unwrap());
        [5, 6, 9, 10].into_iter().for_each(|counter| sequences.published(id(counter), &topic));
        (sequences, topic)
    }

    const BY: Instance = Instance(7);

    #[test]
    fn what_is_handled_in_order_with_its_gaps_is_right() {
        let (mut sequences, topic) = sequences();
        assert_eq!(sequences.handled(BY, id(5), &topic), None);
        let gap = Gap { first: 6, count: 2 };
        assert_eq!(sequences.missed(BY, id(10), &topic, gap), None);
        assert_eq!(sequences.handled(BY, id(10), &topic), None);
        sequences.unsubscribed(BY, &topic);
        assert_eq!(sequences.handled(BY, id(6), &topic), None, "anew");
    }

    #[test]
    fn a_silent_hole_a_wrong_gap_and_a_step_back_are_found() {
        let (mut sequences, topic) = sequences();
        sequences.handled(BY, id(6), &topic);
        let wrong = Gap { first: 6, count: 1 };
        assert!(sequences.missed(BY, id(10), &topic, wrong).is_some(), "it had that");
        assert!(sequences.handled(BY, id(10), &topic).is_some(), "without a word");
        assert!(sequences.handled(BY, id(9), &topic).is_some(), "back");
    }
}
