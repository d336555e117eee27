//! `amop doctor`: each layer broken in turn, on real sockets.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, SystemTime};

use amop_pki::{Agency, Leaf, LeafProfile, Root};
use amop_wire::Name;
use serde_json::Value;

use crate::support::{Site, amop, config, now, objects, run, shell, text};

/// What is found in a directory about an endpoint: each layer with its state, and the text of the last one.
struct Found {
    layers: Vec<(String, String)>,
    text: String,
    next: String,
    code: i32,
}

impl Found {
    fn ends_with(&self, layer: &str, code: i32, text: &str, next: &str) {
        let last = self.layers.last().unwrap();
        assert_eq!((last.0.as_str(), last.1.as_str()), (layer, "broken"), "{}", self.text);
        assert!(self.layers[..self.layers.len() - 1].iter().all(|(_, state)| state == "good"));
        assert!(self.text.contains(text), "{}", self.text);
        assert!(self.next.contains(next), "{}", self.next);
        assert_eq!(self.code, code, "{}", self.text);
    }

    fn good(&self) -> Vec<&str> {
        let good = self.layers.iter().filter(|(_, state)| state == "good");
        good.map(|(layer, _)| layer.as_str()).collect()
    }
}

async fn doctor(dir: &Path, endpoint: &str) -> Found {
    doctor_with(dir, endpoint, &[]).await
}

async fn doctor_with(dir: &Path, endpoint: &str, more: &[&str]) -> Found {
    let arguments = [&["--json", "doctor", "-e", endpoint, "--timeout", "3s"], more].concat();
    let ended = run(&mut amop(dir, &arguments)).await;
    let objects = objects(&text(&ended.stdout));
    let word = |object: &Value, key: &str| object[key].as_str().unwrap_or_default().to_owned();
    assert!(objects.iter().all(|object| object["type"] == "diagnosis"), "{ended:?}");
    assert!(objects.iter().all(|object| object["endpoint"] == endpoint), "{ended:?}");
    let last = objects.last().unwrap();
    Found {
        layers: objects.iter().map(|o| (word(o, "layer"), word(o, "state"))).collect(),
        text: word(last, "text"),
        next: word(last, "next"),
        code: ended.status.code().unwrap(),
    }
}

#[tokio::test]
async fn a_client_in_good_health_is_told_so_from_the_name_to_the_buffers() {
    let site = Site::start().await;
    let endpoint = format!("localhost:{}", site.node.sdk_addr().port());
    let found = doctor(site.dir.path(), &endpoint).await;
    let layers: Vec<&str> = found.layers.iter().map(|(layer, _)| layer.as_str()).collect();
    let all = ["name", "udp", "tls", "ours", "theirs", "attach", "clock", "buffers"];
    assert_eq!((layers, found.code), (all.to_vec(), 0));
    assert!(
        found.good().starts_with(&all[..7]),
        "buffers are the machine's own: {:?}",
        found.layers
    );
    let shown = text(&run(&mut site.amop(&["doctor"])).await.stdout);
    assert!(shown.contains("  theirs   good     n1.node.bank-a.amop, sha256:"), "{shown}");
    site.everybody_said_goodbye().await;
}

#[tokio::test]
async fn a_name_without_an_address_is_the_first_thing_that_can_be_broken() {
    let site = Site::start().await;
    let found = doctor(site.dir.path(), "no-such-host.invalid:20200").await;
    found.ends_with("name", 69, "no-such-host.invalid:20200 has no address", "spelt right");
    let found = doctor(site.dir.path(), "127.0.0.1").await;
    found.ends_with("name", 69, "127.0.0.1 has no address", "HOST:PORT");
}

#[tokio::test]
async fn a_port_without_a_listener_one_that_is_silent_and_one_of_something_else_are_told_apart() {
    let site = Site::start().await;
    let dir = site.dir.path();
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let found = doctor(dir, &closed.to_string()).await;
    found.ends_with("udp", 69, "nobody listens at UDP port", "does the node run?");

    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let found = doctor(dir, &silent.local_addr().unwrap().to_string()).await;
    found.ends_with("udp", 69, "no answer from 127.0.0.1:", "firewall");

    let echo = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = echo.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 1500];
        let (length, from) = echo.recv_from(&mut packet).unwrap();
        echo.send_to(&packet[..length], from).unwrap();
    });
    let found = doctor(dir, &addr.to_string()).await;
    found.ends_with("udp", 69, "does not speak QUIC", "sdk.listen");
}

#[tokio::test]
async fn the_port_for_nodes_speaks_quic_and_another_protocol() {
    let site = Site::start().await;
    let found = doctor(site.dir.path(), &site.node.p2p_addr().to_string()).await;
    found.ends_with("tls", 76, "speaks QUIC, but not amop-sdk/1", "`sdk.listen`");
}

/// TLS 1.3 lets a client believe that it is connected before the node has judged it.
#[tokio::test]
async fn that_the_node_refuses_our_certificate_is_told_with_its_reason() {
    let site = Site::start().await;
    let (dir, endpoint) = (site.dir.path(), site.endpoint());
    let stranger = Root::new("Another", "amop", now()).unwrap();
    let leaf = client_of(&stranger.agency("bank-a", now()).unwrap(), now());
    put(dir, &leaf);
    let found = doctor(dir, &endpoint).await;
    assert_eq!(found.good(), ["name", "udp", "tls"]);
    let text = "the node has refused our certificate: certificate app.sdk.bank-a.amop refused: \
                not issued by a trusted root";
    found.ends_with("ours", 77, text, "`tls.ca` lacks our root");

    let own = own_agency(dir);
    put(dir, &client_of(&own, long_ago()));
    doctor(dir, &endpoint).await.ends_with("ours", 77, "expired on 2020-", "`amop cert renew`");
    put(dir, &client_of(&own, now() + 9 * DAY));
    let found = doctor(dir, &endpoint).await;
    found.ends_with("clock", 77, "not valid before", "compare the clocks");

    let node = doctor_with(dir, &endpoint, &["--cert", "node.crt", "--key", "node.key"]).await;
    node.ends_with("ours", 77, "has the role node, but sdk is needed", "of a client");
}

#[tokio::test]
async fn that_we_refuse_the_certificate_of_the_node_is_told_with_its_reason() {
    let site = Site::start().await;
    let (dir, endpoint) = (site.dir.path(), site.endpoint());
    let other = Root::new("Another", "amop", now()).unwrap();
    fs::write(dir.join("other.crt"), other.certificate_pem()).unwrap();
    let found = doctor_with(dir, &endpoint, &["--ca", "other.crt"]).await;
    assert_eq!(found.good(), ["name", "udp", "tls"]);
    let text = "we have refused the node's certificate: certificate n1.node.bank-a.amop refused: \
                not issued by a trusted root";
    found.ends_with("theirs", 77, text, "--ca");
}

#[tokio::test]
async fn a_node_that_does_not_let_us_in_has_taken_our_certificate_all_the_same() {
    let site = Site::start().await;
    let (dir, endpoint) = (site.dir.path(), site.endpoint());
    let path = dir.join("amop.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("[sdk]\n", "[sdk]\ndeny = [\"agency:bank-a\"]\n")).unwrap();
    site.node.set_access(config(&path).node.access);
    let found = doctor(dir, &endpoint).await;
    found.ends_with("attach", 77, "", "`sdk.deny`");
}

#[tokio::test]
async fn without_a_certificate_nothing_is_walked() {
    let dir = tempfile::tempdir().unwrap();
    let ended =
        run(&mut shell(dir.path(), &format!("exec {} doctor", env!("CARGO_BIN_EXE_amop")))).await;
    assert_eq!(ended.status.code(), Some(66));
    assert!(text(&ended.stderr).contains("error[no-file]: cannot read ./"), "{ended:?}");
}

/// The authority of bank-a in a directory of `amop cert quick`.
fn own_agency(dir: &Path) -> Agency {
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    Agency::from_pem(&read("bank-a-ca.crt"), &read("bank-a-ca.key")).unwrap()
}

/// A client whose certificate counts for a day from then on.
fn client_of(agency: &Agency, from: SystemTime) -> Leaf {
    let name: Name = "app.sdk.bank-a.amop".parse().unwrap();
    let profile = LeafProfile { lifetime: DAY, ..LeafProfile::of(&name) };
    agency.issue_custom(&profile, from).unwrap()
}

/// Makes it the client of the directory.
fn put(dir: &Path, leaf: &Leaf) {
    fs::write(dir.join("sdk.crt"), leaf.chain_pem()).unwrap();
    fs::write(dir.join("sdk.key"), leaf.key_pem()).unwrap();
}

fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000)
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
