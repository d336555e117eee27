//! What breaks the protocol is closed with a reason that names what was wrong; others notice
//! nothing.

use std::time::Duration;

use amop_node::Node;
use amop_p2p::LinkEnd;
use amop_wire::{
    AckEnd, AckRun, ClientMessage, CloseCode, CloseReason, Frame, Lane, Message, Mode, NodeMessage,
    Publish, Receipt, Terms,
};
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::support::{Junk, PATIENCE, RawClient, attach, config, consortium, dial, is_stamp};

/// LIMIT-1: whatever a client sends, it gets a reason, and the node serves others.
#[tokio::test]
async fn what_breaks_the_protocol_is_closed_with_a_reason_that_names_it() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let header = |bytes: &'static [u8]| Junk {
        lane: Lane::Unicasts,
        header: Bytes::from_static(bytes),
        payload: Bytes::new(),
    };
    let topic = |text: &str| {
        // publish { counter 1, ttl 1 ms, mode unicast, topic }
        let mut publish = vec![0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0x15, 1, 0, 0, 0, 0x1d, 1, 0, 0, 0];
        publish.extend([0x2a, u8::try_from(text.len()).unwrap()]);
        publish.extend(text.bytes());
        let mut header = vec![0x22, u8::try_from(publish.len()).unwrap()];
        header.extend(publish);
        Junk { lane: Lane::Unicasts, header: header.into(), payload: Bytes::new() }
    };
    let cases = [
        (header(b"\xff\xff\xff"), "malformed header"),
        (header(b""), "a frame without a message"),
        (topic("a\tb"), "publish.topic"),
        (topic(" a"), "publish.topic"),
        (topic(""), "publish.topic"),
    ];
    for (junk, text) in cases {
        let client = RawClient::attach(&consortium, "app", &node, 1).await;
        client.send(&junk);
        assert_closed(&client.ended().await, text);
    }
    RawClient::attach(&consortium, "other", &node, 2).await;
}

#[tokio::test]
async fn a_message_before_attach_is_refused() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let client = RawClient::dial(&consortium, "app", &node).await;
    client.send(&ClientMessage::Subscribe("t".parse().unwrap()));
    assert_closed(&client.ended().await, "attach");

    let client = RawClient::attach(&consortium, "app", &node, 1).await;
    client.send(&attach(1));
    assert_closed(&client.ended().await, "twice");
}

/// SES-2
#[tokio::test]
async fn an_instance_that_belongs_to_another_client_is_refused() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let owner = RawClient::attach(&consortium, "app", &node, 7).await;
    let thief = RawClient::dial(&consortium, "other", &node).await;
    thief.send(&ClientMessage::Attach {
        instance: amop_wire::Instance(7),
        generation: amop_wire::Gen(9),
    });
    let end = thief.ended().await;
    let LinkEnd::ClosedByPeer(CloseReason { code, .. }) = end else { panic!("{end}") };
    assert_eq!(code, CloseCode::Refused);
    assert!(!owner.end.is_finished());
}

/// LIMIT-3: one subscriber that never reads is closed, and costs the other nothing.
#[tokio::test]
async fn a_client_that_never_reads_is_closed_while_another_gets_everything() {
    let consortium = consortium();
    let mut config = config(&consortium, "bank-a");
    config.settings.stall_timeout = Duration::from_millis(300);
    config.limits.queue_bytes = 1 << 20;
    let node = Node::start(config).await.unwrap();

    // Attaches and subscribes, then leaves its link unpolled: nothing is read any more.
    let (_endpoint, link) = dial(&consortium, "other", &node).await;
    let outbox = link.outbox();
    let (sender, mut received) = mpsc::unbounded_channel();
    let mut deaf = Box::pin(link.run(move |_: Lane, frames: &mut Vec<Frame>| {
        for frame in frames.drain(..).filter(|frame| !is_stamp(frame)) {
            sender.send(NodeMessage::from_frame(frame).unwrap()).unwrap();
        }
        Ok(())
    }));
    for message in [attach(1), ClientMessage::Subscribe("t".parse().unwrap())] {
        let mut batch = amop_p2p::Batch::default();
        batch.push(&message).unwrap();
        outbox.send(&mut batch);
        tokio::select! {
            _ = &mut deaf => panic!("the link lives"),
            answer = received.recv() => assert!(answer.is_some()),
        }
    }

    let mut reader = RawClient::attach(&consortium, "app", &node, 2).await;
    reader.subscribe("t").await;
    let mut publisher = RawClient::attach(&consortium, "app", &node, 3).await;
    let mut lost = 0;
    for counter in 0..MESSAGES {
        publisher.send(&ClientMessage::Publish(Publish {
            terms: Terms::default(),
            counter,
            ttl: PATIENCE,
            mode: Mode::Multicast,
            sequence: 1,
            topic: "t".parse().unwrap(),
            payload: Bytes::from(vec![7; 64 << 10]),
        }));
        let NodeMessage::Multicast(copy) = reader.receive().await else { panic!("a multicast") };
        assert_eq!(copy.id.counter, counter);
        let run = AckRun { first: counter, count: 1, end: AckEnd::Taken };
        reader.send(&ClientMessage::Acks(vec![run]));
    }
    // The node closes the deaf one, which settles every receipt.
    let mut left = MESSAGES;
    while left > 0 {
        let NodeMessage::Receipts(runs) = publisher.receive().await else { panic!("receipts") };
        for run in runs {
            let Receipt { acked, refused: no, unknown } = run.receipt;
            assert_eq!(acked, 1, "the reader took it, the deaf one did not");
            lost += (no + unknown) * run.count;
            left -= u64::from(run.count);
        }
    }
    assert!(lost > 0, "the deaf one was subscribed");
    let end = tokio::time::timeout(PATIENCE, deaf).await.expect("the link ends");
    let LinkEnd::ClosedByPeer(reason) = end else { panic!("{end}") };
    assert_eq!(reason.code, CloseCode::SlowReader, "{reason}");
}

fn assert_closed(end: &LinkEnd, text: &str) {
    let LinkEnd::ClosedByPeer(reason) = end else { panic!("{end}") };
    assert_eq!(reason.code, CloseCode::Protocol, "{reason}");
    assert!(reason.text.contains(text), "{reason}");
}

/// Some 20 MiB, more than QUIC and the outbox hold together.
const MESSAGES: u64 = 320;
