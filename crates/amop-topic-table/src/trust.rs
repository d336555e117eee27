//! Counts how often the relays of a path failed, without knowing which of them it was.
//!
//! Whoever is blamed wrongly is cleared by the next path that works. Only a relay that fails
//! [three times](FAILURES_MAX) in a row loses preference; between those moments the counts move
//! without any path moving, so that paths do not swing to and fro. Since nothing but a message can
//! show that a relay works again, it gets another chance after a [minute](AMNESTY): then one more
//! failure is enough.

use std::collections::BTreeMap;
use std::time::Duration;

use amop_wire::{Instant, NodeId};

/// The failures of relays since their last successes.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    /// No entry without a failure.
    failures: BTreeMap<NodeId, Failures>,
}

#[derive(Debug)]
struct Failures {
    count: u16,
    /// When they will be remitted.
    until: Instant,
}

impl Trust {
    /// Notes a failure; says whether the relay has lost preference by it.
    pub(crate) fn failed(&mut self, now: Instant, relay: NodeId) -> bool {
        let new = || Failures { count: 0, until: now };
        let failures = self.failures.entry(relay).or_insert_with(new);
        failures.count = failures.count.saturating_add(1);
        failures.until = now + AMNESTY;
        failures.count == FAILURES_MAX
    }

    /// Forgets the failures of a relay; says whether it has regained preference by it.
    pub(crate) fn worked(&mut self, relay: NodeId) -> bool {
        self.failures.remove(&relay).is_some_and(|failures| is_distrusted(failures.count))
    }

    /// The relays that failed since their last success, and how often.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (NodeId, u16)> {
        self.failures.iter().map(|(&relay, failures)| (relay, failures.count))
    }

    /// Remits what is old at `now`; says whether a relay has regained preference by it.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let mut has_regained = false;
        self.failures.retain(|_, failures| {
            if failures.until > now {
                return true;
            }
            let was_distrusted = is_distrusted(failures.count);
            has_regained |= was_distrusted;
            *failures = Failures { count: FAILURES_MAX - 1, until: now + AMNESTY };
            was_distrusted
        });
        has_regained
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.failures.values().map(|failures| failures.until).min()
    }
}

pub(crate) fn is_distrusted(failures: u16) -> bool {
    failures >= FAILURES_MAX
}

/// Failures in a row that cost a relay its preference: one may be chance, two bad luck.
const FAILURES_MAX: u16 = 3;

/// How long after its last failure a relay gets another chance.
const AMNESTY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        Instant::default()
    }

    #[test]
    fn preference_is_lost_with_the_third_failure_and_regained_with_a_success() {
        let relay = NodeId::from_bytes([1; 32]);
        let mut trust = Trust::default();
        assert!(!trust.failed(start(), relay));
        assert!(!trust.failed(start(), relay));
        assert!(!trust.worked(relay), "it had not lost it");
        assert_eq!(trust.failures().count(), 0);

        assert_eq!([1, 2, 3, 4].map(|_| trust.failed(start(), relay)), [false, false, true, false]);
        assert!(trust.worked(relay));
        assert!(!trust.worked(relay));
    }

    #[test]
    fn a_relay_that_fails_for_years_is_still_distrusted() {
        let relay = NodeId::from_bytes([1; 32]);
        let mut trust = Trust::default();
        let lost = (0..200_000).filter(|_| trust.failed(start(), relay)).count();
        assert_eq!(lost, 1);
        assert!(trust.failures().all(|(_, failures)| is_distrusted(failures)));
    }

    #[test]
    fn after_a_minute_a_relay_gets_a_chance_that_one_failure_ends() {
        let relay = NodeId::from_bytes([1; 32]);
        let mut trust = Trust::default();
        (0..3).for_each(|_| _ = trust.failed(start(), relay));
        let over = trust.poll_timeout().unwrap();
        assert_eq!(over, start() + AMNESTY);
        assert!(!trust.handle_timeout(over - Duration::from_nanos(1)));
        assert!(trust.handle_timeout(over));
        assert!(trust.failures().all(|(_, failures)| !is_distrusted(failures)));
        assert!(trust.failed(over, relay), "one is enough");

        let over = trust.poll_timeout().unwrap();
        assert!(trust.handle_timeout(over));
        assert!(!trust.handle_timeout(trust.poll_timeout().unwrap()));
        assert_eq!(trust.poll_timeout(), None, "forgotten");
    }
}
