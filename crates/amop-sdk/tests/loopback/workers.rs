//! A node whose links are spread over several threads.

use futures_util::future::join_all;

use amop_node::Node;

use crate::support::{builder, config, consortium, echo, within};

#[tokio::test]
async fn a_node_with_three_threads_serves_as_one_with_one_does() {
    let consortium = consortium();
    let node = Node::start(amop_node::NodeConfig { workers: 3, ..config(&consortium, "bank-a") });
    let node = node.await.unwrap();
    let connect = |label| builder(&consortium, label).endpoint(node.sdk_addr().to_string());
    let clients = join_all((0..6).map(|_| connect("app").connect())).await;
    let clients: Vec<_> = clients.into_iter().map(Result::unwrap).collect();
    for client in &clients[..3] {
        tokio::spawn(echo(client.subscribe("t").await.unwrap()));
    }
    let asking = (0..300_usize).map(|n| {
        let client = &clients[3 + n % 3];
        async move {
            let answer = client.request("t", n.to_string()).await.unwrap();
            assert_eq!(answer.payload, n.to_string());
        }
    });
    within(join_all(asking)).await;
    let told = join_all((0..100).map(|_| clients[3].multicast("t", "all").into_future())).await;
    assert!(told.into_iter().all(|receipt| receipt.unwrap().acked == 3));
    within(node.shutdown()).await;
}
