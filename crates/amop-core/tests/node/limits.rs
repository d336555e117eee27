//! What clients make a node hold, reached and passed by one.

use amop_core::node::{Effect, Input, Limits, LinkId};
use amop_wire::limits::TOPIC_SET_BYTES_MAX;
use amop_wire::{ClientMessage, Code, Gen, Instance, NodeMessage, Reason, Topic};

use crate::home::{CLIENT, Home};

/// SEQ-7: a topic takes 24 bytes and its text, as the node announces it.
#[test]
fn the_last_topic_that_can_be_announced_is_taken_and_one_byte_more_gets_204() {
    let mut home = Home::new();
    let subscriptions_per_client = usize::MAX;
    home.node.set_limits(Limits { subscriptions_per_client, ..Limits::default() });
    attach_another(&mut home);
    assert_eq!(subscribe(&mut home, OTHER, "kept"), Ok(()));
    let rest = TOPIC_SET_BYTES_MAX - TOPIC_BYTES - "kept".len();

    let topics = rest / (TOPIC_BYTES + 16);
    for number in 0..topics {
        assert_eq!(subscribe(&mut home, CLIENT, &format!("{number:016}")), Ok(()));
    }
    let left = rest % (TOPIC_BYTES + 16) - TOPIC_BYTES;
    let too_long = "x".repeat(left + 1);
    let refused = Err((Code::Overloaded, Reason::TooManySubscriptions));
    assert_eq!(subscribe(&mut home, CLIENT, &too_long), refused);
    assert_eq!(subscribe(&mut home, CLIENT, &too_long[1..]), Ok(()));
    assert_eq!(subscribe(&mut home, OTHER, "y"), refused, "it is full for everybody");
    assert_eq!(own_topics(&home), topics + 2);
    assert!(is_held(&home, "kept") && is_held(&home, &format!("{:016}", topics - 1)));

    home.client(ClientMessage::Unsubscribe("0000000000000000".parse().unwrap()));
    assert_eq!(subscribe(&mut home, OTHER, "y"), Ok(()), "there is room again");
    assert_eq!(own_topics(&home), topics + 2);
}

/// SEQ-7: whoever else subscribes to a topic takes 16 bytes.
#[test]
fn the_last_subscriber_that_can_be_announced_is_taken_and_the_next_gets_204() {
    let mut home = Home::new();
    let subscriptions_per_client = usize::MAX;
    home.node.set_limits(Limits { subscriptions_per_client, ..Limits::default() });
    attach_another(&mut home);
    let topics: Vec<String> = (0..25_190).map(|number| format!("{number:016}")).collect();
    for topic in &topics {
        assert_eq!(subscribe(&mut home, CLIENT, topic), Ok(()));
    }
    assert_eq!(TOPIC_SET_BYTES_MAX - topics.len() * (TOPIC_BYTES + 16), 16);
    let refused = Err((Code::Overloaded, Reason::TooManySubscriptions));
    assert_eq!(subscribe(&mut home, OTHER, "x"), refused);
    assert_eq!(subscribe(&mut home, OTHER, &topics[0]), Ok(()));
    assert_eq!(subscribe(&mut home, OTHER, &topics[1]), refused);
    assert_eq!(own_topics(&home), topics.len());
}

/// What a topic with one subscriber takes beside its text.
const TOPIC_BYTES: usize = 24;

const OTHER: LinkId = LinkId(4);

fn attach_another(home: &mut Home) {
    home.handle(Input::ClientUp { link: OTHER, name: "desk.sdk.bank-a.amop".parse().unwrap() });
    let attach = ClientMessage::Attach { instance: Instance(2), generation: Gen(1) };
    home.handle(Input::Client { link: OTHER, message: attach });
}

/// What a client is told of its subscribe.
fn subscribe(home: &mut Home, link: LinkId, topic: &str) -> Result<(), (Code, Reason)> {
    let message = ClientMessage::Subscribe(topic.parse().unwrap());
    let effects = home.handle(Input::Client { link, message });
    let told = effects.into_iter().find_map(|effect| match effect {
        Effect::ToClient { link: to, message: NodeMessage::Subscribed { code, reason, .. } }
            if to == link =>
        {
            Some((code, reason))
        }
        _ => None,
    });
    let (code, reason) = told.expect("every subscribe is answered");
    if code == Code::Ok { Ok(()) } else { Err((code, reason)) }
}

fn own_topics(home: &Home) -> usize {
    home.node.table().topics_of(home.node.id()).count()
}

fn is_held(home: &Home, topic: &str) -> bool {
    let topic: Topic = topic.parse().unwrap();
    home.node.table().own_subscribers(&topic).count() == 1
}
