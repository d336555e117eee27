//! Multicasts as the home node has them: spread over the exit nodes and counted.
//!
//! The home node sends one copy to each node that has a subscriber, itself included, and waits for
//! one report from each. Receipts wait for the end of a batch and travel as runs of alike ones.
//!
//! At the deadline the exit nodes report what they know. The home node gives that report a moment
//! to arrive before it ends the multicast.

use std::iter;
use std::time::Duration;

use amop_topic_table::Place;
use amop_wire::limits::REQUESTS_PER_NODE_MAX;
use amop_wire::{
    Instance, Instant, MsgId, Multicast, NodeId, NodeMessage, PeerMessage, PeerReceiptRun, Publish,
    Receipt, ReceiptRun, Sealing,
};

use super::publisher::Publisher;
use super::record::{NodeTag, Step};
use super::{Effect, Node, Untruth};
use crate::runs::{push_run, take_lots};

/// A multicast of one of our clients that has no outcome yet.
#[derive(Debug)]
pub(super) struct Spread {
    /// When its reports are waited for no longer.
    until: Instant,
    awaited: Awaited,
    /// How many subscribers were known when it was spread.
    known: u32,
    /// What the exit nodes reported.
    reported: Receipt,
    /// Those of the known that were not where they were known to be.
    absent: u32,
    /// Those of the known whose node will not report.
    missing: u32,
}

/// The nodes whose report is missing, and how many subscribers each was known to have. One of them
/// needs no allocation.
#[derive(Debug, Default)]
struct Awaited {
    one: Option<(NodeId, u32)>,
    others: Vec<(NodeId, u32)>,
}

impl Awaited {
    fn push(&mut self, node: NodeId, known: u32) {
        match self.one {
            None => self.one = Some((node, known)),
            Some(_) => self.others.push((node, known)),
        }
    }

    fn take(&mut self, node: NodeId) -> Option<u32> {
        if let Some((_, known)) = self.one.take_if(|(one, _)| *one == node) {
            return Some(known);
        }
        let position = self.others.iter().position(|&(other, _)| other == node)?;
        Some(self.others.swap_remove(position).1)
    }

    fn contains(&self, node: NodeId) -> bool {
        self.nodes().any(|other| other == node)
    }

    fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.one.iter().chain(&self.others).map(|&(node, _)| node)
    }

    fn is_empty(&self) -> bool {
        self.one.is_none() && self.others.is_empty()
    }

    fn take_all(&mut self) -> u32 {
        self.one.take().into_iter().chain(self.others.drain(..)).map(|(_, known)| known).sum()
    }
}

impl Spread {
    pub(super) fn deadline(&self) -> Instant {
        self.until
    }

    fn new(until: Instant) -> Self {
        let (awaited, reported) = (Awaited::default(), Receipt::default());
        Self { until, awaited, known: 0, reported, absent: 0, missing: 0 }
    }

    /// A copy is on its way to a node.
    fn sent(&mut self, node: NodeId, known: u32) {
        self.known += known;
        self.awaited.push(node, known);
    }

    /// Books the report of one node.
    fn reported(&mut self, node: NodeId, report: Receipt) {
        if let Some(known) = self.awaited.take(node) {
            self.reported.add(report);
            self.absent += known.saturating_sub(report.targets());
        }
    }

    /// No report will come.
    fn missing(&mut self, node: NodeId) {
        self.missing += self.awaited.take(node).unwrap_or_default();
    }

    fn expired(&mut self) {
        self.missing += self.awaited.take_all();
    }

    /// What became of it. Whoever was not where it was known to be may have been at another node:
    /// if all have reported, it is counted there or never got it, else nobody knows.
    fn receipt(&self) -> Receipt {
        let mut receipt = self.reported;
        if self.missing > 0 {
            receipt.unknown += self.missing + self.absent;
        } else {
            receipt.refused += self.known.saturating_sub(receipt.targets());
        }
        receipt
    }
}

impl Node {
    /// Sends one copy to every node that has a subscriber.
    pub(super) fn spread(&mut self, now: Instant, instance: Instance, publish: Publish) {
        let Some(publisher) = self.publishers.get_mut(&instance) else { return };
        let Publish { counter, ttl, sequence, terms, topic, payload, .. } = publish;
        let sealed = terms.sealing != Sealing::Clear;
        let until = now + ttl + REPORT_GRACE;
        let mut spread = Spread::new(until);
        let id = MsgId { publisher: instance, counter };
        let from = publisher.name.clone();
        publisher.wake_by(until, instance, &mut self.timers);
        let mut places = std::mem::take(&mut self.places);
        places.extend_from_slice(self.table.spread(&topic));
        for &(place, known) in &places {
            let node = self.node_at(place);
            spread.sent(node, known);
            self.note(id, Step::Spread { node: NodeTag::of(node), known });
        }
        if let Some(publisher) = self.publishers.get_mut(&instance) {
            publisher.multicasts.push(counter, spread);
        }
        if places.is_empty() {
            self.book(instance, [counter], |_| {});
        }
        self.send_copies(
            now,
            &places,
            Multicast { id, ttl, sequence, from, topic, sealed, payload },
        );
        places.clear();
        self.places = places; // For its room.
    }

    fn send_copies(&mut self, now: Instant, places: &[(Place, u32)], multicast: Multicast) {
        let is_linked = |&(place, _): &(Place, u32)| match place {
            Place::Here => true,
            Place::Node(node) => self.peers.contains_key(&node),
        };
        if !places.iter().all(is_linked) {
            let exits = places.iter().map(|&(place, _)| self.node_at(place));
            let exits: Vec<NodeId> = exits.filter(|&node| node != self.id).collect();
            if exits.len() < places.len() {
                self.fan_out(now, self.id, multicast.clone());
            }
            return self.send_tree(now, &exits, multicast);
        }
        // The last copy is no copy: most multicasts have only one.
        for (&(place, _), copy) in places.iter().zip(iter::repeat_n(multicast, places.len())) {
            match place {
                Place::Here => self.fan_out(now, self.id, copy),
                Place::Node(node) => _ = self.tell_peer(node, PeerMessage::Multicast(copy)),
            }
        }
    }

    pub(super) fn node_at(&self, place: Place) -> NodeId {
        match place {
            Place::Here => self.id,
            Place::Node(node) => node,
        }
    }

    /// An exit node reports.
    pub(super) fn receipts(&mut self, node: NodeId, runs: &[PeerReceiptRun]) {
        // Runs cannot name more multicasts than a node may have under way.
        let mut left = REQUESTS_PER_NODE_MAX as u64;
        for run in runs {
            let count = u64::from(run.count).min(left);
            left -= count;
            let first = run.first.counter;
            let last = first.saturating_add(count.saturating_sub(1));
            let last = MsgId { counter: last, ..run.first };
            if !self.is_published(last) {
                self.blame_node(node, None, Untruth::NotPublished(last));
            }
            let report = |spread: &mut Spread| spread.reported(node, run.receipt);
            self.book(run.first.publisher, first..first + count, report);
        }
    }

    /// A copy never left this node, or came back.
    pub(super) fn copy_unsent(&mut self, node: NodeId, id: MsgId) {
        let report = |spread: &mut Spread| spread.reported(node, Receipt::default());
        self.book(id.publisher, [id.counter], report);
    }

    /// No path leads to the node any more, so its reports will not come.
    pub(super) fn node_lost(&mut self, node: NodeId) {
        let awaiting = |publisher: &Publisher| -> Vec<u64> {
            let open = publisher.multicasts.iter();
            open.filter(|(_, spread)| spread.awaited.contains(node)).map(|(n, _)| n).collect()
        };
        let mut lost: Vec<(Instance, Vec<u64>)> = self
            .publishers
            .iter()
            .map(|(&instance, publisher)| (instance, awaiting(publisher)))
            .filter(|(_, counters)| !counters.is_empty())
            .collect();
        lost.sort_unstable();
        for (instance, counters) in lost {
            self.book(instance, counters, |spread| spread.missing(node));
        }
    }

    /// Time is up for the reports that are missing. An exit node reports by the deadline whatever its
    /// subscribers do, so each was lost on its way.
    pub(super) fn multicasts_expired(
        &mut self,
        now: Instant,
        instance: Instance,
        counters: &[u64],
    ) {
        for node in self.silent_nodes(instance, counters) {
            if let Some(path) = self.table.way(node, &[]) {
                self.table.way_failed(now, &path);
            }
        }
        self.book(instance, counters.iter().copied(), Spread::expired);
    }

    fn silent_nodes(&self, instance: Instance, counters: &[u64]) -> Vec<NodeId> {
        let Some(publisher) = self.publishers.get(&instance) else { return Vec::new() };
        let spreads = counters.iter().filter_map(|&counter| publisher.multicasts.get(counter));
        let nodes = spreads.flat_map(|spread| spread.awaited.nodes());
        nodes.filter(|node| !self.peers.contains_key(node)).collect()
    }

    /// Has something noted for multicasts of one publisher, and ends those that miss no report.
    fn book(
        &mut self,
        instance: Instance,
        counters: impl IntoIterator<Item = u64>,
        note: impl Fn(&mut Spread),
    ) {
        let Some(publisher) = self.publishers.get_mut(&instance) else { return };
        let Publisher { multicasts, receipts, party, .. } = publisher;
        let (had_receipts, mut ended) = (!receipts.is_empty(), 0);
        for counter in counters {
            let Some(spread) = multicasts.get_mut(counter) else { continue };
            note(spread);
            if spread.awaited.is_empty() {
                let receipt = spread.receipt();
                push_run(receipts, ReceiptRun { first: counter, count: 1, receipt });
                let id = MsgId { publisher: instance, counter };
                let step = Step::Received { party: *party, receipt };
                self.recorder.note(self.now, id, step);
                multicasts.end(counter, |_| ());
                ended += 1;
            }
        }
        if ended > 0 {
            if !had_receipts {
                self.finished.push(instance);
            }
            self.ended(instance, ended, 0);
        }
    }

    /// At the end of a batch: tells the publishers what became of their multicasts.
    pub(super) fn send_receipts(&mut self) {
        let mut finished = std::mem::take(&mut self.finished);
        for instance in finished.drain(..) {
            let Some(publisher) = self.publishers.get_mut(&instance) else { continue };
            let session = self.sessions.get(&instance);
            for lot in take_lots(&mut publisher.receipts) {
                let Some(session) = session else { continue };
                let (link, message) = (session.link, NodeMessage::Receipts(lot));
                self.effects.push_back(Effect::ToClient { link, message });
            }
        }
        self.finished = finished; // For its room.
    }
}

/// How long after the deadline the reports of the exit nodes are waited for: well within the
/// 500 ms of the contract, also for a client that adds its own way back.
const REPORT_GRACE: Duration = Duration::from_millis(200);
