//! A daemon that is to stop while a client is attached that does not leave.

use std::process::Command;

use amop_p2p::Batch;
use amop_wire::{ClientMessage, CloseReason, Frame, Gen, Instance, Lane, Message, NodeMessage};
use tokio::sync::mpsc;

use crate::descriptors::dial;
use crate::support::{PATIENCE, Running, site, start};

fn signal(node: &Running, signal: &str) {
    let pid = node.child.id().unwrap().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

/// DRAIN-1
#[tokio::test]
async fn a_signal_tells_the_clients_that_the_node_drains_and_another_one_stops_it_at_once() {
    let (dir, consortium) = site(0, 0);
    let mut node = start(dir.path()).await;
    let (_endpoint, link) = dial(&consortium, &node).await;
    let (link, (sender, mut received)) = (link.unwrap(), mpsc::unbounded_channel());
    let outbox = link.outbox();
    let end = tokio::spawn(link.run(move |_: Lane, frames: &mut Vec<Frame>| {
        // Those without a header only say when the next ones were sent.
        for frame in frames.drain(..).filter(|frame| !frame.header.is_empty()) {
            let _ = sender.send(NodeMessage::from_frame(frame).unwrap());
        }
        Ok::<(), CloseReason>(())
    }));
    let mut batch = Batch::default();
    batch.push(&ClientMessage::Attach { instance: Instance(1), generation: Gen(1) }).unwrap();
    outbox.send(&mut batch);
    let mut receive = async || tokio::time::timeout(PATIENCE, received.recv()).await.unwrap();
    assert!(matches!(receive().await, Some(NodeMessage::Attached { .. })));

    signal(&node, "-TERM");
    assert_eq!(receive().await, Some(NodeMessage::Draining));
    assert!(node.child.try_wait().unwrap().is_none(), "it waits for its client");
    signal(&node, "-TERM");
    node.says("stopping at once").await;
    let ended = tokio::time::timeout(PATIENCE, node.child.wait()).await.unwrap();
    assert_eq!(ended.unwrap().code(), Some(0));
    end.await.unwrap();
}
