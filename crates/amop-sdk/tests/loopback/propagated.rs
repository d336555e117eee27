//! Subscriptions that every node knows of.

use std::time::Duration;

use amop_p2p::Batch;
use amop_sdk::{Code, SubscribeError};
use amop_wire::{ClientMessage, Epoch, Message, NodeMessage, Reason};

use crate::bad_node::listen;
use crate::routes::{Net, known};
use crate::support::{PATIENCE, builder, echo, pair, within};

/// PROP-1: no moment lies between the end of the subscribe and the first request.
#[tokio::test]
async fn a_request_from_the_far_end_of_a_line_finds_a_subscription_that_is_propagated() {
    let net = Net::start(&[&[], &[0], &[1]]).await;
    let (near, far) = (net.client(0).await, net.client(2).await);
    // Each end knows of the other one.
    for (subscriber, publisher) in [(&far, &near), (&near, &far)] {
        let subscription = subscriber.subscribe("t").await.unwrap();
        let echo = tokio::spawn(echo(subscription));
        known(publisher).await;
        echo.abort();
        assert!(echo.await.unwrap_err().is_cancelled());
    }
    for number in 0..100 {
        let topic = format!("fresh {number}");
        let subscription = near.subscribe(&*topic).propagated().timeout(PATIENCE).await.unwrap();
        let answer = far.request(&*topic, "at once");
        tokio::spawn(echo(subscription));
        assert_eq!(answer.await.map(|answer| answer.payload), Ok("at once".into()), "{topic}");
    }
}

/// PROP-1
#[tokio::test]
async fn a_node_that_is_alone_has_propagated_at_once() {
    let (_node, subscriber, publisher) = pair().await;
    let subscription = within(subscriber.subscribe("quote").propagated().into_future()).await;
    tokio::spawn(echo(subscription.unwrap()));
    assert_eq!(within(publisher.request("quote", "x").into_future()).await.unwrap().payload, "x");
}

/// PROP-3: the error says how far it came, and the topic is free again.
#[tokio::test]
async fn a_subscription_that_is_not_propagated_in_time_is_taken_back() {
    let (listening, endpoint, consortium) = listen();
    tokio::spawn(async move {
        let link = listening.accept().await.unwrap().complete().await.unwrap();
        let outbox = link.outbox();
        let answer = |message: ClientMessage| match message {
            ClientMessage::Attach { .. } => Some(NodeMessage::Attached {
                epoch: Epoch(1),
                in_flight: amop_wire::InFlight::default(),
            }),
            ClientMessage::Subscribe(topic) if topic.as_str() == "quote" => {
                let (code, reason) = (Code::Ok, Reason::Unspecified);
                Some(NodeMessage::Subscribed { topic, code, reason })
            }
            _ => None,
        };
        link.run(|_, frames| {
            let mut batch = Batch::default();
            for message in frames.drain(..).filter_map(|f| ClientMessage::from_frame(f).ok()) {
                answer(message).iter().for_each(|answer| batch.push(answer).unwrap());
            }
            outbox.send(&mut batch);
            Ok(())
        })
        .await;
    });
    let client = within(builder(&consortium, "app").endpoint(endpoint).connect()).await.unwrap();
    let error = client.subscribe("quote").propagated().timeout(LONGER).await.unwrap_err();
    let topic = "quote".parse().unwrap();
    assert_eq!(error, SubscribeError::NotPropagated { topic, within: LONGER });
    assert_eq!(error.code(), Code::TimedOut);
    assert!(error.to_string().starts_with("not every node knows of"), "{error}");
    client.subscribe("quote").await.unwrap();

    let error = client.subscribe("rates").propagated().timeout(LONGER).await.unwrap_err();
    let topic = "rates".parse().unwrap();
    assert_eq!(error, SubscribeError::NoAnswer { topic, within: LONGER });
}

/// Long enough for what answers at once, on a busy machine as well.
const LONGER: Duration = Duration::from_secs(2);
