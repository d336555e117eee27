//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};

use crate::bench::Plan;
use crate::case::Case;

/// Measures two hops, client - node - node - client, and what bare QUIC does in the same topology.
#[derive(Debug, Parser)]
#[command(
    name = "two-hop",
    before_help = "Example: cargo xtask bench two-hop --seconds 5",
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
    #[command(flatten)]
    pub(crate) bench: BenchArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// The daemon to measure; `amop-node` beside this program when absent.
    #[arg(long, value_name = "PATH")]
    node_binary: Option<PathBuf>,
    /// How long each run is measured, in seconds.
    #[arg(long, default_value_t = 3.0, value_parser = seconds)]
    seconds: f64,
    /// How often each case is run.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: u32,
    /// Run only this case; may be given several times.
    #[arg(long = "case", value_name = "CASE", value_parser = case)]
    cases: Vec<Case>,
    /// Only prove that nothing is lost and every answer is right, in one short run.
    #[arg(long)]
    smoke: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Let the floor ask for sparser acknowledgements. The daemon has no key for it.
    #[arg(long)]
    ack_frequency: bool,
}

/// What a process is that the benchmark starts.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// The client of the SDK that sends.
    #[command(hide = true)]
    Publisher { certs: PathBuf, node: SocketAddr },
    /// The client of the SDK that receives and answers.
    #[command(hide = true)]
    Subscriber { certs: PathBuf, node: SocketAddr },
    /// A relay of the floor.
    #[command(hide = true)]
    FloorRelay {
        certs: PathBuf,
        dial: Option<SocketAddr>,
        #[arg(long)]
        ack_frequency: bool,
    },
    /// The client of the floor that sends.
    #[command(hide = true)]
    FloorPublisher {
        certs: PathBuf,
        relay: SocketAddr,
        #[arg(long)]
        ack_frequency: bool,
    },
    /// The client of the floor that receives and answers.
    #[command(hide = true)]
    FloorEcho {
        certs: PathBuf,
        relay: SocketAddr,
        #[arg(long)]
        ack_frequency: bool,
    },
}

impl BenchArgs {
    /// What to run.
    pub(crate) fn plan(&self) -> Plan {
        let (warm_up, window, repeats) = if self.smoke {
            (Duration::from_millis(100), Duration::from_millis(200), 1)
        } else {
            (Duration::from_millis(500), Duration::from_secs_f64(self.seconds), self.repeats)
        };
        let chosen = |case: &Case| self.cases.is_empty() || self.cases.contains(case);
        let cases = Case::ALL.into_iter().filter(chosen).collect();
        Plan { cases, warm_up, window, repeats, ack_frequency: self.ack_frequency }
    }

    /// Finds the daemon.
    ///
    /// # Errors
    ///
    /// Fails when it is not there.
    pub(crate) fn node_binary(&self) -> Result<PathBuf> {
        let path = match &self.node_binary {
            Some(path) => path.clone(),
            None => {
                let this = std::env::current_exe().context("cannot find this program")?;
                this.with_file_name(format!("amop-node{}", std::env::consts::EXE_SUFFIX))
            }
        };
        let advice = "build it with `cargo build --release -p amop-node`";
        ensure!(path.is_file(), "there is no daemon at {}; {advice}", path.display());
        Ok(path)
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(seconds),
        Ok(_) | Err(_) => Err("give a number from 0.1 to 3600".to_owned()),
    }
}

fn case(text: &str) -> Result<Case, String> {
    Case::ALL.into_iter().find(|case| case.to_string() == text).ok_or_else(|| {
        let known: Vec<String> = Case::ALL.iter().map(Case::to_string).collect();
        format!("there are {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_case_runs_unless_some_are_named() {
        let plan = |arguments: &[&str]| {
            let args = Args::try_parse_from(["two-hop"].iter().chain(arguments)).unwrap();
            args.bench.plan()
        };
        assert_eq!(plan(&[]).cases, Case::ALL);
        assert_eq!((plan(&[]).window, plan(&[]).repeats), (Duration::from_secs(3), 3));
        let two = plan(&["--case", "requests-64", "--case", "one-way"]).cases;
        assert_eq!(two, [Case::OneWay, Case::Requests { in_flight: 64 }]);
        assert_eq!(plan(&["--smoke", "--repeats", "9"]).repeats, 1);
        Args::try_parse_from(["two-hop", "--case", "requests-2"]).unwrap_err();
        Args::try_parse_from(["two-hop", "--seconds", "0"]).unwrap_err();
    }
}
