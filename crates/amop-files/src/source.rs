//! A file that is sent.
//!
//! It is read twice: once to hash it, before it is offered, and once to send it.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use amop_wire::limits::FILE_CHUNK_BYTES;
use amop_wire::{FileId, FileLabel, FileLabelError, FileLayout, FileOffer, Name, Reason, Topic};
use bytes::{Bytes, BytesMut};
use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};

use crate::chunks::{Chunks, stamp, written};
use crate::hashing::{hash_so_far, read_chunk, sha256};

/// An open file that was hashed. Holds its list and as much as it needs to go on from each chunk, 72 bytes in all
/// for each MiB, and up to four chunks, or some more if it is [shared](Self::share_among).
#[derive(Debug)]
pub struct Source {
    layout: FileLayout,
    label: FileLabel,
    modified_ms: u64,
    sha256: [u8; 32],
    list: Bytes,
    list_sha256: [u8; 32],
    chunks: Chunks,
}

impl Source {
    /// Opens a file and hashes it, telling after each chunk how many bytes are hashed. Follows symbolic
    /// links. The label is the last component of the path.
    ///
    /// # Errors
    ///
    /// [`SourceError`] says why it cannot be sent.
    pub fn open(path: &Path, hashed: &mut dyn FnMut(u64)) -> Result<Self, SourceError> {
        let name = path.file_name().unwrap_or_default();
        let label = FileLabel::from_bytes(name.as_encoded_bytes()).map_err(SourceError::BadName)?;
        // Without `NONBLOCK` the opening of a pipe waits for somebody who writes to it.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|error| SourceError::Unreadable(error.into()))?;
        let file = File::from(file);
        let before = file.metadata().map_err(SourceError::Unreadable)?;
        if !before.is_file() {
            return Err(SourceError::NotAFile);
        }
        let layout = FileLayout::new(before.len()).ok_or(SourceError::TooLong)?;
        let Hashed { sha256: sha256_of_file, list, before: hashed_before } =
            Hashed::read(&file, &layout, hashed)?;
        let after = file.metadata().map_err(SourceError::Unreadable)?;
        if written(&before) != written(&after) {
            return Err(SourceError::Changed);
        }
        let modified_ms = before.mtime().saturating_mul(1000) + before.mtime_nsec() / 1_000_000;
        let list_sha256 = sha256(&list);
        let list = Bytes::from(list);
        Ok(Self {
            layout,
            label,
            modified_ms: u64::try_from(modified_ms).unwrap_or(0),
            sha256: sha256_of_file,
            list_sha256,
            list: list.clone(),
            chunks: Chunks::new(file, stamp(&after), layout, list, hashed_before),
        })
    }

    /// Says that so many receivers read it, each at its own pace: a chunk is held for each of them, eight in
    /// all at most. Past that, chunks that receivers far apart need in turns are read and checked again.
    pub fn share_among(&mut self, receivers: usize) {
        self.chunks.hold(receivers.clamp(1, CHUNKS_MAX));
    }

    /// The id that follows from what the file is called and what is in it.
    #[must_use]
    pub fn id(&self) -> FileId {
        FileId::of_content(&self.label, self.layout.size(), &self.sha256)
    }

    /// What its sender says of it.
    #[must_use]
    pub fn offer(&self, id: FileId, from: Name, topic: Topic) -> FileOffer {
        FileOffer {
            id,
            layout: self.layout,
            modified_ms: self.modified_ms,
            sha256: self.sha256,
            list_sha256: self.list_sha256,
            from,
            topic,
            label: self.label.clone(),
        }
    }

    /// Reads bytes of the stream, all of one part of it (list or chunk).
    ///
    /// What is asked for the first time is what was hashed as far as the stamp of the file tells; what is asked for
    /// again is, whatever that tells.
    ///
    /// # Errors
    ///
    /// [`SourceError::Changed`] if the chunk is not what was hashed, or [`SourceError::Unreadable`]. Another read may
    /// succeed.
    ///
    /// # Panics
    ///
    /// If the bytes are not all of one part.
    pub fn read(&mut self, start: u64, bytes: usize) -> Result<Bytes, SourceError> {
        let part = self.layout.part_at(start);
        let from = usize::try_from(start - part.start).expect("a part fits in memory");
        let range = from..from + bytes;
        let list_bytes = self.layout.list_bytes();
        if start < list_bytes {
            return Ok(self.list.slice(range));
        }
        let chunk = (part.start - list_bytes) / FILE_CHUNK_BYTES;
        Ok(self.chunks.get(chunk)?.slice(range))
    }

    /// Reads the chunk behind the one that these bytes of the stream are of, for it will be asked for next. It is
    /// not read for several receivers, which are at places of their own. A failure shows when it is asked for.
    pub fn read_ahead(&mut self, start: u64) {
        let list_bytes = self.layout.list_bytes();
        let next = self.layout.part_at(start).end;
        if (list_bytes..self.layout.stream_bytes()).contains(&next) {
            self.chunks.read_ahead((next - list_bytes) / FILE_CHUNK_BYTES);
        }
    }

    #[cfg(test)]
    pub(crate) fn into_chunks(self) -> Chunks {
        self.chunks
    }
}

/// Why a file cannot be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Its name is none that a receiver would take.
    #[error("the file cannot be sent under its name")]
    BadName(#[source] FileLabelError),
    /// It is a directory, a pipe, a device.
    #[error("it is not an ordinary file")]
    NotAFile,
    /// It is over [`FILE_BYTES_MAX`](amop_wire::limits::FILE_BYTES_MAX).
    #[error("the file is too long")]
    TooLong,
    /// Somebody has changed it since it was opened.
    #[error("the file changed while it was sent")]
    Changed,
    /// The disk failed, or does not permit it.
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
}

impl SourceError {
    /// What is said of it over the network.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::BadName(_) => Reason::FileNotWanted,
            Self::TooLong => Reason::FileTooLong,
            Self::Changed => Reason::FileChanged,
            Self::NotAFile | Self::Unreadable(_) => Reason::FileUnreadable,
        }
    }
}

/// What is known of a file once it was read.
struct Hashed {
    sha256: [u8; 32],
    /// The hash up to the end of each chunk: so one pass gives those of all, and that of the file.
    list: Vec<u8>,
    before: Vec<Sha256>,
}

impl Hashed {
    fn read(
        file: &File,
        layout: &FileLayout,
        hashed: &mut dyn FnMut(u64),
    ) -> Result<Self, SourceError> {
        let (mut hash, mut buffer) = (Sha256::new(), BytesMut::new());
        let (mut list, mut before) = (Vec::new(), Vec::new());
        let mut done = 0;
        for chunk in 0..layout.chunks() {
            read_chunk(file, layout, chunk, &mut buffer).map_err(unreadable)?;
            before.push(hash.clone());
            hash.update(&buffer);
            list.extend_from_slice(&hash_so_far(&hash));
            done += u64::try_from(buffer.len()).expect("a length fits 64 bits");
            hashed(done);
        }
        Ok(Self { sha256: hash.finalize().into(), list, before })
    }
}

/// A file that is shorter than it was has changed.
pub(crate) fn unreadable(error: io::Error) -> SourceError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => SourceError::Changed,
        _ => SourceError::Unreadable(error),
    }
}

/// How many chunks are held for several receivers: 16 MiB.
const CHUNKS_MAX: usize = 8;
