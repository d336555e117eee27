//! The chunks of a file that is sent, as they are asked for.
//!
//! Hashing is most of what a file costs, so a chunk is hashed again only if there is a doubt: the file bears another
//! stamp than when it was hashed, or the chunk is asked for again, by a receiver that found it wrong or by another
//! one. Every receiver checks what it gets, so a change that no stamp tells is found there, and here when it asks
//! again.
//!
//! While one chunk is being sent the next can be read. Their memory is used again once nobody holds it: fresh memory
//! of that size costs as much as reading into it.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;

use amop_wire::FileLayout;
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use crate::hashing::{hash_so_far, read_chunk};
use crate::source::{SourceError, unreadable};

/// An open file, and its chunks that are in memory.
#[derive(Debug)]
pub(crate) struct Chunks {
    file: File,
    layout: FileLayout,
    /// As the file was when it was hashed.
    stamp: Stamp,
    /// The hash of the file up to the end of each chunk.
    list: Bytes,
    /// The hash of the file up to the beginning of each chunk, to go on from.
    before: Vec<Sha256>,
    /// The chunks that were asked for last, the latest behind.
    held: VecDeque<Held>,
    held_max: usize,
    /// One that was read before it was asked for.
    ahead: Option<Held>,
    /// The number behind the last chunk that was asked for.
    asked_up_to: u64,
    /// Memory of chunks that are not held any more, oldest first.
    spare: VecDeque<Bytes>,
}

/// A chunk in memory.
#[derive(Debug)]
struct Held {
    chunk: u64,
    bytes: Bytes,
    /// Whether its hash was compared.
    is_checked: bool,
}

impl Chunks {
    /// Those of a file that was hashed when it bore this stamp.
    pub(crate) fn new(
        file: File,
        stamp: Stamp,
        layout: FileLayout,
        list: Bytes,
        before: Vec<Sha256>,
    ) -> Self {
        Self {
            file,
            layout,
            stamp,
            list,
            before,
            held: VecDeque::new(),
            held_max: 1,
            ahead: None,
            asked_up_to: 0,
            spare: VecDeque::new(),
        }
    }

    /// Holds so many of those that were asked for last, so that several may ask for them.
    pub(crate) fn hold(&mut self, chunks: usize) {
        self.held_max = chunks;
    }

    /// Reads a chunk before it is asked for, unless several may ask. A failure shows when it is asked for.
    pub(crate) fn read_ahead(&mut self, chunk: u64) {
        if self.held_max == 1 && self.ahead.as_ref().is_none_or(|held| held.chunk != chunk) {
            self.ahead = self.load(chunk).ok();
        }
    }

    /// The bytes of a chunk.
    ///
    /// # Errors
    ///
    /// [`SourceError::Changed`] if it is not what was hashed, or [`SourceError::Unreadable`].
    pub(crate) fn get(&mut self, chunk: u64) -> Result<Bytes, SourceError> {
        let is_asked_again = chunk < self.asked_up_to;
        self.asked_up_to = self.asked_up_to.max(chunk + 1);
        let at = self.held.iter().position(|held| held.chunk == chunk);
        let held = at.and_then(|at| self.held.remove(at));
        let held = held.or_else(|| self.ahead.take_if(|held| held.chunk == chunk));
        let mut held = match held {
            Some(held) => held,
            None => self.load(chunk)?,
        };
        if is_asked_again && !held.is_checked {
            self.check(chunk, &held.bytes)?;
            held.is_checked = true;
        }
        let bytes = held.bytes.clone();
        if self.held.len() >= self.held_max {
            self.retire();
        }
        self.held.push_back(held);
        Ok(bytes)
    }

    /// Reads a chunk, and checks it if the file may have changed.
    fn load(&mut self, chunk: u64) -> Result<Held, SourceError> {
        let mut buffer = self.memory();
        read_chunk(&self.file, &self.layout, chunk, &mut buffer).map_err(unreadable)?;
        let bytes = buffer.freeze();
        let now = self.file.metadata().map_err(SourceError::Unreadable)?;
        let is_checked = stamp(&now) != self.stamp;
        if is_checked {
            self.check(chunk, &bytes)?;
        }
        Ok(Held { chunk, bytes, is_checked })
    }

    fn check(&self, chunk: u64, bytes: &[u8]) -> Result<(), SourceError> {
        let index = usize::try_from(chunk).expect("the list is in memory");
        let mut hash = self.before[index].clone();
        hash.update(bytes);
        if hash_so_far(&hash) == self.list[32 * index..32 * (index + 1)] {
            Ok(())
        } else {
            Err(SourceError::Changed)
        }
    }

    /// Memory for a chunk: that of one that was held before, if nobody has any of it.
    fn memory(&mut self) -> BytesMut {
        // What was let go of last is still on its way to its receiver.
        let oldest = if self.spare.len() == SPARES { self.spare.pop_front() } else { None };
        oldest.and_then(|bytes| bytes.try_into_mut().ok()).unwrap_or_default()
    }

    /// Lets go of the oldest chunk.
    fn retire(&mut self) {
        let Some(oldest) = self.held.pop_front() else { return };
        if self.spare.len() == SPARES {
            self.spare.pop_front();
        }
        self.spare.push_back(oldest.bytes);
    }
}

/// How much memory of chunks is kept to be used again.
const SPARES: usize = 2;

/// What moves when somebody writes to a file: how long it is, and when it was written.
pub(crate) type Written = (u64, i64, i64);

pub(crate) fn written(metadata: &Metadata) -> Written {
    (metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}

/// The same, and when something about the file changed: that moves too when the time of writing is set back.
pub(crate) type Stamp = (Written, i64, i64);

pub(crate) fn stamp(metadata: &Metadata) -> Stamp {
    (written(metadata), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use amop_wire::limits::FILE_CHUNK_BYTES;

    use super::*;
    use crate::Source;

    #[test]
    fn a_change_that_no_stamp_tells_is_found_when_its_receiver_asks_again() {
        for is_read_ahead in [false, true] {
            let (dir, mut chunks) = of_file(&[7; 2 * CHUNK_BYTES]);
            let file = File::options().write(true).open(dir.path().join("a")).unwrap();
            file.write_all_at(b"changed", FILE_CHUNK_BYTES).unwrap();
            chunks.stamp = stamp(&file.metadata().unwrap());
            chunks.get(0).unwrap();
            if is_read_ahead {
                chunks.read_ahead(1);
            }
            assert_eq!(chunks.get(1).unwrap()[..7], *b"changed", "its receiver finds it wrong");
            for _ in 0..2 {
                let error = chunks.get(1).unwrap_err();
                assert!(matches!(error, SourceError::Changed), "{error}");
            }
        }
    }

    #[test]
    fn what_is_read_ahead_is_what_is_asked_for_next_and_memory_is_used_again() {
        let content: Vec<u8> = (0..=255).cycle().step_by(7).take(4 * CHUNK_BYTES + 5).collect();
        let (_dir, mut chunks) = of_file(&content);
        let mut read = Vec::new();
        let mut places = Vec::new();
        for chunk in 0..5 {
            let bytes = chunks.get(chunk).unwrap();
            read.extend_from_slice(&bytes);
            places.push(bytes.as_ptr());
            if chunk < 4 {
                chunks.read_ahead(chunk + 1);
                assert!(chunks.ahead.is_some());
            }
        }
        assert!(read == content);
        assert_eq!(places[3], places[0], "its memory was free by then");
        assert!(chunks.spare.len() <= SPARES);
    }

    /// FILE-1: the file has a hole of 4 GiB, of which nothing is read.
    #[test]
    fn a_chunk_past_4_gib_is_read_from_its_place_and_checked_by_its_place_in_the_list() {
        let (dir, _) = of_file(b"");
        let path = dir.path().join("a");
        let file = File::options().read(true).write(true).open(&path).unwrap();
        file.write_all_at(b"behind", 4 << 30).unwrap();
        let layout = FileLayout::new((4 << 30) + 6).unwrap();
        let before: Vec<Sha256> = (0..layout.chunks())
            .map(|chunk| Sha256::new_with_prefix(chunk.to_be_bytes()))
            .collect();
        let mut list = vec![0; 32 * 2048];
        list.extend_from_slice(&hash_so_far(&before[2048].clone().chain_update(b"behind")));
        let unknown = stamp(&dir.path().metadata().unwrap());
        let mut chunks = Chunks::new(file, unknown, layout, list.into(), before);
        assert_eq!(chunks.get(2048).unwrap(), b"behind"[..]);
        assert!(matches!(chunks.get(2047), Err(SourceError::Changed)), "its hash is another one");
    }

    fn of_file(content: &[u8]) -> (tempfile::TempDir, Chunks) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, content).unwrap();
        let chunks = Source::open(&path, &mut |_| {}).unwrap().into_chunks();
        (dir, chunks)
    }

    #[expect(clippy::cast_possible_truncation, reason = "it is 2 MiB")]
    const CHUNK_BYTES: usize = FILE_CHUNK_BYTES as usize;
}
