//! What a daemon says of a client that is certified and keeps no rule.

use std::net::SocketAddr;
use std::ops::Range;

use amop_p2p::{Batch, LinkEnd};
use amop_pki::Consortium;
use amop_wire::{ClientMessage, CloseCode, Frame, Gen, Instance};
use tokio::sync::oneshot;

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

/// So many clients attach and then fall silent, as if their machine had lost its current.
fn fall_silent(consortium: &Consortium, node: SocketAddr, clients: Range<u64>) {
    let attach = async |client| {
        let (endpoint, link) = dial_at(consortium, node).await;
        let mut batch = Batch::default();
        let (instance, generation) = (Instance(client), Gen(1));
        batch.push(&ClientMessage::Attach { instance, generation }).unwrap();
        let link = link.expect("it is let in");
        link.outbox().send(&mut batch);
        let (told, answered) = oneshot::channel();
        let mut told = Some(told);
        tokio::spawn(async move {
            let _kept = endpoint;
            let answered = |_, _: &mut Vec<Frame>| {
                told.take().map(|told| told.send(()));
                Ok(())
            };
            link.run(answered).await
        });
        answered.await.expect("it is answered");
    };
    let fall_silent = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        clients.for_each(|client| runtime.block_on(attach(client)));
        // Whatever the links still have to say, nobody sends it.
        drop(runtime);
    };
    // A runtime of its own needs a thread of its own.
    std::thread::scope(|scope| scope.spawn(fall_silent).join().unwrap());
}

/// LINK-6: links that are lost one after another get a line a second as well.
#[tokio::test]
async fn lost_links_with_one_party_are_told_of_once_a_second_and_how_many_else() {
    let (dir, consortium) = site(0, 0);
    let mut node = start(dir.path()).await;
    fall_silent(&consortium, sdk_addr(&node), 1..9);
    node.says("link ended").await;
    // It is lost when all the others are.
    fall_silent(&consortium, sdk_addr(&node), 9..10);
    let mut lines: Vec<String> = node.log.clone();
    lines.retain(|line| line.contains("link ended"));
    let listen = async {
        while lines.iter().map(|line| 1 + held_back(line)).sum::<u64>() < 9 {
            let line = node.lines.next_line().await.unwrap().expect("it goes on");
            lines.extend(Some(line).filter(|line| line.contains("link ended")));
        }
    };
    tokio::time::timeout(PATIENCE, listen).await.expect("each loss is told of or counted");
    assert!(lines.len() < 9, "{lines:?}");
    for line in lines {
        assert!(line.contains("INFO") && line.contains("end=lost: heard nothing"), "{line}");
    }
}
