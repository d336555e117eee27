//! What a node does with file messages: chooses who receives, says who sends, passes on, and holds little.

mod beside;

use std::time::Duration;

use amop_core::node::{Input, Limits, LinkId};
use amop_wire::limits::{FILE_PIECE_BYTES_MAX, FILE_WINDOW_BYTES, TRANSFERS_MAX};
use amop_wire::{
    ClientMessage, Code, FileBody, FileEnd, FileFound, FileId, FileLayout, FileMessage, FileOffer,
    FileRoute, FoundReceiver, Frame, Instance, Message as _, Mode, MsgId, Multicast, Name, NodeId,
    Path, PeerMessage, Reason, Relay, Request, SealedOffer, Terms,
};
use bytes::{Bytes, BytesMut};

use crate::home::{CLIENT, EPOCH, Home, OTHER_PEER, PEER, PUBLISHER, SUBSCRIBER, peer_name};

impl Home {
    /// Hands in a file message and answers all that may be sent then.
    fn file(&mut self, link: LinkId, message: FileMessage) -> Vec<(LinkId, FileMessage)> {
        self.hold(link, message);
        self.sent()
    }

    /// Hands in a file message, while no link has room.
    fn hold(&mut self, link: LinkId, message: FileMessage) {
        assert_eq!(self.handle(Input::File { link, message }), []);
    }

    fn sent(&mut self) -> Vec<(LinkId, FileMessage)> {
        let mut sent = Vec::new();
        loop {
            let Some(link) = self.node.file_links().next() else { return sent };
            while let Some(message) = self.node.poll_file(self.now, link) {
                sent.push((link, message));
            }
        }
    }

    fn here(&self) -> FileEnd {
        FileEnd { instance: PUBLISHER, node: self.node.id() }
    }

    /// From our client to the subscriber at the peer.
    fn forth(&self) -> FileRoute {
        FileRoute { transfer: 1, sender: self.here(), receiver: there() }
    }

    /// From the subscriber at the peer, as a sender, to our client.
    fn back(&self) -> FileRoute {
        FileRoute { transfer: 1, sender: there(), receiver: self.here() }
    }
}

fn there() -> FileEnd {
    FileEnd { instance: SUBSCRIBER, node: NodeId::of(&peer_name()) }
}

fn of(route: FileRoute, body: FileBody) -> FileMessage {
    FileMessage { route, round: 1, body }
}

fn offer(topic: &str) -> FileBody {
    let offer = FileOffer {
        id: FileId(7),
        layout: FileLayout::new(5).unwrap(),
        modified_ms: 0,
        sha256: [1; 32],
        list_sha256: [2; 32],
        from: "liar.sdk.bank-z.amop".parse().unwrap(),
        topic: topic.parse().unwrap(),
        label: "a.csv".parse().unwrap(),
    };
    FileBody::Offer(Box::new(offer))
}

const PIECE: u64 = FILE_PIECE_BYTES_MAX as u64;

/// What a neighbour is told after so many pieces.
fn passed(route: FileRoute, pieces: u64) -> FileMessage {
    of(route, FileBody::Window { passed: pieces * PIECE, beside_messages: false })
}

fn piece(start: u64) -> FileBody {
    FileBody::Piece { start, data: Bytes::from(vec![0; FILE_PIECE_BYTES_MAX]) }
}

/// FILE-4
#[test]
fn an_offer_to_nobody_by_name_goes_to_a_subscriber_with_the_certified_name_of_its_sender() {
    let mut home = Home::new();
    let to_any = FileRoute { receiver: FileEnd::ANY, ..home.forth() };
    let sent = home.file(CLIENT, of(to_any, offer("t")));
    let [(PEER, FileMessage { route, round: 1, body: FileBody::Offer(offer) })] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert_eq!(*route, home.forth());
    assert_eq!(offer.from.as_dns(), "app.sdk.bank-a.amop");
}

/// FILE-13
#[test]
fn an_offer_is_refused_at_once_if_nobody_subscribes_or_no_way_leads_there() {
    let mut home = Home::new();
    let to_any = FileRoute { receiver: FileEnd::ANY, ..home.forth() };
    let sent = home.file(CLIENT, of(to_any, offer("nobody")));
    let refused = FileBody::Refused(Code::NoSubscriber, Reason::NoSubscriber);
    assert_eq!(sent, [(CLIENT, of(to_any, refused))]);

    let unknown = FileEnd { instance: SUBSCRIBER, node: NodeId::from_bytes([9; 32]) };
    let nowhere = FileRoute { receiver: unknown, ..home.forth() };
    let sent = home.file(CLIENT, of(nowhere, offer("t")));
    let refused = FileBody::Refused(Code::NoSubscriber, Reason::NoPath);
    assert_eq!(sent, [(CLIENT, of(nowhere, refused))]);
    let sent = home.file(CLIENT, of(nowhere, piece(0)));
    assert_eq!(sent, [(CLIENT, passed(nowhere, 1))], "what is no offer is dropped");
}

/// FILE-15
#[test]
fn a_client_is_told_who_subscribes_here_and_elsewhere_and_nobody_else_is() {
    let mut home = Home::new();
    home.second_peer_has_a_subscriber();
    home.client(ClientMessage::Subscribe("t".parse().unwrap()));
    home.client(ClientMessage::Subscribe("other".parse().unwrap()));
    home.handle(Input::EndOfBatch);
    let asked = FileRoute { receiver: FileEnd::ANY, ..home.forth() };
    let receiver = |node: &str, instance| FoundReceiver { node: node.parse().unwrap(), instance };
    let found = |home: &mut Home, topic: &str| {
        let sent = home.file(CLIENT, of(asked, FileBody::Find(topic.parse().unwrap())));
        let [(CLIENT, FileMessage { route, round: 1, body: FileBody::Found(found) })] = &sent[..]
        else {
            panic!("{sent:?}")
        };
        assert_eq!((*route, found.left_out()), (asked, 0));
        found.receivers().to_vec()
    };
    let all = [
        receiver("n1.node.bank-a.amop", PUBLISHER),
        receiver("n1.node.bank-b.amop", SUBSCRIBER),
        receiver("n1.node.bank-c.amop", Instance(8)),
    ];
    assert_eq!(found(&mut home, "t"), all);
    assert_eq!(found(&mut home, "nobody"), []);
    home.handle(Input::LinkDown { link: OTHER_PEER });
    home.handle(Input::EndOfBatch);
    assert_eq!(found(&mut home, "t"), all[..2], "who cannot be reached is none");

    let of_peer = FileRoute { sender: there(), receiver: FileEnd::ANY, transfer: 1 };
    let find = FileBody::Find("t".parse().unwrap());
    assert_eq!(home.file(PEER, of(of_peer, find)), [], "a node asks nobody");
    let lie = FileBody::Found(Box::new(FileFound::new(all)));
    assert_eq!(home.file(PEER, of(home.forth(), lie)), [], "nor does it answer for others");
}

/// FILE-14: who sends is attested, and nobody chooses who can read it.
#[test]
fn a_sealed_offer_goes_to_whom_it_names() {
    let mut home = Home::new();
    let sealed = |topic: &str| {
        FileBody::SealedOffer(Box::new(SealedOffer {
            from: "liar.sdk.bank-z.amop".parse().unwrap(),
            topic: topic.parse().unwrap(),
            sealed: Bytes::from_static(b"sealed"),
        }))
    };
    let sent = home.file(CLIENT, of(home.forth(), sealed("t")));
    let [(PEER, FileMessage { route, body, .. })] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(*route, home.forth());
    assert_eq!(body.offered().unwrap().1.as_dns(), "app.sdk.bank-a.amop");

    let to_any = FileRoute { receiver: FileEnd::ANY, ..home.forth() };
    let refused = FileBody::Refused(Code::NoSubscriber, Reason::NoPath);
    assert_eq!(home.file(CLIENT, of(to_any, sealed("t"))), [(CLIENT, of(to_any, refused))]);
    let gone = FileBody::Refused(Code::SubscriberUnreachable, Reason::SubscriberGone);
    let sent = home.file(PEER, of(home.back(), sealed("t")));
    assert_eq!(sent, [(PEER, of(home.back(), gone))], "it has not subscribed");
}

#[test]
fn a_client_speaks_for_no_other() {
    let mut home = Home::new();
    let other = FileEnd { instance: Instance(99), node: home.node.id() };
    let as_sender = FileRoute { sender: other, ..home.forth() };
    assert_eq!(home.file(CLIENT, of(as_sender, offer("t"))), []);
    let as_receiver = FileRoute { receiver: other, ..home.back() };
    assert_eq!(home.file(CLIENT, of(as_receiver, FileBody::Again)), []);
    let done = FileBody::Done { sha256: [1; 32] };
    assert_eq!(home.file(CLIENT, of(home.back(), done.clone())), [(PEER, of(home.back(), done))]);
}

#[test]
fn no_other_node_speaks_for_a_client_of_this_one() {
    let mut home = Home::new();
    home.client(ClientMessage::Subscribe("t".parse().unwrap()));
    let to_itself = FileRoute { receiver: home.here(), ..home.forth() };
    assert_eq!(home.file(PEER, of(to_itself, offer("t"))), []);
    assert_eq!(home.file(PEER, of(to_itself, FileBody::Again)), []);
    assert_eq!(home.file(CLIENT, of(to_itself, offer("t"))).len(), 1, "it may send to itself");
}

/// FILE-13
#[test]
fn only_a_subscriber_is_offered_files_and_who_asks_for_one_that_is_gone_begins_again() {
    let mut home = Home::new();
    let gone = FileBody::Refused(Code::SubscriberUnreachable, Reason::SubscriberGone);
    let sent = home.file(PEER, of(home.back(), offer("t")));
    assert_eq!(sent, [(PEER, of(home.back(), gone.clone()))], "it has not subscribed");

    home.client(ClientMessage::Subscribe("t".parse().unwrap()));
    let sent = home.file(PEER, of(home.back(), offer("t")));
    assert!(matches!(&sent[..], [(CLIENT, _)]), "{sent:?}");

    home.handle(Input::LinkDown { link: CLIENT });
    let ask = FileBody::Ask { sent: 1 };
    assert_eq!(home.file(PEER, of(home.back(), ask)), [(PEER, of(home.back(), FileBody::Again))]);
    assert_eq!(home.file(PEER, of(home.back(), offer("t"))), [(PEER, of(home.back(), gone))]);
    assert_eq!(home.file(PEER, of(home.back(), piece(0))), [(PEER, passed(home.back(), 1))]);
}

#[test]
fn nothing_goes_back_where_it_came_from() {
    let mut home = Home::new();
    let route = FileRoute { sender: there(), ..home.forth() };
    assert_eq!(home.file(PEER, of(route, piece(0))), [(PEER, passed(route, 1))]);
}

/// FILE-12
#[test]
fn a_node_holds_a_mebibyte_of_a_transfer_and_says_what_it_passed_on() {
    let mut home = Home::new();
    let route = home.forth();
    let all = FILE_WINDOW_BYTES / PIECE;
    for n in 0..all + 3 {
        home.hold(CLIENT, of(route, piece(n * PIECE)));
    }
    let sent = home.sent();
    let to_peer = sent.iter().filter(|(link, _)| *link == PEER).count();
    assert_eq!(to_peer as u64, all, "what comes past that is dropped");
    let told = sent.into_iter().filter(|(link, _)| *link == CLIENT).map(|(_, message)| message);
    assert!(told.eq((1..=all).map(|pieces| passed(route, pieces))));

    let next = || of(route, piece(all * PIECE));
    home.hold(CLIENT, next());
    assert_eq!(home.sent(), [], "the neighbour has passed on nothing");
    let sent = home.file(PEER, passed(route, 1));
    assert_eq!(sent, [(PEER, next()), (CLIENT, passed(route, all + 1))]);
}

/// FILE-11
#[test]
fn who_offers_one_transfer_too_many_is_told_to_wait_until_one_is_over() {
    let mut home = Home::new();
    let route = |home: &Home, n: usize| FileRoute { transfer: n as u64, ..home.forth() };
    for n in 0..TRANSFERS_MAX {
        let sent = home.file(CLIENT, of(route(&home, n), offer("t")));
        assert!(matches!(&sent[..], [(PEER, _)]), "{sent:?}");
    }
    let late = route(&home, TRANSFERS_MAX);
    let wait = of(late, FileBody::Wait);
    assert_eq!(home.file(CLIENT, of(late, offer("t"))), [(CLIENT, wait)]);
    let cancel = of(late, FileBody::Cancel(Reason::Cancelled));
    for memory_bytes in [1, Limits::default().memory_bytes] {
        home.node.set_limits(Limits { memory_bytes, ..Limits::default() });
        let sent = home.file(CLIENT, cancel.clone());
        assert_eq!(sent, [(PEER, cancel.clone())], "who gives up needs no place");
    }
    let done = of(route(&home, 0), FileBody::Done { sha256: [1; 32] });
    assert_eq!(home.file(PEER, done.clone()), [(CLIENT, done)]);
    let sent = home.file(CLIENT, of(late, offer("t")));
    assert!(matches!(&sent[..], [(PEER, _)]), "{sent:?}");
}

/// What a link lost with it does not come out on the next one.
#[test]
fn what_waits_for_a_link_ends_with_it() {
    let mut home = Home::new();
    let route = home.forth();
    home.hold(CLIENT, of(route, piece(0)));
    home.handle(Input::LinkDown { link: PEER });
    assert_eq!(home.sent(), [(CLIENT, passed(route, 1))]);
    home.handle(Input::PeerUp { link: PEER, name: peer_name(), dialed: true });
    assert_eq!(home.sent(), []);
}

/// FILE-12: whoever sends on finds room for the question that follows.
#[test]
fn what_is_dropped_for_want_of_a_way_counts_as_passed_on() {
    let mut home = Home::new();
    let route = home.forth();
    home.hold(CLIENT, of(route, piece(0)));
    home.handle(Input::LinkDown { link: PEER });
    assert_eq!(home.sent(), [(CLIENT, passed(route, 1))], "what waited for the link that is lost");
    home.hold(CLIENT, of(route, piece(1)));
    assert_eq!(home.sent(), [(CLIENT, passed(route, 2))], "and what has no link to wait for");
}
