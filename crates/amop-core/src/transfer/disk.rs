//! What a receiver wants of a disk, and what the disk says to it.

use amop_wire::Reason;
use bytes::Bytes;

/// What the disk is to do for one file. Each is answered by a [`DiskSaid`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskTask {
    /// Judge the offer, make room, and find out what is there. Answered by `Prepared`, `AlreadyThere` or `Failed`.
    Prepare,
    /// Write the stream from here on. Answered by `Wrote`, `Corrupt` or `Failed`; not at all if it does not follow
    /// what is there, which happens after a part was taken back. `Wrote` may be left out as long as no other part is
    /// right and less than [`CREDIT_STEP_BYTES`](super::CREDIT_STEP_BYTES) more is kept.
    Write {
        /// The offset of the first byte in the stream.
        start: u64,
        /// At most one piece.
        data: Bytes,
    },
    /// All is there: give it its name, so that it survives whatever comes. Answered by `Finished` or `Failed`.
    Finish,
}

/// What came of a [`DiskTask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskSaid {
    /// What is there was found.
    Prepared {
        /// The offset behind the last part that is right.
        checked: u64,
        /// The offset behind what there is of the next one.
        kept: u64,
    },
    /// This very file has its name already.
    AlreadyThere,
    /// It is written.
    Wrote {
        /// The offset behind the last part that is right.
        checked: u64,
        /// The offset behind the last byte that would be there if its process died now.
        kept: u64,
    },
    /// The part behind this offset was complete and wrong: it was taken back.
    Corrupt {
        /// The offset.
        checked: u64,
    },
    /// The file is under its name, and file and directory are on the disk.
    Finished,
    /// It cannot be done, and nothing is visible.
    Failed(Reason),
}
