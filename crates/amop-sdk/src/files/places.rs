//! Tests of the 64 places that a client's link has for files.

use std::sync::mpsc;
use std::time::Duration;

use amop_core::transfer::{End, Sender};
use amop_wire::limits::TRANSFERS_MAX;
use amop_wire::{
    FileBody, FileEnd, FileId, FileLayout, FileMessage, FileOffer, FileRoute, Instance, Instant,
    NodeId,
};
use tokio::sync::{oneshot, watch};

use super::Files;
use super::outbound::{Outbound, Ways};

const NODE: NodeId = NodeId::from_bytes([1; 32]);

const PATIENCE: Duration = Duration::from_secs(5);

/// Begins a send of this number.
fn send(files: &mut Files, now: Instant, transfer: u64) -> oneshot::Receiver<(End, u64)> {
    let sender = FileEnd { instance: Instance(1), node: NODE };
    let route = FileRoute { transfer, sender, receiver: FileEnd::ANY };
    let layout = FileLayout::new(5).unwrap();
    let offer = FileOffer {
        id: FileId(transfer.into()),
        layout,
        modified_ms: 0,
        sha256: [7; 32],
        list_sha256: [7; 32],
        from: "app.sdk.bank-a.amop".parse().unwrap(),
        topic: "t".parse().unwrap(),
        label: "a".parse().unwrap(),
    };
    let (ended, end) = oneshot::channel();
    let (reads, progress) = (mpsc::channel().0, watch::Sender::default());
    let (topic, sha256) = (offer.topic.clone(), offer.sha256);
    let ways = Ways { topic, sha256, seal: None, layout, pace: None, reads, progress, ended };
    let outbound = Outbound::new(Sender::new(now, route, offer, PATIENCE), ways);
    files.outbound.insert(transfer, outbound);
    files.act_on(now, transfer, |outbound, now| outbound.link_up(now, NODE));
    end
}

/// Which sends are offered now. Nothing is granted, so nothing else leaves.
fn offered(files: &mut Files, now: Instant) -> Vec<u64> {
    let taken = std::iter::from_fn(|| files.take_message(now));
    let offers = taken.filter(|message| matches!(message.body, FileBody::Offer(_)));
    offers.map(|offer| offer.route.transfer).collect()
}

/// FILE-11: it has not been offered, so nobody is silent to it.
#[test]
fn the_65th_send_of_a_client_waits_for_a_place_and_then_leaves() {
    let (mut files, mut now) = (Files::default(), Instant::default());
    files.home = Some(NODE);
    assert_eq!(TRANSFERS_MAX, 64);
    let mut ends: Vec<_> = (1..=65).map(|transfer| send(&mut files, now, transfer)).collect();
    let mut last = ends.pop().unwrap();
    assert_eq!(offered(&mut files, now), (1..=64).collect::<Vec<u64>>());
    // Whoever they are for is alive, and not ready.
    for _ in 0..30 {
        now = now + Duration::from_secs(1);
        for transfer in 1..=64 {
            let route = files.outbound[&transfer].route();
            let wait = FileMessage { route, round: 1, body: FileBody::Wait };
            files.handle_message(now, Instance(1), wait);
        }
        files.handle_timeout(now);
        assert_eq!(offered(&mut files, now), []);
    }
    assert!(last.try_recv().is_err(), "it waits");
    files.act_on(now, 7, Outbound::cancel);
    assert_eq!(offered(&mut files, now), []);
    now = now + Duration::from_secs(1);
    files.handle_timeout(now);
    assert!(offered(&mut files, now).contains(&65));
}
