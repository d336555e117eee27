//! A file that is being received.
//!
//! What is there is what its list says is right: after a restart the data are read and hashed from
//! the beginning until something is missing. Of the chunk that is not complete there is what the file
//! system says was written, and its list will say whether that was right. So there is nothing to keep in
//! step, and no moment at which a process may not be killed.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use amop_wire::limits::FILE_CHUNK_BYTES;
use amop_wire::{FileOffer, Reason};
use bytes::BytesMut;
use rustix::fs::{Timespec, Timestamps};
use sha2::{Digest, Sha256};

use crate::data::DataWriter;
use crate::files::{Key, Kind, is_full};
use crate::folder::Opened;
use crate::hashing::{hash_so_far, read_chunk, sha256};
use crate::place::{Placed, place, take_back};

/// A file that is being received; nobody else can receive it as long as this is held. Dropped, it
/// keeps what is there for the next time.
#[derive(Debug)]
pub struct Part {
    folder: Arc<Opened>,
    key: Key,
    offer: FileOffer,
    data: DataWriter,
    /// Whether the file system will tell what was written of a chunk, so that it counts.
    tells_holes: bool,
    /// The list as far as it has come; it is right once `checked` is past it.
    list: Vec<u8>,
    /// The offset in the stream behind the last part that is right.
    checked: u64,
    /// The offset in the stream behind the last byte that was taken.
    taken: u64,
    /// Of all chunks that are right.
    whole: Sha256,
    /// Of those and of what of the next has come.
    ahead: Sha256,
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// It is written, or will be with what follows.
    Taken {
        /// Everything before this offset, the end of a part of the stream, is right.
        checked: u64,
        /// Everything before this offset is there when the process is killed.
        kept: u64,
    },
    /// The part of the stream that begins at this offset was complete and wrong. It counts as not there.
    Corrupt {
        /// The offset.
        checked: u64,
    },
    /// Nothing was written, for it does not follow what is there.
    Skipped,
}

impl Part {
    /// Finds out what is there.
    pub(crate) fn resume(
        folder: Arc<Opened>,
        key: Key,
        offer: FileOffer,
        data: File,
    ) -> io::Result<Self> {
        let list = folder.dirs.read_part(&key, Kind::List)?.unwrap_or_default();
        let is_right = sha256(&list) == offer.list_sha256;
        let list_bytes = offer.layout.list_bytes();
        let data = DataWriter::new(data);
        // The end of the last chunk was never written, or all of it was.
        let last = offer.layout.part_at(offer.layout.stream_bytes().saturating_sub(1));
        let last = last.start.saturating_sub(list_bytes)..offer.layout.size();
        let mut part = Self {
            folder,
            key,
            offer,
            tells_holes: data.hole_in(&last).is_some(),
            data,
            list: if is_right { list } else { Vec::new() },
            checked: if is_right { list_bytes } else { 0 },
            taken: 0,
            whole: Sha256::new(),
            ahead: Sha256::new(),
        };
        if is_right {
            part.find_chunks()?;
        }
        Ok(part)
    }

    /// The offset in the stream up to which everything is there and right: the end of a part of it.
    #[must_use]
    pub fn checked(&self) -> u64 {
        self.checked
    }

    /// The offset in the stream up to which everything would be found again if this process was killed now: what is
    /// checked, and the beginning of the part behind it.
    #[must_use]
    pub fn kept(&self) -> u64 {
        let list_bytes = self.offer.layout.list_bytes();
        let is_data_kept = self.tells_holes && self.checked >= list_bytes;
        if is_data_kept { list_bytes + self.data.offset() } else { self.checked }
    }

    /// Writes bytes of the stream, if they follow what is there, and checks each part of it that they
    /// complete.
    ///
    /// # Errors
    ///
    /// [`PartError`] if the disk fails. What was right stays right.
    pub fn write(&mut self, start: u64, bytes: &[u8]) -> Result<Wrote, PartError> {
        if start != self.taken {
            return Ok(Wrote::Skipped);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let part_end = self.offer.layout.part_at(self.taken).end;
            let room = usize::try_from(part_end - self.taken).expect("a part fits in memory");
            if room == 0 {
                return Ok(Wrote::Skipped); // It is past the end of the stream.
            }
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.write_in_part(now)?;
            rest = later;
            if self.taken == part_end && !self.check(part_end)? {
                self.take_back();
                return Ok(Wrote::Corrupt { checked: self.checked });
            }
        }
        Ok(Wrote::Taken { checked: self.checked, kept: self.kept() })
    }

    /// Gives the complete file its name, and answers where it is: then file and directory are on the
    /// disk.
    ///
    /// # Errors
    ///
    /// [`PartError`] says why it has not got its name. With [`PartError::WrongHash`] what was there is
    /// gone, and also if the disk cannot say that it has it; else it stays. So does a file that it was to replace.
    ///
    /// # Panics
    ///
    /// If not everything is [checked](Self::checked).
    pub fn finish(self) -> Result<PathBuf, PartError> {
        assert_eq!(self.checked, self.offer.layout.stream_bytes(), "the file is complete");
        let dirs = &self.folder.dirs;
        let hash: [u8; 32] = self.whole.finalize().into();
        if hash != self.offer.sha256 {
            dirs.remove(&self.key, &Kind::COMING).map_err(PartError::Disk)?;
            return Err(PartError::WrongHash);
        }
        set_modified(self.data.file(), self.offer.modified_ms).map_err(PartError::Disk)?;
        if let Err(error) = dirs.sync(self.data.file()) {
            // A system may count as written what it could not write, and say yes the next time: so it comes anew.
            let _ = self.data.file().set_len(0);
            let _ = dirs.remove(&self.key, &Kind::COMING);
            return Err(PartError::of_disk(error));
        }
        let (label, overwrite) = (&self.offer.label, self.folder.settings.overwrite);
        let placed = place(dirs, &self.key, label, self.offer.modified_ms, overwrite);
        let placed = placed.map_err(PartError::Disk)?;
        if placed == Placed::Not {
            return Err(PartError::Exists);
        }
        if let Err(error) = dirs.sync(&dirs.names) {
            // What may be gone after a power cut must not be seen now.
            take_back(dirs, &self.key, label, placed);
            return Err(PartError::Disk(error));
        }
        let _ = dirs.remove(&self.key, &[Kind::Old]);
        // The file is there whatever becomes of this; without it an offer is compared with the file.
        let _ = dirs.mark_done(&self.key, &self.offer);
        Ok(self.folder.path.join(label.as_str()))
    }

    fn write_in_part(&mut self, bytes: &[u8]) -> Result<(), PartError> {
        let list_bytes = self.offer.layout.list_bytes();
        if self.taken < list_bytes {
            self.list.extend_from_slice(bytes);
        } else {
            self.ahead.update(bytes);
            self.data.write(bytes).map_err(PartError::of_disk)?;
        }
        self.taken += u64::try_from(bytes.len()).expect("a length fits 64 bits");
        Ok(())
    }

    /// Whether the part of the stream that ends here is right; then it counts.
    fn check(&mut self, end: u64) -> Result<bool, PartError> {
        let list_bytes = self.offer.layout.list_bytes();
        if end == list_bytes {
            if sha256(&self.list) != self.offer.list_sha256 {
                return Ok(false);
            }
            let written = self.folder.dirs.write_part(&self.key, Kind::List, &self.list);
            written.map_err(PartError::of_disk)?;
        } else {
            if hash_so_far(&self.ahead)
                != self.hash_up_to((self.checked - list_bytes) / FILE_CHUNK_BYTES)
            {
                return Ok(false);
            }
            self.data.flush().map_err(PartError::of_disk)?;
            self.whole = self.ahead.clone();
        }
        self.checked = end;
        Ok(true)
    }

    fn take_back(&mut self) {
        self.taken = self.checked;
        self.ahead = self.whole.clone();
        self.data.go_to(self.checked.saturating_sub(self.offer.layout.list_bytes()));
        if self.checked < self.offer.layout.list_bytes() {
            self.list.clear();
        }
    }

    /// Reads the data from the beginning, and takes each chunk that is right, and what there is of the next if its end was
    /// never written. A right one may have holes, too: some file systems make them of zeros.
    fn find_chunks(&mut self) -> io::Result<()> {
        let (layout, list_bytes) = (self.offer.layout, self.offer.layout.list_bytes());
        let (mut buffer, mut beginning) = (BytesMut::new(), 0..0);
        for chunk in 0..layout.chunks() {
            let part = layout.part_at(self.checked);
            let place = part.start - list_bytes..part.end - list_bytes;
            let hole = self.data.hole_in(&place); // Once it was read it counts as written.
            match read_chunk(self.data.file(), &layout, chunk, &mut buffer) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            }
            self.ahead.update(&buffer);
            if hash_so_far(&self.ahead) != self.hash_up_to(chunk) {
                beginning = place.start..hole.unwrap_or(place.start);
                self.data.forget_read(&place);
                break;
            }
            self.whole = self.ahead.clone();
            self.checked += u64::try_from(buffer.len()).expect("a length fits 64 bits");
        }
        self.take_back();
        self.take_beginning(beginning)
    }

    /// Takes the beginning of the next chunk, which lies there in the file.
    fn take_beginning(&mut self, place: Range<u64>) -> io::Result<()> {
        if place.is_empty() {
            return Ok(());
        }
        let bytes = usize::try_from(place.end - place.start).expect("a chunk fits in memory");
        let mut buffer = BytesMut::zeroed(bytes);
        self.data.file().read_exact_at(&mut buffer, place.start)?;
        self.ahead.update(&buffer);
        self.taken += place.end - place.start;
        self.data.go_to(place.end);
        Ok(())
    }

    /// The hash of the file from its beginning to the end of this chunk, by the list.
    fn hash_up_to(&self, chunk: u64) -> [u8; 32] {
        let at = usize::try_from(chunk * 32).expect("the list is in memory");
        self.list[at..at + 32].try_into().expect("32 bytes")
    }
}

/// A file takes over when it was changed last; a moment that the system does not know is left out.
fn set_modified(data: &File, modified_ms: u64) -> io::Result<()> {
    let modified = Duration::from_millis(modified_ms);
    let Ok(tv_sec) = modified.as_secs().try_into() else { return Ok(()) };
    let moment = Timespec { tv_sec, tv_nsec: modified.subsec_nanos().into() };
    let times = Timestamps { last_access: moment, last_modification: moment };
    match rustix::fs::futimens(data, &times) {
        Ok(()) | Err(rustix::io::Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Why a part could not go on. Nothing of it is visible under its name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartError {
    /// Somebody put a file of that name there meanwhile.
    #[error("there is a file of this name")]
    Exists,
    /// Every chunk is what its list says, and the file is not what was offered: the sender is wrong.
    #[error("the file has another hash than was offered")]
    WrongHash,
    /// The disk is full, although room was made.
    #[error("there is no room for the file")]
    DiskFull,
    /// The disk fails, or the directory is gone.
    #[error("the file cannot be written")]
    Disk(#[source] io::Error),
}

impl PartError {
    /// What is said of it over the network.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Exists => Reason::FileExists,
            Self::WrongHash => Reason::ChecksumMismatch,
            Self::DiskFull => Reason::DiskFull,
            Self::Disk(_) => Reason::DirectoryFailed,
        }
    }

    fn of_disk(error: io::Error) -> Self {
        if is_full(&error) { Self::DiskFull } else { Self::Disk(error) }
    }
}

#[cfg(test)]
mod tests;
