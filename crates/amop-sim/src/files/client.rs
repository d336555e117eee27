//! The files of one client of a world: machines, the lane of its link, and its disk.
//!
//! It does what the SDK does, with happenings where that has threads: reads and tasks of the disk take
//! their time, those of one transfer come one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use amop_auth::FileOpener;
use amop_core::transfer::{
    Addressee, Beside, DiskSaid, FileLane, FileWindows, Heard, Inbox, InboxEffect, InboxInput,
    Queued, Sender, SenderEffect, SenderInput, Slot, farewell,
};
use amop_wire::{
    Code, FileBody, FileEnd, FileMessage, FileOffer, FileRoute, Instance, Instant, NodeId, Reason,
    Topic,
};

use super::content::Content;
use super::jobs::DiskJob;
use super::private::{Keys, LOOK_AGAIN_AFTER, SEALED_PIECE_BYTES, Seal, Wait};
use crate::due::Happening;
use crate::network::Party;
use crate::world::World;

/// The transfers of one life of a client.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) home: Option<NodeId>,
    pub(crate) sends: BTreeMap<u64, Outgoing>,
    pub(crate) finds: BTreeMap<u64, Find>,
    /// Files on private topics for which nobody was there yet.
    pub(super) waits: BTreeMap<u64, Wait>,
    pub(crate) last: u64,
    pub(crate) inbox: Inbox,
    pub(super) arriving: BTreeMap<Slot, Arriving>,
    pub(crate) intakes: BTreeSet<Topic>,
    /// What opens files on private topics, by the sends that are known.
    pub(super) openers: BTreeMap<(Instance, u64), FileOpener>,
    pub(super) lane: FileLane<()>,
    windows: FileWindows,
    /// Transfers that are over once what waits for them was sent.
    over: Vec<FileRoute>,
    wake_at: Option<Instant>,
}

/// One file on its way to one receiver.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) sender: Sender,
    pub(crate) addressee: Addressee,
    pub(crate) content: Content,
    /// On a private topic.
    pub(super) seal: Option<Seal>,
    /// What the machine wants once there is room: round, offset, length.
    wanted: Option<(u32, u64, usize)>,
    pub(super) is_reading: bool,
}

/// A question who receives, for a file for all of them.
#[derive(Debug)]
pub(crate) struct Find {
    pub(crate) offer: FileOffer,
    pub(crate) patience: Duration,
    pub(crate) ask_at: Instant,
    /// On a private topic: who may receive it.
    pub(super) keys: Option<Keys>,
}

/// One file on its way in.
#[derive(Debug)]
pub(super) struct Arriving {
    pub(super) offer: FileOffer,
    /// Until when its disk is busy with what it was given.
    pub(super) busy_until: Instant,
    /// How slow that is.
    pub(super) write_time: Duration,
}

impl Outgoing {
    pub(super) fn new(
        sender: Sender,
        addressee: Addressee,
        content: Content,
        seal: Option<Seal>,
    ) -> Self {
        let sender = match seal {
            Some(_) => sender.with_pieces_of(SEALED_PIECE_BYTES),
            None => sender,
        };
        Self { sender, addressee, content, seal, wanted: None, is_reading: false }
    }
}

impl World {
    /// A client is connected, and begins its rounds.
    pub(crate) fn files_connected(&mut self, client: usize, node: NodeId) {
        self.clients[client].files.home = Some(node);
        self.each_send(client, &SenderInput::LinkUp(node));
        self.end_file_turn(client);
    }

    /// What waited for the link is lost.
    pub(crate) fn files_link_down(&mut self, client: usize) {
        let files = &mut self.clients[client].files;
        files.home = None;
        (files.lane, files.windows) = Default::default();
        self.each_send(client, &SenderInput::LinkDown);
        self.end_file_turn(client);
    }

    fn each_send(&mut self, client: usize, input: &SenderInput) {
        let transfers: Vec<u64> = self.clients[client].files.sends.keys().copied().collect();
        for transfer in transfers {
            self.tell_sender(client, transfer, input.clone());
        }
    }

    /// A file message has reached a client.
    pub(crate) fn file_to_client(&mut self, client: usize, message: FileMessage) {
        let Some(core) = &self.clients[client].core else { return };
        let (own, now) = (core.instance(), self.now);
        let files = &mut self.clients[client].files;
        if let Some(window) = files.windows.passed(&message, Beside::Files) {
            files.lane.push(now, (), window);
        }
        let Some(message) = self.open_file(client, message) else {
            return self.end_file_turn(client);
        };
        let files = &mut self.clients[client].files;
        match &message.body {
            FileBody::Window { passed, beside_messages } => {
                let (of, beside) =
                    ((&message.route, message.round), Beside::messages_if(*beside_messages));
                files.lane.handle_window(now, of, *passed, beside);
            }
            FileBody::Offer(_)
            | FileBody::Piece { .. }
            | FileBody::Ask { .. }
            | FileBody::Cancel(_) => {
                if let FileBody::Offer(offer) = &message.body
                    && !files.intakes.contains(&offer.topic)
                {
                    let FileMessage { route, round, .. } = message;
                    let body =
                        FileBody::Refused(Code::SubscriberUnreachable, Reason::NotSubscribed);
                    files.lane.push(now, (), FileMessage { route, round, body });
                } else {
                    self.tell_inbox(client, InboxInput::Message(message));
                }
            }
            FileBody::Found(found) if files.finds.contains_key(&message.route.transfer) => {
                let found = found.clone();
                self.found_receivers(client, message.route.transfer, &found);
            }
            FileBody::Find(_) | FileBody::SealedOffer(_) => {}
            FileBody::Credit { .. }
            | FileBody::Wait
            | FileBody::Again
            | FileBody::Done { .. }
            | FileBody::Refused(..)
            | FileBody::Found(_) => {
                if message.route.sender.instance == own {
                    self.hear_of_receiver(client, message);
                }
            }
        }
        self.end_file_turn(client);
    }

    fn hear_of_receiver(&mut self, client: usize, message: FileMessage) {
        self.note_word(client, &message);
        let transfer = message.route.transfer;
        let (now, files) = (self.now, &mut self.clients[client].files);
        let Some(outgoing) = files.sends.get_mut(&transfer) else {
            if let Some(farewell) = farewell(&message) {
                files.over.push(farewell.route);
                files.lane.push(now, (), farewell);
            }
            return;
        };
        let Some(message) = outgoing.unveiled(message) else { return };
        match outgoing.addressee.hear(&outgoing.sender, &message) {
            Heard::ForSender => {
                self.note_heard(client, &message);
                self.tell_sender(client, transfer, SenderInput::Message(message));
            }
            Heard::Redirect(to) => {
                let route = outgoing.sender.route();
                self.clients[client].files.over.push(route);
                self.tell_sender(client, transfer, SenderInput::Redirect(to));
            }
            Heard::Find(question) => {
                self.clients[client].files.lane.push(now, (), question);
            }
            Heard::Nothing => {}
        }
    }

    /// Tells the machine of a send, and does what it wants.
    pub(crate) fn tell_sender(&mut self, client: usize, transfer: u64, input: SenderInput) {
        let now = self.now;
        let files = &mut self.clients[client].files;
        let Some(outgoing) = files.sends.get_mut(&transfer) else { return };
        outgoing.sender.handle(now, input);
        let effects = std::iter::from_fn(|| outgoing.sender.poll_effect());
        for effect in effects.collect::<Vec<_>>() {
            match effect {
                SenderEffect::Send(message) => {
                    self.send_forth(client, transfer, &message);
                }
                SenderEffect::Read { round, start, bytes } => {
                    let files = &mut self.clients[client].files;
                    if let Some(outgoing) = files.sends.get_mut(&transfer) {
                        outgoing.wanted = Some((round, start, bytes));
                    }
                }
                SenderEffect::Ended(end) => {
                    self.send_ended(client, transfer, end);
                    let files = &mut self.clients[client].files;
                    if let Some(ended) = files.sends.remove(&transfer) {
                        files.over.push(ended.sender.route());
                        self.go_on_after(client, transfer, &ended, end);
                    }
                }
            }
        }
    }

    /// Puts what a machine says on the lane. An offer for which that has no place has not been made.
    fn send_forth(&mut self, client: usize, transfer: u64, message: &FileMessage) {
        let (now, files) = (self.now, &mut self.clients[client].files);
        let is_offer = matches!(message.body, FileBody::Offer(_));
        let sealed = files.sends.get_mut(&transfer).and_then(|it| it.sealed(message.clone()));
        let queued = sealed.map(|sealed| files.lane.push(now, (), sealed));
        if is_offer && queued == Some(Queued::Full) {
            let send = self.send_id(client, transfer);
            if let Some(send) = send.and_then(|id| self.file_record.sends.get_mut(&id)) {
                send.heard_at = now; // Its patience has not begun.
            }
            self.tell_sender(client, transfer, SenderInput::NoPlace);
        } else {
            self.note_sent(client, message);
        }
    }

    pub(crate) fn tell_inbox(&mut self, client: usize, input: InboxInput) {
        let now = self.now;
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let inbox = &mut self.clients[client].files.inbox;
            inbox.handle(now, input);
            let effects: Vec<InboxEffect> = std::iter::from_fn(|| inbox.poll_effect()).collect();
            for effect in effects {
                match effect {
                    InboxEffect::Send(message) => {
                        let files = &mut self.clients[client].files;
                        let message = files.veiled(message);
                        files.lane.push(now, (), message);
                    }
                    InboxEffect::Disk(slot, task) => {
                        if !self.give_task(client, slot, task) {
                            let failed = DiskSaid::Failed(Reason::Cancelled);
                            inputs.push(InboxInput::Disk(slot, failed));
                        }
                    }
                    InboxEffect::Ended(slot, end) => {
                        let arriving = self.clients[client].files.arriving.remove(&slot);
                        if let Some(Arriving { offer, busy_until, .. }) = arriving {
                            self.arrival_ended(client, &offer, end);
                            // What it was given is still done.
                            self.disk_at(client, busy_until, DiskJob::Release { offer });
                        }
                    }
                }
            }
        }
    }

    /// Timers of the files of a client.
    pub(crate) fn wake_files(&mut self, client: usize) {
        let now = self.now;
        self.clients[client].files.wake_at = None;
        let files = &self.clients[client].files;
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let due = files.sends.iter().filter(|(_, send)| is_due(send.sender.poll_timeout()));
        for transfer in due.map(|(transfer, _)| *transfer).collect::<Vec<_>>() {
            self.tell_sender(client, transfer, SenderInput::Timeout);
        }
        if is_due(self.clients[client].files.inbox.poll_timeout()) {
            self.tell_inbox(client, InboxInput::Timeout);
        }
        self.look_for_receivers(client);
        self.ask_who_receives(client);
        self.end_file_turn(client);
    }

    /// Sends what there is room for, has more read, and sets the timer.
    pub(crate) fn end_file_turn(&mut self, client: usize) {
        if self.clients[client].core.is_none() {
            return;
        }
        let party = Party::Client(client);
        if self.now < self.paused_until(party) {
            return self.wake_files_at(client, self.paused_until(party));
        }
        self.have_read(client);
        while let Some(link) = self.clients[client].link
            && self.clients[client].files.home.is_some()
            && self.has_file_room(party, link)
        {
            let files = &mut self.clients[client].files;
            let Some((_, message)) = files.lane.pop(self.now) else {
                let over = std::mem::take(&mut files.over);
                over.iter().for_each(|route| files.lane.forget(route));
                break;
            };
            let from = (party, self.clients[client].life);
            if let Some(message) = self.seal_offer(client, message) {
                self.send(from, link, &message);
            }
        }
        self.have_read(client);
        let files = &self.clients[client].files;
        let sends = files.sends.values().filter_map(|send| send.sender.poll_timeout());
        let finds = files.finds.values().map(|find| find.ask_at);
        let waits = files.waits.values().map(|wait| wait.until.min(self.now + LOOK_AGAIN_AFTER));
        let rests = files.lane.poll_timeout(self.now);
        let others = files.inbox.poll_timeout().into_iter().chain(rests);
        let next = sends.chain(finds).chain(waits).chain(others).min();
        if let Some(at) = next {
            self.wake_files_at(client, at.max(self.now));
        }
    }

    pub(crate) fn wake_files_at(&mut self, client: usize, at: Instant) {
        let slot = &mut self.clients[client];
        if slot.files.wake_at.is_none_or(|set| at < set) {
            slot.files.wake_at = Some(at);
            let life = slot.life;
            self.at(at, Happening::FilesWake { client, life });
        }
    }

    fn have_read(&mut self, client: usize) {
        let mut reads = Vec::new();
        let files = &mut self.clients[client].files;
        for (&transfer, send) in &mut files.sends {
            let room =
                files.lane.piece_room(&send.sender.route()).saturating_sub(send.seal_bytes());
            if let Some((round, start, bytes)) = send.wanted
                && !send.is_reading
                && room > 0
            {
                let bytes = bytes.min(room);
                (send.wanted, send.is_reading) = (None, true);
                reads.push(DiskJob::Read { transfer, round, start, bytes });
            }
        }
        for read in reads {
            let takes = Duration::from_micros(50 + self.draw(50));
            self.disk_at(client, self.now + takes, read);
        }
    }

    /// A topic is received no more: what is under way is given up.
    pub(crate) fn give_up_files(&mut self, client: usize, topic: &Topic) {
        let files = &mut self.clients[client].files;
        files.intakes.remove(topic);
        let is_of_it = |(_, arriving): &(&Slot, &Arriving)| arriving.offer.topic == *topic;
        let slots: Vec<Slot> =
            files.arriving.iter().filter(is_of_it).map(|(slot, _)| *slot).collect();
        for slot in slots {
            self.tell_inbox(client, InboxInput::Cancel(slot));
        }
        self.end_file_turn(client);
    }

    /// Asks the client's node who receives, if there is one.
    pub(crate) fn ask_who_receives(&mut self, client: usize) {
        let now = self.now;
        let Some(core) = &self.clients[client].core else { return };
        let (own, files) = (core.instance(), &mut self.clients[client].files);
        for (&transfer, find) in &mut files.finds {
            if find.ask_at > now {
                continue;
            }
            find.ask_at = now + Duration::from_secs(1);
            if let Some(home) = files.home {
                let sender = FileEnd { instance: own, node: home };
                let route = FileRoute { transfer, sender, receiver: FileEnd::ANY };
                let body = FileBody::Find(find.offer.topic.clone());
                files.lane.push(now, (), FileMessage { route, round: 0, body });
            }
        }
    }
}
