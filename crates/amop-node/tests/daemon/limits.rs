//! A daemon whose limits and rules change while it runs.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use crate::support::{DAEMON, directory, start};

fn append(dir: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(dir.join("amop.toml")).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// RATE-3
#[tokio::test]
async fn limits_are_read_again_and_wrong_ones_change_nothing() {
    let dir = directory(0, 0);
    let mut node = start(dir.path()).await;
    append(dir.path(), "[log]\nlevel = \"debug\"\n[limits.session]\nmessages = \"5/s\"\n");
    node.hang_up();
    node.says("going by other limits").await;
    assert!(node.said("keys=\"log.level\""), "it needs a restart: {:?}", node.log);
    append(dir.path(), "bytes = \"5\"\n");
    node.hang_up();
    node.says("not reloaded; nothing has changed").await;
    let place = "`limits.session.bytes` is";
    assert!(node.said(place), "{:?}", node.log);
}

/// ACL-3, IDENT-9
#[tokio::test]
async fn rules_and_lists_of_who_may_come_in_are_read_again() {
    let dir = directory(0, 0);
    let mut node = start(dir.path()).await;
    let rule = "[[acl]]\nwho = [\"*\"]\ntopics = [\"*\"]\nallow = [\"publish\"]\n";
    append(dir.path(), rule);
    node.hang_up();
    node.says("going by other rules count=1").await;
}

#[tokio::test]
async fn a_daemon_with_a_limit_that_cannot_be_does_not_start() {
    let dir = directory(0, 0);
    append(dir.path(), "[limits.node]\nmemory = \"0 B\"\n");
    let config = dir.path().join("amop.toml");
    let output = std::process::Command::new(DAEMON).arg("--config").arg(config).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{told}");
    assert!(told.contains("`limits.node.memory` is \"0 B\""), "{told}");
}
