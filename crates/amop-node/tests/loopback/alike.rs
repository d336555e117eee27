//! What several clients get alike is encoded once, and counts for each of them as if it had been sent alone.

use std::time::Duration;

use amop_node::Node;
use amop_p2p::Batch;
use amop_wire::{
    AckEnd, AckRun, ClientMessage, Mode, Multicast, NodeMessage, Publish, Receipt, Terms,
};

use crate::support::{RawClient, config, consortium};

/// MULTI-4: else acks would name others than those that they are for.
#[tokio::test]
async fn what_a_client_gets_with_others_keeps_its_place_among_what_it_gets_alone() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let mut both = RawClient::attach(&consortium, "other", &node, 1).await;
    both.subscribe("all").await;
    both.subscribe("one").await;
    let mut one = RawClient::attach(&consortium, "other", &node, 2).await;
    one.subscribe("all").await;
    let publisher = RawClient::attach(&consortium, "app", &node, 3).await;

    let topic = |counter: u64| if counter.is_multiple_of(3) { "one" } else { "all" };
    let lengths = [1, 100, 9000, 40_000];
    let length = |counter: u64| lengths[usize::try_from(counter).unwrap() % lengths.len()];
    publish(
        &publisher,
        (1..=COUNT).map(|counter| multicast(counter, topic(counter), length(counter))),
    );
    for counter in 1..=COUNT {
        let got = next_multicast(&mut both).await;
        assert_eq!((got.id.counter, got.payload.len()), (counter, length(counter)));
    }
    for counter in (1..=COUNT).filter(|&counter| topic(counter) == "all") {
        assert_eq!(next_multicast(&mut one).await.id.counter, counter);
    }
}

/// MULTI-3, MULTI-4
#[tokio::test]
async fn of_what_several_clients_get_alike_each_misses_what_had_no_room_on_its_link_and_nothing_else()
 {
    let consortium = consortium();
    let mut config = config(&consortium, "bank-a");
    config.limits.queue_messages = 20;
    let node = Node::start(config).await.unwrap();
    let mut clients = Vec::new();
    for id in [1, 2] {
        let mut client = RawClient::attach(&consortium, "other", &node, id).await;
        client.subscribe("all").await;
        clients.push(client);
    }
    let [one, other] = &mut clients[..] else { unreachable!() };
    let mut publisher = RawClient::attach(&consortium, "app", &node, 3).await;
    publish(&publisher, (1..=COUNT).map(|counter| multicast(counter, "all", 10)));

    let mut acked = vec![0; 1 + usize::try_from(COUNT).unwrap()];
    let mut receipts = Vec::new();
    let mut counts = [0; 2];
    while receipts.len() < usize::try_from(COUNT).unwrap() {
        let (client, message) = tokio::select! {
            message = publisher.receive() => {
                let NodeMessage::Receipts(runs) = message else { panic!("{message:?}") };
                let each = |first: u64, count: u32| (first..).take(usize::try_from(count).unwrap());
                receipts.extend(runs.iter().flat_map(|run| {
                    each(run.first, run.count).map(|counter| (counter, run.receipt))
                }));
                continue;
            }
            message = one.receive() => (0, message),
            message = other.receive() => (1, message),
        };
        let NodeMessage::Multicast(got) = message else { panic!("{message:?}") };
        acked[usize::try_from(got.id.counter).unwrap()] += 1;
        let run = AckRun { first: counts[client], count: 1, end: AckEnd::Taken };
        counts[client] += 1;
        [&*one, &*other][client].send(&ClientMessage::Acks(vec![run]));
    }
    assert!(counts.iter().all(|&count| (1..COUNT).contains(&count)), "{counts:?}");
    for (counter, receipt) in receipts {
        let acked = acked[usize::try_from(counter).unwrap()];
        assert_eq!(receipt, Receipt { acked, refused: 2 - acked, unknown: 0 }, "{counter}");
    }
}

/// Publishes all of them in one go.
fn publish(publisher: &RawClient, all: impl Iterator<Item = ClientMessage>) {
    let mut batch = Batch::default();
    all.for_each(|message| batch.push(&message).unwrap());
    publisher.outbox.send(&mut batch);
}

fn multicast(counter: u64, topic: &str, payload_bytes: usize) -> ClientMessage {
    ClientMessage::Publish(Publish {
        terms: Terms::default(),
        counter,
        ttl: Duration::from_secs(60),
        mode: Mode::Multicast,
        sequence: counter,
        topic: topic.parse().unwrap(),
        payload: vec![7; payload_bytes].into(),
    })
}

async fn next_multicast(client: &mut RawClient) -> Multicast {
    match client.receive().await {
        NodeMessage::Multicast(multicast) => multicast,
        other => panic!("{other:?}"),
    }
}

const COUNT: u64 = 100;
