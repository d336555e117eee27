//! Runs the simulated world at length, on all cores; `cargo xtask sim` builds and starts it.
//!
//! The world itself is pure, so threads, clock and randomness are here: a few threads take seeds
//! off a counter, the report adds up their verdicts, and what broke the contract is told with the
//! one command that shows it again.

mod large;
mod memory;
mod options;
mod report;
mod story;
mod sweep;

use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use large::LargeReport;
use options::Options;
use report::{Report, Run};
use sweep::Progress;

/// Runs the simulated world.
#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    let CommandLine { options } = CommandLine::parse();
    // A panic is a violation like any other; where it was is all that its report lacks.
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    if options.story {
        return story::tell(&options);
    }
    if options.large {
        return run_large(&options);
    }
    let run = Run::draw(&options, fresh);
    if !options.json && options.seed.is_none() {
        eprintln!("seeds {} to {}, and those that are kept", run.from, run.from + run.count - 1);
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let started = now();
    let most = if options.first { 1 } else { sweep::FAILURES_MAX };
    let totals = sweep::run(&run.seeds(), threads, most, sweep::verdict_of, &Progress::new(now));
    let report = Report::new(&run, totals, threads, now() - started);
    println!("{}", if options.json { report.to_json().to_string() } else { report.to_string() });
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Builds one large network and tells what its tables cost.
fn run_large(options: &Options) -> ExitCode {
    let started = now();
    let topics = usize::try_from(options.topics).expect("an index has 32 bits");
    let large = large::run(options.nodes.into(), topics, memory::measure);
    let report = LargeReport { large, took: now() - started };
    println!("{}", if options.json { report.to_json().to_string() } else { report.to_string() });
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A number that nobody knows in advance, short enough to be typed.
fn fresh() -> u64 {
    RandomState::new().hash_one(0) % 1_000_000_000
}

#[expect(clippy::disallowed_methods, reason = "the one place that measures how long a run takes")]
fn now() -> Instant {
    Instant::now()
}
