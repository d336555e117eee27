//! What goes into a receiver of a file and what comes out of it.

use amop_wire::{FileMessage, FileRoute};

use super::{DiskSaid, DiskTask, End};

/// What happens to a receiver.
#[derive(Clone, Debug)]
pub enum ReceiverInput {
    /// Something came for this transfer, or an offer of the same file by another.
    Message(FileMessage),
    /// An offer came for this transfer, by this route and in this round, that cannot be opened.
    Unopened(FileRoute, u32),
    /// What came of the tasks of the disk, in their order.
    Disk(DiskSaid),
    /// The application gives up.
    Cancel,
    /// The time that [`Receiver::poll_timeout`](super::Receiver::poll_timeout) named has come.
    Timeout,
}

/// What a receiver wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverEffect {
    /// Send this.
    Send(FileMessage),
    /// Do this on the disk, one task after the other.
    Disk(DiskTask),
    /// It is over; what comes is still answered.
    Ended(End),
}
