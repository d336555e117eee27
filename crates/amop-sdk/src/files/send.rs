//! How an application sends a file.

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Weak, mpsc};
use std::time::Duration;

use amop_auth::PublicKey;
use amop_core::client::FileReceivers;
use amop_core::transfer::{Pace, Sender};
use amop_files::{Source, SourceError};
use amop_wire::limits::{FILE_PIECE_BYTES_MAX, FILE_SEAL_BYTES_MAX, TRANSFERS_MAX};
use amop_wire::{
    Code, FileEnd, FileId, FileOffer, FileRoute, Name, NodeId, Reason, Topic, TopicError,
};
use tokio::sync::{oneshot, watch};

use super::outbound::{Outbound, Seal, Wanted, Ways};
use super::seal::receivers;
use super::sending::{Attempt, FileSending, Place};
use super::{Files, Progress, SendFileToAll};
use crate::driver::Driver;
use crate::lease::Lease;
use crate::topic::IntoTopic;

/// A file that is about to be sent: await it for the end, or [`start`](Self::start) it to follow it.
#[must_use = "nothing is sent before this is started or awaited"]
pub struct SendFile {
    lease: Arc<Lease>,
    name: Name,
    topic: Result<Topic, TopicError>,
    path: PathBuf,
    /// The id, if it does not follow from the file.
    id: Option<FileId>,
    patience: Duration,
    bytes_per_second: Option<u64>,
}

impl SendFile {
    pub(crate) fn new(lease: Arc<Lease>, name: Name, topic: impl IntoTopic, path: PathBuf) -> Self {
        let topic = topic.into_topic();
        Self { lease, name, topic, path, id: None, patience: PATIENCE, bytes_per_second: None }
    }

    /// Names what is sent, so that sending by this name again is the same file, if it has the same label and content:
    /// what is there is not sent again, and another file is refused with 205. Without a name, label and content
    /// together are the name, so that a changed file is another one.
    ///
    /// A receiver knows the keys of one certified name and topic as long as it keeps parts, 24 h unless its
    /// [settings](crate::FolderSettings) say otherwise; another receiver does not know them.
    pub fn idempotency_key(mut self, name: impl AsRef<[u8]>) -> Self {
        self.id = Some(FileId::of_key(name.as_ref()));
        self
    }

    /// Sets how long the receiver may be silent, or nobody be there who takes its place: 60 s unless
    /// it was set.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends no more than so many bytes in a second, to all receivers together. There is no limit unless it was set.
    pub fn limit(mut self, bytes_per_second: u64) -> Self {
        self.bytes_per_second = Some(bytes_per_second);
        self
    }

    /// Sends it to all who subscribe now, each at its own pace and with an outcome of its own.
    pub fn to_all(self) -> SendFileToAll {
        SendFileToAll::new(self)
    }

    /// Hashes the file, which takes as long as reading it, and begins to send it.
    ///
    /// # Errors
    ///
    /// [`SendFileError`] if nothing can be sent.
    pub async fn start(self) -> Result<FileSending, SendFileError> {
        let opened = self.open().await?;
        let anybody = opened.anybody().await?;
        FileSending::begin(Arc::new(opened.to(vec![anybody])), anybody, Place::ForAnybody)
    }

    /// Opens and hashes the file.
    pub(super) async fn open(self) -> Result<Opened, SendFileError> {
        let Self { lease, name, topic, path, id, patience, bytes_per_second } = self;
        let topic = topic.map_err(SendFileError::BadTopic)?;
        let opened = tokio::task::spawn_blocking(move || Source::open(&path, &mut |_| {}));
        let source = opened.await.map_err(|_| SendFileError::Closed)?;
        let source = source.map_err(SendFileError::Unreadable)?;
        let offer = source.offer(id.unwrap_or_else(|| source.id()), name, topic);
        Ok(Opened { lease, offer, source, patience, bytes_per_second })
    }
}

/// A file that is open and hashed.
pub(super) struct Opened {
    pub(super) lease: Arc<Lease>,
    pub(super) offer: FileOffer,
    source: Source,
    pub(super) patience: Duration,
    bytes_per_second: Option<u64>,
}

/// To whom a file is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipient {
    pub(super) end: FileEnd,
    /// By which key it was let in, on a private topic.
    pub(super) key: Option<PublicKey>,
}

impl Opened {
    pub(super) fn is_private(&self) -> bool {
        self.lease.look(|state| state.core.is_private(&self.offer.topic))
    }

    /// Whoever the home node chooses; on a private topic one who has proved to hold a listed key.
    async fn anybody(&self) -> Result<Recipient, SendFileError> {
        if !self.is_private() {
            return Ok(Recipient { end: FileEnd::ANY, key: None });
        }
        let is_enough = |found: &FileReceivers| !found.verified.is_empty();
        let found = receivers(&self.lease, &self.offer.topic, self.patience, is_enough).await;
        let (end, key) = found.choose(self.offer.id).ok_or(SendFileError::NOBODY_VERIFIED)?;
        Ok(Recipient { end, key: Some(key) })
    }

    /// Names its receivers, who share what may be sent in a second.
    pub(super) fn to(self, receivers: Vec<Recipient>) -> Outgoing {
        let Self { lease, offer, mut source, patience, bytes_per_second } = self;
        source.share_among(receivers.len());
        let at_once = receivers.len().clamp(1, TRANSFERS_MAX);
        let share = |all: u64| all / u64::try_from(at_once).expect("it is at most 64");
        let bytes_per_second = bytes_per_second.map(share);
        let reads = read(Arc::downgrade(lease.driver()), source);
        let is_cancelled = watch::Sender::new(false);
        Outgoing { lease, offer, reads, patience, bytes_per_second, receivers, is_cancelled }
    }
}

/// A file that is to be sent to one receiver or several.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) lease: Arc<Lease>,
    pub(super) offer: FileOffer,
    reads: mpsc::Sender<Wanted>,
    pub(super) patience: Duration,
    bytes_per_second: Option<u64>,
    pub(super) receivers: Vec<Recipient>,
    is_cancelled: watch::Sender<bool>,
}

impl Outgoing {
    /// Has all that goes on with it come to an end.
    pub(super) fn cancel(&self) {
        self.is_cancelled.send_replace(true);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        *self.is_cancelled.borrow()
    }

    /// Waits until it is given up.
    pub(super) async fn cancelled(&self) {
        let mut is_cancelled = self.is_cancelled.subscribe();
        // The other half is here, so this ends with nothing else.
        let _ = is_cancelled.wait_for(|is_cancelled| *is_cancelled).await;
    }

    /// Offers it to one receiver, as a transfer of its own.
    pub(super) fn attempt(
        &self,
        recipient: Recipient,
        progress: &watch::Sender<Progress>,
    ) -> Result<Attempt, SendFileError> {
        let Self { lease, offer, reads, patience, bytes_per_second, .. } = self;
        let (sha256, layout) = (offer.sha256, offer.layout);
        let (ended, end) = oneshot::channel();
        let (instance, receiver) = (lease.instance(), recipient.end);
        let transfer = lease.turn(|state, now| {
            if !state.is_open() {
                return Err(SendFileError::Closed);
            }
            let is_let_in = |key| {
                let verified = state.core.verified(now, &offer.topic);
                verified.contains(&(receiver.instance, key))
            };
            if !recipient.key.map_or(!state.core.is_private(&offer.topic), is_let_in) {
                return Err(SendFileError::NOBODY_VERIFIED);
            }
            let files = &mut state.files;
            files.last_transfer += 1;
            let transfer = files.last_transfer;
            let seal = recipient.key.and_then(|key| {
                let sealer = state.core.file_sealer(transfer, receiver.instance)?;
                Some(Seal { sealer, key })
            });
            let sender = FileEnd { instance, node: files.home.unwrap_or(NOWHERE) };
            let route = FileRoute { transfer, sender, receiver };
            let sender = Sender::new(now, route, offer.clone(), *patience);
            let sender =
                if seal.is_some() { sender.with_pieces_of(SEALED_PIECE_BYTES) } else { sender };
            let pace = bytes_per_second.map(|limit| Pace::new(now, limit));
            let (topic, reads) = (offer.topic.clone(), reads.clone());
            let progress = progress.clone();
            let ways = Ways { topic, sha256, seal, layout, pace, reads, progress, ended };
            files.outbound.insert(transfer, Outbound::new(sender, ways));
            if let Some(home) = files.home {
                files.act_on(now, transfer, |outbound, now| outbound.link_up(now, home));
            }
            Ok(transfer)
        })?;
        Ok(Attempt { lease: Arc::clone(lease), transfer, recipient, end: Some(end) })
    }
}

impl IntoFuture for SendFile {
    type Output = Result<FileSent, SendFileError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { self.start().await?.done().await })
    }
}

impl fmt::Debug for SendFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendFile")
            .field("topic", &self.topic)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Reads for the transfers of one file until all are over, on a thread that may wait for the disk.
fn read(driver: Weak<Driver>, mut source: Source) -> mpsc::Sender<Wanted> {
    let (reads, wanted) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok(Wanted { transfer, start, bytes }) = wanted.recv() {
            let read = source.read(start, bytes).map_err(|error| error.reason());
            let Some(driver) = driver.upgrade() else { return };
            driver.turn(|state, now| {
                let files: &mut Files = &mut state.files;
                files.act_on(now, transfer, |outbound, now| outbound.was_read(now, start, read));
            });
            source.read_ahead(start);
        }
    });
    reads
}

/// A file that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileSent {
    /// Its size, in bytes.
    pub size: u64,
    /// Its SHA-256, which the receiver has checked.
    pub sha256: [u8; 32],
    /// How many bytes were sent for it: less than its size if the receiver had some of it, more if some were
    /// sent twice.
    pub moved_bytes: u64,
}

/// Why a file was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendFileError {
    /// The topic is none; nothing was sent.
    #[error("bad topic")]
    BadTopic(#[source] TopicError),
    /// The file cannot be read or sent; nothing was sent.
    #[error("the file cannot be sent")]
    Unreadable(#[source] SourceError),
    /// The client was closed. The receiver may have the file.
    #[error("the client is closed")]
    Closed,
    /// It ended so (FILE-10). The receiver has it only if the code is 102, and then perhaps.
    #[error("{code}: {reason}")]
    Failed {
        /// The code.
        code: Code,
        /// The reason behind it.
        reason: Reason,
    },
}

impl SendFileError {
    /// Nobody who may read it is there.
    pub(super) const NOBODY_VERIFIED: Self =
        Self::Failed { code: Code::NoSubscriber, reason: Reason::NoVerifiedReceiver };

    /// It was given up before it was offered.
    pub(super) const CANCELLED: Self =
        Self::Failed { code: Code::FileRefused, reason: Reason::Cancelled };

    /// The code of FILE-10, if it got so far.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Failed { code, .. } => Some(*code),
            Self::BadTopic(_) => Some(Code::Invalid),
            Self::Unreadable(_) | Self::Closed => None,
        }
    }
}

/// A client that is not connected is at no node.
const NOWHERE: NodeId = NodeId::from_bytes([0; 32]);

/// How much of a file is sealed at a time.
const SEALED_PIECE_BYTES: usize = FILE_PIECE_BYTES_MAX - FILE_SEAL_BYTES_MAX;

/// How long a receiver may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
