//! How a file lies in the stream that is sent of it (FILE-1).
//!
//! ```text
//! ┌──────────────────────┬─────────┬─────────┬─────┬──────┐
//! │ list: 32 bytes for   │ chunk 0 │ chunk 1 │ ... │ rest │
//! │ each chunk           │  2 MiB  │  2 MiB  │     │      │
//! └──────────────────────┴─────────┴─────────┴─────┴──────┘
//!   part 0                 part 1    part 2
//! ```
//!
//! List and chunks are the *parts* of the stream: what is checked as a whole. The longest list is as long as a
//! chunk.

use std::ops::Range;

use crate::limits::{FILE_BYTES_MAX, FILE_CHUNK_BYTES, FILE_IN_FLIGHT_BYTES_MAX};

/// The places of list and chunks in the stream of one file. All offsets count bytes of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLayout {
    size: u64,
}

impl FileLayout {
    /// The layout of a file of this size in bytes; `None` if it is over [`FILE_BYTES_MAX`].
    #[must_use]
    pub fn new(size: u64) -> Option<Self> {
        (size <= FILE_BYTES_MAX).then_some(Self { size })
    }

    /// The size of the file, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many chunks the file has.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        self.size.div_ceil(FILE_CHUNK_BYTES)
    }

    /// The length of the list: where the file begins in the stream.
    #[must_use]
    pub fn list_bytes(&self) -> u64 {
        self.chunks() * HASH_BYTES
    }

    /// The length of the stream.
    #[must_use]
    pub fn stream_bytes(&self) -> u64 {
        self.list_bytes() + self.size
    }

    /// The part that has the byte at this offset: list or chunk. Empty, at its end, past the stream.
    #[must_use]
    pub fn part_at(&self, offset: u64) -> Range<u64> {
        let (list, end) = (self.list_bytes(), self.stream_bytes());
        if offset >= end {
            return end..end;
        }
        if offset < list {
            return 0..list;
        }
        let start = list + (offset - list) / FILE_CHUNK_BYTES * FILE_CHUNK_BYTES;
        start..(start + FILE_CHUNK_BYTES).min(end)
    }

    /// How far may be sent to one that has written everything up to `written` (FILE-6).
    #[must_use]
    pub fn granted_past(&self, written: u64) -> u64 {
        written.saturating_add(FILE_IN_FLIGHT_BYTES_MAX).min(self.stream_bytes())
    }
}

const HASH_BYTES: u64 = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHUNK: u64 = FILE_CHUNK_BYTES;

    #[test]
    fn files_around_the_ends_of_chunks_have_as_many_as_they_need() {
        for (size, chunks) in
            [(0, 0), (1, 1), (CHUNK - 1, 1), (CHUNK, 1), (CHUNK + 1, 2), ((4 << 30) + 1, 2049)]
        {
            let layout = FileLayout::new(size).unwrap();
            assert_eq!((layout.chunks(), layout.stream_bytes()), (chunks, chunks * 32 + size));
        }
    }

    #[test]
    fn the_longest_file_has_a_list_as_long_as_a_chunk_and_one_byte_more_is_too_long() {
        let longest = FileLayout::new(FILE_BYTES_MAX).unwrap();
        assert_eq!((longest.size(), longest.list_bytes()), (128 << 30, CHUNK));
        assert_eq!(FileLayout::new(FILE_BYTES_MAX + 1), None);
    }

    #[test]
    fn the_grant_is_4_mib_and_ends_with_the_stream() {
        let layout = FileLayout::new(2 * CHUNK + 5).unwrap();
        let all = 3 * 32 + 2 * CHUNK + 5;
        for (written, granted) in
            [(0, 4 << 20), (7, (4 << 20) + 7), (CHUNK, all), (all, all), (u64::MAX, all)]
        {
            assert_eq!(layout.granted_past(written), granted, "{written}");
        }
        assert_eq!(FileLayout::new(0).unwrap().granted_past(0), 0);
    }

    proptest! {
        #[test]
        fn parts_follow_each_other_without_a_hole(size in 0..=FILE_BYTES_MAX, offset in 0..=FILE_BYTES_MAX) {
            let layout = FileLayout::new(size).unwrap();
            let part = layout.part_at(offset);
            prop_assert!(part.end <= layout.stream_bytes() && part.end - part.start <= CHUNK);
            if offset < layout.stream_bytes() {
                prop_assert!(part.contains(&offset));
                prop_assert_eq!(layout.part_at(part.start), part.clone());
                prop_assert_eq!(layout.part_at(part.end - 1), part);
            } else {
                prop_assert!(part.is_empty());
            }
        }
    }
}
