//! Another subscriber for unicasts that may be handled more than once.
//!
//! Usually a unicast in doubt stays with its subscriber, for it must not be handled twice. If its
//! publisher asks for at least once, another is asked when the first has no seat any more, or when
//! half of the time is over. Once nobody is left, one in doubt that has come back elsewhere is asked
//! again. Whoever answers first ends it; while anybody who was asked may handle it,
//! no end says that nobody did.

use amop_topic_table::{Candidate, Place};
use amop_wire::{Instance, Instant, MsgId, PeerRefusal, Sealing};

use super::Node;
use super::pending::Pending;

impl Node {
    /// Asks another subscriber if one is left; says whether it did.
    pub(super) fn fail_over(&mut self, now: Instant, id: MsgId) -> bool {
        let Some(pending) = self.pending(id) else { return false };
        let Some(chosen) = pending.chosen.as_ref().filter(|_| pending.terms.at_least_once) else {
            return false;
        };
        let mut excluded = pending.excluded.clone();
        excluded.push(chosen.seat.at.instance);
        let is_sealed = pending.terms.sealing != Sealing::Clear;
        if is_sealed || self.table.choose(&pending.topic, pending.choice(id), &excluded).is_none() {
            return false;
        }
        if let Some(pending) = self.pending_mut(id) {
            pending.doubt();
        }
        self.try_next(now, id);
        true
    }

    /// Lets a subscriber in doubt be asked again that is somewhere else now, so that its copy may be
    /// lost: whatever copies it gets, it handles one. Says whether there is one.
    pub(super) fn readmit(&mut self, id: MsgId) -> bool {
        let returned = self.pending(id).and_then(|pending| self.returned(pending));
        if let (Some(instance), Some(pending)) = (returned, self.pending_mut(id)) {
            pending.readmit(instance);
        }
        returned.is_some()
    }

    /// A subscriber in doubt that is where it was never asked.
    pub(super) fn returned(&self, pending: &Pending) -> Option<Instance> {
        let is_elsewhere = |at: &Candidate| {
            let now_at = self.table.find(&pending.topic, at.instance);
            let was_asked = |now_at: Candidate| {
                pending.missed_at.contains(&now_at) || pending.doubted().any(|at| at == now_at)
            };
            now_at.is_some_and(|now_at| !was_asked(now_at))
        };
        pending.doubted().find(is_elsewhere).map(|at| at.instance)
    }

    /// One that was in doubt will never handle a copy, or none of them.
    pub(super) fn doubted_refused(&mut self, now: Instant, refusal: &PeerRefusal, place: Place) {
        let &PeerRefusal { id, attempt, subscriber, fenced, .. } = refusal;
        let Some(pending) = self.pending_mut(id) else { return };
        if !pending.is_doubted(attempt, place, subscriber) {
            return;
        }
        if fenced {
            pending.clear(subscriber);
        } else {
            pending.doubted_copy_refused(refusal, place);
        }
        if pending.chosen.is_none() && !pending.is_parked {
            self.park_or_end(now, id);
        }
    }

    /// Whether nobody else was asked before.
    pub(super) fn is_first(&self, id: MsgId) -> bool {
        self.pending(id).is_some_and(|pending| pending.doubted.is_empty())
    }
}
