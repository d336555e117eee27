//! Measures one window of a case: what went through, how long it took, what it cost.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

use crate::clock::now;
use crate::cpu;
use crate::orders::{Latency, Load, Measured};

/// A window that has begun.
#[derive(Debug)]
pub(crate) struct Window {
    processes: Vec<u32>,
    cpu_before_us: f64,
    began: Instant,
}

impl Window {
    /// Begins to measure.
    ///
    /// # Errors
    ///
    /// Fails when one of the processes is gone.
    pub(crate) fn open(load: &Load) -> Result<Self> {
        let processes = load.processes.clone();
        let cpu_before_us = cpu::used_us(&processes)?;
        Ok(Self { processes, cpu_before_us, began: now() })
    }

    /// Ends to measure: `done` messages went through since the window began, `sent` were sent
    /// since the case did.
    ///
    /// # Errors
    ///
    /// Fails when one of the processes is gone.
    pub(crate) fn close(&self, sent: u64, done: u64) -> Result<Measured> {
        let seconds = now().duration_since(self.began).as_secs_f64();
        let cpu_us = cpu::used_us(&self.processes)? - self.cpu_before_us;
        Ok(Measured { sent, done, seconds, cpu_us, latency: None })
    }
}

/// A run of requests: first the warm-up, then the window, then the answers that are still to come.
#[derive(Debug)]
pub(crate) struct Requests {
    load: Load,
    sent: u64,
    latencies: Latencies,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    WarmUp { until: Instant },
    Measuring { window: Window, until: Instant },
    Over(Measured),
}

impl Requests {
    /// Begins with the warm-up.
    pub(crate) fn begin(load: &Load) -> Self {
        let phase = Phase::WarmUp { until: now() + load.warm_up };
        Self { load: load.clone(), sent: 0, latencies: Latencies::new(), phase }
    }

    /// Notes that a request goes out.
    pub(crate) fn sent(&mut self) {
        self.sent += 1;
    }

    /// Notes an answer, if it comes within the window.
    pub(crate) fn answered(&mut self, took: Duration) {
        match self.phase {
            Phase::Measuring { .. } => self.latencies.record(took),
            Phase::WarmUp { .. } | Phase::Over(_) => {}
        }
    }

    /// Begins and ends the window when it is time; says whether more requests shall be sent.
    ///
    /// # Errors
    ///
    /// Fails when one of the processes is gone.
    pub(crate) fn goes_on(&mut self, at: Instant) -> Result<bool> {
        match &self.phase {
            Phase::WarmUp { until } if at >= *until => {
                let window = Window::open(&self.load)?;
                self.phase = Phase::Measuring { until: window.began + self.load.window, window };
            }
            Phase::Measuring { window, until } if at >= *until => {
                self.phase = Phase::Over(window.close(self.sent, self.latencies.count())?);
            }
            Phase::WarmUp { .. } | Phase::Measuring { .. } | Phase::Over(_) => {}
        }
        Ok(!matches!(self.phase, Phase::Over(_)))
    }

    /// What was measured, once all answers have come.
    ///
    /// # Errors
    ///
    /// Fails when the window has not ended, or no answer came within it.
    pub(crate) fn finish(self) -> Result<Measured> {
        let Phase::Over(measured) = self.phase else {
            anyhow::bail!("the requests ended before the window did");
        };
        let latency = self.latencies.summary().context("no answer came within the window")?;
        Ok(Measured { latency: Some(latency), ..measured })
    }
}

/// How long answers took.
#[derive(Debug)]
struct Latencies {
    nanos: Histogram<u64>,
}

impl Latencies {
    fn new() -> Self {
        let nanos = Histogram::new_with_bounds(1, LATENCY_NANOS_MAX, 3);
        Self { nanos: nanos.expect("the bounds are in order and the digits are few") }
    }

    fn record(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.saturating_record(nanos);
    }

    fn count(&self) -> u64 {
        self.nanos.len()
    }

    fn summary(&self) -> Option<Latency> {
        let at = |quantile| Duration::from_nanos(self.nanos.value_at_quantile(quantile));
        let micros = |quantile| at(quantile).as_secs_f64() * 1e6;
        (self.count() > 0).then(|| Latency { p50_us: micros(0.50), p99_us: micros(0.99) })
    }
}

/// A minute; no answer takes longer.
const LATENCY_NANOS_MAX: u64 = 60_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;

    #[test]
    fn quantiles_are_told_in_microseconds() {
        let mut latencies = Latencies::new();
        assert_eq!(latencies.summary(), None);
        (1..=100).for_each(|micros| latencies.record(Duration::from_micros(micros)));
        let Latency { p50_us, p99_us } = latencies.summary().unwrap();
        assert!((49.9..50.1).contains(&p50_us), "{p50_us}");
        assert!((98.9..99.1).contains(&p99_us), "{p99_us}");
    }

    #[test]
    fn only_answers_within_the_window_count() {
        let second = Duration::from_secs(1);
        let processes = vec![std::process::id()];
        let case = Case::Requests { in_flight: 1 };
        let load = Load { case, warm_up: second, window: 5 * second, processes };
        let (start, mut run) = (now(), Requests::begin(&load));
        let mut goes_on = Vec::new();
        // The real window begins when it is opened, a little after the made-up moment.
        for (at, took) in [(0, 900), (2, 800), (4, 10), (9, 30), (10, 700)] {
            run.sent();
            run.answered(Duration::from_millis(took));
            goes_on.push(run.goes_on(start + at * second).unwrap());
        }
        assert_eq!(goes_on, [true, true, true, false, false]);
        let measured = run.finish().unwrap();
        assert_eq!((measured.sent, measured.done), (4, 2));
        let p99_us = measured.latency.unwrap().p99_us;
        assert!((29_900.0..30_100.0).contains(&p99_us), "{p99_us}");
    }

    #[test]
    fn a_run_that_ended_early_is_an_error() {
        let case = Case::Requests { in_flight: 1 };
        let (warm_up, window) = (Duration::ZERO, Duration::ZERO);
        let load = Load { case, warm_up, window, processes: Vec::new() };
        assert!(Requests::begin(&load).finish().is_err());
    }
}
