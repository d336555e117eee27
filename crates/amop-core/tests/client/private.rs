//! Whom the publisher of a private topic asks, and whom it asks again.

use std::time::Duration;

use amop_auth::{Entropy, Identity, SecretKey};
use amop_core::client::{Client, Effect, Input};
use amop_wire::{
    AnswerStatus, ClientMessage, Code, Epoch, Instance, Instant, Mode, Name, NodeHandshake, NodeId,
    NodeMessage, Outcome, Reason, Sealing, Seated, Terms, Topic, Watched,
};

/// A publisher at one node, and a subscriber at another that it has verified.
struct Pair {
    now: Instant,
    publisher: Client,
    subscriber: Client,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::default();
        let (mut publisher, mut subscriber) = (client(PUBLISHER), client(SUBSCRIBER));
        let key = SecretKey::generate(&mut Entropy::new([1; 32]));
        let keys = [key.public()].into();
        for (core, node) in [(&mut publisher, HOME), (&mut subscriber, EXIT)] {
            handle(core, now, Input::LinkUp { node });
            let attached =
                NodeMessage::Attached { epoch: EPOCH, in_flight: amop_wire::InFlight::default() };
            handle(core, now, Input::Message(attached));
        }
        handle(&mut subscriber, now, Input::SubscribePrivate { topic: topic(), key });
        handle(&mut publisher, now, Input::Allow { topic: topic(), keys });
        let mut pair = Self { now, publisher, subscriber };
        let challenge = pair.is_at(EXIT, true);
        let [ClientMessage::Handshake(challenge)] = &challenge[..] else { panic!("{challenge:?}") };
        let said = handshake(PUBLISHER, Some(HOME), challenge.payload.clone());
        let proof = handle(&mut pair.subscriber, now, said);
        let [ClientMessage::Handshake(proof)] = &proof[..] else { panic!("{proof:?}") };
        let said = handshake(SUBSCRIBER, None, proof.payload.clone());
        handle(&mut pair.publisher, now, said);
        assert_eq!(pair.publisher.verified(now, &topic()).len(), 1);
        pair
    }

    /// The publisher is told where the subscriber is.
    fn is_at(&mut self, node: NodeId, is_all: bool) -> Vec<ClientMessage> {
        let present = vec![Seated { instance: SUBSCRIBER, node, epoch: EPOCH }];
        let watched = Watched { is_all, topic: topic(), present, gone: Vec::new() };
        handle(&mut self.publisher, self.now, Input::Message(NodeMessage::Watched(watched)))
    }

    /// Publishes; gives the number of the message that left, which is sealed for the subscriber.
    fn publish(&mut self) -> u64 {
        self.publish_on(Terms::default())
    }

    fn publish_on(&mut self, terms: Terms) -> u64 {
        let input = Input::Publish {
            counter: self.publisher.draw_counter(),
            key: 0,
            mode: Mode::Unicast,
            terms,
            topic: topic(),
            payload: "4711".into(),
            timeout: Duration::from_secs(5),
        };
        let sent = handle(&mut self.publisher, self.now, input);
        asked(&sent).expect("it is verified")
    }

    /// The home node says that the subscriber was not there; gives the number of the next message.
    fn is_told_no(&mut self, counter: u64) -> Option<u64> {
        let outcome = Outcome {
            counter,
            code: Code::SubscriberUnreachable,
            reason: Reason::SubscriberGone,
            attempts: 1,
            status: AnswerStatus::Answered,
            answered_by: None,
            tried: Vec::new(),
            payload: "".into(),
            retry_after: None,
        };
        let outcome = NodeMessage::Outcome(outcome);
        asked(&handle(&mut self.publisher, self.now, Input::Message(outcome)))
    }
}

/// PRIV-15: the word that it has moved was quicker than the no of the node where it was.
#[test]
fn a_subscriber_that_has_moved_before_the_no_came_is_asked_at_once_where_it_is() {
    let mut pair = Pair::new();
    let first = pair.publish();
    assert_eq!(pair.is_at(OTHER_EXIT, false), []);
    let second = pair.is_told_no(first).expect("it is asked again");
    assert!(second > first);
    assert_eq!(pair.is_told_no(second), None, "it has not moved since");
}

/// PRIV-15: the no was quicker.
#[test]
fn a_subscriber_that_was_not_there_is_asked_once_it_is_elsewhere_and_not_before() {
    let mut pair = Pair::new();
    let first = pair.publish();
    assert_eq!(pair.is_told_no(first), None);
    let sent = pair.is_at(OTHER_EXIT, false);
    assert!(asked(&sent).is_some(), "{sent:?}");
}

/// PRIV-9, TERM-1: the moment at which another one would be asked in its place says nothing about one that waits.
#[test]
fn what_waits_for_its_only_subscriber_waits_its_whole_time_even_if_it_may_be_handled_more_than_once()
 {
    let mut pair = Pair::new();
    let first = pair.publish_on(Terms { at_least_once: true, ..Terms::default() });
    let at = |pair: &mut Pair, millis| {
        pair.now = Instant::after_start(Duration::from_millis(millis));
        pair.publisher.handle(pair.now, Input::Timeout);
        let ends = |effect| matches!(effect, Effect::Published { .. });
        std::iter::from_fn(|| pair.publisher.poll_effect()).any(ends)
    };
    assert!(!at(&mut pair, 2400), "another would be asked after 2,500 ms");
    assert_eq!(pair.is_told_no(first), None, "it waits for half of the 2,600 ms that are left");
    assert!(!at(&mut pair, 2500));
    assert!(!at(&mut pair, 3699));
    assert!(at(&mut pair, 3700));
}

/// PRIV-1, PRIV-9: what waits for a link when its topic becomes private waits on among what is younger.
#[test]
fn what_was_published_before_its_topic_became_private_has_its_end_as_well() {
    let mut publisher = client(PUBLISHER);
    let key = SecretKey::generate(&mut Entropy::new([1; 32])).public();
    let allow = |topic: &str| Input::Allow { topic: topic.parse().unwrap(), keys: [key].into() };
    let publish = |counter, topic: &str| Input::Publish {
        counter,
        key: 0,
        mode: Mode::Unicast,
        terms: Terms::default(),
        topic: topic.parse().unwrap(),
        payload: "4711".into(),
        timeout: Duration::from_secs(5),
    };
    let start = Instant::default();
    publisher.handle(start, allow("a"));
    for (counter, topic) in [(1, "b"), (2, "a"), (3, "b"), (4, "a")] {
        publisher.handle(start, publish(counter, topic));
    }
    publisher.handle(start, allow("b"));
    let mut ended = Vec::new();
    while let Some(due) = publisher.poll_timeout() {
        publisher.handle(due, Input::Timeout);
        while let Some(effect) = publisher.poll_effect() {
            if let Effect::Published { counter, .. } = effect {
                assert_eq!(due, start + Duration::from_secs(5));
                ended.push(counter);
            }
        }
    }
    ended.sort_unstable();
    assert_eq!(ended, [1, 2, 3, 4]);
}

/// The number of the message that is sealed for the subscriber among what was sent.
fn asked(sent: &[ClientMessage]) -> Option<u64> {
    sent.iter().find_map(|message| match message {
        ClientMessage::Publish(publish) => {
            assert_eq!(publish.terms.sealing, Sealing::For(SUBSCRIBER));
            Some(publish.counter)
        }
        _ => None,
    })
}

fn handle(core: &mut Client, now: Instant, input: Input) -> Vec<ClientMessage> {
    core.handle(now, input);
    let effects = std::iter::from_fn(|| core.poll_effect());
    effects
        .filter_map(|effect| match effect {
            Effect::Send(message) => Some(message),
            _ => None,
        })
        .collect()
}

fn handshake(from: Instance, home: Option<NodeId>, payload: bytes::Bytes) -> Input {
    let (name, topic) = (name(from), topic());
    Input::Message(NodeMessage::Handshake(NodeHandshake { from, home, name, topic, payload }))
}

fn client(instance: Instance) -> Client {
    let identity = Identity { name: name(instance), certificate: [5; 32], instance };
    let seed = u8::try_from(instance.0).unwrap();
    Client::new(instance).with_identity(identity, [[seed; 32], [seed + 100; 32]])
}

fn name(instance: Instance) -> Name {
    format!("c{}.sdk.bank-a.amop", instance.0).parse().unwrap()
}

fn topic() -> Topic {
    "salary".parse().unwrap()
}

const PUBLISHER: Instance = Instance(1);
const SUBSCRIBER: Instance = Instance(2);
const HOME: NodeId = NodeId::from_bytes([1; 32]);
const EXIT: NodeId = NodeId::from_bytes([2; 32]);
const OTHER_EXIT: NodeId = NodeId::from_bytes([3; 32]);
const EPOCH: Epoch = Epoch(3);
