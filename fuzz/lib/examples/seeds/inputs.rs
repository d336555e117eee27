//! Lives of machines in the form in which the targets read them: what happens in an ordinary minute.

use std::time::Duration;

use amop_wire::{
    Answer, AnswerStatus, Attempt, ClientHandshake, ClientMessage, Delivery, Epoch, FileBody, Gen,
    Instance, Mode, MsgId, NodeHandshake, NodeId, NodeMessage, Publish, Sealing, Seated, Terms,
    Topic, Watched,
};
use bytes::Bytes;
use fuzz_targets::Honest;

use crate::frames::{Seeds, announcements, file_messages, peer, written};

/// A node with clients, that publish to each other in public and in private, and with peers.
pub(crate) fn node() -> Seeds {
    let attach =
        |instance| ClientMessage::Attach { instance: Instance(instance), generation: Gen(1) };
    let says = |slot: u8, message: &ClientMessage| [&[4, slot][..], &written(message)].concat();
    let publish = |counter, mode, sealing| {
        let (terms, ttl) = (Terms { sealing, ..Terms::default() }, Duration::from_secs(5));
        let payload = Bytes::from_static(b"hello");
        let sequence = if mode == Mode::Multicast { counter } else { 0 };
        let topic = topic();
        ClientMessage::Publish(Publish { counter, ttl, mode, sequence, terms, topic, payload })
    };
    let id = MsgId { publisher: Instance(1), counter: 1 };
    let home = NodeId::of(&"n1.node.bank-a.amop".parse().expect("a certified name"));
    let attempt = Attempt { id, home, number: 1 };
    let answer = Answer { attempt, status: AnswerStatus::Answered, payload: Bytes::new() };
    let payload = Honest::messages().challenge.clone();
    let handshake = ClientHandshake { to: Instance(2), home: None, topic: topic(), payload };
    let clients = [
        vec![PLENTY, 1, 0, 1, 1],
        says(0, &attach(1)),
        says(1, &attach(2)),
        says(1, &ClientMessage::Subscribe(topic())),
        says(0, &ClientMessage::Watch(topic())),
        vec![7, 0],
        says(0, &ClientMessage::Handshake(handshake)),
        says(0, &publish(1, Mode::Unicast, Sealing::Clear)),
        says(1, &ClientMessage::Answer(answer)),
        says(0, &publish(2, Mode::Multicast, Sealing::Group)),
        says(0, &publish(3, Mode::Unicast, Sealing::For(Instance(2)))),
        vec![7, 0, 0, 0, 11, 255, 8, 0, 3, 1, 7, 0],
    ];
    let mut peers = vec![PLENTY, 2, 2, 2, 3];
    for (_, frames) in announcements().into_iter().take(2) {
        for frame in split(&frames) {
            peers.extend([&[5, 2], frame].concat());
        }
    }
    // Each on a link of its own, for some of them end it; and on links that take no answers.
    let mut unread = vec![PLENTY];
    for (_, frame) in peer() {
        peers.extend([&[2, 3, 5, 3], &frame[..]].concat());
        unread.extend([&[2, 3, 11, 3, 5, 3], &frame[..]].concat());
    }
    peers.extend([7, 0, 0, 0, 11, 255, 8, 0, 9, 0]);
    let mut files = vec![PLENTY, 1, 0];
    files.extend(says(0, &attach(1)));
    for message in file_messages(1) {
        files.extend([&[6, 0], &written(&message)[..]].concat());
    }
    // Little room, on the node and on links; rules, questions, another certificate, and an end in order.
    let mut short = vec![LITTLE, 1, 0, 1, 1, 2, 2];
    short.extend([says(0, &attach(1)), says(1, &attach(2))].concat());
    for topic in ["t0", "t1", "t2"] {
        let topic = topic.parse().expect("a valid topic");
        short.extend(says(1, &ClientMessage::Subscribe(topic)));
    }
    short.extend([11, 1, 7, 0, 10, 0, 3, 200]);
    for counter in 1..=8 {
        let mode = if counter % 3 == 0 { Mode::Multicast } else { Mode::Unicast };
        short.extend(says(0, &publish(counter, mode, Sealing::Clear)));
    }
    short.extend([7, 0, 12, 1, 10, 0, 11, 4, 13, 0, 1, 1, 14, 0, 0, 14, 1, 1, 16, 0, 7, 0]);
    short.extend([15, 2, 0, 0, 3, 1, 1, 7, 7, 0, 17, 0, 0, 0, 11, 255, 8, 0, 7, 0]);
    let clients = clients.concat();
    let all = [("clients", clients), ("peers", peers), ("unread", unread), ("files", files)];
    [named(all), named([("short", short)])].concat()
}

/// How much a node holds: the usual, or little.
const PLENTY: u8 = 0;
const LITTLE: u8 = 1;

/// A client that subscribes and publishes, in public and in private.
pub(crate) fn client() -> Seeds {
    let says = |message: &NodeMessage| [&[3, 0][..], &written(message)].concat();
    let subscribed = |topic: &str| NodeMessage::Subscribed {
        topic: topic.parse().expect("a valid topic"),
        code: amop_wire::Code::Ok,
        reason: amop_wire::Reason::Unspecified,
    };
    let attached =
        NodeMessage::Attached { epoch: Epoch(3), in_flight: amop_wire::InFlight::default() };
    let id = MsgId { publisher: Instance(9), counter: 1 };
    let home = NodeId::from_bytes([1; 32]);
    let (from, payload) = ("b.sdk.bank-b.amop", Bytes::from_static(b"hello"));
    let from: amop_wire::Name = from.parse().expect("a certified name");
    let (ttl, terms) = (Duration::from_secs(5), Terms::default());
    let delivery = Delivery {
        attempt: Attempt { id, home, number: 1 },
        ttl,
        terms,
        from: from.clone(),
        topic: topic(),
        payload: payload.clone(),
    };
    let seated = Seated { instance: Instance(10), node: home, epoch: Epoch(3) };
    let watched = Watched { is_all: true, topic: topic(), present: vec![seated], gone: Vec::new() };
    let proof = NodeHandshake {
        from: Instance(10),
        home: None,
        name: from,
        topic: topic(),
        payload: Honest::messages().proof.clone(),
    };
    let public = [
        vec![1, 1],
        says(&attached),
        vec![4, 0],
        says(&subscribed("t0")),
        says(&NodeMessage::Delivery(delivery)),
        vec![11, 0, 0, 1, b'x'],
        vec![9, 0, 0, 1, b'x', 10, 0, 0, 1, b'y', 13, 0, 2, 0],
    ];
    let private = [
        vec![6, 0, 5, 1, 1, 1],
        says(&attached),
        says(&subscribed("t1")),
        says(&NodeMessage::Watched(watched)),
        says(&NodeMessage::Handshake(proof)),
        vec![9, 0, 0, 1, b'x', 0, 0, 11, 255, 7, 0, 2, 0],
    ];
    named([("public", public.concat()), ("private", private.concat())])
}

/// A file that comes, and one that goes.
pub(crate) fn file() -> Seeds {
    let (mut comes, mut goes) = (Vec::new(), vec![5, 1]);
    for message in file_messages(1) {
        let frame = written(&message);
        match message.body {
            FileBody::Offer(_) => comes.extend([&[1][..], &frame, &[3, 1]].concat()),
            FileBody::Piece { .. } => comes.extend([&[1][..], &frame, &[3, 1]].concat()),
            FileBody::Ask { .. } | FileBody::Cancel(_) => comes.extend([&[1], &frame[..]].concat()),
            _ => goes.extend([&[2][..], &frame, &[4]].concat()),
        }
    }
    named([("comes", comes), ("goes", goes)])
}

/// The frames that follow each other.
fn split(mut frames: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while let Some(length) = frames.first_chunk() {
        let end = 4 + usize::try_from(u32::from_be_bytes(*length)).expect("a length fits");
        let (frame, rest) = frames.split_at(end);
        all.push(frame);
        frames = rest;
    }
    all
}

fn named<const N: usize>(seeds: [(&str, Vec<u8>); N]) -> Seeds {
    seeds.map(|(name, data)| (name.to_owned(), data)).into()
}

fn topic() -> Topic {
    "t0".parse().expect("a valid topic")
}
