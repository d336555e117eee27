//! A node to talk to, and the tool as a process.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, SystemTime};

use amop_node::{Config, Node, Status};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// A directory that `amop cert quick` has filled, and its node on free ports.
pub(crate) struct Site {
    pub(crate) dir: TempDir,
    pub(crate) node: Node,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let dir = certified().await;
        let node = Node::start(config(&dir.path().join("amop.toml")).node).await.unwrap();
        Self { dir, node }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.node.sdk_addr().to_string()
    }

    /// The tool, called in the directory and attached to the node.
    pub(crate) fn amop(&self, arguments: &[&str]) -> Command {
        let mut command = amop(self.dir.path(), arguments);
        command.env("AMOP_ENDPOINT", self.endpoint());
        command
    }

    /// Waits until no client is attached to the node; fails if the node learns it only because it
    /// heard nothing from one for long.
    pub(crate) async fn everybody_said_goodbye(&self) {
        let mut status = self.node.status();
        let nobody = status.wait_for(|status: &Status| status.clients == 0);
        timeout(IDLE_TIMEOUT / 2, nobody).await.expect("a goodbye").unwrap();
    }
}

/// A directory with the certificates of bank-a/n1 and bank-a/payments.
pub(crate) async fn certified() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["cert", "quick", "--agency", "bank-a", "--app", "payments"];
    let made = run(&mut amop(dir.path(), &arguments)).await;
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    dir
}

/// A node's configuration, with free ports instead of those in the file.
pub(crate) fn config(path: &Path) -> Config {
    let mut config = Config::from_file(path).unwrap();
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.node.p2p_listen = any_port;
    config.node.sdk_listen = any_port;
    config
}

/// The tool, with nothing in its environment that would change what it does.
pub(crate) fn amop(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amop"));
    clean(&mut command);
    command.current_dir(dir).args(arguments);
    command
}

/// A line as it is typed into a shell.
pub(crate) fn shell(dir: &Path, line: &str) -> Command {
    let mut command = Command::new("sh");
    clean(&mut command);
    // Without `exec`, a signal would reach the shell alone.
    command.current_dir(dir).args(["-c", line]);
    command
}

fn clean(command: &mut Command) {
    for variable in ["ENDPOINT", "CA", "CERT", "KEY", "CRL", "CONTEXT", "CONFIG", "ADMIN"] {
        command.env_remove(format!("AMOP_{variable}"));
    }
    command.env_remove("AMOP_LANG").env("LANG", "C.UTF-8");
    command.stdin(Stdio::null()).kill_on_drop(true);
}

/// Runs a process to its end.
pub(crate) async fn run(command: &mut Command) -> Output {
    timeout(TIME_MAX, command.output()).await.expect("in time").unwrap()
}

/// Runs a process to its end, with this on its standard input.
pub(crate) async fn run_with_input(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let write = async {
        // The tool need not read more than a message can carry.
        let _ = stdin.write_all(input).await;
        drop(stdin);
    };
    let ended = async { tokio::join!(write, child.wait_with_output()).1 };
    timeout(TIME_MAX, ended).await.expect("in time").unwrap()
}

/// A process that runs beside the test.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdout: Option<Lines<ChildStdout>>,
    stderr: Lines<tokio::process::ChildStderr>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_into(command, Stdio::piped())
    }

    fn start_into(command: &mut Command, stdout: impl Into<Stdio>) -> Self {
        command.stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map(Lines::of);
        let stderr = Lines::of(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Starts `amop sub`, and waits until it has subscribed.
    pub(crate) async fn subscriber(command: &mut Command) -> Self {
        let mut running = Self::start(command);
        running.error_line("subscribed to ").await;
        running
    }

    /// Starts `amop sub` with a file as its standard output.
    pub(crate) async fn subscriber_into(command: &mut Command, file: File) -> Self {
        let mut running = Self::start_into(command, file);
        running.error_line("subscribed to ").await;
        running
    }

    /// Waits for a line of standard error that begins like this.
    pub(crate) async fn error_line(&mut self, beginning: &str) -> String {
        loop {
            let line = self.stderr.next().await.expect("the line comes before the end");
            if line.starts_with(beginning) {
                return line;
            }
        }
    }

    /// Waits for the next line of standard output.
    pub(crate) async fn line(&mut self) -> String {
        let lines = self.stdout.as_mut().expect("it is read to its end only once");
        lines.next().await.expect("there is another line")
    }

    /// Sends a signal, such as `INT`.
    pub(crate) async fn signal(&self, name: &str) {
        let process = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &process]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Waits for the end; gives the exit code and the rest of both outputs.
    pub(crate) async fn end(mut self) -> (Option<i32>, String, String) {
        let status = timeout(TIME_MAX, self.child.wait()).await.expect("in time").unwrap();
        let stdout = match &mut self.stdout {
            Some(lines) => lines.rest().await,
            None => String::new(),
        };
        (status.code(), stdout, self.stderr.rest().await)
    }
}

/// What a process writes, line by line.
pub(crate) struct Lines<R>(BufReader<R>);

impl<R: AsyncRead + Unpin> Lines<R> {
    fn of(pipe: R) -> Self {
        Self(BufReader::new(pipe))
    }

    async fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(TIME_MAX, self.0.read_line(&mut line)).await;
        if read.expect("a line in time").unwrap() == 0 {
            return None;
        }
        Some(line.trim_end_matches('\n').to_owned())
    }

    async fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).await.unwrap();
        rest
    }
}

/// The objects on the lines of a text, each of which begins with its type.
pub(crate) fn objects(text: &str) -> Vec<Value> {
    let object = |line: &str| {
        assert!(line.starts_with(r#"{"type":""#), "{line}");
        serde_json::from_str(line).unwrap()
    };
    text.lines().map(object).collect()
}

/// The only object in what a process wrote, but for those that tell how far a file is.
pub(crate) fn object(output: &Output) -> Value {
    let mut objects = objects(&text(&output.stdout));
    objects.retain(|object| object["type"] != "file-progress");
    assert_eq!(objects.len(), 1, "{output:?}");
    objects.remove(0)
}

/// The keys of an object, ordered by name.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[expect(clippy::disallowed_methods, reason = "certificates must count at the real time")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// After this long without a packet a node takes a link for lost.
const IDLE_TIMEOUT: Duration = Duration::from_secs(6);

/// Far longer than anything here takes: a test that waits so long has failed.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(60);
