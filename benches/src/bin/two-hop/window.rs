//! Measures one window of a case: what went through, how long it took, what it cost.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::clock::now;
use crate::latencies::Latencies;
use crate::orders::{Load, Measured};
use crate::usage;

/// A window that has begun.
#[derive(Debug)]
pub(crate) struct Window {
    processes: Vec<u32>,
    cpu_before_us: Vec<f64>,
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
        let cpu_before_us = usage::cpu_us(&processes)?;
        Ok(Self { processes, cpu_before_us, began: now() })
    }

    /// Ends to measure: so much was done since the window began.
    ///
    /// # Errors
    ///
    /// Fails when one of the processes is gone.
    pub(crate) fn close(&self, done: u64) -> Result<Measured> {
        let seconds = now().duration_since(self.began).as_secs_f64();
        let after = usage::cpu_us(&self.processes)?;
        let cpu_us = after.iter().zip(&self.cpu_before_us).map(|(after, before)| after - before);
        Ok(Measured {
            done,
            seconds,
            cpu_us: cpu_us.collect(),
            latencies: Latencies::new(),
            alone: None,
            longest: Duration::ZERO,
            expected: 0,
            arrived: 0,
        })
    }
}

/// A run of requests: first the warm-up, then the window, then the answers that are still to come.
#[derive(Debug)]
pub(crate) struct Requests {
    load: Load,
    latencies: Latencies,
    longest: Duration,
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
        Self { load: load.clone(), latencies: Latencies::new(), longest: Duration::ZERO, phase }
    }

    /// Notes an answer; only within the window it counts, but the longest is told of all.
    pub(crate) fn answered(&mut self, took: Duration) {
        self.longest = self.longest.max(took);
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
                self.phase = Phase::Over(window.close(self.latencies.count())?);
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
        ensure!(self.latencies.count() > 0, "no answer came within the window");
        Ok(Measured { latencies: self.latencies, longest: self.longest, ..measured })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Work;

    fn load(warm_up: Duration, window: Duration) -> Load {
        let work = Work::Requests { in_flight: 1 };
        Load { work, subscribers: 1, warm_up, window, processes: vec![std::process::id()] }
    }

    #[test]
    fn only_answers_within_the_window_count() {
        let second = Duration::from_secs(1);
        let (start, mut run) = (now(), Requests::begin(&load(second, 5 * second)));
        let mut goes_on = Vec::new();
        // The real window begins when it is opened, a little after the made-up moment.
        for (at, took) in [(0, 900), (2, 800), (4, 10), (9, 30), (10, 700)] {
            run.answered(Duration::from_millis(took));
            goes_on.push(run.goes_on(start + at * second).unwrap());
        }
        assert_eq!(goes_on, [true, true, true, false, false]);
        let measured = run.finish().unwrap();
        assert_eq!((measured.done, measured.cpu_us.len()), (2, 1));
        assert_eq!(measured.longest, Duration::from_millis(900));
        let p99_us = measured.latencies.quantile_us(0.99).unwrap();
        assert!((29_900.0..30_100.0).contains(&p99_us), "{p99_us}");
    }

    #[test]
    fn a_run_that_ended_early_is_an_error() {
        assert!(Requests::begin(&load(Duration::ZERO, Duration::ZERO)).finish().is_err());
    }
}
