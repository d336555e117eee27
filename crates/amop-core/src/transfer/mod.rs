//! The state machines of a file transfer: one [`Sender`] for each receiver of a file, and an
//! [`Inbox`] for all that one client receives, with a [`Receiver`] for each file. An [`Addressee`] stands
//! before each sender and knows whom it goes to. Between them lie links, each with a [`FileLane`] of what
//! waits for it.
//!
//! They move offsets of one stream (FILE-1) and never touch a disk: what is to be read, written and
//! checked are effects, and what came of it comes in as an input. Hashing stands with reading and
//! writing, on whatever thread may wait for a disk.
//!
//! ```text
//!   Sender                                    Receiver
//!   ┌──────────┐ Offer             ──▶   ┌───────────┐ Prepare ─▶ disk: what is there?
//!   │ Offering │ ◀── Wait, Credit        │ Preparing │ ◀─ Prepared
//!   └────┬─────┘                         └─────┬─────┘
//!   ┌────▼─────┐ Piece, Ask        ──▶   ┌─────▼─────┐ Write ──▶ disk: right?
//!   │ Sending  │ ◀── Credit, Again       │ Receiving │ ◀─ Wrote, Corrupt
//!   └────┬─────┘                         └─────┬─────┘
//!        │      ◀── Done                 ┌─────▼─────┐ Finish ─▶ disk: fsync, rename, fsync
//!      ended                             │ Finishing │ ◀─ Finished
//!                                        └───────────┘
//! ```
//!
//! Nothing is repeated but by a new *round*: the sender offers again, and goes on from where the
//! receiver says it is. So loss, copies, delays and restarts are one case (FILE-5).

mod addressee;
mod ahead;
mod disk;
mod holders;
mod inbox;
mod lane;
mod pace;
mod past;
mod receiver;
mod receiver_effect;
mod sender;
mod sender_effect;

use std::time::Duration;

use amop_wire::{Code, Reason};

pub use addressee::{Addressee, Heard, farewell};
pub use ahead::Beside;
pub use disk::{DiskSaid, DiskTask};
pub use inbox::{Inbox, InboxEffect, InboxInput, Slot};
pub use lane::{FileLane, FileWindows, Queued};
pub use pace::Pace;
pub use receiver::Receiver;
pub use receiver_effect::{ReceiverEffect, ReceiverInput};
pub use sender::Sender;
pub use sender_effect::{SenderEffect, SenderInput};

/// How a transfer ended at one of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// 0 if the file is complete on the receiver's disk under its name.
    pub code: Code,
    /// How it came to that.
    pub reason: Reason,
}

impl End {
    const DONE: Self = Self { code: Code::Ok, reason: Reason::Unspecified };

    /// What a receiver says when it will not receive (FILE-10).
    fn refusal(reason: Reason) -> Self {
        let code = match reason {
            Reason::FileIdReused => Code::IdReused,
            Reason::CannotOpen => Code::SubscriberUnreachable,
            _ => Code::FileRefused,
        };
        Self { code, reason }
    }
}

/// How long an offer waits for its answer before it is repeated: a transfer goes on so soon after its way has come
/// back.
const OFFER_AGAIN: Duration = Duration::from_secs(1);

/// How long a sender hears nothing before it asks, and asks again (FILE-7).
const ASK_AFTER: Duration = Duration::from_secs(2);

/// How many questions stay without an answer before another round begins.
const ASKS_MAX: u32 = 3;

/// How much more a receiver grants, at least, before it says so within a part (FILE-6): a sender that is told of little
/// at a time is told often.
pub const CREDIT_STEP_BYTES: u64 = 512 << 10;

/// How long a receiver gathers pieces before it tells of them (FILE-6).
const TELL_AFTER: Duration = Duration::from_millis(250);

/// How many times in a row a part may come wrong (FILE-8).
const WRONG_MAX: u32 = 3;

/// How long a send is silent before another one of the same file goes on (FILE-3). A sender that hears
/// nothing asks more often than that.
const NEXT_AFTER: Duration = Duration::from_secs(5);
