//! Runs one world and tells what happened in it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use amop_sim::swarm::{Plan, Swarm};

use crate::options::Options;
use crate::sweep::words_of;

/// Runs the world that was asked for and tells its story, also if it panics.
pub(crate) fn tell(options: &Options) -> ExitCode {
    let plan = Plan::draw(options.seed.unwrap_or_default());
    let mut swarm = Swarm::new(&plan);
    let run = catch_unwind(AssertUnwindSafe(|| swarm.run()));
    let mut violations = swarm.verdict().violations;
    violations.extend(run.err().map(|panic| format!("it panicked: {}", words_of(&*panic))));
    let about = options.about.as_deref().or(violations.first().map(String::as_str));
    println!("{plan:?}\n\n{}", swarm.story(about.unwrap_or_default()));
    for violation in &violations {
        println!("{violation}");
    }
    println!("seed {} violations {}", plan.seed, violations.len());
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
