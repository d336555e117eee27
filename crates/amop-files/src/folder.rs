//! A directory in which files are received.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use amop_wire::{FileOffer, Reason};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::files::{Dirs, Key, Kind, record_of};
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
}

/// What an offer comes to.
#[derive(Debug)]
pub enum Prepared {
    /// It can be received; perhaps some of it is there.
    Part(Box<Part>),
    /// It is there already, complete and under its name; or was, within the time for which that is remembered.
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
        Ok(Self(Arc::new(Opened { dirs, path: path.to_owned(), settings })))
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
        keep::remove_old(dirs, now, settings.keep).map_err(RefusedFile::Directory)?;
        let (key, record) = (Key::of(offer), record_of(offer));
        for kind in [Kind::Done, Kind::Offer] {
            match dirs.read_part(&key, kind).map_err(RefusedFile::Directory)? {
                Some(other) if other != record => return Err(RefusedFile::IdReused),
                Some(_) if kind == Kind::Done => return Ok(Prepared::AlreadyThere),
                Some(_) | None => {}
            }
        }
        match look(dirs, offer, settings.overwrite).map_err(RefusedFile::Directory)? {
            Standing::Taken => return Err(RefusedFile::Exists),
            Standing::TheSame => {
                // It may have got its name just before we were killed.
                rustix::fs::fsync(&dirs.names).map_err(directory)?;
                dirs.mark_done(&key, offer).map_err(RefusedFile::Directory)?;
                return Ok(Prepared::AlreadyThere);
            }
            Standing::Free => {}
        }
        let data = self.make_room(&key, offer, &record)?;
        let part = Part::resume(self.0.clone(), key, offer.clone(), data);
        Ok(Prepared::Part(Box::new(part.map_err(RefusedFile::Directory)?)))
    }

    /// Removes what nobody has written to for longer than it is kept. Answers how many bytes that were.
    ///
    /// # Errors
    ///
    /// [`FolderError`] if the directory fails; what was not removed is removed another time.
    pub fn clean(&self, now: SystemTime) -> Result<u64, FolderError> {
        keep::remove_old(&self.0.dirs, now, self.0.settings.keep).map_err(FolderError)
    }

    /// Opens and locks the data of a part, as long as the file, and says on the disk what it is.
    fn make_room(&self, key: &Key, offer: &FileOffer, record: &[u8]) -> Result<File, RefusedFile> {
        let Opened { dirs, settings, .. } = &*self.0;
        let size = offer.layout.size();
        if !keep::make_room(dirs, key, size, settings.quota_bytes)
            .map_err(RefusedFile::Directory)?
        {
            return Err(RefusedFile::DiskFull);
        }
        let known = dirs.read_part(key, Kind::Offer).map_err(RefusedFile::Directory)?;
        let data = dirs.open_part(key, Kind::Data).map_err(RefusedFile::Directory)?;
        if !keep::lock(&data).map_err(RefusedFile::Directory)? {
            return Err(RefusedFile::Busy);
        }
        let metadata = data.metadata().map_err(RefusedFile::Directory)?;
        if metadata.nlink() == 0 {
            return Err(RefusedFile::Busy); // It was removed before we had locked it.
        }
        if known.is_none() {
            data.set_len(0).map_err(RefusedFile::Directory)?; // Of nobody knows what.
        }
        if (known.is_none() || metadata.len() != size)
            && let Err(error) = allocate(&data, size, settings.keep_free_bytes)
        {
            // Without room it is worth nothing; what stays is cleaned another time.
            let _ = dirs.remove(key, &[Kind::Offer, Kind::List, Kind::Data]);
            return Err(error);
        }
        if known.is_none() {
            dirs.write_part(key, Kind::Offer, record).map_err(RefusedFile::Directory)?;
        }
        Ok(data)
    }
}

/// Takes room for a whole file, so that a full disk is noticed before the first byte comes.
fn allocate(data: &File, size: u64, keep_free: u64) -> Result<(), RefusedFile> {
    let disk = rustix::fs::fstatvfs(data).map_err(directory)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < size.saturating_add(keep_free) {
        return Err(RefusedFile::DiskFull);
    }
    if size == 0 {
        return Ok(());
    }
    match rustix::fs::fallocate(data, FallocateFlags::empty(), 0, size) {
        Ok(()) => Ok(()),
        Err(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Err(RefusedFile::DiskFull),
        // A file system that cannot: what is free now must do.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => data.set_len(size).map_err(RefusedFile::Directory),
        Err(error) => Err(directory(error)),
    }
}

fn directory(error: Errno) -> RefusedFile {
    RefusedFile::Directory(error.into())
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
    /// Another process receives it into the same directory.
    #[error("another process receives this file")]
    Busy,
    /// The directory fails, is not permitted, or is gone.
    #[error("the directory cannot be read or written")]
    Directory(#[source] io::Error),
}

impl RefusedFile {
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
