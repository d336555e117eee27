//! What comes over a link before its greeting, since lanes overtake each other.

use std::time::Duration;

use amop_core::node::{Effect, Input, LinkId, Node};
use amop_wire::{
    Answer, AnswerStatus, ClientMessage, Epoch, Gen, Instance, Instant, MsgId, NodeId, NodeMessage,
    PeerMessage, Reason, Request, Terms,
};
use bytes::Bytes;

const CLIENT: LinkId = LinkId(1);
const PEER: LinkId = LinkId(2);
const SUBSCRIBER: Instance = Instance(7);
const EPOCH: Epoch = Epoch(5);

fn handle(node: &mut Node, input: Input) -> Vec<Effect> {
    node.handle(Instant::default(), input);
    std::iter::from_fn(|| node.poll_effect()).collect()
}

/// A node with a subscriber, which has dialed a peer that has not greeted.
fn node() -> Node {
    let mut node = Node::new("n1.node.bank-a.amop".parse().unwrap(), EPOCH, [0; 32]);
    let client = "app.sdk.bank-a.amop".parse().unwrap();
    handle(&mut node, Input::ClientUp { link: CLIENT, name: client });
    let attach = ClientMessage::Attach { instance: SUBSCRIBER, generation: Gen(1) };
    handle(&mut node, Input::Client { link: CLIENT, message: attach });
    let subscribe = ClientMessage::Subscribe("t".parse().unwrap());
    handle(&mut node, Input::Client { link: CLIENT, message: subscribe });
    let peer = "n1.node.bank-b.amop".parse().unwrap();
    handle(&mut node, Input::PeerUp { link: PEER, name: peer, dialed: true });
    node
}

fn request(subscriber: Instance) -> Input {
    let request = Request {
        id: MsgId { publisher: Instance(9), counter: 1 },
        ttl: Duration::from_secs(1),
        attempt: 1,
        subscriber,
        exit_epoch: EPOCH,
        terms: Terms::default(),
        from: "app.sdk.bank-b.amop".parse().unwrap(),
        topic: "t".parse().unwrap(),
        payload: Bytes::new(),
    };
    Input::Peer { link: PEER, message: PeerMessage::Request(request) }
}

/// LINK-4
#[test]
fn a_request_that_overtook_the_greeting_is_answered_on_its_link() {
    let mut node = node();
    let pushed = handle(&mut node, request(SUBSCRIBER));
    let [Effect::ToClient { message: NodeMessage::Delivery(delivery), .. }] = &pushed[..] else {
        panic!("{pushed:?}")
    };
    let (attempt, status) = (delivery.attempt, AnswerStatus::Answered);
    let answer = ClientMessage::Answer(Answer { attempt, status, payload: Bytes::new() });
    let effects = handle(&mut node, Input::Client { link: CLIENT, message: answer });
    assert!(
        matches!(effects[..], [Effect::ToPeer { link: PEER, message: PeerMessage::Answer(_) }]),
        "{effects:?}"
    );
}

/// LINK-4
#[test]
fn a_request_that_overtook_the_greeting_is_refused_on_its_link() {
    let effects = handle(&mut node(), request(Instance(99)));
    let [Effect::ToPeer { link: PEER, message: PeerMessage::Refusal(refusal) }] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(refusal.reason, Reason::SubscriberGone);
}

/// LINK-4: but none is sent there unasked, for the link may lose the election.
#[test]
fn nothing_else_is_sent_before_the_greeting() {
    let mut node = node();
    handle(&mut node, request(Instance(99)));
    let peer = NodeId::of(&"n1.node.bank-b.amop".parse().unwrap());
    assert_eq!(node.link_to(peer), None);
    assert_eq!(node.peers().count(), 0);
}
