//! How fast clients may publish over real links.

use amop_node::{Limits, Node, NodeConfig, Pace, Rate, Rates};
use amop_wire::{
    ClientMessage, Code, Mode, NodeMessage, Outcome, Publish, Reason, Terms, limits::TTL_MAX,
};

use crate::support::{RawClient, config, consortium};

/// The next one of a client to a topic that nobody subscribes to.
fn publish(counter: u64) -> ClientMessage {
    ClientMessage::Publish(Publish {
        counter,
        ttl: TTL_MAX,
        mode: Mode::Unicast,
        sequence: 0,
        topic: "t".parse().unwrap(),
        terms: Terms::default(),
        payload: "12345".into(),
    })
}

async fn outcome(client: &mut RawClient, counter: u64) -> Outcome {
    client.send(&publish(counter));
    let NodeMessage::Outcome(outcome) = client.receive().await else { panic!("no outcome") };
    assert_eq!(outcome.counter, counter);
    outcome
}

/// So slow that no time that a test takes makes up for one message.
fn slow(burst: u64) -> Limits {
    let messages = Some(Rate { per_second: 0, burst });
    let rates = Rates { session: Pace { messages, bytes: None }, ..Rates::default() };
    Limits { rates, ..Limits::default() }
}

/// RATE-1, RATE-2, RATE-3
#[tokio::test]
async fn a_session_that_is_over_its_limit_gets_103_until_the_limit_is_another() {
    let consortium = consortium();
    let config = NodeConfig { limits: slow(2), ..config(&consortium, "bank-a") };
    let node = Node::start(config).await.unwrap();
    let mut client = RawClient::attach(&consortium, "app", &node, 1).await;
    for counter in [1, 2] {
        assert_eq!(outcome(&mut client, counter).await.code, Code::NoSubscriber);
    }
    let limited = outcome(&mut client, 3).await;
    assert_eq!((limited.code, limited.reason), (Code::Limited, Reason::SessionRate));
    assert!(limited.retry_after.is_some());
    let mut other = RawClient::attach(&consortium, "other", &node, 2).await;
    assert_eq!(outcome(&mut other, 1).await.code, Code::NoSubscriber, "another session is free");

    node.set_limits(Limits::default());
    let mut counter = 4;
    while outcome(&mut client, counter).await.code == Code::Limited {
        counter += 1;
    }
    node.shutdown().await;
}

/// MEM-1: what a node has sent and what waits nowhere counts no more.
#[tokio::test]
async fn a_small_budget_of_memory_is_enough_for_any_number_of_messages_one_by_one() {
    let consortium = consortium();
    let limits = Limits { memory_bytes: 16 << 10, ..Limits::default() };
    let config = NodeConfig { limits, ..config(&consortium, "bank-a") };
    let node = Node::start(config).await.unwrap();
    let mut client = RawClient::attach(&consortium, "app", &node, 1).await;
    for counter in 1..=200 {
        assert_eq!(outcome(&mut client, counter).await.code, Code::NoSubscriber);
    }
    node.shutdown().await;
}
