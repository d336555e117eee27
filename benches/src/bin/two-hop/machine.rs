//! What the figures were measured on, and with which versions.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::process::Command;

use crate::bench::Plan;
use crate::system::System;

/// The machine and the programs of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    kernel: String,
    /// How many processes wanted to run in the last minute, before the benchmark and after it.
    load_before: f64,
    load_after: f64,
    /// What the programs say of themselves.
    versions: Vec<String>,
}

/// Looks at the machine before the benchmark begins.
///
/// # Errors
///
/// Fails where there is no `/proc`.
pub(crate) async fn look(plan: &Plan) -> Result<Machine> {
    let processors = read("/proc/cpuinfo")?;
    let names = processors.lines().filter(|line| line.starts_with("model name"));
    let name = names.filter_map(|line| line.split_once(':')).map(|(_, name)| name.trim()).next();
    let mut versions = vec![version(&plan.node_binary).await];
    if let Some(server) = plan.nats_server.as_ref().filter(|_| plan.systems.contains(&System::Nats))
    {
        versions.push(version(server).await);
    }
    let load = load()?;
    Ok(Machine {
        processor: name.unwrap_or("unknown").to_owned(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        load_before: load,
        load_after: load,
        versions,
    })
}

impl Machine {
    /// Notes how busy the machine is after the benchmark.
    ///
    /// # Errors
    ///
    /// Fails where there is no `/proc`.
    pub(crate) fn look_again(&mut self) -> Result<()> {
        self.load_after = load()?;
        Ok(())
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { processor, cores, kernel, load_before, load_after, versions } = self;
        writeln!(f, "{cores} cores ({processor}), Linux {kernel}; {}", versions.join(", "))?;
        write!(f, "load of the last minute {load_before} before and {load_after} after")
    }
}

async fn version(program: &Path) -> String {
    let said = Command::new(program).arg("--version").output().await;
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    said.unwrap_or_else(|error| format!("{}: {error}", program.display()))
}

fn load() -> Result<f64> {
    let text = read("/proc/loadavg")?;
    let first = text.split(' ').next().and_then(|load| load.parse().ok());
    first.context("/proc/loadavg has an unknown form")
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_says_its_version_or_why_it_cannot() {
        let version_of = async |program: &str| version(Path::new(program)).await;
        assert!(version_of("/bin/sh -c no").await.starts_with("/bin/sh -c no: "));
        assert_eq!(version_of("/bin/echo").await.split_whitespace().next(), Some("echo"));
        assert!(load().unwrap() >= 0.0);
    }
}
