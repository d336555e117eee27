//! Signals that ask the tool to end, which it does in order: clients say goodbye to their node, and
//! the demo removes its files.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Failure;

/// Tells whether the process was asked to end. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    asked: watch::Receiver<Option<Asked>>,
}

/// Which signal asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// The terminal is gone.
    Hangup,
}

impl Asked {
    /// The exit code that shells expect of a process that ended by the signal.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Hangup => 129,
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl Stop {
    /// Listens from now on, in the runtime that calls.
    pub(crate) fn listen() -> Self {
        let (tell, asked) = watch::channel(None);
        tokio::spawn(async move {
            let mut interrupt = signal(SignalKind::interrupt()).ok();
            let mut terminate = signal(SignalKind::terminate()).ok();
            let mut hangup =
                if hangup_is_ignored() { None } else { signal(SignalKind::hangup()).ok() };
            let cause = tokio::select! {
                () = received(&mut interrupt) => Asked::Interrupt,
                () = received(&mut terminate) => Asked::Terminate,
                () = received(&mut hangup) => Asked::Hangup,
            };
            // Nobody listens once the command has ended.
            let _ = tell.send(Some(cause));
            std::future::pending::<()>().await;
        });
        Self { asked }
    }

    /// Runs a command to its end, or until a signal asks.
    ///
    /// # Errors
    ///
    /// The command's, or [`Failure::Stopped`].
    pub(crate) async fn or(
        &self,
        command: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        tokio::select! {
            ended = command => ended,
            asked = self.asked() => Err(Failure::Stopped(asked)),
        }
    }

    /// Waits until a signal asks.
    pub(crate) async fn asked(&self) -> Asked {
        let mut asked = self.asked.clone();
        match asked.wait_for(Option::is_some).await.map(|asked| *asked) {
            Ok(Some(cause)) => cause,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => match signal.recv().await {
            Some(()) => {}
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// Whether the tool was started by `nohup`: a listener would undo that.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 == 1)
}
