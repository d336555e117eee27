//! Which way a request takes when a relay gives it back.

use std::time::Duration;

use amop_core::node::{Effect, Input, LinkId};
use amop_wire::{
    Announcement, Gen, Instance, Mode, Name, NodeId, NodeMessage, PeerMessage, Reason, Relay,
    Returned, Subscriber, Terms,
};

use crate::home::{Home, OTHER_PEER, PEER, announcement, peer_name, version};

/// Both peers are linked with a third node, which has a subscriber of `far`.
fn with_two_ways() -> Home {
    let mut home = Home::new();
    let [other, far, farther]: [Name; 3] = [OTHER, FAR, FARTHER].map(|name| name.parse().unwrap());
    let neighbours = [home.node.id(), NodeId::of(&far), NodeId::of(&farther)].to_vec();
    let relays = announcement(version(2), peer_name(), neighbours.clone(), Vec::new());
    announce(&mut home, PEER, relays);
    let relays = announcement(version(1), other, neighbours, Vec::new());
    announce(&mut home, OTHER_PEER, relays);
    subscribed_at(&mut home, FAR, Instance(8), Gen(1));
    home
}

/// Another node behind both relays announces the subscriber of `far`.
fn subscribed_at(home: &mut Home, name: &str, instance: Instance, generation: Gen) -> Vec<Effect> {
    let subscriber = Subscriber { instance, generation };
    let topics = vec![("far".parse().unwrap(), vec![subscriber])];
    let relays = [peer_name(), OTHER.parse().unwrap()].map(|relay| NodeId::of(&relay)).to_vec();
    announce(home, PEER, announcement(version(1), name.parse().unwrap(), relays, topics))
}

fn announce(home: &mut Home, link: LinkId, announcement: Announcement) -> Vec<Effect> {
    let (node, version) = (announcement.signed().node(), announcement.version());
    home.peer(link, PeerMessage::Summary(vec![(node, version)]));
    home.peer(link, PeerMessage::Snapshot(announcement));
    home.handle(Input::EndOfBatch)
}

fn relayed(effects: &[Effect]) -> Option<(LinkId, Relay)> {
    effects.iter().find_map(|effect| match effect {
        Effect::ToPeer { link, message: PeerMessage::Relay(relay) } => Some((*link, relay.clone())),
        _ => None,
    })
}

/// A relay does not pass it on.
fn give_back(home: &mut Home, link: LinkId, relay: Relay) -> Vec<Effect> {
    let (path, header) = (relay.path, relay.frame.header);
    home.peer(link, PeerMessage::Returned(Returned { position: 0, path, header }))
}

/// ROUTE-4: whatever relays say about a way, honest or not, it counts for that way alone.
#[test]
fn what_a_relay_gives_back_goes_every_other_way_before_it_fails() {
    let mut home = with_two_ways();
    let effects = home.publish_to("far", 1);
    let (first, relay) = relayed(&effects).expect("it goes over a relay");
    let effects = give_back(&mut home, first, relay);
    let (second, relay) = relayed(&effects).expect("it goes the other way");
    assert_ne!(first, second);
    let effects = give_back(&mut home, second, relay);
    assert_eq!(effects, [], "it waits for a way");
    assert_eq!(end_after_a_while(&mut home), Some((Reason::NoPath, 1)));
}

/// UNI-2: copies went to two nodes, and every relay gave them back.
#[test]
fn a_no_to_a_copy_counts_although_its_subscriber_is_somewhere_else_by_then() {
    let mut home = with_two_ways();
    let effects = home.publish_to("far", 1);
    let (first, to_far) = relayed(&effects).expect("it goes over a relay");
    let effects = subscribed_at(&mut home, FARTHER, Instance(8), Gen(2));
    let mut next = relayed(&effects);
    assert!(next.is_some(), "it follows its subscriber");
    assert_eq!(relayed(&give_back(&mut home, first, to_far)), None);
    while let Some((link, relay)) = next {
        next = relayed(&give_back(&mut home, link, relay));
    }
    assert_eq!(end_after_a_while(&mut home), Some((Reason::NoPath, 1)), "nobody has it");
}

/// TERM-1, UNI-2: the relays give the copy back after its subscriber was given up in doubt.
#[test]
fn a_no_counts_of_one_in_doubt_as_well() {
    let mut home = with_two_ways();
    let terms = Terms { at_least_once: true, ..Terms::default() };
    let effects = home.publish_on(terms, Mode::Unicast, "far", 1);
    let mut copies = vec![relayed(&effects).expect("it goes over a relay")];
    // Somebody else comes, so the map is another one; and the first gives no word for half of the time.
    let effects = subscribed_at(&mut home, FARTHER, Instance(9), Gen(1));
    copies.push(relayed(&effects).expect("it is sent again"));
    home.now = home.now + Duration::from_millis(500);
    let effects = home.handle(Input::Timeout);
    copies.push(relayed(&effects).expect("the other is asked"));
    while let Some((link, relay)) = copies.pop() {
        copies.extend(relayed(&give_back(&mut home, link, relay)));
    }
    assert_eq!(end_after_a_while(&mut home), Some((Reason::NoPath, 2)), "nobody has it");
}

/// TERM-1: it is announced elsewhere, and every way there is given back at once.
#[test]
fn one_in_doubt_is_asked_once_where_it_has_come_back() {
    let mut home = with_two_ways();
    let terms = Terms { at_least_once: true, ..Terms::default() };
    home.publish_on(terms, Mode::Unicast, "far", 1);
    subscribed_at(&mut home, FARTHER, Instance(9), Gen(1));
    home.now = home.now + Duration::from_millis(500);
    let effects = home.handle(Input::Timeout);
    let mut copies: Vec<_> = relayed(&effects).into_iter().collect();
    let farther: Name = FARTHER.parse().unwrap();
    let at = |instance, generation| Subscriber { instance, generation };
    let both = vec![at(Instance(8), Gen(2)), at(Instance(9), Gen(1))];
    let relays = [peer_name(), OTHER.parse().unwrap()].map(|relay| NodeId::of(&relay)).to_vec();
    let moved = announcement(version(2), farther, relays, vec![("far".parse().unwrap(), both)]);
    copies.extend(relayed(&announce(&mut home, PEER, moved)));
    let mut count = copies.len();
    while let Some((link, relay)) = copies.pop() {
        copies.extend(relayed(&give_back(&mut home, link, relay)));
        count += copies.len();
        assert!(count < 100, "it is sent to and fro without end");
    }
}

/// How the unicast ends once it has waited for half of its time.
fn end_after_a_while(home: &mut Home) -> Option<(Reason, u32)> {
    home.now = home.now + Duration::from_millis(500);
    let effects = home.handle(Input::Timeout);
    effects.iter().find_map(|effect| match effect {
        Effect::ToClient { message: NodeMessage::Outcome(outcome), .. } => {
            Some((outcome.reason, outcome.attempts))
        }
        _ => None,
    })
}

const OTHER: &str = "n1.node.bank-c.amop";
const FAR: &str = "n1.node.bank-d.amop";
const FARTHER: &str = "n1.node.bank-e.amop";
