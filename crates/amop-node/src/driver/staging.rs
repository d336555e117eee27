//! Stages what is to be sent, link by link, and knows what has no room.

use amop_core::node::{Input, LinkId};
use amop_p2p::Encoded;
use amop_wire::{Instant, Lane, Message, NodeMessage};
use tracing::warn;

use super::State;

impl State {
    /// Stages a message for its link, or notes that it has no room there. Control messages are
    /// few and always find room; a peer that does not even take those is closed by its outbox.
    pub(super) fn stage<M: Message>(
        &mut self,
        now: Instant,
        link: LinkId,
        message: M,
        unsent: impl FnOnce(M) -> Input,
    ) {
        let Some(out) = self.links.get_mut(&link) else { return };
        let bytes = message.payload().len() + HEAD_BYTES;
        if message.lane() != Lane::Control && !out.outbox.has_room_beside(&out.batch, bytes) {
            return self.follow_ups.push(unsent(message));
        }
        out.batch.set_now(now);
        match out.batch.push(&message) {
            Ok(()) => {
                self.counts.flow(out.is_peer()).went(message.payload().len());
                if !std::mem::replace(&mut out.is_staged, true) {
                    self.staged.push(link);
                }
            }
            Err(error) => warn!(?link, %error, "a message was not sent"),
        }
    }

    /// Stages one message for several clients.
    pub(super) fn stage_for_all(&mut self, now: Instant, links: &[LinkId], message: &NodeMessage) {
        let encoded = match Encoded::new(message) {
            Ok(encoded) => encoded,
            Err(error) => return warn!(%error, "a message was not sent"),
        };
        for &link in links {
            let Some(out) = self.links.get_mut(&link) else { continue };
            if !out.outbox.has_room_beside(&out.batch, encoded.bytes()) {
                let message = message.clone();
                self.follow_ups.push(Input::UnsentToClient { link, message });
                continue;
            }
            out.batch.set_now(now);
            out.batch.push_encoded(&encoded);
            self.counts.flow(out.is_peer()).went(message.payload().len());
            if !std::mem::replace(&mut out.is_staged, true) {
                self.staged.push(link);
            }
        }
    }

    /// Tells the core how much waits, if anything does or the core thinks so.
    pub(super) fn tell_waiting(&mut self, now: Instant, bytes: usize) {
        if bytes == 0 && !self.core.counts_waiting() {
            return;
        }
        let on = |link| self.links.get(&link).map_or(0, |out| out.outbox.queued_message_bytes());
        let transit = self.core.transit_links().map(|link| (link, on(link))).collect();
        self.handle(now, Input::Waiting { bytes, transit });
    }

    pub(super) fn send_staged(&mut self) {
        for link in self.staged.drain(..) {
            if let Some(out) = self.links.get_mut(&link) {
                out.is_staged = false;
                out.outbox.send(&mut out.batch);
            }
        }
    }
}

/// What a header and the lengths before it take, roughly, when room is looked for.
const HEAD_BYTES: usize = 256;
