//! Stages what is to be sent, link by link, and knows what has no room.
//!
//! Multicasts to the same clients, as they come one after the other in a batch, are encoded once, and the links of
//! those clients share the bytes.

use amop_core::node::{Input, LinkId};
use amop_p2p::{Batch, Encoded, Gauge, Outbox};
use amop_wire::{CloseReason, Instant, Lane, Message, Name, NodeMessage, Role};
use tracing::warn;

use super::State;

/// The sending end of a link, and what is staged for it.
#[derive(Debug)]
pub(super) struct LinkOut {
    /// Who is at its other end.
    pub(super) name: Name,
    pub(super) gauge: Gauge,
    pub(super) outbox: Outbox,
    pub(super) batch: Batch,
    pub(super) is_staged: bool,
}

/// Messages that the same clients get, one after the other.
#[derive(Debug, Default)]
pub(super) struct Alike {
    links: Box<[LinkId]>,
    encoded: Encoded,
    messages: Vec<NodeMessage>,
}

impl Alike {
    /// Whether it is time to stage them: what is longer is sent in pieces anyway.
    fn is_full(&self) -> bool {
        self.encoded.bytes() >= FULL_BYTES
    }

    fn clear(&mut self) {
        self.links = Box::default();
        self.encoded.clear();
        self.messages.clear();
    }
}

impl LinkOut {
    pub(super) fn is_peer(&self) -> bool {
        self.name.role() == Role::Node
    }

    /// Stages the first of these, as many as have room. Says how many, and the bytes of their payloads.
    fn stage_some(&mut self, messages: &[NodeMessage]) -> (usize, u64) {
        let mut bytes = 0;
        for (number, message) in messages.iter().enumerate() {
            let length = message.payload().len();
            let has_room = self.outbox.has_room_beside(&self.batch, 1, length + HEAD_BYTES);
            if !has_room || self.batch.push(message).is_err() {
                return (number, bytes);
            }
            bytes += length as u64;
        }
        (messages.len(), bytes)
    }
}

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
        if self.alike.links.contains(&link) {
            self.stage_alike(now); // What one link carries keeps its order.
        }
        let Some(out) = self.links.get_mut(&link) else { return };
        let bytes = message.payload().len() + HEAD_BYTES;
        if message.lane() != Lane::Control && !out.outbox.has_room_beside(&out.batch, 1, bytes) {
            return self.follow_ups.push(unsent(message));
        }
        out.batch.set_now(now);
        match out.batch.push(&message) {
            Ok(()) => {
                self.counts.flow(out.is_peer()).went(1, message.payload().len() as u64);
                if !std::mem::replace(&mut out.is_staged, true) {
                    self.staged.push(link);
                }
            }
            Err(error) => warn!(?link, %error, "a message was not sent"),
        }
    }

    /// Stages one message for several clients: together with others for the same ones, soon.
    pub(super) fn stage_for_all(
        &mut self,
        now: Instant,
        links: Box<[LinkId]>,
        message: NodeMessage,
    ) {
        if self.alike.links != links || self.alike.is_full() {
            self.stage_alike(now);
            self.alike.links = links;
        }
        match self.alike.encoded.push(&message) {
            Ok(()) => self.alike.messages.push(message),
            Err(error) => warn!(%error, "a message was not sent"),
        }
    }

    /// Stages what several clients get alike, link by link. Must come before anything else is staged for one
    /// of them, and before the batch ends.
    pub(super) fn stage_alike(&mut self, now: Instant) {
        let Alike { links, encoded, messages } = &mut self.alike;
        let payload_bytes = messages.iter().map(|message| message.payload().len() as u64).sum();
        for &link in links.iter().filter(|_| !messages.is_empty()) {
            let Some(out) = self.links.get_mut(&link) else { continue };
            out.batch.set_now(now);
            let (mut count, mut bytes) = (messages.len(), payload_bytes);
            if out.outbox.has_room_beside(&out.batch, count, encoded.bytes()) {
                out.batch.push_encoded(encoded);
            } else {
                (count, bytes) = out.stage_some(messages);
                let unsent = messages[count..].iter().cloned();
                let unsent = unsent.map(|message| Input::UnsentToClient { link, message });
                self.follow_ups.extend(unsent);
            }
            self.counts.flow(out.is_peer()).went(count, bytes);
            if !std::mem::replace(&mut out.is_staged, true) {
                self.staged.push(link);
            }
        }
        self.alike.clear();
    }

    pub(super) fn close(&mut self, now: Instant, link: LinkId, reason: CloseReason) {
        self.stage_alike(now);
        if let Some(out) = self.links.get_mut(&link) {
            out.outbox.send(&mut out.batch);
            out.outbox.close(reason);
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

    pub(super) fn send_staged(&mut self, now: Instant) {
        self.stage_alike(now);
        for link in self.staged.drain(..) {
            if let Some(out) = self.links.get_mut(&link) {
                out.is_staged = false;
                out.outbox.send(&mut out.batch);
            }
        }
    }
}

/// How many bytes are shared at a time.
const FULL_BYTES: usize = 64 << 10;

/// What a header and the lengths before it take, roughly, when room is looked for.
const HEAD_BYTES: usize = 256;
