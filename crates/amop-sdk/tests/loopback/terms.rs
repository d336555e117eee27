//! Requests that ask for more than the usual.

use amop_sdk::{Client, Code, Reason};

use crate::support::{SHORT, builder, consortium, next, pair, start, within};

/// TERM-2
#[tokio::test]
async fn requests_with_one_idempotency_key_are_handled_once() {
    let (_node, subscriber, publisher) = pair().await;
    let mut orders = subscriber.subscribe("orders").await.unwrap();
    let request = |client: &Client, payload: &'static str| {
        let client = client.clone();
        tokio::spawn(client.request("orders", payload).idempotency_key("4711").into_future())
    };
    let first = request(&publisher, "ten of them");
    let message = next(&mut orders).await;
    assert!(!message.is_redelivered());
    let second = request(&publisher, "ten of them");
    // An order of its own shows that the second has arrived and was not handed out.
    let marker = tokio::spawn(publisher.request("orders", "marker").into_future());
    let marked = next(&mut orders).await;
    assert_eq!(marked.payload(), "marker");
    marked.reply("").unwrap();
    within(marker).await.unwrap().unwrap();

    message.reply("ordered").unwrap();
    for request in [first, second, request(&publisher, "ten of them")] {
        assert_eq!(within(request).await.unwrap().unwrap().payload, "ordered");
    }
    let error = within(request(&publisher, "a hundred of them")).await.unwrap().unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::IdReused, Reason::KeyReused));
    assert!(!error.may_have_been_handled());
}

/// TERM-1: the first has it in hand and says nothing.
#[tokio::test]
async fn at_least_once_another_subscriber_is_asked_and_sees_that_it_may_not_be_the_first() {
    let consortium = consortium();
    let node = start(&consortium, "bank-a").await;
    let client = |label| builder(&consortium, label).endpoint(node.sdk_addr().to_string());
    let (one, other, publisher) =
        tokio::join!(client("app").connect(), client("app").connect(), client("other").connect());
    let (one, other, publisher) = (one.unwrap(), other.unwrap(), publisher.unwrap());
    let mut subscriptions = [one.subscribe("orders"), other.subscribe("orders")].into_iter();
    let mut some = subscriptions.next().unwrap().await.unwrap();
    let mut others = subscriptions.next().unwrap().await.unwrap();

    let request = publisher.request("orders", "ten").at_least_once().timeout(4 * SHORT);
    let request = tokio::spawn(request.into_future());
    let (first, second) = tokio::select! {
        first = next(&mut some) => (first, next(&mut others).await),
        first = next(&mut others) => (first, next(&mut some).await),
    };
    assert!(!first.is_redelivered() && second.is_redelivered());
    second.reply("ordered").unwrap();
    assert_eq!(within(request).await.unwrap().unwrap().payload, "ordered");
}
