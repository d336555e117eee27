//! The command line.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};

use crate::bench::Plan;
use crate::case::Case;
use crate::file::FileArgs;
use crate::network::Timing;
use crate::roles::Role;
use crate::system::System;
use crate::weather::Weather;

/// Measures messages and requests from client to client over two nodes, all processes of their own.
#[derive(Debug, Parser)]
#[command(
    name = "two-hop",
    before_help = "Example: cargo xtask bench two-hop --vs raw,nats --case one-way-256"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) bench: BenchArgs,
}

/// What is run instead of the cases.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send files, and see what they cost.
    File(FileArgs),
    #[command(flatten)]
    Role(Role),
}

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// Run only this case; may be given several times, or as a list with commas. `all` are all; the
    /// long ones, bulk-1g and attach-2000, run only when they are named.
    #[arg(long = "case", value_name = "CASE", value_delimiter = ',', value_parser = cases)]
    cases: Vec<Cases>,
    /// Also run this system, which takes turns with AMOP: raw is bare QUIC with the settings of
    /// AMOP's links, nats a cluster of NATS servers.
    #[arg(long, value_name = "SYSTEM", value_delimiter = ',', value_parser = peer)]
    vs: Vec<System>,
    /// What happens between the nodes to datagrams: clear, loss (1 %), bursts (5 %, all for some 10 ms),
    /// delay (50 to 150 ms), reorder (2 %). NATS has no such nodes.
    #[arg(long, value_name = "WEATHER", default_value = "clear")]
    weather: Weather,
    /// On how many threads each node of AMOP does the work of its links.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: u8,
    /// How long each run is measured, in seconds.
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// How often each case is run.
    #[arg(
        long,
        alias = "repeats",
        default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..=1000)
    )]
    repeat: u32,
    /// Only prove that nothing is lost and every answer is right, in one short run of every case.
    #[arg(long, conflicts_with_all = ["seconds", "repeat"])]
    smoke: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write how long answers took to this file, as a log of HDR histograms.
    #[arg(long, value_name = "FILE")]
    pub(crate) histograms: Option<PathBuf>,
    /// The daemon to measure; `amop-node` beside this program when absent.
    #[arg(long, value_name = "PATH")]
    node_binary: Option<PathBuf>,
    /// The server of NATS. `cargo xtask bench` finds or fetches one.
    #[arg(long, value_name = "PATH", env = "NATS_SERVER")]
    nats_server: Option<PathBuf>,
}

/// One word of `--case`.
#[derive(Clone, Debug)]
enum Cases {
    All,
    One(Box<Case>),
}

impl BenchArgs {
    /// What to run.
    ///
    /// # Errors
    ///
    /// Fails when there is no daemon, or no server of NATS where one is named.
    pub(crate) fn plan(&self) -> Result<Plan> {
        let (timing, repeats) = if self.smoke {
            let [warm_up, window, hold] = [50, 150, 150].map(Duration::from_millis);
            (Timing { warm_up, window, hold }, 1)
        } else {
            let window = Duration::from_secs_f64(self.seconds);
            (Timing { warm_up: WARM_UP, window, hold: HOLD }, self.repeat)
        };
        let mut systems = vec![System::Ours];
        systems.extend(&self.vs);
        systems.sort_unstable();
        systems.dedup();
        if let Some(path) = self.nats_server.as_ref().filter(|_| systems.contains(&System::Nats)) {
            ensure!(path.is_file(), "there is no server of NATS at {}", path.display());
        }
        Ok(Plan {
            cases: self.chosen_cases(),
            systems,
            timing,
            repeats,
            node_binary: self.node_binary()?,
            nats_server: self.nats_server.clone(),
            weather: self.weather,
            workers: self.workers,
        })
    }

    fn chosen_cases(&self) -> Vec<Case> {
        let is_chosen = |case: &Case| match &self.cases[..] {
            [] => self.smoke || !case.is_long(),
            words => words.iter().any(|word| match word {
                Cases::All => true,
                Cases::One(one) => one.name == case.name,
            }),
        };
        let chosen = Case::ALL.into_iter().filter(is_chosen);
        chosen.map(|case| if self.smoke { case.small() } else { case }).collect()
    }

    fn node_binary(&self) -> Result<PathBuf> {
        let path = match &self.node_binary {
            Some(path) => path.clone(),
            None => {
                let this = env::current_exe().context("cannot find this program")?;
                this.with_file_name(format!("amop-node{}", env::consts::EXE_SUFFIX))
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

fn peer(text: &str) -> Result<System, String> {
    match text.parse()? {
        System::Ours => Err("ours takes part anyway".to_owned()),
        peer => Ok(peer),
    }
}

fn cases(text: &str) -> Result<Cases, String> {
    if text == "all" {
        return Ok(Cases::All);
    }
    let known = Case::ALL.into_iter().find(|case| case.name == text);
    let one = known.map(|case| Cases::One(Box::new(case)));
    one.ok_or_else(|| format!("there are {}", Case::ALL.map(|case| case.name).join(", ")))
}

/// Until connections have found their pace.
const WARM_UP: Duration = Duration::from_millis(500);

/// Longer than it takes until a client that is not heard of counts as lost.
const HOLD: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(arguments: &[&str]) -> Result<BenchArgs, clap::Error> {
        let args = Args::try_parse_from(["two-hop"].iter().chain(arguments));
        args.map(|args| args.bench)
    }

    fn chosen(arguments: &[&str]) -> Vec<Case> {
        parse(arguments).unwrap().chosen_cases()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_case_that_is_not_long_runs_unless_some_are_named() {
        let names = |cases: &[Case]| cases.iter().map(|case| case.name).collect::<Vec<_>>();
        assert!(chosen(&[]).iter().all(|case| !case.is_long()));
        assert_eq!(chosen(&[]).len() + 2, Case::ALL.len());
        assert_eq!(chosen(&["--case", "all"]), Case::ALL);
        let some = chosen(&["--case", "bulk-1g,requests-64", "--case", "one-way-16"]);
        assert_eq!(names(&some), ["one-way-16", "requests-64", "bulk-1g"]);
        parse(&["--case", "requests-2"]).unwrap_err();
    }

    #[test]
    fn the_smoke_is_every_case_made_small() {
        assert_eq!(chosen(&["--smoke"]), Case::ALL.map(Case::small));
    }

    #[test]
    fn ours_always_takes_part_and_nobody_twice() {
        let node = env::current_exe().unwrap();
        let node = ["--node-binary", node.to_str().unwrap(), "--vs", "nats,raw", "--vs", "raw"];
        let plan = parse(&node).unwrap().plan().unwrap();
        assert_eq!(plan.systems, [System::Ours, System::Raw, System::Nats]);
        assert_eq!((plan.timing.window, plan.repeats), (Duration::from_secs(2), 5));
        parse(&["--vs", "ours"]).unwrap_err();
        parse(&["--smoke", "--seconds", "2"]).unwrap_err();
        parse(&["--smoke", "--repeats", "2"]).unwrap_err();
        parse(&["--seconds", "0"]).unwrap_err();
    }

    #[test]
    fn a_server_of_nats_that_is_not_there_is_told_before_anything_runs() {
        let node = env::current_exe().unwrap();
        let node = ["--node-binary", node.to_str().unwrap(), "--nats-server", "/no/such/server"];
        let error = parse(&[&node[..], &["--vs", "nats"]].concat()).unwrap().plan().unwrap_err();
        assert_eq!(error.to_string(), "there is no server of NATS at /no/such/server");
        parse(&node).unwrap().plan().expect("nobody asked for NATS");
    }
}
