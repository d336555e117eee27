//! Measures two hops, client - node - node - client, as whole processes: AMOP, and beside it the
//! least that QUIC with mutual TLS costs in the same topology.
//!
//! ```text
//!              orders, replies: lines of JSON over pipes
//!      ┌────────────────┬──── two-hop ────┬────────────────┐
//!  publisher ═══▶ first node ◀═══ second node ◀═══ subscriber
//! ```
//!
//! This one program plays every part but that of the daemon: it starts itself again for each
//! client, and for each relay of the floor. Both chains stay up for the whole run and take turns,
//! so that a disturbance of the machine meets both. What counts as a message has gone all the
//! way: a one-way message was acknowledged by the far client, a request was answered by it.

mod args;
mod bench;
mod case;
mod certs;
mod chain;
mod child;
mod clock;
mod cpu;
mod floor;
mod orders;
mod ours;
mod report;
mod window;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use args::{Args, BenchArgs, Role};
use orders::benchmark_ended;
use report::Report;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let result = runtime.block_on(async {
        match args.role {
            Some(role) => play(role).await,
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
    let plan = args.plan();
    let runs = bench::run(&plan, &args.node_binary()?).await?;
    let report = Report::new(&plan, &runs);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report).expect("a report can be JSON"));
    } else {
        print!("{report}");
    }
    Ok(())
}

async fn play(role: Role) -> Result<()> {
    match role {
        Role::Publisher { certs, node } => ours::run_publisher(&certs, node).await,
        Role::Subscriber { certs, node } => ours::run_subscriber(&certs, node).await,
        Role::FloorRelay { certs, dial, ack_frequency } => tokio::select! {
            result = floor::run_relay(&certs, dial, ack_frequency) => result,
            () = benchmark_ended() => Ok(()),
        },
        Role::FloorPublisher { certs, relay, ack_frequency } => {
            floor::run_publisher(&certs, relay, ack_frequency).await
        }
        Role::FloorEcho { certs, relay, ack_frequency } => tokio::select! {
            result = floor::run_echo(&certs, relay, ack_frequency) => result,
            () = benchmark_ended() => Ok(()),
        },
    }
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
