//! The programs in `examples/`, as a reader runs them: with a node, certificates and keys in files.
//!
//! `cargo test` builds them before it runs this, unless it is told to run this test alone.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::SystemTime;

use amop_node::{Limits, Node, NodeConfig};
use amop_pki::{AgencyPlan, Consortium};
use amop_sdk::{Code, Identity, Settings, Trust, generate_key, write_key_file};
use tempfile::TempDir;
use tokio::task::block_in_place;

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_talk_to_each_other_in_the_clear_and_in_private() {
    let site = Site::start().await;
    block_in_place(|| {
        site.key("hr.key");
        site.key("other.key");
        for keys in [None, Some(("hr.key", "hr.key.pub"))] {
            let topic = if keys.is_some() { "salary" } else { "hello" };
            let mut subscriber = Subscriber::start(&site, topic, keys.map(|(secret, _)| secret));
            let published = site.publish(topic, keys.map(|(_, public)| public));
            let printed = String::from_utf8(published.stdout.clone()).unwrap();
            assert_eq!(published.status.code(), Some(0), "{published:?}");
            assert!(printed.contains("answer: hello, AMOP, I am subscriber!"), "{printed}");
            let received = subscriber.lines.next().unwrap().unwrap();
            assert_eq!(received, "received: hello, AMOP, I am unicast publisher! 0");

            let refused = site.publish(topic, Some("other.key.pub"));
            assert_eq!(refused.status.code(), Some(Code::NoSubscriber.number().into()));
        }
    });
}

/// A node, and a directory with the files of its clients.
struct Site {
    dir: TempDir,
    node: Node,
}

impl Site {
    async fn start() -> Self {
        let plan = [AgencyPlan { agency: "bank-a", nodes: &["n1"], clients: &["app"] }];
        let consortium = Consortium::new("Test", "amop", &plan, now()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let client = consortium.client("bank-a", "app").unwrap();
        fs::write(dir.path().join("ca.crt"), consortium.root().certificate_pem()).unwrap();
        fs::write(dir.path().join("sdk.crt"), client.chain_pem()).unwrap();
        fs::write(dir.path().join("sdk.key"), client.key_pem()).unwrap();
        let leaf = consortium.node("bank-a", "n1").unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let config = NodeConfig {
            identity: Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes())
                .unwrap(),
            trust: Trust::from_pem(consortium.root().certificate_pem().as_bytes()).unwrap(),
            p2p_listen: any,
            sdk_listen: any,
            peers: Vec::new(),
            settings: Settings::default(),
            workers: 1,
            limits: Limits::default(),
            access: amop_node::Access::default(),
        };
        Self { dir, node: Node::start(config).await.unwrap() }
    }

    /// Writes a topic key, and its public half beside it.
    fn key(&self, file: &str) {
        let key = generate_key();
        write_key_file(&self.dir.path().join(file), &key, None).unwrap();
        fs::write(self.dir.path().join(format!("{file}.pub")), key.public().to_pem()).unwrap();
    }

    fn publish(&self, topic: &str, private: Option<&str>) -> Output {
        self.example("publisher", topic, private).output().unwrap()
    }

    fn example(&self, name: &str, topic: &str, private: Option<&str>) -> Command {
        let mut command = Command::new(built(name));
        command.current_dir(self.dir.path()).arg(self.node.sdk_addr().to_string()).arg(topic);
        let files = [("--ca", "ca.crt"), ("--cert", "sdk.crt"), ("--key", "sdk.key")];
        for (option, file) in files.into_iter().chain(private.map(|file| ("--private", file))) {
            command.args([option, file]);
        }
        command
    }
}

/// A subscriber that runs until this is dropped.
struct Subscriber {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Subscriber {
    fn start(site: &Site, topic: &str, private: Option<&str>) -> Self {
        let mut process = site.example("subscriber", topic, private);
        let mut process = process.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        assert!(first.starts_with(&format!("Subscriber {topic} success ")), "{first}");
        Self { process, lines }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where cargo puts examples: beside the directory of the tests.
fn built(example: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let profile = this.ancestors().nth(2).expect("tests are in a directory of their profile");
    let path = profile.join("examples").join(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "cargo test --package amop-sdk builds {}", path.display());
    path
}

#[expect(clippy::disallowed_methods, reason = "certificates are judged by the real time")]
fn now() -> SystemTime {
    SystemTime::now()
}
