//! Reaching one of several targets.

use std::net::UdpSocket;
use std::time::Duration;

use amop_p2p::{DialError, Dialer, Endpoint, HandshakeError, LinkKind, Settings, Target};

use tokio::time::Instant;

use crate::support::{ANY_PORT, Running, identity, listen, name, node, trust};

fn target(addr: &(impl ToString + ?Sized), expected: Option<&str>) -> Target {
    Target { addr: addr.to_string(), expected: expected.map(name) }
}

fn impatient() -> Settings {
    Settings { handshake_timeout: Duration::from_millis(300), ..Settings::default() }
}

#[tokio::test]
async fn targets_are_tried_in_turn_and_round_after_round() {
    let silent = UdpSocket::bind(ANY_PORT).unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let here = node("n1.node.bank-a.amop", &impatient());
    let there = node("n1.node.bank-b.amop", &Settings::default());
    let addr = there.local_addr().unwrap();
    let targets = vec![
        target(&silent, None),
        target(&addr, Some("n2.node.bank-b.amop")),
        target(&addr, Some("n1.node.bank-b.amop")),
    ];
    let mut dialer = Dialer::new(targets, 7);
    tokio::spawn(async move {
        while let Some(handshake) = there.accept().await {
            if let Ok(link) = handshake.complete().await {
                Running::start(link);
            }
        }
    });

    for _ in 0..2 {
        let first = dialer.next(&here).await.unwrap_err();
        assert_eq!(first.to_string(), format!("cannot link with {silent} at {silent}"));
        let DialError::Handshake { source, .. } = first else { panic!("{first}") };
        assert!(matches!(source, HandshakeError::NoAnswer { .. }));
        let second = dialer.next(&here).await.unwrap_err();
        let DialError::Handshake { source, .. } = second else { panic!("{second}") };
        assert!(matches!(source, HandshakeError::PeerRefused { .. }));
        let link = dialer.next(&here).await.unwrap();
        assert_eq!(link.peer().name, name("n1.node.bank-b.amop"));
    }
    dialer.settled();
    assert!(dialer.next(&here).await.is_err(), "it goes on with the first target");
}

/// LINK-9: an attempt takes 5 s, and is all the pause there is. The clock of the test goes on when nothing else does.
#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the clock of the test")]
async fn who_never_answers_is_dialed_again_at_once_however_often_that_was() {
    let silent = UdpSocket::bind(ANY_PORT).unwrap();
    let here = node("n1.node.bank-a.amop", &Settings::default());
    let mut dialer = Dialer::new(vec![target(&silent.local_addr().unwrap(), None)], 7);
    let begun = Instant::now();
    for attempts in 1..10 {
        assert!(dialer.next(&here).await.is_err());
        let (took, expected) = (begun.elapsed(), attempts * Settings::default().handshake_timeout);
        assert!(took < expected + Duration::from_millis(100), "{attempts} attempts: {took:?}");
    }
}

#[tokio::test]
async fn a_client_reaches_a_node_by_name_and_by_an_address_of_either_family() {
    let node = listen(LinkKind::Sdk, &identity("n1.node.bank-a.amop"), &Settings::default());
    let port = node.local_addr().unwrap().port();
    let client = identity("payments.sdk.bank-a.amop");
    let client =
        Endpoint::dial_only(LinkKind::Sdk, &client, &trust(), Settings::default()).unwrap();
    tokio::spawn(async move {
        while let Some(handshake) = node.accept().await {
            Running::start(handshake.complete().await.unwrap());
        }
    });
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]"] {
        let mut dialer = Dialer::new(vec![target(&format!("{host}:{port}"), None)], 7);
        let link = dialer.next(&client).await.unwrap();
        assert_eq!(link.peer().name, name("n1.node.bank-a.amop"));
    }
}

#[tokio::test]
async fn a_target_that_is_no_address_is_named_in_the_error() {
    let here = node("n1.node.bank-a.amop", &impatient());
    let mut dialer = Dialer::new(vec![target("no port here", None)], 7);
    let error = dialer.next(&here).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot resolve no port here");
    assert!(matches!(error, DialError::Resolve { .. }));

    let error = Dialer::new(vec![], 7).next(&here).await.unwrap_err();
    assert!(matches!(error, DialError::NoTarget));
}
