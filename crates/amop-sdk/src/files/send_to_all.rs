//! How an application sends a file to all who subscribe.
//!
//! Each receiver has a transfer of its own, which knows nothing of the others; here they are only
//! begun, some at a time, and counted.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use amop_auth::PublicKey;
use amop_core::transfer::End;
use amop_wire::limits::TRANSFERS_MAX;
use amop_wire::{Code, FoundReceiver, Instance, Name, Reason};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::find::find;
use super::seal::receivers;
use super::send::{Opened, Outgoing, Recipient};
use super::sending::{FileSending, Place};
use super::{SendFile, SendFileError};

/// A file that is about to be sent to all who subscribe: await it for the end, or [`start`](Self::start) it to
/// follow it.
#[derive(Debug)]
#[must_use = "nothing is sent before this is started or awaited"]
pub struct SendFileToAll(SendFile);

impl SendFileToAll {
    pub(super) fn new(send: SendFile) -> Self {
        Self(send)
    }

    /// Hashes the file, asks the client's node who subscribes, and begins to send it to each of them:
    /// to 64 at a time, in no order that counts.
    ///
    /// # Errors
    ///
    /// [`SendFileError`] if nothing can be sent; code 100 if nobody subscribes.
    pub async fn start(self) -> Result<FileSendingToAll, SendFileError> {
        let opened = self.0.open().await?;
        let keys = keys(&opened).await?;
        let found = find(&opened.lease, &opened.offer.topic, opened.patience).await?;
        let key = |receiver: &FoundReceiver| match &keys {
            None => Some(None),
            Some(keys) => keys.get(&receiver.instance).copied().map(Some),
        };
        let (named, recipients): (Vec<_>, Vec<_>) = found
            .receivers()
            .iter()
            .filter_map(|it| Some((it, Recipient { end: it.end(), key: key(it)? })))
            .unzip();
        if named.is_empty() && keys.is_some() {
            return Err(SendFileError::NOBODY_VERIFIED);
        }
        if named.is_empty() {
            let (code, reason) = (Code::NoSubscriber, Reason::NoSubscriber);
            return Err(SendFileError::Failed { code, reason });
        }
        let outgoing = Arc::new(opened.to(recipients));
        let (size, sha256) = (outgoing.offer.layout.size(), outgoing.offer.sha256);
        let waiting = |receiver: &FoundReceiver| {
            let FoundReceiver { node, instance } = receiver.clone();
            FileAtReceiver { node, instance, received: 0, resumed: 0, outcome: None }
        };
        let receivers = named.into_iter().map(waiting).collect();
        let board = Arc::new(watch::Sender::new(ProgressToAll { receivers, total: size }));
        let progress = board.subscribe();
        let (turns, mut tasks) = (Arc::new(Semaphore::new(TRANSFERS_MAX)), JoinSet::new());
        for index in 0..outgoing.receivers.len() {
            let (outgoing, board) = (Arc::clone(&outgoing), Arc::clone(&board));
            let turns = Arc::clone(&turns);
            tasks.spawn(async move {
                let _turn = turns.acquire_owned().await;
                send_to(outgoing, index, &board).await;
            });
        }
        let left_out = found.left_out();
        Ok(FileSendingToAll { outgoing, tasks, progress, size, sha256, left_out })
    }
}

impl IntoFuture for SendFileToAll {
    type Output = Result<FileSentToAll, SendFileError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { self.start().await?.done().await })
    }
}

/// Sends it to one of them, and notes on the board how far it is and how it ended.
async fn send_to(outgoing: Arc<Outgoing>, index: usize, board: &watch::Sender<ProgressToAll>) {
    let ended = async {
        if outgoing.is_cancelled() {
            return Err(SendFileError::CANCELLED);
        }
        let recipient = outgoing.receivers[index];
        let mut sending = FileSending::begin(outgoing, recipient, Place::ForOne)?;
        while let Some(progress) = sending.next_progress().await {
            board.send_modify(|board| {
                let at = &mut board.receivers[index];
                (at.received, at.resumed) = (progress.received, progress.resumed);
            });
        }
        sending.ended().await
    };
    let (end, moved_bytes) = match ended.await {
        Ok(ended) => ended,
        Err(SendFileError::Failed { code, reason }) => (End { code, reason }, 0),
        // The client was closed, and nobody knows what the receiver has.
        Err(_) => return,
    };
    board.send_modify(|board| {
        let at = &mut board.receivers[index];
        at.received = if end.code == Code::Ok { board.total } else { at.received };
        let (node, instance) = (at.node.clone(), at.instance);
        let (code, reason) = (end.code, end.reason);
        at.outcome = Some(FileOutcome { node, instance, code, reason, moved_bytes });
    });
}

/// By which keys the receivers on a private topic were let in; `None` on a public one. Who is being verified
/// is waited for.
async fn keys(opened: &Opened) -> Result<Option<BTreeMap<Instance, PublicKey>>, SendFileError> {
    if !opened.is_private() {
        return Ok(None);
    }
    let patience = opened.patience.min(VERIFIED_WITHIN);
    let found = receivers(&opened.lease, &opened.offer.topic, patience, |_| false).await;
    if found.verified.is_empty() {
        return Err(SendFileError::NOBODY_VERIFIED);
    }
    Ok(Some(found.verified.into_iter().map(|(end, key)| (end.instance, key)).collect()))
}

/// A file on its way to all who subscribe. Dropping it gives it up wherever it is not there yet; what
/// receivers have of it stays.
pub struct FileSendingToAll {
    outgoing: Arc<Outgoing>,
    tasks: JoinSet<()>,
    progress: watch::Receiver<ProgressToAll>,
    size: u64,
    sha256: [u8; 32],
    left_out: u32,
}

impl FileSendingToAll {
    /// The size of the file, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The SHA-256 of the file.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Waits until some receiver has more than before, or has come to its end; `None` once there is nothing
    /// more to wait for.
    ///
    /// Dropping the future loses nothing.
    pub async fn next_progress(&mut self) -> Option<ProgressToAll> {
        self.progress.changed().await.ok()?;
        Some(self.progress.borrow_and_update().clone())
    }

    /// Gives it up wherever it is not there yet; [`done`](Self::done) then says at once what is known of each
    /// receiver: 102 of one that may have it.
    pub fn cancel(&self) {
        self.outgoing.cancel();
    }

    /// Waits until it has come to an end at every receiver, and says to which.
    ///
    /// # Errors
    ///
    /// [`SendFileError::Closed`] if the client was closed meanwhile.
    pub async fn done(mut self) -> Result<FileSentToAll, SendFileError> {
        while self.tasks.join_next().await.is_some() {}
        let board = self.progress.borrow();
        let outcomes: Option<Vec<_>> =
            board.receivers.iter().map(|at| at.outcome.clone()).collect();
        let outcomes = outcomes.ok_or(SendFileError::Closed)?;
        let Self { size, sha256, left_out, .. } = self;
        Ok(FileSentToAll { size, sha256, outcomes, left_out })
    }
}

impl fmt::Debug for FileSendingToAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSendingToAll").field("size", &self.size).finish_non_exhaustive()
    }
}

/// How far a file is at all its receivers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProgressToAll {
    /// Each of them, in an order that stays.
    pub receivers: Vec<FileAtReceiver>,
    /// The size of the file, in bytes.
    pub total: u64,
}

/// How far a file is at one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileAtReceiver {
    /// The receiver's node.
    pub node: Name,
    /// The life of the receiver's client.
    pub instance: Instance,
    /// How many bytes of the file are there.
    pub received: u64,
    /// How many of them were there before, from an earlier send of the same file.
    pub resumed: u64,
    /// How it ended, if it did.
    pub outcome: Option<FileOutcome>,
}

impl ProgressToAll {
    /// How many receivers have the file.
    #[must_use]
    pub fn done(&self) -> usize {
        self.count(|outcome| outcome.code == Code::Ok)
    }

    /// How many receivers will not get it, or may not have got it.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.count(|outcome| outcome.code != Code::Ok)
    }

    /// How many bytes were there before, at all receivers together.
    #[must_use]
    pub fn resumed(&self) -> u64 {
        self.receivers.iter().map(|at| at.resumed).sum()
    }

    /// Who has least of it of those to whom it is still sent.
    #[must_use]
    pub fn slowest(&self) -> Option<&FileAtReceiver> {
        let going = self.receivers.iter().filter(|at| at.outcome.is_none());
        going.min_by_key(|at| at.received)
    }

    fn count(&self, is_it: impl Fn(&FileOutcome) -> bool) -> usize {
        self.receivers.iter().filter(|at| at.outcome.as_ref().is_some_and(&is_it)).count()
    }
}

/// How a file that was sent to all came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileSentToAll {
    /// Its size, in bytes.
    pub size: u64,
    /// Its SHA-256, which each receiver that has it has checked.
    pub sha256: [u8; 32],
    /// What became of it at each receiver.
    pub outcomes: Vec<FileOutcome>,
    /// How many subscribers there were beyond the 1,024 that are told of. It was not sent to them.
    pub left_out: u32,
}

/// What became of a file at one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileOutcome {
    /// The receiver's node.
    pub node: Name,
    /// The life of the receiver's client.
    pub instance: Instance,
    /// 0 if the file is complete on its disk; else as in FILE-10.
    pub code: Code,
    /// The reason behind it.
    pub reason: Reason,
    /// How many bytes were sent for it.
    pub moved_bytes: u64,
}

impl FileSentToAll {
    /// One code for all: 0 if every receiver has it; 102 if one may have it and nobody knows; else the
    /// greatest that any receiver ended with, or 204 if some were left out.
    #[must_use]
    pub fn code(&self) -> Code {
        let left_out = (self.left_out > 0).then_some(Code::Overloaded);
        let codes = self.outcomes.iter().map(|outcome| outcome.code).chain(left_out);
        let weight = |code: &Code| match code {
            Code::TimedOut => u8::MAX,
            code => code.number(),
        };
        codes.max_by_key(weight).unwrap_or(Code::Ok)
    }
}

/// How long a proof may take: who says nothing is not waited for any longer.
const VERIFIED_WITHIN: Duration = Duration::from_secs(6);
