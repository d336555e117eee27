//! A node that is about to stop, and clients that do not listen.

use std::time::Duration;

use amop_core::node::{Effect, Event, Input, LinkId};
use amop_wire::{
    ClientMessage, CloseCode, Code, Gen, Instance, NodeMessage, Outcome, PeerMessage, Reason,
};

use crate::home::{CLIENT, Home, PEER};

fn is_request(effects: &[Effect]) -> bool {
    matches!(effects, [Effect::ToPeer { link: PEER, message: PeerMessage::Request(_) }])
}

/// DRAIN-1, DRAIN-3
#[test]
fn what_was_sent_before_the_word_is_taken_and_what_comes_2_s_later_gets_203() {
    let mut home = Home::new();
    let told = home.handle(Input::Drain);
    assert_eq!(told, [Effect::ToClient { link: CLIENT, message: NodeMessage::Draining }]);
    assert_eq!(home.handle(Input::Drain), [], "once is enough");
    home.now = home.now + (Duration::from_secs(2) - Duration::from_nanos(1));
    assert!(is_request(&home.publish_to("t", 1)));
    home.now = home.now + Duration::from_nanos(1);
    let effects = home.publish_to("t", 2);
    let [Effect::ToClient { message: NodeMessage::Outcome(outcome), .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    let Outcome { code, reason, attempts, .. } = outcome;
    assert_eq!((*code, *reason, *attempts), (Code::Draining, Reason::ShuttingDown, 0));
}

/// DRAIN-2
#[test]
fn nobody_is_taken_in_any_more() {
    let mut home = Home::new();
    home.handle(Input::Drain);
    let link = LinkId(9);
    home.handle(Input::ClientUp { link, name: "desk.sdk.bank-a.amop".parse().unwrap() });
    let attach = ClientMessage::Attach { instance: Instance(9), generation: Gen(1) };
    let effects = home.handle(Input::Client { link, message: attach });
    let [Effect::Close { link: closed, reason }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((*closed, reason.code), (link, CloseCode::Shutdown));
}

/// DRAIN-4
#[test]
fn after_30_s_it_stops_whoever_is_left() {
    let mut home = Home::new();
    home.handle(Input::Drain);
    let is_drained = |effects: &[Effect]| effects.contains(&Effect::Event(Event::Drained));
    home.now = home.now + (Duration::from_secs(30) - Duration::from_nanos(1));
    assert!(!is_drained(&home.handle(Input::Timeout)));
    home.now = home.now + Duration::from_nanos(1);
    let effects = home.handle(Input::Timeout);
    assert!(is_drained(&effects));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Close { link: CLIENT, .. })));
}
