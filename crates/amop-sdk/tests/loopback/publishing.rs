//! How publishes end.

use std::collections::VecDeque;
use std::time::Duration;

use amop_sdk::{AnswerStatus, Code, Event, Mode, Reason, ReplyError, Topic, limits};

use crate::support::{PATIENCE, SHORT, echo, event, next, pair, within};

#[tokio::test]
async fn a_request_is_answered_and_both_sides_know_the_same_id() {
    let (node, subscriber, publisher) = pair().await;
    let mut quotes = subscriber.subscribe("quote").await.unwrap();
    let ask = tokio::spawn(publisher.request("quote", "USDCNY").into_future());

    let message = next(&mut quotes).await;
    assert_eq!(message.payload(), "USDCNY");
    assert_eq!(message.topic().as_str(), "quote");
    assert_eq!(message.from(), publisher.name());
    assert_eq!(message.mode(), Mode::Unicast);
    assert!(!message.time_left().is_zero() && message.time_left() <= PATIENCE);
    let id = message.id();
    message.reply("7.1234").unwrap();

    let answer = within(ask).await.unwrap().unwrap();
    assert_eq!(answer.payload, "7.1234");
    assert_eq!(answer.status, AnswerStatus::Answered);
    assert_eq!(answer.id, id);
    assert_eq!(answer.id.publisher, publisher.instance());
    assert_eq!(answer.answered_by.as_ref(), Some(node.name()));
    assert_eq!(answer.attempts, 1);
    assert!(!answer.took.is_zero());
    assert_eq!(publisher.under_way(), 0);
}

#[tokio::test]
async fn one_task_has_many_requests_under_way_and_each_gets_its_own_answer() {
    let (_node, subscriber, publisher) = pair().await;
    tokio::spawn(echo(subscriber.subscribe("quote").await.unwrap()));
    let topic: Topic = "quote".parse().unwrap();
    let mut pending = VecDeque::new();
    for number in 0..MANY {
        let request = publisher.request(&topic, number.to_string());
        pending.push_back(within(request.submit()).await.unwrap());
    }
    let ids: Vec<_> = pending.iter().map(|pending| pending.id().counter).collect();
    assert_eq!(ids, (1..=MANY).collect::<Vec<_>>(), "ids count up");
    for number in 0..MANY {
        let answer = within(pending.pop_front().unwrap()).await.unwrap();
        assert_eq!(answer.payload, number.to_string());
    }
    assert_eq!(publisher.under_way(), 0);
}

/// MULTI-3
#[tokio::test]
async fn a_multicast_reaches_every_subscriber_and_the_receipt_counts_them() {
    let (_node, subscriber, publisher) = pair().await;
    let mut theirs = subscriber.subscribe("rates").await.unwrap();
    let mut ours = publisher.subscribe("rates").await.unwrap();
    let send = tokio::spawn(publisher.multicast("rates", "1.5").into_future());
    for subscription in [&mut theirs, &mut ours] {
        let message = next(subscription).await;
        assert_eq!((message.payload().as_ref(), message.mode()), (&b"1.5"[..], Mode::Multicast));
        assert_eq!(message.reply("thanks"), Err(ReplyError::Multicast));
    }
    let receipt = within(send).await.unwrap().unwrap();
    let counts = (receipt.targets, receipt.acked, receipt.refused, receipt.unknown);
    assert_eq!(counts, (2, 2, 0, 0));
    assert_eq!(receipt.id.publisher, publisher.instance());
}

/// UNI-4, MULTI-1
#[tokio::test]
async fn a_topic_without_a_subscriber_is_an_error_for_a_request_and_none_for_a_multicast() {
    let (_node, _subscriber, publisher) = pair().await;
    let error = within(publisher.request("nobody", "").into_future()).await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::NoSubscriber, Reason::NoSubscriber));
    assert_eq!((error.attempts(), error.tried()), (0, &[][..]));
    assert!(!error.may_have_been_handled());
    let id = error.id().unwrap();
    let sentence = format!("100: no reachable node has a subscriber (id {id}, 0 attempts)");
    assert_eq!(error.to_string(), sentence);

    let receipt = within(publisher.multicast("nobody", "").into_future()).await.unwrap();
    assert_eq!(receipt.targets, 0);
}

/// UNI-7
#[tokio::test]
async fn a_handler_that_fails_or_drops_the_message_has_handled_it() {
    let (_node, subscriber, publisher) = pair().await;
    let mut quotes = subscriber.subscribe("quote").await.unwrap();
    let ask = |what: &'static str| tokio::spawn(publisher.request("quote", what).into_future());

    let failed = ask("fail");
    next(&mut quotes).await.fail("no such currency").unwrap();
    let answer = within(failed).await.unwrap().unwrap();
    assert_eq!(answer.status, AnswerStatus::Failed);
    assert_eq!(answer.payload, "no such currency");

    let dropped = ask("drop");
    drop(next(&mut quotes).await);
    let answer = within(dropped).await.unwrap().unwrap();
    assert_eq!((answer.status, answer.payload.len()), (AnswerStatus::Dropped, 0));

    let panicked = ask("panic");
    let message = next(&mut quotes).await;
    let handler = tokio::spawn(async move { assert_eq!(message.payload(), "something else") });
    assert!(handler.await.unwrap_err().is_panic());
    assert_eq!(within(panicked).await.unwrap().unwrap().status, AnswerStatus::Dropped);
}

/// UNI-3
#[tokio::test]
async fn a_handler_that_is_too_slow_leaves_doubt_and_learns_that_it_was() {
    let (_node, subscriber, publisher) = pair().await;
    let mut quotes = subscriber.subscribe("quote").await.unwrap();
    let ask = tokio::spawn(publisher.request("quote", "").timeout(SHORT).into_future());
    let message = next(&mut quotes).await;
    let error = within(ask).await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::TimedOut);
    assert!(error.may_have_been_handled());
    assert_eq!(error.attempts(), 1);

    // The subscriber's time may end a little later than the publisher's, never earlier.
    within(async {
        while !message.time_left().is_zero() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(message.reply("late"), Err(ReplyError::TooLate));
}

/// FRAME-2, FRAME-5
#[tokio::test]
async fn what_breaks_a_rule_fails_before_anything_is_sent() {
    let (_node, subscriber, publisher) = pair().await;
    tokio::spawn(echo(subscriber.subscribe("quote").await.unwrap()));
    let longest = limits::PAYLOAD_BYTES_MAX;
    let long_topic = "x".repeat(limits::TOPIC_BYTES_MAX + 1);
    let cases = [
        ("quote", vec![0; longest + 1], Reason::PayloadTooLong, "limit of 1048576"),
        (&*long_topic, Vec::new(), Reason::BadTopic, "limit of 255"),
        ("", Vec::new(), Reason::BadTopic, "at least one byte"),
        (" quote", Vec::new(), Reason::BadTopic, "white space"),
        ("a\tb", Vec::new(), Reason::BadTopic, "control character"),
    ];
    for (topic, payload, reason, text) in cases {
        let error = publisher.request(topic, payload.clone()).await.unwrap_err();
        assert_eq!((error.code(), error.reason(), error.id()), (Code::Invalid, reason, None));
        assert!(error.to_string().contains(text), "{error}");
        let error = publisher.multicast(topic, payload).submit().await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::Invalid, reason));
    }
    let answer = within(publisher.request("quote", vec![7; longest]).into_future()).await.unwrap();
    assert_eq!(answer.payload.len(), longest, "the limit itself is taken, both ways");
    assert_eq!(answer.id.counter, 1, "no id was drawn before");
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused_and_the_publisher_told() {
    let (_node, subscriber, publisher) = pair().await;
    let mut quotes = subscriber.subscribe("quote").await.unwrap();
    let ask = tokio::spawn(publisher.request("quote", "").into_future());
    let payload = vec![0; limits::PAYLOAD_BYTES_MAX + 1];
    let error = next(&mut quotes).await.reply(payload).unwrap_err();
    assert_eq!(error.to_string(), "answer of 1048577 bytes is over the limit of 1048576");
    assert_eq!(within(ask).await.unwrap().unwrap().status, AnswerStatus::Dropped);
}

#[tokio::test]
async fn without_a_node_a_publish_ends_with_99_and_was_never_handled() {
    let (node, _subscriber, publisher) = pair().await;
    let mut events = publisher.events();
    node.shutdown().await;
    event(&mut events, |event| matches!(event, Event::Disconnected { .. })).await;
    assert!(!publisher.is_connected());
    for end in [
        within(publisher.request("quote", "").timeout(SHORT).into_future()).await.unwrap_err(),
        within(publisher.multicast("quote", "").timeout(SHORT).into_future()).await.unwrap_err(),
    ] {
        assert_eq!((end.code(), end.reason()), (Code::NotSent, Reason::NotConnected));
        assert!(!end.may_have_been_handled());
    }
}

#[tokio::test]
async fn a_timeout_beyond_all_bounds_is_taken_as_the_longest() {
    let (_node, subscriber, publisher) = pair().await;
    tokio::spawn(echo(subscriber.subscribe("quote").await.unwrap()));
    let request = publisher.request("quote", "").timeout(Duration::MAX);
    within(request.into_future()).await.unwrap();
}

/// The client's lock is shared by several threads here.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_on_several_threads_share_a_client() {
    let (_node, subscriber, publisher) = pair().await;
    tokio::spawn(echo(subscriber.subscribe("quote").await.unwrap()));
    let tasks: Vec<_> = (0..8)
        .map(|task: u64| {
            let publisher = publisher.clone();
            tokio::spawn(async move {
                for number in 0..MANY / 10 {
                    let text = format!("{task} {number}");
                    let answer = publisher.request("quote", text.clone()).await.unwrap();
                    assert_eq!(answer.payload, text);
                }
            })
        })
        .collect();
    for task in tasks {
        within(task).await.unwrap();
    }
    assert_eq!(publisher.under_way(), 0);
}

const MANY: u64 = 5000;
