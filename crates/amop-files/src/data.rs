//! The data of a part, written past the cache of the system.
//!
//! What goes through that cache is copied into memory that has to be found for it, is brought to the disk by somebody
//! else, and drives out what others want to read again: more than twice the work for each byte. So the system is asked
//! to take the bytes from where they are. Most systems do that with whole blocks only, and some not at all: what is
//! left, and the end of a file, goes through the cache.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use rustix::fs::{Advice, OFlags, SeekFrom};

/// Writes the data of a part from front to back.
#[derive(Debug)]
pub(crate) struct DataWriter {
    data: File,
    /// Whether the system takes whole blocks from where they are.
    is_direct: bool,
    /// What was not written yet, behind as much as makes it begin with a block.
    buffer: Vec<u8>,
    begins_at: usize,
    /// Where in the file that goes.
    offset: u64,
}

impl DataWriter {
    pub(crate) fn new(data: File) -> Self {
        // What the system has read, also ahead of a reader, it takes for written: it tells of no hole there.
        let _ = rustix::fs::fadvise(&data, 0, None, Advice::Random);
        Self { data, is_direct: false, buffer: Vec::new(), begins_at: 0, offset: 0 }
    }

    /// The file that is written.
    pub(crate) fn file(&self) -> &File {
        &self.data
    }

    /// Where the next byte that is not written goes.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The first block of this range, which begins with one, that nobody has written: room that was only taken is a
    /// hole. `None` if there is no hole in it, and some systems tell of none.
    pub(crate) fn hole_in(&self, range: &Range<u64>) -> Option<u64> {
        let hole = rustix::fs::seek(&self.data, SeekFrom::Hole(range.start)).ok()?;
        let block_bytes = u64::try_from(BLOCK_BYTES).expect("a block is short");
        range.contains(&hole).then_some(hole / block_bytes * block_bytes)
    }

    /// Has the system forget what was read of this range, so that the next one to ask is told of its holes, too.
    pub(crate) fn forget_read(&self, range: &Range<u64>) {
        let len = NonZeroU64::new(range.end - range.start);
        // If it does not, less counts as there.
        let _ = rustix::fs::fadvise(&self.data, range.start, len, Advice::DontNeed);
    }

    /// Goes on at this offset, the beginning of a block. What was not written is forgotten.
    pub(crate) fn go_to(&mut self, offset: u64) {
        self.buffer.truncate(self.begins_at);
        self.offset = offset;
    }

    /// Writes what comes next: as soon as there is enough of it, or when it is [flushed](Self::flush).
    ///
    /// # Errors
    ///
    /// Those of the disk.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if self.buffer.capacity() == 0 {
            self.take_room();
        }
        while !bytes.is_empty() {
            let room = self.begins_at + WRITE_BYTES - self.buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if now.len() == room {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes all that has come. Only the end of the file may be less than a block.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let bytes = &self.buffer[self.begins_at..];
        if bytes.is_empty() {
            return Ok(());
        }
        match self.data.write_all_at(bytes, self.offset) {
            // This is the end of the file, or its blocks are longer, or it cannot at all.
            Err(error) if self.is_direct && error.kind() == io::ErrorKind::InvalidInput => {
                self.is_direct = false;
                set_direct(&self.data, false)?;
                self.data.write_all_at(bytes, self.offset)?;
            }
            written => written?,
        }
        if !self.is_direct {
            begin_writeback(&self.data, self.offset, bytes.len());
        }
        let end = self.offset + u64::try_from(bytes.len()).expect("a length fits 64 bits");
        self.go_to(end);
        Ok(())
    }

    fn take_room(&mut self) {
        self.buffer.reserve_exact(BLOCK_BYTES + WRITE_BYTES);
        // Were it more than a block, the system would not take the bytes from there, and they would be copied.
        self.begins_at = self.buffer.as_ptr().align_offset(BLOCK_BYTES).min(BLOCK_BYTES);
        self.buffer.resize(self.begins_at, 0);
        // Before that, what is there was read into memory that begins anywhere.
        self.is_direct = set_direct(&self.data, true).is_ok();
    }
}

/// Has the system take what is written from where it is, or through its cache.
fn set_direct(data: &File, is_direct: bool) -> io::Result<()> {
    let mut flags = rustix::fs::fcntl_getfl(data)?;
    flags.set(OFlags::DIRECT, is_direct);
    Ok(rustix::fs::fcntl_setfl(data, flags)?)
}

/// Has the system begin to bring bytes to the disk, for which the end would have to wait otherwise: that is what this
/// advice does with what is not there yet.
fn begin_writeback(data: &File, offset: u64, bytes: usize) {
    let len = u64::try_from(bytes).ok().and_then(NonZeroU64::new);
    // It changes how long the end takes, nothing else.
    let _ = rustix::fs::fadvise(data, offset, len, Advice::DontNeed);
}

/// What blocks of disks and pages of memory are, or a multiple of it, nearly everywhere.
const BLOCK_BYTES: usize = 4096;

/// How much is written at a time. A chunk is a multiple of it. Half and twice as much were as fast, and a whole chunk
/// slower: decision 0021.
const WRITE_BYTES: usize = 512 << 10;

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::path::Path;

    use super::*;

    fn writer(path: &Path) -> DataWriter {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path);
        DataWriter::new(file.unwrap())
    }

    fn content(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    #[test]
    fn what_is_written_in_pieces_of_any_length_is_there_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let lengths =
            [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, WRITE_BYTES, WRITE_BYTES + 1, 3 * WRITE_BYTES];
        for (bytes, piece) in lengths.into_iter().flat_map(|it| [(it, 65_536), (it, 70_001)]) {
            let (mut writer, content) = (writer(&path), content(bytes));
            for piece in content.chunks(piece) {
                writer.write(piece).unwrap();
                assert!(writer.buffer.len() < writer.begins_at + WRITE_BYTES);
            }
            writer.flush().unwrap();
            writer.flush().unwrap();
            assert!(std::fs::read(&path).unwrap() == content, "{bytes} in pieces of {piece}");
        }
    }

    #[test]
    fn whole_blocks_go_past_the_cache_where_the_file_system_does_that() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let (mut writer, content) = (writer(&path), content(WRITE_BYTES + 5));
        let does_that = set_direct(writer.file(), true).is_ok();
        set_direct(writer.file(), false).unwrap();
        writer.write(&content[..WRITE_BYTES]).unwrap();
        let flags = rustix::fs::fcntl_getfl(writer.file()).unwrap();
        assert_eq!(flags.contains(OFlags::DIRECT), does_that);
        writer.write(&content[WRITE_BYTES..]).unwrap();
        writer.flush().unwrap();
        assert!(std::fs::read(&path).unwrap() == content);
    }

    /// As on a file system whose blocks are longer.
    #[test]
    fn bytes_that_the_system_does_not_take_from_where_they_are_go_through_the_cache() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let (mut writer, content) = (writer(&path), content(2 * WRITE_BYTES));
        writer.take_room();
        writer.begins_at += 1;
        writer.buffer.push(0);
        writer.write(&content).unwrap();
        assert!(std::fs::read(&path).unwrap() == content);
    }

    #[test]
    fn what_was_not_right_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let (mut writer, right) = (writer(&path), content(2 * WRITE_BYTES));
        writer.write(&right[..WRITE_BYTES]).unwrap();
        writer.flush().unwrap();
        writer.write(&vec![9; WRITE_BYTES + 7]).unwrap();
        let at = u64::try_from(WRITE_BYTES).unwrap();
        writer.go_to(at);
        writer.write(&right[WRITE_BYTES..]).unwrap();
        writer.flush().unwrap();
        let there = std::fs::read(&path).unwrap();
        assert!(there[..right.len()] == right);
    }
}
