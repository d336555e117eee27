//! Runs real nodes and clients through real failures; `cargo xtask chaos` builds and starts it.
//!
//! Everything that is tested is a process of its own: nodes are the daemon as it is shipped, clients this
//! program in another role. Between nodes lies a proxy of ours, which treats datagrams as badly as a
//! scenario wants. Clients write down what they do and see, and what they wrote is judged by the rules of
//! the simulated world.

mod books;
mod client;
mod clock;
mod diary;
mod net;
mod options;
mod process;
mod proxy;
mod scenario;
mod weather;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use client::ClientArgs;
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
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match CommandLine::parse().role {
        Role::Run { options, node } => run(&options, &node).await,
        Role::Client(args) => client::run(args).await.map(|()| true),
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
