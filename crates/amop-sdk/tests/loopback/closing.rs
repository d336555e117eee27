//! How a client ends.

use amop_sdk::{Code, Reason, ReplyError, SubscribeError};

use crate::support::{builder, clients, consortium, echo, next, pair, start, within};

#[tokio::test]
async fn what_was_queued_before_a_close_arrives() {
    let (node, subscriber, publisher) = pair().await;
    let mut quotes = subscriber.subscribe("quote").await.unwrap();
    for number in 0..100 {
        let request = publisher.request("quote", number.to_string());
        drop(within(request.submit()).await.unwrap());
    }
    within(publisher.close()).await;
    for number in 0..100 {
        assert_eq!(next(&mut quotes).await.payload(), number.to_string().as_bytes());
    }
    clients(&node, 1).await;
}

#[tokio::test]
async fn a_closed_client_says_so_everywhere() {
    let (_node, subscriber, publisher) = pair().await;
    let mut quotes = subscriber.subscribe("quote").await.unwrap();
    let mut events = subscriber.events();
    let ask = within(publisher.request("quote", "").submit()).await.unwrap();
    let message = next(&mut quotes).await;
    within(subscriber.close()).await;
    within(subscriber.close()).await; // Closing twice is no harm.

    assert!(quotes.next().await.is_none());
    assert_eq!(quotes.why_ended(), Some(SubscribeError::Closed));
    assert_eq!(message.reply(""), Err(ReplyError::Closed));
    assert_eq!(subscriber.subscribe("other").await.unwrap_err(), SubscribeError::Closed);
    let error = subscriber.request("quote", "").await.unwrap_err();
    assert_eq!(error.to_string(), "99: the client is closed");
    while within(events.next()).await.is_some() {}
    assert!(subscriber.events().next().await.is_none());
    drop(ask);
}

/// UNI-10
#[tokio::test]
async fn what_is_under_way_when_a_client_is_closed_ends_at_once() {
    let (_node, subscriber, publisher) = pair().await;
    let mut quotes = subscriber.subscribe("quote").await.unwrap();
    let ask = tokio::spawn(publisher.request("quote", "").into_future());
    let _message = next(&mut quotes).await;
    within(publisher.close()).await;
    let error = within(ask).await.unwrap().unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::TimedOut, Reason::ConnectionLost));
    assert_eq!(publisher.under_way(), 0);
}

#[tokio::test]
async fn messages_that_wait_when_their_client_is_closed_are_refused() {
    let (_node, subscriber, publisher) = pair().await;
    let quotes = subscriber.subscribe("quote").capacity(1).await.unwrap();
    let waits = within(publisher.request("quote", "").submit()).await.unwrap();
    // Once a second one is refused, the first one waits.
    let error = within(publisher.request("quote", "").into_future()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::SubscriberBusy);
    within(subscriber.close()).await;
    let error = within(waits).await.unwrap_err();
    let end = (error.code(), error.reason());
    assert_eq!(end, (Code::SubscriberUnreachable, Reason::SubscriberGone));
    drop(quotes);
}

#[tokio::test]
async fn a_client_lives_as_long_as_something_of_it_is_held() {
    let (node, subscriber, publisher) = pair().await;
    let quotes = subscriber.subscribe("quote").await.unwrap();
    drop(subscriber);
    let echo = tokio::spawn(echo(quotes));
    within(publisher.request("quote", "").into_future()).await.unwrap();
    clients(&node, 2).await;

    echo.abort();
    assert!(echo.await.unwrap_err().is_cancelled());
    clients(&node, 1).await;
    let pending = within(publisher.request("nobody", "").submit()).await.unwrap();
    drop(publisher);
    assert_eq!(within(pending).await.unwrap_err().code(), Code::NoSubscriber);
    clients(&node, 0).await;
}

#[test]
fn when_its_runtime_is_gone_a_client_ends_what_is_under_way() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (nodes, clients) = (runtime(), runtime());
    let consortium = consortium();
    let node = nodes.block_on(start(&consortium, "bank-a"));
    let (client, quotes, pending) = clients.block_on(async {
        let client = builder(&consortium, "app").endpoint(node.sdk_addr().to_string());
        let client = client.connect().await.unwrap();
        let quotes = client.subscribe("quote").await.unwrap();
        let pending = client.request("quote", "").submit().await.unwrap();
        (client, quotes, pending)
    });
    drop(clients);
    let error = nodes.block_on(within(pending)).unwrap_err();
    assert_eq!(error.code(), Code::TimedOut);
    let error = nodes.block_on(client.request("quote", "").into_future()).unwrap_err();
    assert_eq!(error.to_string(), "99: the client is closed");
    assert_eq!(quotes.why_ended(), Some(SubscribeError::Closed));
}
