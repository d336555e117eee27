//! One file on its way out: its machine, whom it goes to, and what its thread is to read.
//!
//! A transfer first names nobody, and goes to whom its home node chose. If that one is gone, it names
//! nobody again: the same client may be back in another life, or another one takes its place. One that is
//! pinned is for one receiver and nobody else: if that is gone, its node is looked for.

use std::collections::VecDeque;
use std::sync::mpsc;

use amop_auth::{FileSealer, PublicKey};
use amop_core::transfer::{End, Pace, Sender, SenderEffect, SenderInput};
use amop_wire::limits::FILE_SEAL_BYTES_MAX;
use amop_wire::{
    Code, FileBody, FileEnd, FileMessage, FileRoute, FoundReceiver, Instant, NodeId, Topic,
};
use tokio::sync::{oneshot, watch};

use super::Progress;

/// One transfer to one receiver.
#[derive(Debug)]
pub(super) struct Outbound {
    sender: Sender,
    topic: Topic,
    sha256: [u8; 32],
    list_bytes: u64,
    /// On a private topic.
    seal: Option<Seal>,
    /// Whether it is for this receiver and nobody else.
    is_pinned: bool,
    /// Whether anybody was ever found who receives it.
    was_found: bool,
    pace: Option<Pace>,
    /// What is to be read once there is room and time for it.
    wanted: Option<Wanted>,
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

/// Bytes of the stream that are to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) transfer: u64,
    pub(super) round: u32,
    pub(super) start: u64,
    pub(super) bytes: usize,
}

/// What a transfer has to do with beside its machine.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) topic: Topic,
    pub(super) sha256: [u8; 32],
    pub(super) seal: Option<Seal>,
    pub(super) list_bytes: u64,
    pub(super) pace: Option<Pace>,
    pub(super) reads: mpsc::Sender<Wanted>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) ended: oneshot::Sender<(End, u64)>,
}

impl Outbound {
    pub(super) fn new(sender: Sender, ways: Ways) -> Self {
        let Ways { topic, sha256, seal, list_bytes, pace, reads, progress, ended } = ways;
        Self {
            is_pinned: sender.route().receiver != FileEnd::ANY,
            sender,
            topic,
            sha256,
            list_bytes,
            seal,
            was_found: false,
            pace,
            wanted: None,
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
        &self.topic
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

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.sender.poll_timeout().is_some_and(|at| at <= now) {
            self.tell(now, SenderInput::Timeout);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let paced = self.wanted.and(self.pace).map(|pace| pace.next_at());
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
                    let transfer = self.route().transfer;
                    self.wanted = Some(Wanted { transfer, round, start, bytes });
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
        let progress = Progress {
            received: received.saturating_sub(self.list_bytes),
            total: all - self.list_bytes,
        };
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
        let is_of_round = message.round == self.sender.round();
        let (known, from) = (self.route().receiver, message.route.receiver);
        let is_gone = matches!(
            message.body,
            FileBody::Refused(Code::NoSubscriber | Code::SubscriberUnreachable, _)
        );
        if is_gone && self.was_found {
            if self.is_pinned {
                self.look_for_receiver();
            } else if is_of_round && known != FileEnd::ANY {
                self.redirect(now, FileEnd::ANY);
            }
            return; // The machine offers again, until its patience is over.
        }
        if let FileBody::Found(found) = &message.body {
            let is_it = |end: &FileEnd| end.instance == known.instance && end.node != known.node;
            if let Some(end) = found.receivers().iter().map(FoundReceiver::end).find(is_it) {
                self.redirect(now, end);
            }
            return;
        }
        let is_word =
            matches!(message.body, FileBody::Credit { .. } | FileBody::Wait | FileBody::Again);
        if is_word && is_of_round && from != FileEnd::ANY {
            self.was_found = true;
            if known == FileEnd::ANY {
                return self.redirect(now, from);
            }
        }
        self.tell(now, SenderInput::Message(message));
    }

    /// The receiver is not where it was: perhaps it is attached elsewhere.
    fn look_for_receiver(&mut self) {
        let route = FileRoute { receiver: FileEnd::ANY, ..self.route() };
        let (round, body) = (self.sender.round(), FileBody::Find(self.topic.clone()));
        self.messages.push_back(FileMessage { route, round, body });
    }

    fn redirect(&mut self, now: Instant, receiver: FileEnd) {
        self.left.push(self.route());
        self.tell(now, SenderInput::Redirect(receiver));
    }

    /// Asks for what is wanted, if there is room for it and its time has come.
    pub(super) fn ask_for_read(&mut self, now: Instant, room_bytes: u64) {
        let Some(wanted) = self.wanted else { return };
        let seal_bytes = if self.seal.is_some() { FILE_SEAL_BYTES_MAX } else { 0 };
        let bytes = u64::try_from(wanted.bytes + seal_bytes).expect("a length fits 64 bits");
        let is_early = self.pace.is_some_and(|pace| pace.next_at() > now);
        if is_early || bytes > room_bytes {
            return;
        }
        self.wanted = None;
        if let Some(pace) = &mut self.pace {
            pace.spend(now, wanted.bytes);
        }
        // Its thread is gone only if it panicked, and then silence ends the transfer.
        let _ = self.reads.send(wanted);
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
