//! Topics that lost their last subscriber a moment ago: another may be on its way.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use amop_wire::{Instant, Topic};

/// Topics that had a subscriber within the last half a minute.
#[derive(Debug, Default)]
pub(crate) struct Missed {
    since: HashMap<Topic, Instant>,
    /// The same with those that were missed again later, in the order of time.
    order: VecDeque<(Instant, Topic)>,
}

impl Missed {
    /// Notes a topic; of more than so many the first are forgotten.
    pub(crate) fn note(&mut self, now: Instant, topic: Topic, topics_max: usize) {
        self.since.insert(topic.clone(), now);
        self.order.push_back((now, topic));
        while let Some((at, _)) = self.order.front()
            && (*at + REMEMBERED <= now || self.order.len() > topics_max)
            && let Some((at, topic)) = self.order.pop_front()
        {
            if self.since.get(&topic) == Some(&at) {
                self.since.remove(&topic);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn contains(&self, now: Instant, topic: &Topic) -> bool {
        self.since.get(topic).is_some_and(|&at| now < at + REMEMBERED)
    }
}

/// How long after the last subscriber left a message may wait for another.
const REMEMBERED: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use amop_wire::limits::TOPICS_PER_NODE_MAX;

    fn topic(number: usize) -> Topic {
        format!("t{number}").parse().unwrap()
    }

    #[test]
    fn a_topic_is_missed_for_30_s_after_the_last_time() {
        let (mut missed, start) = (Missed::default(), Instant::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        missed.note(at(0), topic(1), TOPICS_PER_NODE_MAX);
        missed.note(at(10), topic(1), TOPICS_PER_NODE_MAX);
        missed.note(at(31), topic(2), TOPICS_PER_NODE_MAX);
        assert!(missed.contains(at(39), &topic(1)), "it was missed again");
        assert!(!missed.contains(at(40), &topic(1)));
        assert!(!missed.contains(at(0), &topic(3)));
        missed.note(at(100), topic(3), TOPICS_PER_NODE_MAX);
        assert_eq!((missed.since.len(), missed.order.len()), (1, 1), "nothing old is kept");
    }

    #[test]
    fn so_many_are_remembered_and_then_the_oldest_makes_room() {
        let (mut missed, now) = (Missed::default(), Instant::default());
        (0..=TOPICS_PER_NODE_MAX)
            .for_each(|number| missed.note(now, topic(number), TOPICS_PER_NODE_MAX));
        assert!(!missed.contains(now, &topic(0)));
        assert!(missed.contains(now, &topic(1)));
        assert_eq!(missed.since.len(), TOPICS_PER_NODE_MAX);
    }
}
