//! Things numbered in the order in which they begin, and that end in nearly the same order.
//!
//! Numbers that follow each other without a hole are found without a search. What has ended leaves
//! a gap until all before it have ended too, or until gaps are the most of it.

use std::collections::VecDeque;

/// A map whose keys only grow.
#[derive(Debug)]
pub(crate) struct ByCounter<T> {
    /// In the order of their numbers; the first is never a gap.
    slots: VecDeque<(u64, Option<T>)>,
    len: usize,
}

impl<T> Default for ByCounter<T> {
    fn default() -> Self {
        Self { slots: VecDeque::new(), len: 0 }
    }
}

impl<T> ByCounter<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds what has a greater number than all that were here, or takes the place of what had the last one.
    pub(crate) fn push(&mut self, counter: u64, value: T) {
        if self.slots.len() > 2 * self.len + GAPS_MIN {
            self.slots.retain(|(_, value)| value.is_some());
        }
        if self.slots.back().is_none_or(|&(last, _)| last != counter) {
            let is_greater = self.slots.back().is_none_or(|&(last, _)| last < counter);
            debug_assert!(is_greater, "numbers grow");
            self.slots.push_back((counter, None));
        }
        // Large values would be moved twice on their way into a slot that is made for them.
        if let Some((_, slot)) = self.slots.back_mut()
            && slot.replace(value).is_none()
        {
            self.len += 1;
        }
    }

    /// The same, wherever it stands among the others.
    pub(crate) fn insert(&mut self, counter: u64, value: T) {
        let position = self.slots.partition_point(|&(at, _)| at < counter);
        if position == self.slots.len() {
            return self.push(counter, value);
        }
        if self.slots[position].0 != counter {
            self.slots.insert(position, (counter, None));
        }
        if self.slots[position].1.replace(value).is_none() {
            self.len += 1;
        }
    }

    pub(crate) fn get(&self, counter: u64) -> Option<&T> {
        self.slots[self.find(counter)?].1.as_ref()
    }

    pub(crate) fn get_mut(&mut self, counter: u64) -> Option<&mut T> {
        let position = self.find(counter)?;
        self.slots[position].1.as_mut()
    }

    pub(crate) fn remove(&mut self, counter: u64) -> Option<T> {
        let position = self.find(counter)?;
        let value = self.slots[position].1.take()?;
        self.close_gaps();
        Some(value)
    }

    /// Removes after a last look, for large values: it is dropped where it is, since moving it out costs
    /// more than all else here.
    pub(crate) fn end<R>(&mut self, counter: u64, last: impl FnOnce(&mut T) -> R) -> Option<R> {
        let position = self.find(counter)?;
        let slot = &mut self.slots[position].1;
        let result = last(slot.as_mut()?);
        *slot = None;
        self.close_gaps();
        Some(result)
    }

    /// One has become a gap.
    fn close_gaps(&mut self) {
        self.len -= 1;
        let gaps = self.slots.iter().take_while(|(_, value)| value.is_none()).count();
        self.slots.drain(..gaps);
    }

    /// All that is here, in the order of the numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.slots.iter().filter_map(|(counter, value)| Some((*counter, value.as_ref()?)))
    }

    /// The same, to change them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.slots.iter_mut().filter_map(|(counter, value)| Some((*counter, value.as_mut()?)))
    }

    fn find(&self, counter: u64) -> Option<usize> {
        let &(first, _) = self.slots.front()?;
        let guess = usize::try_from(counter.checked_sub(first)?).unwrap_or(usize::MAX);
        match self.slots.get(guess) {
            Some(&(found, _)) if found == counter => Some(guess),
            None if self.slots.back().is_some_and(|&(last, _)| last < counter) => None,
            // With holes between the numbers it stands further in front.
            Some(_) | None => self.slots.binary_search_by_key(&counter, |&(at, _)| at).ok(),
        }
    }
}

/// So many gaps are never worth a clean-up.
const GAPS_MIN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn what_has_ended_takes_no_room_even_behind_one_that_does_not_end() {
        let mut things = ByCounter::default();
        things.push(0, ());
        for counter in 1..10_000 {
            things.push(counter, ());
            assert!(things.end(counter, |_| ()).is_some());
        }
        assert_eq!(things.len(), 1);
        assert!(things.slots.len() <= 2 + GAPS_MIN + 1, "{} slots", things.slots.len());
    }

    #[test]
    fn the_last_number_may_be_given_once_more() {
        let mut things = ByCounter::default();
        things.push(1, "open");
        things.push(2, "first");
        assert_eq!(things.remove(2), Some("first"));
        things.push(2, "second");
        assert_eq!((things.len(), things.get(2)), (2, Some(&"second")));
        things.push(2, "third");
        assert_eq!((things.len(), things.remove(2)), (2, Some("third")));
    }

    proptest! {
        #[test]
        fn it_behaves_like_a_map(steps in prop::collection::vec((1_u64..4, 0_u64..40), 1..200)) {
            let (mut things, mut twin) = (ByCounter::default(), BTreeMap::new());
            let mut last = 0;
            for (hole, back) in steps {
                last += hole;
                things.push(last, last);
                twin.insert(last, last);
                let other = last.saturating_sub(back);
                prop_assert_eq!(things.get(other), twin.get(&other));
                prop_assert_eq!(things.get_mut(other), twin.get_mut(&other));
                if other % 2 == 0 {
                    prop_assert_eq!(things.remove(other), twin.remove(&other));
                } else {
                    prop_assert_eq!(things.end(other, |value| *value), twin.remove(&other));
                }
                prop_assert_eq!(things.remove(other), None);
                prop_assert_eq!(things.end(other, |value| *value), None);
                if back % 3 == 0 {
                    things.insert(other, back);
                    twin.insert(other, back);
                }
                prop_assert_eq!(things.len(), twin.len());
                prop_assert!(things.iter().eq(twin.iter().map(|(&counter, value)| (counter, value))));
            }
        }
    }
}
