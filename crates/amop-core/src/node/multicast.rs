//! Multicasts: spread and counted by the home node, fanned out and reported by the exit nodes.
//!
//! The home node sends one copy to each node that has a subscriber, itself included, and waits for
//! one report from each. An exit node pushes to each of its subscribers and reports once all have
//! acked. Reports and receipts wait for the end of a batch and travel as runs of alike ones.
//!
//! At the deadline an exit node reports what it knows, and counts the acks that are missing as
//! unknown. The home node gives that report a moment to arrive before it ends the multicast.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use amop_topic_table::Place;
use amop_wire::limits::{REQUESTS_PER_NODE_MAX, UNACKED_PER_CLIENT_MAX};
use amop_wire::{
    AckRun, Attempt, Delivery, Instance, Instant, Mode, MsgId, Multicast, Name, NodeId,
    NodeMessage, PeerMessage, PeerReceiptRun, Publish, Receipt, ReceiptRun,
};
use slab::Slab;

use super::{Node, Timer};
use crate::id_map::IdMap;
use crate::runs::{push_run, take_lots};

/// All multicasts that this node has a part in.
#[derive(Debug, Default)]
pub(super) struct Multicasts {
    /// As home node.
    pending: IdMap<MsgId, PendingMulticast>,
    /// Clients with receipts that wait for the end of the batch.
    finished: Vec<Instance>,
    /// As exit node.
    fanouts: Slab<Fanout>,
    next_serial: u64,
    /// Timers of fan-outs that have ended.
    obsolete: Vec<(Instant, FanoutKey)>,
    /// Reports to home nodes that wait for the end of the batch.
    reports: BTreeMap<NodeId, Vec<PeerReceiptRun>>,
}

/// A multicast of one of our clients that has no outcome yet.
#[derive(Debug)]
struct PendingMulticast {
    deadline: Instant,
    /// The nodes whose report is missing, and how many subscribers each was known to have.
    awaited: Vec<(NodeId, u32)>,
    /// What became of the message elsewhere.
    receipt: Receipt,
}

/// A multicast that some of our clients have not acked yet.
#[derive(Debug)]
struct Fanout {
    serial: u64,
    home: NodeId,
    id: MsgId,
    deadline: Instant,
    open: u32,
    receipt: Receipt,
}

/// Where a fan-out is kept; stale keys are told by the serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FanoutKey {
    slot: usize,
    serial: u64,
}

#[cfg(test)]
impl FanoutKey {
    pub(super) fn test(serial: u64) -> Self {
        Self { slot: 0, serial }
    }
}

/// How one delivery ended.
#[derive(Clone, Copy, Debug)]
enum End {
    Acked,
    Refused,
    Unknown,
}

impl Multicasts {
    /// How many multicasts of our clients have no outcome yet.
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn contains(&self, id: MsgId) -> bool {
        self.pending.contains_key(&id)
    }

    /// A delivery was open when its session ended.
    pub(super) fn unknown(&mut self, key: FanoutKey) {
        self.end(key, End::Unknown);
    }

    /// At the deadline: reports what is known.
    pub(super) fn fanout_expired(&mut self, key: FanoutKey) {
        let Some(fanout) = self.fanouts.get_mut(key.slot) else { return };
        if fanout.serial == key.serial {
            fanout.receipt.unknown += std::mem::take(&mut fanout.open);
            self.report_if_done(key);
        }
    }

    fn start(&mut self, home: NodeId, id: MsgId, deadline: Instant) -> FanoutKey {
        let serial = self.next_serial;
        self.next_serial += 1;
        let fanout = Fanout { serial, home, id, deadline, open: 0, receipt: Receipt::default() };
        FanoutKey { slot: self.fanouts.insert(fanout), serial }
    }

    fn end(&mut self, key: FanoutKey, end: End) {
        let Some(fanout) = self.fanouts.get_mut(key.slot) else { return };
        if fanout.serial != key.serial {
            return;
        }
        match end {
            End::Acked => fanout.receipt.acked += 1,
            End::Refused => fanout.receipt.refused += 1,
            End::Unknown => fanout.receipt.unknown += 1,
        }
        fanout.open = fanout.open.saturating_sub(1);
        self.report_if_done(key);
    }

    fn report_if_done(&mut self, key: FanoutKey) {
        if self.fanouts.get(key.slot).is_some_and(|fanout| fanout.open == 0) {
            let Fanout { home, id, deadline, receipt, .. } = self.fanouts.remove(key.slot);
            self.obsolete.push((deadline, key));
            let run = PeerReceiptRun { first: id, count: 1, receipt };
            push_run(self.reports.entry(home).or_default(), run);
        }
    }
}

impl Node {
    /// As home node: sends one copy to every node that has a subscriber.
    pub(super) fn spread(&mut self, now: Instant, id: MsgId, from: Name, publish: Publish) {
        let Publish { ttl, topic, payload, .. } = publish;
        let deadline = now + ttl;
        let mut pending =
            PendingMulticast { deadline, awaited: Vec::new(), receipt: Receipt::default() };
        let multicast = Multicast { id, ttl, from, topic, payload };
        let mut here = false;
        for &(place, count) in self.table.spread(&multicast.topic) {
            let (node, sent) = match place {
                Place::Here => {
                    here = true;
                    (self.id, true)
                }
                Place::Node(node) => match self.peers.get(&node) {
                    Some(&link) => {
                        let message = PeerMessage::Multicast(multicast.clone());
                        self.effects.push_back(super::Effect::ToPeer { link, message });
                        (node, true)
                    }
                    None => (node, false),
                },
            };
            if sent {
                pending.awaited.push((node, count));
            } else {
                pending.receipt.refused += count;
            }
        }
        let done = pending.awaited.is_empty();
        self.timers.set(deadline + REPORT_GRACE, Timer::Multicast(id));
        self.multicasts.pending.insert(id, pending);
        if done {
            self.finish_multicast(id);
        } else if here {
            self.fan_out(now, self.id, &multicast);
        }
    }

    /// As exit node: pushes to each of our subscribers.
    pub(super) fn fan_out(&mut self, now: Instant, home: NodeId, multicast: &Multicast) {
        let Multicast { id, ttl, from, topic, payload } = multicast;
        let deadline = now + *ttl;
        let key = self.multicasts.start(home, *id, deadline);
        for subscriber in self.table.own_subscribers(topic) {
            let fanout = &mut self.multicasts.fanouts[key.slot];
            let Some(session) = self.sessions.get_mut(&subscriber.instance) else { continue };
            if session.unacked.len() >= UNACKED_PER_CLIENT_MAX {
                fanout.receipt.refused += 1;
                continue;
            }
            fanout.open += 1;
            let delivery = Delivery {
                attempt: Attempt { home, id: *id, number: 1 },
                ttl: *ttl,
                mode: Mode::Multicast,
                number: session.unacked.push(key),
                from: from.clone(),
                topic: topic.clone(),
                payload: payload.clone(),
            };
            let message = NodeMessage::Delivery(delivery);
            self.effects.push_back(super::Effect::ToClient { link: session.link, message });
        }
        if self.multicasts.fanouts[key.slot].open > 0 {
            self.timers.set(deadline, Timer::Fanout(key));
        }
        self.multicasts.report_if_done(key);
    }

    /// As exit node, at the end of a batch: cancels the timers of what has ended.
    pub(super) fn forget_fanout_timers(&mut self) {
        for (deadline, key) in self.multicasts.obsolete.drain(..) {
            self.timers.cancel(deadline, Timer::Fanout(key));
        }
    }

    /// As exit node: a subscriber says what became of its deliveries.
    pub(super) fn acks(&mut self, instance: Instance, runs: &[AckRun]) {
        let Some(session) = self.sessions.get_mut(&instance) else { return };
        for run in runs {
            let end = if run.refused { End::Refused } else { End::Acked };
            for key in session.unacked.take(run.first, run.count) {
                self.multicasts.end(key, end);
            }
        }
    }

    /// As exit node: a delivery never left this node.
    pub(super) fn refuse_delivery(&mut self, instance: Instance, number: u64) {
        let Some(session) = self.sessions.get_mut(&instance) else { return };
        for key in session.unacked.take(number, 1) {
            self.multicasts.end(key, End::Refused);
        }
    }

    /// As exit node, at the end of a batch: tells the home nodes what became of their multicasts.
    pub(super) fn report_fanouts(&mut self) {
        for (home, mut runs) in std::mem::take(&mut self.multicasts.reports) {
            if home == self.id {
                self.receipts(home, &runs);
            } else {
                for lot in take_lots(&mut runs) {
                    self.tell_peer(home, PeerMessage::Receipts(lot));
                }
            }
        }
    }

    /// As home node: an exit node reports.
    pub(super) fn receipts(&mut self, node: NodeId, runs: &[PeerReceiptRun]) {
        // Runs cannot name more multicasts than a node may have under way.
        let mut left = REQUESTS_PER_NODE_MAX as u64;
        for run in runs {
            let count = u64::from(run.count).min(left);
            left -= count;
            for counter in run.first.counter..run.first.counter + count {
                let id = MsgId { counter, ..run.first };
                self.reported(node, id, run.receipt);
            }
        }
    }

    /// As home node: a copy never left this node.
    pub(super) fn never_sent(&mut self, node: NodeId, id: MsgId) {
        self.reported(node, id, Receipt::default());
    }

    /// As home node: no link leads to the peer any more, so its reports will not come.
    pub(super) fn peer_lost(&mut self, node: NodeId) {
        let awaits = |pending: &PendingMulticast| pending.awaited.iter().any(|&(n, _)| n == node);
        let mut lost: Vec<MsgId> =
            self.multicasts.pending.iter().filter(|(_, p)| awaits(p)).map(|(&id, _)| id).collect();
        lost.sort_unstable();
        for id in lost {
            self.missing(node, id);
        }
    }

    /// Books the report of one node. Subscribers that it was known to have and does not report
    /// had left before the message came: they never get it.
    fn reported(&mut self, node: NodeId, id: MsgId, receipt: Receipt) {
        let Entry::Occupied(mut entry) = self.multicasts.pending.entry(id) else { return };
        let pending = entry.get_mut();
        let Some(position) = pending.awaited.iter().position(|&(n, _)| n == node) else { return };
        let (_, known) = pending.awaited.swap_remove(position);
        pending.receipt.add(receipt);
        pending.receipt.refused += known.saturating_sub(receipt.targets());
        if pending.awaited.is_empty() {
            let pending = entry.remove();
            self.end_multicast(id, &pending);
        }
    }

    fn missing(&mut self, node: NodeId, id: MsgId) {
        let Some(pending) = self.multicasts.pending.get_mut(&id) else { return };
        let Some(position) = pending.awaited.iter().position(|&(n, _)| n == node) else { return };
        pending.receipt.unknown += pending.awaited.swap_remove(position).1;
        if pending.awaited.is_empty() {
            self.finish_multicast(id);
        }
    }

    /// As home node: time is up for the reports that are missing.
    pub(super) fn multicast_expired(&mut self, id: MsgId) {
        if let Some(pending) = self.multicasts.pending.get_mut(&id) {
            let missing: u32 = pending.awaited.drain(..).map(|(_, known)| known).sum();
            pending.receipt.unknown += missing;
            self.finish_multicast(id);
        }
    }

    fn finish_multicast(&mut self, id: MsgId) {
        if let Some(pending) = self.multicasts.pending.remove(&id) {
            self.end_multicast(id, &pending);
        }
    }

    fn end_multicast(&mut self, id: MsgId, pending: &PendingMulticast) {
        self.timers.cancel(pending.deadline + REPORT_GRACE, Timer::Multicast(id));
        let Some(session) = self.sessions.get_mut(&id.publisher) else {
            return self.absent_ended(id.publisher);
        };
        session.under_way -= 1;
        if session.receipts.is_empty() {
            self.multicasts.finished.push(id.publisher);
        }
        let run = ReceiptRun { first: id.counter, count: 1, receipt: pending.receipt };
        push_run(&mut session.receipts, run);
    }

    /// As home node, at the end of a batch: tells the publishers what became of their multicasts.
    pub(super) fn send_receipts(&mut self) {
        for publisher in std::mem::take(&mut self.multicasts.finished) {
            let Some(session) = self.sessions.get_mut(&publisher) else { continue };
            let link = session.link;
            for lot in take_lots(&mut session.receipts) {
                let message = NodeMessage::Receipts(lot);
                self.effects.push_back(super::Effect::ToClient { link, message });
            }
        }
    }
}

/// How long after the deadline the reports of the exit nodes are waited for: well within the
/// 500 ms of the contract, also for a client that adds its own way back.
const REPORT_GRACE: Duration = Duration::from_millis(200);
