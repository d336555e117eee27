//! What is going to happen in a world, and the passing of time.
//!
//! Time jumps from one happening to the next: a quiet hour costs nothing.

use std::time::Duration;

use amop_core::node::LinkId;
use amop_wire::{Attempt, Instant, Lane};
use bytes::BytesMut;

use crate::files::DiskJob;
use crate::network::Party;
use crate::world::World;

/// What is going to happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A frame reaches one end of a link.
    Arrival { link: LinkId, to: usize, lane: Lane, sent_at: Instant, bytes: BytesMut },
    /// A driver hands in what has arrived.
    Batch { party: Party, life: u32 },
    /// One end learns that its link has ended.
    Notice { link: LinkId, end: usize },
    /// A core's timeout has come.
    Wake { party: Party, life: u32 },
    /// An application is done with a unicast.
    Handled { client: usize, life: u32, attempt: Attempt },
    /// A client without a link tries its next node.
    Dial { client: usize, life: u32 },
    /// The disk of a client has done something for it.
    Disk { client: usize, life: u32, job: DiskJob },
    /// A timer of the files of a client.
    FilesWake { client: usize, life: u32 },
    /// A node that stood still goes on with what waits of files.
    NodeFiles { node: usize, life: u32 },
    /// A node looks after a link that it keeps up.
    PeerDial { dialer: usize },
}

impl World {
    /// Lets time pass.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(span, |_| false);
    }

    /// Lets virtual time pass until something is so, this long at most; says whether it is.
    pub fn run_until(&mut self, most: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + most;
        while let Some(entry) = self.due.first_entry() {
            if entry.key().0 > end {
                break;
            }
            let ((at, _), happening) = entry.remove_entry();
            self.now = at;
            self.happen(happening);
            if is_so(self) {
                return true;
            }
        }
        self.now = end;
        false
    }

    pub(crate) fn after(&mut self, span: Duration, happening: Happening) {
        self.at(self.now + span, happening);
    }

    pub(crate) fn at(&mut self, at: Instant, happening: Happening) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), happening);
    }

    /// Puts off what would happen before `at`; it keeps its order.
    pub(crate) fn postpone(&mut self, at: Instant, which: impl Fn(&Happening) -> bool) {
        let is_early =
            |&(&(due, _), happening): &(&(Instant, u64), &Happening)| due < at && which(happening);
        let early: Vec<_> = self.due.iter().filter(is_early).map(|(&key, _)| key).collect();
        for key in early {
            if let Some(happening) = self.due.remove(&key) {
                self.at(at, happening);
            }
        }
    }
}
