//! Floods from outside, by those who have no certificate: established clients and new ones are served.

use std::collections::BTreeMap;
use std::net::UdpSocket;

use amop_node::Node;
use amop_p2p::{Endpoint, LinkEnd, LinkKind, Settings};
use amop_pki::Consortium;
use amop_wire::limits::{HALF_OPEN_UNPROVED_MAX, TTL_MAX, UNLINKED_MAX};
use amop_wire::{
    AckEnd, AckRun, Answer, AnswerStatus, ClientMessage, CloseCode, Code, Mode, NodeMessage,
    Publish, Terms,
};

use crate::support::{ANY, RawClient, config, consortium, identity, trust};

/// Asks itself something over the node.
async fn ask(client: &mut RawClient, counter: u64) {
    client.send(&ClientMessage::Publish(Publish {
        counter,
        ttl: TTL_MAX,
        mode: Mode::Unicast,
        sequence: 0,
        topic: "t".parse().unwrap(),
        terms: Terms::default(),
        payload: "question".into(),
    }));
    let NodeMessage::Delivery(delivery) = client.receive().await else { panic!("a delivery") };
    let (attempt, status, payload) = (delivery.attempt, AnswerStatus::Answered, "answer".into());
    client.send(&ClientMessage::Answer(Answer { attempt, status, payload }));
    let NodeMessage::Outcome(outcome) = client.receive().await else { panic!("an outcome") };
    assert_eq!((outcome.counter, outcome.code), (counter, Code::Ok));
}

/// First packets of so many handshakes that nobody goes on with.
async fn first_packets(consortium: &Consortium, count: usize) -> Vec<Vec<u8>> {
    let catcher = tokio::net::UdpSocket::bind(ANY).await.unwrap();
    let addr = catcher.local_addr().unwrap();
    let me = identity(consortium.client("bank-a", "other").unwrap());
    let dialer = Endpoint::dial_only(LinkKind::Sdk, &me, &trust(consortium), Settings::default());
    let dialer = dialer.unwrap();
    for _ in 0..count {
        let dialer = dialer.clone();
        tokio::spawn(async move { dialer.dial(addr, None).await.map(drop) });
    }
    // A handshake is known by the connection id that it begins with.
    let (mut first, mut buffer) = (BTreeMap::new(), [0; 2048]);
    while first.len() < count {
        let length = catcher.recv(&mut buffer).await.unwrap();
        let id = buffer[6..6 + usize::from(buffer[5])].to_vec();
        first.entry(id).or_insert_with(|| buffer[..length].to_vec());
    }
    first.into_values().collect()
}

#[tokio::test]
async fn junk_and_handshakes_that_nobody_goes_on_with_keep_nobody_out() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let mut client = RawClient::attach(&consortium, "app", &node, 1).await;
    client.subscribe("t").await;
    // As many as may be half open without a proved address, and as many again.
    let packets = first_packets(&consortium, 2 * HALF_OPEN_UNPROVED_MAX).await;
    const { assert!(2 * HALF_OPEN_UNPROVED_MAX < UNLINKED_MAX) };
    let flood = UdpSocket::bind(ANY).unwrap();
    let junk: Vec<u8> =
        (0..1200_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    for (round, packet) in packets.iter().enumerate() {
        flood.send_to(packet, node.sdk_addr()).unwrap();
        for n in 0..100 {
            // Of every length and with every kind of first byte, version 1 among them.
            let mut junk = junk[n * 5..].to_vec();
            junk[0] = u8::try_from((n * 37 + round) % 256).unwrap();
            if n % 2 == 0 {
                junk[1..5].copy_from_slice(&[0, 0, 0, 1]);
            }
            flood.send_to(&junk, node.sdk_addr()).unwrap();
        }
        ask(&mut client, round as u64 + 1).await;
    }
    let newcomer = RawClient::attach(&consortium, "other", &node, 2).await;
    assert!(!newcomer.end.is_finished() && !client.end.is_finished());
    node.shutdown().await;
}

/// LIMIT-1: what is legal, but not then, or not from there.
#[tokio::test]
async fn legal_frames_in_an_order_that_is_none_close_their_client_and_nobody_else() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let mut other = RawClient::attach(&consortium, "other", &node, 1).await;
    other.subscribe("t").await;
    let publish = |counter| {
        ClientMessage::Publish(Publish {
            counter,
            ttl: TTL_MAX,
            mode: Mode::Multicast,
            sequence: 0,
            topic: "nobody".parse().unwrap(),
            terms: Terms::default(),
            payload: "".into(),
        })
    };
    let orders: [&[ClientMessage]; 3] =
        [&[publish(2), publish(2)], &[publish(2), publish(1)], &[crate::support::attach(7)]];
    for (round, order) in orders.into_iter().enumerate() {
        let client = RawClient::attach(&consortium, "app", &node, 10 + round as u64).await;
        // What is only untrue is counted and harms nobody.
        client.send(&ClientMessage::Acks(vec![AckRun { first: 5, count: 9, end: AckEnd::Taken }]));
        order.iter().for_each(|message| client.send(message));
        let end = client.ended().await;
        let LinkEnd::ClosedByPeer(reason) = end else { panic!("{end}") };
        assert_eq!(reason.code, CloseCode::Protocol, "{reason}");
        ask(&mut other, round as u64 + 1).await;
    }
    assert_eq!(node.status().borrow().refused_messages, 3);
    node.shutdown().await;
}
