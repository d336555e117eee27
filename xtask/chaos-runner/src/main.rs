//! Runs real nodes and clients through real failures; `cargo xtask chaos` builds and starts it.
//!
//! Everything that is tested is a process of its own: nodes are the daemon as it is shipped, clients this
//! program in another role. Between nodes, and between clients and nodes, lies a proxy of ours, which treats
//! datagrams as badly as a scenario wants; where what clients feel is measured, they have none. Clients write
//! down what they do and see, and what they wrote is judged by the rules of the simulated world.

mod blows;
mod books;
mod client;
mod clock;
mod deaf;
mod diary;
mod figures;
mod flood;
mod hostile;
mod knock;
mod measured;
mod net;
mod offered;
mod options;
mod outage;
mod pressure;
mod process;
mod proxy;
mod raw;
mod saturation;
mod scenario;
mod soak;
mod usage;
mod weather;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use client::ClientArgs;
use deaf::DeafArgs;
use hostile::HostileArgs;
use knock::KnockArgs;
use options::Options;
use scenario::Scenario;

/// Runs real nodes and clients through real failures.
#[derive(Debug, Parser)]
struct CommandLine {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, clap::Subcommand)]
enum Role {
    /// Run scenarios.
    Run {
        #[command(flatten)]
        options: Options,
        /// The daemon.
        #[arg(long)]
        node: PathBuf,
    },
    /// Be a client of such a run.
    #[command(hide = true)]
    Client(ClientArgs),
    /// Be one that reads nothing.
    #[command(hide = true)]
    Deaf(DeafArgs),
    /// Be one that keeps no rule.
    #[command(hide = true)]
    Hostile(HostileArgs),
    /// Be strangers that begin handshakes as fast as they can.
    #[command(hide = true)]
    Knock(KnockArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match CommandLine::parse().role {
        // What the run has started ends with it.
        Role::Run { options, node } => tokio::select! {
            done = run(&options, &node) => done,
            stopped = stop_signal() => stopped,
        },
        Role::Client(args) => client::run(args).await.map(|()| true),
        Role::Deaf(args) => deaf::run(args).await.map(|()| true),
        Role::Hostile(args) => hostile::run(args).await.map(|()| true),
        Role::Knock(args) => knock::run(args).await.map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Waits until somebody wants the run to stop.
async fn stop_signal() -> Result<bool> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    tokio::select! {
        _ = terminate.recv() => bail!("stopped by SIGTERM"),
        _ = interrupt.recv() => bail!("stopped by Ctrl-C"),
    }
}

/// Runs what was asked for; says whether all of it went well.
async fn run(options: &Options, node: &Path) -> Result<bool> {
    let scenarios: Vec<Scenario> = match options.scenario.as_str() {
        "all" => Scenario::ALL.to_vec(),
        name => vec![Scenario::named(name).with_context(|| {
            format!("there are {}, all", Scenario::ALL.map(Scenario::name).join(", "))
        })?],
    };
    let seed = options.seed.unwrap_or_else(|| clock::micros() % 1_000_000);
    let mut is_good = true;
    for scenario in scenarios {
        println!("{}: seed {seed}", scenario.name());
        let verdict = scenario.run(options, seed, node).await;
        let verdict = verdict.with_context(|| format!("{} did not run", scenario.name()))?;
        println!("{verdict}");
        is_good &= verdict.is_good();
    }
    Ok(is_good)
}
