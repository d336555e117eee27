//! Multicasts as an exit node has them: fanned out to its subscribers and reported.
//!
//! It reports to the home node once all subscribers have acked, and at the deadline what it knows;
//! acks that are missing then count as unknown. Reports wait for the end of a batch and travel as
//! runs of alike ones.

use std::collections::BTreeMap;
use std::time::Duration;

use amop_wire::{
    AckEnd, AckRun, Instance, Instant, MsgId, Multicast, NodeId, NodeMessage, PeerMessage,
    PeerReceiptRun, Receipt,
};

use super::record::NodeTag;
use super::recording::length_of;
use super::{Effect, LinkId, Node, Step, Timer, Untruth};
use crate::by_counter::ByCounter;
use crate::runs::{push_run, take_lots};
use crate::timers::Timers;

/// All multicasts that some of our clients have not acked.
#[derive(Debug, Default)]
pub(super) struct Fanouts {
    open: ByCounter<Fanout>,
    next: u64,
    /// What the one timer of all of them is set to: no deadline is earlier.
    alarm: Option<Instant>,
    /// Where a multicast goes; empty in between, kept for its room.
    links: Vec<LinkId>,
    /// Reports to home nodes that wait for the end of the batch.
    reports: BTreeMap<NodeId, Vec<PeerReceiptRun>>,
}

/// Numbers the fan-outs of one life of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FanoutId(pub(super) u64);

#[derive(Clone, Copy, Debug)]
struct Fanout {
    home: NodeId,
    id: MsgId,
    deadline: Instant,
    /// How many have not acked.
    open: u32,
    receipt: Receipt,
}

/// How one delivery ended.
#[derive(Clone, Copy)]
pub(super) enum End {
    Acked,
    Refused,
    Unknown,
}

impl Fanouts {
    /// How many wait for acks, or for their report to be sent.
    pub(super) fn waiting(&self) -> usize {
        self.open.len() + self.reports.values().map(Vec::len).sum::<usize>()
    }

    /// A delivery has ended.
    pub(super) fn end(&mut self, FanoutId(number): FanoutId, end: End) {
        let Some(fanout) = self.open.get_mut(number) else { return };
        match end {
            End::Acked => fanout.receipt.acked += 1,
            End::Refused => fanout.receipt.refused += 1,
            End::Unknown => fanout.receipt.unknown += 1,
        }
        fanout.open -= 1;
        if fanout.open == 0
            && let Some(fanout) = self.open.end(number, |fanout| *fanout)
        {
            self.report(&fanout);
        }
    }

    fn start(&mut self, fanout: Fanout, timers: &mut Timers<Timer>) {
        if fanout.open == 0 {
            return self.report(&fanout);
        }
        self.wake_by(fanout.deadline, timers);
        self.open.push(self.next, fanout);
        self.next += 1;
    }

    fn report(&mut self, &Fanout { home, id, receipt, .. }: &Fanout) {
        let run = PeerReceiptRun { first: id, count: 1, receipt };
        push_run(self.reports.entry(home).or_default(), run);
    }

    fn wake_by(&mut self, at: Instant, timers: &mut Timers<Timer>) {
        if self.alarm.is_some_and(|alarm| alarm <= at) {
            return;
        }
        if let Some(alarm) = self.alarm.replace(at) {
            timers.cancel(alarm, Timer::Fanouts);
        }
        timers.set(at, Timer::Fanouts);
    }

    /// Reports what is known of those whose deadline has come.
    fn handle_timeout(&mut self, now: Instant, timers: &mut Timers<Timer>) {
        self.alarm = None;
        let due: Vec<u64> = self
            .open
            .iter()
            .filter(|(_, fanout)| fanout.deadline <= now)
            .map(|(number, _)| number)
            .collect();
        for number in due {
            if let Some(mut fanout) = self.open.end(number, |fanout| *fanout) {
                fanout.receipt.unknown += fanout.open;
                self.report(&fanout);
            }
        }
        if let Some(next) = self.open.iter().map(|(_, fanout)| fanout.deadline).min() {
            self.wake_by(next.max(now + LOOK_EVERY), timers);
        }
    }
}

impl Node {
    /// Pushes a multicast to each of our subscribers.
    pub(super) fn fan_out(&mut self, now: Instant, home: NodeId, multicast: Multicast) {
        let from = self.recorder.party(&multicast.from);
        let Self { table, sessions, effects, fanouts, timers, limits, .. } = self;
        let Multicast { id, ttl, .. } = multicast;
        let length = length_of(&multicast.payload);
        let mut fanout =
            Fanout { home, id, deadline: now + ttl, open: 0, receipt: Receipt::default() };
        let number = FanoutId(fanouts.next);
        let links = &mut fanouts.links;
        for subscriber in table.own_subscribers(&multicast.topic) {
            let Some(session) = sessions.get_mut(&subscriber.instance) else { continue };
            if session.unacked.len() >= limits.unacked_per_client {
                fanout.receipt.refused += 1;
                continue;
            }
            fanout.open += 1;
            session.unacked.push(number);
            links.push(session.link);
        }
        let message = NodeMessage::Multicast(multicast);
        match links[..] {
            [] => {}
            [link] => effects.push_back(Effect::ToClient { link, message }),
            [..] => effects.push_back(Effect::ToClients { links: links[..].into(), message }),
        }
        links.clear();
        let (pushed, refused) = (fanout.open, fanout.receipt.refused);
        fanouts.start(fanout, timers);
        let home = NodeTag::of(home);
        self.note(id, Step::FannedOut { home, from, pushed, refused, length });
    }

    /// The deadline of some fan-outs has come.
    pub(super) fn fanouts_due(&mut self, now: Instant) {
        self.fanouts.handle_timeout(now, &mut self.timers);
    }

    /// A subscriber says what became of its deliveries.
    pub(super) fn acks(&mut self, link: LinkId, instance: Instance, runs: &[AckRun]) {
        let Some(session) = self.sessions.get_mut(&instance) else { return };
        let is_true = runs.iter().all(|run| session.unacked.were_given(run.first, run.count));
        for run in runs {
            let end = match run.end {
                AckEnd::Taken => End::Acked,
                AckEnd::Refused => End::Refused,
                AckEnd::Copy => End::Unknown,
            };
            session.unacked.take(run.first, run.count, |fanout| self.fanouts.end(fanout, end));
        }
        if !is_true {
            self.blame(link, Untruth::NotDelivered);
        }
    }

    /// The last delivery to a client never left this node.
    pub(super) fn delivery_unsent(&mut self, instance: Instance) {
        let Some(session) = self.sessions.get_mut(&instance) else { return };
        if let Some(fanout) = session.unacked.pop() {
            self.fanouts.end(fanout, End::Refused);
        }
    }

    /// At the end of a batch: tells the home nodes what became of their multicasts.
    pub(super) fn report_fanouts(&mut self) {
        for (home, mut runs) in std::mem::take(&mut self.fanouts.reports) {
            self.note_reported(home, &runs);
            if home == self.id {
                self.receipts(home, &runs);
            } else {
                for lot in take_lots(&mut runs) {
                    self.reply_to(home, PeerMessage::Receipts(lot));
                }
            }
        }
    }
}

/// However many deadlines follow each other, the open fan-outs are walked only so often; the home
/// node waits longer than that for a report.
const LOOK_EVERY: Duration = Duration::from_millis(20);
