//! The machines of both ends with real disks: what a driver does, without a network.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use amop_core::transfer::{
    DiskSaid, DiskTask, End, Inbox, InboxEffect, InboxInput, Sender, SenderEffect, SenderInput,
    Slot,
};
use amop_files::{Folder, Part, Prepared, Settings, Source, Wrote};
use amop_wire::limits::{FILE_CHUNK_BYTES, FILE_IN_FLIGHT_BYTES_MAX};
use amop_wire::{
    Code, FileEnd, FileMessage, FileOffer, FileRoute, Instance, Instant, NodeId, Reason,
};
use tempfile::TempDir;

const CHUNK: u64 = FILE_CHUNK_BYTES;

#[test]
fn files_of_every_ordinary_size_go_from_disk_to_disk() {
    for size in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5] {
        let mut ends = Ends::new(size);
        ends.run(u64::MAX);
        assert_eq!(ends.end, Some(End { code: Code::Ok, reason: Reason::Unspecified }));
        ends.assert_same();
    }
}

#[test]
fn both_ends_are_killed_in_turns_and_at_most_two_chunks_move_twice_each_time() {
    let mut ends = Ends::new(5 * CHUNK + 5);
    let mut moved = 0;
    for kill in 0..6 {
        ends.run(60);
        moved += ends.sender.moved_bytes();
        if kill % 2 == 0 {
            ends.restart_receiver();
        }
        ends.restart_sender();
    }
    ends.run(u64::MAX);
    assert_eq!(ends.end.unwrap().code, Code::Ok);
    ends.assert_same();
    moved += ends.sender.moved_bytes();
    let twice = moved - ends.offer.layout.stream_bytes();
    assert!(0 < twice && twice <= 6 * FILE_IN_FLIGHT_BYTES_MAX, "{twice}");
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_refused_and_never_visible() {
    let mut ends = Ends::new(6 * CHUNK);
    ends.run(80);
    let path = ends.dir.path().join("big.bin");
    let content: Vec<u8> = std::fs::read(&path).unwrap().iter().map(|byte| byte ^ 1).collect();
    std::fs::write(path, content).unwrap();
    ends.run(u64::MAX);
    assert_eq!(ends.end, Some(End { code: Code::FileRefused, reason: Reason::FileChanged }));
    assert!(!ends.received().exists());
}

#[test]
fn what_the_folder_refuses_is_told_to_the_sender() {
    let mut ends = Ends::new(CHUNK);
    std::fs::write(ends.received(), "another one").unwrap();
    ends.run(u64::MAX);
    assert_eq!(ends.end, Some(End { code: Code::FileRefused, reason: Reason::FileExists }));
    assert_eq!(ends.sender.moved_bytes(), 0);
    assert_eq!(std::fs::read(ends.received()).unwrap(), b"another one");
}

/// Two clients and their disks, with a queue of messages between them.
struct Ends {
    dir: TempDir,
    offer: FileOffer,
    now: Instant,
    life: u64,
    source: Source,
    sender: Sender,
    inbox: Inbox,
    folder: Folder,
    parts: BTreeMap<Slot, Part>,
    messages: VecDeque<(bool, FileMessage)>,
    end: Option<End>,
}

impl Ends {
    fn new(size: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("in")).unwrap();
        let words = 0..u32::try_from(size.div_ceil(4)).unwrap();
        let mut content: Vec<u8> = words.flat_map(|word| (word | 1 << 30).to_le_bytes()).collect();
        content.truncate(usize::try_from(size).unwrap());
        std::fs::write(dir.path().join("big.bin"), content).unwrap();
        let source = Source::open(&dir.path().join("big.bin"), &mut |_| {}).unwrap();
        let (from, topic) = ("app.sdk.bank-a.amop".parse().unwrap(), "reports".parse().unwrap());
        let offer = source.offer(source.id(), from, topic);
        let now = Instant::default();
        let sender = Sender::new(now, route(1), offer.clone(), Duration::from_secs(60));
        let folder = folder(&dir.path().join("in"));
        let (parts, messages) = (BTreeMap::new(), VecDeque::new());
        let inbox = Inbox::default();
        let mut ends = Self {
            dir,
            offer,
            now,
            life: 1,
            source,
            sender,
            inbox,
            folder,
            parts,
            messages,
            end: None,
        };
        ends.tell_sender(SenderInput::LinkUp(NODE));
        ends
    }

    /// Delivers so many messages, or all until the end.
    fn run(&mut self, messages: u64) {
        for _ in 0..messages {
            if self.end.is_some() {
                return;
            }
            match self.messages.pop_front() {
                Some((true, message)) => self.tell_inbox(InboxInput::Message(message)),
                Some((false, message)) => self.tell_sender(SenderInput::Message(message)),
                None => {
                    let timers = [self.sender.poll_timeout(), self.inbox.poll_timeout()];
                    self.now = timers.into_iter().flatten().min().unwrap();
                    self.tell_inbox(InboxInput::Timeout);
                    self.tell_sender(SenderInput::Timeout);
                }
            }
        }
    }

    fn restart_sender(&mut self) {
        self.life += 1;
        let (route, patience) = (route(self.life), Duration::from_secs(60));
        self.sender = Sender::new(self.now, route, self.offer.clone(), patience);
        self.messages.clear();
        self.tell_sender(SenderInput::LinkUp(NODE));
    }

    fn restart_receiver(&mut self) {
        (self.inbox, self.parts) = (Inbox::default(), BTreeMap::new());
        self.folder = folder(&self.dir.path().join("in"));
    }

    fn tell_sender(&mut self, input: SenderInput) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.sender.handle(self.now, input);
            while let Some(effect) = self.sender.poll_effect() {
                match effect {
                    SenderEffect::Send(message) => self.messages.push_back((true, message)),
                    SenderEffect::Ended(end) => self.end = Some(end),
                    SenderEffect::Read { round, start, bytes } => {
                        inputs.push_back(match self.source.read(start, bytes) {
                            Ok(data) => SenderInput::Read { round, data },
                            Err(error) => SenderInput::ReadFailed(error.reason()),
                        });
                    }
                }
            }
        }
    }

    fn tell_inbox(&mut self, input: InboxInput) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.inbox.handle(self.now, input);
            while let Some(effect) = self.inbox.poll_effect() {
                match effect {
                    InboxEffect::Send(message) => self.messages.push_back((false, message)),
                    InboxEffect::Ended(slot, _) => drop(self.parts.remove(&slot)),
                    InboxEffect::Disk(slot, task) => {
                        let said = self.perform(slot, &task);
                        inputs.extend(said.map(|said| InboxInput::Disk(slot, said)));
                    }
                }
            }
        }
    }

    fn perform(&mut self, slot: Slot, task: &DiskTask) -> Option<DiskSaid> {
        Some(match task {
            DiskTask::Prepare => match self.folder.prepare(UNIX_EPOCH, &self.offer) {
                Ok(Prepared::AlreadyThere) => DiskSaid::AlreadyThere,
                Err(error) => DiskSaid::Failed(error.reason()),
                Ok(Prepared::Part(part)) => {
                    let (checked, kept) = (part.checked(), part.kept());
                    self.parts.insert(slot, *part);
                    DiskSaid::Prepared { checked, kept }
                }
            },
            DiskTask::Write { start, data } => {
                match self.parts.get_mut(&slot).unwrap().write(*start, data) {
                    Ok(Wrote::Taken { checked, kept }) => DiskSaid::Wrote { checked, kept },
                    Ok(Wrote::Corrupt { checked }) => DiskSaid::Corrupt { checked },
                    Ok(Wrote::Skipped) => return None,
                    Err(error) => DiskSaid::Failed(error.reason()),
                }
            }
            DiskTask::Finish => match self.parts.remove(&slot).unwrap().finish() {
                Ok(_) => DiskSaid::Finished,
                Err(error) => DiskSaid::Failed(error.reason()),
            },
        })
    }

    fn received(&self) -> PathBuf {
        self.dir.path().join("in").join("big.bin")
    }

    fn assert_same(&self) {
        let sent = std::fs::read(self.dir.path().join("big.bin")).unwrap();
        assert!(std::fs::read(self.received()).unwrap() == sent);
    }
}

fn folder(path: &Path) -> Folder {
    let mut settings = Settings::default();
    settings.keep_free_bytes = 0;
    Folder::open(path, settings).unwrap()
}

fn route(life: u64) -> FileRoute {
    let end = |instance| FileEnd { instance: Instance(instance), node: NODE };
    FileRoute { transfer: 1, sender: end(life), receiver: end(1 << 32) }
}

const NODE: NodeId = NodeId::from_bytes([1; 32]);
