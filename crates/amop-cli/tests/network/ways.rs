//! Two ways to a subscriber, and one of them breaks under traffic: the messages take the other.

use std::time::Duration;

use amop_sdk::Client;

use crate::IDLE_TIMEOUT;
use crate::net::Net;
use crate::traffic::{
    Ledger, Pump, Service, TOPIC, assert_multicasts_true, assert_unicasts_true, known,
};

/// UNI-11, UNI-12, MULTI-3, LINK-6: nobody on the way says that the relay is gone.
#[tokio::test]
async fn requests_over_a_relay_that_is_killed_all_end_with_0_and_are_handled_once() {
    let mut net = Net::start(&[&[], &[0], &[1], &[0, 2]]).await;
    let (near, far) = (net.client("app", 0).await, net.client("app", 2).await);
    let mut traffic = Traffic::start(&near, &far).await;
    let carried = |relay: usize| net.wire(0, relay).bytes();
    let before = [carried(1), carried(3)];
    traffic.flows().await;
    let (by_one, by_other) = (carried(1) - before[0], carried(3) - before[1]);
    let relay = if by_one > by_other { 1 } else { 3 };
    traffic.loses_answers(net.nodes[relay].kill()).await;
    traffic.flows().await;
    tokio::join!(net.is_lost(0, relay), net.is_lost(2, relay));
    traffic.flows().await;
    traffic.ends_well().await;
}

/// Likewise for a link, while all nodes live: the direct one is cut, and a relay takes over.
#[tokio::test]
async fn requests_over_a_link_that_is_cut_all_end_with_0_and_are_handled_once() {
    let net = Net::start(&[&[], &[0], &[0, 1]]).await;
    let (near, far) = (net.client("app", 0).await, net.client("app", 1).await);
    let mut traffic = Traffic::start(&near, &far).await;
    let relayed_before = net.wire(0, 2).bytes();
    traffic.flows().await;
    traffic.loses_answers(async { net.wire(0, 1).cut() }).await;
    traffic.flows().await;
    tokio::join!(net.is_lost(0, 1), net.is_lost(1, 0));
    traffic.flows().await;
    traffic.ends_well().await;
    assert!(net.wire(0, 2).bytes() > relayed_before);
}

/// Unicasts and multicasts from one client to the only subscriber.
struct Traffic {
    unicasts: Pump<amop_sdk::Answer>,
    multicasts: Pump<amop_sdk::MulticastReceipt>,
    ledger: Ledger,
    service: Service,
}

impl Traffic {
    async fn start(near: &Client, far: &Client) -> Self {
        let ledger = Ledger::default();
        let subscription = far.subscribe(TOPIC).await.unwrap();
        let service = Service::start(subscription, ledger.clone(), "far");
        known(near, TOPIC, 1).await;
        Self {
            unicasts: Pump::of_unicasts(near, "unicast ", WINDOW, DETOUR_MAX),
            multicasts: Pump::of_multicasts(near, "multicast ", 20, Duration::from_secs(1)),
            ledger,
            service,
        }
    }

    /// Breaks the way when what is under way is handled and not answered.
    async fn loses_answers(&mut self, breaks: impl Future<Output = ()>) {
        self.service.set_answering(false);
        self.unicasts.during(self.service.handles(WINDOW)).await;
        breaks.await;
        self.service.set_answering(true);
    }

    /// More of both end than are under way at a time. Of unicasts, so few are published that the
    /// subscriber still has its answers to all that are under way (UNI-12).
    async fn flows(&mut self) {
        self.multicasts.ends(100).await;
        self.multicasts.during(self.unicasts.ends(1000)).await;
    }

    async fn ends_well(self) {
        let (unicasts, multicasts) = tokio::join!(self.unicasts.stop(), self.multicasts.stop());
        for ended in &unicasts {
            assert!(
                ended.end.is_ok(),
                "{:?} although there was a way: {:?}",
                ended.payload,
                ended.end
            );
        }
        assert_unicasts_true(&unicasts, &self.ledger);
        assert_multicasts_true(&multicasts, &self.ledger);
        assert!(multicasts.iter().any(|ended| ended.end.as_ref().unwrap().acked == 1));
    }
}

/// How many unicasts are under way at a time.
const WINDOW: usize = 200;

/// A detour is found once the loss of the link is noticed; as much again is for a busy machine.
const DETOUR_MAX: Duration = IDLE_TIMEOUT.saturating_mul(2);
