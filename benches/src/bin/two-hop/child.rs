//! One process of the benchmark: killed when it is dropped, and asked for its last words when
//! something went wrong.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child as Process, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::orders::{Order, Reply};

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Child {
    /// What it is in this benchmark, for messages to people.
    role: &'static str,
    id: u32,
    process: Process,
    orders: ChildStdin,
    replies: Lines<BufReader<ChildStdout>>,
    /// Everything that it says on its standard error, line by line.
    log: mpsc::UnboundedReceiver<String>,
    last_words: Arc<Mutex<VecDeque<String>>>,
}

impl Child {
    /// Starts a process.
    ///
    /// # Errors
    ///
    /// Fails when the program is not there or cannot be run.
    pub(crate) fn start<A: AsRef<OsStr>>(
        role: &'static str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command
            .spawn()
            .with_context(|| format!("cannot start {} as {role}", program.display()))?;
        let id = process.id().context("the process ended at once")?;
        let orders = process.stdin.take().expect("it is piped");
        let replies = process.stdout.take().expect("it is piped");
        let errors = process.stderr.take().expect("it is piped");
        let (lines, log) = mpsc::unbounded_channel();
        let last_words = Arc::<Mutex<VecDeque<_>>>::default();
        tokio::spawn(read_log(errors, lines, last_words.clone()));
        let replies = BufReader::new(replies).lines();
        Ok(Self { role, id, process, orders, replies, log, last_words })
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// What the process is in this benchmark.
    pub(crate) fn role(&self) -> &'static str {
        self.role
    }

    /// Kills the process and waits until it is gone, with its locks and ports.
    pub(crate) async fn end(mut self) {
        // An error means that there is nothing left to kill.
        let _ = self.process.kill().await;
    }

    /// Gives an order and waits for the reply.
    ///
    /// # Errors
    ///
    /// Fails when the reply is a failure or does not come within `patience`.
    pub(crate) async fn ask(&mut self, order: &Order, patience: Duration) -> Result<Reply> {
        let mut line = serde_json::to_string(order).expect("every order can be JSON");
        line.push('\n');
        let told = self.orders.write_all(line.as_bytes()).await;
        told.map_err(|_| anyhow::anyhow!("the {} takes no orders", self.role))?;
        self.reply(patience).await
    }

    /// Waits for what the process says next.
    ///
    /// # Errors
    ///
    /// Fails when it says that something failed, nothing within `patience`, or has ended.
    pub(crate) async fn reply(&mut self, patience: Duration) -> Result<Reply> {
        let role = self.role;
        let Ok(line) = timeout(patience, self.replies.next_line()).await else {
            bail!("the {role} said nothing for {patience:.1?}");
        };
        let line = line?.with_context(|| format!("the {role} has ended"))?;
        let reply = serde_json::from_str(&line);
        match reply.with_context(|| format!("the {role} said something unknown: {line}"))? {
            Reply::Failed(why) => bail!("the {role} failed: {why}"),
            reply => Ok(reply),
        }
    }

    /// Waits for the first line on standard error from which `find` makes something.
    ///
    /// # Errors
    ///
    /// Fails when no such line comes within `patience`, or when the process has ended.
    pub(crate) async fn find_in_log<T>(
        &mut self,
        patience: Duration,
        mut find: impl FnMut(&str) -> Option<T>,
    ) -> Result<T> {
        let role = self.role;
        let search = async {
            while let Some(line) = self.log.recv().await {
                if let Some(found) = find(&line) {
                    return Ok(found);
                }
            }
            bail!("the {role} has ended")
        };
        match timeout(patience, search).await {
            Ok(found) => found,
            Err(_) => bail!("the {role} was not ready within {patience:.1?}"),
        }
    }

    /// Whether the process runs, and what it said last on its standard error.
    pub(crate) async fn last_words(&mut self) -> String {
        // What a process says while it dies comes a moment later.
        let all = async { while self.log.recv().await.is_some() {} };
        let _ = timeout(LAST_WORDS_WITHIN, all).await;
        let state = match self.process.try_wait() {
            Ok(None) => "runs".to_owned(),
            Ok(Some(status)) => format!("ended with {status}"),
            Err(error) => error.to_string(),
        };
        let mut text = format!("{} (process {}) {state}", self.role, self.id);
        for line in self.last_words.lock().expect("nothing panics under the lock").iter() {
            text.push_str("\n    ");
            text.push_str(line);
        }
        text
    }
}

/// Reads all that a process says, so that it never blocks on it.
async fn read_log(
    errors: ChildStderr,
    lines: mpsc::UnboundedSender<String>,
    last_words: Arc<Mutex<VecDeque<String>>>,
) {
    let mut log = BufReader::new(errors).lines();
    while let Ok(Some(line)) = log.next_line().await {
        let mut last_words = last_words.lock().expect("nothing panics under the lock");
        if last_words.len() == LAST_WORDS_MAX {
            last_words.pop_front();
        }
        last_words.push_back(line.clone());
        drop(last_words);
        // Nobody listens any more once the process is ready.
        let _ = lines.send(line);
    }
}

/// Most lines that are kept for the case that something goes wrong.
const LAST_WORDS_MAX: usize = 8;

const LAST_WORDS_WITHIN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Child {
        Child::start("shell", Path::new("/bin/sh"), ["-c", script]).unwrap()
    }

    #[tokio::test]
    async fn an_order_gets_its_reply() {
        let mut child = shell(r#"read order; echo "{\"failed\":$order}"; read on"#);
        let error = child.ask(&Order::Count, PATIENCE).await.unwrap_err().to_string();
        assert_eq!(error, "the shell failed: count");
    }

    #[tokio::test]
    async fn silence_and_death_are_told_apart() {
        let mut silent = shell("read order");
        let error = silent.reply(Duration::from_millis(1)).await.unwrap_err().to_string();
        assert_eq!(error, "the shell said nothing for 1.0ms");

        let mut dead = shell("echo last words >&2; exit 3");
        let error = dead.reply(PATIENCE).await.unwrap_err().to_string();
        assert_eq!(error, "the shell has ended");
        let error = dead.find_in_log(PATIENCE, |_| None::<()>).await.unwrap_err().to_string();
        assert_eq!(error, "the shell has ended");
        dead.process.wait().await.unwrap();
        let words = dead.last_words().await;
        assert!(words.contains("ended with exit status: 3\n    last words"), "{words}");
    }

    #[tokio::test]
    async fn what_is_looked_for_is_found_in_the_log() {
        let mut child = shell("echo a >&2; echo port 7 >&2; read order");
        let find = |line: &str| line.strip_prefix("port ").map(str::to_owned);
        assert_eq!(child.find_in_log(PATIENCE, find).await.unwrap(), "7");
    }

    #[tokio::test]
    async fn a_dropped_child_is_gone() {
        let child = shell("echo >&2; read order; read order");
        let process = child.id();
        drop(child);
        // Tokio reaps what it killed when it is told of the end of a process.
        let gone = async {
            while crate::usage::cpu_us(&[process]).is_ok_and(|_| !is_zombie(process)) {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, gone).await.expect("it was killed");
    }

    fn is_zombie(process: u32) -> bool {
        std::fs::read_to_string(format!("/proc/{process}/stat"))
            .is_ok_and(|stat| stat.contains(") Z "))
    }
}
