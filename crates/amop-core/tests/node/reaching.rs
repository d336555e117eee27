//! How much may be asked at a time of who would get a message.

use std::time::Duration;

use amop_core::node::{Effect, HopWord, Input, LinkId, Reach};
use amop_wire::{PeerMessage, ReachAnswer, ReachMessage};

use crate::home::{Home, OTHER_PEER, PEER, SUBSCRIBER};

fn ask(home: &mut Home, number: u64) -> Vec<Effect> {
    home.handle(Input::Reach { number, topic: "t".parse().unwrap(), whom: None })
}

/// The one question that was asked, of the peer with the subscriber.
fn question(effects: &[Effect]) -> u64 {
    let [Effect::ToPeer { link: PEER, message: PeerMessage::Reach(asked) }] = effects else {
        panic!("{effects:?}")
    };
    let ReachMessage::Question { number, topic: Some(_) } = asked else { panic!("{asked:?}") };
    *number
}

fn answer(number: u64) -> PeerMessage {
    let (count, subscribers) = (1, vec![SUBSCRIBER]);
    let answer = ReachAnswer { number, is_busy: false, count, subscribers };
    PeerMessage::Reach(ReachMessage::Answer(answer))
}

fn reached(effects: &[Effect]) -> &Reach {
    let [Effect::Reached { reach: Some(reach), .. }] = effects else { panic!("{effects:?}") };
    reach
}

/// What the node answers to a peer.
fn answered(home: &mut Home, link: LinkId) -> ReachAnswer {
    let topic = Some("t".parse().unwrap());
    let question = ReachMessage::Question { number: 5, topic };
    let effects = home.peer(link, PeerMessage::Reach(question));
    let [Effect::ToPeer { link: to, message: PeerMessage::Reach(ReachMessage::Answer(answer)) }] =
        &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!((*to, answer.number), (link, 5));
    answer.clone()
}

/// REACH-4
#[test]
fn what_another_node_than_the_one_that_was_asked_says_of_a_topic_is_not_taken() {
    let mut home = Home::new();
    let number = question(&ask(&mut home, 1));
    assert_eq!(home.peer(OTHER_PEER, answer(number)), []);
    let effects = home.peer(PEER, answer(number));
    let there = HopWord::There { count: 1, subscribers: vec![SUBSCRIBER] };
    assert_eq!(reached(&effects).hops[0].word, there);
    assert_eq!(home.peer(PEER, answer(number)), [], "it is over");
}

/// REACH-4: what is open at a time is bounded.
#[test]
fn one_topic_too_many_at_a_time_is_answered_by_what_this_node_knows() {
    let mut home = Home::new();
    for number in 0..16 {
        question(&ask(&mut home, number));
    }
    let effects = ask(&mut home, 16);
    assert_eq!(reached(&effects).hops[0].word, HopWord::Unasked);
}

/// REACH-3
#[test]
fn who_asks_too_often_about_topics_is_told_so() {
    let mut home = Home::new();
    for _ in 0..=40 {
        assert!(!answered(&mut home, PEER).is_busy);
    }
    let busy = answered(&mut home, PEER);
    assert!(busy.is_busy && busy.subscribers.is_empty());
    home.now = home.now + Duration::from_millis(50);
    assert!(!answered(&mut home, PEER).is_busy);
}
