//! `amop config`.

use std::fs;

use crate::support::{amop, certified, object, objects, run, text};

#[tokio::test]
async fn all_that_is_wrong_with_a_configuration_is_told_in_one_run() {
    let dir = certified().await;
    let good = run(&mut amop(dir.path(), &["config", "check"])).await;
    assert_eq!(text(&good.stdout), "amop.toml: ok, this is bank-a/n1\n", "{good:?}");

    let file = dir.path().join("amop.toml");
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{config}\n[log]\nlevle = \"debug\"\nformat = 5\n")).unwrap();
    let bad = run(&mut amop(dir.path(), &["config", "check"])).await;
    assert_eq!((bad.status.code(), bad.stdout.len()), (Some(78), 0), "{bad:?}");
    let said = text(&bad.stderr);
    for part in ["did you mean `log.level`?", "`log.format` is 5", "^^^^^", "2 errors"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let bad = run(&mut amop(dir.path(), &["--json", "config", "check"])).await;
    assert_eq!(bad.status.code(), Some(78));
    let told = objects(&text(&bad.stdout));
    let kinds: Vec<_> = told.iter().map(|object| object["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["diagnostic", "diagnostic", "error"]);
    assert_eq!((&told[0]["column"], &told[0]["source"]), (&1.into(), &"amop.toml".into()));
}

#[tokio::test]
async fn every_value_is_shown_with_where_it_comes_from() {
    let dir = certified().await;
    let shown = run(&mut amop(dir.path(), &["config", "show", "--set", "log.level=warn"])).await;
    let shown = text(&shown.stdout);
    let line = |key: &str| {
        let line = shown.lines().find(|line| line.starts_with(&format!("{key} "))).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("log.level"), "log.level = \"warn\" # --set");
    assert_eq!(line("node.workers"), "node.workers = 1 # default");
    assert!(line("node.name").starts_with("node.name = \"n1\" # amop.toml:"), "{shown}");
}

#[tokio::test]
async fn a_key_is_explained_and_a_wrong_one_leads_to_the_right_one() {
    let dir = tempfile::tempdir().unwrap();
    let told = run(&mut amop(dir.path(), &["config", "explain", "tls.stale_crl"])).await;
    let told = text(&told.stdout);
    for part in ["one of \"refuse\", \"accept\"", "default  \"refuse\"", "next reload"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = run(&mut amop(dir.path(), &["config", "explain", "tsl.ca"])).await;
    assert_eq!(told.status.code(), Some(2));
    assert!(text(&told.stderr).contains("did you mean `tls.ca`?"), "{told:?}");
    let told = run(&mut amop(dir.path(), &["--json", "config", "explain", "node.name"])).await;
    assert_eq!(object(&told)["required"], true);
}
