//! Another subscriber for unicasts that may be handled more than once.
//!
//! Usually a unicast in doubt stays with its subscriber, for it must not be handled twice. If its
//! publisher asks for at least once, another is asked when the first has no seat any more, or when
//! half of the time is over. Whoever answers first ends it; while anybody who was asked may handle it,
//! no end says that nobody did.

use amop_topic_table::Place;
use amop_wire::{Instance, Instant, MsgId};

use super::Node;

impl Node {
    /// Asks another subscriber if one is left; says whether it did.
    pub(super) fn fail_over(&mut self, now: Instant, id: MsgId) -> bool {
        let Some(pending) = self.pending(id) else { return false };
        let Some(chosen) = pending.chosen.as_ref().filter(|_| pending.terms.at_least_once) else {
            return false;
        };
        let mut excluded = pending.excluded.clone();
        excluded.push(chosen.seat.at.instance);
        if self.table.choose(&pending.topic, pending.choice(id), &excluded).is_none() {
            return false;
        }
        if let Some(pending) = self.pending_mut(id) {
            pending.doubt();
        }
        self.try_next(now, id);
        true
    }

    /// One that was in doubt will never handle it.
    pub(super) fn doubted_refused(
        &mut self,
        id: MsgId,
        attempt: u32,
        place: Place,
        subscriber: Instance,
    ) {
        let Some(pending) = self.pending_mut(id) else { return };
        if !pending.is_doubted(attempt, place, subscriber) {
            return;
        }
        pending.clear(attempt, subscriber);
        if pending.chosen.is_none() && pending.parked.is_none() {
            self.exhausted(id);
        }
    }

    /// Whether nobody else was asked before.
    pub(super) fn is_first(&self, id: MsgId) -> bool {
        self.pending(id).is_some_and(|pending| pending.doubted.is_empty())
    }
}
