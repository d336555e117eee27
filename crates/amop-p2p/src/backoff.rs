//! How long to wait before the next attempt: a random span under a ceiling that doubles.
//!
//! Full jitter: parties that lost the same peer at the same moment come back spread out. The
//! randomness is a seed, so that the spans are known in a test.

use std::time::Duration;

/// A row of spans to wait, each random between zero and a ceiling that doubles from 100 ms to 5 s.
#[derive(Clone, Debug)]
pub struct Backoff {
    random: SplitMix64,
    ceiling: Duration,
}

impl Backoff {
    /// Spans that follow from the seed. Give every process another one.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: SplitMix64(seed), ceiling: CEILING_MIN }
    }

    /// The next span to wait; raises the ceiling.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.ceiling.mul_f64(self.random.next_fraction());
        self.ceiling = (self.ceiling * 2).min(CEILING_MAX);
        wait
    }

    /// Begins again at the lowest ceiling, with fresh randomness.
    pub fn reset(&mut self) {
        self.ceiling = CEILING_MIN;
    }
}

/// The generator of Steele, Lea and Flood: tiny, and good enough to spread attempts out.
#[derive(Clone, Debug)]
struct SplitMix64(u64);

impl SplitMix64 {
    /// A number from 0 up to but without 1.
    fn next_fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = u32::try_from((z ^ (z >> 31)) >> 32).expect("32 bits are left");
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }
}

const CEILING_MIN: Duration = Duration::from_millis(100);
const CEILING_MAX: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(backoff: &mut Backoff, count: usize) -> Vec<Duration> {
        std::iter::repeat_with(|| backoff.next_wait()).take(count).collect()
    }

    #[test]
    fn every_wait_is_under_its_ceiling_and_the_last_ceiling_stays() {
        let ceilings = [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000];
        let mut longest = [Duration::ZERO; 9];
        for seed in 0..500 {
            for (i, wait) in waits(&mut Backoff::new(seed), 9).into_iter().enumerate() {
                assert!(wait < Duration::from_millis(ceilings[i]), "seed {seed}, wait {i}");
                longest[i] = longest[i].max(wait);
            }
        }
        for (longest, ceiling) in longest.into_iter().zip(ceilings) {
            assert!(longest > Duration::from_millis(ceiling) * 9 / 10, "the whole span is used");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_waits_and_another_seed_others() {
        assert_eq!(waits(&mut Backoff::new(7), 20), waits(&mut Backoff::new(7), 20));
        assert_ne!(waits(&mut Backoff::new(7), 20), waits(&mut Backoff::new(8), 20));
    }

    #[test]
    fn a_reset_lowers_the_ceiling_but_does_not_repeat_the_waits() {
        let mut backoff = Backoff::new(1);
        let first = waits(&mut backoff, 10);
        backoff.reset();
        let second = waits(&mut backoff, 3);
        assert!(second[0] < CEILING_MIN);
        assert_ne!(first[..3], second);
    }
}
