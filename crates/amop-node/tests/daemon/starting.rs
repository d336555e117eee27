//! How the daemon starts, refuses to start, and stops.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use amop_pki::Root;

use crate::support::{DAEMON, PATIENCE, Running, directory, now, start, started};

fn run(config: &Path) -> Output {
    Command::new(DAEMON).arg("--config").arg(config).output().unwrap()
}

#[tokio::test]
async fn a_signal_stops_it_gracefully_with_code_0() {
    for signal in ["-TERM", "-INT"] {
        let dir = directory(0, 0);
        let Running { mut child, mut lines, log, .. } = start(dir.path()).await;
        let line = log.last().unwrap();
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

#[tokio::test]
async fn who_has_heard_that_it_started_can_ask_its_admin_interface() {
    let dir = directory(0, 0);
    let node = start(dir.path()).await;
    assert!(node.said("admin interface ready"), "{:?}", node.log);
    let socket = dir.path().join(STATE_DIR).join("admin.sock");
    std::os::unix::net::UnixStream::connect(socket).unwrap();
}

/// SEQ-1
#[tokio::test]
async fn a_killed_node_has_a_greater_epoch_when_it_is_back_also_if_its_clock_was_ahead_before() {
    let dir = directory(0, 0);
    let file = dir.path().join(STATE_DIR).join("epoch");
    let first = start(dir.path()).await.kill().await;
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{first}\n"));
    let second = start(dir.path()).await.kill().await;
    assert!(second > first, "{second} after {first}");

    // A life in the far future, as if the clock had been there.
    let future = 2 * second;
    fs::write(&file, format!("{future}\n")).unwrap();
    let node = start(dir.path()).await;
    assert!(node.said("the clock is behind"), "{:?}", node.log);
    assert_eq!(node.kill().await, future + 1);
    assert_eq!(start(dir.path()).await.kill().await, future + 2);
}

#[tokio::test]
async fn without_arguments_configuration_and_state_are_in_the_working_directory() {
    let dir = directory(0, 0);
    let mut command = tokio::process::Command::new(DAEMON);
    command.current_dir(dir.path()).env_remove("AMOP_CONFIG");
    let epoch = started(&mut command).await.kill().await;
    let file = dir.path().join(STATE_DIR).join("epoch");
    assert_eq!(fs::read_to_string(file).unwrap(), format!("{epoch}\n"));
}

#[tokio::test]
async fn a_damaged_epoch_file_is_named_in_a_warning_and_the_node_starts() {
    let dir = directory(0, 0);
    let first = start(dir.path()).await.kill().await;
    let file = dir.path().join(STATE_DIR).join("epoch");
    fs::write(&file, "12\u{1b}[31m").unwrap();
    let node = start(dir.path()).await;
    assert!(node.said(file.to_str().unwrap()) && node.said("damaged"), "{:?}", node.log);
    assert!(!node.said("\u{1b}"), "what a file holds is escaped");
    assert!(node.kill().await > first);
}

#[tokio::test]
async fn a_state_directory_that_others_may_write_to_is_warned_about() {
    let dir = directory(0, 0);
    start(dir.path()).await.kill().await;
    let state = dir.path().join(STATE_DIR);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o770)).unwrap();
    let node = start(dir.path()).await;
    assert!(node.said(state.to_str().unwrap()) && node.said("chmod go-w"), "{:?}", node.log);
}

#[tokio::test]
async fn a_second_process_on_one_state_directory_ends_with_code_75_and_disturbs_nobody() {
    let dir = directory(0, 0);
    let mut first = start(dir.path()).await;
    let mut second = tokio::process::Command::new(DAEMON);
    second.arg("--config").arg(dir.path().join("amop.toml")).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, second.output()).await;
    let output = output.expect("the second ends by itself").unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", text(&output));
    let path = dir.path().join(STATE_DIR);
    assert!(text(&output).contains(path.to_str().unwrap()), "{}", text(&output));
    assert!(text(&output).contains("in use by a running node"), "{}", text(&output));
    assert!(!text(&output).contains("node started"), "{}", text(&output));
    assert!(first.child.try_wait().unwrap().is_none(), "the first lives");
    // The lock of a process that was killed does not outlive it.
    first.kill().await;
    start(dir.path()).await;
}

#[test]
fn a_state_directory_that_cannot_be_written_ends_it_with_code_73_and_names_file_and_key() {
    let dir = directory(0, 0);
    let path = dir.path().join(STATE_DIR);
    fs::write(&path, "").unwrap();
    let output = run(&dir.path().join("amop.toml"));
    assert_eq!(output.status.code(), Some(73), "{}", text(&output));
    assert!(text(&output).contains(path.to_str().unwrap()), "{}", text(&output));
    assert!(text(&output).contains("set `node.state_dir` to"), "{}", text(&output));
}

#[test]
fn what_keeps_it_from_starting_is_said_with_its_exit_code() {
    let dir = directory(0, 0);
    let output = run(&dir.path().join("none.toml"));
    assert_eq!(output.status.code(), Some(66));
    assert!(text(&output).contains("none.toml"), "{}", text(&output));
    assert!(text(&output).contains("next: name it with --config FILE"), "{}", text(&output));

    fs::set_permissions(dir.path().join("node.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let output = run(&dir.path().join("amop.toml"));
    assert_eq!(output.status.code(), Some(77));
    assert!(text(&output).contains("chmod 600"), "{}", text(&output));

    fs::write(dir.path().join("amop.toml"), "[node]\nname = 1\n").unwrap();
    let output = run(&dir.path().join("amop.toml"));
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output).contains("amop.toml:2:8"), "{}", text(&output));

    let output = Command::new(DAEMON).arg("--no-such-flag").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_configuration_is_checked_without_a_start_and_with_what_is_set_beside_it() {
    let dir = directory(0, 0);
    let check = |arguments: &[&str]| {
        let mut command = Command::new(DAEMON);
        command.arg("--check").arg("--config").arg(dir.path().join("amop.toml"));
        command.args(arguments).output().unwrap()
    };
    let good = check(&["--set", "log.level=debug"]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good));
    assert!(String::from_utf8_lossy(&good.stdout).ends_with("amop.toml: ok, this is bank-a/n1\n"));
    assert!(!dir.path().join(STATE_DIR).exists(), "nothing was started");
    let bad = check(&["--set", "log.level=,=", "--set", "tls.key=none.key"]);
    assert_eq!(bad.status.code(), Some(78), "{}", text(&bad));
    assert!(text(&bad).contains("`log.level` is \",=\""), "{}", text(&bad));
    assert!(text(&bad).contains("none.key"), "{}", text(&bad));
    let missing = check(&["--set", "tls.key=none.key"]);
    assert_eq!(missing.status.code(), Some(66), "{}", text(&missing));
}

#[tokio::test]
async fn revocation_lists_are_read_again_on_sighup_or_when_they_change_and_what_is_wrong_changes_nothing()
 {
    let dir = directory(0, 0);
    let config = dir.path().join("amop.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("[p2p]", "crl = \"crl\"\n[p2p]")).unwrap();
    fs::create_dir(dir.path().join("crl")).unwrap();
    let mut node = start(dir.path()).await;
    let root = Root::new("Some Root", "amop", now()).unwrap();
    let list = root.revocation_list(None, &[], 1, now()).unwrap();
    fs::write(dir.path().join("crl/root.crl"), list.to_pem()).unwrap();
    node.hang_up();
    node.says("going by a revocation list").await;
    node.says("reloaded").await;
    // It ends tomorrow.
    node.says("ends soon").await;
    assert!(node.said("CN=Some Root"), "{:?}", node.log);

    // Without a signal it is noticed too.
    fs::write(dir.path().join("crl/bad.crl"), "no list").unwrap();
    node.says("nothing has changed").await;
    assert!(node.said("bad.crl"), "{:?}", node.log);
    assert!(node.child.try_wait().unwrap().is_none(), "it goes on");
}

#[tokio::test]
async fn a_certificate_that_ends_soon_is_told_from_the_start() {
    let dir = directory(0, 0);
    let root = Root::new("Test", "amop", now()).unwrap();
    let name = "n1.node.bank-a.amop".parse().unwrap();
    let mut profile = amop_pki::LeafProfile::of(&name);
    profile.lifetime = Duration::from_secs(10 * 24 * 60 * 60 + 60);
    let leaf = root.agency("bank-a", now()).unwrap().issue_custom(&profile, now()).unwrap();
    fs::write(dir.path().join("node.crt"), leaf.chain_pem()).unwrap();
    fs::write(dir.path().join("node.key"), leaf.key_pem()).unwrap();
    let mut node = start(dir.path()).await;
    node.says("ends soon").await;
    let line = node.log.iter().find(|line| line.contains("ends soon")).unwrap();
    assert!(line.contains("our certificate n1.node.bank-a.amop"), "{line}");
    assert!(line.contains("days=10") && line.contains("WARN"), "{line}");
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

/// Where the daemon keeps its state unless it is told otherwise.
const STATE_DIR: &str = "n1.node.bank-a.amop.state";
