//! Another way for unicasts of which nothing is heard.
//!
//! A link that is lost says so, and so does a relay that has no link or no room. A relay that takes
//! messages and keeps them says nothing. So a unicast that went over relays is sent again by other
//! ways while no word comes; its subscriber takes one copy. A slow handler is silent as well: then
//! the copies were for nothing, which is why they are few.
//!
//! What a relay gives back goes every other way first. When none is left it goes once more by those it
//! took, a moment later: a relay that has just started is linked with one side before the other, and
//! no news may tell that it is linked with both.
//!
//! A relay is blamed only if another way brought the answer sooner than this one was waited for.

use std::time::Duration;

use amop_topic_table::Place;
use amop_wire::{Instant, MsgId, NodeId, Path, PeerMessage, Reason};

use super::Node;

impl Node {
    /// A copy is on its way: has it doubted after a while if relays lie in between, or if another
    /// subscriber may be asked.
    pub(super) fn listen(&mut self, now: Instant, id: MsgId, is_relayed: bool) {
        let Some(publisher) = self.publishers.get_mut(&id.publisher) else { return };
        let Some(pending) = publisher.unicasts.get_mut(id.counter) else { return };
        let copies = pending.chosen.as_ref().map_or(0, |chosen| chosen.ways.len());
        let left = pending.deadline.saturating_since(now);
        let silence = match (pending.terms.at_least_once, is_relayed) {
            (true, _) => left / 2,
            (false, true) if copies < WAYS_MAX => (left / 4).min(SILENCE_MAX),
            (false, _) => Duration::ZERO,
        };
        pending.doubted_at = (!silence.is_zero()).then_some(now + silence);
        if let Some(at) = pending.doubted_at {
            publisher.wake_by(at, id.publisher, &mut self.timers);
        }
    }

    /// Nothing was heard for a while: sends the next copy another way, if there is one.
    pub(super) fn silent(&mut self, now: Instant, id: MsgId) {
        let Some(pending) = self.pending_mut(id) else { return };
        pending.doubted_at = None;
        if pending.is_parked {
            self.unpark(id, true);
            return self.try_next(now, id);
        }
        let came_back = pending.chosen.as_ref().is_some_and(|chosen| chosen.came_back);
        if self.fail_over(now, id) {
            return;
        }
        if self.has_other_way(id) {
            return self.send_again(now, id);
        }
        if came_back {
            if let Some(chosen) = self.pending_mut(id).and_then(|pending| pending.chosen.as_mut()) {
                chosen.ways.clear();
            }
            self.send_again(now, id);
        }
    }

    /// A copy came back while another one may be handled: the next is due in a moment, another way or by those
    /// that were used. One for all that come back until then, lest they multiply.
    pub(super) fn turned_back(&mut self, now: Instant, id: MsgId) {
        let Some(publisher) = self.publishers.get_mut(&id.publisher) else { return };
        let Some(pending) = publisher.unicasts.get_mut(id.counter) else { return };
        let is_due = pending.terms.at_least_once && pending.doubted_at.is_some();
        let Some(chosen) = pending.chosen.as_mut().filter(|chosen| !chosen.came_back) else {
            return;
        };
        chosen.came_back = true;
        if is_due {
            return; // At half of the time another one is asked, not sooner.
        }
        let again = now + pending.turned_back();
        let at = pending.doubted_at.map_or(again, |at| at.min(again));
        pending.doubted_at = Some(at);
        publisher.wake_by(at, id.publisher, &mut self.timers);
    }

    /// Whether a way over relays is left that no copy took to where the last one went.
    pub(super) fn has_other_way(&mut self, id: MsgId) -> bool {
        let Some(chosen) = self.pending(id).and_then(|pending| pending.chosen.as_ref()) else {
            return false;
        };
        let Place::Node(node) = chosen.seat.at.place else { return false };
        if self.is_near(chosen.seat) || chosen.ways.len() >= WAYS_MAX {
            return false;
        }
        let used = chosen.ways.clone();
        self.table.way(node, &used).is_some()
    }

    /// Sends a copy to the node of the chosen subscriber by a way that none took before.
    pub(super) fn send_over_relays(
        &mut self,
        now: Instant,
        id: MsgId,
        node: NodeId,
        message: &PeerMessage,
    ) -> Result<(), Reason> {
        let chosen = self.pending(id).and_then(|pending| pending.chosen.as_ref());
        let mut ways = chosen.map_or_else(Vec::new, |chosen| chosen.ways.clone());
        let path = self.table.way(node, &ways).ok_or(Reason::NoPath)?;
        ways.push(path.clone());
        if let Some(chosen) = self.pending_mut(id).and_then(|pending| pending.chosen.as_mut()) {
            chosen.ways = ways;
        }
        if !self.send_along(path, message) {
            return Err(Reason::NoPath);
        }
        self.listen(now, id, true);
        Ok(())
    }

    /// A path has brought the answer to a unicast.
    pub(super) fn way_answered(&mut self, now: Instant, id: MsgId, path: &Path) {
        self.table.way_worked(path);
        let Some(chosen) = self.pending(id).and_then(|pending| pending.chosen.as_ref()) else {
            return;
        };
        if now.saturating_since(chosen.sent_at) >= SILENCE_MIN {
            return;
        }
        let Some((_, silent)) = chosen.ways.split_last() else { return };
        let has_answered = |way: &&Path| way.nodes().iter().rev().eq(path.nodes());
        for way in silent.iter().filter(|way| !has_answered(way)).cloned().collect::<Vec<_>>() {
            self.table.way_failed(now, &way);
        }
    }
}

/// How long nothing must be heard at most before another way is tried.
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// An answer that comes sooner than this after a copy came because of that copy.
const SILENCE_MIN: Duration = Duration::from_millis(250);

/// Most copies by different ways.
const WAYS_MAX: usize = 4;
