//! A subscriber's node is killed under traffic, and the subscriber goes to another.

use std::collections::BTreeSet;
use std::time::Duration;

use amop_sdk::{Bytes, Event};

use crate::net::Net;
use crate::traffic::{Ledger, Pump, Service, TOPIC, assert_unicasts_true, known};
use crate::wire::Wire;
use crate::within;

/// UNI-3, UNI-11, UNI-12: it has handled all that is under way when its node dies, and has answered
/// none of it; nobody else gets that meanwhile.
#[tokio::test]
async fn a_subscriber_whose_node_is_killed_moves_and_no_message_is_handled_by_two() {
    let mut net = Net::start(&[&[], &[0], &[0, 1]]).await;
    let asker = net.client("app", 0).await;
    let wire = |node: usize| Wire::to(net.nodes[node].sdk_addr());
    let wires = [wire(1).await, wire(2).await];
    let (stayer, mover) = (
        net.client("desk", 0).await,
        net.client_over("app", 1, &wires.each_ref().map(|wire| wire.addr)).await,
    );
    let (ledger, mut events) = (Ledger::default(), mover.events());
    let _stays = Service::start(stayer.subscribe(TOPIC).await.unwrap(), ledger.clone(), "stayer");
    let moves = Service::start(mover.subscribe(TOPIC).await.unwrap(), ledger.clone(), "mover");
    known(&asker, TOPIC, 2).await;
    let (from, to) = tokio::select! {
        () = net.is_attached(1, &mover) => (1, 2),
        () = net.is_attached(2, &mover) => (2, 1),
    };
    let mut pump = Pump::of_unicasts(&asker, "under way ", 100, DEADLINE);
    pump.ends(500).await;
    moves.set_answering(false);
    pump.during(moves.handles(100)).await;
    // It shall not arrive before its old place is known to be gone.
    wires[to - 1].cut();
    net.nodes[from].kill().await;
    moves.set_answering(true);
    pump.during(known(&asker, TOPIC, 1)).await;
    wires[to - 1].mend();
    let arrives = async {
        loop {
            let event = events.next().await.expect("the client lives");
            if let Event::Connected { node, .. } = event {
                return node;
            }
        }
    };
    let arrived_at = within("the other node", pump.during(arrives)).await;
    assert_eq!(arrived_at, *net.nodes[to].name());
    pump.during(known(&asker, TOPIC, 2)).await;

    let mut after = Pump::of_unicasts(&asker, "after ", 100, DEADLINE);
    after.ends(500).await;
    let (ended, after) = tokio::join!(pump.stop(), after.stop());
    assert_unicasts_true(&ended, &ledger);
    assert_unicasts_true(&after, &ledger);
    let lost = ended.iter().find(|ended| ended.end.is_err());
    assert!(lost.is_none(), "the subscriber lives: {lost:?}");
    let by: BTreeSet<Bytes> = after.into_iter().map(|ended| ended.end.unwrap().payload).collect();
    assert_eq!(by, BTreeSet::from(["mover".into(), "stayer".into()]));
}

/// Long enough for the loss to be noticed and for the move.
const DEADLINE: Duration = Duration::from_secs(20);
