//! Both ends of file transfers take whatever comes on their lane, in any order: what they send fits the
//! wire, and neither holds or wants more than the limits say.

use std::collections::VecDeque;
use std::time::Duration;

use amop_core::transfer::{
    DiskSaid, DiskTask, Inbox, InboxEffect, InboxInput, Sender, SenderEffect, SenderInput, Slot,
};
use amop_wire::limits::{FILE_IN_FLIGHT_BYTES_MAX, FILE_PIECE_BYTES_MAX, TRANSFERS_MAX};
use amop_wire::{
    FileBody, FileEnd, FileId, FileLayout, FileMessage, FileOffer, FileRoute, Instance, Instant,
    NodeId, Reason,
};
use bytes::Bytes;

use crate::frames::survives;
use crate::reader::Reader;

/// Any inputs to all that one client receives, and to one file that it sends.
pub(crate) fn ends(data: &[u8]) {
    let mut reader = Reader(data);
    let mut bench = Bench::new();
    while let Some(()) = bench.step(&mut reader) {}
    for _ in 0..TIMEOUTS {
        let due = bench.inbox.poll_timeout().into_iter().chain(bench.sender.poll_timeout()).min();
        let Some(due) = due else { break };
        bench.now = bench.now.max(due);
        bench.receive(InboxInput::Timeout);
        bench.send(SenderInput::Timeout);
    }
}

struct Bench {
    now: Instant,
    inbox: Inbox,
    sender: Sender,
    /// What the disk has to do, in order.
    tasks: VecDeque<(Slot, DiskTask)>,
    /// What the sender wants to read: the round, and how many bytes.
    read: Option<(u32, usize)>,
    has_ended: bool,
}

impl Bench {
    fn new() -> Self {
        let end = |number: u8| FileEnd {
            instance: Instance(number.into()),
            node: NodeId::from_bytes([number; 32]),
        };
        let route = FileRoute { transfer: 1, sender: end(1), receiver: end(2) };
        let offer = FileOffer {
            id: FileId(7),
            layout: FileLayout::new(5_000_000).expect("it is a size that a file may have"),
            modified_ms: 0,
            sha256: [1; 32],
            list_sha256: [2; 32],
            from: "app.sdk.bank-a.amop".parse().expect("a certified name"),
            topic: "statements".parse().expect("a valid topic"),
            label: "a.csv".parse().expect("a label"),
        };
        let sender = Sender::new(Instant::default(), route, offer, Duration::from_secs(60));
        let (inbox, tasks) = (Inbox::default(), VecDeque::new());
        Self { now: Instant::default(), inbox, sender, tasks, read: None, has_ended: false }
    }

    /// Reads what happens next. `None` if there is nothing more.
    fn step(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        match reader.byte()? % 8 {
            0 => self.now = self.now + reader.span()?,
            1 => {
                let message = reader.message::<FileMessage>()?;
                self.receive(match message.body {
                    FileBody::SealedOffer(_) => InboxInput::Unopened(message),
                    _ => InboxInput::Message(message),
                });
            }
            2 => {
                let message = reader.message::<FileMessage>()?;
                self.send(SenderInput::Message(message));
            }
            3 => {
                let fails = reader.byte()? % 8 == 0;
                self.work(fails);
            }
            4 => {
                let (round, bytes) = self.read.take()?;
                let data = Bytes::from(vec![0; bytes]);
                self.send(SenderInput::Read { round, data });
            }
            5 => {
                let home = NodeId::from_bytes([reader.byte()?; 32]);
                self.read = None;
                self.send(SenderInput::LinkUp(home));
            }
            6 => self.send(SenderInput::LinkDown),
            _ => {
                self.receive(InboxInput::Timeout);
                self.send(SenderInput::Timeout);
            }
        }
        Some(())
    }

    /// The disk does what it was asked first, or says that it cannot.
    fn work(&mut self, fails: bool) {
        let Some((slot, task)) = self.tasks.pop_front() else { return };
        let Some(receiver) = self.inbox.receiver(slot) else { return };
        let said = match task {
            _ if fails => DiskSaid::Failed(Reason::DiskFull),
            DiskTask::Prepare => DiskSaid::Prepared { checked: 0, kept: 0 },
            DiskTask::Write { start, data } => {
                let end = start + u64::try_from(data.len()).expect("a length fits 64 bits");
                let part = receiver.offer().layout.part_at(end - 1);
                let checked = if part.end == end { end } else { part.start };
                DiskSaid::Wrote { checked, kept: end }
            }
            DiskTask::Finish => DiskSaid::Finished,
        };
        self.receive(InboxInput::Disk(slot, said));
    }

    fn receive(&mut self, input: InboxInput) {
        self.inbox.handle(self.now, input);
        while let Some(effect) = self.inbox.poll_effect() {
            match effect {
                InboxEffect::Send(message) => fits(&message),
                InboxEffect::Disk(slot, task) => self.tasks.push_back((slot, task)),
                InboxEffect::Ended(slot, _) => self.tasks.retain(|(of, _)| *of != slot),
            }
        }
        assert!(self.inbox.under_way() <= TRANSFERS_MAX);
        for (slot, _) in &self.tasks {
            let receiver = self.inbox.receiver(*slot).expect("a task belongs to a transfer");
            assert!(receiver.waiting_bytes() <= FILE_IN_FLIGHT_BYTES_MAX);
        }
    }

    fn send(&mut self, input: SenderInput) {
        self.sender.handle(self.now, input);
        while let Some(effect) = self.sender.poll_effect() {
            assert!(!self.has_ended, "the end is the last effect");
            match effect {
                SenderEffect::Send(message) => fits(&message),
                SenderEffect::Read { round, bytes, .. } => {
                    assert!((1..=FILE_PIECE_BYTES_MAX).contains(&bytes));
                    self.read = Some((round, bytes));
                }
                SenderEffect::Ended(_) => self.has_ended = true,
            }
        }
    }
}

fn fits(message: &FileMessage) {
    survives(message);
}

/// How many times the clock goes on at the end.
const TIMEOUTS: u32 = 8;
