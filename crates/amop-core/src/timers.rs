//! Deadlines, ordered by when they are due.

use std::collections::BTreeSet;

use amop_wire::Instant;

/// What is due when. The owner keeps the moment of each key, and names it again to cancel.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    due: BTreeSet<(Instant, K)>,
}

impl<K: Ord + Copy> Timers<K> {
    pub(crate) fn set(&mut self, at: Instant, key: K) {
        self.due.insert((at, key));
    }

    pub(crate) fn cancel(&mut self, at: Instant, key: K) {
        self.due.remove(&(at, key));
    }

    /// Takes the earliest that is due at `now`.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<K> {
        let &(at, key) = self.due.first()?;
        if at > now {
            return None;
        }
        self.due.remove(&(at, key));
        Some(key)
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first().map(|&(at, _)| at)
    }
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { due: BTreeSet::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_due_comes_out_in_order_and_what_was_cancelled_does_not() {
        let start = Instant::default();
        let at = |millis| start + Duration::from_millis(millis);
        let mut timers = Timers::default();
        timers.set(at(3), 'c');
        timers.set(at(1), 'a');
        timers.set(at(2), 'b');
        timers.cancel(at(2), 'b');
        assert_eq!(timers.next(), Some(at(1)));
        assert_eq!(timers.take_due(at(2)), Some('a'));
        assert_eq!(timers.take_due(at(2)), None, "the next is not due yet");
        assert_eq!(timers.take_due(at(3)), Some('c'));
        assert_eq!(timers.next(), None);
    }
}
