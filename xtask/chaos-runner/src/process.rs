//! Processes of a run: their logs, their signals, their lives.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::clock::micros;
use crate::diary::{Source, Stop};
use crate::proxy::Wire;
use crate::usage::{Usage, metric};

/// A node's process. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    binary: PathBuf,
    dir: PathBuf,
    child: Child,
    lines: watch::Receiver<Vec<String>>,
    pub(crate) p2p_addr: SocketAddr,
    pub(crate) sdk_addr: SocketAddr,
}

impl Daemon {
    /// Starts the daemon with the configuration in a directory, and waits until it has started.
    ///
    /// # Errors
    ///
    /// Fails if it does not start.
    pub(crate) async fn start(binary: &Path, dir: &Path) -> Result<Self> {
        let (child, lines) = spawn(binary, dir).await?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (binary, dir) = (binary.into(), dir.into());
        let mut daemon = Self { binary, dir, child, lines, p2p_addr: any, sdk_addr: any };
        daemon.has_started().await?;
        Ok(daemon)
    }

    /// Starts it anew after its end.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub(crate) async fn restart(&mut self) -> Result<()> {
        (self.child, self.lines) = spawn(&self.binary, &self.dir).await?;
        self.has_started().await
    }

    /// Kills it without a chance to clean up.
    ///
    /// # Errors
    ///
    /// Fails if it had ended by itself.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "{} had ended by itself", self.dir.display());
        Ok(self.child.kill().await?)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// Fails if it has ended.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        send(&self.child, signal)
    }

    /// What it takes of the system now.
    ///
    /// # Errors
    ///
    /// Fails if it has ended.
    pub(crate) async fn usage(&self) -> Result<Usage> {
        let tasks = metric(&self.dir.join("state/admin.sock"), "amop_tasks").await?;
        let usage = Usage::of(self.child.id().context("the process has ended")?)?;
        Ok(Usage { tasks, ..usage })
    }

    /// Waits for its end: with which exit code.
    ///
    /// # Errors
    ///
    /// Fails if it takes longer than that.
    pub(crate) async fn ends_within(&mut self, span: Duration) -> Result<Option<i32>> {
        let ended = timeout(span, self.child.wait()).await;
        Ok(ended.with_context(|| format!("{} does not end", self.dir.display()))??.code())
    }

    /// Waits until it has said this in its present life.
    ///
    /// # Errors
    ///
    /// Fails if it does not say so for long, or ends.
    pub(crate) async fn says(&self, parts: &[&str]) -> Result<String> {
        let has_all = |line: &&String| parts.iter().all(|part| line.contains(part));
        let mut lines = self.lines.clone();
        let said = lines.wait_for(|lines| lines.iter().any(|line| has_all(&line)));
        match timeout(PATIENCE, said).await {
            Ok(Ok(lines)) => Ok(lines.iter().find(has_all).cloned().unwrap_or_default()),
            Ok(Err(_)) => bail!("{} has ended before it said {parts:?}", self.dir.display()),
            Err(_) => bail!("{} does not say {parts:?}", self.dir.display()),
        }
    }

    /// All that it has said in its present life of which this is part.
    pub(crate) fn has_said(&self, parts: &[&str]) -> Vec<String> {
        let has_all = |line: &&String| parts.iter().all(|part| line.contains(part));
        self.lines.borrow().iter().filter(has_all).cloned().collect()
    }

    async fn has_started(&mut self) -> Result<()> {
        let line = self.says(&["node started"]).await?;
        let field = |key: &str| -> Result<SocketAddr> {
            let (_, rest) = line.split_once(key).context("the line has it")?;
            Ok(rest.split(' ').next().unwrap_or_default().parse()?)
        };
        (self.p2p_addr, self.sdk_addr) = (field("p2p_addr=")?, field("sdk_addr=")?);
        Ok(())
    }
}

/// A client's process. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct ClientProcess {
    /// Before its nodes, as long as it lives.
    pub(crate) wires: Vec<Wire>,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    is_killed: bool,
    is_finished: bool,
    stops: Vec<Stop>,
    diary: PathBuf,
}

impl ClientProcess {
    /// Starts this program in a role with these arguments, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// Fails if it does not get ready.
    pub(crate) async fn start(role: &str, arguments: &[String], diary: PathBuf) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(role).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().context("it was piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let line =
            timeout(PATIENCE, lines.next_line()).await.context("a client takes too long")??;
        ensure!(line.as_deref() == Some("ready"), "a client did not get ready");
        let (wires, stops) = (Vec::new(), Vec::new());
        Ok(Self { wires, child, lines, is_killed: false, is_finished: false, stops, diary })
    }

    /// Has it come to its end, and answers what it says then.
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish).
    pub(crate) async fn last_word(&mut self) -> Result<String> {
        self.finish().await?;
        Ok(self.lines.next_line().await?.unwrap_or_default())
    }

    /// Its diary, and what became of it.
    pub(crate) fn diary(&self) -> Source<'_> {
        let Self { diary: path, is_killed, stops, .. } = self;
        Source { path, is_killed: *is_killed, stops }
    }

    /// Has it stand still for so long.
    ///
    /// # Errors
    ///
    /// Fails if it has ended.
    pub(crate) async fn stand_still(&mut self, span: Duration) -> Result<()> {
        let from = micros();
        send(&self.child, Signal::STOP)?;
        sleep(span).await;
        send(&self.child, Signal::CONT)?;
        self.stops.push(Stop { from, until: micros() });
        Ok(())
    }

    /// Kills it without a chance to clean up.
    ///
    /// # Errors
    ///
    /// Fails if the system does.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.is_killed = true;
        self.child.kill().await?;
        self.wires.clear();
        Ok(())
    }

    /// Likewise, unless it has ended before.
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish).
    pub(crate) async fn finish_if_alive(&mut self) -> Result<()> {
        if self.is_killed || self.is_finished { Ok(()) } else { self.finish().await }
    }

    /// Has it come to its end, and waits for that.
    ///
    /// # Errors
    ///
    /// Fails if it ends in another way, or takes long.
    pub(crate) async fn finish(&mut self) -> Result<()> {
        self.is_finished = true;
        drop(self.child.stdin.take());
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let status = ended.with_context(|| format!("{} does not end", self.diary.display()))??;
        self.wires.clear();
        ensure!(status.success(), "{} ended with {status}", self.diary.display());
        Ok(())
    }
}

async fn spawn(binary: &Path, dir: &Path) -> Result<(Child, watch::Receiver<Vec<String>>)> {
    let mut command = Command::new(binary);
    command.arg("--config").arg(dir.join("amop.toml"));
    command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child =
        command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
    let stderr = child.stderr.take().context("it was piped")?;
    let mut log = File::options().create(true).append(true).open(dir.join("log")).await?;
    let (sender, receiver) = watch::channel(Vec::new());
    tokio::spawn(async move {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let written = log.write_all(format!("{line}\n").as_bytes()).await;
            written.expect("there is room for a log");
            sender.send_modify(|lines: &mut Vec<String>| lines.push(line));
        }
    });
    Ok((child, receiver))
}

fn send(child: &Child, signal: Signal) -> Result<()> {
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    Ok(kill_process(pid.context("the process has ended")?, signal)?)
}

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(30);
