//! A message in the hands of the application, which owes an answer if it is a unicast.

use std::sync::Arc;
use std::time::Duration;

use amop_core::client::{Delivered, Gap, Input, Wanted};
use amop_wire::limits::PAYLOAD_BYTES_MAX;
use amop_wire::{AnswerStatus, Attempt, Mode, MsgId, Name, Topic};
use bytes::Bytes;

use crate::lease::Lease;

/// A message taken from a [`Subscription`](crate::Subscription).
///
/// A unicast waits for [`reply`](Self::reply) or [`fail`](Self::fail). If it is dropped without
/// either, also by a panic, its publisher gets an answer with
/// [`AnswerStatus::Dropped`]. A multicast wants nothing: it was acked when it was taken.
#[derive(Debug)]
pub struct Message {
    lease: Arc<Lease>,
    delivered: Delivered,
    gap: Option<Gap>,
    /// What the publisher waits for an answer to.
    open: Option<Attempt>,
}

impl Message {
    pub(crate) fn new(lease: Arc<Lease>, delivered: Delivered, gap: Option<Gap>) -> Self {
        let open = match delivered.wanted {
            Wanted::Answer(attempt) => Some(attempt),
            Wanted::Ack(_) => None,
        };
        Self { lease, delivered, gap, open }
    }

    /// What it was published to.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.delivered.topic
    }

    /// The message itself.
    ///
    /// It may share memory with other messages that arrived with it: copy a small part that is
    /// kept for long.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.delivered.payload
    }

    /// Who published it, as the publisher's node attests it.
    #[must_use]
    pub fn from(&self) -> &Name {
        &self.delivered.from
    }

    /// Its id, the same that its publisher knows.
    #[must_use]
    pub fn id(&self) -> MsgId {
        self.delivered.id
    }

    /// Whether it wants an answer.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.delivered.mode()
    }

    /// Whether another subscriber may have handled it: its publisher asks for at least once.
    #[must_use]
    pub fn is_redelivered(&self) -> bool {
        self.delivered.redelivered
    }

    /// The number of a multicast among those of its publisher to the topic; 0 for a unicast.
    ///
    /// A subscription hands them out in this order, whichever ways they came.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.delivered.sequence
    }

    /// What is missing before a multicast: those of the same publisher to the topic since the last
    /// one that this subscription handed out. They were lost on their way, came too late, or had no
    /// room here, and will not come any more. `None` if nothing is missing.
    #[must_use]
    pub fn gap(&self) -> Option<Gap> {
        self.gap
    }

    /// What is left of the publisher's time. Zero: nobody waits for the answer any more.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.delivered.expires.saturating_since(self.lease.now())
    }

    /// Answers a unicast. Queues the answer and returns at once.
    ///
    /// # Errors
    ///
    /// [`ReplyError`] says why no answer was queued.
    pub fn reply(self, payload: impl Into<Bytes>) -> Result<(), ReplyError> {
        self.answer(AnswerStatus::Answered, payload.into())
    }

    /// Answers a unicast with a failure: it was handled, and this is what went wrong.
    ///
    /// The publisher gets the text with [`AnswerStatus::Failed`]; nobody else is tried.
    ///
    /// # Errors
    ///
    /// [`ReplyError`] says why no answer was queued.
    pub fn fail(self, text: impl Into<String>) -> Result<(), ReplyError> {
        self.answer(AnswerStatus::Failed, text.into().into())
    }

    fn answer(mut self, status: AnswerStatus, payload: Bytes) -> Result<(), ReplyError> {
        let Some(attempt) = self.open else { return Err(ReplyError::Multicast) };
        let payload_bytes = payload.len();
        if payload_bytes > PAYLOAD_BYTES_MAX {
            return Err(ReplyError::TooLong { payload_bytes, limit: PAYLOAD_BYTES_MAX });
        }
        let expires = self.delivered.expires;
        let answered = self.lease.turn(|state, now| {
            if !state.is_open() {
                return Err(ReplyError::Closed);
            }
            if expires <= now {
                return Err(ReplyError::TooLate);
            }
            if !state.outgoing.may_hold(payload_bytes) {
                return Err(ReplyError::Congested);
            }
            state.handle(now, Input::Answer { attempt, status, payload });
            Ok(())
        });
        // A publisher that may still be told is told by dropping the message.
        if answered != Err(ReplyError::Congested) {
            self.open = None;
        }
        answered
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        let Some(attempt) = self.open else { return };
        let expires = self.delivered.expires;
        self.lease.turn(|state, now| {
            if state.is_open() && now < expires {
                let (status, payload) = (AnswerStatus::Dropped, Bytes::new());
                state.handle(now, Input::Answer { attempt, status, payload });
            }
        });
    }
}

/// Why an answer was not queued. The message is used up in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The publisher's deadline has passed: it was told 102 meanwhile.
    #[error("the publisher no longer waits for an answer")]
    TooLate,
    /// The answer is over the limit. The publisher is told that the message was dropped.
    #[error("answer of {payload_bytes} bytes is over the limit of {limit}")]
    TooLong {
        /// Its length.
        payload_bytes: usize,
        /// The longest that is taken.
        limit: usize,
    },
    /// A multicast has no answer.
    #[error("a multicast is not answered")]
    Multicast,
    /// Too many bytes of answers wait for the link already. The publisher is told that the message
    /// was dropped.
    #[error("too many answers wait for the link")]
    Congested,
    /// The client was closed. The publisher will be told 102.
    #[error("the client is closed")]
    Closed,
}
