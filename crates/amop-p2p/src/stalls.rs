//! Notices a peer that does not read.
//!
//! A lane on which something waits that QUIC does not take has a deadline. Each byte that QUIC
//! takes puts it off, on this lane or on a more urgent one: those may starve it without any fault
//! of the peer, but a less urgent one cannot.

use std::time::Duration;

use amop_wire::Lane;
use tokio::time::Instant;

use crate::lane::Wrote;

/// The deadlines of the lanes of one link, most urgent lane first.
#[derive(Debug, Default)]
pub(crate) struct Stalls {
    deadlines: [Option<Instant>; Lane::COUNT],
}

impl Stalls {
    /// Takes in what an attempt to write gave. The clock is read only if a lane is blocked.
    pub(crate) fn note(
        &mut self,
        wrote: &[Wrote; Lane::COUNT],
        patience: Duration,
        now: impl Fn() -> Instant,
    ) {
        let mut moved = false;
        for (deadline, wrote) in self.deadlines.iter_mut().zip(wrote) {
            moved |= wrote.bytes > 0;
            if !wrote.blocked {
                *deadline = None;
            } else if moved || deadline.is_none() {
                *deadline = Some(now() + patience);
            }
        }
    }

    /// The first deadline, if anything is blocked.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.deadlines.iter().flatten().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);
    const FLOWS: Wrote = Wrote { bytes: 7, blocked: false };
    const STANDS: Wrote = Wrote { bytes: 0, blocked: true };
    const CRAWLS: Wrote = Wrote { bytes: 1, blocked: true };
    const EMPTY: Wrote = Wrote { bytes: 0, blocked: false };

    #[expect(clippy::disallowed_methods, reason = "an instant cannot be made from nothing")]
    fn epoch() -> Instant {
        Instant::now()
    }

    /// The first deadline, in seconds, after attempts to write at the given seconds.
    fn first_after(attempts: &[(u64, [Wrote; Lane::COUNT])]) -> Option<u64> {
        let (start, mut stalls) = (epoch(), Stalls::default());
        for (second, wrote) in attempts {
            stalls.note(wrote, PATIENCE, || start + Duration::from_secs(*second));
        }
        stalls.first().map(|at| (at - start).as_secs())
    }

    #[test]
    fn a_lane_that_stands_has_the_deadline_of_its_last_byte() {
        assert_eq!(first_after(&[(0, [EMPTY, EMPTY, FLOWS, EMPTY, EMPTY])]), None);
        assert_eq!(
            first_after(&[
                (0, [EMPTY, EMPTY, STANDS, EMPTY, EMPTY]),
                (5, [EMPTY, EMPTY, STANDS, EMPTY, EMPTY])
            ]),
            Some(10)
        );
        assert_eq!(
            first_after(&[
                (0, [EMPTY, EMPTY, STANDS, EMPTY, EMPTY]),
                (5, [EMPTY, EMPTY, CRAWLS, EMPTY, EMPTY])
            ]),
            Some(15)
        );
        assert_eq!(
            first_after(&[
                (0, [EMPTY, EMPTY, STANDS, EMPTY, EMPTY]),
                (5, [EMPTY, EMPTY, FLOWS, EMPTY, EMPTY])
            ]),
            None
        );
    }

    #[test]
    fn a_more_urgent_lane_that_moves_puts_the_others_off_and_not_the_reverse() {
        let starved =
            [(0, [EMPTY, EMPTY, STANDS, EMPTY, EMPTY]), (5, [EMPTY, FLOWS, STANDS, EMPTY, EMPTY])];
        assert_eq!(first_after(&starved), Some(15));
        let unread =
            [(0, [EMPTY, STANDS, EMPTY, EMPTY, EMPTY]), (5, [EMPTY, STANDS, FLOWS, EMPTY, EMPTY])];
        assert_eq!(first_after(&unread), Some(10));
    }

    #[test]
    fn the_first_deadline_of_all_lanes_counts() {
        let files = [(0, [EMPTY, EMPTY, EMPTY, EMPTY, STANDS])];
        assert_eq!(first_after(&files), Some(10));
        let two =
            [(0, [EMPTY, EMPTY, STANDS, EMPTY, EMPTY]), (3, [STANDS, EMPTY, STANDS, EMPTY, EMPTY])];
        assert_eq!(first_after(&two), Some(10));
    }
}
