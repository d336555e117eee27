//! The daemon `amop-node`: reads a configuration, runs a node, and stops it gracefully on SIGTERM or Ctrl-C.
//!
//! Whom the node trusts and its limits it reads again on SIGHUP, and when a revocation list has changed on the disk.

mod watch;

use std::io::{self, IsTerminal};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use amop_node::{Config, ConfigError, LogConfig, LogFormat, Node, StartError, StateError};
use clap::Parser;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use watch::Watch;

/// An AMOP node: links with the nodes of other institutions and serves clients of its own.
///
/// Example: amop-node --config /etc/amop/amop.toml
#[derive(Parser)]
#[command(name = "amop-node", version, about, long_about = None, after_help = EXIT_CODES)]
struct Args {
    /// The configuration file. An example stands in docs/OPERATIONS.md.
    #[arg(long, value_name = "FILE", env = "AMOP_CONFIG", default_value = "amop.toml")]
    config: PathBuf,
}

const EXIT_CODES: &str = "\
Example:
  amop-node --config /etc/amop/amop.toml

Exit codes:
  0 stopped by a signal   2 wrong arguments    66 a file is missing or unreadable
  73 the state directory cannot be used        75 a running node uses it
  74 cannot listen        77 key or certificate refused    78 configuration wrong";

fn main() -> ExitCode {
    let args = Args::parse();
    match runtime() {
        Ok(runtime) => runtime.block_on(run(args)),
        Err(error) => fail(EX_IOERR, &error),
    }
}

/// Makes tokio's runtime, which panics where the system has no descriptors left for its signals: so it is
/// tried before whether there are some.
fn runtime() -> io::Result<Runtime> {
    let spare = [UnixStream::pair()?, UnixStream::pair()?, UnixStream::pair()?];
    drop(spare);
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn run(args: Args) -> ExitCode {
    let config = match Config::from_file(&args.config) {
        Ok(config) => config,
        Err(error) => return fail(exit_code(&error), &error),
    };
    if let Err(error) = start_logging(&config.log) {
        return fail(EX_CONFIG, &*error);
    }
    info!(config = %args.config.display(), name = %config.node.identity.name(), "starting");
    // Before the node says that it has started: whoever waits for that may signal at once.
    let mut signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => return fail(EX_IOERR, &error),
    };
    let watch = Watch::new(config.crl.clone());
    let node = match Node::start_in(config.node, config.state_dir).await {
        Ok(node) => node,
        Err(error) => return fail(start_exit_code(&error), &error),
    };
    let mut status = node.status();
    let exit_code = tokio::select! {
        cause = signals.stop(watch, || reload(&node, &args.config)) => {
            info!(cause, "stopping; once more to stop at once");
            tokio::select! {
                () = node.drain() => {}
                cause = signals.again() => warn!(cause, "stopping at once"),
            }
            ExitCode::SUCCESS
        }
        _ = status.wait_for(|status| status.is_superseded) => ExitCode::from(EX_TEMPFAIL),
    };
    node.shutdown().await;
    exit_code
}

/// Reads again whom to trust, and the limits. What is wrong there changes nothing.
fn reload(node: &Node, config: &Path) {
    match Config::from_file(config) {
        Ok(config) => {
            if config.node.identity.fingerprint() != node.fingerprint() {
                warn!("a new certificate or key counts from the next start on");
            }
            node.reload(&config.node.trust);
            node.set_limits(config.node.limits);
            info!("reloaded roots, revocation lists and limits");
        }
        Err(error) => {
            let source = std::error::Error::source(&error);
            let causes = std::iter::successors(source, |&cause| cause.source());
            let error = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
            error!(%error, "not reloaded; nothing has changed");
        }
    }
}

/// The signals that the daemon hears.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn install() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { terminate, interrupt, hang_up: signal(SignalKind::hangup())? })
    }

    /// Waits for one that stops the daemon and says which it was; reloads meanwhile on SIGHUP and when a
    /// revocation list has changed.
    async fn stop(&mut self, mut watch: Watch, reload: impl Fn()) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hang_up.recv() => reload(),
                () = sleep(watch::PERIOD) => {
                    if watch.has_changed() {
                        reload();
                    }
                }
            }
        }
    }
}

impl Signals {
    /// Waits for another signal that stops the daemon.
    async fn again(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn start_logging(log: &LogConfig) -> Result<(), Box<dyn std::error::Error>> {
    let filter = EnvFilter::try_new(&log.level)
        .map_err(|error| format!("`log.level`: {error}; use for example `info`"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    match log.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

/// Prints an error with its causes.
fn fail(code: u8, error: &dyn std::error::Error) -> ExitCode {
    eprintln!("amop-node: {error}");
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    for cause in causes {
        eprintln!("  {cause}");
    }
    ExitCode::from(code)
}

fn exit_code(error: &ConfigError) -> u8 {
    match error {
        ConfigError::Unreadable { .. } => EX_NOINPUT,
        ConfigError::BadTrust { .. }
        | ConfigError::BadRevocations { .. }
        | ConfigError::NoRevocations { .. }
        | ConfigError::BadIdentity { .. }
        | ConfigError::KeyIsOpen { .. } => EX_NOPERM,
        _ => EX_CONFIG,
    }
}

fn start_exit_code(error: &StartError) -> u8 {
    match error {
        StartError::State(StateError::InUse { .. }) => EX_TEMPFAIL,
        StartError::State(_) => EX_CANTCREAT,
        StartError::Chain(_) => EX_NOPERM,
        _ => EX_IOERR,
    }
}

// The numbers of BSD's sysexits.h.
const EX_NOINPUT: u8 = 66;
const EX_CANTCREAT: u8 = 73;
const EX_IOERR: u8 = 74;
const EX_TEMPFAIL: u8 = 75;
const EX_NOPERM: u8 = 77;
const EX_CONFIG: u8 = 78;
