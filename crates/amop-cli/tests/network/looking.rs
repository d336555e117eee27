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

    let top = said(first, &["top", "--once", "--every", "100ms"]).await;
    assert!(top.starts_with("n1.node.bank-a.amop  serving  up "), "{top}");
    for part in ["n1.node.bank-b.amop", "app.sdk.bank-a.amop", "n1.node.bank-a.amop (this node)"] {
        assert!(top.lines().any(|line| line.starts_with(part)), "{part}: {top}");
    }
    let top = objects(&said(first, &["--json", "top", "--every", "100ms"]).await);
    assert_eq!((top.len(), &top[0]["type"]), (1, &"top".into()));
    assert_eq!(top[0]["node"]["clients"], 1);
    assert!(top[0]["per_second"]["links"]["n1.node.bank-b.amop"]["sent_bytes"].is_number());

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
    failed(&["top"], 2, &["error[no-terminal]", "--once"]).await;
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

/// The picture with times, ids and lengths of time masked.
fn masked(picture: &str, known: &[(String, &str)]) -> Vec<String> {
    let mask = |line: &str| {
        let mut line = line.trim_start().to_owned();
        if let Some((time, rest)) = line.split_once(" ms  ")
            && time.parse::<f64>().is_ok()
        {
            line = format!("T  {rest}");
        }
        known.iter().fold(line, |line, (text, shown)| line.replace(text, shown))
    };
    picture.lines().map(mask).collect()
}

/// TRACE-4, TRACE-5
#[tokio::test]
async fn one_message_is_traced_over_three_nodes_in_a_line() {
    let net = Net::start(&[&[], &[0], &[1]]).await;
    let (client, desk) = (net.client("app", 0).await, net.client("desk", 2).await);
    let mut subscription = desk.subscribe("quote").propagated().await.unwrap();
    let asked = tokio::spawn(async move {
        let answer = client.request("quote", "how much?").await.unwrap();
        (client, answer.id)
    });
    within("the question", subscription.next()).await.unwrap().reply("42").unwrap();
    let (_client, id) = within("the answer", asked).await.unwrap();
    let known = [
        (id.to_string(), "ID"),
        (desk.instance().to_string(), "DESK"),
        ("n1.node.bank-a.amop".to_owned(), "A"),
        ("n1.node.bank-b.amop".to_owned(), "B1"),
        ("n2.node.bank-b.amop".to_owned(), "B2"),
    ];
    let picture = said(net.nodes[0].dir(), &["trace", &id.to_string()]).await;
    let lines = masked(&picture, &known);
    assert!(lines[0].starts_with("unicast `quote` 9 B · ID · 20"), "{picture}");
    assert!(lines[0].ends_with("Z · ended: 0"), "{picture}");
    let expected = [
        "T  A  accepted, 9 B",
        "T  A ─▶ B2  attempt 1 to DESK, chosen among 1",
        "T  A ─▶ B1  over 2 links",
        "T  A ─▶ B1 ─▶ B2  passed on",
        "T  B2 ─▶ DESK  pushed",
        "T  B2 ◀─ DESK  answered",
        "T  B2 ─▶ B1  over 2 links",
        "T  B2 ─▶ B1 ─▶ A  passed on",
        "T  A ◀─ B2  the answer came",
    ];
    let steps: Vec<&String> = lines.iter().filter(|line| line.starts_with("T  ")).collect();
    assert_eq!(steps, expected, "{picture}");
    assert!(lines.last().unwrap().ends_with("recorded by 3 nodes"), "{picture}");

    let objects = objects(&said(net.nodes[2].dir(), &["--json", "trace", &id.to_string()]).await);
    assert_eq!((&objects[0]["type"], &objects[0]["id"]), (&"trace".into(), &id.to_string().into()));
    let unknown = amop(net.nodes[0].dir(), &["trace", &"0".repeat(32)]).await;
    let said = String::from_utf8(unknown.stderr).unwrap();
    assert!(said.contains("error[unknown-message]"), "{said}");
    let wrong = amop(net.nodes[0].dir(), &["trace", "7"]).await;
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

/// REACH-1, REACH-2, REACH-3
#[tokio::test]
async fn who_would_get_a_message_is_found_out_without_sending_one() {
    let net = Net::start(&[&[], &[0], &[1]]).await;
    let (client, desk) = (net.client("app", 0).await, net.client("desk", 2).await);
    let near = client.subscribe("quote").await.unwrap();
    let mut far = desk.subscribe("quote").propagated().await.unwrap();
    let known = [
        (client.instance().to_string(), "APP"),
        (desk.instance().to_string(), "DESK"),
        ("n1.node.bank-a.amop".to_owned(), "A"),
        ("n1.node.bank-b.amop".to_owned(), "B1"),
        ("n2.node.bank-b.amop".to_owned(), "B2"),
    ];
    let dir = net.nodes[0].dir();
    let picture = said(dir, &["trace", "--probe", "quote"]).await;
    let without_times = |line: String| line.split("  +").next().unwrap_or_default().to_owned();
    let lines: Vec<String> = masked(&picture, &known).into_iter().map(without_times).collect();
    let expected = [
        "`quote`: 2 subscribers at 2 nodes; nothing was sent to them",
        "",
        "here     A ─▶ APP  app.sdk.bank-a.amop",
        "T  A ─▶ B1",
        "T  B1 ─▶ B2",
        "B2 ─▶ DESK",
        "",
        "times are round trips from here",
    ];
    assert_eq!(lines, expected, "{picture}");
    let reach = &objects(&said(dir, &["--json", "trace", "--probe", "quote"]).await)[0];
    assert_eq!((&reach["type"], &reach["count"]), (&"reach".into(), &1.into()));
    assert_eq!(reach["hops"][1]["way"].as_array().unwrap().len(), 3, "{reach}");
    assert_eq!(reach["hops"][1]["subscribers"][0], desk.instance().to_string());
    let nobody = amop(dir, &["trace", "--probe", "nobody"]).await;
    assert_eq!(nobody.status.code(), Some(100), "{nobody:?}");

    let text = std::fs::read_to_string(dir.join("amop.toml")).unwrap();
    let rule = "[[acl]]\nwho = [\"app.sdk.bank-a.amop\", \"agency:bank-b\"]\ntopics = \"quote\"\n\
                allow = [\"publish\", \"subscribe\"]";
    std::fs::write(dir.join("amop.toml"), format!("{text}\n{rule}\n")).unwrap();
    assert_eq!(said(dir, &["node", "reload"]).await, "reloaded\n");
    let ask = async |topic: &str, name: &str| {
        amop(dir, &["trace", "--probe", topic, "--client", name]).await
    };
    let forbidden = ask("quote", "other.sdk.bank-a.amop").await;
    let unknown = ask("nobody", "other.sdk.bank-a.amop").await;
    assert_eq!(forbidden.status.code(), Some(202), "{forbidden:?}");
    assert_eq!(forbidden, unknown, "whether anybody knows the topic is not said");
    assert_eq!(ask("quote", "app.sdk.bank-a.amop").await.status.code(), Some(0));
    let nothing = tokio::time::timeout(std::time::Duration::ZERO, far.next()).await;
    assert!(nothing.is_err(), "it was a question only: {nothing:?}");
    drop((near, far));
}
