//! How fast a sender may read, if somebody has set a limit.
//!
//! The driver asks when the next piece may be read, and says what was. A pause may be made up for by one short
//! burst and no more, so that the limit holds over any second.

use std::time::Duration;

use amop_wire::Instant;

/// A limit of bytes for each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    bytes_per_second: u64,
    /// When everything that was read would have been read at exactly this pace.
    even_at: Instant,
}

impl Pace {
    /// A pace of so many bytes for each second, at least one, from now on.
    #[must_use]
    pub fn new(now: Instant, bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), even_at: now }
    }

    /// When the next bytes may be read: a moment that has passed, if they may now.
    #[must_use]
    pub fn next_at(&self) -> Instant {
        self.even_at
    }

    /// Says that so many bytes were read.
    pub fn spend(&mut self, now: Instant, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        let span = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.even_at = self.even_at.max(now - BURST) + span;
    }
}

/// How much of a pause may be made up for.
const BURST: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_limit_of_nothing_is_one_byte_a_second() {
        let mut pace = Pace::new(Instant::default(), 0);
        pace.spend(Instant::default(), 5);
        assert_eq!(pace.next_at(), Instant::default() + Duration::from_secs(5));
    }

    proptest! {
        /// Over any time from any read on: the limit, the burst, and the last piece.
        #[test]
        fn whoever_keeps_to_it_stays_below_the_limit(
            bytes_per_second in 1_000_u64..10_000_000,
            reads in prop::collection::vec((1_usize..65_536, 0_u64..2_000), 1..60),
        ) {
            let mut now = Instant::default() + Duration::from_secs(5);
            let mut pace = Pace::new(now, bytes_per_second);
            let mut done: Vec<(Instant, u64)> = Vec::new();
            for (bytes, pause_ms) in reads {
                let is_pause = pause_ms > 1_900;
                let at = now.max(pace.next_at());
                now = if is_pause { at + Duration::from_millis(pause_ms) } else { at };
                pace.spend(now, bytes);
                done.push((now, u64::try_from(bytes).unwrap()));
            }
            for first in 0..done.len() {
                let mut sum = 0;
                for &(at, bytes) in &done[first..] {
                    let span = at.saturating_since(done[first].0) + BURST;
                    let allowed = u128::from(bytes_per_second) * span.as_nanos() / 1_000_000_000;
                    prop_assert!(u128::from(sum) <= allowed + 1, "{} bytes in {:?}", sum, span);
                    sum += bytes;
                }
            }
        }

        #[test]
        fn whoever_reads_whenever_he_may_gets_the_whole_rate(bytes_per_second in 1_000_u64..10_000_000) {
            let start = Instant::default() + Duration::from_secs(5);
            let (mut pace, mut now, mut sum) = (Pace::new(start, bytes_per_second), start, 0);
            for _ in 0..100 {
                now = now.max(pace.next_at());
                pace.spend(now, 10_000);
                sum += 10_000;
            }
            let took = now.saturating_since(start).as_secs_f64();
            let rate = f64::from(sum - 10_000) / took;
            let expected = f64::from(u32::try_from(bytes_per_second).unwrap());
            prop_assert!((rate / expected - 1.0).abs() < 0.01, "{} instead of {}", rate, expected);
        }
    }
}
