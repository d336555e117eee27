//! What was held up on its way has less time left.

use std::time::Duration;

use amop_node::Node;
use amop_p2p::Batch;
use amop_wire::{ClientMessage, Instant, Lane, Mode, NodeMessage, Publish, Terms, Transit};

use crate::support::{RawClient, config, consortium};

/// UNI-8: the stamp says that the second was sent long before it came.
#[tokio::test]
async fn a_publish_that_was_held_up_has_less_time_left() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let mut subscriber = RawClient::attach(&consortium, "other", &node, 1).await;
    subscriber.subscribe("t").await;
    let publisher = RawClient::attach(&consortium, "app", &node, 2).await;

    let mut ttl_of = async |counter: u64, sent_at: u64| {
        let mut batch = Batch::default();
        batch.set_now(Instant::after_start(Duration::from_secs(sent_at)));
        batch.push(&publish(counter)).unwrap();
        publisher.outbox.send(&mut batch);
        match subscriber.receive().await {
            NodeMessage::Delivery(delivery) => delivery.ttl,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ttl_of(1, 1000).await, TTL, "the clock of a sender may say anything");
    let left = ttl_of(2, 1000 - 40).await;
    // Less the 11 ms by which it may be younger than its stamp.
    let most = TTL / 3 + Duration::from_millis(11);
    assert!((TTL / 4..=most).contains(&left), "40 of 60 s are over, but {left:?} are left");
    assert_eq!(ttl_of(3, 1000 - 400).await, Duration::ZERO);
}

/// UNI-8: a node stamps what it sends.
#[tokio::test]
async fn a_client_can_tell_how_long_a_message_was_held_up() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let mut client = RawClient::attach(&consortium, "other", &node, 1).await;
    let stamp = client.stamps.recv().await.expect("it came before the first message");
    assert_eq!(Transit::default().stamp(Instant::default(), Lane::Control, stamp), None);
}

fn publish(counter: u64) -> ClientMessage {
    ClientMessage::Publish(Publish {
        terms: Terms::default(),
        counter,
        ttl: TTL,
        mode: Mode::Unicast,
        sequence: 0,
        topic: "t".parse().unwrap(),
        payload: "?".into(),
    })
}

const TTL: Duration = Duration::from_secs(60);
