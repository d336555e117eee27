//! Daemons in directories of their own, and what they say.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use amop_pki::{AgencyPlan, Consortium};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr};

/// A directory with a configuration that listens on these ports, 0 for any.
pub(crate) fn directory(p2p_port: u16, sdk_port: u16) -> TempDir {
    site(p2p_port, sdk_port).0
}

/// The same, with the consortium; it has a client `app` too.
pub(crate) fn site(p2p_port: u16, sdk_port: u16) -> (TempDir, Consortium) {
    let dir = TempDir::new().unwrap();
    let plan = [AgencyPlan { agency: "bank-a", nodes: &["n1"], clients: &["app"] }];
    let consortium = Consortium::new("Test", "amop", &plan, now()).unwrap();
    let node = consortium.node("bank-a", "n1").unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("ca.crt"), consortium.root().certificate_pem()).unwrap();
    fs::write(path("node.crt"), node.chain_pem()).unwrap();
    fs::write(path("node.key"), node.key_pem()).unwrap();
    fs::set_permissions(path("node.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "[node]\nname = \"n1\"\nagency = \"bank-a\"\n\
         [tls]\nca = \"ca.crt\"\ncert = \"node.crt\"\nkey = \"node.key\"\n\
         [p2p]\nlisten = \"127.0.0.1:{p2p_port}\"\n[sdk]\nlisten = \"127.0.0.1:{sdk_port}\"\n"
    );
    fs::write(path("amop.toml"), text).unwrap();
    (dir, consortium)
}

/// A daemon that has started.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) lines: Lines<BufReader<ChildStderr>>,
    /// What it said up to there; the last line is `node started`.
    pub(crate) log: Vec<String>,
    pub(crate) epoch: u64,
}

/// Starts the daemon with the configuration of a directory.
pub(crate) async fn start(dir: &Path) -> Running {
    let mut command = tokio::process::Command::new(DAEMON);
    started(command.arg("--config").arg(dir.join("amop.toml"))).await
}

pub(crate) async fn started(command: &mut tokio::process::Command) -> Running {
    let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut log: Vec<String> = Vec::new();
    while !log.last().is_some_and(|line| line.contains("node started")) {
        log.push(lines.next_line().await.unwrap().expect("it starts"));
    }
    let (_, epoch) = log.last().and_then(|line| line.split_once("epoch=")).unwrap();
    let epoch = epoch.parse().unwrap();
    Running { child, lines, log, epoch }
}

impl Running {
    pub(crate) fn said(&self, text: &str) -> bool {
        self.log.iter().any(|line| line.contains(text))
    }

    pub(crate) fn hang_up(&self) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    }

    /// Reads on until it has said this. What else it says gives it no more time.
    pub(crate) async fn says(&mut self, text: &str) {
        let read_on = async {
            while !self.said(text) {
                self.log.push(self.lines.next_line().await.unwrap().expect("it goes on"));
            }
        };
        tokio::time::timeout(PATIENCE, read_on).await.expect(text);
    }

    /// Kills it without a chance to clean up, and tells the epoch that it had.
    pub(crate) async fn kill(mut self) -> u64 {
        self.child.kill().await.unwrap();
        self.epoch
    }
}

#[expect(clippy::disallowed_methods, reason = "certificates are issued as of today")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// How long a test waits for what must come, before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const DAEMON: &str = env!("CARGO_BIN_EXE_amop-node");
