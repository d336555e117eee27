//! The lives of embedded nodes in one state directory.

use amop_node::{Node, StartError, StateError};
use amop_wire::{Epoch, NodeMessage};
use tempfile::TempDir;

use crate::support::{PATIENCE, RawClient, attach, config, consortium, dialing, until};

/// SEQ-1
#[tokio::test]
async fn a_later_life_has_the_greater_epoch_and_tells_it_although_the_clock_is_behind() {
    let consortium = consortium();
    let dir = TempDir::new().unwrap();
    // Beyond every clock: only the file can carry it on.
    std::fs::write(dir.path().join("epoch"), "9000000000000000\n").unwrap();
    for life in 1..=5 {
        let node = Node::start_in(config(&consortium, "bank-a"), dir.path()).await.unwrap();
        assert_eq!(node.epoch(), Epoch(9_000_000_000_000_000 + life));
        let mut client = RawClient::dial(&consortium, "app", &node).await;
        client.send(&attach(1));
        let NodeMessage::Attached { epoch, .. } = client.receive().await else {
            panic!("attached")
        };
        assert_eq!(epoch, node.epoch(), "what the node tells others");
        node.shutdown().await;
    }
}

#[tokio::test]
async fn a_directory_is_one_node_s_until_it_has_shut_down() {
    let consortium = consortium();
    let dir = TempDir::new().unwrap();
    let node = Node::start_in(config(&consortium, "bank-a"), dir.path()).await.unwrap();
    let error = Node::start_in(config(&consortium, "bank-b"), dir.path()).await.unwrap_err();
    assert!(matches!(error, StartError::State(StateError::InUse { .. })), "{error}");

    let other = TempDir::new().unwrap();
    let peer = dialing(config(&consortium, "bank-b"), node.name(), node.p2p_addr());
    let peer = Node::start_in(peer, other.path()).await.unwrap();
    until(&peer, |status| status.peers == [node.name().clone()]).await;
    node.shutdown().await;
    Node::start_in(config(&consortium, "bank-a"), dir.path()).await.unwrap();
}

#[tokio::test]
async fn a_start_that_fails_leaves_the_directory_free() {
    let consortium = consortium();
    let dir = TempDir::new().unwrap();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut blocked = config(&consortium, "bank-a");
    blocked.sdk_listen = taken.local_addr().unwrap();
    let error = Node::start_in(blocked, dir.path()).await.unwrap_err();
    assert!(matches!(error, StartError::SdkListen { .. }), "{error}");
    Node::start_in(config(&consortium, "bank-a"), dir.path()).await.unwrap();
}

/// SEQ-9
#[tokio::test]
async fn of_two_nodes_with_one_certificate_one_gives_way_and_stops() {
    let consortium = consortium();
    let peer = Node::start(config(&consortium, "bank-b")).await.unwrap();
    let twin = || dialing(config(&consortium, "bank-a"), peer.name(), peer.p2p_addr());
    let (one, other) = (Node::start(twin()).await.unwrap(), Node::start(twin()).await.unwrap());
    let is_superseded = |node: &Node| {
        let mut status = node.status();
        async move { status.wait_for(|status| status.is_superseded).await.map(drop) }
    };
    let gives_way = async {
        tokio::select! {
            ended = is_superseded(&one) => ended.map(|()| &other),
            ended = is_superseded(&other) => ended.map(|()| &one),
        }
    };
    let stays = tokio::time::timeout(3 * PATIENCE, gives_way).await.unwrap().unwrap();
    until(stays, |status| status.peers == [peer.name().clone()]).await;
    until(&peer, |status| status.peers == [stays.name().clone()]).await;
    assert!(!stays.status().borrow().is_superseded);
}
