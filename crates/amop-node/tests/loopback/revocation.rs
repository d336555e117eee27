//! A node is told while it runs whom it trusts no more.

use amop_node::Node;
use amop_p2p::{LinkEnd, Revocations, Trust};
use amop_pki::{Certificate, Consortium, Leaf, Reason, Revocation, RevocationList};
use amop_wire::CloseCode;

use crate::support::{RawClient, config, consortium, dialing, now, trust, until};

fn revoked(chain_pem: &str) -> Revocation {
    let serial = Certificate::all_from_pem(chain_pem).unwrap().remove(0).serial;
    Revocation { serial, at: now(), reason: Reason::KeyCompromise }
}

fn with(consortium: &Consortium, lists: &[&RevocationList]) -> Trust {
    let pem: String = lists.iter().map(|list| list.to_pem()).collect();
    trust(consortium).with_revocations(Revocations::from_pem(pem.as_bytes()).unwrap())
}

fn list(consortium: &Consortium, agency: &str, leaf: Option<&Leaf>) -> RevocationList {
    let revoked: Vec<Revocation> = leaf.map(|leaf| revoked(leaf.chain_pem())).into_iter().collect();
    consortium.agency(agency).unwrap().revocation_list(None, &revoked, 30, now()).unwrap()
}

async fn two_nodes(consortium: &Consortium) -> [Node; 2] {
    let b = Node::start(config(consortium, "bank-b")).await.unwrap();
    let a = dialing(config(consortium, "bank-a"), b.name(), b.p2p_addr());
    let a = Node::start(a).await.unwrap();
    until(&a, |status| status.peers.len() == 1).await;
    until(&b, |status| status.peers.len() == 1).await;
    [a, b]
}

#[tokio::test]
async fn a_node_that_is_revoked_is_cut_off_from_whichever_side_it_was_dialed() {
    let consortium = consortium();
    for (judging, agency) in [(0, "bank-b"), (1, "bank-a")] {
        let nodes = two_nodes(&consortium).await;
        let list = list(&consortium, agency, consortium.node(agency, "n1"));
        nodes[judging].reload(&with(&consortium, &[&list]));
        for node in &nodes {
            until(node, |status| status.peers.is_empty()).await;
        }
        for node in nodes {
            node.shutdown().await;
        }
    }
}

#[tokio::test]
async fn an_agency_that_is_expelled_is_cut_off_with_all_that_it_has_certified() {
    let consortium = consortium();
    let nodes = two_nodes(&consortium).await;
    let expelled = revoked(consortium.agency("bank-b").unwrap().certificate_pem());
    let list = consortium.root().revocation_list(None, &[expelled], 30, now()).unwrap();
    nodes[0].reload(&with(&consortium, &[&list]));
    for node in &nodes {
        until(node, |status| status.peers.is_empty()).await;
    }
}

#[tokio::test]
async fn a_client_that_is_revoked_reads_why_and_the_others_stay() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let app = RawClient::attach(&consortium, "app", &node, 1).await;
    let mut other = RawClient::attach(&consortium, "other", &node, 2).await;
    let list = list(&consortium, "bank-a", consortium.client("bank-a", "app"));
    node.reload(&with(&consortium, &[&list]));
    let LinkEnd::ClosedByPeer(reason) = app.ended().await else { panic!("it is told") };
    assert_eq!(reason.code, CloseCode::Refused);
    let sentence = "certificate app.sdk.bank-a.amop refused: revoked on ";
    assert!(reason.text.starts_with(sentence), "{reason}");
    other.subscribe("topic").await;
}

#[tokio::test]
async fn an_older_list_does_not_let_anybody_in_again() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let agency = consortium.agency("bank-a").unwrap();
    let older = list(&consortium, "bank-a", None);
    let app = revoked(consortium.client("bank-a", "app").unwrap().chain_pem());
    let newer = agency.revocation_list(Some(&older), &[app], 30, now()).unwrap();
    let client = RawClient::attach(&consortium, "app", &node, 1).await;
    node.reload(&with(&consortium, &[&newer]));
    client.ended().await;
    node.reload(&with(&consortium, &[&older]));
    assert!(dial_fails(&consortium, &node).await);
    // Without any list of it, its authority revokes nobody: that is the operator's choice.
    node.reload(&trust(&consortium));
    RawClient::attach(&consortium, "app", &node, 2).await;
}

async fn dial_fails(consortium: &Consortium, node: &Node) -> bool {
    let me = crate::support::identity(consortium.client("bank-a", "app").unwrap());
    let (kind, settings) = (amop_p2p::LinkKind::Sdk, amop_p2p::Settings::default());
    let endpoint = amop_p2p::Endpoint::dial_only(kind, &me, &trust(consortium), settings).unwrap();
    endpoint.dial(node.sdk_addr(), None).await.is_err()
}
