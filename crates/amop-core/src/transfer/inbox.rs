//! All files that one client receives: finds the receiver that a message is for, and takes as many at
//! a time as it may.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use amop_wire::limits::TRANSFERS_MAX;
use amop_wire::{
    FileBody, FileId, FileMessage, FileOffer, FileRoute, Instance, Instant, Name, Reason, Topic,
};

use super::past::{Over, Past};
use super::receiver::{Receiver, is_same_file};
use super::receiver_effect::{ReceiverEffect, ReceiverInput};
use super::{DiskSaid, DiskTask, End};

/// The receivers of one client.
#[derive(Debug, Default)]
pub struct Inbox {
    receivers: BTreeMap<Slot, Receiver>,
    files: BTreeMap<FileKey, Slot>,
    sends: BTreeMap<Send, Slot>,
    past: Past,
    last_slot: u64,
    effects: VecDeque<InboxEffect>,
}

/// One transfer of one client, for as long as it goes on there. Never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u64);

/// What happens to an inbox.
#[derive(Clone, Debug)]
pub enum InboxInput {
    /// Something came on the lane for files.
    Message(FileMessage),
    /// An offer came, sealed under a key that is not here. Whatever it was, its send is refused for good
    /// (FILE-16), unless the file is there or about to be.
    Unopened(FileMessage),
    /// What came of a task of the disk.
    Disk(Slot, DiskSaid),
    /// The application gives one up.
    Cancel(Slot),
    /// The time that [`Inbox::poll_timeout`] named has come.
    Timeout,
}

/// What an inbox wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboxEffect {
    /// Send this.
    Send(FileMessage),
    /// Do this on the disk, for one slot one task after the other.
    Disk(Slot, DiskTask),
    /// It is over: no task follows, and what is open for it can be closed.
    Ended(Slot, End),
}

/// What makes two offers one file (FILE-3).
type FileKey = (Name, Topic, FileId);

/// One call to send one file to one receiver.
pub(super) type Send = (Instance, u64);

impl Inbox {
    /// Applies one input; what it causes waits in [`poll_effect`](Self::poll_effect).
    ///
    /// The caller drains every effect before the next input.
    pub fn handle(&mut self, now: Instant, input: InboxInput) {
        debug_assert!(self.effects.is_empty(), "drain every effect before the next input");
        match input {
            InboxInput::Message(message) => self.handle_message(now, message),
            InboxInput::Unopened(message) => self.handle_unopened(now, &message),
            InboxInput::Disk(slot, said) => self.pass_on(now, slot, ReceiverInput::Disk(said)),
            InboxInput::Cancel(slot) => self.pass_on(now, slot, ReceiverInput::Cancel),
            InboxInput::Timeout => self.handle_timeout(now),
        }
    }

    /// Takes the next effect, in the order in which they must be performed.
    pub fn poll_effect(&mut self) -> Option<InboxEffect> {
        self.effects.pop_front()
    }

    /// Says when to hand in [`InboxInput::Timeout`]; coming early is harmless, coming late only slow.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let ended = self.receivers.values().filter(|receiver| receiver.end().is_some());
        let going = self.receivers.values().filter_map(Receiver::poll_timeout);
        ended.map(Receiver::give_up_at).chain(going).min()
    }

    /// The receiver in a slot, to see what it takes and how far it is.
    #[must_use]
    pub fn receiver(&self, slot: Slot) -> Option<&Receiver> {
        self.receivers.get(&slot)
    }

    /// Whether anything is known of the send that a message is of, also if it has ended.
    #[must_use]
    pub fn knows(&self, sender: Instance, transfer: u64) -> bool {
        self.sends.contains_key(&(sender, transfer))
    }

    /// How many transfers are under way; at most [`TRANSFERS_MAX`].
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.receivers.values().filter(|receiver| receiver.end().is_none()).count()
    }

    fn handle_message(&mut self, now: Instant, message: FileMessage) {
        if let FileBody::Offer(offer) = &message.body {
            let offer = FileOffer::clone(offer);
            return self.handle_offer(now, message, offer);
        }
        if let Some(&slot) = self.sends.get(&send_of(&message.route)) {
            return self.pass_on(now, slot, ReceiverInput::Message(message));
        }
        if matches!(message.body, FileBody::Piece { .. } | FileBody::Ask { .. }) {
            self.reply(&message, FileBody::Again); // Its receiver was in an earlier life.
        }
    }

    fn handle_unopened(&mut self, now: Instant, message: &FileMessage) {
        let FileMessage { route, round, .. } = *message;
        let send = send_of(&route);
        if let Some(&slot) = self.sends.get(&send) {
            return self.pass_on(now, slot, ReceiverInput::Unopened(route, round));
        }
        if self.past.get(send) == Some(Over::Done) {
            return; // Its sender was told, and may not have heard it: there is doubt.
        }
        self.past.note(send, Over::Refused);
        self.receivers.values_mut().for_each(|receiver| receiver.drop_next(send));
        self.refuse_unopened(message);
    }

    fn refuse_unopened(&mut self, message: &FileMessage) {
        let End { code, reason } = End::refusal(Reason::CannotOpen);
        self.reply(message, FileBody::Refused(code, reason));
    }

    fn handle_offer(&mut self, now: Instant, message: FileMessage, offer: FileOffer) {
        let key = key_of(&offer);
        let send = send_of(&message.route);
        if self.past.get(send) == Some(Over::Refused) {
            return self.refuse_unopened(&message);
        }
        if let Some(&slot) = self.files.get(&key) {
            let receiver = &self.receivers[&slot];
            // Of what was done for another send the disk tells: by now another file may stand there.
            let is_done = receiver.end() == Some(End::DONE);
            let is_under_way = receiver.end().is_none();
            let is_other_file = is_done && !is_same_file(&offer, receiver.offer());
            if is_under_way || is_other_file || send_of(&receiver.route()) == send {
                return self.pass_on(now, slot, ReceiverInput::Message(message));
            }
            self.forget(slot);
        }
        if self.under_way() == TRANSFERS_MAX {
            return self.reply(&message, FileBody::Wait);
        }
        self.forget_one_if_many();
        self.last_slot += 1;
        let slot = Slot(self.last_slot);
        let (route, round) = (message.route, message.round);
        let receiver = Receiver::new(now, route, round, offer, PATIENCE);
        self.receivers.insert(slot, receiver);
        self.files.insert(key, slot);
        self.sends.insert(send, slot);
        self.gather(slot);
    }

    fn pass_on(&mut self, now: Instant, slot: Slot, input: ReceiverInput) {
        let Some(receiver) = self.receivers.get_mut(&slot) else { return };
        let before = send_of(&receiver.route());
        receiver.handle(now, input);
        let after = send_of(&receiver.route());
        if before != after {
            self.leave(before, slot);
            self.sends.insert(after, slot);
        }
        self.gather(slot);
    }

    fn gather(&mut self, slot: Slot) {
        let receiver = self.receivers.get_mut(&slot).expect("the caller has found it");
        let mut is_silent = false;
        while let Some(effect) = receiver.poll_effect() {
            self.effects.push_back(match effect {
                ReceiverEffect::Send(message) => InboxEffect::Send(message),
                ReceiverEffect::Disk(task) => InboxEffect::Disk(slot, task),
                ReceiverEffect::Ended(end) => {
                    is_silent = end.reason == Reason::Deadline;
                    InboxEffect::Ended(slot, end)
                }
            });
        }
        if is_silent {
            self.forget(slot); // The same send may come back.
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        let slots: Vec<Slot> = self.receivers.keys().copied().collect();
        for slot in slots {
            let receiver = &self.receivers[&slot];
            if receiver.end().is_some() && receiver.give_up_at() <= now {
                self.forget(slot);
            } else {
                self.pass_on(now, slot, ReceiverInput::Timeout);
            }
        }
    }

    /// Ended ones are kept only to answer what comes late.
    fn forget_one_if_many(&mut self) {
        if self.receivers.len() < 2 * TRANSFERS_MAX {
            return;
        }
        let ended = self.receivers.iter().find(|(_, receiver)| receiver.end().is_some());
        let (&slot, _) = ended.expect("not more than half of them are under way");
        self.forget(slot);
    }

    fn forget(&mut self, slot: Slot) {
        let Some(receiver) = self.receivers.get(&slot) else { return };
        self.files.remove(&key_of(receiver.offer()));
        self.leave(send_of(&receiver.route()), slot);
        self.receivers.remove(&slot);
    }

    /// A send has no receiver any more, or another one has its.
    fn leave(&mut self, send: Send, slot: Slot) {
        self.sends.remove(&send);
        if self.receivers[&slot].end() == Some(End::DONE) {
            self.past.note(send, Over::Done);
        }
    }

    fn reply(&mut self, to: &FileMessage, body: FileBody) {
        let FileMessage { route, round, .. } = *to;
        self.effects.push_back(InboxEffect::Send(FileMessage { route, round, body }));
    }
}

fn key_of(offer: &FileOffer) -> FileKey {
    (offer.from.clone(), offer.topic.clone(), offer.id)
}

fn send_of(route: &FileRoute) -> Send {
    (route.sender.instance, route.transfer)
}

/// How long a sender may be silent before its place is free for the next.
const PATIENCE: Duration = Duration::from_secs(60);
