//! Prometheus takes the metrics, and alerts and dashboard in `deploy/` speak of metrics that there are.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::Stdio;

use amop_pki::{AgencyPlan, Consortium};

use crate::admin::scrape;
use crate::revocation::{directory, p2p_addr};
use crate::support::{now, start};
use crate::tools::tool;

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

#[test]
fn prometheus_takes_the_alerts_and_each_comes_when_it_should() {
    let Some(mut promtool) = tool("promtool") else { return };
    promtool.current_dir(format!("{ROOT}/deploy/prometheus"));
    let told = promtool.args(["test", "rules", "alerts_test.yml"]).output().unwrap();
    assert!(told.status.success(), "{told:?}");
}

#[tokio::test]
async fn prometheus_takes_all_metrics_of_a_node_with_a_peer_and_a_revocation_list_and_has_no_complaint()
 {
    let agency = |agency| AgencyPlan { agency, nodes: &["n1"], clients: &[] };
    let plan = [agency("bank-a"), agency("bank-b")];
    let consortium = Consortium::new("Test", "amop", &plan, now()).unwrap();
    let other = directory(&consortium, "bank-a", "");
    let other = start(other.path()).await;
    let addr = p2p_addr(&other);
    let peer = format!("[[p2p.peer]]\nname = \"n1.node.bank-a.amop\"\naddr = [\"{addr}\"]");
    let dir = directory(&consortium, "bank-b", &peer);
    let list = consortium.agency("bank-b").unwrap().revocation_list(None, &[], 30, now()).unwrap();
    fs::write(dir.path().join("crl/bank-b.crl"), list.to_pem()).unwrap();
    let mut node = start(dir.path()).await;
    node.says("peer linked").await;
    let socket = dir.path().join("n1.node.bank-b.amop.state/admin.sock");
    let (head, text) = scrape(&socket).await;

    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let shown = text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next());
    assert_eq!(shown.map(str::to_owned).collect::<BTreeSet<_>>(), documented());
    let Some(mut promtool) = tool("promtool") else { return };
    promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    let mut promtool = promtool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let told = promtool.wait_with_output().unwrap();
    assert!(told.status.success() && told.stderr.is_empty(), "{told:?}");
}
