//! How a client connects, what it says when it cannot, and how it connects again.

use std::net::UdpSocket;
use std::time::Duration;

use amop_sdk::{Client, ConnectError, Event, Settings};

use crate::support::{
    SHORT, builder, clients, consortium, event, identity, next, start, trust, within,
};

#[tokio::test]
async fn what_is_missing_is_said_before_anything_is_dialed() {
    let consortium = consortium();
    let error = builder(&consortium, "app").connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::NoEndpoint), "{error}");
    let error = builder(&consortium, "app").endpoint("localhost").connect().await.unwrap_err();
    assert_eq!(error.to_string(), "endpoint `localhost` is not host:port");
    let error = Client::builder().endpoint("localhost:1").connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::NoIdentity), "{error}");
    let app = identity(consortium.client("bank-a", "app").unwrap());
    let error = Client::builder().endpoint("localhost:1").identity(app).connect().await;
    assert!(matches!(error.unwrap_err(), ConnectError::NoTrust));
    let node = identity(consortium.node("bank-a", "n1").unwrap());
    let error = builder(&consortium, "app").identity(node).endpoint("localhost:1").connect().await;
    let error = error.unwrap_err();
    assert!(matches!(error, ConnectError::Setup(_)) && error.was_refused(), "{error}");
}

/// IDENT-5
#[tokio::test]
async fn a_client_that_the_node_does_not_trust_is_told_why() {
    let (ours, theirs) = (consortium(), consortium());
    let node = start(&ours, "bank-a").await;
    let endpoint = node.sdk_addr().to_string();

    let stranger = builder(&theirs, "app").trust(trust(&ours)).endpoint(&endpoint);
    let error = within(stranger.connect()).await.unwrap_err();
    let sentence = "certificate app.sdk.bank-a.amop refused: not issued by a trusted root";
    assert!(error.to_string().contains(sentence), "{error}");
    assert!(error.was_refused());

    let distrustful = builder(&ours, "app").trust(trust(&theirs)).endpoint(&endpoint);
    let error = within(distrustful.connect()).await.unwrap_err();
    let sentence = "certificate n1.node.bank-a.amop refused: not issued by a trusted root";
    assert!(error.to_string().contains(sentence), "{error}");
    assert!(error.was_refused());

    clients(&node, 0).await;
}

#[tokio::test]
async fn the_error_says_why_each_endpoint_failed() {
    let (ours, theirs) = (consortium(), consortium());
    let silent = silent();
    let silent = silent.local_addr().unwrap().to_string();
    let node = start(&theirs, "bank-a").await;
    let foreign = node.sdk_addr().to_string();
    let client = builder(&ours, "app").endpoint(&silent).endpoint(&foreign).settings(hasty());
    let error = within(client.connect()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&format!("no answer from {silent}")), "{text}");
    assert!(text.contains("not issued by a trusted root"), "{text}");
    assert!(error.was_refused(), "whoever answered refused");

    let client = builder(&ours, "app").endpoint(&silent).settings(hasty());
    let error = within(client.connect()).await.unwrap_err();
    assert!(!error.was_refused());
}

#[tokio::test]
async fn an_endpoint_that_never_answers_leaves_time_for_the_others() {
    let consortium = consortium();
    let silent = silent();
    let node = start(&consortium, "bank-a").await;
    // Which one is tried first is drawn by lot.
    for _ in 0..2 {
        let client = builder(&consortium, "app")
            .endpoint(silent.local_addr().unwrap().to_string())
            .endpoint(node.sdk_addr().to_string())
            .timeout(Duration::from_secs(4));
        client.connect().await.unwrap();
    }
}

/// SES-3
#[tokio::test]
async fn a_client_moves_to_the_other_endpoint_and_its_messages_follow() {
    let consortium = consortium();
    let (a, b) = tokio::join!(start(&consortium, "bank-a"), start(&consortium, "bank-b"));
    let both = builder(&consortium, "app")
        .endpoint(a.sdk_addr().to_string())
        .endpoint(b.sdk_addr().to_string());
    let subscriber = both.connect().await.unwrap();
    let mut events = subscriber.events();
    let mut quotes = subscriber.subscribe("quote").await.unwrap();
    let (first, second) = if a.status().borrow().clients == 1 { (a, b) } else { (b, a) };

    let publisher = builder(&consortium, "other").endpoint(second.sdk_addr().to_string());
    let publisher = publisher.connect().await.unwrap();
    first.shutdown().await;
    let lost = event(&mut events, |event| matches!(event, Event::Disconnected { .. })).await;
    let Event::Disconnected { why } = lost else { panic!("{lost:?}") };
    assert!(why.contains("shuts down"), "{why}");
    let found = event(&mut events, |event| matches!(event, Event::Connected { .. })).await;
    let (endpoint, node) = (second.sdk_addr(), second.name().clone());
    assert_eq!(found, Event::Connected { endpoint, node });

    let ask = tokio::spawn(publisher.request("quote", "").into_future());
    next(&mut quotes).await.reply("here").unwrap();
    assert_eq!(within(ask).await.unwrap().unwrap().payload, "here");
}

#[tokio::test]
async fn what_is_published_while_no_node_is_there_is_sent_once_one_is() {
    let consortium = consortium();
    let node = start(&consortium, "bank-a").await;
    let second = start(&consortium, "bank-b").await;
    let endpoint = second.sdk_addr().to_string();
    let client = builder(&consortium, "app").endpoint(node.sdk_addr().to_string());
    let client = client.endpoint(&endpoint).connect().await.unwrap();
    let mut echo = client.subscribe("echo").await.unwrap();
    let mut events = client.events();
    let current = if node.status().borrow().clients == 1 { node } else { second };
    current.shutdown().await;
    event(&mut events, |event| matches!(event, Event::Disconnected { .. })).await;
    let ask = within(client.request("echo", "waits").submit()).await.unwrap();
    let message = next(&mut echo).await;
    assert_eq!(message.payload(), "waits");
    message.reply("").unwrap();
    within(ask).await.unwrap();
}

#[tokio::test]
async fn a_subscription_that_no_node_answers_is_taken_back() {
    let consortium = consortium();
    let node = start(&consortium, "bank-a").await;
    let client = builder(&consortium, "app").endpoint(node.sdk_addr().to_string());
    let client = client.connect().await.unwrap();
    let mut events = client.events();
    node.shutdown().await;
    event(&mut events, |event| matches!(event, Event::Disconnected { .. })).await;
    for _ in 0..2 {
        let error = client.subscribe("quote").timeout(SHORT).await.unwrap_err();
        assert!(error.to_string().contains("no node answered"), "{error}");
    }
}

/// A socket that takes everything and answers nothing.
fn silent() -> UdpSocket {
    UdpSocket::bind(("127.0.0.1", 0)).unwrap()
}

/// Gives up soon on an endpoint that does not answer.
fn hasty() -> Settings {
    Settings { handshake_timeout: Duration::from_secs(1), ..Settings::default() }
}
