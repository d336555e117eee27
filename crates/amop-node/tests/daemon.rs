//! The daemon as a process: how it starts, refuses to start, and stops.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

use amop_pki::{AgencyPlan, Consortium};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};

/// A directory with a configuration that listens on these ports, 0 for any.
fn directory(p2p_port: u16, sdk_port: u16) -> TempDir {
    let dir = TempDir::new().unwrap();
    let plan = [AgencyPlan { agency: "bank-a", nodes: &["n1"], clients: &[] }];
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
    dir
}

fn run(config: &Path) -> Output {
    Command::new(DAEMON).arg("--config").arg(config).output().unwrap()
}

#[tokio::test]
async fn a_signal_stops_it_gracefully_with_code_0() {
    for signal in ["-TERM", "-INT"] {
        let dir = directory(0, 0);
        let mut child = tokio::process::Command::new(DAEMON)
            .arg("--config")
            .arg(dir.path().join("amop.toml"))
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = loop {
            let line = lines.next_line().await.unwrap().expect("it starts");
            if line.contains("node started") {
                break line;
            }
        };
        assert!(line.contains("sdk_addr") && line.contains("127.0.0.1:"), "{line}");
        let pid = child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        assert_eq!(child.wait().await.unwrap().code(), Some(0));
        let mut last = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            last = line;
        }
        assert!(last.contains("node stopped"), "{last}");
    }
}

#[test]
fn what_keeps_it_from_starting_is_said_with_its_exit_code() {
    let dir = directory(0, 0);
    let output = run(&dir.path().join("none.toml"));
    assert_eq!(output.status.code(), Some(66));
    assert!(text(&output).contains("none.toml"), "{}", text(&output));

    fs::set_permissions(dir.path().join("node.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let output = run(&dir.path().join("amop.toml"));
    assert_eq!(output.status.code(), Some(77));
    assert!(text(&output).contains("chmod 600"), "{}", text(&output));

    fs::write(dir.path().join("amop.toml"), "[node]\nname = 1\n").unwrap();
    let output = run(&dir.path().join("amop.toml"));
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output).contains("line 2"), "{}", text(&output));

    let output = Command::new(DAEMON).arg("--no-such-flag").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_port_in_use_is_named_with_its_key() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (dir, key) in [(directory(port, 0), "p2p.listen"), (directory(0, port), "sdk.listen")] {
        let output = run(&dir.path().join("amop.toml"));
        assert_eq!(output.status.code(), Some(74), "{}", text(&output));
        assert!(text(&output).contains(key), "{}", text(&output));
    }
}

#[test]
fn help_begins_with_what_it_is_and_has_an_example() {
    let output = Command::new(DAEMON).arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("amop-node --config /etc/amop/amop.toml"), "{text}");
    assert!(text.contains("Exit codes"), "{text}");
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[expect(clippy::disallowed_methods, reason = "certificates are issued as of today")]
fn now() -> SystemTime {
    SystemTime::now()
}

const DAEMON: &str = env!("CARGO_BIN_EXE_amop-node");
