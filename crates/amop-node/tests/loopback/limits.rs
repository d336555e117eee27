//! How fast clients may publish over real links, and how many links there may be.

use amop_node::{Limits, Node, NodeConfig, Pace, Rate, Rates};
use amop_p2p::{Batch, Endpoint, HandshakeError, LinkEnd, LinkKind, Settings};
use amop_pki::Consortium;
use amop_wire::{
    ClientMessage, CloseCode, CloseReason, Code, Frame, Lane, Message, Mode, NodeMessage, Outcome,
    Publish, Reason, Terms, limits::TTL_MAX,
};

use tokio::sync::mpsc;

use crate::support::{
    PATIENCE, RawClient, attach, config, consortium, dial, dialing, identity, is_stamp, trust,
    until,
};

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

/// Links for a moment, if the node takes it.
async fn knock(consortium: &Consortium, node: &Node) -> Result<(), HandshakeError> {
    let me = identity(consortium.client("bank-a", "other").unwrap());
    let trust = trust(consortium);
    let endpoint = Endpoint::dial_only(LinkKind::Sdk, &me, &trust, Settings::default()).unwrap();
    endpoint.dial(node.sdk_addr(), None).await.map(drop)
}

#[tokio::test]
async fn whoever_begins_too_many_links_is_refused_until_the_limit_is_another() {
    let consortium = consortium();
    let each = Limits { handshakes_per_second: 0, handshakes_burst: 1, ..Limits::default() };
    let all = Limits {
        handshakes_per_second_of_node: 0,
        handshakes_burst_of_node: 1,
        ..Limits::default()
    };
    for limits in [each, all] {
        let config = NodeConfig { limits, ..config(&consortium, "bank-a") };
        let node = Node::start(config).await.unwrap();
        knock(&consortium, &node).await.unwrap();
        assert_eq!(knock(&consortium, &node).await, Err(HandshakeError::Overloaded));
        node.set_limits(Limits::default());
        let let_in = async { while knock(&consortium, &node).await.is_err() {} };
        tokio::time::timeout(PATIENCE, let_in).await.expect("it is let in");
        node.shutdown().await;
    }
}

/// LIMIT-1
#[tokio::test]
async fn a_link_too_many_is_closed_with_a_reason_and_let_in_once_another_has_left() {
    let consortium = consortium();
    let limits = Limits { links: 1, ..Limits::default() };
    let config = NodeConfig { limits, ..config(&consortium, "bank-a") };
    let node = Node::start(config).await.unwrap();
    let mut first = RawClient::attach(&consortium, "app", &node, 1).await;
    let second = RawClient::dial(&consortium, "other", &node).await;
    let LinkEnd::ClosedByPeer(reason) = second.ended().await else { panic!("no reason") };
    assert_eq!(reason.code, CloseCode::Overloaded, "{reason}");
    assert_eq!(reason.text, "the node has too many links");
    assert_eq!(outcome(&mut first, 1).await.code, Code::NoSubscriber, "the first one stays");

    first.outbox.close(CloseReason::new(CloseCode::Shutdown, "done"));
    first.ended().await;
    until(&node, |status| status.clients == 0).await;
    RawClient::attach(&consortium, "other", &node, 2).await;
    node.shutdown().await;
}

/// MEM-1, MEM-2: what a subscriber does not read takes the room of publishes, until it does.
#[tokio::test]
async fn a_node_whose_memory_is_full_of_what_nobody_reads_gives_204_until_somebody_does() {
    let consortium = consortium();
    let b = Node::start(config(&consortium, "bank-b")).await.unwrap();
    let mut config = dialing(config(&consortium, "bank-a"), b.name(), b.p2p_addr());
    config.limits.memory_bytes = 4 << 20;
    config.settings.stall_timeout = 2 * PATIENCE;
    let a = Node::start(config).await.unwrap();

    // Subscribes, then leaves its link unpolled: nothing is read any more.
    let (_endpoint, link) = dial(&consortium, "other", &a).await;
    let outbox = link.outbox();
    let (told, mut answers) = mpsc::unbounded_channel();
    let mut deaf = Box::pin(link.run(move |_: Lane, frames: &mut Vec<Frame>| {
        for frame in frames.drain(..).filter(|frame| !is_stamp(frame)) {
            let _ = told.send(NodeMessage::from_frame(frame).unwrap());
        }
        Ok(())
    }));
    for message in [attach(1), ClientMessage::Subscribe("rates".parse().unwrap())] {
        let mut batch = Batch::default();
        batch.push(&message).unwrap();
        outbox.send(&mut batch);
        tokio::select! {
            _ = &mut deaf => panic!("the link lives"),
            answer = answers.recv() => assert!(answer.is_some()),
        }
    }

    // The other node holds what is published, so that here only what waits counts.
    let publisher = RawClient::attach(&consortium, "other", &b, 2).await;
    let mut asking = RawClient::attach(&consortium, "app", &a, 3).await;
    let mut counter = 0;
    let filled = async {
        loop {
            counter += 1;
            publisher.send(&ClientMessage::Publish(Publish {
                terms: Terms::default(),
                counter,
                ttl: TTL_MAX,
                mode: Mode::Multicast,
                sequence: 1,
                topic: "rates".parse().unwrap(),
                payload: vec![7; 64 << 10].into(),
            }));
            let outcome = outcome(&mut asking, counter).await;
            if outcome.code != Code::NoSubscriber {
                return outcome;
            }
        }
    };
    let full = tokio::time::timeout(PATIENCE, filled).await.expect("the memory fills");
    assert_eq!((full.code, full.reason), (Code::Overloaded, Reason::MemoryFull));

    let deaf = tokio::spawn(deaf);
    let recovered = async {
        loop {
            counter += 1;
            if outcome(&mut asking, counter).await.code == Code::NoSubscriber {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, recovered).await.expect("there is room again");
    assert!(!deaf.is_finished(), "nobody was closed for it");
}
