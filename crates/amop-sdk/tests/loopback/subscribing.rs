//! Subscriptions: how they begin and end, and what becomes of their messages.

use amop_sdk::{Code, Reason, SubscribeError, TopicError, limits};
use futures_util::StreamExt;
use futures_util::future::join_all;

use crate::support::{SHORT, next, pair, within};

#[tokio::test]
async fn a_topic_is_subscribed_once_at_a_time() {
    let (_node, client, _other) = pair().await;
    let first = client.subscribe("quote").await.unwrap();
    assert_eq!(first.topic().as_str(), "quote");
    let error = client.subscribe("quote").await.unwrap_err();
    assert_eq!(error, SubscribeError::AlreadySubscribed { topic: "quote".parse().unwrap() });
    assert_eq!(error.code(), Code::Invalid);
    drop(first);
    client.subscribe("quote").await.unwrap();
}

/// SES-5
#[tokio::test]
async fn a_client_has_no_more_subscriptions_than_it_may() {
    let (_node, client, _other) = pair().await;
    let subscribe = |number: usize| client.subscribe(number.to_string()).into_future();
    let limit = limits::SUBSCRIPTIONS_PER_CLIENT_MAX;
    let held = within(join_all((0..limit).map(subscribe))).await;
    assert!(held.iter().all(Result::is_ok));
    let error = within(subscribe(limit)).await.unwrap_err();
    assert_eq!(error.code(), Code::Overloaded);
    assert!(error.to_string().contains("limit of subscriptions"), "{error}");
    drop(held);
    within(subscribe(limit)).await.unwrap();
}

#[tokio::test]
async fn a_text_that_is_no_topic_is_not_subscribed() {
    let (_node, client, _other) = pair().await;
    let error = client.subscribe("").await.unwrap_err();
    assert_eq!(error, SubscribeError::BadTopic(TopicError::Empty));
}

#[tokio::test]
async fn dropping_a_subscription_unsubscribes() {
    let (_node, subscriber, publisher) = pair().await;
    drop(subscriber.subscribe("quote").await.unwrap());
    // The node takes subscriptions in their order, so it has taken the end of the other one.
    let _after = subscriber.subscribe("after").await.unwrap();
    let error = within(publisher.request("quote", "").into_future()).await.unwrap_err();
    assert_eq!(error.code(), Code::NoSubscriber);
}

/// UNI-2, MULTI-3
#[tokio::test]
async fn what_was_not_taken_of_a_dropped_subscription_is_refused_for_certain() {
    let (_node, subscriber, publisher) = pair().await;
    let mut quotes = subscriber.subscribe("quote").await.unwrap();
    let mut rates = subscriber.subscribe("rates").await.unwrap();
    let mut requests = Vec::new();
    let mut multicasts = Vec::new();
    for _ in 0..3 {
        requests.push(within(publisher.request("quote", "").submit()).await.unwrap());
        multicasts.push(within(publisher.multicast("rates", "").submit()).await.unwrap());
    }
    let (message, _) = (next(&mut quotes).await, next(&mut rates).await);
    drop((quotes, rates));
    message.reply("taken").unwrap();
    assert_eq!(within(requests.remove(0)).await.unwrap().payload, "taken");
    assert_eq!(within(multicasts.remove(0)).await.unwrap().acked, 1);
    for request in requests {
        let error = within(request).await.unwrap_err();
        let end = (error.code(), error.reason());
        assert_eq!(end, (Code::SubscriberUnreachable, Reason::NotSubscribed));
    }
    for multicast in multicasts {
        let receipt = within(multicast).await.unwrap();
        assert_eq!((receipt.acked, receipt.refused, receipt.unknown), (0, 1, 0));
    }
}

/// UNI-8
#[tokio::test]
async fn a_message_that_has_expired_is_never_handed_out() {
    let (_node, subscriber, publisher) = pair().await;
    let mut quotes = subscriber.subscribe("quote").await.unwrap();
    let late = publisher.request("quote", "late").timeout(SHORT);
    let missed = publisher.multicast("quote", "late").timeout(SHORT);
    let (late, missed) = tokio::join!(late.into_future(), missed.into_future());
    assert_eq!(late.unwrap_err().code(), Code::TimedOut);
    assert_eq!(missed.unwrap().unknown, 1);
    // Expired at the node, and by now at the subscriber, which may count a little longer.
    let again = publisher.request("quote", "late as well").timeout(SHORT);
    assert_eq!(within(again.into_future()).await.unwrap_err().code(), Code::TimedOut);

    let fresh = tokio::spawn(publisher.request("quote", "fresh").into_future());
    let message = loop {
        let message = next(&mut quotes).await;
        if message.payload() != "late as well" {
            break message;
        }
    };
    assert_eq!(message.payload(), "fresh");
    message.reply("").unwrap();
    within(fresh).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_subscription_is_a_stream() {
    let (_node, subscriber, publisher) = pair().await;
    let quotes = subscriber.subscribe("quote").await.unwrap();
    let mut pending = Vec::new();
    for number in 0..10 {
        let request = publisher.request("quote", number.to_string());
        pending.push(within(request.submit()).await.unwrap());
    }
    let messages: Vec<_> = within(quotes.take(10).collect()).await;
    let payloads: Vec<_> = messages.iter().map(|message| message.payload().clone()).collect();
    assert_eq!(payloads, (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
}

/// Everything that is queued is taken at once, so the buffer is far longer than what is taken
/// between two turns of the driver.
#[tokio::test]
async fn thousands_of_multicasts_are_all_acked() {
    let (_node, subscriber, publisher) = pair().await;
    let mut rates = subscriber.subscribe("rates").await.unwrap();
    let reader = tokio::spawn(async move {
        for expected in 0..3000 {
            assert_eq!(next(&mut rates).await.payload(), expected.to_string().as_bytes());
        }
        rates
    });
    let mut pending = Vec::new();
    for number in 0..3000 {
        let multicast = publisher.multicast("rates", number.to_string());
        pending.push(within(multicast.submit()).await.unwrap());
    }
    for pending in pending {
        assert_eq!(within(pending).await.unwrap().acked, 1);
    }
    within(reader).await.unwrap();
}
