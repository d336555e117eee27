//! Unicasts that nobody is left for, held for a moment since somebody may come or come back.
//!
//! A topic without a subscriber may get one any moment, if it had one lately. A subscriber that was
//! asked and has no way there, or has left its place, may be on its way to another: what said so was
//! faster than the announcement that will say where. All of these have never handled it, so that
//! they may be asked again.

use std::time::Duration;

use amop_topic_table::Candidate;
use amop_wire::{Instance, Instant, MsgId, Reason, Sealing};

use super::Node;
use super::pending::Pending;
use super::record::Step;

/// A subscriber that was not where it was asked, or had no way there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Absent {
    at: Candidate,
    /// Whether another way to the same place will do.
    is_cut_off: bool,
}

impl Absent {
    /// What a definite no of this reason says about a subscriber, if it may be somewhere else.
    pub(super) fn new(at: Candidate, reason: Reason) -> Option<Self> {
        let is_cut_off = reason == Reason::NoPath;
        let has_left =
            matches!(reason, Reason::SubscriberGone | Reason::NotSubscribed | Reason::StaleEpoch);
        (is_cut_off || has_left).then_some(Self { at, is_cut_off })
    }
}

impl Node {
    /// Nobody is left for a unicast: holds it for 3 s and half of its time at most if somebody may
    /// come, or ends it.
    pub(super) fn park_or_end(&mut self, now: Instant, id: MsgId) {
        let Some(publisher) = self.publishers.get_mut(&id.publisher) else { return };
        let Some(pending) = publisher.unicasts.get_mut(id.counter) else { return };
        if !pending.doubted.is_empty() {
            return; // Somebody may handle it still.
        }
        let half = pending.deadline.saturating_since(now) / 2;
        let until = pending.held_until.unwrap_or(now + half.min(PARKED_MAX));
        let is_awaited = if pending.attempts == 0 {
            self.table.is_missed(now, &pending.topic)
        } else {
            !pending.absent.is_empty()
        };
        // For whom else a sealed one may be, and for whom to wait, only its publisher can say.
        let is_sealed = pending.terms.sealing != Sealing::Clear;
        if is_sealed || !is_awaited || until <= now {
            return self.exhausted(id);
        }
        pending.held_until = Some(until);
        pending.is_parked = true;
        self.recorder.note(now, id, Step::Parked);
        let is_turned_back = self.is_turned_back(id);
        let Some(publisher) = self.publishers.get_mut(&id.publisher) else { return };
        let Some(pending) = publisher.unicasts.get_mut(id.counter) else { return };
        pending.doubted_at = is_turned_back.then(|| until.min(now + pending.turned_back()));
        let due = pending.due();
        publisher.wake_by(due, id.publisher, &mut self.timers);
    }

    /// Whether one of those who had no way there has one by the map: a relay on it said no. It may have no room,
    /// so it is asked few times.
    fn is_turned_back(&self, id: MsgId) -> bool {
        let Some(pending) = self.pending(id).filter(|it| it.dead_ends < TURNED_BACK_MAX) else {
            return false;
        };
        let has_way = |absent: &Absent| {
            let now_at = self.table.find(&pending.topic, absent.at.instance);
            absent.is_cut_off && now_at.is_some_and(|now_at| self.seat(now_at).is_some())
        };
        pending.absent.iter().any(has_way)
    }

    /// Whether a unicast that is with nobody has somebody to go to now.
    pub(super) fn has_found(&self, id: MsgId, pending: &Pending, is_rerouted: bool) -> bool {
        let choice = pending.choice(id);
        let has_come = || self.table.choose(&pending.topic, choice, &pending.excluded).is_some();
        self.has_come_back(pending, is_rerouted).next().is_some()
            || self.returned(pending).is_some()
            || pending.is_parked && has_come()
    }

    /// Ends the wait of a unicast, and lets those be asked again that have come back.
    pub(super) fn unpark(&mut self, id: MsgId, is_rerouted: bool) {
        let Some(pending) = self.pending(id) else { return };
        let back: Vec<Instance> = self.has_come_back(pending, is_rerouted).collect();
        let Some(pending) = self.pending_mut(id) else { return };
        pending.is_parked = false;
        pending.doubted_at = None;
        pending.absent.retain(|absent| !back.contains(&absent.at.instance));
        pending.excluded.retain(|excluded| !back.contains(excluded));
    }

    fn has_come_back(
        &self,
        pending: &Pending,
        is_rerouted: bool,
    ) -> impl Iterator<Item = Instance> {
        let is_back = move |absent: &&Absent| {
            let now_at = self.table.find(&pending.topic, absent.at.instance);
            now_at.is_some_and(|now_at| now_at != absent.at || absent.is_cut_off && is_rerouted)
        };
        pending.absent.iter().filter(is_back).map(|absent| absent.at.instance)
    }
}

/// Most times that one goes the same way again that came back.
const TURNED_BACK_MAX: u32 = 4;

/// How long a unicast waits for a subscriber.
const PARKED_MAX: Duration = Duration::from_secs(3);
