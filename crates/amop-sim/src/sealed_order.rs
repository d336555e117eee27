//! Whether subscribers of private topics get multicasts in the order of their publisher, and are told of
//! every hole.
//!
//! A multicast that waits until somebody is verified has no number before it leaves, and has none if it
//! never does. So here numbers are looked at where they leave, and calls of the publisher only for their
//! order.

use std::collections::BTreeMap;

use amop_core::client::{Delivered, Gap};
use amop_wire::{Instance, Publish, Topic};

/// What left for each topic, and what each subscriber got of it.
#[derive(Debug, Default)]
pub(crate) struct SealedOrder {
    /// The last number that left.
    left: BTreeMap<(Instance, Topic), u64>,
    /// Of each subscriber and publisher: the last number, and the call of the last message.
    last: BTreeMap<(Instance, Instance, Topic), (u64, u64)>,
}

impl SealedOrder {
    /// A sealed multicast leaves its publisher. Answers what is wrong with that.
    pub(crate) fn leaves(&mut self, publisher: Instance, publish: &Publish) -> Option<String> {
        let Publish { topic, sequence, .. } = publish;
        let last = self.left.insert((publisher, topic.clone()), *sequence);
        let is_next = last.is_none_or(|last| *sequence == last + 1);
        (!is_next).then(|| format!("{publisher} to {topic}: number {sequence} after {last:?}"))
    }

    /// A subscriber begins anew.
    pub(crate) fn unsubscribed(&mut self, subscriber: Instance, topic: &Topic) {
        self.last.retain(|(who, _, what), _| !(*who == subscriber && what == topic));
    }

    /// A subscriber handles a multicast. Answers what is wrong with that.
    pub(crate) fn handled(&mut self, by: Instance, delivered: &Delivered) -> Option<String> {
        let Delivered { id, sequence, topic, .. } = delivered;
        let now = (*sequence, id.counter);
        let last = self.last.insert((by, id.publisher, topic.clone()), now);
        let is_next = last.is_none_or(|(last, call)| *sequence == last + 1 && call < id.counter);
        (!is_next).then(|| format!("{id}: handled by {by} as number {sequence} after {last:?}"))
    }

    /// A subscriber is told what it misses before this multicast. Answers what is wrong with that.
    pub(crate) fn missed(
        &mut self,
        by: Instance,
        delivered: &Delivered,
        gap: Gap,
    ) -> Option<String> {
        let Delivered { id, topic, .. } = delivered;
        // What came while nobody had a key for the topic was looked at elsewhere.
        let last = self.last.get_mut(&(by, id.publisher, topic.clone()))?;
        if gap.first != last.0 + 1 || gap.count == 0 {
            return Some(format!("{id}: {by} is told of {gap:?} after {last:?}, which is no hole"));
        }
        last.0 += gap.count;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use amop_core::client::Wanted;
    use amop_wire::{Gen, Instant, MsgId};

    const BY: Instance = Instance(7);

    fn delivered(sequence: u64, counter: u64) -> Delivered {
        Delivered {
            generation: Gen(1),
            expires: Instant::default(),
            id: MsgId { publisher: Instance(1), counter },
            wanted: Wanted::Ack(1),
            sequence,
            redelivered: false,
            from: "app.sdk.bank-a.amop".parse().unwrap(),
            topic: "t".parse().unwrap(),
            payload: "x".into(),
        }
    }

    #[test]
    fn numbers_in_a_row_with_their_gaps_are_right() {
        let mut order = SealedOrder::default();
        assert_eq!(order.handled(BY, &delivered(5, 9)), None, "it begins somewhere");
        assert_eq!(order.handled(BY, &delivered(6, 30)), None);
        assert_eq!(order.missed(BY, &delivered(9, 31), Gap { first: 7, count: 2 }), None);
        assert_eq!(order.handled(BY, &delivered(9, 31)), None);
        order.unsubscribed(BY, &"t".parse().unwrap());
        assert_eq!(order.handled(BY, &delivered(3, 4)), None, "anew");
    }

    #[test]
    fn a_silent_hole_a_wrong_gap_a_step_back_and_another_order_than_that_of_calls_are_found() {
        let found = |sequence, counter| {
            let mut order = SealedOrder::default();
            order.handled(BY, &delivered(5, 9));
            order.handled(BY, &delivered(sequence, counter)).is_some()
        };
        assert_eq!(
            [(6, 10), (7, 10), (5, 10), (6, 8)].map(|(n, call)| found(n, call)),
            [false, true, true, true]
        );
        let mut order = SealedOrder::default();
        order.handled(BY, &delivered(5, 9));
        assert!(order.missed(BY, &delivered(9, 31), Gap { first: 7, count: 2 }).is_some());
    }
}
