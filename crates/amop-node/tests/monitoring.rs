//! Alerts and dashboard in `deploy/` speak of metrics that there are.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn read(path: &str) -> String {
    fs::read_to_string(format!("{ROOT}/{path}")).unwrap()
}

/// The metrics in the table of OPERATIONS, which another test compares with what a daemon shows.
fn documented() -> BTreeSet<String> {
    let page = read("docs/OPERATIONS.md");
    let (_, table) = page.split_once("| metric | type | labels | meaning |\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let name = |row: &str| row.split('`').nth(1).unwrap().to_owned();
    table.lines().skip(1).map(name).collect()
}

/// The words of a text that begin as metrics do.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    words.filter(|word| word.starts_with("amop_")).map(str::to_owned).collect()
}

#[test]
fn alerts_ask_for_metrics_that_there_are_and_their_tests_name_every_alert() {
    let alerts = read("deploy/prometheus/alerts.yml");
    let unknown: Vec<String> = metrics(&alerts).difference(&documented()).cloned().collect();
    assert_eq!(unknown, [""; 0]);
    let tests = read("deploy/prometheus/alerts_test.yml");
    let names = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    for name in names {
        // Once where it is quiet, once where it is not.
        let times = tests.lines().filter(|line| line.contains(&format!("alertname: {name}")));
        assert_eq!(times.count(), 2, "{name}");
    }
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("deploy/grafana/amop.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let asked: String = targets.map(|target| format!("{}\n", target["expr"])).collect();
    assert_eq!(metrics(&asked), documented());
}

/// Where Prometheus's tool is there.
#[test]
fn prometheus_takes_the_alerts_and_each_comes_when_it_should() {
    if Command::new("promtool").arg("--version").output().is_err() {
        return;
    }
    let mut promtool = Command::new("promtool");
    promtool.current_dir(format!("{ROOT}/deploy/prometheus"));
    let told = promtool.args(["test", "rules", "alerts_test.yml"]).output().unwrap();
    assert!(told.status.success(), "{told:?}");
}
