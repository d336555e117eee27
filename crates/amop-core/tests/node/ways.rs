//! Which way a request takes when a relay gives it back.

use std::time::Duration;

use amop_core::node::{Effect, Input, LinkId};
use amop_wire::{
    Gen, Instance, Name, NodeId, NodeMessage, PeerMessage, Reason, Relay, Returned, Subscriber,
};

use crate::home::{Home, OTHER_PEER, PEER, announcement, peer_name, version};

/// Both peers are linked with a third node, which has a subscriber of `far`.
fn with_two_ways() -> Home {
    let mut home = Home::new();
    let (far, other): (Name, Name) =
        ("n1.node.bank-d.amop".parse().unwrap(), "n1.node.bank-c.amop".parse().unwrap());
    let [here, far_id] = [home.node.id(), NodeId::of(&far)];
    let subscriber = Subscriber { instance: Instance(8), generation: Gen(1) };
    let topics = vec![("far".parse().unwrap(), vec![subscriber])];
    let relays = [&peer_name(), &other].map(NodeId::of).to_vec();
    let announcements = [
        (PEER, announcement(version(2), peer_name(), vec![here, far_id], Vec::new())),
        (OTHER_PEER, announcement(version(1), other, vec![here, far_id], Vec::new())),
        (PEER, announcement(version(1), far, relays, topics)),
    ];
    for (link, announcement) in announcements {
        let (node, version) = (announcement.signed().node(), announcement.version());
        home.peer(link, PeerMessage::Summary(vec![(node, version)]));
        home.peer(link, PeerMessage::Snapshot(announcement));
    }
    home.handle(Input::EndOfBatch);
    home
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
    home.now = home.now + Duration::from_millis(500);
    let effects = home.handle(Input::Timeout);
    let is_end = |effect: &Effect| {
        matches!(effect, Effect::ToClient { message: NodeMessage::Outcome(outcome), .. }
            if (outcome.reason, outcome.attempts) == (Reason::NoPath, 1))
    };
    assert!(effects.iter().any(is_end), "{effects:?}");
}
