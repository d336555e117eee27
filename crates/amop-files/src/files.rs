//! The open directories of a folder, and the few files that belong to one part.
//!
//! Every file is opened relative to an open directory and without following symbolic links, so nobody
//! who writes to the folder can lead us elsewhere.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use amop_wire::FileOffer;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::hashing::sha256;

/// A folder and the directory for parts in it, both open.
#[derive(Debug)]
pub(crate) struct Dirs {
    /// Where complete files are.
    pub(crate) names: OwnedFd,
    /// Where the others are.
    pub(crate) parts: OwnedFd,
    /// Waits until a file or a directory is on the disk; a test has it fail.
    pub(crate) fsync: fn(BorrowedFd<'_>) -> rustix::io::Result<()>,
}

/// What the files of one part are called: who sends, to which topic, under which id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(String);

/// The files of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What is coming.
    Offer,
    /// The hashes of its chunks.
    List,
    /// Its bytes.
    Data,
    /// What has come.
    Done,
    /// One of the small ones, while it is written.
    Half,
    /// The file whose place it took, until that is safe.
    Old,
}

impl Kind {
    /// All that there is of a file that comes, what says what it is first: without it no data are taken for it.
    pub(crate) const COMING: [Self; 5] =
        [Self::Offer, Self::List, Self::Data, Self::Half, Self::Old];
}

impl Dirs {
    /// Opens a folder, and makes the directory for parts if there is none.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let names = rustix::fs::open(path, DIRECTORY, Mode::empty())?;
        match rustix::fs::mkdirat(&names, PARTS, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let parts = rustix::fs::openat(&names, PARTS, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(Self { names, parts, fsync: |fd| rustix::fs::fsync(fd) })
    }

    /// Waits until a file or a directory is on the disk.
    pub(crate) fn sync(&self, fd: &impl AsFd) -> io::Result<()> {
        Ok((self.fsync)(fd.as_fd())?)
    }

    /// Opens a file of a part for reading and writing, and makes it if there is none.
    pub(crate) fn open_part(&self, key: &Key, kind: Kind) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | NO_SURPRISE;
        let mode = Mode::from_raw_mode(0o666); // The process's own mask decides.
        Ok(rustix::fs::openat(&self.parts, key.file(kind), flags, mode)?.into())
    }

    /// The content of a small file of a part, if it is there.
    pub(crate) fn read_part(&self, key: &Key, kind: Kind) -> io::Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | NO_SURPRISE;
        let file = match rustix::fs::openat(&self.parts, key.file(kind), flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut content = Vec::new();
        file.take(SMALL_BYTES_MAX).read_to_end(&mut content)?;
        Ok(Some(content))
    }

    /// Writes a small file of a part, whole or not at all, and waits until it is on the disk.
    pub(crate) fn write_part(&self, key: &Key, kind: Kind, content: &[u8]) -> io::Result<()> {
        let half = key.file(Kind::Half);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | NO_SURPRISE;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut file = File::from(rustix::fs::openat(&self.parts, half.as_str(), flags, mode)?);
        if let Err(error) = file.write_all(content).and_then(|()| self.sync(&file)) {
            let _ = self.remove(key, &[Kind::Half]);
            return Err(error);
        }
        rustix::fs::renameat(&self.parts, half.as_str(), &self.parts, key.file(kind))?;
        self.sync(&self.parts)
    }

    /// Removes files of a part, in this order; what is not there does not matter.
    pub(crate) fn remove(&self, key: &Key, kinds: &[Kind]) -> io::Result<()> {
        for &kind in kinds {
            match rustix::fs::unlinkat(&self.parts, key.file(kind), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Remembers that this file has come, and forgets how.
    pub(crate) fn mark_done(&self, key: &Key, offer: &FileOffer) -> io::Result<()> {
        self.write_part(key, Kind::Done, &record_of(offer))?;
        self.remove(key, &Kind::COMING)
    }
}

impl Key {
    pub(crate) fn of(offer: &FileOffer) -> Self {
        let mut name = b"AMOP-FILE-PART/v1\0".to_vec();
        name.extend_from_slice(offer.from.as_bytes());
        name.push(0);
        name.extend_from_slice(offer.topic.as_bytes());
        name.push(0);
        name.extend_from_slice(&offer.id.0.to_be_bytes());
        Self(hex(&sha256(&name)[..16]))
    }

    /// The key in the name of a file of a part.
    pub(crate) fn in_name(name: &str) -> Option<Self> {
        let (key, _) = name.split_once('.')?;
        let is_key = key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_key.then(|| Self(key.to_owned()))
    }

    pub(crate) fn file(&self, kind: Kind) -> String {
        let ending = match kind {
            Kind::Offer => "offer",
            Kind::List => "list",
            Kind::Data => "data",
            Kind::Done => "done",
            Kind::Half => "half",
            Kind::Old => "old",
        };
        format!("{}.{ending}", self.0)
    }
}

/// What is written down of an offer: what makes it this file and no other. It can be read by people.
pub(crate) fn record_of(offer: &FileOffer) -> Vec<u8> {
    let (sha256, list) = (hex(&offer.sha256), hex(&offer.list_sha256));
    let (size, label) = (offer.layout.size(), &offer.label);
    format!("AMOP-FILE/v1\nsize {size}\nsha256 {sha256}\nlist {list}\nlabel {label}\n").into_bytes()
}

/// Whether a disk, or what its user may take of it, is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// No link is followed, no pipe is waited for, and no child gets it.
pub(crate) const NO_SURPRISE: OFlags =
    OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A name that no label can have (FILE-2).
const PARTS: &str = ".amop-part";

/// The longest list is 2 MiB.
const SMALL_BYTES_MAX: u64 = 4 << 20;
