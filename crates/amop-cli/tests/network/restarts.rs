//! A node is killed and comes back, with its state or without it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use amop_sdk::{Answer, Client, Event, Events, PublishError};

use crate::net::Net;
use crate::traffic::{Ended, Ledger, Pump, Service, TOPIC, assert_unicasts_true, known};
use crate::within;

/// SEQ-1, SEQ-2, UNI-6: two hops away too, the new life is believed. Who dials does not matter.
#[tokio::test]
async fn a_node_that_is_killed_and_started_again_is_back_with_its_subscribers() {
    comes_back(|_, _| {}).await;
}

/// SEQ-1: the clock makes up for the file.
#[tokio::test]
async fn a_node_that_has_lost_its_state_is_back_with_its_subscribers() {
    comes_back(|state, _| fs::remove_dir_all(state).unwrap()).await;
}

/// SEQ-1: likewise.
#[tokio::test]
async fn a_node_whose_state_is_an_old_copy_is_back_with_its_subscribers() {
    comes_back(|state, first_epoch| {
        fs::write(state.join("epoch"), format!("{first_epoch}\n")).unwrap();
    })
    .await;
}

/// Kills the node of a subscriber twice, and has something done to its state directory each time,
/// which is also told the epoch of its first life.
async fn comes_back(meanwhile: impl Fn(&Path, u64)) {
    let mut net = Net::start(&[&[], &[0], &[1]]).await;
    let (near, far) = (net.client("app", 2).await, net.client("app", 0).await);
    let (ledger, mut events) = (Ledger::default(), far.events());
    let subscription = far.subscribe(TOPIC).await.unwrap();
    let _service = Service::start(subscription, ledger.clone(), "far");
    known(&near, TOPIC, 1).await;
    let mut pump = Pump::of_unicasts(&near, "under way ", 100, DEADLINE);
    pump.ends(500).await;
    let first_epoch = net.nodes[0].epoch();
    for (time, prefix) in [(1, "after the first "), (2, "after the second ")] {
        let epoch = net.nodes[0].epoch();
        let starts_again = async {
            net.nodes[0].kill().await;
            meanwhile(&net.nodes[0].state_dir(), first_epoch);
            net.nodes[0].restart().await;
        };
        pump.during(starts_again).await;
        assert!(net.nodes[0].epoch() > epoch, "{} after {epoch}", net.nodes[0].epoch());
        let is_back = async {
            net.is_linked(1, 0).await;
            is_connected(&mut events).await;
            is_answered(&near).await;
        };
        pump.during(is_back).await;
        let mut after = Pump::of_unicasts(&near, prefix, 100, DEADLINE);
        after.ends(500).await;
        for Ended { payload, end, .. } in &after.stop().await {
            assert!(end.is_ok(), "{payload:?} after start {time}: {end:?}");
        }
    }
    let ended = pump.stop().await;
    assert_unicasts_true(&ended, &ledger);
    let in_doubt =
        |ended: &&Ended<Answer>| ended.end.as_ref().is_err_and(PublishError::may_have_been_handled);
    let lost = ended.iter().find(in_doubt);
    assert!(lost.is_none(), "the subscriber lives: {lost:?}");
}

/// Waits until a client that was connected is so again.
async fn is_connected(events: &mut Events) {
    let again = async {
        while !matches!(events.next().await.expect("it lives"), Event::Connected { .. }) {}
    };
    within("a connection", again).await;
}

/// Asks until the subscriber answers.
async fn is_answered(near: &Client) {
    let answered =
        async { while near.request(TOPIC, "are you back?").timeout(DEADLINE).await.is_err() {} };
    within("an answer", answered).await;
}

/// Long enough for a node to come back.
const DEADLINE: Duration = Duration::from_secs(20);
