//! `amop demo`.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{Running, amop, objects, run, shell, text};

#[tokio::test]
async fn every_check_holds_and_nothing_is_left_behind() {
    let tmp = tempfile::tempdir().unwrap();
    let ended = run(&mut demo(&tmp, &["--fast", "--json"])).await;
    let lines = objects(&text(&ended.stdout));
    let (summary, checks) = lines.split_last().expect("a summary");
    for check in checks {
        assert_eq!((&check["type"], &check["passed"]), (&"check".into(), &true.into()), "{check}");
    }
    let names: Vec<_> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    let expected = [
        "consortium",
        "network",
        "unicast",
        "multicast",
        "same node",
        "nobody",
        "private",
        "file",
        "file again",
        "too slow",
        "failover",
        "relays",
        "detour",
        "stranger",
    ];
    assert_eq!(names, expected);
    assert_eq!(summary["type"], "summary");
    assert_eq!((&summary["checks"], &summary["passed"]), (&14.into(), &14.into()));
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.is_empty(), "{ended:?}");
    assert!(is_empty(tmp.path()));
}

#[tokio::test]
async fn a_signal_ends_it_and_nothing_is_left_behind() {
    // Ctrl-C is how one leaves a network that was kept, so it is an error only before that.
    for (signal, codes) in [("INT", [130, 0]), ("TERM", [143; 2]), ("HUP", [129; 2])] {
        let tmp = tempfile::tempdir().unwrap();
        let mut demo = Running::start(&mut demo(&tmp, &["--keep", "--json"]));
        demo.line().await;
        assert!(!is_empty(tmp.path()), "it has made the certificates");
        demo.signal(signal).await;
        let (code, ..) = demo.end().await;
        assert!(codes.map(Some).contains(&code), "{signal}: {code:?}");
        assert!(is_empty(tmp.path()));
    }
}

#[tokio::test]
async fn what_it_prints_to_play_with_works() {
    let tmp = tempfile::tempdir().unwrap();
    let mut demo = Running::start(&mut demo(&tmp, &["--fast", "--keep", "--json"]));
    let network = loop {
        let line = demo.line().await;
        let object = objects(&line).remove(0);
        if object["type"] == "network" {
            break object;
        }
    };
    assert_eq!(network["nodes"].as_array().unwrap().len(), 4, "the stopped one runs again");
    let commands: Vec<_> = network["commands"].as_array().unwrap().iter().collect();
    let [subscribe, request, publish] = commands[..] else { panic!("{commands:?}") };
    let typed = |command: &Value| shell(Path::new("/"), command.as_str().unwrap());

    let mut sub = Running::subscriber(&mut typed(subscribe)).await;
    let answer = loop {
        let asked = run(&mut typed(request)).await;
        // The other bank's node may not have heard of the subscription yet.
        if asked.status.code() != Some(100) {
            break text(&asked.stdout);
        }
    };
    assert_eq!(answer, "nice to hear from you");
    let published = run(&mut typed(publish)).await;
    assert!(text(&published.stdout).contains("1 of 1 subscribers"), "{published:?}");
    sub.line().await;
    assert_eq!(sub.line().await, "good morning");

    demo.signal("INT").await;
    assert_eq!(demo.end().await.0, Some(0), "that is how it is meant to end");
    sub.error_line("disconnected: ").await;
    assert!(is_empty(tmp.path()));
}

#[tokio::test]
async fn people_read_a_table() {
    let tmp = tempfile::tempdir().unwrap();
    let ended = run(&mut demo(&tmp, &["--fast", "--dir", "kept"])).await;
    let table = text(&ended.stdout);
    assert!(table.starts_with("AMOP demo · three banks on this machine · files in "), "{table}");
    assert!(table.contains("\n 3 unicast      200 requests to `quote`"), "{table}");
    assert!(table.ends_with("\n\n14 of 14 passed.  Play with it:  amop demo --keep\n"), "{table}");
    let widest = table.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{table}");
    assert!(
        tmp.path().join("kept/bank-a/teller/sdk.crt").is_file(),
        "the caller wanted to keep it"
    );

    let again = run(&mut demo(&tmp, &["--fast", "--dir", "kept"])).await;
    assert_eq!(again.status.code(), Some(73), "{again:?}");
}

/// The demo, in a directory that is also where it puts what is temporary.
fn demo(tmp: &TempDir, arguments: &[&str]) -> Command {
    let mut command = amop(tmp.path(), &[&["demo"], arguments].concat());
    command.env("TMPDIR", tmp.path());
    command
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).unwrap().next().is_none()
}
