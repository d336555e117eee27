//! How often a subscriber signs, whoever asks: at most so many times a second.

use amop_wire::Instant;

use crate::limits::{SIGNATURE_INTERVAL, SIGNATURES_AT_ONCE};

/// The signatures that are left.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    /// When all of them are there again.
    full_at: Instant,
}

impl Allowance {
    /// Takes one, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.max(now) + SIGNATURE_INTERVAL;
        let is_left = full_at.saturating_since(now) <= SIGNATURE_INTERVAL * SIGNATURES_AT_ONCE;
        if is_left {
            self.full_at = full_at;
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_at_once_and_then_one_for_each_interval() {
        let (mut allowance, now) = (Allowance::default(), Instant::default());
        let taken = (0..100).filter(|_| allowance.take(now)).count();
        assert_eq!(taken, 20);
        assert!(!allowance.take(now + SIGNATURE_INTERVAL / 2));
        assert!(allowance.take(now + SIGNATURE_INTERVAL));
        assert!(!allowance.take(now + SIGNATURE_INTERVAL));
        let later = now + 1000 * SIGNATURE_INTERVAL;
        assert_eq!((0..100).filter(|_| allowance.take(later)).count(), 20, "never more at once");
    }
}
