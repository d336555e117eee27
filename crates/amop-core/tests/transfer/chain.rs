//! A multicast of one file: its client, home node and exit node share one link after the other, then
//! each receiver has its own. Every link carries so many pieces in a tick, every disk writes so many.

use std::collections::VecDeque;
use std::time::Duration;

use amop_core::transfer::{
    Beside, DiskSaid, DiskTask, End, FileLane, FileWindows, Inbox, InboxEffect, InboxInput, Queued,
    Sender, SenderEffect, SenderInput, Slot,
};
use amop_wire::limits::{FILE_CHUNK_BYTES, FILE_IN_FLIGHT_BYTES_MAX, FILE_WINDOW_BYTES};
use amop_wire::{Code, FileBody, FileEnd, FileLayout, FileMessage, FileRoute, Instance, Instant};
use bytes::Bytes;

use crate::world::{NODE, PATIENCE, offer, route};

const SIZE: u64 = 4 * FILE_CHUNK_BYTES;
const PIECES_PER_TICK: usize = 8;
const TICK: Duration = Duration::from_millis(1);

/// FILE-4 and FILE-12.
#[test]
fn a_dead_disk_holds_up_nobody_and_fills_no_node() {
    let alone = Chain::new(&[100, 100]).ticks_until_done(&[0, 1]);
    let mut chain = Chain::new(&[100, 100, 0]);
    let beside = chain.ticks_until_done(&[0, 1]);
    // What the dead one keeps of the links is what it was granted, once.
    let granted = FILE_IN_FLIGHT_BYTES_MAX / (64 << 10) / 8;
    assert!(beside <= alone + granted + 4, "{beside} ticks beside a dead one, {alone} without");
    assert_eq!(chain.ends[2].sent, None);
    assert!(chain.ends[2].sender.in_flight_bytes() > 0);
}

/// FILE-12: whoever is slow is slow alone, and loses no round for it.
#[test]
fn each_receiver_has_its_own_pace() {
    let mut chain = Chain::new(&[1, 100, 2]);
    let fast = chain.ticks_until_done(&[1]);
    let slow = chain.ticks_until_done(&[2]);
    let slowest = chain.ticks_until_done(&[0]);
    assert!(fast < 50 && slow < 80 && slowest < 150, "{fast}, {slow}, {slowest}");
    for end in &chain.ends {
        assert_eq!(end.sender.moved_bytes(), offer(SIZE).layout.stream_bytes());
    }
}

/// FILE-12.
#[test]
fn transfers_on_one_link_share_it_fairly() {
    let mut chain = Chain::new(&[100; 6]);
    let mut least_and_most = (u64::MAX, 0);
    while chain.ends.iter().all(|end| end.sent.is_none()) {
        assert!(chain.ticks < 2_000, "it stands still");
        chain.tick();
        let moved = chain.ends.iter().map(|end| end.sender.moved_bytes());
        least_and_most = (moved.clone().min().unwrap(), moved.max().unwrap());
        let (least, most) = least_and_most;
        assert!(most - least <= FILE_WINDOW_BYTES, "{least} and {most} bytes");
    }
    assert!(least_and_most.1 > 0);
}

/// One sender of the file and its receiver.
struct Ends {
    route: FileRoute,
    sender: Sender,
    /// What the sender wants read, once there is room for it.
    wanted: Option<(u32, u64, usize)>,
    inbox: Inbox,
    /// The link between its node and the receiver, and what the node is told.
    lane: FileLane<()>,
    windows: FileWindows,
    /// What waits for the disk, and how many writes it does in a tick.
    tasks: VecDeque<(Slot, DiskTask, FileMessage)>,
    writes_per_tick: usize,
    checked: u64,
    back: VecDeque<FileMessage>,
    sent: Option<End>,
}

struct Chain {
    now: Instant,
    ticks: u64,
    ends: Vec<Ends>,
    /// From the client to its home node, and from there to the exit node.
    lanes: [FileLane<()>; 2],
    /// What the home node, and the exit node, have passed on.
    windows: [FileWindows; 2],
}

impl Chain {
    fn new(writes_per_tick: &[usize]) -> Self {
        let now = Instant::default();
        let ends = (1_u64..).zip(writes_per_tick).map(|(number, &writes_per_tick)| {
            let receiver = FileEnd { instance: Instance(1000 + number), node: NODE };
            let route = FileRoute { transfer: number, receiver, ..route(1) };
            Ends {
                route,
                sender: Sender::new(now, route, offer(SIZE), PATIENCE),
                wanted: None,
                inbox: Inbox::default(),
                lane: FileLane::default(),
                windows: FileWindows::default(),
                tasks: VecDeque::new(),
                writes_per_tick,
                checked: 0,
                back: VecDeque::new(),
                sent: None,
            }
        });
        let mut chain = Self {
            now,
            ticks: 0,
            ends: ends.collect(),
            lanes: [FileLane::default(), FileLane::default()],
            windows: [FileWindows::default(), FileWindows::default()],
        };
        for number in 0..chain.ends.len() {
            chain.tell_sender(number, SenderInput::LinkUp(NODE));
        }
        chain
    }

    /// How many ticks have passed once these have their file.
    fn ticks_until_done(&mut self, numbers: &[usize]) -> u64 {
        while numbers.iter().any(|&number| self.ends[number].sent.is_none()) {
            assert!(self.ticks < 2_000, "it stands still");
            self.tick();
        }
        let are_done =
            numbers.iter().all(|&number| self.ends[number].sent.unwrap().code == Code::Ok);
        assert!(are_done);
        self.ticks
    }

    fn tick(&mut self) {
        (self.now, self.ticks) = (self.now + TICK, self.ticks + 1);
        for number in 0..self.ends.len() {
            self.write(number);
            self.carry_to_receiver(number);
        }
        for _ in 0..PIECES_PER_TICK {
            self.carry_to_exit();
            self.carry_to_home();
            (0..self.ends.len()).for_each(|number| self.read(number));
        }
        for number in 0..self.ends.len() {
            for message in std::mem::take(&mut self.ends[number].back) {
                self.tell_sender(number, SenderInput::Message(message));
            }
        }
        self.check();
    }

    fn check(&self) {
        let count = u64::try_from(self.ends.len()).unwrap();
        for lane in &self.lanes {
            assert!(lane.piece_bytes() <= count * FILE_WINDOW_BYTES);
        }
        for end in &self.ends {
            assert!(end.lane.piece_bytes() <= FILE_WINDOW_BYTES);
            assert!(end.sender.in_flight_bytes() <= FILE_IN_FLIGHT_BYTES_MAX);
        }
    }

    /// A sender reads once the lane has room for what it wants.
    fn read(&mut self, number: usize) {
        let Ends { wanted, route, .. } = &mut self.ends[number];
        let Some((round, _, bytes)) = *wanted else { return };
        let bytes = bytes.min(self.lanes[0].piece_room(route));
        if bytes > 0 {
            *wanted = None;
            let data = Bytes::from(vec![0; bytes]);
            self.tell_sender(number, SenderInput::Read { round, data });
        }
    }

    fn tell_sender(&mut self, number: usize, input: SenderInput) {
        let end = &mut self.ends[number];
        end.sender.handle(self.now, input);
        while let Some(effect) = end.sender.poll_effect() {
            match effect {
                SenderEffect::Send(message) => {
                    assert_eq!(self.lanes[0].push(self.now, (), message), Queued::Yes);
                }
                SenderEffect::Read { round, start, bytes } => {
                    end.wanted = Some((round, start, bytes));
                }
                SenderEffect::Ended(how) => end.sent = Some(how),
            }
        }
    }

    /// One message from the client to its home node.
    fn carry_to_home(&mut self) {
        let Some((_, message)) = self.lanes[0].pop(self.now) else { return };
        assert_eq!(self.lanes[1].push(self.now, (), message), Queued::Yes);
    }

    /// One message from the home node to the exit node.
    fn carry_to_exit(&mut self) {
        let Some((_, message)) = self.lanes[1].pop(self.now) else { return };
        tell(
            self.now,
            &mut self.lanes[0],
            self.windows[0].passed(&message, Beside::Files).as_ref(),
        );
        let end = self.ends.iter_mut().find(|end| end.route == message.route).unwrap();
        assert_eq!(end.lane.push(self.now, (), message), Queued::Yes);
    }

    /// What the exit node has for one client.
    fn carry_to_receiver(&mut self, number: usize) {
        for _ in 0..PIECES_PER_TICK {
            let end = &mut self.ends[number];
            let Some((_, message)) = end.lane.pop(self.now) else { return };
            tell(
                self.now,
                &mut self.lanes[1],
                self.windows[1].passed(&message, Beside::Files).as_ref(),
            );
            self.tell_inbox(number, InboxInput::Message(message.clone()), &message);
        }
    }

    /// The disk does what it can in a tick. A window moves when a piece is written.
    fn write(&mut self, number: usize) {
        let mut writes = self.ends[number].writes_per_tick;
        loop {
            let end = &mut self.ends[number];
            let is_write = matches!(end.tasks.front(), Some((_, DiskTask::Write { .. }, _)));
            if is_write && writes == 0 {
                return;
            }
            let Some((slot, task, message)) = end.tasks.pop_front() else { return };
            writes -= usize::from(is_write);
            tell(self.now, &mut end.lane, end.windows.passed(&message, Beside::Files).as_ref());
            let said = end.perform(&task);
            self.tell_inbox(number, InboxInput::Disk(slot, said), &message);
        }
    }

    /// `cause` is the message that came last, which is done with once the disk is.
    fn tell_inbox(&mut self, number: usize, input: InboxInput, cause: &FileMessage) {
        let end = &mut self.ends[number];
        end.inbox.handle(self.now, input);
        while let Some(effect) = end.inbox.poll_effect() {
            match effect {
                InboxEffect::Send(message) => end.back.push_back(message),
                InboxEffect::Disk(slot, task) => {
                    let is_write = matches!(task, DiskTask::Write { .. });
                    let done_with = if is_write {
                        cause.clone()
                    } else {
                        FileMessage { body: FileBody::Wait, ..cause.clone() }
                    };
                    end.tasks.push_back((slot, task, done_with));
                }
                InboxEffect::Ended(..) => {}
            }
        }
    }
}

impl Ends {
    fn perform(&mut self, task: &DiskTask) -> DiskSaid {
        let layout = FileLayout::new(SIZE).unwrap();
        match task {
            DiskTask::Prepare => DiskSaid::Prepared { checked: 0, kept: 0 },
            DiskTask::Write { start, data } => {
                let end = start + u64::try_from(data.len()).unwrap();
                if layout.part_at(self.checked).end == end {
                    self.checked = end;
                }
                DiskSaid::Wrote { checked: self.checked, kept: end }
            }
            DiskTask::Finish => DiskSaid::Finished,
        }
    }
}

/// Hands what a neighbour is told to the lane towards it.
fn tell(now: Instant, lane: &mut FileLane<()>, window: Option<&FileMessage>) {
    if let Some(FileMessage { route, round, body: FileBody::Window { passed, .. } }) = window {
        lane.handle_window(now, (route, *round), *passed, Beside::Files);
    }
}
