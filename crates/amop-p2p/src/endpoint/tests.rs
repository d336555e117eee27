//! Who is let in, and who must prove its address first.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::atomic::Ordering;

use amop_wire::limits::UNLINKED_MAX;

use super::*;
use crate::testing;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn node(dns: &str) -> Endpoint {
    let (identity, trust) = (testing::identity(dns), testing::trust());
    Endpoint::listen(ANY_PORT, LinkKind::Node, &identity, &trust, Settings::default()).unwrap()
}

/// Dials in a task of its own, for as long as it takes.
fn dial(dialer: &Endpoint, acceptor: &Endpoint) -> tokio::task::JoinHandle<String> {
    let (dialer, addr) = (dialer.clone(), acceptor.local_addr().unwrap());
    tokio::spawn(async move {
        match dialer.dial(addr, None).await {
            Ok(_) => "linked".to_owned(),
            Err(error) => error.to_string(),
        }
    })
}

#[tokio::test]
async fn newcomers_must_prove_their_address_while_many_are_half_open() {
    let (dialer, acceptor) = (node("n1.node.bank-a.amop"), node("n1.node.bank-b.amop"));
    let mut half_open = Vec::new();
    for i in 0..HALF_OPEN_UNPROVED_MAX {
        dial(&dialer, &acceptor);
        let handshake = acceptor.accept().await.unwrap();
        assert!(!handshake.incoming.remote_address_validated(), "newcomer {i}");
        half_open.push(handshake);
    }
    let linked = dial(&dialer, &acceptor);
    let handshake = acceptor.accept().await.unwrap();
    assert!(handshake.incoming.remote_address_validated());
    let _link = handshake.complete().await.unwrap();
    assert_eq!(linked.await.unwrap(), "linked");

    half_open.clear();
    dial(&dialer, &acceptor);
    let handshake = acceptor.accept().await.unwrap();
    assert!(!handshake.incoming.remote_address_validated(), "those who gave up do not count");
}

#[tokio::test]
async fn who_begins_a_link_past_either_rate_is_asked_to_prove_its_address_and_then_refused() {
    let (identity, trust) = (testing::identity("n1.node.bank-b.amop"), testing::trust());
    // So slow that no time that a test takes makes up for one.
    let of_each = Settings { handshakes_per_address: (0, 3), ..Settings::default() };
    let of_all = Settings { handshakes: (0, 3), ..Settings::default() };
    for settings in [of_each, of_all] {
        let acceptor = Endpoint::listen(ANY_PORT, LinkKind::Node, &identity, &trust, settings);
        let (acceptor, dialer) = (acceptor.unwrap(), node("n1.node.bank-a.amop"));
        for _ in 0..3 {
            dial(&dialer, &acceptor);
            let handshake = acceptor.accept().await.unwrap();
            assert!(!handshake.incoming.remote_address_validated());
        }
        let refused = dial(&dialer, &acceptor);
        let text = tokio::select! {
            _ = acceptor.accept() => panic!("it was let in"),
            text = refused => text.unwrap(),
        };
        assert_eq!(text, "peer takes no more links now");

        let usual = Settings::default();
        acceptor.set_handshakes(usual.handshakes_per_address, usual.handshakes);
        let let_in = dial(&dialer, &acceptor);
        tokio::select! {
            handshake = acceptor.accept() => assert!(handshake.is_some()),
            text = let_in => panic!("{}", text.unwrap()),
        }
    }
}

#[tokio::test]
async fn nobody_gets_in_while_too_many_are_half_open() {
    let (dialer, acceptor) = (node("n1.node.bank-a.amop"), node("n1.node.bank-b.amop"));
    acceptor.half_open.store(UNLINKED_MAX, Ordering::Relaxed);
    let refused = dial(&dialer, &acceptor);
    let text = tokio::select! {
        _ = acceptor.accept() => panic!("it was let in"),
        text = refused => text.unwrap(),
    };
    assert_eq!(text, "peer takes no more links now");

    acceptor.half_open.store(UNLINKED_MAX - 1, Ordering::Relaxed);
    dial(&dialer, &acceptor);
    assert!(acceptor.accept().await.is_some());
}

/// Whoever fails in its handshake leaves a connection behind that QUIC keeps for seconds.
#[tokio::test]
async fn nobody_gets_in_while_too_many_connections_have_ended_and_are_not_forgotten() {
    let (identity, trust) = (testing::identity("n1.node.bank-b.amop"), testing::trust());
    let settings = Settings { unlinked_max: 3, ..Settings::default() };
    let acceptor = Endpoint::listen(ANY_PORT, LinkKind::Node, &identity, &trust, settings).unwrap();
    let client = testing::identity("app.sdk.bank-a.amop");
    let stranger = Endpoint::dial_only(LinkKind::Sdk, &client, &trust, Settings::default());
    let (stranger, linked) = (stranger.unwrap(), node("n1.node.bank-a.amop"));
    // Links are no burden, however many.
    let mut links = Vec::new();
    for _ in 0..6 {
        let refused = dial(&linked, &acceptor);
        let handshake = tokio::select! {
            handshake = acceptor.accept() => handshake.unwrap(),
            text = refused => panic!("{}", text.unwrap()),
        };
        links.push(handshake.complete().await.unwrap());
    }
    assert_eq!(acceptor.unlinked(), 0);
    // With time in which some are forgotten: of so many one is refused.
    for _ in 0..100 {
        let mut told = dial(&stranger, &acceptor);
        let told = tokio::select! {
            handshake = acceptor.accept() => {
                handshake.unwrap().complete().await.unwrap_err();
                told.await.unwrap()
            }
            told = &mut told => told.unwrap(),
        };
        assert!(acceptor.unlinked() <= 3);
        if told == "peer takes no more links now" {
            return;
        }
    }
    panic!("all were let in");
}

/// First packets of so many handshakes that nobody goes on with, each of another one.
async fn first_packets(count: usize) -> Vec<Vec<u8>> {
    let catcher = tokio::net::UdpSocket::bind(ANY_PORT).await.unwrap();
    let (addr, dialer) = (catcher.local_addr().unwrap(), node("n1.node.bank-a.amop"));
    // A handshake is known by the connection id that it begins with.
    let (mut first, mut buffer) = (BTreeMap::new(), [0; 2048]);
    while first.len() < count {
        let dialer = dialer.clone();
        tokio::spawn(async move { dialer.dial(addr, None).await.map(drop) });
        let before = first.len();
        while first.len() == before {
            let length = catcher.recv(&mut buffer).await.unwrap();
            let id = buffer[6..6 + usize::from(buffer[5])].to_vec();
            first.entry(id).or_insert_with(|| buffer[..length].to_vec());
        }
    }
    first.into_values().collect()
}

#[tokio::test]
async fn of_newcomers_that_nobody_looks_at_so_many_are_held_and_not_one_more() {
    let acceptor = node("n1.node.bank-b.amop");
    let flood = tokio::net::UdpSocket::bind(ANY_PORT).await.unwrap();
    flood.connect(acceptor.local_addr().unwrap()).await.unwrap();
    // In a version that nobody speaks: it is answered at once, so all that came before it was taken in.
    let mut other_version = vec![0; 1200];
    other_version[..7].copy_from_slice(&[0xc0, 0x0a, 0x1a, 0x2a, 0x3a, 1, 7]);
    let packets = first_packets(INCOMING_MAX + 88).await;
    for some in packets.chunks(20) {
        for packet in some {
            flood.send(packet).await.unwrap();
        }
        flood.send(&other_version).await.unwrap();
        let length = flood.recv(&mut [0; 2048]).await.unwrap();
        assert!(length < 1200, "the versions that it speaks");
    }
    let mut held = Vec::new();
    loop {
        tokio::select! {
            biased;
            incoming = acceptor.quinn.accept() => held.push(incoming.unwrap()),
            () = ready(()) => break,
        }
    }
    assert_eq!(held.len(), INCOMING_MAX);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_in_the_error() {
    let taken = UdpSocket::bind(ANY_PORT).unwrap();
    let addr = taken.local_addr().unwrap();
    let (identity, trust) = (testing::identity("n1.node.bank-a.amop"), testing::trust());
    let settings = Settings::default();
    let error = Endpoint::listen(addr, LinkKind::Node, &identity, &trust, settings);
    assert_eq!(error.unwrap_err().to_string(), format!("cannot bind {addr}"));
}

#[tokio::test]
async fn an_address_of_the_other_family_cannot_be_dialed() {
    let node = node("n1.node.bank-a.amop");
    let remote = SocketAddr::from((Ipv6Addr::LOCALHOST, 7000));
    let error = node.dial(remote, None).await.unwrap_err();
    assert_eq!(error, HandshakeError::BadAddress { remote });
}

#[test]
fn links_and_handshakes_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Endpoint>();
    is_send_and_sync::<crate::Outbox>();
    is_send_and_sync::<Identity>();
    let _ = |handshake: Handshake| is_send(&handshake.complete());
    let _ = |link: Link| is_send(&link.run(|_, _| Ok(())));
    let _ = |dialer: &mut crate::Dialer, endpoint: &Endpoint| is_send(&dialer.next(endpoint));
    let _ = |endpoint: &Endpoint| is_send(&endpoint.shutdown());
}
