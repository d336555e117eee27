//! Parties of a newer version: what this one does not know of them is skipped, counted, and harms nothing.

use std::time::Duration;

use amop_node::{Node, Status};
use amop_wire::{
    ClientMessage, Code, Frame, Lane, Message, Mode, NodeId, NodeMessage, Path, PeerMessage,
    Publish, Relay, Terms,
};
use bytes::{Bytes, BytesMut};

use crate::raw_node::RawNode;
use crate::support::{Junk, PATIENCE, RawClient, attach, config, consortium};

/// A kind of message that no version has so far, with fields and a payload.
fn unknown(lane: Lane) -> Junk {
    let header = Bytes::from_static(&[0xf2, 0x07, 3, 0x08, 0x96, 0x01]); // Number 126.
    Junk { lane, header, payload: "of a newer version".into() }
}

/// A message with one field more, and another beside it.
fn newer(message: &impl Message) -> Junk {
    const MORE: [u8; 4] = [0xfa, 0x07, 1, b'x']; // Number 127.
    let mut header = BytesMut::new();
    message.put_header(&mut header);
    let at = header.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    assert_eq!(usize::from(header[at]), header.len() - at - 1, "a body of less than 128 bytes");
    header[at] += 4;
    header.extend([MORE, MORE].concat());
    Junk { lane: message.lane(), header: header.freeze(), payload: message.payload().clone() }
}

async fn skipped(node: &Node, count: u64) {
    let mut status = node.status();
    let is_counted = |status: &Status| status.unknown_messages == count;
    let counted = tokio::time::timeout(PATIENCE, status.wait_for(is_counted)).await;
    counted.expect("all are counted").unwrap();
    let shown = node.window().overview().await.unwrap().counts;
    assert_eq!(shown.unknown_messages, count);
}

/// FRAME-3, FRAME-4
#[tokio::test]
async fn a_newer_client_is_served_as_far_as_it_is_understood() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let mut client = RawClient::dial(&consortium, "app", &node).await;
    client.send(&unknown(Lane::Control));
    client.send(&newer(&attach(1)));
    assert!(matches!(client.receive().await, NodeMessage::Attached { .. }));
    Lane::ALL.iter().for_each(|&lane| client.send(&unknown(lane)));
    client.send(&newer(&ClientMessage::Subscribe("t".parse().unwrap())));
    let subscribed = client.receive().await;
    assert!(matches!(subscribed, NodeMessage::Subscribed { code: Code::Ok, .. }));
    let publish = Publish {
        counter: 1,
        ttl: Duration::from_secs(60),
        mode: Mode::Unicast,
        sequence: 0,
        topic: "t".parse().unwrap(),
        terms: Terms::default(),
        payload: "hello".into(),
    };
    client.send(&newer(&ClientMessage::Publish(publish)));
    let NodeMessage::Delivery(delivery) = client.receive().await else { panic!("a delivery") };
    assert_eq!(delivery.payload, "hello");
    skipped(&node, 1 + Lane::COUNT as u64).await;
    assert_eq!(node.status().borrow().refused_messages, 0, "nobody is blamed");
    node.shutdown().await;
}

/// FRAME-3, FRAME-4
#[tokio::test]
async fn a_newer_peer_stays_linked_and_what_it_sends_over_others_blames_nobody() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let id = NodeId::of(node.name());
    let mut peer = RawNode::link(&consortium, "bank-b", &node, &[id]).await;
    Lane::ALL.iter().for_each(|&lane| peer.send(&unknown(lane)));
    let header = unknown(Lane::Unicasts).header;
    let source = NodeId::from_bytes([7; 32]);
    let path = Path::new(&[source, NodeId::of(peer.identity.name()), id]).unwrap();
    let frame = Frame { header, payload: "payload".into() };
    let (lane, spent) = (Lane::Unicasts, Duration::ZERO);
    peer.send(&PeerMessage::Relay(Relay { path, position: 2, lane, spent, frame }));
    peer.send(&newer(&PeerMessage::Pull(id)));
    let is_own = |message: &PeerMessage| match message {
        PeerMessage::Snapshot(snapshot) => (snapshot.signed().node() == id).then_some(()),
        _ => None,
    };
    peer.until(is_own).await;
    skipped(&node, Lane::COUNT as u64).await;
    assert!(!peer.end.is_finished());
    assert_eq!(node.status().borrow().refused_messages, 0);
    node.shutdown().await;
}
