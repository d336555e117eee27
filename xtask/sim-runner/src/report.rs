//! What came of a run, for people and for programs.

use std::fmt;
use std::time::Duration;

use amop_sim::swarm::kept_seeds;
use serde_json::{Map, Value, json};

use crate::options::Options;
use crate::sweep::Totals;

/// Which worlds to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) from: u64,
    pub(crate) count: u64,
    keeps: bool,
}

impl Run {
    /// Takes the worlds that were asked for, or such that begin with a `fresh` number.
    pub(crate) fn draw(options: &Options, fresh: impl FnOnce() -> u64) -> Self {
        match options.seed {
            Some(seed) => Self { from: seed, count: 1, keeps: false },
            None => {
                let from = options.from.unwrap_or_else(fresh);
                Self { from, count: options.seeds, keeps: true }
            }
        }
    }

    /// The seeds that are kept come first.
    pub(crate) fn seeds(&self) -> Vec<u64> {
        let kept = kept_seeds().map(|(seed, _)| seed).filter(|_| self.keeps);
        kept.chain(self.from..self.from.saturating_add(self.count)).collect()
    }
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Report {
    from: u64,
    totals: Totals,
    threads: usize,
    took: Duration,
    /// What a run of this length should have tried and did not.
    untried: Vec<(&'static str, &'static str)>,
}

impl Report {
    pub(crate) fn new(run: &Run, totals: Totals, threads: usize, took: Duration) -> Self {
        let is_long = totals.seeds >= TRIES_ALL_FROM;
        let untried = totals.coverage.missing().filter(|_| is_long).collect();
        Self { from: run.from, totals, threads, took, untried }
    }

    /// Whether no world broke the contract, and a long run left nothing untried.
    pub(crate) fn is_good(&self) -> bool {
        self.totals.failures.is_empty()
            && self.untried.is_empty()
            && !self.totals.choices.is_unfair()
    }

    fn seeds_per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let seeds = self.totals.seeds as f64;
        seeds / self.took.as_secs_f64().max(1e-9)
    }

    fn hours(&self) -> f64 {
        self.totals.simulated.as_secs_f64() / 3600.0
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut coverage = Map::<String, Value>::new();
        for (group, kind, count) in self.totals.coverage.counts() {
            coverage.entry(group).or_insert_with(|| json!({}))[kind] = count.into();
        }
        let failure = |(seed, violations): &(u64, Vec<String>)| json!({ "seed": seed, "violations": violations, "replay": replay(*seed) });
        let untried = self.untried.iter().map(|(group, kind)| json!([group, kind]));
        json!({
            "from": self.from,
            "seeds": self.totals.seeds,
            "violations": self.totals.failures.iter().map(|(_, all)| all.len()).sum::<usize>(),
            "simulated_hours": self.hours(),
            "publishes": self.totals.publishes,
            "seconds": self.took.as_secs_f64(),
            "seeds_per_second": self.seeds_per_second(),
            "threads": self.threads,
            "failures": self.totals.failures.iter().map(failure).collect::<Vec<_>>(),
            "choices_are_unfair": self.totals.choices.is_unfair(),
            "untried": untried.collect::<Vec<_>>(),
            "coverage": coverage,
        })
    }
}

/// The sum comes last, for whoever reads only that.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { seeds, publishes, coverage, failures, .. } = &self.totals;
        writeln!(f, "{coverage}")?;
        for (seed, violations) in failures {
            writeln!(f, "seed {seed}:")?;
            for violation in violations.iter().take(SHOWN_MAX) {
                writeln!(f, "  {violation}")?;
            }
            let more = violations.len().saturating_sub(SHOWN_MAX);
            if more > 0 {
                writeln!(f, "  and {more} more")?;
            }
        }
        for (group, kind) in &self.untried {
            writeln!(f, "never tried: {group} {kind}")?;
        }
        if self.totals.choices.is_unfair() {
            writeln!(
                f,
                "not every subscriber is as likely as the others: {:?}",
                self.totals.choices
            )?;
        }
        if let Some((seed, _)) = failures.first() {
            writeln!(f, "to see it again: {}", replay(*seed))?;
        }
        let (hours, rate, took) = (self.hours(), self.seeds_per_second(), self.took.as_secs_f64());
        writeln!(
            f,
            "simulated {hours:.1} hours with {publishes} publishes in {took:.1} s, {rate:.1} seeds/s \
             on {} threads",
            self.threads
        )?;
        let violations: usize = failures.iter().map(|(_, violations)| violations.len()).sum();
        write!(f, "seeds {seeds} violations {violations}")
    }
}

fn replay(seed: u64) -> String {
    format!("cargo xtask sim --seed {seed} --story")
}

/// A run of so many worlds must have tried everything.
const TRIES_ALL_FROM: usize = 1000;

/// Most violations of one world that are shown; the story shows all.
const SHOWN_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::{self, Progress};
    use amop_sim::Coverage;
    use amop_sim::swarm::{Choices, Verdict};

    /// Runs worlds of which some break the contract.
    fn report(count: u64, breaks: impl Fn(u64) -> bool + Sync) -> Report {
        let run = Run { from: 5, count, keeps: false };
        let verdict_of = |seed| Verdict {
            seed,
            violations: if breaks(seed) { vec!["a lie".to_owned()] } else { Vec::new() },
            simulated: Duration::from_secs(120),
            trace_hash: seed,
            coverage: Coverage::default(),
            publishes: 3,
            choices: Choices::default(),
        };
        let totals = sweep::run(
            &run.seeds(),
            2,
            sweep::FAILURES_MAX,
            verdict_of,
            &Progress::new(crate::now),
        );
        Report::new(&run, totals, 2, Duration::from_secs(2))
    }

    #[test]
    fn a_run_without_violations_is_good() {
        let report = report(60, |_| false);
        assert!(report.is_good());
        let text = report.to_string();
        assert!(text.ends_with("\nseeds 60 violations 0"), "{text}");
        assert!(text.contains("simulated 2.0 hours with 180 publishes in 2.0 s, 30.0 seeds/s"));
        assert!(!text.contains("to see it again"));
    }

    #[test]
    fn a_violation_is_told_with_one_command_that_shows_it_again() {
        let report = report(60, |seed| seed == 7 || seed == 30);
        assert!(!report.is_good());
        let text = report.to_string();
        assert!(text.contains("seed 7:\n  a lie\nseed 30:\n  a lie\n"), "{text}");
        assert!(text.contains("\nto see it again: cargo xtask sim --seed 7 --story\n"), "{text}");
        assert_eq!(text.matches("--story").count(), 1);
        assert!(text.ends_with("\nseeds 60 violations 2"), "{text}");
    }

    #[test]
    fn the_report_for_programs_says_the_same() {
        let json = report(60, |seed| seed == 7).to_json();
        assert_eq!((&json["seeds"], &json["violations"]), (&json!(60), &json!(1)));
        let failure = json!({
            "seed": 7, "violations": ["a lie"], "replay": "cargo xtask sim --seed 7 --story"
        });
        assert_eq!(json["failures"], json!([failure]));
        assert_eq!(json["coverage"]["code"]["102"], json!(0));
    }

    #[test]
    fn a_run_that_fails_all_the_time_stops_early() {
        let report = report(10_000, |_| true);
        assert!(report.totals.seeds < 100);
    }

    #[test]
    fn a_long_run_that_left_something_untried_is_not_good() {
        assert!(report(999, |_| false).is_good());
        let report = report(1000, |_| false);
        assert!(!report.is_good());
        assert!(report.to_string().contains("never tried: fault crash"));
    }

    #[test]
    fn worlds_are_fresh_unless_the_first_is_named() {
        let mut options = Options {
            seeds: 2,
            from: None,
            first: false,
            seed: None,
            story: false,
            about: None,
            large: false,
            nodes: 2,
            topics: 1,
            json: false,
        };
        let seeds = |options: &Options| Run::draw(options, || 77).seeds();
        let kept = kept_seeds().count();
        assert_eq!(seeds(&options)[kept..], [77, 78]);
        options.from = Some(5);
        assert_eq!(seeds(&options)[kept..], [5, 6]);
        options.seed = Some(9);
        assert_eq!(seeds(&options), [9], "alone");
    }
}
