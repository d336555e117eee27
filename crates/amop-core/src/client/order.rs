//! Hands multicasts out in the order of their publishers, and says what is missing in between.
//!
//! A publisher numbers its multicasts to each topic. One that comes by a slower way than the next is
//! never handed out after it, and whatever is missing shows as a gap before the next that comes.
//!
//! Whoever hands out to an application keeps one of these for each subscription, since what it
//! refuses itself is missing too. A publisher is remembered from its first multicast on, until
//! [many](PUBLISHERS_MAX) others have sent something since its last.

use amop_wire::Instance;

use crate::id_map::IdMap;

/// How far a subscription is with each publisher.
#[derive(Debug, Default)]
pub struct Order {
    /// The sequence of the last multicast of each publisher that sent lately.
    recent: IdMap<Instance, u64>,
    /// Of those that sent before that.
    older: IdMap<Instance, u64>,
}

/// What the sequence of a multicast says about those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is the one after the last, or the first of its publisher: hand it out.
    Next,
    /// Some are missing before it: hand it out, and say so.
    After(Gap),
    /// A later one was handed out: [refuse](super::Delivered::refusal) it.
    Late,
}

/// Multicasts of one publisher to one topic that a subscriber never gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The sequence of the first of them.
    pub first: u64,
    /// How many, one after another.
    pub count: u64,
}

impl Order {
    /// Notes the next multicast, and says whether its turn has come.
    pub fn turn(&mut self, publisher: Instance, sequence: u64) -> Turn {
        let last = self.recent.get(&publisher).or_else(|| self.older.get(&publisher)).copied();
        let turn = match last {
            Some(last) if sequence <= last => return Turn::Late,
            Some(last) if last + 1 < sequence => {
                Turn::After(Gap { first: last + 1, count: sequence - last - 1 })
            }
            Some(_) | None => Turn::Next,
        };
        if self.recent.len() >= PUBLISHERS_MAX / 2 && !self.recent.contains_key(&publisher) {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(publisher, sequence);
        turn
    }
}

/// Most publishers that a subscription remembers.
const PUBLISHERS_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    const A: Instance = Instance(1);

    #[test]
    fn what_is_missing_shows_before_the_next_and_never_comes_after_it() {
        let mut order = Order::default();
        assert_eq!(order.turn(A, 7), Turn::Next, "the first of them");
        assert_eq!(order.turn(A, 8), Turn::Next);
        assert_eq!(order.turn(A, 11), Turn::After(Gap { first: 9, count: 2 }));
        assert_eq!([9, 11].map(|sequence| order.turn(A, sequence)), [Turn::Late; 2]);
        assert_eq!(order.turn(A, u64::MAX), Turn::After(Gap { first: 12, count: u64::MAX - 12 }));
        assert_eq!(order.turn(A, u64::MAX), Turn::Late);
        assert_eq!(order.turn(Instance(2), 3), Turn::Next, "publishers are counted apart");
    }

    #[test]
    fn a_publisher_is_remembered_until_many_others_have_sent_since() {
        let mut order = Order::default();
        order.turn(A, 1);
        let others = |from: usize| (from..from + PUBLISHERS_MAX / 2).map(|n| Instance(n as u64));
        for other in others(10) {
            order.turn(other, 1);
        }
        assert_eq!(order.turn(A, 3), Turn::After(Gap { first: 2, count: 1 }));
        for other in others(100_000).chain(others(200_000)) {
            order.turn(other, 1);
            assert!(order.recent.len() + order.older.len() <= PUBLISHERS_MAX);
        }
        assert_eq!(order.turn(A, 5), Turn::Next, "forgotten");
    }
}
