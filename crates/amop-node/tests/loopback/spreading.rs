//! Revocation lists go from node to node: three in a chain, of which only the first is given one.

use amop_node::{Node, NodeConfig};
use amop_p2p::{LinkEnd, Revocations, Trust};
use amop_pki::{
    AgencyPlan, Certificate, Consortium, Leaf, Reason, Revocation, RevocationList, Root,
};
use amop_wire::{AuthorityId, CloseCode, PeerMessage, RevocationMessage};
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::parse_x509_certificate;

use crate::raw_node::RawNode;
use crate::support::{RawClient, config, dialing, now, trust, until};

/// Three banks; `app` is a client of the last.
fn banks() -> Consortium {
    let plan = ["bank-c", "bank-b", "bank-a"];
    let plan = plan.map(|agency| AgencyPlan { agency, nodes: &["n1"], clients: &["app"] });
    Consortium::new("Test", "amop", &plan, now()).unwrap()
}

/// bank-c, bank-b and bank-a in a chain, with an `app` at the last, where it is told so.
async fn chain(consortium: &Consortium) -> [Node; 3] {
    let first = Node::start(config(consortium, "bank-c")).await.unwrap();
    let next =
        |agency, node: &Node| dialing(config(consortium, agency), node.name(), node.p2p_addr());
    let second = Node::start(next("bank-b", &first)).await.unwrap();
    let third = Node::start(next("bank-a", &second)).await.unwrap();
    until(&second, |status| status.peers.len() == 2).await;
    until(&third, |status| status.peers.len() == 1).await;
    [first, second, third]
}

fn revoked(leaf: &Leaf) -> Revocation {
    let serial = Certificate::all_from_pem(leaf.chain_pem()).unwrap().remove(0).serial;
    Revocation { serial, at: now(), reason: Reason::KeyCompromise }
}

/// The list of bank-a that names these, or the next after another.
fn list(
    consortium: &Consortium,
    before: Option<&RevocationList>,
    leaves: &[&Leaf],
) -> RevocationList {
    let revoked: Vec<Revocation> = leaves.iter().map(|leaf| revoked(leaf)).collect();
    consortium.agency("bank-a").unwrap().revocation_list(before, &revoked, 30, now()).unwrap()
}

fn going_by(consortium: &Consortium, list: &RevocationList) -> Trust {
    let lists = Revocations::from_pem(list.to_pem().as_bytes()).unwrap();
    trust(consortium).with_revocations(lists)
}

/// Waits until a node goes by the list with this number.
async fn learns(node: &Node, number: u64) {
    let window = node.window();
    let learned = async {
        loop {
            let lists = window.overview().await.unwrap().revocation_lists;
            if lists.iter().any(|list| list.number == number && list.learned) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, learned).await.expect("it comes");
}

/// CRL-2, CRL-3, CRL-4
#[tokio::test]
async fn who_is_revoked_is_closed_two_nodes_away_from_where_the_list_came() {
    let consortium = banks();
    let nodes = chain(&consortium).await;
    let app = RawClient::attach(&consortium, "app", &nodes[2], 1).await;
    let leaf = consortium.client("bank-a", "app").unwrap();
    nodes[0].reload(&going_by(&consortium, &list(&consortium, None, &[leaf])));
    let LinkEnd::ClosedByPeer(reason) = app.ended().await else { panic!("it is told") };
    assert_eq!(reason.code, CloseCode::Refused);
    let sentence = "certificate app.sdk.bank-a.amop refused: revoked on ";
    assert!(reason.text.starts_with(sentence), "{reason}");
    let counts = nodes[2].window().overview().await.unwrap().counts;
    assert_eq!((counts.learned_lists, counts.refused_lists), (1, 0));
}

/// CRL-2, CRL-3: a node is cut off by a neighbour that was never given the list by its operator.
#[tokio::test]
async fn a_node_that_is_revoked_is_cut_off_by_the_neighbour_that_learns_of_it() {
    let consortium = banks();
    let nodes = chain(&consortium).await;
    let leaf = consortium.node("bank-a", "n1").unwrap();
    nodes[0].reload(&going_by(&consortium, &list(&consortium, None, &[leaf])));
    until(&nodes[1], |status| status.peers.len() == 1).await;
    until(&nodes[2], |status| status.peers.is_empty()).await;
}

/// CRL-2: a newcomer learns what the others know, and the newest list wins wherever it came in.
#[tokio::test]
async fn a_newcomer_learns_the_newest_list_and_an_older_one_changes_nothing() {
    let consortium = banks();
    let first = Node::start(config(&consortium, "bank-c")).await.unwrap();
    let leaf = consortium.client("bank-a", "app").unwrap();
    let older = list(&consortium, None, &[]);
    let newer = list(&consortium, Some(&older), &[leaf]);
    first.reload(&going_by(&consortium, &newer));
    let second = dialing(config(&consortium, "bank-a"), first.name(), first.p2p_addr());
    let second = NodeConfig { trust: going_by(&consortium, &older), ..second };
    let second = Node::start(second).await.unwrap();
    learns(&second, newer.number).await;
    second.reload(&going_by(&consortium, &older));
    let lists = second.window().overview().await.unwrap().revocation_lists;
    assert_eq!(lists.iter().map(|list| list.number).collect::<Vec<_>>(), [newer.number]);
    assert_eq!(first.window().overview().await.unwrap().counts.learned_lists, 0);
}

/// CRL-4: what was learned is there again after a restart, without any neighbour.
#[tokio::test]
async fn what_a_node_has_learned_it_knows_in_its_next_life() {
    let (consortium, dir) = (banks(), tempfile::tempdir().unwrap());
    let first = Node::start(config(&consortium, "bank-c")).await.unwrap();
    let leaf = consortium.client("bank-a", "app").unwrap();
    let list = list(&consortium, None, &[leaf]);
    first.reload(&going_by(&consortium, &list));
    let state = dir.path().join("state");
    let second = dialing(config(&consortium, "bank-a"), first.name(), first.p2p_addr());
    let second = Node::start_in(second, &state).await.unwrap();
    learns(&second, list.number).await;
    let kept = state.join("revocations");
    let is_kept = || {
        let entries = std::fs::read_dir(&kept).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().extension().is_some_and(|it| it == "crl")).count() == 1
    };
    while !is_kept() {
        tokio::task::yield_now().await;
    }
    second.shutdown().await;
    first.shutdown().await;
    let second = Node::start_in(config(&consortium, "bank-a"), &state).await.unwrap();
    learns(&second, list.number).await;
    let me = crate::support::identity(leaf);
    let (kind, settings) = (amop_p2p::LinkKind::Sdk, amop_p2p::Settings::default());
    let endpoint = amop_p2p::Endpoint::dial_only(kind, &me, &trust(&consortium), settings).unwrap();
    let refused = endpoint.dial(second.sdk_addr(), None).await.unwrap_err().to_string();
    assert!(refused.contains("revoked on"), "{refused}");
}

/// CRL-3, CRL-5
#[tokio::test]
async fn a_list_that_is_forged_or_older_than_it_says_is_refused_and_counted_and_stops_nothing() {
    let plan = ["bank-a", "bank-b", "bank-c", "bank-d"];
    let plan = plan.map(|agency| AgencyPlan { agency, nodes: &["n1"], clients: &["app"] });
    let consortium = Consortium::new("Test", "amop", &plan, now()).unwrap();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let mut client = RawClient::attach(&consortium, "app", &node, 1).await;
    let genuine = list(&consortium, None, &[consortium.client("bank-a", "app").unwrap()]);
    let authority = authority_of(&consortium, "bank-a");
    let stranger = Root::new("Test", "amop", now()).unwrap().agency("bank-a", now()).unwrap();
    let forged = stranger.revocation_list(None, &[], 30, now()).unwrap();

    let mut liar = RawNode::link(&consortium, "bank-b", &node, &[]).await;
    liar.give(authority, u64::MAX, &forged).await;
    until(&node, |status| status.refused_lists == 1).await;
    let mut other = RawNode::link(&consortium, "bank-c", &node, &[]).await;
    other.give(authority, u64::MAX, &genuine).await;
    until(&node, |status| status.refused_lists == 2).await;
    client.subscribe("topic").await;
    assert!(node.window().overview().await.unwrap().revocation_lists.is_empty());

    let mut honest = RawNode::link(&consortium, "bank-d", &node, &[]).await;
    honest.give(authority, genuine.number, &genuine).await;
    assert!(matches!(client.ended().await, LinkEnd::ClosedByPeer(_)));
    assert_eq!(node.status().borrow().refused_lists, 2);
}

fn authority_of(consortium: &Consortium, agency: &str) -> AuthorityId {
    let pem = consortium.agency(agency).unwrap().certificate_pem();
    let der = rustls_pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let (_, parsed) = parse_x509_certificate(&der).unwrap();
    AuthorityId::of(parsed.subject().as_raw(), parsed.public_key().raw)
}

impl RawNode {
    /// Says that it holds a list with this number, and gives another one when it is asked.
    async fn give(&mut self, authority: AuthorityId, number: u64, list: &RevocationList) {
        self.send(&PeerMessage::Revocation(RevocationMessage::Held(vec![(authority, number)])));
        let pull = PeerMessage::Revocation(RevocationMessage::Pull(authority));
        self.until(|message| (*message == pull).then_some(())).await;
        let der = CertificateRevocationListDer::from_pem_slice(list.to_pem().as_bytes()).unwrap();
        let list = amop_wire::RevocationList { authority, number, der: der.to_vec().into() };
        self.send(&PeerMessage::Revocation(RevocationMessage::List(list)));
    }
}
