//! Files make way for messages (FILE-12).

use super::*;

/// How many pieces of a file go out at once after something happened at the node.
fn pieces_after(happen: impl FnOnce(&mut Home)) -> (Home, usize) {
    let mut home = Home::new();
    happen(&mut home);
    let route = home.forth();
    for n in 0..16 {
        home.hold(CLIENT, of(route, piece(n * PIECE)));
    }
    let to_peer = home.sent().iter().filter(|(link, _)| *link == PEER).count();
    (home, to_peer)
}

/// FILE-12.
#[test]
fn files_make_way_for_the_messages_of_clients_and_for_nothing_else() {
    let from = "app.sdk.bank-b.amop".parse::<Name>().unwrap();
    let ids = || (MsgId { publisher: Instance(9), counter: 1 }, Duration::from_secs(1));
    let request = || {
        let (id, ttl) = ids();
        let (terms, exit_epoch, subscriber) = (Terms::default(), EPOCH, PUBLISHER);
        let (topic, payload) = ("u".parse().unwrap(), Bytes::new());
        let from = from.clone();
        PeerMessage::Request(Request {
            terms,
            id,
            ttl,
            attempt: 1,
            subscriber,
            exit_epoch,
            from,
            topic,
            payload,
        })
    };
    let multicast = || {
        let (id, ttl) = ids();
        let (topic, payload) = ("u".parse().unwrap(), Bytes::new());
        let from = from.clone();
        PeerMessage::Multicast(Multicast {
            id,
            ttl,
            sequence: 1,
            from,
            topic,
            sealed: false,
            payload,
        })
    };
    let relayed = |home: &Home| {
        let mut header = BytesMut::new();
        request().put_header(&mut header);
        let frame = Frame { header: header.freeze(), payload: Bytes::new() };
        let stranger = NodeId::from_bytes([9; 32]);
        let path = Path::new(&[stranger, NodeId::of(&peer_name()), home.node.id()]).unwrap();
        let (position, lane, spent) = (2, request().lane(), Duration::ZERO);
        PeerMessage::Relay(Relay { path, position, lane, spent, frame })
    };
    let pieces = |happen: &dyn Fn(&mut Home)| pieces_after(happen).1;
    let peer = |message: &dyn Fn() -> PeerMessage| pieces(&|home| _ = home.peer(PEER, message()));
    assert_eq!(pieces(&|_| {}), 16);
    assert_eq!(pieces(&|home| _ = home.publish_as(Mode::Unicast, "t", 1)), 1);
    assert_eq!(pieces(&|home| _ = home.publish_as(Mode::Multicast, "t", 1)), 1);
    assert_eq!(peer(&request), 1);
    assert_eq!(peer(&multicast), 1);
    assert_eq!(pieces(&|home| _ = home.peer(PEER, relayed(home))), 1);
    assert_eq!(peer(&|| PeerMessage::Probe), 16);
    assert_eq!(peer(&|| PeerMessage::Summary(Vec::new())), 16);
}

/// FILE-12.
#[test]
fn a_second_after_the_last_message_files_have_the_links_to_themselves() {
    let (mut home, at_once) = pieces_after(|home| _ = home.publish_as(Mode::Unicast, "t", 1));
    assert_eq!(at_once, 1);
    let route = home.forth();
    let pieces_once_passed = |home: &mut Home, pieces| {
        let sent = home.file(PEER, passed(route, pieces));
        sent.into_iter().filter(|(link, _)| *link == PEER).count()
    };
    assert_eq!(pieces_once_passed(&mut home, 1), 1);
    home.now = home.now + Duration::from_millis(999);
    assert_eq!(pieces_once_passed(&mut home, 2), 1);
    home.now = home.now + Duration::from_millis(1);
    assert_eq!(pieces_once_passed(&mut home, 3), 13, "all that waits");
}

/// FILE-12.
#[test]
fn whoever_sends_a_file_is_told_of_messages_until_there_are_none_for_a_second() {
    let mut home = Home::new();
    _ = home.publish_as(Mode::Unicast, "t", 1);
    let route = home.forth();
    let mut told = |millis, number: u64| {
        home.now = home.now + Duration::from_millis(millis);
        let sent = home.file(CLIENT, of(route, piece(number * PIECE)));
        let of_window = |(link, message): &(LinkId, FileMessage)| match message.body {
            FileBody::Window { beside_messages, .. } if *link == CLIENT => Some(beside_messages),
            _ => None,
        };
        let told: Vec<_> = sent.iter().filter_map(of_window).collect();
        // The next may go, too.
        home.file(PEER, passed(route, number + 1));
        told
    };
    assert_eq!([told(0, 0), told(999, 1), told(1, 2)], [[true], [true], [false]]);
}

/// FILE-12.
#[test]
fn a_node_without_messages_holds_back_for_a_neighbour_that_has_some() {
    let mut home = Home::new();
    let route = home.forth();
    let window = |beside_messages| FileBody::Window { passed: PIECE, beside_messages };
    home.hold(CLIENT, of(route, piece(0)));
    assert_eq!(home.sent().iter().filter(|(link, _)| *link == PEER).count(), 1);
    home.file(PEER, of(route, window(true)));
    for n in 1..5 {
        home.hold(CLIENT, of(route, piece(n * PIECE)));
    }
    assert_eq!(home.sent().iter().filter(|(link, _)| *link == PEER).count(), 1);
    let sent = home.file(PEER, of(route, window(false)));
    assert_eq!(sent.iter().filter(|(link, _)| *link == PEER).count(), 3, "the rest");
}
