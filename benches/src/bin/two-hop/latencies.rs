//! How long answers took, to three digits, from a nanosecond to a minute.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// How often each time was taken. Travels as pairs of a time in nanoseconds and a count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub(crate) struct Latencies {
    nanos: Histogram<u64>,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        let nanos = Histogram::new_with_bounds(1, LATENCY_NANOS_MAX, 3);
        Self { nanos: nanos.expect("the bounds are in order and the digits are few") }
    }

    pub(crate) fn record(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.saturating_record(nanos);
    }

    /// Adds all that the other has.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.nanos.add(&other.nanos).expect("both have the same bounds");
    }

    pub(crate) fn count(&self) -> u64 {
        self.nanos.len()
    }

    /// The time within which this part of the answers came, in microseconds; none if there were no
    /// answers.
    pub(crate) fn quantile_us(&self, quantile: f64) -> Option<f64> {
        let nanos = self.nanos.value_at_quantile(quantile);
        (self.count() > 0).then(|| Duration::from_nanos(nanos).as_secs_f64() * 1e6)
    }

    /// The histogram itself, in nanoseconds.
    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.nanos
    }
}

impl From<Vec<(u64, u64)>> for Latencies {
    fn from(pairs: Vec<(u64, u64)>) -> Self {
        let mut latencies = Self::new();
        for (nanos, count) in pairs {
            latencies.nanos.saturating_record_n(nanos, count);
        }
        latencies
    }
}

impl From<Latencies> for Vec<(u64, u64)> {
    fn from(latencies: Latencies) -> Self {
        let recorded = latencies.nanos.iter_recorded();
        recorded.map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
    }
}

/// A minute; no answer takes longer.
const LATENCY_NANOS_MAX: u64 = 60_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_told_in_microseconds() {
        let mut latencies = Latencies::new();
        assert_eq!(latencies.quantile_us(0.5), None);
        (1..=1000).for_each(|micros| latencies.record(Duration::from_micros(micros)));
        for (quantile, expected) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            let found = latencies.quantile_us(quantile).unwrap();
            assert!((found / expected - 1.0_f64).abs() < 0.002, "{quantile}: {found}");
        }
    }

    #[test]
    fn latencies_survive_the_way_and_add_up() {
        let mut latencies = Latencies::new();
        for nanos in [3, 3, 70_000_000_000] {
            latencies.record(Duration::from_nanos(nanos));
        }
        let json = serde_json::to_string(&latencies).unwrap();
        let mut back: Latencies = serde_json::from_str(&json).unwrap();
        assert_eq!(back, latencies);
        back.merge(&latencies);
        assert_eq!(back.count(), 6);
    }
}
