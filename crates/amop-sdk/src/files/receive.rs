//! How an application receives files.

use std::collections::btree_map::Entry;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use amop_auth::SecretKey;
use amop_core::transfer::{DiskTask, End, InboxInput, Receiver, Slot};
use amop_files::{Folder, FolderError, Settings};
use amop_wire::{Code, FileOffer, Name, Reason, Topic, TopicError};
use tokio::sync::{mpsc, oneshot, watch};

use super::Progress;
use super::cleaning::Cleaning;
use super::disk::Disk;
use crate::driver::Driver;
use crate::lease::Lease;
use crate::subscribe::{Subscribe, SubscribeError};
use crate::subscription::Subscription;

/// Files that are about to be received: await it.
#[must_use = "nothing is received before this is awaited"]
pub struct ReceiveFiles {
    lease: Arc<Lease>,
    topic: Result<Topic, TopicError>,
    subscribe: Subscribe,
    dir: PathBuf,
    settings: Settings,
}

impl ReceiveFiles {
    pub(crate) fn new(
        lease: Arc<Lease>,
        topic: Result<Topic, TopicError>,
        subscribe: Subscribe,
        dir: PathBuf,
    ) -> Self {
        Self { lease, topic, subscribe, dir, settings: Settings::default() }
    }

    /// Waits until every node knows that files are received here, not only the client's own; see
    /// [`Subscribe::propagated`].
    pub fn propagated(mut self) -> Self {
        self.subscribe = self.subscribe.propagated();
        self
    }

    /// Takes only files that are sealed for the holder of this key, which is proved to each sender that asks.
    pub fn with_key(mut self, key: SecretKey) -> Self {
        self.subscribe = self.subscribe.with_key(key);
        self
    }

    /// Sets what is taken. Everything that replaces nothing, unless it was set.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    async fn open(self) -> Result<FileReceiver, ReceiveFileError> {
        let Self { lease, topic, subscribe, dir, settings } = self;
        let bad_topic = |error| ReceiveFileError::Subscribe(SubscribeError::BadTopic(error));
        let topic = topic.map_err(bad_topic)?;
        let opened = dir.clone();
        let opened = tokio::task::spawn_blocking(move || Folder::open(&opened, settings));
        let folder = opened.await.map_err(|_| ReceiveFileError::Closed)?;
        let folder = folder.map_err(ReceiveFileError::Folder)?;
        let cleaning = Cleaning::begin(folder.clone()).await;
        amop_p2p::keep_freed_memory(); // Pieces come and go by the thousand.
        let (shown, arrivals) = mpsc::channel(ARRIVALS_MAX);
        let driver = Arc::downgrade(lease.driver());
        let intake = Intake { folder, dir, driver, shown };
        // It must be there when the first file comes, and go if nothing comes of this.
        lease.turn(|state, _| match state.files.intakes.entry(topic.clone()) {
            Entry::Vacant(place) => {
                place.insert(intake);
                Ok(())
            }
            Entry::Occupied(_) => {
                let topic = topic.clone();
                Err(ReceiveFileError::Subscribe(SubscribeError::AlreadySubscribed { topic }))
            }
        })?;
        let open = Open { lease, topic };
        let subscription = subscribe.await.map_err(ReceiveFileError::Subscribe)?;
        Ok(FileReceiver { _open: open, _cleaning: cleaning, subscription, arrivals })
    }
}

impl IntoFuture for ReceiveFiles {
    type Output = Result<FileReceiver, ReceiveFileError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}

impl fmt::Debug for ReceiveFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveFiles").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// The files of one topic, on their way into a folder. Dropping it unsubscribes and gives up what is under
/// way; what is there of it stays for 24 h, and the same file goes on there. What is older is removed when this
/// begins, and each hour.
#[derive(Debug)]
pub struct FileReceiver {
    _open: Open,
    _cleaning: Cleaning,
    subscription: Subscription,
    arrivals: mpsc::Receiver<IncomingFile>,
}

impl FileReceiver {
    /// Waits for the next file that begins to come; `None` once the client is closed or a node refused
    /// the subscription. Files come whether or not anybody waits here, but no more than 256 that nobody took.
    ///
    /// Messages on the topic are dropped: whoever sent them learns that. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<IncomingFile> {
        loop {
            tokio::select! {
                biased;
                incoming = self.arrivals.recv() => return incoming,
                message = self.subscription.next() => drop(message?),
            }
        }
    }
}

/// Keeps the place where the files of a topic go.
#[derive(Debug)]
struct Open {
    lease: Arc<Lease>,
    topic: Topic,
}

impl Drop for Open {
    fn drop(&mut self) {
        let topic = &self.topic;
        self.lease.turn(|state, now| {
            let files = &mut state.files;
            files.intakes.remove(topic);
            let is_of_it = |slot: &&Slot| {
                files.inbox.receiver(**slot).is_some_and(|it| it.offer().topic == *topic)
            };
            let slots: Vec<Slot> = files.arriving.keys().filter(is_of_it).copied().collect();
            for slot in slots {
                files.tell_inbox(now, InboxInput::Cancel(slot));
            }
        });
    }
}

/// A file on its way in. It goes on whether or not anybody holds this.
#[derive(Debug)]
pub struct IncomingFile {
    driver: Weak<Driver>,
    slot: Slot,
    offer: FileOffer,
    progress: watch::Receiver<Progress>,
    end: oneshot::Receiver<Result<PathBuf, End>>,
}

impl IncomingFile {
    /// What the file is called.
    #[must_use]
    pub fn name(&self) -> &str {
        self.offer.label.as_str()
    }

    /// Its size, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.offer.layout.size()
    }

    /// Its SHA-256.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.offer.sha256
    }

    /// Who sends it, as the sender's node says.
    #[must_use]
    pub fn from(&self) -> &Name {
        &self.offer.from
    }

    /// Waits until more is there than before; `None` once there is nothing more to wait for.
    ///
    /// Dropping the future loses nothing.
    pub async fn next_progress(&mut self) -> Option<Progress> {
        self.progress.changed().await.ok()?;
        Some(*self.progress.borrow_and_update())
    }

    /// Gives it up, unless it is there already. The sender is told.
    pub fn cancel(&self) {
        if let Some(driver) = self.driver.upgrade() {
            driver.turn(|state, now| {
                state.files.tell_inbox(now, InboxInput::Cancel(self.slot));
            });
        }
    }

    /// Waits for the end, and says where the file is.
    ///
    /// # Errors
    ///
    /// [`ReceiveFileError::Failed`] with the code, or [`ReceiveFileError::Closed`]. Nothing is visible
    /// under its name.
    pub async fn done(self) -> Result<PathBuf, ReceiveFileError> {
        match self.end.await {
            Ok(Ok(path)) => Ok(path),
            Ok(Err(End { code, reason })) => Err(ReceiveFileError::Failed { code, reason }),
            Err(_) => Err(ReceiveFileError::Closed),
        }
    }
}

/// Why a file is not received, or none at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveFileError {
    /// The folder cannot be used.
    #[error("the folder cannot be used")]
    Folder(#[source] FolderError),
    /// The topic cannot be subscribed to.
    #[error("cannot subscribe")]
    Subscribe(#[source] SubscribeError),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
    /// The file was given up, here or at its sender.
    #[error("{code}: {reason}")]
    Failed {
        /// The code that its sender is told.
        code: Code,
        /// The reason behind it.
        reason: Reason,
    },
}

/// Where the files of one topic go.
#[derive(Debug)]
pub(super) struct Intake {
    folder: Folder,
    dir: PathBuf,
    driver: Weak<Driver>,
    shown: mpsc::Sender<IncomingFile>,
}

impl Intake {
    /// Begins a thread for one file.
    pub(super) fn begin(&self, slot: Slot, offer: FileOffer) -> Result<Arriving, Reason> {
        let (tasks, given) = std::sync::mpsc::channel();
        let size = offer.layout.size();
        let progress = watch::Sender::new(Progress { total: size, ..Progress::default() });
        let (ended, end) = oneshot::channel();
        let (driver, followed) = (self.driver.clone(), progress.subscribe());
        let incoming = IncomingFile { driver, slot, offer: offer.clone(), progress: followed, end };
        let path = self.dir.join(offer.label.as_str());
        let disk = Disk::new(self.folder.clone(), offer, path);
        let driver = self.driver.clone();
        std::thread::spawn(move || disk.work(&driver, slot, &given));
        let incoming = Some((self.shown.clone(), incoming));
        Ok(Arriving { tasks, progress, ended, incoming, resumed_at: 0, path: None })
    }
}

/// A file on its way in, as it lies under the client's lock.
#[derive(Debug)]
pub(super) struct Arriving {
    tasks: std::sync::mpsc::Sender<DiskTask>,
    progress: watch::Sender<Progress>,
    ended: oneshot::Sender<Result<PathBuf, End>>,
    /// What the application will get, and how, until it has it.
    incoming: Option<(mpsc::Sender<IncomingFile>, IncomingFile)>,
    /// How far the stream was there at the beginning.
    pub(super) resumed_at: u64,
    /// Where it is, once it is complete.
    pub(super) path: Option<PathBuf>,
}

impl Arriving {
    pub(super) fn give(&self, task: DiskTask) -> Result<(), Reason> {
        self.tasks.send(task).map_err(|_| Reason::DirectoryFailed)
    }

    /// Shows the application that it comes.
    pub(super) fn show(&mut self) -> Result<(), Reason> {
        let Some((shown, incoming)) = self.incoming.take() else { return Ok(()) };
        shown.try_send(incoming).map_err(|_| Reason::SubscriberBusy)
    }

    pub(super) fn tell_progress(&self, receiver: &Receiver) {
        let (there, all) = receiver.progress();
        let total = receiver.offer().layout.size();
        let received = there.saturating_sub(all - total);
        self.progress.send_if_modified(|told| {
            let is_further = received > told.received;
            told.received = told.received.max(received);
            told.resumed = self.resumed_at.saturating_sub(all - total);
            is_further
        });
    }

    pub(super) fn end(self, end: End) {
        let told = match self.path {
            Some(path) if end.code == Code::Ok => Ok(path),
            Some(_) | None => Err(end),
        };
        // Nobody may wait for it.
        let _ = self.ended.send(told);
    }
}

/// How many files may have come, or begun to, that the application has not taken notice of.
const ARRIVALS_MAX: usize = 256;
