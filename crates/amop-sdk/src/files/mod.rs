//! The files of a client, as they lie under its lock: machines, and the lane of its link.
//!
//! ```text
//!   disk threads ──▶ turn ──▶ Sender, Inbox ──▶ lane ──▶ link
//!        ▲                       │  ▲                      │
//!        └── reads, tasks ───────┘  └────── messages ◀─────┘
//! ```
//!
//! Nothing here touches a disk: each transfer has a thread of its own, which may wait for one and then
//! makes a turn. What waits for the link is at most a mebibyte for each transfer, since nothing is
//! read before there is room.

mod cleaning;
mod disk;
mod find;
mod outbound;
#[cfg(test)]
mod places;
mod receive;
mod seal;
mod send;
mod send_to_all;
mod sending;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use amop_auth::FileOpener;
use amop_core::transfer::{
    Beside, DiskSaid, DiskTask, FileLane, FileWindows, Inbox, InboxEffect, InboxInput, Queued,
    Slot, farewell,
};
use amop_wire::{Code, FileBody, FileMessage, FileRoute, Instance, Instant, NodeId, Reason, Topic};

use find::Find;
use outbound::Outbound;
pub use receive::{FileReceiver, IncomingFile, ReceiveFileError, ReceiveFiles};
pub use send::{FileSent, SendFile, SendFileError};
pub use send_to_all::{
    FileAtReceiver, FileOutcome, FileSendingToAll, FileSentToAll, ProgressToAll, SendFileToAll,
};
pub use sending::FileSending;

/// How far a file is at its receiver, in bytes of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is there.
    pub received: u64,
    /// What of it was there before, from an earlier send of the same file.
    pub resumed: u64,
    /// The size of the file.
    pub total: u64,
}

/// The transfers of one client.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// The node, while the client is connected.
    home: Option<NodeId>,
    outbound: BTreeMap<u64, Outbound>,
    /// Questions who receives, under numbers of their own.
    finds: BTreeMap<u64, Find>,
    last_transfer: u64,
    inbox: Inbox,
    arriving: BTreeMap<Slot, receive::Arriving>,
    /// Where files of a topic go.
    intakes: BTreeMap<Topic, receive::Intake>,
    /// What opens files on private topics, by the sends that are known.
    openers: BTreeMap<(Instance, u64), FileOpener>,
    lane: FileLane<()>,
    windows: FileWindows,
    /// Transfers of this client that are over once what waits for them was sent.
    over: Vec<FileRoute>,
}

impl Files {
    pub(crate) fn connected(&mut self, now: Instant, home: NodeId) {
        self.home = Some(home);
        self.each_outbound(now, |outbound, now| outbound.link_up(now, home));
    }

    /// What waited for the link is lost, and its ends notice.
    pub(crate) fn link_down(&mut self, now: Instant) {
        self.home = None;
        (self.lane, self.windows) = Default::default();
        self.each_outbound(now, Outbound::link_down);
    }

    /// Gives up what is sent, and says so. What is received ends without a word: its sender goes on with
    /// the next life of this client, or whoever takes its place.
    pub(crate) fn close(&mut self, now: Instant) {
        self.each_outbound(now, Outbound::cancel);
        self.finds.clear();
        // Whoever goes on sending is told to begin again, and then that nobody receives here.
        self.inbox = Inbox::default();
        self.arriving.clear();
        self.intakes.clear();
    }

    /// Ends everything without a word: there is no link any more.
    pub(crate) fn finish(&mut self) {
        *self = Self::default();
    }

    /// Something came on the lane for files.
    pub(crate) fn handle_message(&mut self, now: Instant, own: Instance, message: FileMessage) {
        let FileMessage { route, round, body } = &message;
        match body {
            FileBody::Window { passed, beside_messages } => {
                let beside = Beside::messages_if(*beside_messages);
                self.lane.handle_window(now, (route, *round), *passed, beside);
            }
            FileBody::Offer(_)
            | FileBody::Piece { .. }
            | FileBody::Ask { .. }
            | FileBody::Cancel(_) => {
                if let Some(window) = self.windows.passed(&message, Beside::Files) {
                    self.lane.push(now, (), window);
                }
                if let Some(message) = self.open_piece(message) {
                    self.handle_of_sender(now, message);
                }
            }
            FileBody::Found(found) if self.finds.contains_key(&route.transfer) => {
                self.found(route.transfer, Ok((**found).clone()));
            }
            &FileBody::Refused(code, reason) if self.finds.contains_key(&route.transfer) => {
                self.found(route.transfer, Err(SendFileError::Failed { code, reason }));
            }
            FileBody::SealedOffer(_) | FileBody::Find(_) => {} // That one was opened.
            FileBody::Credit { .. }
            | FileBody::Wait
            | FileBody::Again
            | FileBody::Done { .. }
            | FileBody::Refused(..)
            | FileBody::Found(_) => {
                if route.sender.instance == own {
                    self.hear_of_receiver(now, message);
                }
            }
        }
    }

    fn hear_of_receiver(&mut self, now: Instant, message: FileMessage) {
        let transfer = message.route.transfer;
        if self.outbound.contains_key(&transfer) {
            self.act_on(now, transfer, |outbound, now| outbound.hear(now, message));
        } else if let Some(farewell) = farewell(&message) {
            self.over.push(farewell.route);
            self.lane.push(now, (), farewell);
        }
    }

    fn handle_of_sender(&mut self, now: Instant, message: FileMessage) {
        if let FileBody::Offer(offer) = &message.body
            && !self.intakes.contains_key(&offer.topic)
        {
            let FileMessage { route, round, .. } = message;
            let body = FileBody::Refused(Code::SubscriberUnreachable, Reason::NotSubscribed);
            self.lane.push(now, (), FileMessage { route, round, body });
            return;
        }
        self.tell_inbox(now, InboxInput::Message(message));
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.each_outbound(now, Outbound::handle_timeout);
        if self.inbox.poll_timeout().is_some_and(|at| at <= now) {
            self.tell_inbox(now, InboxInput::Timeout);
        }
    }

    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let outbound = self.outbound.values().filter_map(|outbound| outbound.poll_timeout(now));
        outbound.chain(self.inbox.poll_timeout()).chain(self.lane.poll_timeout(now)).min()
    }

    /// Hands out what there is room for now, and asks the disks for more.
    pub(crate) fn ask_for_reads(&mut self, now: Instant) {
        let transfers: Vec<u64> = self.outbound.keys().copied().collect();
        for transfer in transfers {
            let mut goes_on = true;
            while goes_on && let Some(outbound) = self.outbound.get(&transfer) {
                let room = self.lane.piece_room(&outbound.route());
                goes_on = false;
                self.act_on(now, transfer, |outbound, now| goes_on = outbound.go_on(now, room));
            }
        }
    }

    /// Takes the next message for the link, which has room for it.
    pub(crate) fn take_message(&mut self, now: Instant) -> Option<FileMessage> {
        let taken = self.lane.pop(now).map(|(_, message)| message);
        if taken.is_none() {
            for route in self.over.drain(..) {
                self.lane.forget(&route);
            }
        }
        taken
    }

    /// Does something with one transfer out, and what follows from it.
    fn act_on(&mut self, now: Instant, transfer: u64, act: impl FnOnce(&mut Outbound, Instant)) {
        let Some(outbound) = self.outbound.get_mut(&transfer) else { return };
        act(outbound, now);
        while let Some(message) = outbound.next_message() {
            let is_offer = matches!(message.body, FileBody::Offer(_));
            // What else has no place there is said again.
            if self.lane.push(now, (), message) == Queued::Full && is_offer {
                outbound.no_place(now);
            }
        }
        self.over.extend(outbound.left_routes());
        if outbound.is_over() {
            self.outbound.remove(&transfer);
        }
    }

    fn each_outbound(&mut self, now: Instant, act: impl Fn(&mut Outbound, Instant)) {
        let transfers: Vec<u64> = self.outbound.keys().copied().collect();
        for transfer in transfers {
            self.act_on(now, transfer, &act);
        }
    }

    /// The disk has done a task; the path is that of a file that is complete.
    fn disk_said(&mut self, now: Instant, slot: Slot, mut said: DiskSaid, path: Option<PathBuf>) {
        if let Some(arriving) = self.arriving.get_mut(&slot) {
            arriving.path = path;
            if let DiskSaid::Prepared { kept, .. } = said {
                arriving.resumed_at = kept;
            }
            if matches!(said, DiskSaid::Prepared { .. } | DiskSaid::AlreadyThere)
                && let Err(reason) = arriving.show()
            {
                said = DiskSaid::Failed(reason);
            }
        }
        self.tell_inbox(now, InboxInput::Disk(slot, said));
        let receiver = self.inbox.receiver(slot);
        if let (Some(receiver), Some(arriving)) = (receiver, self.arriving.get(&slot)) {
            arriving.tell_progress(receiver);
        }
    }

    fn tell_inbox(&mut self, now: Instant, input: InboxInput) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.inbox.handle(now, input);
            while let Some(effect) = self.inbox.poll_effect() {
                match effect {
                    InboxEffect::Send(message) => {
                        let message = self.veil(message);
                        self.lane.push(now, (), message);
                    }
                    InboxEffect::Disk(slot, task) => {
                        if let Err(reason) = self.give_task(slot, task) {
                            inputs.push_back(InboxInput::Disk(slot, DiskSaid::Failed(reason)));
                        }
                    }
                    InboxEffect::Ended(slot, end) => {
                        if let Some(arriving) = self.arriving.remove(&slot) {
                            arriving.end(end);
                        }
                    }
                }
            }
        }
    }

    /// Hands a task to the thread of a slot, which begins with its first one.
    fn give_task(&mut self, slot: Slot, task: DiskTask) -> Result<(), Reason> {
        if matches!(task, DiskTask::Prepare) {
            let receiver = self.inbox.receiver(slot).ok_or(Reason::Cancelled)?;
            let offer = receiver.offer().clone();
            let intake = self.intakes.get(&offer.topic).ok_or(Reason::Cancelled)?;
            self.arriving.insert(slot, intake.begin(slot, offer)?);
        }
        let arriving = self.arriving.get(&slot).ok_or(Reason::Cancelled)?;
        arriving.give(task)
    }
}
