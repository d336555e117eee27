//! Files that are longer than 4 GiB, whose bytes nobody holds: every piece is the same one, and the disk counts.

use amop_core::transfer::{
    DiskSaid, DiskTask, Inbox, InboxEffect, InboxInput, Sender, SenderEffect, SenderInput, Slot,
};
use amop_wire::limits::{FILE_BYTES_MAX, FILE_CHUNK_BYTES, FILE_IN_FLIGHT_BYTES_MAX};
use amop_wire::{Code, FileLayout, FileMessage, FileOffer, Instant};
use bytes::Bytes;

use crate::world::{NODE, PATIENCE, offer, route};

const CHUNK: u64 = FILE_CHUNK_BYTES;
const OVER_4_GIB: u64 = (4 << 30) + 1;

/// FILE-1, FILE-6: one byte more than 32 bits can count.
#[test]
fn a_file_of_more_than_4_gib_is_moved_once_from_its_first_byte_to_its_last() {
    let mut pair = Pair::new(OVER_4_GIB, 0);
    pair.run();
    let layout = pair.offer.layout;
    assert_eq!((layout.chunks(), pair.sender.moved_bytes()), (2049, 2049 * 32 + OVER_4_GIB));
    assert_eq!((pair.written, pair.end), (layout.stream_bytes(), Some(Code::Ok)));
}

/// FILE-5: the longest file has 65,536 chunks, and goes on behind any of them.
#[test]
fn a_long_file_goes_on_behind_the_chunk_that_was_there_last() {
    for (size, chunks) in [
        (OVER_4_GIB, 2047),
        (OVER_4_GIB, 2048),
        (2 * OVER_4_GIB, 4096),
        (FILE_BYTES_MAX, 4097),
        (FILE_BYTES_MAX, 65_534),
    ] {
        let layout = FileLayout::new(size).unwrap();
        let there = layout.list_bytes() + chunks * CHUNK;
        let most = there + 3 * CHUNK;
        let mut pair = Pair::new(size, there);
        pair.stops_at = most;
        pair.run();
        let end = layout.stream_bytes().min(most);
        assert_eq!(pair.sender.moved_bytes(), pair.written - there, "{size}, {chunks}");
        assert!(pair.written >= end, "{size}, {chunks}");
        assert_eq!(pair.end.is_some(), end == layout.stream_bytes(), "{size}, {chunks}");
    }
}

/// Both ends of one file and a disk that has so much of it, with nothing between them.
struct Pair {
    sender: Sender,
    inbox: Inbox,
    offer: FileOffer,
    slot: Option<Slot>,
    /// Where the stream on the disk ends, and up to where it is right.
    written: u64,
    checked: u64,
    stops_at: u64,
    end: Option<Code>,
}

impl Pair {
    fn new(size: u64, there: u64) -> Self {
        let offer = offer(size);
        let sender = Sender::new(Instant::default(), route(1), offer.clone(), PATIENCE);
        let (inbox, slot, end) = (Inbox::default(), None, None);
        let stops_at = u64::MAX;
        Self { sender, inbox, offer, slot, written: there, checked: there, stops_at, end }
    }

    fn run(&mut self) {
        self.tell_sender(SenderInput::LinkUp(NODE));
    }

    /// Hands on what each end says until neither says anything.
    fn tell_sender(&mut self, input: SenderInput) {
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.sender.handle(Instant::default(), input);
            assert!(self.sender.in_flight_bytes() <= FILE_IN_FLIGHT_BYTES_MAX);
            while let Some(effect) = self.sender.poll_effect() {
                match effect {
                    SenderEffect::Send(message) => inputs.extend(self.arrive(message)),
                    SenderEffect::Read { round, start, bytes } => {
                        assert_eq!(start, self.written, "nothing is sent twice or left out");
                        if start < self.stops_at {
                            let data = SAME.slice(..bytes);
                            inputs.push_back(SenderInput::Read { round, data });
                        }
                    }
                    SenderEffect::Ended(end) => self.end = Some(end.code),
                }
            }
        }
    }

    /// What the receiver says to a message.
    fn arrive(&mut self, message: FileMessage) -> Vec<SenderInput> {
        let (mut said, mut inputs) = (Vec::new(), vec![InboxInput::Message(message)]);
        while let Some(input) = inputs.pop() {
            self.inbox.handle(Instant::default(), input);
            while let Some(effect) = self.inbox.poll_effect() {
                match effect {
                    InboxEffect::Send(message) => said.push(SenderInput::Message(message)),
                    InboxEffect::Disk(slot, task) => {
                        self.slot = Some(slot);
                        inputs.push(InboxInput::Disk(slot, self.work(&task)));
                    }
                    InboxEffect::Ended(..) => {}
                }
            }
        }
        said
    }

    fn work(&mut self, task: &DiskTask) -> DiskSaid {
        match task {
            DiskTask::Prepare => DiskSaid::Prepared { checked: self.checked, kept: self.written },
            DiskTask::Write { start, data } => {
                assert_eq!(*start, self.written);
                self.written += data.len() as u64;
                if self.offer.layout.part_at(self.checked).end == self.written {
                    self.checked = self.written;
                }
                DiskSaid::Wrote { checked: self.checked, kept: self.written }
            }
            DiskTask::Finish => {
                assert_eq!(self.checked, self.offer.layout.stream_bytes());
                DiskSaid::Finished
            }
        }
    }
}

/// As long as a piece may be.
static SAME: Bytes = Bytes::from_static(&[7; amop_wire::limits::FILE_PIECE_BYTES_MAX]);
