//! A daemon under a supervisor that speaks as systemd does.

use std::path::Path;
use std::time::Duration;

use tokio::net::UnixDatagram;
use tokio::process::Command;

use crate::support::{DAEMON, PATIENCE, Running, directory, started};

/// The supervisor's end.
struct Ear(UnixDatagram);

impl Ear {
    /// Waits until the daemon says this among other things, which give it no more time, and tells all that came up
    /// to there.
    async fn hears(&self, wanted: &str) -> Vec<String> {
        let mut heard: Vec<String> = Vec::new();
        let listen = async {
            while !heard.iter().any(|word| word == wanted) {
                let mut bytes = [0; 512];
                let count = self.0.recv(&mut bytes).await.unwrap();
                let text = std::str::from_utf8(&bytes[..count]).unwrap();
                heard.extend(text.lines().map(str::to_owned));
            }
        };
        let came = tokio::time::timeout(PATIENCE, listen).await;
        came.unwrap_or_else(|_| panic!("{wanted}: {heard:?}"));
        heard
    }
}

async fn start(dir: &Path, watchdog: Duration) -> (Ear, Running) {
    let socket = dir.join("notify.sock");
    let ear = Ear(UnixDatagram::bind(&socket).unwrap());
    let mut command = Command::new(DAEMON);
    command.arg("--config").arg(dir.join("amop.toml")).env("NOTIFY_SOCKET", socket);
    command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
    (ear, started(&mut command).await)
}

#[tokio::test]
async fn a_supervisor_hears_when_the_daemon_is_ready_reloads_lives_and_stops() {
    let dir = directory(0, 0);
    let (ear, mut node) = start(dir.path(), Duration::from_millis(100)).await;
    assert_eq!(ear.hears("READY=1").await, ["READY=1"], "and nothing before");
    for _ in 0..3 {
        let fed = ear.hears("WATCHDOG=1").await;
        assert!(fed.iter().all(|word| word != "STOPPING=1"), "{fed:?}");
    }
    ear.hears("STATUS=peers 0, clients 0").await;
    node.hang_up();
    ear.hears("RELOADING=1").await;
    ear.hears("READY=1").await;
    node.says("reloaded certificate").await;

    let pid = node.child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").arg(&pid).status().unwrap().success());
    ear.hears("STOPPING=1").await;
    let ended = tokio::time::timeout(PATIENCE, node.child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
}

/// The watchdog of another process is not fed, only the line for people is told.
#[tokio::test]
async fn a_daemon_that_is_not_the_one_that_is_watched_feeds_no_dog() {
    let dir = directory(0, 0);
    let socket = dir.path().join("notify.sock");
    let ear = Ear(UnixDatagram::bind(&socket).unwrap());
    let mut command = Command::new(DAEMON);
    command.arg("--config").arg(dir.path().join("amop.toml")).env("NOTIFY_SOCKET", socket);
    command.env("WATCHDOG_USEC", "100000").env("WATCHDOG_PID", "1");
    let _node = started(&mut command).await;
    let heard = ear.hears("STATUS=peers 0, clients 0").await;
    assert!(heard.iter().all(|word| word != "WATCHDOG=1"), "{heard:?}");
}
