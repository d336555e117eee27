//! The unit in `deploy/` is one that systemd takes, for a daemon that takes what the unit says.

use std::fs;
use std::process::Command;

use crate::support::DAEMON;
use crate::tools::tool;

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/amop-node.service");

/// What stands behind `key=` in the unit, each time.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let behind = |line: &'a str| line.strip_prefix(key)?.strip_prefix('=');
    unit.lines().filter_map(behind).collect()
}

#[test]
fn the_daemon_takes_the_arguments_of_the_unit() {
    let unit = fs::read_to_string(UNIT).unwrap();
    for key in ["ExecStartPre", "ExecStart"] {
        let [line] = values(&unit, key)[..] else { panic!("one {key}") };
        let mut words = line.split(' ');
        assert_eq!(words.next(), Some("/usr/bin/amop-node"));
        let mut daemon = Command::new(DAEMON);
        let ended = daemon.args(words).output().unwrap();
        // The file is not there, or else the arguments were wrong: that would be 2.
        assert_eq!(ended.status.code(), Some(66), "{ended:?}");
    }
}

#[test]
fn a_supervisor_waits_for_longer_than_a_node_takes_to_stop() {
    let unit = fs::read_to_string(UNIT).unwrap();
    let [seconds] = values(&unit, "TimeoutStopSec")[..] else { panic!("one time") };
    // 30 s to drain and 2 s to send what is queued, as docs/OPERATIONS.md says.
    assert!(seconds.trim_end_matches('s').parse::<u32>().unwrap() > 32);
}

#[test]
fn systemd_takes_the_unit_and_finds_little_that_it_exposes() {
    let dir = tempfile::tempdir().unwrap();
    let unit = dir.path().join("amop-node.service");
    // It looks whether the program is there.
    let text = fs::read_to_string(UNIT).unwrap().replace("/usr/bin/amop-node", "/bin/true");
    fs::write(&unit, text).unwrap();
    for arguments in [&["verify"][..], &["security", "--offline=yes", "--threshold=20"]] {
        let Some(mut analyze) = tool("systemd-analyze") else { return };
        let told = analyze.args(arguments).arg(&unit).output().unwrap();
        assert!(told.status.success(), "{told:?}");
    }
}
