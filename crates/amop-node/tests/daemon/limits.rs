//! A daemon whose limits and rules change while it runs.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use amop_p2p::Batch;
use amop_pki::Consortium;
use amop_wire::{
    ClientMessage, CloseReason, Code, Frame, Gen, Instance, Message, Mode, NodeMessage, Publish,
    Terms,
};
use tokio::sync::mpsc;

use crate::descriptors::dial;
use crate::support::{DAEMON, PATIENCE, Running, directory, site, start};

fn append(dir: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(dir.join("amop.toml")).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// RATE-3
#[tokio::test]
async fn limits_are_read_again_and_those_that_need_a_restart_are_named() {
    let dir = directory(0, 0);
    let mut node = start(dir.path()).await;
    append(
        dir.path(),
        "[log]\nlevel = \"debug\"\n[limits.session]\nmessages = \"5/s\"\n\
         [limits.node]\nhandshakes = \"5/s\"\nmemory = \"64 MiB\"\n\
         [limits.link]\nfiles = \"1 MB/s\"\nqueue = \"4 MiB\"\nqueue_messages = 100\n",
    );
    node.hang_up();
    node.says("going by other limits").await;
    let keys = "keys=\"limits.link.queue, limits.link.queue_messages, log.level\"";
    assert!(node.said(keys), "the others count: {:?}", node.log);
}

/// Publishes twenty messages at once to nobody, as a client process of its own, and takes their codes.
async fn publish(consortium: &Consortium, node: &Running, instance: u64) -> Vec<Code> {
    let (_endpoint, link) = dial(consortium, node).await;
    let link = link.expect("the node takes links");
    let outbox = link.outbox();
    let (sender, mut received) = mpsc::unbounded_channel();
    tokio::spawn(link.run(move |_, frames: &mut Vec<Frame>| {
        // Those without a header only say when others were sent.
        for frame in frames.drain(..).filter(|frame| !frame.header.is_empty()) {
            let _ = sender.send(NodeMessage::from_frame(frame).unwrap());
        }
        Ok::<(), CloseReason>(())
    }));
    let mut batch = Batch::default();
    let (instance, generation) = (Instance(instance), Gen(1));
    batch.push(&ClientMessage::Attach { instance, generation }).unwrap();
    for counter in 1..=20 {
        let message = ClientMessage::Publish(Publish {
            terms: Terms::default(),
            counter,
            ttl: Duration::from_secs(60),
            mode: Mode::Unicast,
            sequence: 0,
            topic: "t".parse().unwrap(),
            payload: "".into(),
        });
        batch.push(&message).unwrap();
    }
    outbox.send(&mut batch);
    let mut codes = Vec::new();
    while codes.len() < 20 {
        let message = tokio::time::timeout(PATIENCE, received.recv()).await.expect("an outcome");
        if let NodeMessage::Outcome(outcome) = message.expect("the link lives") {
            codes.push(outcome.code);
        }
    }
    codes
}

/// RATE-1, RATE-3
#[tokio::test]
async fn a_reload_with_any_wrong_limit_is_refused_with_its_place_and_the_old_limits_hold() {
    let (dir, consortium) = site(0, 0);
    let file = dir.path().join("amop.toml");
    let base = fs::read_to_string(&file).unwrap();
    let write = |limits: &str| fs::write(&file, format!("{base}{limits}")).unwrap();
    // Twenty at a time are more than any pause between them makes up for.
    write("[limits.session]\nmessages = \"1/s\"\n");
    let mut node = start(dir.path()).await;
    assert!(publish(&consortium, &node, 1).await.contains(&Code::Limited));

    let free = "[limits.session]\nmessages = \"1000000/s\"\n";
    let wrong = [
        ("node", "memory", "\"0 B\""),
        ("agency", "bytes", "\"-1 MB/s\""),
        ("link", "files", "\"5 mbit/s\""),
        ("link", "queue", "\"64\""),
        ("node", "memory", "\"9999999 GiB\""),
        ("agency", "links", "-1"),
        ("node", "in_flight", "262145"),
        ("address", "handshakes", "\"0/s\""),
    ];
    for (section, key, value) in wrong {
        write(&format!("{free}[limits.{section}]\n{key} = {value}\n"));
        node.hang_up();
        let sentence = format!("`limits.{section}.{key}` is {value}, ");
        node.says(&sentence).await;
        let line = node.log.iter().find(|line| line.contains(&sentence)).unwrap();
        let place = format!("amop.toml:{}:", base.lines().count() + 4);
        assert!(line.contains(&place) && line.contains("nothing has changed"), "{place} {line}");
    }
    assert!(publish(&consortium, &node, 2).await.contains(&Code::Limited), "as before");

    write(free);
    node.hang_up();
    node.says("going by other limits").await;
    assert_eq!(publish(&consortium, &node, 3).await, [Code::NoSubscriber; 20]);
}

/// LIMIT-1
#[tokio::test]
async fn a_link_too_many_is_told_in_the_log() {
    let (dir, consortium) = site(0, 0);
    append(dir.path(), "[limits.node]\nlinks = 1\n");
    let mut node = start(dir.path()).await;
    let (_endpoint, _first) = dial(&consortium, &node).await;
    let (_other_endpoint, _second) = dial(&consortium, &node).await;
    node.says("refused a link").await;
    let line = node.log.iter().find(|line| line.contains("refused a link")).unwrap();
    for part in ["who=\"client\"", "party=bank-a/app", "too many links", "held_back=0"] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

/// ACL-3, IDENT-9
#[tokio::test]
async fn rules_and_lists_of_who_may_come_in_are_read_again() {
    let dir = directory(0, 0);
    let mut node = start(dir.path()).await;
    let rule = "[[acl]]\nwho = [\"*\"]\ntopics = [\"*\"]\nallow = [\"publish\"]\n";
    append(dir.path(), rule);
    node.hang_up();
    node.says("going by other rules count=1").await;
}

#[tokio::test]
async fn a_daemon_with_a_limit_that_cannot_be_does_not_start() {
    let dir = directory(0, 0);
    append(dir.path(), "[limits.node]\nmemory = \"0 B\"\n");
    let config = dir.path().join("amop.toml");
    let mut daemon = tokio::process::Command::new(DAEMON);
    let ends = daemon.arg("--config").arg(config).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, ends).await.expect("it does not start").unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{told}");
    assert!(told.contains("`limits.node.memory` is \"0 B\""), "{told}");
}
