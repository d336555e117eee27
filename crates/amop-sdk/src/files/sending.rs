//! A file on its way to one receiver, until it has come to its end.
//!
//! A receiver on a private topic may have lost the keys that its sender believes it to have. It refuses the offer
//! for good then, and the file is offered anew, as a transfer of its own, to whoever may have it instead, or to the
//! same one once it was verified anew (FILE-16).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use amop_core::client::{FILE_NEXT_WITHIN, FileReceivers, Input};
use amop_core::transfer::End;
use amop_wire::{Code, Instance, Instant, Reason};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::Progress;
use super::outbound::Outbound;
use super::seal::receivers;
use super::send::{FileSent, Outgoing, Recipient, SendFileError};
use crate::lease::Lease;

/// A file on its way. Dropping it gives the file up; what the receiver has of it stays, and the same file
/// sent again goes on there.
#[derive(Debug)]
pub struct FileSending {
    outgoing: Arc<Outgoing>,
    /// The number of the transfer that is under way.
    transfer: Arc<AtomicU64>,
    progress: watch::Receiver<Progress>,
    task: JoinHandle<Ended>,
}

/// How a send came to its end, and how many bytes were sent for it.
type Ended = Result<(End, u64), SendFileError>;

impl FileSending {
    /// The size of the file, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.outgoing.offer.layout.size()
    }

    /// The SHA-256 of the file.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.outgoing.offer.sha256
    }

    /// Waits until the receiver has more than before; `None` once there is nothing more to wait for.
    ///
    /// Dropping the future loses nothing.
    pub async fn next_progress(&mut self) -> Option<Progress> {
        self.progress.changed().await.ok()?;
        Some(*self.progress.borrow_and_update())
    }

    /// Gives it up, unless it is there already; [`done`](Self::done) then says at once what is known of it: 102 if the
    /// receiver may have it. What that has of it stays, and the same file sent again goes on there.
    pub fn cancel(&self) {
        self.outgoing.cancel();
    }

    /// Waits for the end: once it is there, file and directory are safe on the receiver's disk.
    ///
    /// # Errors
    ///
    /// [`SendFileError::Failed`] with the code, or [`SendFileError::Closed`].
    pub async fn done(mut self) -> Result<FileSent, SendFileError> {
        let (end, moved_bytes) = self.ended().await?;
        match end.code {
            Code::Ok => Ok(FileSent { size: self.size(), sha256: *self.sha256(), moved_bytes }),
            code => Err(SendFileError::Failed { code, reason: end.reason }),
        }
    }

    /// How it ended, and how many bytes were sent for it. Asked for once.
    pub(super) async fn ended(&mut self) -> Ended {
        (&mut self.task).await.unwrap_or(Err(SendFileError::Closed))
    }

    /// Begins to send a file to one receiver, and has a task see to it until it has come to its end.
    pub(super) fn begin(
        outgoing: Arc<Outgoing>,
        recipient: Recipient,
        place: Place,
    ) -> Result<Self, SendFileError> {
        let size = outgoing.offer.layout.size();
        let (progress, followed) = watch::channel(Progress { total: size, ..Progress::default() });
        let attempt = outgoing.attempt(recipient, &progress)?;
        let transfer = Arc::new(AtomicU64::new(attempt.transfer));
        let present = Present { attempt, transfer: Arc::clone(&transfer) };
        let task = tokio::spawn(see_through(Arc::clone(&outgoing), present, place, progress));
        Ok(Self { outgoing, transfer, progress: followed, task })
    }
}

impl Drop for FileSending {
    fn drop(&mut self) {
        self.task.abort();
        // The task lets go of it as well, but perhaps too late for the receiver to hear of it.
        let transfer = self.transfer.load(Ordering::Relaxed);
        let lease = &self.outgoing.lease;
        lease.turn(|state, now| state.files.act_on(now, transfer, Outbound::cancel));
    }
}

/// Whether another one may receive a file in the place of one who could not open its offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    ForAnybody,
    ForOne,
}

/// The attempt that is under way, and its number, as its [`FileSending`] knows it.
struct Present {
    attempt: Attempt,
    transfer: Arc<AtomicU64>,
}

/// One transfer to one receiver. Dropping it gives it up.
pub(super) struct Attempt {
    pub(super) lease: Arc<Lease>,
    pub(super) transfer: u64,
    pub(super) recipient: Recipient,
    pub(super) end: Option<oneshot::Receiver<(End, u64)>>,
}

impl Attempt {
    async fn ended(&mut self) -> Ended {
        let end = self.end.as_mut().expect("it has begun");
        end.await.map_err(|_| SendFileError::Closed)
    }

    fn cancel(&self) {
        let transfer = self.transfer;
        self.lease.turn(|state, now| state.files.act_on(now, transfer, Outbound::cancel));
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Waits for the end of an attempt, and goes on with the next one while receivers cannot open the offer: for as
/// long as one of them may be silent, and with the same one if it may have taken anything.
async fn see_through(
    outgoing: Arc<Outgoing>,
    mut present: Present,
    mut place: Place,
    progress: watch::Sender<Progress>,
) -> Ended {
    let (mut all_moved, mut until) = (0, None);
    loop {
        let (end, moved) = tokio::select! {
            biased;
            ended = present.attempt.ended() => ended?,
            () = outgoing.cancelled() => {
                present.attempt.cancel();
                present.attempt.ended().await?
            }
        };
        all_moved += moved;
        if (end.code, end.reason) != (Code::SubscriberUnreachable, Reason::CannotOpen) {
            return Ok((end, all_moved));
        }
        if all_moved > 0 {
            place = Place::ForOne;
        }
        let before = present.attempt.recipient.end.instance;
        let until = *until.get_or_insert(outgoing.lease.now() + outgoing.patience);
        let next = tokio::select! {
            next = next_after(&outgoing, before, place, until) => next,
            () = outgoing.cancelled() => None,
        };
        let Some(next) = next else { return Ok((end, all_moved)) };
        match outgoing.attempt(next, &progress) {
            Ok(attempt) => {
                present.transfer.store(attempt.transfer, Ordering::Relaxed);
                present.attempt = attempt;
            }
            Err(SendFileError::Closed) => return Err(SendFileError::Closed),
            Err(_) => return Ok((end, all_moved)),
        }
    }
}

/// Looks for who is next after one who could not open the offer: that one, once it was verified anew, or
/// whoever else may receive it. Nobody is after the end of the time for that.
async fn next_after(
    outgoing: &Outgoing,
    before: Instance,
    place: Place,
    until: Instant,
) -> Option<Recipient> {
    let Outgoing { lease, offer, .. } = outgoing;
    let (topic, subscriber) = (offer.topic.clone(), before);
    lease.turn(|state, now| state.handle(now, Input::CannotOpen { topic, subscriber }));
    let pick = |found: &FileReceivers| match place {
        Place::ForAnybody => found.choose(offer.id),
        Place::ForOne => found.find(before),
    };
    let left = until.saturating_since(lease.now());
    let within = left.min(FILE_NEXT_WITHIN);
    let found = receivers(lease, &offer.topic, within, |found| pick(found).is_some()).await;
    let (end, key) = pick(&found).filter(|_| !left.is_zero())?;
    Some(Recipient { end, key: Some(key) })
}
