//! One `amop-node` process: its directory, its log, its lives.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use amop_pki::{Consortium, Leaf};
use amop_sdk::Name;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;

use crate::{build, within};

/// A node's process. It is killed when this is dropped, however the test ends.
pub(crate) struct Daemon {
    name: Name,
    dir: PathBuf,
    /// Whom it dials, and where.
    dials: Vec<(Name, SocketAddr)>,
    child: Child,
    log: watch::Receiver<Vec<String>>,
    p2p_addr: SocketAddr,
    sdk_addr: SocketAddr,
    epoch: u64,
}

impl Daemon {
    /// Makes a node's directory and starts it on free ports.
    pub(crate) async fn start(
        dir: &Path,
        consortium: &Consortium,
        (name, leaf): (&Name, &Leaf),
        dials: Vec<(Name, SocketAddr)>,
    ) -> Self {
        fs::create_dir(dir).unwrap();
        fs::write(dir.join("ca.crt"), consortium.root().certificate_pem()).unwrap();
        fs::write(dir.join("node.crt"), leaf.chain_pem()).unwrap();
        fs::write(dir.join("node.key"), leaf.key_pem()).unwrap();
        fs::set_permissions(dir.join("node.key"), fs::Permissions::from_mode(0o600)).unwrap();
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        configure(dir, name, &dials, free, free);
        let (child, log) = spawn(dir);
        let mut daemon = Self {
            name: name.clone(),
            dir: dir.into(),
            dials,
            child,
            log,
            p2p_addr: free,
            sdk_addr: free,
            epoch: 0,
        };
        daemon.has_started().await;
        daemon
    }

    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// Where other nodes find it, in this life and the next.
    pub(crate) fn p2p_addr(&self) -> SocketAddr {
        self.p2p_addr
    }

    /// Where clients find it, in this life and the next.
    pub(crate) fn sdk_addr(&self) -> SocketAddr {
        self.sdk_addr
    }

    /// Ends the process with SIGKILL, and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Has it stop of its own accord with SIGTERM, and waits until it has: with which exit code.
    pub(crate) async fn terminate(&mut self) -> Option<i32> {
        self.signal("-TERM");
        self.exited().await
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        assert!(
            std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success()
        );
    }

    /// Waits until it has ended by itself: with which exit code.
    pub(crate) async fn exited(&mut self) -> Option<i32> {
        within("the end of the process", self.child.wait()).await.unwrap().code()
    }

    /// Starts it again where it was, with what its directory holds now.
    pub(crate) async fn restart(&mut self) {
        configure(&self.dir, &self.name, &self.dials, self.p2p_addr, self.sdk_addr);
        (self.child, self.log) = spawn(&self.dir);
        self.has_started().await;
    }

    /// The epoch of this life, as the log says it.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Where its configuration is.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where it keeps its state.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Waits for a line of the log of this life that has all of these parts.
    pub(crate) async fn says(&self, parts: &[&str]) -> String {
        let has_all = |line: &&String| parts.iter().all(|part| line.contains(part));
        let mut log = self.log.clone();
        let said = log.wait_for(|lines| lines.iter().any(|line| has_all(&line)));
        match within(&format!("{parts:?} in the log of {}", self.name), said).await {
            Ok(lines) => lines.iter().find(has_all).expect("it was there").clone(),
            Err(_) => panic!("{} has ended: {:#?}", self.name, self.log.borrow()),
        }
    }

    async fn has_started(&mut self) {
        let line = self.says(&["node started"]).await;
        let field = |key: &str| {
            let (_, rest) = line.split_once(key).expect("the line has it");
            rest.split(' ').next().expect("there is a value").to_owned()
        };
        self.p2p_addr = field("p2p_addr=").parse().unwrap();
        self.sdk_addr = field("sdk_addr=").parse().unwrap();
        self.epoch = field("epoch=").parse().unwrap();
    }
}

fn spawn(dir: &Path) -> (Child, watch::Receiver<Vec<String>>) {
    let mut command = Command::new(build::daemon());
    command.arg("--config").arg(dir.join("amop.toml"));
    command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let (sender, log) = watch::channel(Vec::new());
    tokio::spawn(read_log(child.stderr.take().expect("it was piped"), sender));
    (child, log)
}

async fn read_log(stderr: ChildStderr, log: watch::Sender<Vec<String>>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        log.send_modify(|log| log.push(line));
    }
}

fn configure(
    dir: &Path,
    name: &Name,
    dials: &[(Name, SocketAddr)],
    p2p_addr: SocketAddr,
    sdk_addr: SocketAddr,
) {
    let (label, agency) = (name.label(), name.agency());
    let mut text = format!(
        "[node]\nname = \"{label}\"\nagency = \"{agency}\"\nstate_dir = \"state\"\n\
         [tls]\nca = \"ca.crt\"\ncert = \"node.crt\"\nkey = \"node.key\"\n\
         [sdk]\nlisten = \"{sdk_addr}\"\n[log]\nlevel = \"amop_node=debug,info\"\n\
         [p2p]\nlisten = \"{p2p_addr}\"\n"
    );
    for (name, addr) in dials {
        let name = name.as_dns();
        text += &format!("[[p2p.peer]]\nname = \"{name}\"\naddr = [\"{addr}\"]\n");
    }
    fs::write(dir.join("amop.toml"), text).unwrap();
}
