//! What a daemon says of a client that is certified and keeps no rule.

use std::net::SocketAddr;

use amop_p2p::{Batch, LinkEnd};
use amop_pki::Consortium;
use amop_wire::{ClientMessage, CloseCode};

use crate::descriptors::{dial_at, sdk_addr};
use crate::support::{PATIENCE, now, site, start};

/// Breaks the protocol on one link after another, for ever.
async fn break_rules(consortium: Consortium, node: SocketAddr) {
    loop {
        let (_endpoint, link) = dial_at(&consortium, node).await;
        let link = link.unwrap();
        let mut batch = Batch::default();
        batch.push(&ClientMessage::Subscribe("t".parse().unwrap())).unwrap(); // It is not attached.
        link.outbox().send(&mut batch);
        let end = link.run(|_, _| Ok(())).await;
        assert!(matches!(end, LinkEnd::ClosedByPeer(reason) if reason.code == CloseCode::Protocol));
    }
}

/// How many ends without a line a line tells of.
fn held_back(line: &str) -> u64 {
    let (_, count) = line.split_once("held_back=").expect("it says how many had no line");
    count.split_whitespace().next().unwrap().parse().unwrap()
}

/// LIMIT-1: whoever breaks the protocol on one link after another gets one line a second.
#[tokio::test]
async fn a_hostile_client_is_told_of_once_a_second_with_the_reason_and_how_often_else() {
    let (dir, consortium) = site(0, 0);
    let mut node = start(dir.path()).await;
    let (began, addr) = (now(), sdk_addr(&node));
    let hostile = tokio::spawn(break_rules(consortium, addr));
    let mut lines: Vec<String> = Vec::new();
    let listen = async {
        while lines.iter().all(|line| held_back(line) == 0) {
            let line = node.lines.next_line().await.unwrap().expect("it goes on");
            lines.extend(Some(line).filter(|line| line.contains("link ended")));
        }
    };
    tokio::time::timeout(PATIENCE, listen).await.expect("it tells how often else");
    let seconds = began.elapsed().unwrap().as_secs();
    assert!((2..=seconds + 1).contains(&(lines.len() as u64)), "in {seconds} s: {lines:?}");
    for line in &lines {
        assert!(line.contains("WARN") && line.contains("party=bank-a/app"), "{line}");
        assert!(line.contains("attach"), "the reason: {line}");
    }
    assert!(!hostile.is_finished(), "it was closed each time, and nothing else");
    hostile.abort();
}
