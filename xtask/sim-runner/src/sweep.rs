//! Runs many worlds on several threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use amop_sim::Coverage;
use amop_sim::swarm::{Choices, Verdict, run_seed};

/// What all worlds have in common, once they are added up.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// How many worlds ran.
    pub(crate) seeds: usize,
    pub(crate) simulated: Duration,
    pub(crate) publishes: usize,
    pub(crate) coverage: Coverage,
    pub(crate) choices: Choices,
    /// Those that broke the contract, by their seeds.
    pub(crate) failures: Vec<(u64, Vec<String>)>,
}

impl Totals {
    fn add(&mut self, verdict: Verdict) {
        self.seeds += 1;
        self.simulated += verdict.simulated;
        self.publishes += verdict.publishes;
        self.coverage.add(&verdict.coverage);
        self.choices.add(&verdict.choices);
        if !verdict.violations.is_empty() {
            self.failures.push((verdict.seed, verdict.violations));
        }
    }
}

/// Runs the worlds of these seeds, until so many have failed.
pub(crate) fn run(
    seeds: &[u64],
    threads: usize,
    failures_max: usize,
    verdict_of: impl Fn(u64) -> Verdict + Sync,
    progress: &Progress,
) -> Totals {
    let (next, totals) = (AtomicUsize::new(0), Mutex::new(Totals::default()));
    let work = || {
        while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let verdict = verdict_of(seed);
            let mut totals = totals.lock().expect("nobody panics with the lock");
            totals.add(verdict);
            progress.tell(&totals, seeds.len());
            if totals.failures.len() >= failures_max {
                next.store(seeds.len(), Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(work)));
    let mut totals = totals.into_inner().expect("nobody panics with the lock");
    totals.failures.sort();
    totals
}

/// Runs one world; every hundredth twice, since the same seed must give the same trace. A panic
/// breaks the contract as well.
pub(crate) fn verdict_of(seed: u64) -> Verdict {
    let run = || {
        let mut verdict = run_seed(seed);
        if seed.is_multiple_of(TWICE_EVERY) && run_seed(seed).trace_hash != verdict.trace_hash {
            verdict.violations.push("the same seed gave another trace".to_owned());
        }
        verdict
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Verdict {
        seed,
        violations: vec![format!("a core or its world panicked: {}", words_of(&*panic))],
        simulated: Duration::ZERO,
        trace_hash: 0,
        coverage: Coverage::default(),
        publishes: 0,
        choices: Choices::default(),
    })
}

pub(crate) fn words_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}

/// Says on the standard error now and then how far a long run is.
#[derive(Debug)]
pub(crate) struct Progress {
    clock: fn() -> Instant,
    said_at: Mutex<Instant>,
}

impl Progress {
    pub(crate) fn new(clock: fn() -> Instant) -> Self {
        Self { clock, said_at: Mutex::new(clock()) }
    }

    fn tell(&self, totals: &Totals, seeds: usize) {
        let (now, mut said_at) = ((self.clock)(), self.said_at.lock().expect("nobody panics here"));
        if now.saturating_duration_since(*said_at) >= SAY_EVERY {
            *said_at = now;
            eprintln!("{} of {seeds} worlds, {} failed", totals.seeds, totals.failures.len());
        }
    }
}

/// More failures would tell nothing new.
pub(crate) const FAILURES_MAX: usize = 10;

const TWICE_EVERY: u64 = 100;

const SAY_EVERY: Duration = Duration::from_secs(10);
