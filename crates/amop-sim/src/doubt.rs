//! Whether a unicast that ended in doubt had a reason to.
//!
//! Code 102 says that nobody knows. But where no message was lost since it was published, nothing stood
//! still, and no application has it, everybody who had it passed it on or said no: then its node
//! knows that it was not handled, and must have asked the next subscriber or said so.

use std::time::Duration;

use amop_wire::{Code, Instant, MsgId, Reason};

use crate::contract::End;
use crate::world::World;

impl World {
    /// Something is lost, or stands still until then.
    pub(crate) fn disturb(&mut self, until: Instant) {
        self.disturbed_until = self.disturbed_until.max(until);
    }

    /// Notes a violation if a unicast ends in doubt for no reason.
    pub(crate) fn judge_doubt(&mut self, client: usize, id: MsgId, end: &End) {
        let is_doubt =
            matches!(end, End::Outcome { code: Code::TimedOut, reason: Reason::Deadline, .. });
        let Some(publication) = self.record.publications.get(&id).filter(|_| is_doubt) else {
            return;
        };
        let timeout = publication.deadline.saturating_since(publication.at);
        let is_undisturbed = self.disturbed_until + BEFORE < publication.at;
        // With a key it may wait for the answer to another one. With little room a way back is forgotten,
        // and the no with it if the map shows none.
        // What waits for a connection may leave with no time left.
        let went_at_once = self.clients[client].connected.is_since(publication.at);
        if is_undisturbed
            && went_at_once
            && !self.is_tight()
            && publication.terms.key.is_none()
            && publication.delivered_to.is_empty()
            && self.is_time_enough(timeout, self.nodes.len())
        {
            let line = format!("{id}: ends in doubt although nothing was lost and nobody has it");
            self.record.broken.push(line);
        }
    }
}

/// What was lost just before may have been what was to tell of it.
const BEFORE: Duration = Duration::from_millis(1);
