//! What a node does for private topics: tells who subscribes, passes handshakes on, and asks nobody but the
//! one that a unicast is sealed for.

use std::time::Duration;

use amop_core::node::{Effect, Input, LinkId};
use amop_wire::limits::{WATCHED_SUBSCRIBERS_MAX, WATCHES_PER_CLIENT_MAX};
use amop_wire::{
    ClientHandshake, ClientMessage, CloseCode, Code, Epoch, Gen, Instance, Mode, NodeHandshake,
    NodeId, NodeMessage, PeerHandshake, PeerMessage, PeerRefusal, Publish, Reason, Sealing, Seated,
    Subscriber, Terms, Topic, Watched,
};
use bytes::Bytes;

use crate::home::{
    CLIENT, Home, ID, OTHER_PEER, PEER, PUBLISHER, SUBSCRIBER, announcement, peer_name, version,
};

fn topic() -> Topic {
    "t".parse().unwrap()
}

fn to_client(effects: &[Effect]) -> Vec<&NodeMessage> {
    let said = effects.iter().filter_map(|effect| match effect {
        Effect::ToClient { link: CLIENT, message } => Some(message),
        _ => None,
    });
    said.collect()
}

impl Home {
    fn watch(&mut self) -> Vec<Effect> {
        self.client(ClientMessage::Watch(topic()))
    }

    /// The client says something to the other end of a topic.
    fn says(&mut self, to: Instance, home: Option<NodeId>) -> Vec<Effect> {
        let handshake = ClientHandshake { to, home, topic: topic(), payload: "x".into() };
        self.client(ClientMessage::Handshake(handshake))
    }

    /// A peer says that one of its clients says something to ours.
    fn is_told(&mut self, link: LinkId, from: Instance, from_publisher: bool) -> Vec<Effect> {
        let name = "hr.sdk.bank-b.amop".parse().unwrap();
        let (to, topic, payload) = (PUBLISHER, topic(), Bytes::from("y"));
        let handshake = PeerHandshake { from, to, from_publisher, name, topic, payload };
        self.peer(link, PeerMessage::Handshake(handshake))
    }

    fn publish_sealed(&mut self, subscriber: Instance) -> Vec<Effect> {
        let publish = Publish {
            terms: Terms { sealing: Sealing::For(subscriber), ..Terms::default() },
            counter: ID.counter,
            ttl: Duration::from_secs(1),
            mode: Mode::Unicast,
            sequence: 0,
            topic: topic(),
            payload: "sealed".into(),
        };
        self.client(ClientMessage::Publish(publish))
    }
}

fn seated(instance: Instance) -> Seated {
    Seated { instance, node: NodeId::of(&peer_name()), epoch: Epoch(1) }
}

/// PRIV-18
#[test]
fn who_watches_is_told_all_at_once_and_then_what_changes() {
    let mut home = Home::new();
    let all = Watched { is_all: true, topic: topic(), present: vec![], gone: vec![] };
    let seen = home.watch();
    let expected = Watched { present: vec![seated(SUBSCRIBER)], ..all.clone() };
    assert_eq!(to_client(&seen), [&NodeMessage::Watched(expected)]);

    home.announced(2);
    let next = home.subscriber_at(peer_name(), 2, "t", Instance(9));
    home.peer(PEER, PeerMessage::Snapshot(next));
    let news = home.handle(Input::EndOfBatch);
    let gone = Watched { is_all: false, gone: vec![SUBSCRIBER], ..all.clone() };
    let came = Watched { is_all: false, present: vec![seated(Instance(9))], ..all };
    let expected = [NodeMessage::Watched(gone), NodeMessage::Watched(came)];
    assert_eq!(to_client(&news), expected.iter().collect::<Vec<_>>());
    assert_eq!(to_client(&home.handle(Input::EndOfBatch)), [] as [&NodeMessage; 0]);

    let lost = home.handle(Input::LinkDown { link: PEER });
    assert_eq!(to_client(&lost), [] as [&NodeMessage; 0], "at the end of the batch");
    let lost = home.handle(Input::EndOfBatch);
    let [NodeMessage::Watched(lost)] = to_client(&lost)[..] else { panic!("it is gone") };
    assert_eq!(lost.gone, [Instance(9)]);
}

/// PRIV-18
#[test]
fn a_client_watches_256_topics_and_is_told_of_1024_subscribers() {
    let mut home = Home::new();
    home.announced(2);
    let subscribers = (0..=WATCHED_SUBSCRIBERS_MAX as u64)
        .map(|n| Subscriber { instance: Instance(100 + n), generation: Gen(1) });
    let topics = vec![(topic(), subscribers.collect())];
    let crowd = announcement(version(2), peer_name(), vec![home.node.id()], topics);
    home.peer(PEER, PeerMessage::Snapshot(crowd));
    home.handle(Input::EndOfBatch);
    let seen = home.watch();
    let [NodeMessage::Watched(watched)] = to_client(&seen)[..] else { panic!("{seen:?}") };
    assert_eq!(watched.present.len(), WATCHED_SUBSCRIBERS_MAX);

    let watch = |n: usize| ClientMessage::Watch(format!("t{n}").parse().unwrap());
    for n in 1..WATCHES_PER_CLIENT_MAX {
        assert_eq!(to_client(&home.client(watch(n))).len(), 1);
    }
    assert_eq!(to_client(&home.watch()).len(), 1, "one that it watches already");
    let effects = home.client(watch(WATCHES_PER_CLIENT_MAX));
    let [Effect::Close { link: CLIENT, reason }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(reason.code, CloseCode::Protocol);
}

/// PRIV-16
#[test]
fn what_a_publisher_says_goes_to_an_announced_subscriber_of_a_topic_that_it_watches() {
    let mut home = Home::new();
    assert_eq!(home.says(SUBSCRIBER, None), [], "it watches nothing");
    home.watch();
    assert_eq!(home.says(Instance(99), None), [], "it is announced nowhere");
    let effects = home.says(SUBSCRIBER, None);
    let [Effect::ToPeer { link: PEER, message: PeerMessage::Handshake(handshake) }] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!((handshake.from, handshake.to), (PUBLISHER, SUBSCRIBER));
    assert!(handshake.from_publisher);
    assert_eq!(handshake.name.as_dns(), "app.sdk.bank-a.amop", "as the node attests it");
}

/// PRIV-16: a node speaks for the clients that are announced there.
#[test]
fn what_a_subscriber_says_is_taken_from_its_own_node_alone() {
    let mut home = Home::new();
    assert_eq!(home.is_told(PEER, SUBSCRIBER, false), [], "nobody watches");
    home.watch();
    assert_eq!(home.is_told(OTHER_PEER, SUBSCRIBER, false), [], "it is not there");
    assert_eq!(home.is_told(PEER, Instance(99), false), [], "it is announced nowhere");
    let effects = home.is_told(PEER, SUBSCRIBER, false);
    let [NodeMessage::Handshake(NodeHandshake { from: SUBSCRIBER, home: None, .. })] =
        to_client(&effects)[..]
    else {
        panic!("{effects:?}")
    };
}

/// PRIV-16: the other way round it takes a subscription.
#[test]
fn only_a_subscriber_of_the_topic_hears_publishers_and_speaks_to_them() {
    let mut home = Home::new();
    let at = NodeId::of(&peer_name());
    assert_eq!(home.is_told(PEER, Instance(5), true), []);
    assert_eq!(home.says(Instance(5), Some(at)), []);
    home.client(ClientMessage::Subscribe(topic()));
    let effects = home.is_told(PEER, Instance(5), true);
    let [NodeMessage::Handshake(NodeHandshake { home: Some(told), .. })] = to_client(&effects)[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(*told, at);
    let effects = home.says(Instance(5), Some(at));
    let [Effect::ToPeer { link: PEER, message: PeerMessage::Handshake(handshake) }] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert!(!handshake.from_publisher);
    assert_eq!((handshake.from, handshake.to), (PUBLISHER, Instance(5)));
}

/// PRIV-15
#[test]
fn a_sealed_unicast_is_tried_at_the_one_that_it_is_sealed_for_and_nowhere_else() {
    let mut home = Home::new();
    home.second_peer_has_a_subscriber();
    let effects = home.publish_sealed(SUBSCRIBER);
    let [Effect::ToPeer { link: PEER, message: PeerMessage::Request(request) }] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(request.subscriber, SUBSCRIBER);
    let refusal = PeerRefusal {
        id: ID,
        attempt: request.attempt,
        reason: Reason::SubscriberGone,
        subscriber: SUBSCRIBER,
        fenced: false,
    };
    let effects = home.peer(PEER, PeerMessage::Refusal(refusal));
    let [NodeMessage::Outcome(outcome)] = to_client(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(
        (outcome.code, outcome.reason),
        (Code::SubscriberUnreachable, Reason::SubscriberGone)
    );
    assert_eq!(effects.len(), 1, "the other one is not asked");
}

/// PRIV-15: to wait for another one is up to its publisher.
#[test]
fn a_sealed_unicast_for_somebody_who_is_not_there_ends_at_once() {
    let mut home = Home::new();
    let effects = home.publish_sealed(Instance(99));
    let [NodeMessage::Outcome(outcome)] = to_client(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(outcome.code, Code::NoSubscriber);
}
