//! Nodes that do not keep to the protocol.

use std::future::pending;

use amop_p2p::{Batch, Endpoint, Link, LinkKind};
use amop_pki::Consortium;
use amop_sdk::{ConnectError, Settings};
use amop_wire::{CloseCode, CloseReason, Epoch, Lane, NodeMessage, Topic};

use crate::support::{ANY, SHORT, builder, consortium, identity, trust, within};

#[tokio::test]
async fn a_node_that_links_and_then_says_nothing_is_given_up() {
    let error = connect(|link| async move {
        link.run(|_, _| Ok(())).await;
    })
    .await;
    let sentence = format!("did not take us in within {SHORT:?}");
    assert!(error.to_string().contains(&sentence), "{error}");
    assert!(!error.was_refused());
}

#[tokio::test]
async fn a_node_that_refuses_the_client_by_name_is_quoted() {
    let error = connect(|link| async move {
        link.outbox().close(CloseReason::new(CloseCode::Refused, "the instance is another's"));
        link.run(|_, _| Ok(())).await;
    })
    .await;
    assert!(error.to_string().contains("closed by the peer: the instance is another's"), "{error}");
    assert!(error.was_refused());
}

/// FRAME-4
#[tokio::test]
async fn what_is_no_message_closes_the_link_with_a_reason() {
    let error = connect(|link| async move {
        say(&link, &amop_wire::ClientMessage::Subscribe("quote".parse().unwrap()));
        link.run(|_, _| Ok(())).await;
    })
    .await;
    assert!(error.to_string().contains("closed by us: malformed header"), "{error}");
}

#[tokio::test]
async fn answers_to_nothing_are_ignored() {
    let topic: Topic = "quote".parse().unwrap();
    let (code, reason) = (amop_sdk::Code::Overloaded, amop_sdk::Reason::Unspecified);
    let (listening, endpoint, consortium) = listen();
    tokio::spawn(async move {
        let link = listening.accept().await.unwrap().complete().await.unwrap();
        say(&link, &NodeMessage::Subscribed { topic, code, reason });
        say(
            &link,
            &NodeMessage::Attached { epoch: Epoch(1), in_flight: amop_wire::InFlight::default() },
        );
        link.run(|_, _| Ok(())).await;
        pending::<()>().await;
    });
    let client = builder(&consortium, "app").endpoint(endpoint);
    assert!(within(client.connect()).await.unwrap().is_connected());
}

/// Connects to a node that does `act` with the link. It does not go well.
async fn connect<F: Future<Output = ()> + Send>(
    act: impl FnOnce(Link) -> F + Send + 'static,
) -> ConnectError {
    let (listening, endpoint, consortium) = listen();
    tokio::spawn(async move {
        let link = listening.accept().await.unwrap().complete().await.unwrap();
        act(link).await;
    });
    let settings = Settings { handshake_timeout: SHORT, ..Settings::default() };
    let client = builder(&consortium, "app").endpoint(endpoint).settings(settings);
    within(client.connect()).await.unwrap_err()
}

pub(crate) fn listen() -> (Endpoint, String, Consortium) {
    let consortium = consortium();
    let node = identity(consortium.node("bank-a", "n1").unwrap());
    let (trust, settings) = (trust(&consortium), Settings::default());
    let listening = Endpoint::listen(ANY, LinkKind::Sdk, &node, &trust, settings).unwrap();
    let endpoint = listening.local_addr().unwrap().to_string();
    (listening, endpoint, consortium)
}

fn say(link: &Link, message: &impl amop_wire::Message) {
    let mut batch = Batch::default();
    batch.push(message).unwrap();
    link.outbox().send(&mut batch);
}

/// A message of a kind that no version has so far.
struct OfNewerVersion(Lane);

impl amop_wire::Message for OfNewerVersion {
    fn lane(&self) -> Lane {
        self.0
    }

    fn put_header(&self, buf: &mut bytes::BytesMut) {
        buf.extend_from_slice(&[0xf2, 0x07, 3, 0x08, 0x96, 0x01]); // Number 126.
    }

    fn payload(&self) -> &bytes::Bytes {
        static PAYLOAD: bytes::Bytes = bytes::Bytes::from_static(b"news");
        &PAYLOAD
    }

    fn from_frame(_: amop_wire::Frame) -> Result<Self, amop_wire::MessageError> {
        Err(amop_wire::MessageError::UnknownKind)
    }
}

/// FRAME-4
#[tokio::test]
async fn what_only_a_newer_version_understands_is_skipped_and_counted() {
    let (listening, endpoint, consortium) = listen();
    tokio::spawn(async move {
        let link = listening.accept().await.unwrap().complete().await.unwrap();
        say(&link, &OfNewerVersion(Lane::Control));
        say(
            &link,
            &NodeMessage::Attached { epoch: Epoch(1), in_flight: amop_wire::InFlight::default() },
        );
        for lane in Lane::ALL {
            say(&link, &OfNewerVersion(lane));
        }
        link.run(|_, _| Ok(())).await;
        pending::<()>().await;
    });
    let client = builder(&consortium, "app").endpoint(endpoint);
    let client = within(client.connect()).await.unwrap();
    let all = async {
        while client.unknown_messages() < 5 {
            tokio::task::yield_now().await;
        }
    };
    within(all).await;
    assert!(client.is_connected());
}
