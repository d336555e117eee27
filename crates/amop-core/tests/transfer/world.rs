//! Real machines on a virtual clock, a network out of a seed, and a disk in memory.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use amop_core::transfer::{
    DiskSaid, DiskTask, End, Inbox, InboxEffect, InboxInput, Sender, SenderEffect, SenderInput,
    Slot,
};
use amop_wire::limits::FILE_IN_FLIGHT_BYTES_MAX;
use amop_wire::{
    FileBody, FileEnd, FileId, FileLayout, FileMessage, FileOffer, FileRoute, Instance, Instant,
    NodeId, Reason,
};
use bytes::Bytes;

/// One sender of one file, one receiver, and what lies between.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) net: Net,
    pub(crate) sender: Sender,
    pub(crate) inbox: Inbox,
    pub(crate) disk: Disk,
    /// How the present send ended.
    pub(crate) sent: Option<End>,
    /// How slow the sender reads one piece.
    pub(crate) read_time: Duration,
    stream: Bytes,
    offer: FileOffer,
    sender_life: u64,
    receiver_life: u64,
    moved_before: u64,
    events: BTreeMap<(Instant, u64), Event>,
    last_event: u64,
}

/// What becomes of messages.
pub(crate) struct Net {
    state: u64,
    pub(crate) loss_percent: u64,
    pub(crate) copy_percent: u64,
    pub(crate) damage_percent: u64,
    pub(crate) delay_ms_max: u64,
    pub(crate) is_cut: bool,
}

/// The part of the one file, and whether it has its name.
pub(crate) struct Disk {
    pub(crate) stored: Vec<u8>,
    pub(crate) checked: u64,
    pub(crate) is_named: bool,
    /// How long one write takes.
    pub(crate) write_time: Duration,
    /// What preparing and finishing say instead, if they fail.
    pub(crate) prepare_fails: Option<Reason>,
    pub(crate) finish_fails: Option<Reason>,
    busy_until: Instant,
    waiting_bytes: u64,
}

enum Event {
    ToReceiver(FileMessage),
    ToSender(FileMessage),
    Read { life: u64, round: u32, data: Bytes },
    Disk { life: u64, slot: Slot, task: DiskTask },
}

impl World {
    pub(crate) fn new(seed: u64, size: u64) -> Self {
        let offer = offer(size);
        let bytes = usize::try_from(offer.layout.stream_bytes()).unwrap();
        let stream = longest_stream().slice(..bytes);
        let now = Instant::default();
        let sender = Sender::new(now, route(1), offer.clone(), PATIENCE);
        let net = Net {
            state: seed,
            loss_percent: 0,
            copy_percent: 0,
            damage_percent: 0,
            delay_ms_max: 5,
            is_cut: false,
        };
        let disk = Disk {
            stored: Vec::new(),
            checked: 0,
            is_named: false,
            write_time: Duration::from_micros(50),
            prepare_fails: None,
            finish_fails: None,
            busy_until: now,
            waiting_bytes: 0,
        };
        let mut world = Self {
            now,
            net,
            sender,
            inbox: Inbox::default(),
            disk,
            sent: None,
            read_time: Duration::from_micros(30),
            stream,
            offer,
            sender_life: 1,
            receiver_life: 1,
            moved_before: 0,
            events: BTreeMap::new(),
            last_event: 0,
        };
        world.tell_sender(SenderInput::LinkUp(NODE));
        world
    }

    /// Lets everything happen until the send has ended, or this much time has passed.
    pub(crate) fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.sent.is_none() && self.step(end) {}
        if self.sent.is_none() {
            self.now = end;
        }
    }

    /// Runs until the disk has checked this much of the stream.
    pub(crate) fn run_until_checked(&mut self, checked: u64) {
        let end = self.now + Duration::from_secs(3600);
        while self.disk.checked < checked && self.step(end) {}
        assert!(self.disk.checked >= checked, "it never came so far");
    }

    /// The process of the sender is killed, and the same send is made again.
    pub(crate) fn restart_sender(&mut self) {
        self.sender_life += 1;
        self.moved_before += self.sender.moved_bytes();
        let route = route(self.sender_life);
        self.sender = Sender::new(self.now, route, self.offer.clone(), PATIENCE);
        self.sent = None;
        self.tell_sender(SenderInput::LinkUp(NODE));
    }

    /// The process of the receiver is killed and another one looks at the same disk.
    pub(crate) fn restart_receiver(&mut self) {
        self.receiver_life += 1;
        self.inbox = Inbox::default();
        // A rename may have come to its end and not be told.
        let is_finishing =
            |event: &Event| matches!(event, Event::Disk { task: DiskTask::Finish, .. });
        if self.events.values().any(is_finishing) && self.net.chance(50) {
            self.disk.is_named = true;
        }
        self.events.retain(|_, event| !matches!(event, Event::Disk { .. }));
        (self.disk.waiting_bytes, self.disk.busy_until) = (0, self.now);
    }

    /// A node between restarts: what is on its way is gone, and the link comes up again.
    pub(crate) fn restart_node(&mut self) {
        self.lose_all();
        self.tell_sender(SenderInput::LinkDown);
        self.tell_sender(SenderInput::LinkUp(NODE));
    }

    /// What is on its way is gone, and nobody is told.
    pub(crate) fn lose_all(&mut self) {
        self.events.retain(|_, event| matches!(event, Event::Read { .. } | Event::Disk { .. }));
    }

    /// How many bytes of the stream all lives of the sender have sent.
    pub(crate) fn moved_bytes(&self) -> u64 {
        self.moved_before + self.sender.moved_bytes()
    }

    pub(crate) fn stream_bytes(&self) -> u64 {
        self.offer.layout.stream_bytes()
    }

    pub(crate) fn offer(&self) -> &FileOffer {
        &self.offer
    }

    /// Makes the sender offer another content under the same id.
    pub(crate) fn change_content(&mut self) {
        self.offer.sha256 = [0xcc; 32];
    }

    pub(crate) fn assert_complete(&self) {
        assert!(self.disk.is_named, "the file has no name");
        assert!(self.disk.stored == self.stream, "the file is another one");
    }

    pub(crate) fn tell_sender(&mut self, input: SenderInput) {
        self.sender.handle(self.now, input);
        while let Some(effect) = self.sender.poll_effect() {
            match effect {
                SenderEffect::Send(message) => self.post(&message, true),
                SenderEffect::Read { round, start, bytes } => {
                    let start = usize::try_from(start).unwrap();
                    let data = self.stream.slice(start..start + bytes);
                    let life = self.sender_life;
                    self.at(self.now + self.read_time, Event::Read { life, round, data });
                }
                SenderEffect::Ended(end) => self.sent = Some(end),
            }
        }
    }

    pub(crate) fn tell_receiver(&mut self, input: InboxInput) {
        self.inbox.handle(self.now, input);
        while let Some(effect) = self.inbox.poll_effect() {
            match effect {
                InboxEffect::Send(message) => self.post(&message, false),
                InboxEffect::Disk(slot, task) => {
                    self.disk.waiting_bytes += written_by(&task);
                    let life = self.receiver_life;
                    self.disk.busy_until =
                        self.disk.busy_until.max(self.now) + self.disk.write_time;
                    self.at(self.disk.busy_until, Event::Disk { life, slot, task });
                }
                InboxEffect::Ended(..) => {}
            }
        }
    }

    fn step(&mut self, end: Instant) -> bool {
        let event_at = self.events.first_key_value().map(|(&(at, _), _)| at);
        let timers = [self.sender.poll_timeout(), self.inbox.poll_timeout()];
        let [sender_at, receiver_at] = timers.map(|at| at.map(|at| at.max(self.now)));
        let next = [event_at, sender_at, receiver_at].into_iter().flatten().min();
        let Some(next) = next.filter(|&at| at <= end) else { return false };
        self.now = self.now.max(next);
        if event_at == Some(next) {
            let (_, event) = self.events.pop_first().unwrap();
            self.happen(event);
        } else if sender_at == Some(next) {
            self.tell_sender(SenderInput::Timeout);
        } else {
            self.tell_receiver(InboxInput::Timeout);
        }
        self.check();
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ToReceiver(message) => self.tell_receiver(InboxInput::Message(message)),
            Event::ToSender(message) => self.tell_sender(SenderInput::Message(message)),
            Event::Read { life, round, data } if life == self.sender_life => {
                self.tell_sender(SenderInput::Read { round, data });
            }
            Event::Disk { life, slot, task } if life == self.receiver_life => {
                self.disk.waiting_bytes -= written_by(&task);
                if let Some(said) = self.disk.perform(&task, &self.offer.layout, &self.stream) {
                    self.tell_receiver(InboxInput::Disk(slot, said));
                }
            }
            Event::Read { .. } | Event::Disk { .. } => {}
        }
    }

    /// What must hold after every step.
    fn check(&self) {
        assert!(
            self.sender.in_flight_bytes() <= FILE_IN_FLIGHT_BYTES_MAX,
            "too much is sent ahead"
        );
        assert!(self.disk.waiting_bytes <= FILE_IN_FLIGHT_BYTES_MAX, "too much waits for the disk");
        assert!(!self.disk.is_named || self.disk.stored.len() == self.stream.len(), "half a file");
        if let Some(End { code: amop_wire::Code::Ok, .. }) = self.sent {
            assert!(self.disk.is_named, "done, and nothing there");
        }
    }

    fn post(&mut self, message: &FileMessage, to_receiver: bool) {
        let copies = if self.net.chance(self.net.copy_percent) { 2 } else { 1 };
        for _ in 0..copies {
            if self.net.is_cut || self.net.chance(self.net.loss_percent) {
                continue;
            }
            let mut message = message.clone();
            if self.net.chance(self.net.damage_percent)
                && let FileBody::Piece { data, .. } = &mut message.body
            {
                *data = data.iter().map(|byte| byte ^ 1).collect();
            }
            let delay = Duration::from_millis(1 + self.net.draw(self.net.delay_ms_max));
            let event =
                if to_receiver { Event::ToReceiver(message) } else { Event::ToSender(message) };
            self.at(self.now + delay, event);
        }
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.last_event += 1;
        self.events.insert((at, self.last_event), event);
    }
}

impl Net {
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.draw(100) < percent
    }

    /// A number below `bound`; 0 if that is 0. (splitmix64)
    pub(crate) fn draw(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}

impl Disk {
    /// How much of the stream is there after a restart.
    fn kept(&self, layout: &FileLayout) -> u64 {
        let has_list = self.checked >= layout.list_bytes();
        if has_list { u64::try_from(self.stored.len()).unwrap() } else { 0 }
    }

    fn perform(&mut self, task: &DiskTask, layout: &FileLayout, stream: &[u8]) -> Option<DiskSaid> {
        Some(match task {
            DiskTask::Prepare => match self.prepare_fails {
                Some(reason) => DiskSaid::Failed(reason),
                None if self.is_named => DiskSaid::AlreadyThere,
                None => {
                    if self.checked < layout.list_bytes() {
                        self.stored.clear(); // A list is kept once it is complete.
                    }
                    DiskSaid::Prepared { checked: self.checked, kept: self.kept(layout) }
                }
            },
            DiskTask::Write { start, data } => {
                if *start != u64::try_from(self.stored.len()).unwrap() {
                    return None; // It was sent before a part was taken back.
                }
                self.stored.extend_from_slice(data);
                let end = u64::try_from(self.stored.len()).unwrap();
                let part = layout.part_at(self.checked);
                let range =
                    usize::try_from(part.start).unwrap()..usize::try_from(part.end).unwrap();
                if end < part.end {
                    DiskSaid::Wrote { checked: self.checked, kept: self.kept(layout) }
                } else if self.stored[range.clone()] == stream[range.clone()] {
                    self.checked = part.end;
                    DiskSaid::Wrote { checked: self.checked, kept: self.kept(layout) }
                } else {
                    self.stored.truncate(range.start);
                    DiskSaid::Corrupt { checked: self.checked }
                }
            }
            DiskTask::Finish => match self.finish_fails {
                Some(reason) => DiskSaid::Failed(reason),
                None => {
                    self.is_named = true;
                    DiskSaid::Finished
                }
            },
        })
    }
}

pub(crate) fn offer(size: u64) -> FileOffer {
    FileOffer {
        id: FileId(7),
        layout: FileLayout::new(size).unwrap(),
        modified_ms: 0,
        sha256: [0xaa; 32],
        list_sha256: [0xbb; 32],
        from: "app.sdk.bank-a.amop".parse().unwrap(),
        topic: "statements".parse().unwrap(),
        label: "big.bin".parse().unwrap(),
    }
}

/// The route of a send by this life of the sender.
pub(crate) fn route(life: u64) -> FileRoute {
    let end = |instance| FileEnd { instance: Instance(instance), node: NODE };
    FileRoute { transfer: 1, sender: end(life), receiver: end(1 << 32) }
}

/// The beginning of every stream of the world: no two pieces of it are alike.
fn longest_stream() -> Bytes {
    static STREAM: OnceLock<Bytes> = OnceLock::new();
    let make = || (0..LONGEST_BYTES / 4).flat_map(u32::to_le_bytes).collect();
    STREAM.get_or_init(make).clone()
}

fn written_by(task: &DiskTask) -> u64 {
    match task {
        DiskTask::Write { data, .. } => u64::try_from(data.len()).unwrap(),
        DiskTask::Prepare | DiskTask::Finish => 0,
    }
}

const LONGEST_BYTES: u32 = 14 << 20;

pub(crate) const NODE: NodeId = NodeId::from_bytes([1; 32]);

/// How long a sender of the world waits for a word.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
