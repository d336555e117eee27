//! Counts how often the relays of a path failed, without knowing which of them it was.
//!
//! Whoever is blamed wrongly is cleared by the next path that works. Only a relay that fails
//! [three times](FAILURES_MAX) in a row loses preference; between those moments the counts move
//! without any path moving, so that paths do not swing to and fro.

use std::collections::BTreeMap;

use amop_wire::NodeId;

/// The failures of relays since their last successes.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    /// No entry without a failure.
    failures: BTreeMap<NodeId, u16>,
}

impl Trust {
    /// Notes a failure; says whether the relay has lost preference by it.
    pub(crate) fn failed(&mut self, relay: NodeId) -> bool {
        let failures = self.failures.entry(relay).or_default();
        *failures = failures.saturating_add(1);
        *failures == FAILURES_MAX
    }

    /// Forgets the failures of a relay; says whether it has regained preference by it.
    pub(crate) fn worked(&mut self, relay: NodeId) -> bool {
        self.failures.remove(&relay).is_some_and(is_distrusted)
    }

    /// The relays that failed since their last success, and how often.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (NodeId, u16)> {
        self.failures.iter().map(|(&relay, &failures)| (relay, failures))
    }
}

pub(crate) fn is_distrusted(failures: u16) -> bool {
    failures >= FAILURES_MAX
}

/// Failures in a row that cost a relay its preference: one may be chance, two bad luck.
const FAILURES_MAX: u16 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preference_is_lost_with_the_third_failure_and_regained_with_a_success() {
        let relay = NodeId::from_bytes([1; 32]);
        let mut trust = Trust::default();
        assert!(!trust.failed(relay));
        assert!(!trust.failed(relay));
        assert!(!trust.worked(relay), "it had not lost it");
        assert_eq!(trust.failures().count(), 0);

        assert_eq!([1, 2, 3, 4].map(|_| trust.failed(relay)), [false, false, true, false]);
        assert!(trust.worked(relay));
        assert!(!trust.worked(relay));
    }

    #[test]
    fn a_relay_that_fails_for_years_is_still_distrusted() {
        let relay = NodeId::from_bytes([1; 32]);
        let mut trust = Trust::default();
        let lost = (0..200_000).filter(|_| trust.failed(relay)).count();
        assert_eq!(lost, 1);
        assert!(trust.failures().all(|(_, failures)| is_distrusted(failures)));
    }
}
