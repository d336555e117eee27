//! Certified peers that do not keep to the rules. What they did is told to both sides.

use std::time::Duration;

use amop_p2p::{Endpoint, HandshakeError, Link, LinkEnd, Settings};
use amop_wire::limits::{FRAME_BYTES_MAX, PAYLOAD_BYTES_MAX};
use amop_wire::{CloseCode, CloseReason, Lane};
use bytes::{BufMut, BytesMut};
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::time::timeout;

use crate::raw::{self, close_text, shown};
use crate::support::{Note, Running, batch, leaf, link, node};

const PEER: &str = "n1.node.bank-x.amop";

/// A dialer that can write anything on its lanes.
struct Hostile {
    connection: Connection,
    lanes: [(SendStream, RecvStream); Lane::COUNT],
}

async fn connect(acceptor: &Endpoint) -> Connection {
    let addr = acceptor.local_addr().unwrap();
    raw::dial(addr, Some(shown(&leaf(PEER))), "amop-node/1").await.unwrap()
}

async fn hostile_link(acceptor: &Endpoint) -> (Hostile, Link) {
    tokio::join!(
        async {
            let connection = connect(acceptor).await;
            let lanes = raw::open_lanes(&connection).await;
            Hostile { connection, lanes }
        },
        async { acceptor.accept().await.unwrap().complete().await.unwrap() },
    )
}

/// Both sides tell the same.
async fn assert_broken(hostile: &Hostile, end: LinkEnd, text: &str) {
    assert_eq!(end, LinkEnd::Broken(CloseReason::new(CloseCode::Protocol, text)));
    assert_eq!(close_text(hostile.connection.closed().await), format!("2: {text}"));
}

fn settings() -> Settings {
    Settings::default()
}

#[tokio::test]
async fn garbage_on_a_lane_closes_the_link_and_a_good_peer_is_welcome_after_it() {
    let acceptor = node("n1.node.bank-a.amop", &settings());
    let (mut hostile, link_to_it) = hostile_link(&acceptor).await;
    let running = Running::start(link_to_it);

    hostile.lanes[1].0.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();

    let length = u32::from_be_bytes(*b"GET ");
    let text =
        format!("replies lane: frame of {length} bytes is over the limit of {FRAME_BYTES_MAX}");
    assert_broken(&hostile, running.end().await, &text).await;
    link(&node("n1.node.bank-b.amop", &settings()), &acceptor).await;
}

/// FRAME-2: a length is judged before anything is kept for it, on each lane, the last one over and the largest there is.
#[tokio::test]
async fn a_length_of_4_gib_closes_the_link_and_takes_no_memory() {
    let settings = settings();
    let acceptor = node("n1.node.bank-a.amop", &settings);
    let names = ["control", "replies", "unicasts", "multicasts", "files"];
    for (lane, name) in names.into_iter().enumerate() {
        for length in [u32::try_from(FRAME_BYTES_MAX).unwrap() + 1, u32::MAX] {
            let (mut hostile, link_to_it) = hostile_link(&acceptor).await;
            let running = Running::start(link_to_it);
            hostile.lanes[lane].0.write_all(&length.to_be_bytes()).await.unwrap();
            let text = format!(
                "{name} lane: frame of {length} bytes is over the limit of {FRAME_BYTES_MAX}"
            );
            assert_broken(&hostile, running.end().await, &text).await;
        }
    }
    assert_eq!(settings.waiting.bytes(), 0);
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_the_link_and_those_before_it_are_read() {
    let acceptor = node("n1.node.bank-a.amop", &settings());
    let (mut hostile, link_to_it) = hostile_link(&acceptor).await;
    let mut running = Running::start(link_to_it);
    let mut bytes = BytesMut::new();
    let mut put = |payload_bytes: usize| {
        bytes.put_u32(u32::try_from(2 + 1 + payload_bytes).unwrap());
        bytes.put_u16(1);
        bytes.put_u8(b'h');
        bytes.put_bytes(b'p', payload_bytes);
    };

    put(PAYLOAD_BYTES_MAX);
    put(PAYLOAD_BYTES_MAX + 1);
    let writing = tokio::spawn(async move {
        // The link is closed in the middle of it.
        let _ = hostile.lanes[2].0.write_all(&bytes).await;
        hostile
    });

    assert_eq!(running.next().await.payload.len(), PAYLOAD_BYTES_MAX);
    let (over, limit) = (PAYLOAD_BYTES_MAX + 1, PAYLOAD_BYTES_MAX);
    let text = format!("unicasts lane: payload of {over} bytes is over the limit of {limit}");
    let end = running.end().await;
    assert_broken(&writing.await.unwrap(), end, &text).await;
}

#[tokio::test]
async fn a_lane_that_is_broken_off_closes_the_link() {
    let acceptor = node("n1.node.bank-a.amop", &settings());
    let (mut hostile, link_to_it) = hostile_link(&acceptor).await;
    let running = Running::start(link_to_it);

    hostile.lanes[0].0.reset(VarInt::from_u32(7)).unwrap();
    assert_broken(&hostile, running.end().await, "control lane: broken off").await;
}

#[tokio::test]
async fn a_lane_that_ends_must_be_followed_by_the_end_of_the_link() {
    let settings = Settings {
        flush_timeout: Duration::from_millis(50),
        idle_timeout: Duration::from_millis(500),
        keep_alive: Duration::from_millis(50),
        ..settings()
    };
    let acceptor = node("n1.node.bank-a.amop", &settings);

    let (mut hostile, link_to_it) = hostile_link(&acceptor).await;
    let running = Running::start(link_to_it);
    hostile.lanes[2].0.finish().unwrap();
    assert_broken(&hostile, running.end().await, "a lane ended, but not the link").await;

    let (mut hostile, link_to_it) = hostile_link(&acceptor).await;
    let outbox = link_to_it.outbox();
    let running = Running::start(link_to_it);
    hostile.lanes[2].1.stop(VarInt::from_u32(7)).unwrap();
    // It is noticed when something is to be written there.
    let note = Note::new(Lane::Unicasts, "", "");
    while !running.end.is_finished() {
        outbox.send(&mut batch(std::slice::from_ref(&note)));
        tokio::task::yield_now().await;
    }
    assert_broken(&hostile, running.end().await, "a lane ended, but not the link").await;
}

#[tokio::test]
async fn a_lane_must_begin_with_its_number() {
    let acceptor = node("n1.node.bank-a.amop", &settings());
    let (connection, outcome) = tokio::join!(
        async {
            let connection = connect(&acceptor).await;
            let (mut send, _receive) = connection.open_bi().await.unwrap();
            send.write_all(b"G").await.unwrap();
            connection.closed().await
        },
        async { acceptor.accept().await.unwrap().complete().await },
    );
    let text = "lane 0 begins with 71".to_owned();
    assert_eq!(close_text(connection), format!("2: {text}"));
    assert_eq!(outcome.unwrap_err(), HandshakeError::Protocol { text });
}

#[tokio::test]
async fn a_dialer_that_opens_no_lanes_has_so_much_time_and_no_more() {
    let settings = Settings { handshake_timeout: Duration::from_millis(500), ..settings() };
    let acceptor = node("n1.node.bank-a.amop", &settings);
    let (closed, outcome) =
        tokio::join!(async { connect(&acceptor).await.closed().await }, async {
            acceptor.accept().await.unwrap().complete().await
        },);
    assert!(matches!(outcome.unwrap_err(), HandshakeError::NoAnswer { .. }));
    assert_eq!(close_text(closed), "2: the lanes were not opened in time");
}

#[tokio::test]
async fn quic_itself_keeps_a_peer_from_opening_more_than_the_lanes() {
    let (a, b) = (node("n1.node.bank-a.amop", &settings()), node(PEER, &settings()));
    let (hostile, _link) = hostile_link(&a).await;
    let soon = Duration::from_millis(50);
    assert!(timeout(soon, hostile.connection.open_bi()).await.is_err());
    assert!(timeout(soon, hostile.connection.open_uni()).await.is_err());

    // An acceptor opens none at all.
    let listener = raw::listen(shown(&leaf(PEER)), "amop-node/1");
    let accepting = async {
        let connection = listener.accept().await.unwrap().await.unwrap();
        for number in 0..3 {
            let (mut send, _) = connection.accept_bi().await.unwrap();
            send.write_all(&[number]).await.unwrap();
        }
        assert!(timeout(soon, connection.open_bi()).await.is_err());
        assert!(timeout(soon, connection.open_uni()).await.is_err());
    };
    let (_, link) = tokio::join!(accepting, b.dial(listener.local_addr().unwrap(), None));
    drop(link);
}

/// LINK-8: what was begun is kept until the rest comes, so whoever never sends the rest is closed.
#[tokio::test]
async fn half_a_frame_closes_the_link_after_a_while_even_if_bytes_drip_and_others_go_on() {
    let settings = Settings { half_frame_timeout: Duration::from_millis(300), ..settings() };
    let acceptor = node("n1.node.bank-a.amop", &settings);
    let (mut hostile, link_to_it) = hostile_link(&acceptor).await;
    let good = node("n1.node.bank-b.amop", &settings);
    let (dialed, accepted) = link(&good, &acceptor).await;
    let (to_acceptor, _at_good) = (dialed.outbox(), Running::start(dialed));
    let mut at_acceptor = Running::start(accepted);
    let running = Running::start(link_to_it);

    // Of a frame so long that no drip comes to its end.
    hostile.lanes[4].0.write_all(&[0, 15, 0, 0, 0, 1]).await.unwrap();
    let drip = tokio::spawn(async move {
        // Each byte after another message of somebody else, for as long as the link takes any.
        loop {
            let note = Note::new(Lane::Unicasts, "a message", "");
            to_acceptor.send(&mut batch(std::slice::from_ref(&note)));
            assert_eq!(at_acceptor.next().await, note);
            if hostile.lanes[4].0.write_all(b"x").await.is_err() {
                return hostile;
            }
        }
    });
    let end = timeout(Duration::from_secs(20), running.end()).await.expect("the link ends");
    let text = "files lane: half a frame, and not the rest of it for 300ms";
    assert_broken(&drip.await.unwrap(), end, text).await;
    assert_eq!(settings.waiting.bytes(), 0, "nothing of it is kept");
}
