//! Runs every case on both sides, again and again, and gathers what was measured.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::case::Case;
use crate::certs;
use crate::chain::{Chain, Side};
use crate::orders::Measured;

/// How to run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) cases: Vec<Case>,
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
    pub(crate) repeats: u32,
    /// Whether the floor asks for sparser acknowledgements.
    pub(crate) ack_frequency: bool,
}

/// All runs of one case.
#[derive(Debug)]
pub(crate) struct Runs {
    pub(crate) case: Case,
    pub(crate) ours: Vec<Measured>,
    pub(crate) floor: Vec<Measured>,
}

/// Runs the whole plan. The processes and their files are gone when it ends, however it ends.
///
/// # Errors
///
/// Fails when something does not start, gets stuck, or loses a message.
pub(crate) async fn run(plan: &Plan, node_binary: &Path) -> Result<Vec<Runs>> {
    let dir = tempfile::Builder::new().prefix("two-hop-").tempdir();
    let dir = dir.context("cannot make a directory for certificates")?;
    certs::write_all(dir.path())?;
    let ours = Chain::ours(node_binary, dir.path()).await;
    let mut ours = ours.context("cannot start AMOP")?;
    let floor = Chain::floor(dir.path(), plan.ack_frequency).await;
    let mut floor = floor.context("cannot start the floor")?;
    let no_runs = |&case: &Case| Runs { case, ours: Vec::new(), floor: Vec::new() };
    let mut all: Vec<Runs> = plan.cases.iter().map(no_runs).collect();
    for repeat in 1..=plan.repeats {
        for runs in &mut all {
            // Side by side, so that both meet the same disturbances of the machine.
            for side in [Side::Ours, Side::Floor] {
                let (chain, runs_of_side) = match side {
                    Side::Ours => (&mut ours, &mut runs.ours),
                    Side::Floor => (&mut floor, &mut runs.floor),
                };
                let measured = chain.run(runs.case, plan.warm_up, plan.window).await?;
                let rate = measured.rate();
                let Plan { repeats, .. } = plan;
                eprintln!("{repeat}/{repeats} {side:5} {:13} {rate:9.0}/s", runs.case.to_string());
                runs_of_side.push(measured);
            }
        }
    }
    Ok(all)
}
