//! Measures two hops, client - node - node - client, as whole processes: AMOP, and what it is
//! compared with in the same topology.
//!
//! ```text
//!              orders, replies: lines of JSON over pipes
//!      ┌────────────────┬──── two-hop ────┬────────────────┐
//!  publisher ═══▶ first node ◀═══ second node ◀═══ subscriber
//! ```
//!
//! This one program plays every part but those of the daemon and of the NATS server: it starts
//! itself again for each client and each bare relay. The work of a case is written once; each
//! system only says how it sends a stream of messages, and how it asks. Every run has processes of
//! its own, and the systems take turns, so that a disturbance of the machine meets all. What
//! counts as a message has gone all the way: the far client counted it, or answered it.

mod args;
mod asking;
mod bench;
mod case;
mod certs;
mod child;
mod clock;
mod crowd;
mod door;
mod figures;
mod file;
mod flow;
mod histograms;
mod latencies;
mod machine;
mod message;
#[cfg(feature = "nats")]
mod nats;
#[cfg(not(feature = "nats"))]
#[path = "without_nats.rs"]
mod nats;
mod network;
mod orders;
mod ours;
mod publisher;
mod raw;
mod report;
mod roles;
mod stalls;
mod subscriber;
mod system;
mod usage;
mod weather;
mod window;

use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use args::{Args, BenchArgs, Command};
use histograms::Log;
use report::Report;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let result = runtime.block_on(async {
        match args.command {
            Some(Command::File(file)) => tokio::select! {
                result = file.run(&args.bench) => result,
                result = stop_signal() => result,
            },
            Some(Command::Role(role)) => role.play().await,
            None => tokio::select! {
                result = bench(&args.bench) => result,
                result = stop_signal() => result,
            },
        }
    });
    // A thread that waits for input would otherwise be waited for.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

async fn bench(args: &BenchArgs) -> Result<()> {
    let plan = args.plan()?;
    let histograms = args.histograms.as_deref().map(Log::create).transpose()?;
    let results = bench::run(&plan).await?;
    if let Some(log) = histograms {
        log.write(&results.cases)?;
    }
    let report = Report::new(&plan, &results);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report).expect("a report can be JSON"));
    } else {
        print!("{report}");
    }
    let stalls: Vec<String> = report.stalls.iter().map(ToString::to_string).collect();
    ensure!(stalls.is_empty(), "{}", stalls.join("; "));
    Ok(())
}

/// Waits until somebody wants the benchmark to stop: what it started must be ended then, too.
async fn stop_signal() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    tokio::select! {
        _ = terminate.recv() => bail!("stopped by SIGTERM"),
        _ = interrupt.recv() => bail!("stopped by Ctrl-C"),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("two-hop: {error:#}");
    ExitCode::FAILURE
}
