//! A daemon that may open nothing more: it says so, goes on, and needs no restart.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use amop_p2p::{Endpoint, Identity, Link, LinkKind, Settings, Trust};
use amop_pki::Consortium;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tokio::net::UnixStream;

use crate::admin::{ask, ask_on};
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
    let socket = dir.path().join(SOCKET);
    let waiting = UnixStream::connect(&socket).await.unwrap();
    node.hang_up();
    node.says("not reloaded; nothing has changed").await;
    assert!(node.said("Too many open files"), "{:?}", node.log);
    assert!(node.child.try_wait().unwrap().is_none(), "it goes on");
    allow(&node, 1000);
    let live = (200, "live\n".to_owned());
    assert_eq!(ask_on(waiting, "GET /livez HTTP/1.0\r\n\r\n").await, live);
    assert_eq!(ask(&socket, "GET /livez").await, live);
    node.hang_up();
    node.says("reloaded certificate, roots, revocation lists, limits and rules").await;
    assert!(!node.said("panicked"), "{:?}", node.log);
}

/// How many descriptors a process has.
fn descriptors(node: &Running) -> usize {
    fs::read_dir(format!("/proc/{}/fd", node.child.id().unwrap())).unwrap().count()
}

/// Whoever connects to the admin interface again and again takes no more descriptors than there are places.
#[tokio::test]
async fn idle_connections_to_the_admin_interface_take_their_places_and_no_more() {
    let (dir, _consortium) = site(0, 0);
    let mut node = start(dir.path()).await;
    let before = descriptors(&node);
    let mut idle = Vec::new();
    for _ in 0..2 * PLACES {
        idle.push(UnixStream::connect(dir.path().join(SOCKET)).await.unwrap());
    }
    let taken = async {
        while descriptors(&node) < before + PLACES {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, taken).await.expect("all places are taken");
    node.hang_up();
    node.says("reloaded certificate, roots, revocation lists, limits and rules").await;
    assert_eq!(descriptors(&node), before + PLACES);
    idle.truncate(PLACES - 1);
    assert_eq!(ask(&dir.path().join(SOCKET), "GET /livez").await.0, 200, "there is one again");
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

/// Where the admin interface is, in the directory of the configuration.
const SOCKET: &str = "n1.node.bank-a.amop.state/admin.sock";

/// How many connections the admin interface has at a time.
const PLACES: usize = 64;

/// What a daemon says goes to a file of its own.
fn fs_file(dir: &tempfile::TempDir) -> fs::File {
    fs::File::create(dir.path().join("log")).unwrap()
}
