//! The way out: what is staged for the link, and answers that wait until the link has room.
//!
//! A link says whether it has room but tells nobody when it gets some, so whoever waits for it
//! looks again after a while. Publishes wait before they are staged. Answers cannot: the
//! application has queued them already, so they are held here, in order. Everything else is small
//! and always staged.

use std::collections::VecDeque;
use std::net::SocketAddr;

use amop_p2p::{Batch, Link, Outbox};
use amop_wire::{
    Answer, ClientMessage, CloseCode, CloseReason, FileMessage, Instant, Lane, Message, Name,
};
use tracing::warn;

/// What leaves a client. Without a link, nothing does; on one that it parts from, acks alone.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    link: Option<LinkOut>,
    /// The link that another one has taken the place of, and frames of this turn for it.
    old: Option<(LinkOut, Batch)>,
    /// Numbers the links.
    last_link: u64,
    /// Frames of this turn.
    batch: Batch,
    /// Answers that have no room on the link, in order.
    held: VecDeque<Answer>,
    held_bytes: usize,
}

/// What a link is to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is the one that the client is attached on, or wants to be.
    Current,
    /// Another one has taken its place.
    Old,
}

/// The sending end of a link.
#[derive(Debug)]
pub(crate) struct LinkOut {
    number: u64,
    outbox: Outbox,
    pub(crate) endpoint: SocketAddr,
    pub(crate) node: Name,
}

impl Outgoing {
    /// Says what time it is, for the stamps.
    pub(crate) fn set_now(&mut self, now: Instant) {
        self.batch.set_now(now);
        if let Some((_, batch)) = &mut self.old {
            batch.set_now(now);
        }
    }

    /// Takes a link, and answers its number. One that there is goes on as the old one.
    pub(crate) fn link_up(&mut self, link: &Link) -> u64 {
        let batch = std::mem::take(&mut self.batch); // Its stamps begin anew.
        if let Some(link) = self.link.take() {
            self.close_old();
            self.old = Some((link, batch));
        }
        self.last_link += 1;
        let number = self.last_link;
        // A socket for both families shows addresses of the older one in the form of the newer.
        let remote = link.remote_addr();
        let endpoint = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        let node = link.peer().name.clone();
        self.link = Some(LinkOut { number, outbox: link.outbox(), endpoint, node });
        number
    }

    /// What the link with this number is, if it is anything still.
    pub(crate) fn role(&self, number: u64) -> Option<Role> {
        if self.link.as_ref().is_some_and(|link| link.number == number) {
            return Some(Role::Current);
        }
        self.old.as_ref().is_some_and(|(link, _)| link.number == number).then_some(Role::Old)
    }

    /// Forgets the link.
    pub(crate) fn link_down(&mut self) -> Option<LinkOut> {
        self.link.take()
    }

    /// Forgets the old link.
    pub(crate) fn old_link_down(&mut self) {
        self.old = None;
    }

    pub(crate) fn link(&self) -> Option<&LinkOut> {
        self.link.as_ref()
    }

    /// Takes the answers that were never sent.
    pub(crate) fn take_held(&mut self) -> VecDeque<Answer> {
        self.held_bytes = 0;
        std::mem::take(&mut self.held)
    }

    /// Whether answers wait for room on the link.
    pub(crate) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether such an answer may be held if the link does not take it.
    pub(crate) fn may_hold(&self, payload_bytes: usize) -> bool {
        self.held_bytes + payload_bytes <= HELD_BYTES_MAX
    }

    /// Whether the link takes such a payload now, or there is none so that the core keeps it.
    pub(crate) fn has_room(&self, payload_bytes: usize) -> bool {
        self.has_room_beside(0, payload_bytes)
    }

    /// The same, if so many bytes are about to be staged.
    pub(crate) fn has_room_beside(&self, coming_bytes: usize, payload_bytes: usize) -> bool {
        self.link.as_ref().is_none_or(|link| {
            let staged_bytes = self.batch.bytes() + coming_bytes;
            // One that is larger than the outbox must not wait for ever.
            staged_bytes + link.outbox.queued_bytes() == 0
                || link.outbox.has_room(staged_bytes + payload_bytes + HEAD_BYTES)
        })
    }

    /// Whether there is a link and it takes more on its lane for files. One that does not says when it does.
    pub(crate) fn has_file_room(&self) -> bool {
        let staged_bytes = self.batch.bytes_on(Lane::Files);
        self.link.as_ref().is_some_and(|link| link.outbox.has_file_room(staged_bytes))
    }

    pub(crate) fn stage_file(&mut self, message: &FileMessage) {
        self.push(message);
    }

    /// Stages a message for the old link.
    pub(crate) fn stage_old(&mut self, message: &ClientMessage) {
        if let Some((_, batch)) = &mut self.old
            && let Err(error) = batch.push(message)
        {
            warn!(%error, "a message was not sent");
        }
    }

    /// Stages a message, or holds it if it is an answer without room.
    pub(crate) fn stage(&mut self, message: ClientMessage) {
        match message {
            ClientMessage::Answer(answer)
                if self.holds() || !self.has_room(answer.payload.len()) =>
            {
                self.held_bytes += answer.payload.len();
                self.held.push_back(answer);
            }
            other => self.push(&other),
        }
    }

    /// Hands everything staged to the link, and what was held as far as there is room.
    pub(crate) fn send(&mut self) {
        while let Some(answer) = self.held.front()
            && self.has_room(answer.payload.len())
            && let Some(answer) = self.held.pop_front()
        {
            self.held_bytes -= answer.payload.len();
            self.push(&ClientMessage::Answer(answer));
        }
        if let Some((link, batch)) = &mut self.old {
            link.outbox.send(batch);
        }
        match &self.link {
            Some(link) => link.outbox.send(&mut self.batch),
            None => self.batch.clear(),
        }
    }

    /// Lets the link end once everything that was handed to it is flushed.
    pub(crate) fn close(&mut self, reason: CloseReason) {
        if let Some(link) = &self.link {
            link.outbox.send(&mut self.batch);
            link.outbox.close(reason);
        }
    }

    /// Lets the old link end once everything that was handed to it is flushed.
    pub(crate) fn close_old(&mut self) {
        if let Some((link, mut batch)) = self.old.take() {
            link.outbox.send(&mut batch);
            link.outbox.close(CloseReason::new(CloseCode::Done, "the client has moved"));
        }
    }

    fn push<M: Message>(&mut self, message: &M) {
        if let Err(error) = self.batch.push(message) {
            warn!(%error, "a message was not sent");
        }
    }
}

/// Most bytes of answers that wait for room on the link.
const HELD_BYTES_MAX: usize = 64 << 20;

/// What a header and the lengths before it take, roughly, when room is looked for.
const HEAD_BYTES: usize = 256;
