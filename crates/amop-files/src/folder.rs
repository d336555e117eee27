//! A directory in which files are received.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use amop_wire::{FileOffer, Reason};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::files::{Dirs, Key, Kind, is_full, record_of};
use crate::part::Part;
use crate::place::{Standing, look};
use crate::{Settings, keep};

/// A directory in which files are received. A clone is the same folder.
#[derive(Clone, Debug)]
pub struct Folder(Arc<Opened>);

/// What all parts of a folder share.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) dirs: Dirs,
    pub(crate) path: PathBuf,
    pub(crate) settings: Settings,
    /// Held by whoever measures what room there is, until it has taken its own.
    room: Mutex<()>,
}

impl Opened {
    pub(crate) fn new(dirs: Dirs, path: PathBuf, settings: Settings) -> Self {
        Self { dirs, path, settings, room: Mutex::default() }
    }
}

/// What an offer comes to.
#[derive(Debug)]
pub enum Prepared {
    /// It can be received; perhaps some of it is there.
    Part(Box<Part>),
    /// It is there already, complete and under its name; or was, within the time for which that is remembered, and
    /// no other stands there now.
    AlreadyThere,
}

impl Folder {
    /// Opens a directory, which must be there, and makes the one for parts in it.
    ///
    /// # Errors
    ///
    /// [`FolderError`] if that cannot be read or written.
    pub fn open(path: &Path, settings: Settings) -> Result<Self, FolderError> {
        let dirs = Dirs::open(path).map_err(FolderError)?;
        Ok(Self(Arc::new(Opened::new(dirs, path.to_owned(), settings))))
    }

    #[cfg(test)]
    pub(crate) fn of(opened: Arc<Opened>) -> Self {
        Self(opened)
    }

    /// Judges an offer, makes room for the whole file, and finds out what of it is there: which takes as
    /// long as reading that. `now` is for what is too old to be kept.
    ///
    /// # Errors
    ///
    /// [`RefusedFile`] says why it is not received. Nothing is visible, and what was there stays.
    pub fn prepare(&self, now: SystemTime, offer: &FileOffer) -> Result<Prepared, RefusedFile> {
        let Opened { dirs, settings, .. } = &*self.0;
        let size = offer.layout.size();
        if size > settings.bytes_max {
            return Err(RefusedFile::TooLong { limit: settings.bytes_max });
        }
        let name = offer.label.as_str();
        if !settings.accept.is_empty() && !settings.accept.iter().any(|it| it.matches(name)) {
            return Err(RefusedFile::NotWanted);
        }
        keep::remove_old(dirs, now, settings.keep).map_err(RefusedFile::of_disk)?;
        let (key, record) = (Key::of(offer), record_of(offer));
        let was_done = self.was_done(&key, &record)?;
        match look(dirs, offer, settings.overwrite).map_err(RefusedFile::of_disk)? {
            Standing::Taken => return Err(RefusedFile::Exists),
            Standing::TheSame(file) => {
                // Others may have put it there, or we just before we were killed.
                dirs.sync(&file).map_err(RefusedFile::of_disk)?;
                dirs.sync(&dirs.names).map_err(RefusedFile::of_disk)?;
                dirs.mark_done(&key, offer).map_err(RefusedFile::of_disk)?;
                return Ok(Prepared::AlreadyThere);
            }
            Standing::Nothing if was_done => return Ok(Prepared::AlreadyThere),
            Standing::Nothing => {}
            // What came then is not what is there now.
            Standing::Free => dirs.remove(&key, &[Kind::Done]).map_err(RefusedFile::of_disk)?,
        }
        let data = self.make_room(&key, offer)?;
        if let Err(error) = self.write_down(&key, &record) {
            // Nobody would know what was taken room for.
            let _ = dirs.remove(&key, &Kind::COMING);
            return Err(RefusedFile::of_disk(error));
        }
        let part = Part::resume(self.0.clone(), key, offer.clone(), data);
        Ok(Prepared::Part(Box::new(part.map_err(RefusedFile::of_disk)?)))
    }

    /// Removes what nobody has written to for longer than it is kept. Answers how many bytes that were.
    ///
    /// # Errors
    ///
    /// [`FolderError`] if the directory fails; what was not removed is removed another time.
    pub fn clean(&self, now: SystemTime) -> Result<u64, FolderError> {
        keep::remove_old(&self.0.dirs, now, self.0.settings.keep).map_err(FolderError)
    }

    /// Whether this file has come before. Another one under its key is refused.
    fn was_done(&self, key: &Key, record: &[u8]) -> Result<bool, RefusedFile> {
        let read = |kind| self.0.dirs.read_part(key, kind).map_err(RefusedFile::of_disk);
        let (done, coming) = (read(Kind::Done)?, read(Kind::Offer)?);
        if [&done, &coming].into_iter().flatten().any(|known| known != record) {
            return Err(RefusedFile::IdReused);
        }
        Ok(done.is_some())
    }

    /// Opens and locks the data of a part, as long as the file.
    fn make_room(&self, key: &Key, offer: &FileOffer) -> Result<File, RefusedFile> {
        let Opened { dirs, settings, room, .. } = &*self.0;
        let size = offer.layout.size();
        let _alone = room.lock().unwrap_or_else(PoisonError::into_inner);
        if !keep::make_room(dirs, key, size, settings.quota_bytes).map_err(RefusedFile::of_disk)? {
            return Err(RefusedFile::DiskFull);
        }
        let known = dirs.read_part(key, Kind::Offer).map_err(RefusedFile::of_disk)?;
        let data = dirs.open_part(key, Kind::Data).map_err(RefusedFile::of_disk)?;
        if !keep::lock(&data).map_err(RefusedFile::of_disk)? {
            return Err(RefusedFile::Busy);
        }
        let metadata = data.metadata().map_err(RefusedFile::of_disk)?;
        if metadata.nlink() == 0 {
            return Err(RefusedFile::Busy); // It was removed before we had locked it.
        }
        // Of nobody knows what, or longer than the file, and so not of it.
        if known.is_none() || metadata.len() > size {
            data.set_len(0).map_err(RefusedFile::of_disk)?;
        }
        if (known.is_none() || metadata.len() != size)
            && let Err(error) = allocate(&data, size, settings.keep_free_bytes)
        {
            // Without room it is worth nothing; what stays is cleaned another time.
            let _ = dirs.remove(key, &Kind::COMING);
            return Err(error);
        }
        Ok(data)
    }

    /// Says on the disk what comes, unless that is said.
    fn write_down(&self, key: &Key, record: &[u8]) -> io::Result<()> {
        let dirs = &self.0.dirs;
        match dirs.read_part(key, Kind::Offer)? {
            Some(_) => Ok(()),
            None => dirs.write_part(key, Kind::Offer, record),
        }
    }
}

/// Takes room for a whole file, so that a full disk is noticed before the first byte comes.
fn allocate(data: &File, size: u64, keep_free: u64) -> Result<(), RefusedFile> {
    let disk = rustix::fs::fstatvfs(data).map_err(|error| RefusedFile::of_disk(error.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < size.saturating_add(keep_free) {
        return Err(RefusedFile::DiskFull);
    }
    if size == 0 {
        return Ok(());
    }
    match rustix::fs::fallocate(data, FallocateFlags::empty(), 0, size) {
        Ok(()) => Ok(()),
        // A file system that cannot: what is free now must do.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => data.set_len(size).map_err(RefusedFile::of_disk),
        Err(error) => Err(RefusedFile::of_disk(error.into())),
    }
}

/// A directory cannot be used for files.
#[derive(Debug, thiserror::Error)]
#[error("the directory cannot be used to receive files")]
pub struct FolderError(#[source] io::Error);

/// Why a file is not received. Nothing of it is visible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedFile {
    /// It is longer than is taken.
    #[error("the file is over the limit of {limit} bytes")]
    TooLong {
        /// The longest, in bytes.
        limit: u64,
    },
    /// No pattern matches its name.
    #[error("no file of this name is taken")]
    NotWanted,
    /// There is one of its name, which may not be replaced.
    #[error("there is a file of this name")]
    Exists,
    /// Its sender offered another one under its id.
    #[error("the id was used before for another file")]
    IdReused,
    /// The disk, or the quota, has no room for it.
    #[error("there is no room for the file")]
    DiskFull,
    /// It is being received into the same directory: by another process, or by this one, which has not let go of
    /// it yet. It may be free a moment later.
    #[error("this file is being received already")]
    Busy,
    /// The directory fails, is not permitted, or is gone.
    #[error("the directory cannot be read or written")]
    Directory(#[source] io::Error),
}

impl RefusedFile {
    fn of_disk(error: io::Error) -> Self {
        if is_full(&error) { Self::DiskFull } else { Self::Directory(error) }
    }

    /// What is said of it over the network.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::TooLong { .. } => Reason::FileTooLong,
            Self::NotWanted => Reason::FileNotWanted,
            Self::Exists => Reason::FileExists,
            Self::IdReused => Reason::FileIdReused,
            Self::DiskFull => Reason::DiskFull,
            Self::Busy | Self::Directory(_) => Reason::DirectoryFailed,
        }
    }
}
