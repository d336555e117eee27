//! The commands that look at nodes and tell them what to do, on daemons.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use crate::net::Net;
use crate::within;

async fn amop(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amop"));
    for variable in ["ADMIN", "CONFIG", "ENDPOINT", "CONTEXT"] {
        command.env_remove(format!("AMOP_{variable}"));
    }
    within("an answer", command.current_dir(dir).args(arguments).output()).await.unwrap()
}

async fn said(dir: &Path, arguments: &[&str]) -> String {
    let output = amop(dir, arguments).await;
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_line_of_three_nodes_is_shown_as_it_is_and_obeys() {
    let net = Net::start(&[&[], &[0], &[1]]).await;
    let (first, middle) = (net.nodes[0].dir(), net.nodes[1].dir());
    net.nodes[0].says(&["admin interface ready"]).await;
    net.nodes[1].says(&["admin interface ready"]).await;
    let client = net.client("app", 0).await;
    let desk = net.client("desk", 2).await;
    let far = desk.subscribe("quote/far").propagated().await.unwrap();
    let near = client.subscribe("quote/near").await.unwrap();

    let status = said(first, &["status"]).await;
    assert!(status.starts_with("n1.node.bank-a.amop  serving  up "), "{status}");
    assert!(status.contains("1 linked; of 0 to dial 0 linked; 2 nodes in reach"), "{status}");
    let status = &objects(&said(first, &["--json", "status"]).await)[0];
    assert_eq!((&status["type"], &status["clients"]), (&"status".into(), &1.into()));

    let peers = objects(&said(middle, &["--json", "peers"]).await);
    let up: Vec<_> =
        peers.iter().map(|peer| (peer["name"].as_str().unwrap(), &peer["up"])).collect();
    assert_eq!(up, [("n1.node.bank-a.amop", &true.into()), ("n2.node.bank-b.amop", &true.into())]);
    assert!(peers[0]["link"]["round_trip_ms"].as_f64().unwrap() > 0.0);

    let topics = said(first, &["topics", "quote/"]).await;
    let rows: Vec<Vec<&str>> = topics.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(rows[1..], [["quote/far", "0", "1"], ["quote/near", "1", "0"]]);
    let who = objects(&said(first, &["--json", "who", "quote/far"]).await);
    assert_eq!((&who[0]["node"], &who[0]["client"]), (&"n2.node.bank-b.amop".into(), &Value::Null));
    let clients = said(first, &["clients"]).await;
    assert!(clients.contains(&client.instance().to_string()), "{clients}");

    let graph = said(first, &["topology", "--dot"]).await;
    assert_eq!(graph.matches(" -- ").count(), 2, "{graph}");
    let table = said(first, &["topology"]).await;
    let last = table.lines().last().unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(last, ["n2.node.bank-b.amop", "2", "1", "n1.node.bank-b.amop"], "{table}");

    let kicked = said(first, &["node", "kick", "app.sdk.bank-a.amop"]).await;
    assert!(kicked.starts_with("closed 1 links"), "{kicked}");
    net.nodes[0].says(&["client detached", &client.instance().to_string()]).await;
    assert_eq!(said(first, &["node", "reload"]).await, "reloaded\n");
    net.nodes[0].says(&["reloaded certificate"]).await;
    drop((near, far));
}

#[tokio::test]
async fn a_node_that_cannot_be_asked_or_does_not_obey_is_told_with_what_to_do() {
    let mut net = Net::start(&[&[]]).await;
    net.nodes[0].says(&["admin interface ready"]).await;
    let dir = net.nodes[0].dir().to_owned();
    let failed = async |arguments: &[&str], code: i32, parts: &[&str]| {
        let output = amop(&dir, arguments).await;
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    };
    failed(&["node", "kick", "bank-z/n9"], 65, &["error[unknown-party]", "amop peers"]).await;
    failed(&["node", "log-level", ",="], 2, &["error[invalid-filter]"]).await;
    failed(&["who", " "], 2, &["error[invalid-topic]"]).await;
    assert_eq!(said(&dir, &["node", "log-level", "debug"]).await.lines().count(), 1);

    let text = std::fs::read_to_string(dir.join("amop.toml")).unwrap();
    std::fs::write(dir.join("amop.toml"), format!("{text}\nx = 1\n")).unwrap();
    failed(&["status"], 78, &["unknown key", "--admin SOCKET"]).await;
    let socket = ["--admin", "state/admin.sock"];
    failed(&[&["node", "reload"], &socket[..]].concat(), 78, &["nothing has changed"]).await;
    std::fs::write(dir.join("amop.toml"), text).unwrap();

    let drained = said(&dir, &["node", "drain"]).await;
    assert!(drained.starts_with("draining"), "{drained}");
    assert_eq!(net.nodes[0].exited().await, Some(0));
    failed(&["status"], 69, &["error[no-node]", "is the node running?"]).await;
}
