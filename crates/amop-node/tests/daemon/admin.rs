//! The admin interface of a daemon.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use amop_node::view::Overview;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::support::{PATIENCE, Running, directory, start};

/// Sends one request, and takes head and body of the answer.
async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
) -> (String, String) {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(PATIENCE, read).await.expect("an answer").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// Sends one request, and takes the status and the body of the answer.
pub(crate) async fn ask_on(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
) -> (u16, String) {
    let (head, body) = answer(stream, request).await;
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body)
}

/// Scrapes the metrics with their head.
pub(crate) async fn scrape(socket: &Path) -> (String, String) {
    let stream = UnixStream::connect(socket).await.unwrap();
    answer(stream, "GET /metrics HTTP/1.0\r\n\r\n").await
}

pub(crate) async fn ask(socket: &Path, line: &str) -> (u16, String) {
    let stream = UnixStream::connect(socket).await.unwrap();
    ask_on(stream, &format!("{line} HTTP/1.0\r\n\r\n")).await
}

/// A daemon with this at the end of its configuration.
async fn start_with(more: &str) -> (tempfile::TempDir, Running, PathBuf) {
    let dir = directory(0, 0);
    let mut file = OpenOptions::new().append(true).open(dir.path().join("amop.toml")).unwrap();
    file.write_all(more.as_bytes()).unwrap();
    let mut node = start(dir.path()).await;
    node.says("admin interface ready").await;
    let socket = dir.path().join("n1.node.bank-a.amop.state/admin.sock");
    (dir, node, socket)
}

#[tokio::test]
async fn the_socket_is_the_operators_alone_and_shows_the_node() {
    let (dir, node, socket) = start_with("").await;
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let (status, body) = ask(&socket, "GET /v1/status").await;
    let overview: Overview = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, &*overview.name, &*overview.state),
        (200, "n1.node.bank-a.amop", "serving")
    );
    assert_eq!(overview.epoch, node.epoch);
    assert_eq!(ask(&socket, "GET /livez").await, (200, "live\n".into()));
    assert_eq!(ask(&socket, "GET /readyz").await, (200, "ready\n".into()));
    for path in ["/v1/peers", "/v1/clients", "/v1/who?topic=quote"] {
        assert_eq!(ask(&socket, &format!("GET {path}")).await, (200, "[]".into()), "{path}");
    }
    let topics = ask(&socket, "GET /v1/topics").await;
    assert_eq!(topics, (200, r#"{"total":0,"topics":[]}"#.into()));
    let (status, body) = ask(&socket, "GET /v1/who?topic=%20").await;
    assert!(status == 400 && body.contains("invalid-topic"), "{status} {body}");
    assert_eq!(ask(&socket, "GET /v2").await.0, 404);

    // A socket that a killed daemon left is taken over; one that is served is not.
    node.kill().await;
    assert!(socket.exists());
    let mut again = start(dir.path()).await;
    again.says("admin interface ready").await;
    assert_eq!(ask(&socket, "GET /livez").await.0, 200);
}

#[tokio::test]
async fn the_port_shows_the_same_but_takes_no_orders_and_no_request_for_another_host() {
    let (_dir, node, _socket) = start_with("[admin]\nlisten = \"127.0.0.1:0\"\n").await;
    let line = node.log.iter().find(|line| line.contains("admin interface ready")).unwrap();
    let addr = line.split("admin_addr=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let ask = async |line: &str, host: &str| {
        let stream = TcpStream::connect(&addr).await.unwrap();
        ask_on(stream, &format!("{line} HTTP/1.0\r\nHost: {host}\r\n\r\n")).await
    };
    assert_eq!(ask("GET /readyz", &addr).await.0, 200);
    assert_eq!(ask("GET /v1/peers", "localhost").await, (200, "[]".into()));
    assert_eq!(ask("GET /v1/peers", "evil.example").await.0, 403);
    for order in ["reload", "drain", "kick?whom=x", "log-level?filter=info"] {
        assert_eq!(ask(&format!("POST /v1/{order}"), &addr).await.0, 404, "{order}");
    }
}

#[tokio::test]
async fn every_metric_is_in_the_table_of_operations_and_every_row_of_it_is_scraped() {
    let peer = "[[p2p.peer]]\nname = \"n1.node.bank-b.amop\"\naddr = [\"127.0.0.1:9\"]\n";
    let (_dir, _node, socket) = start_with(peer).await;
    let (status, text) = ask(&socket, "GET /metrics").await;
    assert_eq!(status, 200, "{text}");
    let scraped: BTreeSet<(&str, &str)> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/OPERATIONS.md");
    let page = fs::read_to_string(path).unwrap();
    let (_, table) = page.split_once("| metric | type | labels | meaning |\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows: BTreeSet<(&str, &str)> = table
        .lines()
        .skip(1)
        .map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            let name = cells[0].trim_matches(['|', ' ', '`']);
            (name, cells[1])
        })
        .collect();
    assert_eq!(scraped.difference(&rows).count(), 0, "{scraped:?}");
    // These have nothing to show without a link, or without a list.
    let absent: Vec<&str> = rows.difference(&scraped).map(|(name, _)| *name).collect();
    let expected = [
        "amop_peer_lost_packets_total",
        "amop_peer_round_trip_seconds",
        "amop_revocation_list_end_timestamp_seconds",
    ];
    assert_eq!(absent, expected);
    for (name, kind) in &rows {
        assert!(name.starts_with("amop_") && (*kind == "counter" || *kind == "gauge"), "{name}");
    }
    for code in amop_wire::Code::ALL {
        let line = format!("amop_publishes_total{{code=\"{code}\"}} 0");
        assert!(text.lines().any(|l| l == line), "{line} in {text}");
    }
    for line in [
        "amop_ready 1.0",
        "amop_peer_up{peer=\"n1.node.bank-b.amop\"} 0.0",
        "amop_certificate_end_timestamp_seconds{name=\"n1.node.bank-a.amop\"} ",
    ] {
        assert!(text.lines().any(|l| l.starts_with(line)), "{line} in {text}");
    }
}

#[tokio::test]
async fn a_reload_says_what_came_of_it() {
    let (dir, mut node, socket) = start_with("").await;
    let file = dir.path().join("amop.toml");
    let text = fs::read_to_string(&file).unwrap();
    let answer = ask(&socket, "POST /v1/reload").await;
    assert_eq!(answer, (200, r#"{"needs_restart":[]}"#.into()));
    fs::write(&file, format!("{text}[log]\nlevel = \"debug\"\n")).unwrap();
    let answer = ask(&socket, "POST /v1/reload").await;
    assert_eq!(answer, (200, r#"{"needs_restart":["log.level"]}"#.into()));
    fs::write(&file, format!("{text}[lgo]\n")).unwrap();
    let (status, body) = ask(&socket, "POST /v1/reload").await;
    assert!(status == 422 && body.contains("unknown key `lgo`"), "{status} {body}");
    node.says("not reloaded; nothing has changed").await;
    let metrics = ask(&socket, "GET /metrics").await.1;
    assert!(metrics.contains("amop_reloads_total{result=\"refused\"} 1"), "{metrics}");
}

#[tokio::test]
async fn what_is_logged_changes_at_once_and_a_wrong_filter_changes_nothing() {
    let (_dir, mut node, socket) = start_with("").await;
    assert_eq!(ask(&socket, "POST /v1/log-level?filter=,=").await.0, 400);
    assert_eq!(ask(&socket, "POST /v1/log-level?filter=warn").await.0, 204);
    assert_eq!(ask(&socket, "POST /v1/log-level?filter=info").await.0, 204);
    node.says("logging by another filter").await;
    let told = node.log.iter().filter(|line| line.contains("logging by another filter")).count();
    assert_eq!(told, 1, "the first was not logged: it said so itself");
}

#[tokio::test]
async fn a_drain_stops_the_daemon_and_nobody_unknown_is_kicked() {
    let (_dir, mut node, socket) = start_with("").await;
    let (status, body) = ask(&socket, "POST /v1/kick?whom=bank-b%2Fn1").await;
    assert!(status == 404 && body.contains("unknown-party"), "{status} {body}");
    assert_eq!(ask(&socket, "POST /v1/drain").await.0, 202);
    let status = tokio::time::timeout(PATIENCE, node.child.wait()).await.expect("it stops");
    assert_eq!(status.unwrap().code(), Some(0));
    assert!(!socket.exists(), "it takes its socket along");
}

#[tokio::test]
async fn a_file_in_the_place_of_the_socket_is_left_alone_and_named() {
    let dir = directory(0, 0);
    let taken = dir.path().join("taken");
    fs::write(&taken, "mine").unwrap();
    let mut command = std::process::Command::new(crate::support::DAEMON);
    command.arg("--config").arg(dir.path().join("amop.toml"));
    let output = command.args(["--set", "admin.socket=taken"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(said.contains("`admin.socket`") && said.contains("exists"), "{said}");
    assert_eq!(fs::read_to_string(&taken).unwrap(), "mine");
}
