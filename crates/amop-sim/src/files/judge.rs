//! What became of the files of a world, judged by what their senders were told and what is on the disks.
//!
//! Nothing here knows how a transfer goes on: it holds codes and bytes against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use amop_core::transfer::{DiskSaid, End, Receiver, Slot};
use amop_wire::limits::{FILE_CHUNK_BYTES, FILE_IN_FLIGHT_BYTES_MAX};
use amop_wire::{
    Code, FileBody, FileEnd, FileMessage, FileOffer, FileRoute, Instance, Instant, Topic,
};

use super::FileSendId;
use super::again::Attempts;
use super::content::Content;
use super::disk::FileStep;
use super::secrets::SecretFiles;
use crate::network::Party;
use crate::story::{About, What};
use crate::world::{ClientId, World};

/// Every send, and who lived when.
#[derive(Debug, Default)]
pub(crate) struct FileRecord {
    pub(crate) sends: BTreeMap<FileSendId, FileSend>,
    /// Which client an instance is a life of.
    pub(crate) instances: BTreeMap<Instance, usize>,
    pub(super) secrets: SecretFiles,
    pub(super) attempts: Attempts,
    /// What the disk of each client lost so far.
    pub(super) losses: BTreeMap<usize, Losses>,
}

/// How often a disk lost of a file what it had said to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Losses {
    /// Its power was cut, or it forgot what it could not write: nobody knows how much is gone.
    pub(super) power_cuts: u32,
    /// A part was wrong.
    pub(super) wrong_parts: u32,
}

/// One file on its way to one receiver.
#[derive(Clone, Debug)]
pub struct FileSend {
    /// What is sent.
    pub content: Content,
    /// To what.
    pub topic: Topic,
    /// How it ended, and when.
    pub end: Option<(Instant, End)>,
    /// How many bytes were sent for it, those that were sent twice both times.
    pub moved: u64,
    /// The question that found its receiver, of a file for all.
    pub(crate) find: Option<u64>,
    pub(crate) receiver: FileEnd,
    pub(crate) patience: Duration,
    /// When the last word of its receiver came, or it began.
    pub(crate) heard_at: Instant,
    /// Whether its client lives to see the end.
    pub(crate) lives: bool,
    pub(crate) stopped_until: Instant,
    was_offered: bool,
    /// Whether anybody may take the last offer, and none has said anything of it.
    is_open: bool,
    /// Receivers that a word of was heard, or of their nodes.
    heard_of: BTreeSet<Instance>,
    /// Those of them that said that they lack something, or want none of it.
    lacking: BTreeSet<Instance>,
    /// Who said last that it has the file.
    done_by: Option<Instance>,
    /// The offset behind the last byte that was sent to anybody.
    furthest: u64,
    /// How far it may send, as it was told last, and in which round.
    granted: (u32, u64),
    /// To each client: the offset behind the last byte that was sent, in which round, and how often its
    /// power had been cut then.
    sent_to: BTreeMap<usize, Sent>,
    /// Where it got its name.
    placed: BTreeSet<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    furthest: u64,
    round: u32,
    losses: Losses,
}

impl FileSend {
    pub(crate) fn new(
        now: Instant,
        content: Content,
        topic: Topic,
        receiver: FileEnd,
        patience: Duration,
    ) -> Self {
        Self {
            content,
            topic,
            end: None,
            moved: 0,
            find: None,
            receiver,
            patience,
            heard_at: now,
            lives: true,
            stopped_until: now,
            was_offered: false,
            is_open: false,
            heard_of: BTreeSet::new(),
            lacking: BTreeSet::new(),
            done_by: None,
            furthest: 0,
            granted: (0, 0),
            sent_to: BTreeMap::new(),
            placed: BTreeSet::new(),
        }
    }

    /// The same, of a file for all.
    pub(crate) fn found_by(self, find: Option<u64>) -> Self {
        Self { find, ..self }
    }

    /// Until when it must have an end.
    fn ends_by(&self) -> Instant {
        self.heard_at.max(self.stopped_until) + self.patience + Duration::from_millis(500)
    }

    /// Whether whoever it went to lacks bytes that never left (FILE-10). One that never said what it has may have
    /// got the file from somebody else, and so may whoever got an offer to anybody.
    fn is_certainly_incomplete(&self) -> bool {
        let is_known =
            !self.is_open && !self.lacking.is_empty() && self.heard_of.is_subset(&self.lacking);
        is_known && self.furthest < self.content.layout().stream_bytes()
    }

    /// Takes note of what its sender hears of a receiver that it lacks.
    fn note_lack(&mut self, message: &FileMessage) {
        let lacks = match &message.body {
            FileBody::Credit { received, .. } => *received < self.content.layout().stream_bytes(),
            FileBody::Refused(code, _) => *code == Code::FileRefused,
            _ => false,
        };
        if lacks {
            self.lacking.insert(message.route.receiver.instance);
        }
    }
}

impl World {
    /// A send ended, as its application was told.
    pub(crate) fn send_ended(&mut self, client: usize, transfer: u64, end: End) {
        let Some(outgoing) = self.clients[client].files.sends.get(&transfer) else { return };
        let (receiver, now) = (outgoing.sender.route().receiver, self.now);
        let moved = outgoing.sender.moved_bytes();
        let Some(id) = self.send_id(client, transfer) else { return };
        self.coverage.file_end(end);
        self.check_file_access(id, end.code);
        self.note((id, end.code.number()));
        let line =
            format_args!("file {id} ends: {}, {}; {moved} bytes moved", end.code, end.reason);
        self.tell(What::Did(Party::Client(client)), About::Nothing, line);
        let Some(send) = self.file_record.sends.get_mut(&id) else { return };
        send.end = Some((now, end));
        let send = send.clone();
        // Not always the one that it goes to: its home node may have chosen another for another copy of the
        // first offer, and a late word of whom it went to before counts too.
        let at = send.done_by.and_then(|by| self.file_record.instances.get(&by));
        let is_safe = at.is_some_and(|at| self.clients[*at].disk.is_safe(send.content));
        let wrong = match end.code {
            Code::Ok => (!is_safe).then_some("is not safe on the disk of who said so"),
            Code::TimedOut if send.is_certainly_incomplete() => Some("cannot be there"),
            Code::NotSent if send.was_offered => Some("was offered"),
            Code::TimedOut => None,
            _ if !send.placed.is_empty() => Some("has its name"),
            _ => None,
        };
        let is_other = send.receiver != FileEnd::ANY && receiver.instance != send.receiver.instance;
        let is_late = now > send.ends_by();
        for what in [
            wrong,
            is_other.then_some("went to another than whom it was for"),
            is_late.then_some("was told too late"),
        ] {
            let broken = what.map(|what| format!("file {id} ended with {}: it {what}", end.code));
            self.record.broken.extend(broken);
        }
    }

    /// A word of a receiver came to a sender, whether or not that goes by it.
    pub(crate) fn note_word(&mut self, client: usize, message: &FileMessage) {
        let id = self.send_id(client, message.route.transfer);
        if let Some(send) = id.and_then(|id| self.file_record.sends.get_mut(&id)) {
            send.heard_of.insert(message.route.receiver.instance);
            send.is_open = false;
        }
    }

    /// A sender hears something of its receiver.
    pub(crate) fn note_heard(&mut self, client: usize, message: &FileMessage) {
        let Some(id) = self.send_id(client, message.route.transfer) else { return };
        if let (FileBody::Done { .. }, Some(send)) =
            (&message.body, self.file_record.sends.get_mut(&id))
        {
            send.done_by = Some(message.route.receiver.instance);
        }
        let outgoing = self.clients[client].files.sends.get(&message.route.transfer);
        if outgoing.is_none_or(|it| it.sender.round() != message.round) {
            return;
        }
        let at = self.file_record.instances.get(&message.route.receiver.instance).copied();
        let losses =
            at.and_then(|at| self.file_record.losses.get(&at)).copied().unwrap_or_default();
        let now = self.now;
        let Some(send) = self.file_record.sends.get_mut(&id) else { return };
        send.note_lack(message);
        if let FileBody::Credit { granted, .. } = &message.body {
            let before = if send.granted.0 == message.round { send.granted.1 } else { 0 };
            send.granted = (message.round, before.max(*granted));
        }
        if let FileBody::Credit { .. } | FileBody::Wait | FileBody::Again = &message.body {
            send.heard_at = now;
        }
        let (FileBody::Credit { received, .. }, Some(at)) = (&message.body, at) else { return };
        let before = send.sent_to.entry(at).or_default();
        let is_new_round = before.round < message.round;
        let lost = before.furthest.saturating_sub(*received);
        let is_to_blame = is_new_round && before.losses.power_cuts == losses.power_cuts;
        let was_wrong = before.losses.wrong_parts != losses.wrong_parts;
        let most = FILE_IN_FLIGHT_BYTES_MAX + if was_wrong { FILE_CHUNK_BYTES } else { 0 };
        if is_new_round {
            *before = Sent { furthest: *received, round: message.round, losses };
            if *received > 0 && *received < send.content.layout().stream_bytes() {
                self.coverage.file("goes on");
            }
        }
        if is_to_blame && lost > most {
            self.record.broken.push(format!("file {id}: {lost} bytes are to be moved twice"));
        }
    }

    /// A sender says something.
    pub(crate) fn note_sent(&mut self, client: usize, message: &FileMessage) {
        let Some(id) = self.send_id(client, message.route.transfer) else { return };
        let at = self.file_record.instances.get(&message.route.receiver.instance).copied();
        let Some(send) = self.file_record.sends.get_mut(&id) else { return };
        match &message.body {
            FileBody::Offer(_) => {
                send.was_offered = true;
                send.is_open = message.route.receiver == FileEnd::ANY;
            }
            FileBody::Piece { start, data } => {
                let bytes = u64::try_from(data.len()).expect("a length fits 64 bits");
                let end = start + bytes;
                send.moved += bytes;
                send.furthest = send.furthest.max(end);
                if send.granted.0 != message.round || end > send.granted.1 {
                    let granted = send.granted;
                    let what = format!("file {id}: sent up to {end}, granted {granted:?}");
                    self.record.broken.push(what);
                }
                if let Some(at) = at {
                    let sent = send.sent_to.entry(at).or_default();
                    sent.furthest = sent.furthest.max(end);
                }
            }
            _ => {}
        }
    }

    /// A receiver's application was told how a file ended.
    pub(crate) fn arrival_ended(&mut self, client: usize, offer: &FileOffer, end: End) {
        let content = Content::of(offer);
        let line =
            format_args!("file {content:?} of {} ends: {}, {}", offer.from, end.code, end.reason);
        self.tell(What::Did(Party::Client(client)), About::Nothing, line);
        self.coverage.file_end(end);
        if end.code == Code::Ok && !self.clients[client].disk.is_safe(content) {
            let what = format!("c{client} was told that {content:?} is there, and it is not safe");
            self.record.broken.push(what);
        }
    }

    /// A disk has done a step of giving a file its name.
    pub(crate) fn finished_step(
        &mut self,
        client: usize,
        slot: Slot,
        offer: &FileOffer,
        step: FileStep,
        said: Option<DiskSaid>,
    ) {
        let line = format_args!("{step:?} of {}: {said:?}", offer.label);
        self.tell(What::Did(Party::Client(client)), About::Nothing, line);
        let is_placed = match step {
            FileStep::Rename => said.is_none(),
            FileStep::SyncDirectory if said.is_some() => false, // It is taken back.
            FileStep::SyncData | FileStep::SyncDirectory | FileStep::Remember => return,
        };
        self.check_disk(client);
        self.check_reader(client, offer);
        if !is_placed {
            // Also of a transfer that was given up meanwhile.
            let content = Content::of(offer);
            let all = self.file_record.sends.values_mut();
            all.filter(|send| send.content == content).for_each(|send| {
                send.placed.remove(&client);
            });
            return;
        }
        let route = self.clients[client].files.inbox.receiver(slot).map(Receiver::route);
        let Some(FileRoute { transfer, sender, .. }) = route else { return };
        let id = FileSendId(sender.instance, transfer);
        let Some(send) = self.file_record.sends.get_mut(&id) else { return };
        send.placed.insert(client);
        if let Some((_, end)) = send.end
            && !matches!(end.code, Code::Ok | Code::TimedOut)
        {
            let what = format!("file {id} ended with {} and gets its name later", end.code);
            self.record.broken.push(what);
        }
    }

    /// Nothing is visible but what is whole.
    pub(crate) fn check_disk(&mut self, client: usize) {
        let half = self.clients[client].disk.half_files();
        let half = half.map(|content| format!("half of {content:?} is visible at c{client}"));
        self.record.broken.extend(half);
    }

    /// What is wrong with the files once nothing fails any more: sends without an end, parts that nobody
    /// lets go of, files that were there and are not.
    pub(crate) fn check_files(&mut self) {
        let mut wrong = Vec::new();
        for (id, send) in &self.file_record.sends {
            let is_there = self.clients.iter().any(|slot| slot.disk.is_safe(send.content));
            match send.end {
                None if send.lives && self.now > send.ends_by() => {
                    wrong.push(format!("file {id} has no end"));
                }
                Some((_, end)) if end.code == Code::Ok && !is_there => {
                    wrong.push(format!("file {id} was there and is not"));
                }
                Some(_) | None => {}
            }
        }
        for (client, slot) in self.clients.iter_mut().enumerate() {
            let is_idle = slot.files.inbox.under_way() == 0;
            if is_idle && slot.disk.clean() > 0 {
                wrong.push(format!("c{client} holds parts that nobody receives"));
            }
        }
        self.record.broken.append(&mut wrong);
    }

    /// What a client, in any of its lives, has sent on a topic and not brought to its end.
    pub(crate) fn unsent(&self, client: ClientId, topic: &str) -> Vec<Content> {
        let is_of = |(id, send): &(&FileSendId, &FileSend)| {
            let by = self.file_record.instances.get(&id.0);
            let is_done = send.end.is_some_and(|(_, end)| end.code == Code::Ok);
            by == Some(&client.0) && send.topic.as_str() == topic && !is_done
        };
        let all = self.file_record.sends.iter().filter(is_of).map(|(_, send)| send.content);
        // Of two files under one number, one would stand in the way of the other.
        let all = all.map(|content| (content.number, content)).collect::<BTreeMap<_, _>>();
        all.into_values().collect()
    }

    /// Whether another file stands in the way of one, or has its id, wherever it may have gone.
    pub(crate) fn has_rival(&self, id: FileSendId) -> bool {
        let Some(send) = self.file_record.sends.get(&id) else { return false };
        let Some(by) = self.file_record.instances.get(&id.0) else { return false };
        let offer = send.content.offer(self.clients[*by].name.clone(), send.topic.clone());
        self.clients.iter().any(|slot| slot.disk.has_another(&offer))
    }

    pub(super) fn send_id(&self, client: usize, transfer: u64) -> Option<FileSendId> {
        let core = self.clients[client].core.as_ref()?;
        Some(FileSendId(core.instance(), transfer))
    }
}
