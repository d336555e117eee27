//! What a home node believes of an exit node, and what an exit node pushes.

use std::time::Duration;

use amop_core::node::{Effect, Input, LinkId};
use amop_wire::{
    AnnouncementChanges, Answer, AnswerStatus, ClientMessage, Code, Epoch, Frame, Gen, Instance,
    Message, Mode, MsgId, NodeId, NodeMessage, Path, PeerAnswer, PeerMessage, PeerReceiptRun,
    PeerRefusal, Reason, Receipt, Relay, Request, Seq, SetDigest, Subscriber, Terms,
};
use bytes::{Bytes, BytesMut};

use crate::home::{
    CLIENT, EPOCH, Home, ID, OTHER_PEER, PEER, PUBLISHER, SUBSCRIBER, announcement, peer_name,
    signed, version,
};

/// What another node asks our client.
fn request_to_client() -> Request {
    Request {
        terms: Terms::default(),
        id: MsgId { publisher: Instance(9), counter: 1 },
        ttl: Duration::from_secs(1),
        attempt: 1,
        subscriber: PUBLISHER,
        exit_epoch: EPOCH,
        from: "app.sdk.bank-b.amop".parse().unwrap(),
        topic: "u".parse().unwrap(),
        payload: Bytes::new(),
    }
}

fn answer_to(request: &Request) -> PeerAnswer {
    PeerAnswer {
        id: ID,
        attempt: request.attempt,
        status: AnswerStatus::Answered,
        subscriber: SUBSCRIBER,
        payload: Bytes::from_static(b"answer"),
    }
}

/// UNI-5
#[test]
fn an_answer_counts_only_from_the_chosen_subscriber_at_its_node_in_the_present_attempt() {
    let mut home = Home::new();
    let answer = answer_to(&home.publish());
    let forged = [
        (OTHER_PEER, answer.clone()),
        (PEER, PeerAnswer { subscriber: Instance(8), ..answer.clone() }),
        (PEER, PeerAnswer { attempt: answer.attempt + 1, ..answer.clone() }),
        (PEER, PeerAnswer { attempt: 1, ..answer.clone() }),
        (PEER, PeerAnswer { id: MsgId { counter: 2, ..ID }, ..answer.clone() }),
    ];
    for (link, answer) in forged {
        let told = home.peer(link, PeerMessage::Answer(answer));
        assert!(matches!(told[..], [] | [Effect::Event(_)]));
    }
    let effects = home.peer(PEER, PeerMessage::Answer(answer.clone()));
    let [Effect::ToClient { message: NodeMessage::Outcome(outcome), .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((outcome.code, &outcome.payload[..]), (Code::Ok, &b"answer"[..]));
    assert_eq!(outcome.answered_by.as_ref().unwrap().to_string(), "bank-b/n1");
    assert_eq!(home.peer(PEER, PeerMessage::Answer(answer)), [], "there is one end");
}

/// UNI-5
#[test]
fn a_refusal_counts_only_from_the_chosen_subscribers_node() {
    let mut home = Home::new();
    let attempt = home.publish().attempt;
    let refusal = PeerRefusal {
        id: ID,
        attempt,
        reason: Reason::SubscriberBusy,
        subscriber: SUBSCRIBER,
        fenced: false,
    };
    assert_eq!(home.peer(OTHER_PEER, PeerMessage::Refusal(refusal.clone())), []);
    let effects = home.peer(PEER, PeerMessage::Refusal(refusal));
    let [Effect::ToClient { message: NodeMessage::Outcome(outcome), .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(outcome.code, Code::SubscriberUnreachable);
    assert_eq!((outcome.attempts, outcome.tried.len()), (1, 1));
}

/// UNI-6
#[test]
fn a_request_names_the_life_it_is_meant_for_and_another_life_refuses_it() {
    let mut home = Home::new();
    assert_eq!(home.publish().exit_epoch, Epoch(1), "the peer's");
    home.client(ClientMessage::Subscribe("u".parse().unwrap()));
    let request = request_to_client();
    let push = |home: &mut Home, request| home.peer(PEER, PeerMessage::Request(request));
    let effects = push(&mut home, request.clone());
    assert!(matches!(effects[..], [Effect::ToClient { link: CLIENT, .. }]), "{effects:?}");

    let refused = |effects: &[Effect]| match effects {
        [Effect::ToPeer { message: PeerMessage::Refusal(refusal), .. }] => refusal.reason,
        other => panic!("{other:?}"),
    };
    let earlier = Request { exit_epoch: Epoch(4), ..request.clone() };
    assert_eq!(refused(&push(&mut home, earlier)), Reason::StaleEpoch);
    let late = Request { ttl: Duration::ZERO, ..request.clone() };
    assert_eq!(refused(&push(&mut home, late)), Reason::Deadline);
    let gone = Request { subscriber: Instance(99), ..request.clone() };
    assert_eq!(refused(&push(&mut home, gone)), Reason::SubscriberGone);
    let left = Request { topic: "v".parse().unwrap(), ..request };
    assert_eq!(refused(&push(&mut home, left)), Reason::NotSubscribed);
}

/// ROUTE-6: who asks knows a way. A map that lacks its last link is behind.
#[test]
fn an_answer_goes_back_the_way_that_the_request_came_if_its_node_knows_of_none() {
    let mut home = Home::new();
    home.client(ClientMessage::Subscribe("u".parse().unwrap()));
    let stranger = NodeId::of(&"n1.node.bank-z.amop".parse().unwrap());
    let request = PeerMessage::Request(request_to_client());
    let mut header = BytesMut::new();
    request.put_header(&mut header);
    let frame = Frame { header: header.freeze(), payload: Bytes::new() };
    let path = Path::new(&[stranger, NodeId::of(&peer_name()), home.node.id()]).unwrap();
    let (lane, spent) = (request.lane(), Duration::ZERO);
    let relay = Relay { path: path.clone(), position: 2, lane, spent, frame };
    let pushed = home.peer(PEER, PeerMessage::Relay(relay));
    let [Effect::ToClient { message: NodeMessage::Delivery(delivery), .. }] = &pushed[..] else {
        panic!("{pushed:?}")
    };
    let answer =
        Answer { attempt: delivery.attempt, status: AnswerStatus::Answered, payload: Bytes::new() };
    let effects = home.client(ClientMessage::Answer(answer));
    let [Effect::ToPeer { link: PEER, message: PeerMessage::Relay(relay) }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(relay.path, path.reversed());
}

/// MULTI-3: the map may be old. Whoever has left one node may have been at the next when the message
/// came there.
#[test]
fn who_is_not_where_it_was_known_to_be_counts_as_refused_only_if_every_node_has_reported() {
    let receipt_after = |reports: &[(LinkId, Receipt)]| {
        let mut home = Home::new();
        home.second_peer_has_a_subscriber();
        home.publish_as(Mode::Multicast, "t", ID.counter);
        for &(link, receipt) in reports {
            let run = PeerReceiptRun { first: ID, count: 1, receipt };
            home.peer(link, PeerMessage::Receipts(vec![run]));
        }
        home.now = home.now + Duration::from_secs(2);
        home.handle(Input::Timeout);
        let effects = home.handle(Input::EndOfBatch);
        let receipt = |effect: &Effect| match effect {
            Effect::ToClient { message: NodeMessage::Receipts(runs), .. } => Some(runs[0].receipt),
            _ => None,
        };
        effects.iter().find_map(receipt)
    };
    let receipt = |acked, refused, unknown| Receipt { acked, refused, unknown };
    let (nobody, both) = (receipt(0, 0, 0), receipt(2, 0, 0));
    let unknown = Some(receipt(0, 0, 2));
    assert_eq!(receipt_after(&[(PEER, nobody)]), unknown, "it may have moved to the other");
    assert_eq!(receipt_after(&[(OTHER_PEER, both)]), Some(receipt(2, 0, 1)));
}

/// MULTI-3
#[test]
fn who_moved_is_counted_once_where_it_got_the_message() {
    let mut home = Home::new();
    home.second_peer_has_a_subscriber();
    home.publish_as(Mode::Multicast, "t", ID.counter);
    for (link, acked) in [(PEER, 0), (OTHER_PEER, 2)] {
        let receipt = Receipt { acked, refused: 0, unknown: 0 };
        let run = PeerReceiptRun { first: ID, count: 1, receipt };
        home.peer(link, PeerMessage::Receipts(vec![run]));
    }
    let effects = home.handle(Input::EndOfBatch);
    let [Effect::ToClient { message: NodeMessage::Receipts(runs), .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(runs[0].receipt, Receipt { acked: 2, refused: 0, unknown: 0 });
}

/// UNI-4
#[test]
fn a_request_waits_while_an_announcement_is_on_its_way() {
    let mut home = Home::new();
    let ends = |effects: &[Effect]| {
        let is_outcome = |effect: &&Effect| {
            matches!(effect, Effect::ToClient { message: NodeMessage::Outcome(_), .. })
        };
        effects.iter().filter(is_outcome).count()
    };
    assert_eq!(ends(&home.publish_to("new", 1)), 1, "nobody subscribes, and nothing is missing");
    home.announced(2);
    assert_eq!(home.publish_to("new", 2), []);
    let announcement = home.subscriber_at(peer_name(), 2, "new", SUBSCRIBER);
    home.peer(PEER, PeerMessage::Snapshot(announcement));
    let effects = home.handle(Input::EndOfBatch);
    let is_request = |effect: &Effect| {
        matches!(effect, Effect::ToPeer { link: PEER, message: PeerMessage::Request(request) }
            if request.id.counter == 2)
    };
    assert!(effects.iter().any(is_request), "{effects:?}");
}

/// SEQ-5
#[test]
fn a_snapshot_that_nobody_asked_for_is_dropped() {
    let mut home = Home::new();
    let announcement = announcement(version(9), peer_name(), Vec::new(), Vec::new());
    assert_eq!(home.peer(PEER, PeerMessage::Snapshot(announcement)), []);
    home.publish(); // The subscriber is still known.
}

/// SEQ-4
#[test]
fn what_a_peer_owes_that_is_gone_is_pulled_from_the_next_that_has_it() {
    let mut home = Home::new();
    let far = NodeId::of(&"n1.node.bank-d.amop".parse().unwrap());
    let pull = |link| Effect::ToPeer { link, message: PeerMessage::Pull(far) };
    let summary = || PeerMessage::Summary(vec![(far, version(1))]);
    assert_eq!(home.peer(PEER, summary()), [pull(PEER)]);
    assert_eq!(home.peer(OTHER_PEER, summary()), [], "one pull is under way");
    assert!(home.handle(Input::LinkDown { link: PEER }).contains(&pull(OTHER_PEER)));
}

/// LINK-2
#[test]
fn a_link_without_a_greeting_is_closed_after_five_seconds() {
    let mut home = Home::new();
    let name = "late.sdk.bank-a.amop".parse().unwrap();
    home.handle(Input::ClientUp { link: LinkId(9), name });
    home.now = home.now + Duration::from_millis(4999);
    let closes = |effects: Vec<Effect>| {
        effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Close { link: LinkId(9), .. }))
            .count()
    };
    let effects = home.handle(Input::Timeout);
    assert_eq!(closes(effects), 0);
    home.now = home.now + Duration::from_millis(1);
    let effects = home.handle(Input::Timeout);
    assert_eq!(closes(effects), 1);
}

/// SEQ-7: a peer that passes on too much is closed; what is held of the node stays, for it may be
/// the peer alone that is at fault.
#[test]
fn a_peer_that_announces_too_much_is_closed() {
    let mut home = Home::new();
    let change = |n: u64| amop_wire::TopicChange {
        topic: "t".parse().unwrap(),
        subscriber: Subscriber { instance: Instance(100 + n), generation: Gen(1) },
        removed: false,
    };
    // As many as fit one message, and more than one snapshot may name.
    let changes: Vec<_> = (0..65_536).map(change).collect();
    let signed = signed(version(65_537), peer_name(), SetDigest::from_bytes([7; 32]));
    let changes = AnnouncementChanges::new(Seq(1), signed, None, changes);
    let effects = home.peer(PEER, PeerMessage::Changes(changes));
    assert!(matches!(effects[..], [Effect::Close { link: PEER, .. }]), "{effects:?}");
    assert_eq!(home.node.table().version_of(NodeId::of(&peer_name())), Some(version(1)));
}
