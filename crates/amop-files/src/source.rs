//! A file that is sent.
//!
//! It is read twice: once to hash it, before it is offered, and once to send it. A chunk is read whole
//! and compared with its hash before a byte of it leaves, so what a receiver gets is what was offered,
//! whoever writes to the file meanwhile.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use amop_wire::limits::FILE_CHUNK_BYTES;
use amop_wire::{FileId, FileLabel, FileLabelError, FileLayout, FileOffer, Name, Reason, Topic};
use bytes::Bytes;
use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};

use crate::hashing::{hash_so_far, read_chunk, sha256};

/// An open file that was hashed. Holds its list and as much as it needs to go on from each chunk, 72 bytes in all
/// for each MiB, and one chunk, or some if it is [shared](Self::share_among).
#[derive(Debug)]
pub struct Source {
    file: File,
    layout: FileLayout,
    label: FileLabel,
    modified_ms: u64,
    sha256: [u8; 32],
    list: Bytes,
    list_sha256: [u8; 32],
    /// The hash of the file up to the beginning of each chunk, to go on from.
    before: Vec<Sha256>,
    /// The chunks that were read last, the latest behind.
    chunks: VecDeque<(u64, Bytes)>,
    chunks_max: usize,
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
        if stamp(&before) != stamp(&after) {
            return Err(SourceError::Changed);
        }
        let modified_ms = before.mtime().saturating_mul(1000) + before.mtime_nsec() / 1_000_000;
        Ok(Self {
            file,
            layout,
            label,
            modified_ms: u64::try_from(modified_ms).unwrap_or(0),
            sha256: sha256_of_file,
            list_sha256: sha256(&list),
            list: list.into(),
            before: hashed_before,
            chunks: VecDeque::new(),
            chunks_max: 1,
        })
    }

    /// Says that so many receivers read it, each at its own pace: a chunk is held for each of them, eight in
    /// all at most. Past that, chunks that receivers far apart need in turns are read and checked again.
    pub fn share_among(&mut self, receivers: usize) {
        self.chunks_max = receivers.clamp(1, CHUNKS_MAX);
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
        Ok(self.chunk(chunk)?.slice(range))
    }

    fn chunk(&mut self, chunk: u64) -> Result<Bytes, SourceError> {
        if let Some(at) = self.chunks.iter().position(|(held, _)| *held == chunk) {
            let held = self.chunks.remove(at).expect("it was just found");
            self.chunks.push_back(held.clone());
            return Ok(held.1);
        }
        if self.chunks.len() >= self.chunks_max {
            self.chunks.pop_front();
        }
        let mut buffer = Vec::new();
        read_chunk(&self.file, &self.layout, chunk, &mut buffer).map_err(unreadable)?;
        let index = usize::try_from(chunk).expect("the list is in memory");
        let mut hash = self.before[index].clone();
        hash.update(&buffer);
        if hash_so_far(&hash) != self.list[32 * index..32 * (index + 1)] {
            return Err(SourceError::Changed);
        }
        let bytes = Bytes::from(buffer);
        self.chunks.push_back((chunk, bytes.clone()));
        Ok(bytes)
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
        let (mut hash, mut buffer) = (Sha256::new(), Vec::new());
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
fn unreadable(error: io::Error) -> SourceError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => SourceError::Changed,
        _ => SourceError::Unreadable(error),
    }
}

/// How many chunks are held for several receivers: 16 MiB.
const CHUNKS_MAX: usize = 8;

/// What moves when somebody writes to a file.
fn stamp(metadata: &Metadata) -> (u64, i64, i64) {
    (metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}
