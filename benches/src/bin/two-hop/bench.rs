//! Runs every case on every system, again and again, and gathers what was measured.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::case::Case;
use crate::machine::Machine;
use crate::network::{Network, Run, Site, Timing};
use crate::system::System;
use crate::weather::Weather;
use crate::{certs, machine, nats};

/// How to run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) cases: Vec<Case>,
    /// Who takes turns.
    pub(crate) systems: Vec<System>,
    pub(crate) timing: Timing,
    pub(crate) repeats: u32,
    /// AMOP's daemon.
    pub(crate) node_binary: PathBuf,
    /// The server of NATS, if there is one.
    pub(crate) nats_server: Option<PathBuf>,
    pub(crate) weather: Weather,
    /// On how many threads each of AMOP's nodes does the work of its links.
    pub(crate) workers: u8,
}

/// What came of a plan.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) cases: Vec<CaseRuns>,
    /// What was asked for and did not run.
    pub(crate) absent: Vec<Absent>,
}

/// All runs of one case on one system.
#[derive(Debug)]
pub(crate) struct CaseRuns {
    pub(crate) case: Case,
    pub(crate) system: System,
    pub(crate) runs: Vec<Run>,
}

/// A system that did not run, in one case or in all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Absent {
    pub(crate) system: System,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) case: Option<&'static str>,
    pub(crate) why: String,
}

/// Runs the whole plan. The processes and their files are gone when it ends, however it ends.
///
/// # Errors
///
/// Fails when something does not start, gets stuck, or loses a message that it must not lose.
pub(crate) async fn run(plan: &Plan) -> Result<Results> {
    let mut machine = machine::look(plan).await?;
    let (systems, mut absent) = present(plan);
    let dir = tempfile::Builder::new().prefix("two-hop-").tempdir();
    let dir = dir.context("cannot make a directory for certificates")?;
    certs::write_all(dir.path())?;
    if systems.contains(&System::Nats) {
        nats::write_certs(dir.path())?;
    }
    let (node_binary, nats_server) = (plan.node_binary.clone(), plan.nats_server.clone());
    let (weather, workers) = (plan.weather, plan.workers);
    let site = Site { dir: dir.path().to_owned(), node_binary, nats_server, weather, workers };
    let mut cases = Vec::new();
    for case in &plan.cases {
        let mut all = Vec::new();
        for &system in &systems {
            match system.lacks(case) {
                Some(why) => {
                    absent.push(Absent { system, case: Some(case.name), why: why.to_owned() });
                }
                None => all.push(CaseRuns { case: case.clone(), system, runs: Vec::new() }),
            }
        }
        for repeat in 1..=plan.repeats {
            // In turns, so that all meet the same disturbances of the machine.
            for CaseRuns { case, system, runs } in &mut all {
                let network = Network::start(*system, case, &site).await;
                let network = network.with_context(|| format!("cannot start {system}"))?;
                let run = network.run(case, plan.timing).await?;
                let (repeats, rate) = (plan.repeats, run.measured.rate());
                eprintln!("{repeat}/{repeats} {system:15} {:23} {rate:9.0}/s", case.name);
                runs.push(run);
            }
        }
        cases.append(&mut all);
    }
    machine.look_again()?;
    Ok(Results { machine, cases, absent })
}

/// Who of those that shall run can.
fn present(plan: &Plan) -> (Vec<System>, Vec<Absent>) {
    let mut absent = Vec::new();
    let why = match plan.nats_server {
        _ if cfg!(not(feature = "nats")) => {
            Some("this program was built without the feature `nats` of the crate benches")
        }
        _ if plan.weather != Weather::Clear => Some("its links are TCP, which has other weather"),
        None => Some("no server of NATS was given with --nats-server or NATS_SERVER"),
        Some(_) => None,
    };
    if let Some(why) = why.filter(|_| plan.systems.contains(&System::Nats)) {
        eprintln!("two-hop: nats does not run: {why}");
        absent.push(Absent { system: System::Nats, case: None, why: why.to_owned() });
    }
    let is_there = |system: &System| absent.iter().all(|absent| absent.system != *system);
    (plan.systems.iter().copied().filter(is_there).collect(), absent)
}
