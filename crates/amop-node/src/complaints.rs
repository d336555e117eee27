//! Which complaint about a party is worth a line in the log: one a second, so that who floods us with
//! nonsense does not flood the log. The line says how many there were since the one before.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use amop_core::node::{Refused, Untruth};
use amop_wire::{Instant, Name};
use tracing::{debug, warn};

/// What was complained about so far.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    refused: Kind<Name>,
    untrue: Kind<Name>,
    unknown: Kind<Name>,
    bad_list: Kind<Name>,
    /// Links that ended by somebody's fault.
    ended: Kind<Name>,
    /// Links that ended without a word.
    lost: Kind<Name>,
    /// Links that were never made.
    not_linked: Kind<IpAddr>,
}

impl Complaints {
    /// A peer passed on an announcement that is not believed.
    pub(crate) fn refused(&mut self, now: Instant, peer: &Name, what: &Refused) {
        if let Some(held_back) = self.refused.note(now, peer) {
            let (Refused { origin, why }, refused) = (what, self.refused.count);
            warn!(%peer, %origin, %why, held_back, refused, "an announcement is not believed");
        }
    }

    /// A client or a peer said what cannot be true.
    pub(crate) fn untrue(&mut self, now: Instant, by: &Name, what: &Untruth) {
        if let Some(held_back) = self.untrue.note(now, by) {
            let refused = self.untrue.count;
            warn!(%by, %what, held_back, refused, "a message cannot be true");
        }
    }

    /// A client or a peer of a newer version said what this one does not know.
    pub(crate) fn unknown(&mut self, now: Instant, by: &Name) {
        if let Some(held_back) = self.unknown.note(now, by) {
            let unknown = self.unknown.count;
            debug!(%by, held_back, unknown, "a message of a newer version is skipped");
        }
    }

    /// A peer gave a revocation list that does not count.
    pub(crate) fn bad_list(&mut self, now: Instant, peer: &Name, why: &str) {
        if let Some(held_back) = self.bad_list.note(now, peer) {
            let refused = self.bad_list.count;
            warn!(%peer, why, held_back, refused, "a revocation list of a peer does not count");
        }
    }

    /// A link ended by the fault of somebody. If that is worth a line, answers how many ends were not.
    pub(crate) fn ended(&mut self, now: Instant, by: &Name) -> Option<u64> {
        self.ended.note(now, by)
    }

    /// A link with somebody was lost. If that is worth a line, answers how many were lost without one.
    pub(crate) fn lost(&mut self, now: Instant, with: &Name) -> Option<u64> {
        self.lost.note(now, with)
    }

    /// No link was made with somebody at an address. If that is worth a line, answers how many were not.
    pub(crate) fn not_linked(&mut self, now: Instant, with: IpAddr) -> Option<u64> {
        self.not_linked.note(now, &with)
    }

    /// How many announcements were not believed.
    pub(crate) fn refused_count(&self) -> u64 {
        self.refused.count
    }

    /// How many revocation lists of peers do not count.
    pub(crate) fn bad_list_count(&self) -> u64 {
        self.bad_list.count
    }

    /// How many messages cannot be true.
    pub(crate) fn untrue_count(&self) -> u64 {
        self.untrue.count
    }

    /// How many messages were skipped.
    pub(crate) fn unknown_count(&self) -> u64 {
        self.unknown.count
    }
}

/// Complaints of one kind.
#[derive(Debug)]
struct Kind<K> {
    count: u64,
    /// Those about whom there was one lately.
    lately: BTreeMap<K, Lately>,
}

impl<K> Default for Kind<K> {
    fn default() -> Self {
        Self { count: 0, lately: BTreeMap::new() }
    }
}

#[derive(Debug)]
struct Lately {
    logged_at: Instant,
    /// How many were not logged since.
    held_back: u64,
}

impl<K: Ord + Clone> Kind<K> {
    /// Counts a complaint. If it is to be logged, answers how many about the same party were not,
    /// since the last that was.
    #[must_use = "the complaint is to be logged"]
    fn note(&mut self, now: Instant, about: &K) -> Option<u64> {
        self.count += 1;
        if let Some(lately) = self.lately.get_mut(about)
            && now < lately.logged_at + LOG_INTERVAL
        {
            lately.held_back += 1;
            return None;
        }
        self.lately.retain(|_, lately| now < lately.logged_at + KEPT);
        if self.lately.len() >= PARTIES_MAX {
            self.lately.clear();
        }
        let lately = Lately { logged_at: now, held_back: 0 };
        let before = self.lately.insert(about.clone(), lately);
        Some(before.map_or(0, |before| before.held_back))
    }
}

/// How long after a line about a party there is no other.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// How many parties are remembered at most.
const PARTIES_MAX: usize = 4096;

/// How long a party is remembered that nothing was logged about.
const KEPT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    /// SEQ-13, LIMIT-4
    #[test]
    fn complaints_are_counted_all_and_logged_once_for_each_party_and_second() {
        let mut complaints = Kind::<Name>::default();
        let parties: [Name; 2] =
            ["n1.node.bank-b.amop", "n2.node.bank-b.amop"].map(|dns| dns.parse().unwrap());
        let start = Instant::default();
        let expected = [(0, Some(0)), (500, None), (999, None), (1000, Some(2)), (1999, None)];
        for (millis, logged) in expected {
            for party in &parties {
                let now = start + Duration::from_millis(millis);
                assert_eq!(complaints.note(now, party), logged, "{party} after {millis} ms");
            }
        }
        assert_eq!(complaints.count, 10);
        assert_eq!(complaints.note(start + Duration::from_secs(9), &parties[0]), Some(1));
        assert_eq!(complaints.note(start + Duration::from_secs(69), &parties[0]), Some(0));
        assert_eq!(complaints.lately.len(), 1, "nothing is kept of who keeps quiet");
    }

    #[test]
    fn those_who_are_remembered_are_bounded_in_number() {
        let (mut complaints, now) = (Kind::<usize>::default(), Instant::default());
        for party in 0..PARTIES_MAX {
            assert_eq!(complaints.note(now, &party), Some(0));
        }
        assert_eq!(complaints.lately.len(), PARTIES_MAX);
        assert_eq!(complaints.note(now, &PARTIES_MAX), Some(0));
        assert_eq!(complaints.lately.len(), 1);
    }
}
