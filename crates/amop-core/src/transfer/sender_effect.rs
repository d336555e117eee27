//! What goes into a sender of a file and what comes out of it.

use amop_wire::{FileEnd, FileMessage, NodeId, Reason};
use bytes::Bytes;

use super::End;

/// What happens to a sender.
#[derive(Clone, Debug)]
pub enum SenderInput {
    /// The client is connected, by this node. What was sent before may be lost.
    LinkUp(NodeId),
    /// The client is not connected any more.
    LinkDown,
    /// The receiver is attached elsewhere, or another life of it takes its place.
    Redirect(FileEnd),
    /// Something came for this transfer. A driver that looks for another life of a receiver that is gone
    /// keeps a refusal by a node for itself.
    Message(FileMessage),
    /// The offer that it sent last did not leave: the client's link has no place for another transfer now
    /// ([`Queued::Full`](super::Queued)). It is offered again, and its patience begins anew.
    NoPlace,
    /// What was to be read.
    Read {
        /// The round for which it was.
        round: u32,
        /// The bytes of the stream that were wanted, or the first of them; one at least.
        data: Bytes,
    },
    /// It cannot be read, or is not what was offered any more.
    ReadFailed(Reason),
    /// The application gives up.
    Cancel,
    /// The time that [`Sender::poll_timeout`](super::Sender::poll_timeout) named has come.
    Timeout,
}

/// What a sender wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderEffect {
    /// Send this.
    Send(FileMessage),
    /// Read these bytes of the stream once there is room for them, and hand them in. At most one read
    /// is wanted in one round.
    Read {
        /// To be handed in with what was read.
        round: u32,
        /// The offset of the first byte in the stream.
        start: u64,
        /// How many, all of one part.
        bytes: usize,
    },
    /// It is over. The last effect.
    Ended(End),
}
