//! Who is let in: IDENT-9.

use amop_node::{Access, Door, Node, NodeConfig, Permissions, Rule, Rules};
use amop_p2p::{Endpoint, LinkKind, Settings};
use amop_wire::{Code, NodeMessage};

use crate::support::{
    PATIENCE, RawClient, attach, config, consortium, dialing, identity, trust, until,
};

fn deny(who: &str) -> Door {
    Door { deny: vec![who.parse().unwrap()], ..Door::default() }
}

/// IDENT-9
#[tokio::test]
async fn a_client_that_is_denied_is_closed_at_once_and_may_not_come_back_while_others_stay() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let denied = RawClient::attach(&consortium, "app", &node, 1).await;
    let mut other = RawClient::attach(&consortium, "other", &node, 2).await;
    let clients = deny("app.sdk.bank-a.amop");
    node.set_access(Access { clients, ..Access::default() });
    let end = denied.ended().await.to_string();
    assert!(end.contains("does not let app.sdk.bank-a.amop in"), "{end}");
    let again = RawClient::dial(&consortium, "app", &node).await;
    again.send(&attach(3));
    let end = again.ended().await.to_string();
    assert!(end.contains("does not let app.sdk.bank-a.amop in"), "{end}");
    other.subscribe("still here").await;
    until(&node, |status| status.clients == 1).await;

    node.set_access(Access::default());
    RawClient::attach(&consortium, "app", &node, 4).await;
    node.shutdown().await;
}

/// IDENT-9
#[tokio::test]
async fn a_node_that_is_not_allowed_does_not_link_until_it_is() {
    let consortium = consortium();
    let only_c = Door { allow: vec!["agency:bank-c".parse().unwrap()], ..Door::default() };
    let access = Access { peers: only_c, ..Access::default() };
    let config_a = NodeConfig { access, ..config(&consortium, "bank-a") };
    let a = Node::start(config_a).await.unwrap();
    let me = identity(consortium.node("bank-b", "n1").unwrap());
    let settings = Settings::default();
    let endpoint = Endpoint::dial_only(LinkKind::Node, &me, &trust(&consortium), settings).unwrap();
    let link = endpoint.dial(a.p2p_addr(), None).await.unwrap();
    let end = tokio::time::timeout(PATIENCE, link.run(|_, _| Ok(()))).await.unwrap().to_string();
    assert!(end.contains("does not let n1.node.bank-b.amop in"), "{end}");
    drop(endpoint);

    a.set_access(Access::default());
    let b = dialing(config(&consortium, "bank-b"), a.name(), a.p2p_addr());
    let b = Node::start(b).await.unwrap();
    until(&a, |status| status.peers.len() == 1).await;
    a.set_access(Access { peers: deny("agency:bank-b"), ..Access::default() });
    until(&b, |status| status.peers.is_empty()).await;
    b.shutdown().await;
    a.shutdown().await;
}

/// ACL-3
#[tokio::test]
async fn a_client_is_told_when_other_rules_end_its_subscription() {
    let consortium = consortium();
    let node = Node::start(config(&consortium, "bank-a")).await.unwrap();
    let mut client = RawClient::attach(&consortium, "app", &node, 1).await;
    client.subscribe("t").await;
    let (who, topics) = (["agency:bank-b".parse().unwrap()], ["*".parse().unwrap()]);
    let rule = Rule { who: who.into(), topics: topics.into(), allow: Permissions::ALL };
    node.set_access(Access { rules: Rules::new(vec![rule]), ..Access::default() });
    let told = client.receive().await;
    assert!(matches!(told, NodeMessage::Subscribed { code: Code::NotPermitted, .. }), "{told:?}");
    node.shutdown().await;
}
