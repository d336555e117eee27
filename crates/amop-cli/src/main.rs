//! The tool `amop`: what people type.
//!
//! Each command is a module. A command gets its arguments, an [`Out`] to write to and a [`Stop`]
//! that tells when to end; it returns nothing, or a [`Failure`] that says how the process ends.

mod acl;
mod args;
mod cert;
mod clock;
mod config;
mod connect;
mod demo;
mod doctor;
mod errors;
mod exit;
mod files;
mod key;
mod look;
mod out;
mod pages;
mod password;
mod payload;
mod publish;
mod shell;
mod stop;
mod sub;
mod text;
mod top;
mod transfer;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::time::timeout;
use tracing_subscriber::EnvFilter;

use args::{Args, Command};
use cert::args::Cert;
use errors::{Lang, kind};
use exit::{Exit, Failure};
use look::args::Look;
use out::Out;
use stop::Stop;

fn main() -> ExitCode {
    let args = Args::parse();
    let mut out = Out::new(args.common.json, Lang::of(args.common.lang));
    start_logging(args.common.verbose);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let sentence = "the system gives no threads or no event queue";
            return Failure::new(Exit::IO, kind!("no-runtime"), sentence)
                .because(&error)
                .tell(&mut out);
        }
    };
    let code = runtime.block_on(run_until_stopped(args, out));
    // A thread may still wait for standard input.
    runtime.shutdown_background();
    password::restore_terminal();
    code
}

/// Runs the command in a task of its own. One that is asked to end gets a moment to do so; one that
/// is stuck, because nobody reads what it writes, is left behind.
async fn run_until_stopped(args: Args, mut out: Out) -> ExitCode {
    let stop = Stop::listen();
    let mut command = tokio::spawn({
        let stop = stop.clone();
        async move {
            match run(args, &mut out, &stop).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(failure) => failure.tell(&mut out),
            }
        }
    });
    let asked = tokio::select! {
        // A panic was reported where it happened.
        ended = &mut command => return ended.unwrap_or(ExitCode::FAILURE),
        asked = stop.asked() => asked,
    };
    match timeout(GRACE, command).await {
        Ok(ended) => ended.unwrap_or(ExitCode::FAILURE),
        Err(_) => ExitCode::from(asked.exit_code()),
    }
}

async fn run(args: Args, out: &mut Out, stop: &Stop) -> Result<(), Failure> {
    let Args { link: before, command, .. } = args;
    match command {
        Command::Demo(demo) => demo::run(&demo, out, stop).await,
        Command::Sub(sub) => {
            let link = sub.link.clone().or(&before);
            sub::run(&sub, &link, out, stop).await
        }
        Command::Pub(publish) => {
            let link = publish.link.clone().or(&before);
            stop.or(publish::publish(&publish, &link, out)).await
        }
        Command::Request(request) => {
            let link = request.link.clone().or(&before);
            stop.or(publish::request(&request, &link, out)).await
        }
        Command::Send(send) => {
            let link = send.link.clone().or(&before);
            transfer::send(&send, &link, out, stop).await
        }
        Command::Receive(receive) => {
            let link = receive.link.clone().or(&before);
            transfer::receive(&receive, &link, out, stop).await
        }
        Command::Key(command) => key::run(&command, out),
        Command::Cert(Cert::Renew(renew)) if renew.daemon => {
            cert::renewal::run(&renew, out, stop).await
        }
        Command::Cert(cert) => cert::run(&cert, out),
        Command::Status(args) => look::look(&Look::Status(args), out, stop).await,
        Command::Peers(args) => look::look(&Look::Peers(args), out, stop).await,
        Command::Clients(args) => look::look(&Look::Clients(args), out, stop).await,
        Command::Topics(args) => look::look(&Look::Topics(args), out, stop).await,
        Command::Who(args) => look::look(&Look::Who(args), out, stop).await,
        Command::Topology(args) => look::look(&Look::Topology(args), out, stop).await,
        Command::Trace(args) => stop.or(look::look(&Look::Trace(args), out, stop)).await,
        Command::Top(args) => top::run(&args, out, stop).await,
        Command::Node(command) => stop.or(look::order(&command, out)).await,
        Command::Doctor(doctor) => {
            let link = doctor.link.clone().or(&before);
            stop.or(doctor::run(&link, out)).await
        }
        Command::Errors(args) => errors::run(&args, out.lang(), out),
        Command::Acl(command) => acl::run(&command, out),
        Command::Config(command) => config::run(&command, out),
        Command::Version => pages::version(out),
        Command::Man(args) => pages::man(&args, out),
        Command::Completions(args) => pages::completions(&args, out),
    }
}

fn start_logging(verbose: u8) {
    let level = match verbose {
        0 => "off",
        1 => "info",
        _ => "debug",
    };
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr);
    builder.with_env_filter(EnvFilter::new(level)).init();
}

/// How long a command may take to end once it was asked to.
const GRACE: Duration = Duration::from_secs(3);
