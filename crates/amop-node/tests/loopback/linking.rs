//! Which links come up, and which of several stays.

use amop_node::Node;
use amop_p2p::{Endpoint, LinkKind, Settings};

use crate::support::{ANY, RawClient, config, consortium, dialing, identity, trust, until};

#[tokio::test]
async fn two_nodes_link_when_one_of_them_dials() {
    let consortium = consortium();
    let b = Node::start(config(&consortium, "bank-b")).await.unwrap();
    let a = dialing(config(&consortium, "bank-a"), b.name(), b.p2p_addr());
    let a = Node::start(a).await.unwrap();
    until(&a, |status| status.peers == [b.name().clone()]).await;
    until(&b, |status| status.peers == [a.name().clone()]).await;
    a.shutdown().await;
    until(&b, |status| status.peers.is_empty()).await;
    b.shutdown().await;
}

#[tokio::test]
async fn a_peer_that_comes_back_is_linked_again() {
    let consortium = consortium();
    let b = Node::start(config(&consortium, "bank-b")).await.unwrap();
    let (name, addr) = (b.name().clone(), b.p2p_addr());
    let a = dialing(config(&consortium, "bank-a"), &name, addr);
    let a = Node::start(a).await.unwrap();
    until(&a, |status| status.peers == [name.clone()]).await;
    b.shutdown().await;
    until(&a, |status| status.peers.is_empty()).await;

    let mut again = config(&consortium, "bank-b");
    again.p2p_listen = addr;
    let b = Node::start(again).await.unwrap();
    until(&a, |status| status.peers == [name.clone()]).await;
    until(&b, |status| status.peers == [a.name().clone()]).await;
}

/// LINK-3
#[tokio::test]
async fn two_nodes_that_dial_each_other_end_up_linked_once() {
    let consortium = consortium();
    // To know each other's ports, the nodes must have run before.
    let a = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let b = Node::start(config(&consortium, "bank-b")).await.unwrap();
    let (a_name, a_addr) = (a.name().clone(), a.p2p_addr());
    let (b_name, b_addr) = (b.name().clone(), b.p2p_addr());
    a.shutdown().await;
    b.shutdown().await;
    let mut a = dialing(config(&consortium, "bank-a"), &b_name, b_addr);
    a.p2p_listen = a_addr;
    let mut b = dialing(config(&consortium, "bank-b"), &a_name, a_addr);
    b.p2p_listen = b_addr;
    let (a, b) = tokio::join!(Node::start(a), Node::start(b));
    let (a, b) = (a.unwrap(), b.unwrap());
    until(&a, |status| status.peers == [b_name.clone()]).await;
    until(&b, |status| status.peers == [a_name.clone()]).await;
}

/// IDENT-3: a role is bound to its port.
#[tokio::test]
async fn a_client_certificate_cannot_link_as_a_node_nor_a_node_attach_as_a_client() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let trust = trust(&consortium);

    let app = identity(consortium.client("bank-a", "app").unwrap());
    let as_node = Endpoint::dial_only(LinkKind::Node, &app, &trust, Settings::default());
    assert!(as_node.is_err(), "our own library refuses before anything is sent");

    // With the right certificate for the wrong port, the node refuses.
    let endpoint = Endpoint::dial_only(LinkKind::Sdk, &app, &trust, Settings::default()).unwrap();
    let error = endpoint.dial(node.p2p_addr(), None).await.unwrap_err();
    assert!(error.to_string().contains("protocol"), "{error}");
    let b = identity(consortium.node("bank-b", "n1").unwrap());
    let endpoint = Endpoint::listen(ANY, LinkKind::Node, &b, &trust, Settings::default()).unwrap();
    let error = endpoint.dial(node.sdk_addr(), None).await.unwrap_err();
    assert!(error.to_string().contains("protocol"), "{error}");

    RawClient::attach(&consortium, "app", &node, 1).await;
}

#[tokio::test]
async fn a_node_with_our_own_name_is_refused() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let twin = dialing(config(&consortium, "bank-a"), node.name(), node.p2p_addr());
    let twin = Node::start(twin).await.unwrap();
    // Nothing tells that a link was not made; that a client is served shows that both live.
    RawClient::attach(&consortium, "app", &twin, 1).await;
    RawClient::attach(&consortium, "app", &node, 1).await;
    assert!(node.status().borrow().peers.is_empty());
    assert!(twin.status().borrow().peers.is_empty());
}
