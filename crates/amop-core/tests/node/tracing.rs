//! Who may ask what became of a message, and how often.

use std::time::Duration;

use amop_core::node::{Effect, Input, LinkId};
use amop_wire::{MsgId, Multicast, PeerMessage, TraceAnswer, TraceQuestion, TraceWord};

use crate::home::{Home, ID, OTHER_PEER, PEER};

fn ask(home: &mut Home, link: LinkId, id: MsgId, attempt: u32) -> TraceAnswer {
    let question = TraceQuestion { number: 5, id, attempt };
    let effects = home.peer(link, PeerMessage::TraceQuestion(question));
    let [Effect::ToPeer { link: to, message: PeerMessage::TraceAnswer(answer) }] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!((*to, answer.number), (link, 5));
    answer.clone()
}

/// TRACE-3
#[test]
fn only_who_took_part_and_knows_an_attempt_is_told() {
    let mut home = Home::new();
    let attempt = home.publish().attempt;
    let answer = ask(&mut home, PEER, ID, attempt);
    assert_eq!((answer.word, answer.steps.len()), (TraceWord::Told, 2));
    let wrong = ask(&mut home, PEER, ID, attempt.wrapping_add(1));
    assert_eq!((wrong.word, wrong.steps.len()), (TraceWord::Refused, 0));
    let stranger = ask(&mut home, OTHER_PEER, ID, attempt);
    assert_eq!((stranger.word, stranger.steps.len()), (TraceWord::Refused, 0));
    let unknown = ask(&mut home, OTHER_PEER, MsgId { counter: 77, ..ID }, 0);
    assert_eq!((unknown.word, unknown.steps.len()), (TraceWord::Told, 0));
}

/// TRACE-3
#[test]
fn who_asks_too_often_is_told_so() {
    let mut home = Home::new();
    let attempt = home.publish().attempt;
    for _ in 0..=40 {
        assert_eq!(ask(&mut home, PEER, ID, attempt).word, TraceWord::Told);
    }
    assert_eq!(ask(&mut home, PEER, ID, attempt).word, TraceWord::Busy);
    home.now = home.now + Duration::from_millis(50);
    assert_eq!(ask(&mut home, PEER, ID, attempt).word, TraceWord::Told);
    assert_eq!(ask(&mut home, PEER, ID, attempt).word, TraceWord::Busy);
}

/// TRACE-4
#[test]
fn what_another_node_than_the_one_that_was_asked_says_is_not_taken() {
    let mut home = Home::new();
    home.publish();
    let effects = home.handle(Input::Trace { number: 1, id: ID });
    let [Effect::ToPeer { link: PEER, message: PeerMessage::TraceQuestion(asked) }] = effects[..]
    else {
        panic!("{effects:?}")
    };
    let (number, word) = (asked.number, TraceWord::Told);
    let answer = PeerMessage::TraceAnswer(TraceAnswer { number, word, steps: Vec::new() });
    assert_eq!(home.peer(OTHER_PEER, answer.clone()), []);
    let effects = home.peer(PEER, answer);
    assert!(matches!(effects[..], [Effect::Traced { number: 1, .. }]), "{effects:?}");
}

/// TRACE-4: what is open at a time is bounded.
#[test]
fn one_trace_too_many_tells_of_this_node_alone() {
    let mut home = Home::new();
    home.publish();
    for number in 0..16 {
        let effects = home.handle(Input::Trace { number, id: ID });
        assert!(matches!(effects[..], [Effect::ToPeer { .. }]), "{effects:?}");
    }
    let effects = home.handle(Input::Trace { number: 16, id: ID });
    let [Effect::Traced { number: 16, trace }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(trace.told.len(), 1);
}

/// TRACE-1: no number of a message is too large to be written down.
#[test]
fn the_last_number_that_a_publisher_can_give_is_reported_and_written_down() {
    let mut home = Home::new();
    let id = MsgId { counter: u64::MAX, ..ID };
    let multicast = Multicast {
        id,
        ttl: Duration::from_secs(1),
        sequence: 1,
        from: "app.sdk.bank-b.amop".parse().unwrap(),
        topic: "t".parse().unwrap(),
        sealed: false,
        payload: "all".into(),
    };
    let mut effects = home.peer(PEER, PeerMessage::Multicast(multicast));
    effects.extend(home.handle(Input::EndOfBatch));
    let [Effect::ToPeer { message: PeerMessage::Receipts(runs), .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((runs[0].first, runs[0].count), (id, 1));
    assert_eq!(home.node.records(id).len(), 2, "it was taken, and reported");
}
