//! A daemon that may open nothing more: it says so, goes on, and needs no restart.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use amop_p2p::{Endpoint, Identity, Link, LinkKind, Settings, Trust};
use amop_pki::Consortium;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::support::{DAEMON, PATIENCE, Running, directory, site, start};

/// Lets a process have so many descriptors from now on.
fn allow(node: &Running, descriptors: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let pid = node.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())).unwrap();
    prlimit(Some(pid), Resource::Nofile, Rlimit { current: Some(descriptors), maximum }).unwrap();
}

/// Where the node takes in clients.
pub(crate) fn sdk_addr(node: &Running) -> SocketAddr {
    let line = node.log.iter().find(|line| line.contains("sdk_addr=")).unwrap();
    let (_, addr) = line.split_once("sdk_addr=").unwrap();
    addr.split_whitespace().next().unwrap().parse().unwrap()
}

/// Links a client with the node, if it can.
pub(crate) async fn dial(consortium: &Consortium, node: &Running) -> (Endpoint, Option<Link>) {
    dial_at(consortium, sdk_addr(node)).await
}

pub(crate) async fn dial_at(consortium: &Consortium, addr: SocketAddr) -> (Endpoint, Option<Link>) {
    let leaf = consortium.client("bank-a", "app").unwrap();
    let me = Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes()).unwrap();
    let trust = Trust::from_pem(consortium.root().certificate_pem().as_bytes()).unwrap();
    let dialer = Endpoint::dial_only(LinkKind::Sdk, &me, &trust, Settings::default()).unwrap();
    let link = tokio::time::timeout(PATIENCE, dialer.dial(addr, None)).await.unwrap();
    (dialer, link.ok())
}

#[tokio::test]
async fn a_daemon_without_descriptors_refuses_what_needs_one_and_recovers_without_a_restart() {
    let (dir, consortium) = site(0, 0);
    let mut node = start(dir.path()).await;
    node.says("admin interface ready").await;
    allow(&node, 1);
    assert!(dial(&consortium, &node).await.1.is_some(), "a link needs no descriptor");
    node.hang_up();
    node.says("not reloaded; nothing has changed").await;
    assert!(node.said("Too many open files"), "{:?}", node.log);
    assert!(node.child.try_wait().unwrap().is_none(), "it goes on");
    allow(&node, 1000);
    node.hang_up();
    node.says("reloaded certificate, roots, revocation lists, limits and rules").await;
    assert!(!node.said("panicked"), "{:?}", node.log);
}

/// However few descriptors there are, a start succeeds or ends with a code and a sentence.
#[test]
fn a_start_without_descriptors_fails_with_a_sentence() {
    let dir = directory(0, 0);
    let config = dir.path().join("amop.toml");
    for descriptors in 4..12 {
        let mut shell = Command::new("sh");
        let script = format!("ulimit -S -n {descriptors}; exec \"$0\" --config \"$1\"");
        let mut child =
            shell.args(["-c", &script, DAEMON]).arg(&config).stderr(fs_file(&dir)).spawn().unwrap();
        // One that has all it needs says so; others end.
        let told = || fs::read_to_string(dir.path().join("log")).unwrap();
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if told().contains("node started") {
                break None;
            }
            std::thread::yield_now();
        };
        child.kill().unwrap();
        child.wait().unwrap();
        let told = told();
        assert!(!told.contains("panicked"), "with {descriptors}: {told}");
        if let Some(status) = ended {
            let code = status.code().unwrap();
            assert!([66, 73, 74].contains(&code), "with {descriptors}: {code}, {told}");
            assert!(told.contains("amop-node: "), "{told}");
        }
    }
}

/// What a daemon says goes to a file of its own.
fn fs_file(dir: &tempfile::TempDir) -> fs::File {
    fs::File::create(dir.path().join("log")).unwrap()
}
