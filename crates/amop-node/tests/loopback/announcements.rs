//! What peers pass on about others: believed if its node has signed it, whoever they are.

use std::time::Duration;

use amop_node::{Node, NodeConfig, StartError};
use amop_p2p::{Identity, LinkEnd};
use amop_pki::{AgencyPlan, Consortium};
use amop_topic_table::set_digest;
use amop_wire::{
    Announcement, AnnouncementChanges, ClientMessage, CloseCode, CloseReason, Code, Gen, Instance,
    Message, Mode, MsgId, NodeId, NodeMessage, Path, PeerMessage, PeerReceiptRun, Publish, Receipt,
    Seq, Subscriber, Terms, TopicChange, Version,
};

use crate::raw_node::RawNode;
use crate::support::{PATIENCE, RawClient, config, dialing, now, until};

/// SEQ-8, SEQ-10, SEQ-12, SEQ-13: a relay between two nodes lies about one to the other, and then
/// tells the truth.
#[tokio::test]
async fn what_a_relay_forges_or_alters_is_not_believed_and_what_it_passes_on_is() {
    let consortium = banks();
    let a = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let c = Node::start(config(&consortium, "bank-c")).await.unwrap();
    let [a_id, c_id] = [&a, &c].map(|node| NodeId::of(node.name()));
    let mut at_a = RawNode::link(&consortium, "bank-b", &a, &[a_id, c_id]).await;
    let mut at_c = RawNode::link(&consortium, "bank-b", &c, &[a_id, c_id]).await;
    let mut subscriber = RawClient::attach(&consortium, "other", &c, 7).await;
    subscriber.subscribe("quote").await;
    let mut publisher = RawClient::attach(&consortium, "app", &a, 1).await;
    let b_id = NodeId::of(at_a.identity.name());
    let path = Path::new(&[a_id, b_id, c_id]).unwrap();

    // Bait in the name of the node, with a key that is none of its.
    let truth = at_c.pull(c_id).await;
    let later = Version { seq: Seq(truth.version().seq.0 + 1), ..truth.version() };
    let neighbours = vec![b_id];
    let bait = vec![("bait".parse().unwrap(), vec![seat(9)])];
    let digest = set_digest(&neighbours, &bait).unwrap();
    at_a.send(&PeerMessage::Summary(vec![(c_id, later)]));
    at_a.until(|message| (*message == PeerMessage::Pull(c_id)).then_some(())).await;
    for (number, chain) in [(1, at_a.chain()), (2, truth.chain().clone())] {
        let signed = at_a.sign(c.name().clone(), later, digest);
        let forged = Announcement::new(signed, chain, neighbours.clone(), bait.clone());
        at_a.send(&PeerMessage::Snapshot(forged));
        until(&a, |status| status.refused_announcements == number).await;
    }
    let head = truth.signed().clone();
    let altered = Announcement::new(head, truth.chain().clone(), neighbours, bait);
    at_a.send(&PeerMessage::Snapshot(altered));
    until(&a, |status| status.refused_announcements == 3).await;
    assert_eq!(code(&mut publisher, 1, "bait").await, Code::NoSubscriber);
    assert_eq!(code(&mut publisher, 2, "quote").await, Code::NoSubscriber);

    // LIMIT-4: a report of what was not published yet.
    let first = MsgId { publisher: Instance(1), counter: 99 };
    let receipt = Receipt { acked: 1, refused: 0, unknown: 0 };
    let run = PeerReceiptRun { first, count: 1, receipt };
    at_a.send(&PeerMessage::Receipts(vec![run]));
    until(&a, |status| status.refused_messages == 1).await;

    // The truth, by the same relay.
    let version = truth.version();
    at_a.send(&PeerMessage::Summary(vec![(c_id, version)]));
    at_a.until(|message| (*message == PeerMessage::Pull(c_id)).then_some(())).await;
    at_a.send(&PeerMessage::Snapshot(truth));
    at_a.until_held(c_id, |held| held == version).await;
    publish(&publisher, 3, "quote");
    assert_eq!(relayed(&mut at_a, "quote").await, path);

    // Changes, first altered.
    subscriber.subscribe("extra").await;
    let changes = at_c
        .until(|message| match message {
            PeerMessage::Changes(changes) if changes.signed().node() == c_id => {
                (changes.version().seq > version.seq).then(|| changes.clone())
            }
            _ => None,
        })
        .await;
    let bait = TopicChange { topic: "bait".parse().unwrap(), subscriber: seat(9), removed: false };
    let signed = changes.signed().clone();
    let altered = AnnouncementChanges::new(changes.from_seq(), signed, None, vec![bait]);
    at_a.send(&PeerMessage::Changes(altered));
    until(&a, |status| status.refused_announcements == 4).await;
    at_a.send(&PeerMessage::Changes(changes));
    publish(&publisher, 4, "extra");
    assert_eq!(relayed(&mut at_a, "extra").await, path);

    assert_eq!(a.status().borrow().refused_announcements, 4, "the truth is not refused");
    assert_eq!(a.status().borrow().peers, [at_a.identity.name().clone()]);
    assert!(!at_a.end.is_finished(), "lies close no link");
}

/// FRAME-4: unlike a lie.
#[tokio::test]
async fn an_announcement_that_cannot_be_read_closes_the_link() {
    let consortium = banks();
    let a = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let raw = RawNode::link(&consortium, "bank-b", &a, &[]).await;
    let version = Version::default();
    let signed = raw.sign(raw.identity.name().clone(), version, set_digest(&[], &[]).unwrap());
    let backwards = AnnouncementChanges::new(Seq(1), signed, None, Vec::new());
    raw.send(&PeerMessage::Changes(backwards));
    let end = tokio::time::timeout(PATIENCE, raw.end).await.unwrap().unwrap();
    let LinkEnd::ClosedByPeer(CloseReason { code, text }) = end else { panic!("{end}") };
    assert_eq!(code, CloseCode::Protocol);
    assert!(text.contains("changes.from_seq"), "{text}");
}

/// SEQ-1, SEQ-10: over a relay that runs all the time.
#[tokio::test]
async fn the_next_life_of_a_node_is_believed_by_its_own_signature() {
    let consortium = banks();
    let b = Node::start(config(&consortium, "bank-b")).await.unwrap();
    let via_b = |agency| dialing(config(&consortium, agency), b.name(), b.p2p_addr());
    let a = Node::start(via_b("bank-a")).await.unwrap();
    let mut watcher = RawNode::link(&consortium, "bank-d", &a, &[]).await;
    let publisher = RawClient::attach(&consortium, "app", &a, 1).await;
    for life in 1..=2 {
        let c = Node::start(via_b("bank-c")).await.unwrap();
        until(&b, |status| status.peers == [a.name().clone(), c.name().clone()]).await;
        let mut subscriber = RawClient::attach(&consortium, "other", &c, 7).await;
        subscriber.subscribe("quote").await;
        // A neighbour and a topic have come in this life.
        let (c_id, subscribed) = (NodeId::of(c.name()), Version { epoch: c.epoch(), seq: Seq(2) });
        watcher.until_held(c_id, |held| held >= subscribed).await;
        publish(&publisher, life, "quote");
        let NodeMessage::Delivery(delivery) = subscriber.receive().await else {
            panic!("a delivery")
        };
        assert_eq!(delivery.from.as_dns(), "app.sdk.bank-a.amop");
        c.shutdown().await;
        until(&b, |status| status.peers == [a.name().clone()]).await;
    }
    let refused = [&a, &b].map(|node| node.status().borrow().refused_announcements);
    assert_eq!(refused, [0, 0]);
}

/// LIMIT-1: its own snapshots would close its links.
#[tokio::test]
async fn a_node_whose_chain_others_would_not_take_does_not_start() {
    let consortium = banks();
    let leaf = consortium.node("bank-a", "n1").unwrap();
    let chain = leaf.chain_pem();
    let issuer = &chain[chain.rfind("-----BEGIN").unwrap()..];
    let with_issuers = |count: usize| {
        let longer = format!("{chain}{}", issuer.repeat(count - 1));
        let key = leaf.key_pem();
        let identity = Identity::from_pem(longer.as_bytes(), key.as_bytes()).unwrap();
        NodeConfig { identity, ..config(&consortium, "bank-a") }
    };
    Node::start(with_issuers(3)).await.unwrap();
    let error = Node::start(with_issuers(4)).await.unwrap_err();
    assert!(matches!(error, StartError::Chain(_)), "{error}");
}

fn banks() -> Consortium {
    let plan = [
        AgencyPlan { agency: "bank-a", nodes: &["n1"], clients: &["app", "other"] },
        AgencyPlan { agency: "bank-b", nodes: &["n1"], clients: &[] },
        AgencyPlan { agency: "bank-c", nodes: &["n1"], clients: &[] },
        AgencyPlan { agency: "bank-d", nodes: &["n1"], clients: &[] },
    ];
    Consortium::new("Test", "amop", &plan, now()).unwrap()
}

fn seat(instance: u64) -> Subscriber {
    Subscriber { instance: Instance(instance), generation: Gen(1) }
}

fn publish(client: &RawClient, counter: u64, topic: &str) {
    client.send(&ClientMessage::Publish(Publish {
        terms: Terms::default(),
        counter,
        ttl: Duration::from_secs(1),
        mode: Mode::Unicast,
        sequence: 0,
        topic: topic.parse().unwrap(),
        payload: "how much?".into(),
    }));
}

async fn code(client: &mut RawClient, counter: u64, topic: &str) -> Code {
    publish(client, counter, topic);
    match client.receive().await {
        NodeMessage::Outcome(outcome) if outcome.counter == counter => outcome.code,
        other => panic!("{other:?}"),
    }
}

/// The path of a request of this topic that is to be passed on.
async fn relayed(node: &mut RawNode, topic: &str) -> Path {
    let path_of_request = |message: &PeerMessage| {
        let PeerMessage::Relay(relay) = message else { return None };
        match PeerMessage::from_frame(relay.frame.clone()).unwrap() {
            PeerMessage::Request(request) if request.topic.as_str() == topic => {
                Some(relay.path.clone())
            }
            _ => None,
        }
    };
    node.until(path_of_request).await
}
