//! Nodes are stopped with SIGTERM and started again, one after another, under traffic.

use std::time::Duration;

use crate::net::Net;
use crate::traffic::{Ended, Ledger, Pump, Service, TOPIC, assert_unicasts_true, known};

/// DRAIN-1 to DRAIN-4: clients that know two nodes lose nothing.
#[tokio::test]
async fn nodes_are_restarted_one_after_another_and_every_request_is_answered() {
    let mut net = Net::start(&[&[], &[0], &[0, 1]]).await;
    let endpoints = |first: usize, second: usize| [first, second].map(|n| net.nodes[n].sdk_addr());
    let near = net.client_over("app", 2, &endpoints(2, 1)).await;
    let far = net.client_over("app", 0, &endpoints(0, 1)).await;
    let ledger = Ledger::default();
    let subscription = far.subscribe(TOPIC).await.unwrap();
    let _service = Service::start(subscription, ledger.clone(), "far");
    known(&near, TOPIC, 1).await;
    let mut pump = Pump::of_unicasts(&near, "under way ", 50, DEADLINE);
    pump.ends(500).await;
    for node in [0, 1, 2, 0, 1, 2] {
        pump.during(async { assert_eq!(net.nodes[node].terminate().await, Some(0)) }).await;
        net.nodes[node].says(&["drained"]).await;
        pump.during(net.nodes[node].restart()).await;
        let others: Vec<usize> = (0..3).filter(|&other| other != node).collect();
        let is_back = async {
            for other in others {
                net.is_linked(other, node).await;
            }
        };
        pump.during(is_back).await;
        pump.ends(200).await;
    }
    let ended = pump.stop().await;
    assert_unicasts_true(&ended, &ledger);
    for Ended { payload, end, .. } in &ended {
        assert!(end.is_ok(), "{payload:?}: {end:?}");
    }
}

/// DRAIN-4: a second signal does not wait for a message that is under way.
#[tokio::test]
async fn a_second_signal_stops_a_node_at_once() {
    let mut net = Net::start(&[&[]]).await;
    let client = net.client("app", 0).await;
    let mut subscription = client.subscribe(TOPIC).await.unwrap();
    let request = client.request(TOPIC, "for ever").timeout(DEADLINE).submit().await.unwrap();
    let message = subscription.next().await.unwrap();
    net.nodes[0].signal("-TERM");
    net.nodes[0].says(&["draining"]).await;
    net.nodes[0].signal("-TERM");
    net.nodes[0].says(&["stopping at once"]).await;
    assert_eq!(net.nodes[0].exited().await, Some(0));
    drop((message, request));
}

/// Long enough for a node to come back.
const DEADLINE: Duration = Duration::from_secs(20);
