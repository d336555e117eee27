//! How much waits on the lane for files, and who wants to be told when it is less.
//!
//! Whoever finds no room is owed a word: the link says it when half of the room is free, once, and so nobody
//! has to look again and again. Both sides write first and look afterwards, so that a word is owed for
//! nothing at worst and never forgotten.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The room on the lane for files of one link.
#[derive(Debug, Default)]
pub(crate) struct FileRoom {
    queued_bytes: AtomicUsize,
    /// Whether somebody found no room and waits to be told that there is.
    is_owed: AtomicBool,
}

impl FileRoom {
    /// Whether more than so many staged bytes may wait. After a no [`pays`](Self::pays) says yes, once.
    pub(crate) fn has_room(&self, staged_bytes: usize) -> bool {
        let limit = FILE_BYTES_MAX.saturating_sub(staged_bytes);
        if self.holds_below(limit) {
            return true;
        }
        self.is_owed.store(true, Ordering::SeqCst);
        // The link may have made room just before it could know that somebody waits for it.
        self.holds_below(limit)
    }

    /// Whether somebody is to be told that there is room again. Answers it once.
    pub(crate) fn pays(&self) -> bool {
        self.holds_below(FILE_BYTES_MAX / 2 + 1) && self.is_owed.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::SeqCst)
    }

    pub(crate) fn queued(&self, bytes: usize) {
        self.queued_bytes.fetch_add(bytes, Ordering::SeqCst);
    }

    pub(crate) fn written(&self, bytes: usize) {
        self.queued_bytes.fetch_sub(bytes, Ordering::SeqCst);
    }

    pub(crate) fn clear(&self) {
        self.queued_bytes.store(0, Ordering::SeqCst);
    }

    fn holds_below(&self, bytes: usize) -> bool {
        self.queued_bytes() < bytes
    }
}

/// How many bytes wait on the lane for files before it takes no more. They are in nobody's way on other lanes,
/// but what QUIC has taken of them is, for a moment.
pub(crate) const FILE_BYTES_MAX: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_found_no_room_is_told_once_when_half_of_it_is_free() {
        let room = FileRoom::default();
        assert!(room.has_room(0) && !room.pays(), "nobody waits");
        room.queued(FILE_BYTES_MAX);
        assert!(!room.has_room(0) && !room.pays());
        room.written(FILE_BYTES_MAX / 2 - 1);
        assert!(!room.pays(), "one byte is missing");
        room.written(1);
        assert!(room.pays() && !room.pays());
        assert!(!room.has_room(FILE_BYTES_MAX / 2), "with what is staged it is full");
        assert!(room.pays());
    }
}
