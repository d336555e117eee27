//! What is bounded: publishes under way, messages that wait for the application.

use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use amop_node::{Limits, Node, NodeConfig};
use amop_sdk::{
    Answer, Client, Code, Event, Gap, Message, Pending, Reason, Settings, Subscription,
};

use crate::support::{
    PATIENCE, SHORT, builder, config, consortium, echo, event, next, pair, start, within,
};

#[tokio::test]
async fn those_who_wait_for_room_are_served_in_turn_and_one_who_gives_up_blocks_nobody() {
    let (_node, subscriber, publisher) = pair().await;
    let mut quotes = subscriber.subscribe("quote").await.unwrap();
    let (mut messages, _pending) = fill(&publisher, &mut quotes).await;

    let mut line: Vec<_> = (0..3)
        .map(|number: u8| Box::pin(publisher.request("quote", vec![number; MIB]).submit()))
        .collect();
    for waiting in &mut line {
        assert!(is_pending(waiting.as_mut()).await, "there is no room");
    }
    let mut small = Box::pin(publisher.request("quote", "").submit());
    assert!(is_pending(small.as_mut()).await, "it would fit, but others were first");
    drop(small);
    drop(line.remove(0));
    messages.pop().unwrap().reply("").unwrap();
    drop(within(line.remove(0)).await.unwrap());
    let message = next(&mut quotes).await;
    assert_eq!(message.payload()[0], 1, "the first in line had left it");
    assert!(is_pending(line[0].as_mut()).await, "there was room for one");
    message.reply("").unwrap();
    drop(within(line.remove(0)).await.unwrap());
    assert_eq!(next(&mut quotes).await.payload()[0], 2);
}

#[tokio::test]
async fn whoever_finds_no_room_was_never_sent() {
    let (_node, subscriber, publisher) = pair().await;
    let mut quotes = subscriber.subscribe("quote").await.unwrap();
    let (messages, _pending) = fill(&publisher, &mut quotes).await;
    let request = publisher.request("quote", vec![9; MIB]).timeout(SHORT);
    let error = within(request.into_future()).await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::NotSent, Reason::TooManyRequests));
    assert_eq!(error.id(), None);
    drop(messages);
    let fresh = tokio::spawn(publisher.request("quote", "").into_future());
    assert!(next(&mut quotes).await.payload().is_empty(), "the late one never came");
    within(fresh).await.unwrap().unwrap();
}

/// SES-7: there is room again before its deadline, but too little is left of its time.
#[tokio::test]
async fn whoever_waited_for_room_for_half_of_its_time_is_not_sent_any_more() {
    let consortium = consortium();
    let limits = Limits { in_flight: 1, ..Limits::default() };
    let node = NodeConfig { limits, ..config(&consortium, "bank-a") };
    let node = Node::start(node).await.unwrap();
    let client = builder(&consortium, "app").endpoint(node.sdk_addr().to_string());
    let client = client.connect().await.unwrap();
    let mut quotes = client.subscribe("quote").await.unwrap();
    let request = |time| client.request("quote", "").timeout(time);
    let _pending = within(request(Duration::from_secs(5)).submit()).await.unwrap();
    let _message = next(&mut quotes).await;
    let error = within(request(Duration::from_millis(5500)).into_future()).await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::NotSent, Reason::TooManyRequests));
}

#[tokio::test]
async fn requests_that_nobody_waits_for_leave_nothing_behind() {
    let (_node, subscriber, publisher) = pair().await;
    tokio::spawn(echo(subscriber.subscribe("quote").await.unwrap()));
    // More than may be under way at a time, in two ways to lose interest.
    for _ in 0..5_000 {
        drop(within(publisher.request("quote", "").submit()).await.unwrap());
        tokio::select! {
            biased;
            _ = publisher.request("quote", "").into_future() => {}
            () = ready(()) => {}
        }
    }
    // Answers come in the order of the requests.
    within(publisher.request("quote", "").into_future()).await.unwrap();
    assert_eq!(publisher.under_way(), 0);
}

/// UNI-9, MULTI-3
#[tokio::test]
async fn a_full_queue_refuses_and_the_receipt_counts_it() {
    let (_node, subscriber, publisher) = pair().await;
    let mut rates = subscriber.subscribe("rates").capacity(2).await.unwrap();
    let mut events = subscriber.events();
    let mut pending = Vec::new();
    for _ in 0..4 {
        pending.push(within(publisher.multicast("rates", "").submit()).await.unwrap());
    }
    for refused in pending.split_off(2) {
        let receipt = within(refused).await.unwrap();
        assert_eq!((receipt.targets, receipt.acked, receipt.refused), (1, 0, 1));
    }
    let error = within(publisher.request("rates", "").into_future()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.reason()),
        (Code::SubscriberUnreachable, Reason::SubscriberBusy)
    );
    let told = event(&mut events, |_| true).await;
    assert_eq!(told, Event::SubscriptionFull { topic: "rates".parse().unwrap() });

    for taken in pending {
        next(&mut rates).await;
        assert_eq!(within(taken).await.unwrap().acked, 1);
    }
    let ask = tokio::spawn(publisher.request("rates", "").into_future());
    next(&mut rates).await.reply("room again").unwrap();
    assert_eq!(within(ask).await.unwrap().unwrap().payload, "room again");
}

/// MULTI-7
#[tokio::test]
async fn what_had_no_room_is_missing_before_the_next_multicast() {
    let (_node, subscriber, publisher) = pair().await;
    let mut rates = subscriber.subscribe("rates").capacity(2).await.unwrap();
    let mut pending = Vec::new();
    for _ in 0..5 {
        pending.push(within(publisher.multicast("rates", "").submit()).await.unwrap());
    }
    for refused in pending.split_off(2) {
        assert_eq!(within(refused).await.unwrap().refused, 1);
    }
    let first = next(&mut rates).await;
    let second = next(&mut rates).await;
    assert_eq!((first.gap(), second.gap()), (None, None));
    assert_eq!(second.sequence(), first.sequence() + 1);

    let sixth = within(publisher.multicast("rates", "").submit()).await.unwrap();
    let next = next(&mut rates).await;
    assert_eq!(next.gap(), Some(Gap { first: first.sequence() + 2, count: 3 }));
    assert_eq!(next.sequence(), first.sequence() + 5);
    assert_eq!(within(sixth).await.unwrap().acked, 1);
}

#[tokio::test]
async fn a_taken_multicast_is_acked_while_others_wait_in_the_same_buffer() {
    let (_node, subscriber, publisher) = pair().await;
    let mut rates = subscriber.subscribe("rates").capacity(3).await.unwrap();
    let mut events = subscriber.events();
    let mut pending = Vec::new();
    for _ in 0..4 {
        pending.push(within(publisher.multicast("rates", "").submit()).await.unwrap());
    }
    // Once the fourth is refused, the other three wait.
    event(&mut events, |event| matches!(event, Event::SubscriptionFull { .. })).await;
    next(&mut rates).await;
    next(&mut rates).await;
    for taken in pending.drain(..2) {
        assert_eq!(within(taken).await.unwrap().acked, 1);
    }
    assert!(is_pending(Pin::new(&mut pending[0])).await, "the third was not taken");
    next(&mut rates).await;
    assert_eq!(within(pending.remove(0)).await.unwrap().acked, 1);
}

/// Seven answers of 1 MiB go through an outbox that would close its link with more than 4 MiB.
#[tokio::test]
async fn answers_that_have_no_room_on_the_link_wait_for_it() {
    let consortium = consortium();
    let node = start(&consortium, "bank-a").await;
    let client = |label| builder(&consortium, label).endpoint(node.sdk_addr().to_string());
    let narrow = Settings { outbox_bytes_max: 2 * MIB, ..Settings::default() };
    let subscriber = client("app").settings(narrow).connect().await.unwrap();
    let publisher = client("other").connect().await.unwrap();
    let mut events = subscriber.events();
    let mut quotes = subscriber.subscribe("quote").await.unwrap();
    let mut pending = Vec::new();
    let mut messages = Vec::new();
    for _ in 0..7 {
        pending.push(within(publisher.request("quote", "").submit()).await.unwrap());
        messages.push(next(&mut quotes).await);
    }
    for message in messages {
        message.reply(vec![1; MIB]).unwrap();
    }
    // A close waits for them, too.
    within(subscriber.close()).await;
    for pending in pending {
        assert_eq!(within(pending).await.unwrap().payload.len(), MIB);
    }
    let ended = event(&mut events, |_| true).await;
    let Event::Disconnected { why } = ended else { panic!("{ended:?}") };
    assert!(why.contains("the client was closed"), "{why}");
}

/// SES-7, LIMIT-3
#[tokio::test]
async fn one_subscriber_that_takes_nothing_holds_up_no_multicast_to_another() {
    let consortium = consortium();
    let node = start(&consortium, "bank-a").await;
    let client = |label| builder(&consortium, label).endpoint(node.sdk_addr().to_string());
    let resting = client("app").connect().await.unwrap();
    let publisher = client("other").connect().await.unwrap();
    let _rests = resting.subscribe("rates").await.unwrap();
    let mut rates = publisher.subscribe("rates").await.unwrap();
    let mut pending = Vec::new();
    // Three times what may be under way, and time enough for the first to outlast the test.
    for number in 0..12 {
        let multicast = publisher.multicast("rates", vec![number; MIB]).timeout(2 * PATIENCE);
        pending.push(within(multicast.submit()).await.unwrap());
        assert_eq!(next(&mut rates).await.payload()[0], number);
    }
    for pending in &mut pending {
        assert!(is_pending(Pin::new(pending)).await, "it may still be taken");
    }
}

/// SES-7
#[tokio::test]
async fn a_node_that_takes_little_at_a_time_is_waited_for() {
    let consortium = consortium();
    let limits = Limits { in_flight: 2, ..Limits::default() };
    let node = NodeConfig { limits, ..config(&consortium, "bank-a") };
    let node = Node::start(node).await.unwrap();
    let client = |label| builder(&consortium, label).endpoint(node.sdk_addr().to_string());
    let (subscriber, publisher) = tokio::join!(client("app").connect(), client("other").connect());
    let (subscriber, publisher) = (subscriber.unwrap(), publisher.unwrap());
    let mut quotes = subscriber.subscribe("quote").await.unwrap();
    let submit = || publisher.request("quote", "").submit();
    let (first, second) = (within(submit()).await.unwrap(), within(submit()).await.unwrap());
    let mut third = Box::pin(submit());
    assert!(is_pending(third.as_mut()).await, "two are under way");
    let (one, other) = (next(&mut quotes).await, next(&mut quotes).await);
    one.reply("").unwrap();
    within(first).await.unwrap();
    let third = within(third).await.unwrap();
    other.reply("").unwrap();
    next(&mut quotes).await.reply("").unwrap();
    within(second).await.unwrap();
    within(third).await.unwrap();
}

/// Whatever the outbox may hold, a message finds room in an empty one.
#[tokio::test]
async fn a_message_larger_than_the_outbox_is_sent_alone() {
    let consortium = consortium();
    let node = start(&consortium, "bank-a").await;
    let client = builder(&consortium, "app").endpoint(node.sdk_addr().to_string());
    let tiny = Settings { outbox_bytes_max: MIB, ..Settings::default() };
    let client = client.settings(tiny).connect().await.unwrap();
    tokio::spawn(echo(client.subscribe("quote").await.unwrap()));
    for _ in 0..2 {
        let request = client.request("quote", vec![1; MIB]);
        assert_eq!(within(request.into_future()).await.unwrap().payload.len(), MIB);
    }
}

/// Puts as many bytes under way as may be, and takes them without an answer.
async fn fill(
    publisher: &Client,
    quotes: &mut Subscription,
) -> (Vec<Message>, Vec<Pending<Answer>>) {
    let (mut messages, mut pending) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let request = publisher.request("quote", vec![0; MIB]);
        pending.push(within(request.submit()).await.unwrap());
        messages.push(next(quotes).await);
    }
    (messages, pending)
}

async fn is_pending<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

const MIB: usize = 1 << 20;
