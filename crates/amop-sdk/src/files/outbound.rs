//! One file on its way out: its machine, whom it goes to, and what its thread is to read.

use std::collections::VecDeque;
use std::sync::mpsc;

use amop_auth::{FileSealer, PublicKey};
use amop_core::transfer::{Addressee, End, Heard, Pace, Sender, SenderEffect, SenderInput};
use amop_wire::limits::FILE_SEAL_BYTES_MAX;
use amop_wire::{
    FileBody, FileEnd, FileLayout, FileMessage, FileRoute, Instant, NodeId, Reason, Topic,
};
use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::Progress;

/// One transfer to one receiver.
#[derive(Debug)]
pub(super) struct Outbound {
    sender: Sender,
    addressee: Addressee,
    sha256: [u8; 32],
    layout: FileLayout,
    /// On a private topic.
    seal: Option<Seal>,
    /// What the receiver had before anything was sent.
    resumed: u64,
    pace: Option<Pace>,
    /// What the machine gets once there is room and time for it.
    wanted: Option<Piece>,
    /// What was read and not handed out: at most the rest of a part, and where that begins.
    held: Option<(u64, Bytes)>,
    is_reading: bool,
    reads: mpsc::Sender<Wanted>,
    messages: VecDeque<FileMessage>,
    /// Whom it went to before.
    left: Vec<FileRoute>,
    progress: watch::Sender<Progress>,
    ended: Option<oneshot::Sender<(End, u64)>>,
}

/// What a file on a private topic is sealed with, and by which key its receiver was let in.
#[derive(Debug)]
pub(super) struct Seal {
    pub(super) sealer: FileSealer,
    pub(super) key: PublicKey,
}

/// Bytes of the stream that a thread is to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) transfer: u64,
    pub(super) start: u64,
    pub(super) bytes: usize,
}

/// Bytes of the stream that the machine wants.
#[derive(Clone, Copy, Debug)]
struct Piece {
    round: u32,
    start: u64,
    bytes: usize,
}

/// What a transfer has to do with beside its machine.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) topic: Topic,
    pub(super) sha256: [u8; 32],
    pub(super) seal: Option<Seal>,
    pub(super) layout: FileLayout,
    pub(super) pace: Option<Pace>,
    pub(super) reads: mpsc::Sender<Wanted>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) ended: oneshot::Sender<(End, u64)>,
}

impl Outbound {
    pub(super) fn new(sender: Sender, ways: Ways) -> Self {
        let Ways { topic, sha256, seal, layout, pace, reads, progress, ended } = ways;
        Self {
            addressee: Addressee::new(topic, &sender.route()),
            sender,
            sha256,
            layout,
            seal,
            resumed: 0,
            pace,
            wanted: None,
            held: None,
            is_reading: false,
            reads,
            messages: VecDeque::new(),
            left: Vec::new(),
            progress,
            ended: Some(ended),
        }
    }

    pub(super) fn route(&self) -> FileRoute {
        self.sender.route()
    }

    pub(super) fn topic(&self) -> &Topic {
        self.addressee.topic()
    }

    pub(super) fn seal(&self) -> Option<&Seal> {
        self.seal.as_ref()
    }

    pub(super) fn link_up(&mut self, now: Instant, home: NodeId) {
        self.tell(now, SenderInput::LinkUp(home));
    }

    pub(super) fn link_down(&mut self, now: Instant) {
        self.tell(now, SenderInput::LinkDown);
    }

    pub(super) fn cancel(&mut self, now: Instant) {
        self.tell(now, SenderInput::Cancel);
    }

    /// Its offer did not leave.
    pub(super) fn no_place(&mut self, now: Instant) {
        self.tell(now, SenderInput::NoPlace);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.sender.poll_timeout().is_some_and(|at| at <= now) {
            self.tell(now, SenderInput::Timeout);
        }
    }

    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        // A piece whose time has come waits for its bytes, or for room, and both make a turn.
        let paced = self.wanted.and(self.pace).map(|pace| pace.next_at()).filter(|at| *at > now);
        self.sender.poll_timeout().into_iter().chain(paced).min()
    }

    /// Hands in what was read, or why it was not.
    pub(super) fn tell(&mut self, now: Instant, input: SenderInput) {
        self.sender.handle(now, input);
        while let Some(effect) = self.sender.poll_effect() {
            match effect {
                SenderEffect::Send(message) => {
                    let sealed = self.sealed(message);
                    self.messages.extend(sealed);
                }
                SenderEffect::Read { round, start, bytes } => {
                    self.wanted = Some(Piece { round, start, bytes });
                }
                SenderEffect::Ended(end) => {
                    self.left.push(self.route());
                    if let Some(ended) = self.ended.take() {
                        // Nobody may wait for it any more.
                        let _ = ended.send((end, self.sender.moved_bytes()));
                    }
                }
            }
        }
        let (received, all) = self.sender.progress();
        let list_bytes = self.layout.list_bytes();
        let received = received.saturating_sub(list_bytes);
        if self.sender.moved_bytes() == 0 {
            self.resumed = received;
        }
        let (resumed, total) = (self.resumed, all - list_bytes);
        let progress = Progress { received, resumed, total };
        self.progress.send_if_modified(|told| {
            let is_further = progress.received > told.received;
            *told = if is_further { progress } else { *told };
            is_further
        });
    }

    /// Seals a piece; its offer is sealed when it leaves. `None` if nothing more can be sealed.
    fn sealed(&mut self, mut message: FileMessage) -> Option<FileMessage> {
        if let (Some(seal), FileBody::Piece { start, data }) = (&mut self.seal, &mut message.body) {
            *data = seal.sealer.seal(*start, data)?;
        }
        Some(message)
    }

    /// The other end, or a node on the way there, says something.
    pub(super) fn hear(&mut self, now: Instant, mut message: FileMessage) {
        if let (Some(seal), FileBody::Done { sha256 }) = (&self.seal, &mut message.body) {
            if !seal.sealer.is_done(sha256, &self.sha256) {
                return; // Somebody on the way has made it up.
            }
            *sha256 = self.sha256;
        }
        match self.addressee.hear(&self.sender, &message) {
            Heard::ForSender => self.tell(now, SenderInput::Message(message)),
            Heard::Redirect(receiver) => self.redirect(now, receiver),
            Heard::Find(question) => self.messages.push_back(question),
            Heard::Nothing => {}
        }
    }

    fn redirect(&mut self, now: Instant, receiver: FileEnd) {
        self.left.push(self.route());
        self.tell(now, SenderInput::Redirect(receiver));
    }

    /// Hands the machine what it wants, or has it read, if there is room for it and its time has come. Says
    /// whether the machine got something, and so may want more.
    pub(super) fn go_on(&mut self, now: Instant, room: usize) -> bool {
        let Some(Piece { round, start, bytes }) = self.wanted else { return false };
        let seal_bytes = if self.seal.is_some() { FILE_SEAL_BYTES_MAX } else { 0 };
        let bytes = bytes.min(room.saturating_sub(seal_bytes));
        let is_early = self.pace.is_some_and(|pace| pace.next_at() > now);
        if is_early || bytes == 0 {
            return false;
        }
        let Some(data) = self.take_held(start, bytes) else {
            self.have_read(start);
            return false;
        };
        self.wanted = None;
        if let Some(pace) = &mut self.pace {
            pace.spend(now, bytes);
        }
        self.tell(now, SenderInput::Read { round, data });
        true
    }

    /// Has the rest of a part of the stream read, so that its thread is asked once for many pieces.
    fn have_read(&mut self, start: u64) {
        if std::mem::replace(&mut self.is_reading, true) {
            return;
        }
        let rest = self.layout.part_at(start).end - start;
        let bytes = usize::try_from(rest).expect("a part fits in memory");
        let wanted = Wanted { transfer: self.route().transfer, start, bytes };
        // Its thread is gone only if it panicked, and then silence ends the transfer.
        let _ = self.reads.send(wanted);
    }

    /// Takes in what was read from this offset on, or why it was not.
    pub(super) fn was_read(&mut self, now: Instant, start: u64, read: Result<Bytes, Reason>) {
        self.is_reading = false;
        match read {
            Ok(data) => self.held = Some((start, data)),
            Err(reason) => self.tell(now, SenderInput::ReadFailed(reason)),
        }
    }

    /// Takes a piece out of what was read, and lets go of that with its last one.
    fn take_held(&mut self, start: u64, bytes: usize) -> Option<Bytes> {
        let (held_from, held) = self.held.as_ref()?;
        let from = usize::try_from(start.checked_sub(*held_from)?).ok()?;
        let to = from.checked_add(bytes).filter(|to| *to <= held.len())?;
        let piece = held.slice(from..to);
        if to == held.len() {
            self.held = None;
        }
        Some(piece)
    }

    pub(super) fn next_message(&mut self) -> Option<FileMessage> {
        self.messages.pop_front()
    }

    /// Whom it went to and does not any more.
    pub(super) fn left_routes(&mut self) -> Vec<FileRoute> {
        std::mem::take(&mut self.left)
    }

    pub(super) fn is_over(&self) -> bool {
        self.ended.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use amop_wire::{FileId, FileLabel, FileOffer, Instance};

    use super::*;

    const HOME: NodeId = NodeId::from_bytes([1; 32]);

    fn offer() -> FileOffer {
        FileOffer {
            id: FileId(1),
            layout: FileLayout::new(100_000).unwrap(),
            modified_ms: 0,
            sha256: [1; 32],
            list_sha256: [2; 32],
            from: "app.sdk.bank-a.amop".parse().unwrap(),
            topic: "t".parse().unwrap(),
            label: FileLabel::from_bytes(b"a").unwrap(),
        }
    }

    fn at(millis: u64) -> Instant {
        Instant::default() + Duration::from_millis(millis)
    }

    /// Or its client would look again and again, and have no time for anything else.
    #[test]
    fn a_piece_whose_time_has_come_is_not_looked_for_while_it_waits_for_room() {
        let (offer, now) = (offer(), at(0));
        let end = |instance| FileEnd { instance: Instance(instance), node: HOME };
        let route = FileRoute { transfer: 1, sender: end(1), receiver: end(2) };
        let sender = Sender::new(now, route, offer.clone(), Duration::from_secs(60));
        let (reads, wanted) = mpsc::channel();
        let ways = Ways {
            topic: offer.topic.clone(),
            sha256: offer.sha256,
            seal: None,
            layout: offer.layout,
            pace: Some(Pace::new(now, 1_000)),
            reads,
            progress: watch::Sender::default(),
            ended: oneshot::channel().0,
        };
        let mut outbound = Outbound::new(sender, ways);
        outbound.link_up(now, HOME);
        let granted = offer.layout.stream_bytes();
        let body = FileBody::Credit { received: 0, granted };
        outbound.hear(now, FileMessage { route, round: 1, body });
        assert!(!outbound.go_on(now, 65_536), "it is read first");
        let Wanted { start, bytes, .. } = wanted.try_recv().unwrap();
        outbound.was_read(now, start, Ok(vec![0; bytes].into()));
        assert!(outbound.go_on(now, 65_536));
        let next = outbound.pace.unwrap().next_at();
        assert!(next > now);
        assert_eq!(outbound.poll_timeout(now), Some(next));
        assert!(outbound.poll_timeout(next).unwrap() > next, "its sender asks some time");
        assert!(!outbound.go_on(next, 0) && wanted.try_recv().is_err(), "there is no room");
        assert!(!outbound.go_on(next, 65_536) && wanted.try_recv().is_ok());
    }
}
