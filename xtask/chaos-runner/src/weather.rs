//! What becomes of one datagram after the other, by a seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tokio::time::Instant;

/// How a way treats datagrams; the shares are in thousandths of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    /// How long each takes.
    pub(crate) delay: Duration,
    /// How much longer or shorter that is, drawn for each; none overtakes another for it.
    pub(crate) jitter: Duration,
    /// How many are lost, three in a row on average.
    pub(crate) lost: u32,
    /// How many are overtaken by those behind them.
    pub(crate) late: u32,
    /// How many come twice.
    pub(crate) doubled: u32,
    /// How many have a bit turned over.
    pub(crate) spoilt: u32,
    /// Whether nothing passes at all.
    pub(crate) is_blocked: bool,
}

/// One direction of a wire.
#[derive(Debug)]
pub(crate) struct Way {
    random: ChaCha12Rng,
    is_in_burst: bool,
    last_due: Option<Instant>,
    /// What is under way, the first to arrive on top; the number keeps those of one moment in order.
    under_way: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
    taken: u64,
}

impl Way {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: ChaCha12Rng::seed_from_u64(seed),
            is_in_burst: false,
            last_due: None,
            under_way: BinaryHeap::new(),
            taken: 0,
        }
    }

    /// Takes a datagram that was sent at `at`.
    pub(crate) fn take(&mut self, weather: &Weather, at: Instant, datagram: &[u8]) {
        if weather.is_blocked || self.is_lost(weather.lost) || self.under_way.len() >= UNDER_WAY_MAX
        {
            return;
        }
        let mut due = at + self.delay(weather);
        if self.happens(weather.late) {
            due += LATE;
        } else {
            due = self.last_due.map_or(due, |last| due.max(last));
            self.last_due = Some(due);
        }
        let mut datagram = datagram.to_vec();
        if self.happens(weather.spoilt) {
            self.spoil(&mut datagram);
        }
        if self.happens(weather.doubled) {
            self.push(due, datagram.clone());
        }
        self.push(due, datagram);
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        self.under_way.peek().map(|Reverse((at, ..))| *at)
    }

    /// Gives what has arrived by `at`, one by one.
    pub(crate) fn give(&mut self, at: Instant) -> Option<Vec<u8>> {
        self.due().filter(|due| *due <= at)?;
        self.under_way.pop().map(|Reverse((.., datagram))| datagram)
    }

    fn push(&mut self, due: Instant, datagram: Vec<u8>) {
        self.taken += 1;
        self.under_way.push(Reverse((due, self.taken, datagram)));
    }

    /// Bursts begin so often that with three datagrams each they take the share that is lost.
    fn is_lost(&mut self, share: u32) -> bool {
        self.is_in_burst = match self.is_in_burst {
            true => share > 0 && !self.random.next_u32().is_multiple_of(3),
            false => {
                let begins = f64::from(share) / (3.0 * f64::from(1000 - share.min(999)));
                f64::from(self.random.next_u32()) < begins * f64::from(u32::MAX)
            }
        };
        self.is_in_burst
    }

    fn delay(&mut self, Weather { delay, jitter, .. }: &Weather) -> Duration {
        let span = u32::try_from(jitter.as_micros()).unwrap_or(u32::MAX / 2);
        let drawn = self.random.next_u32() % (2 * span + 1);
        (*delay + Duration::from_micros(drawn.into())).saturating_sub(*jitter)
    }

    /// Turns one bit over, anywhere in it.
    fn spoil(&mut self, datagram: &mut [u8]) {
        let drawn = self.random.next_u32() as usize;
        if let Some(byte) = datagram.get_mut(drawn / 8 % datagram.len().max(1)) {
            *byte ^= 1 << (drawn % 8);
        }
    }

    fn happens(&mut self, share: u32) -> bool {
        share > 0 && self.random.next_u32() % 1000 < share
    }
}

/// By how much what is overtaken is late.
const LATE: Duration = Duration::from_millis(40);

/// No way holds more.
const UNDER_WAY_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of so many datagrams, one a millisecond, by number, in the order of arrival.
    fn through(weather: Weather, count: u32) -> Vec<u32> {
        let mut way = Way::new(7);
        let began = crate::clock::now();
        for number in 0..count {
            let at = began + Duration::from_millis(number.into());
            way.take(&weather, at, &number.to_be_bytes());
        }
        let arrived = std::iter::from_fn(|| way.give(began + Duration::from_secs(3600)));
        arrived.map(|datagram| u32::from_be_bytes(datagram.try_into().unwrap())).collect()
    }

    #[test]
    fn as_many_are_lost_in_a_row_and_as_many_come_twice_as_the_weather_says() {
        let arrived = through(Weather { lost: 50, ..Weather::default() }, 60_000);
        assert!((2500..3500).contains(&(60_000 - arrived.len())), "{}", arrived.len());
        let holes = arrived.windows(2).filter(|pair| pair[1] - pair[0] > 1).count();
        assert!((800..1300).contains(&holes), "{holes}");
        let arrived = through(Weather { doubled: 10, ..Weather::default() }, 10_000);
        assert!((10_050..10_150).contains(&arrived.len()), "{}", arrived.len());
    }

    #[test]
    fn jitter_keeps_the_order_and_lateness_does_not() {
        let (delay, jitter) = (Duration::from_millis(150), Duration::from_millis(50));
        let weather = Weather { delay, jitter, ..Weather::default() };
        assert!(through(weather, 10_000).is_sorted());
        let arrived = through(Weather { late: 20, ..Weather::default() }, 10_000);
        let overtaken = arrived.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!((100..300).contains(&overtaken), "{overtaken}");
    }

    #[test]
    fn nothing_passes_what_is_blocked_and_little_is_spoilt() {
        assert_eq!(through(Weather { is_blocked: true, ..Weather::default() }, 100), []);
        let arrived = through(Weather { spoilt: 10, ..Weather::default() }, 10_000);
        let spoilt = (0..).zip(&arrived).filter(|(number, arrived)| number != *arrived).count();
        assert!((50..150).contains(&spoilt), "{spoilt}");
    }
}
