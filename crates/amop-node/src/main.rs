//! The daemon `amop-node`: reads a configuration, runs a node, and stops it gracefully on SIGTERM or Ctrl-C.
//!
//! Its certificate, whom it trusts and its limits it reads again on SIGHUP, when it is asked to, and when a file of
//! them has changed on the disk.

mod admin;
mod supervisor;
mod watch;

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use amop_node::command::Args;
use amop_node::{
    Config, ConfigError, ConfigErrors, LogConfig, LogFormat, Node, StartError, StateError,
};
use clap::Parser;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::{error, info, warn};
use tracing_subscriber::{EnvFilter, reload};

use admin::{Desk, Listening, Order, Reloaded, Reloads, SetLogLevel};
use supervisor::Supervisor;
use watch::Watch;

/// Reads the configuration, with what the command line says instead.
fn read(args: &Args) -> Result<Config, ConfigErrors> {
    Config::from_file_with(&args.config, &args.sets)
}

fn main() -> ExitCode {
    let args = Args::parse();
    amop_p2p::keep_freed_memory();
    match runtime() {
        Ok(runtime) => runtime.block_on(start(args)),
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

async fn start(args: Args) -> ExitCode {
    let config = match read(&args) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("amop-node: the configuration cannot be used\n{errors}");
            if !args.config.exists() {
                eprintln!(
                    "next: name it with --config FILE; `amop cert quick` makes one to try things out with"
                );
            }
            return ExitCode::from(exit_code(&errors));
        }
    };
    if args.check {
        println!("{}: ok, this is {}", args.config.display(), config.node.identity.name());
        return ExitCode::SUCCESS;
    }
    let log_level = match start_logging(&config.log) {
        Ok(log_level) => log_level,
        Err(error) => return fail(EX_CONFIG, &*error),
    };
    info!(config = %args.config.display(), name = %config.node.identity.name(), "starting");
    // Before the node says that it has started: whoever waits for that may signal at once.
    let signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => return fail(EX_IOERR, &error),
    };
    let running = config.clone();
    let node = match Node::start_in(config.node, config.state_dir).await {
        Ok(node) => node,
        Err(error) => return fail(start_exit_code(&error), &error),
    };
    let listening = match Listening::on(&config.admin_socket, config.admin_listen).await {
        Ok(listening) => listening,
        Err(error) => {
            node.shutdown().await;
            return fail(EX_IOERR, &error);
        }
    };
    let admin_addr = listening.addr().map(|addr| addr.to_string());
    info!(socket = %config.admin_socket.display(), admin_addr, "admin interface ready");
    let (orders, to_do) = mpsc::channel(ORDERS_MAX);
    let reloads = Arc::default();
    let desk = Desk {
        node: node.window(),
        orders,
        reloads: Arc::clone(&reloads),
        set_log_level: log_level,
    };
    let _serving = listening.serve(&desk);
    // Whoever waits for this line may ask at once.
    let (p2p_addr, sdk_addr) = (node.p2p_addr(), node.sdk_addr());
    info!(%p2p_addr, %sdk_addr, epoch = node.epoch().0, "node started");
    let supervisor = Arc::new(Supervisor::from_env());
    supervisor.ready();
    let (reporter, window) = (Arc::clone(&supervisor), node.window());
    // It ends with the node.
    tokio::spawn(async move { reporter.report(&window).await });
    run(Daemon { args, running, node, signals, orders: to_do, reloads, supervisor }).await
}

/// A daemon that has started.
struct Daemon {
    args: Args,
    /// The configuration that it was started with.
    running: Config,
    node: Node,
    signals: Signals,
    orders: mpsc::Receiver<Order>,
    reloads: Arc<Reloads>,
    supervisor: Arc<Supervisor>,
}

/// Runs until something stops it.
async fn run(mut daemon: Daemon) -> ExitCode {
    let mut status = daemon.node.status();
    let exit_code = tokio::select! {
        cause = daemon.until_stopped() => {
            info!(cause, "stopping; once more to stop at once");
            daemon.supervisor.stopping();
            tokio::select! {
                () = daemon.node.drain() => {}
                cause = daemon.signals.again() => warn!(cause, "stopping at once"),
            }
            ExitCode::SUCCESS
        }
        _ = status.wait_for(|status| status.is_superseded) => ExitCode::from(EX_TEMPFAIL),
    };
    daemon.node.shutdown().await;
    exit_code
}

impl Daemon {
    /// Waits for what stops the daemon and says what it was; reloads meanwhile on SIGHUP, when it is asked to, and
    /// when a certificate, key or revocation list has changed.
    async fn until_stopped(&mut self) -> &'static str {
        let mut watch = Watch::new(self.running.tls_files.clone());
        loop {
            tokio::select! {
                _ = self.signals.terminate.recv() => return "SIGTERM",
                _ = self.signals.interrupt.recv() => return "SIGINT",
                _ = self.signals.hang_up.recv() => {
                    let _ = self.reload();
                }
                Some(order) = self.orders.recv() => match order {
                    Order::Drain => return "drain",
                    Order::Reload(done) => {
                        // Whoever asked may be gone.
                        let _ = done.send(self.reload());
                    }
                },
                () = sleep(watch::PERIOD) => {
                    if watch.has_changed() {
                        let _ = self.reload();
                    }
                }
            }
        }
    }

    /// Reads the configuration again, and tells the supervisor when it begins and has ended.
    fn reload(&self) -> Result<Reloaded, String> {
        self.supervisor.reloading();
        let reloaded = self.read_again();
        self.supervisor.ready();
        reloaded
    }

    /// Reads again who the node is, whom to trust, the limits and the rules. What is wrong there changes nothing.
    fn read_again(&self) -> Result<Reloaded, String> {
        let config = match read(&self.args) {
            Ok(config) => config,
            Err(errors) => {
                self.reloads.refused.fetch_add(1, Ordering::Relaxed);
                error!(error = %errors.in_one_line(), "not reloaded; nothing has changed");
                return Err(errors.in_one_line());
            }
        };
        if let Err(error) = self.node.recertify(&config.node.identity) {
            self.reloads.refused.fetch_add(1, Ordering::Relaxed);
            error!(%error, "not reloaded; nothing has changed");
            return Err(error.to_string());
        }
        let needs_restart = config.needs_restart(&self.running);
        if !needs_restart.is_empty() {
            warn!(keys = needs_restart.join(", "), "changed keys count from the next start on");
        }
        self.node.reload(&config.node.trust);
        self.node.set_limits(config.node.limits);
        self.node.set_access(config.node.access);
        self.reloads.taken.fetch_add(1, Ordering::Relaxed);
        info!("reloaded certificate, roots, revocation lists, limits and rules");
        Ok(Reloaded { needs_restart })
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

/// Starts the log, and answers how to change what goes into it.
fn start_logging(log: &LogConfig) -> Result<SetLogLevel, Box<dyn std::error::Error>> {
    let filter = EnvFilter::try_new(&log.level)
        .map_err(|error| format!("`log.level`: {error}; use for example `info`"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(is_coloured(io::stderr().is_terminal(), std::env::var_os("NO_COLOR").as_deref()))
        .with_writer(io::stderr);
    fn setter<S: 'static>(handle: reload::Handle<EnvFilter, S>) -> SetLogLevel {
        Arc::new(move |filter| {
            let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
            handle.reload(filter).map_err(|error| error.to_string())
        })
    }
    Ok(match log.format {
        LogFormat::Text => {
            let builder = builder.with_filter_reloading();
            let set_log_level = setter(builder.reload_handle());
            builder.init();
            set_log_level
        }
        LogFormat::Json => {
            let builder = builder.json().with_filter_reloading();
            let set_log_level = setter(builder.reload_handle());
            builder.init();
            set_log_level
        }
    })
}

/// Whether the log has colours: somebody looks at it, and has not asked for none (<https://no-color.org>).
fn is_coloured(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
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

/// The code of all that is wrong, if it is of one kind; else the configuration as a whole is wrong.
fn exit_code(errors: &ConfigErrors) -> u8 {
    let mut codes = errors.problems.iter().map(|problem| match &problem.error {
        ConfigError::Unreadable { .. } => EX_NOINPUT,
        ConfigError::BadTrust { .. }
        | ConfigError::BadRevocations { .. }
        | ConfigError::NoRevocations { .. }
        | ConfigError::BadIdentity { .. }
        | ConfigError::BadPassword(_)
        | ConfigError::KeyIsOpen { .. } => EX_NOPERM,
        _ => EX_CONFIG,
    });
    let first = codes.next().unwrap_or(EX_CONFIG);
    if codes.all(|code| code == first) { first } else { EX_CONFIG }
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

/// Orders that wait while one is carried out.
const ORDERS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_colours_only_on_a_terminal_whose_user_wants_them() {
        assert!(is_coloured(true, None));
        assert!(is_coloured(true, Some(OsStr::new(""))), "empty is unset");
        assert!(!is_coloured(true, Some(OsStr::new("1"))));
        assert!(!is_coloured(false, None));
    }
}
