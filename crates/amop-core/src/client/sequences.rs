//! Numbers the multicasts of a client to each topic, one after another.
//!
//! A topic begins with the counter of the publish, which is greater than any number given out so
//! far. So the numbers of a topic grow even if it was forgotten in between: its subscribers then
//! see a gap that is none, instead of messages that seem old.

use std::collections::BTreeMap;

use amop_wire::Topic;

/// The numbers given out last.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    last: BTreeMap<Topic, u64>,
}

impl Sequences {
    /// The number of the multicast with this counter.
    pub(super) fn next(&mut self, topic: &Topic, counter: u64) -> u64 {
        if let Some(last) = self.last.get_mut(topic) {
            *last += 1;
            return *last;
        }
        if self.last.len() >= TOPICS_MAX {
            self.last.clear();
        }
        self.last.insert(topic.clone(), counter);
        counter
    }
}

/// Most topics that are remembered: some 1 MiB.
const TOPICS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(number: usize) -> Topic {
        format!("t{number}").parse().unwrap()
    }

    #[test]
    fn each_topic_has_numbers_of_its_own_without_a_hole() {
        let mut sequences = Sequences::default();
        let numbers = [(0, 5), (1, 6), (0, 9), (0, 20), (1, 21)];
        let given = numbers.map(|(n, counter)| sequences.next(&topic(n), counter));
        assert_eq!(given, [5, 6, 6, 7, 7]);
    }

    #[test]
    fn numbers_grow_even_if_a_topic_was_forgotten() {
        let mut sequences = Sequences::default();
        let mut counter = 0;
        let mut next = |n| {
            counter += 1;
            sequences.next(&topic(n), counter)
        };
        let before = (0..3).map(|_| next(0)).last();
        (1..=TOPICS_MAX).for_each(|n| _ = next(n));
        assert!(Some(next(0)) > before);
        assert!(sequences.last.len() <= TOPICS_MAX);
    }
}
