//! Offers on private topics that their receiver has no key for (FILE-16): it says no for good.

use std::time::Duration;

use amop_core::transfer::{
    Addressee, DiskSaid, DiskTask, Heard, Inbox, InboxEffect, InboxInput, Sender, SenderEffect,
    SenderInput, Slot,
};
use amop_wire::{Code, FileBody, FileMessage, FileRoute, Instant, Reason};

use crate::world::{NODE, PATIENCE, offer, route};

const NO: FileBody = FileBody::Refused(Code::SubscriberUnreachable, Reason::CannotOpen);
const SIZE: u64 = 5;
const LIST: u64 = 32;

/// One inbox, and what it says and wants.
#[derive(Default)]
struct Bench {
    inbox: Inbox,
    now: Instant,
    slot: Option<Slot>,
    ended: Vec<Code>,
}

impl Bench {
    /// An inbox that takes a file, sent under this number.
    fn taking(transfer: u64) -> Self {
        let mut bench = Self::default();
        assert_eq!(bench.offer(transfer), [FileBody::Wait]);
        bench
    }

    fn handle(&mut self, input: InboxInput) -> Vec<FileBody> {
        self.inbox.handle(self.now, input);
        let mut said = Vec::new();
        while let Some(effect) = self.inbox.poll_effect() {
            match effect {
                InboxEffect::Send(message) => said.push(message.body),
                InboxEffect::Disk(slot, DiskTask::Prepare) => self.slot = Some(slot),
                InboxEffect::Disk(..) => {}
                InboxEffect::Ended(_, end) => self.ended.push(end.code),
            }
        }
        said
    }

    /// An offer that could be opened.
    fn offer(&mut self, transfer: u64) -> Vec<FileBody> {
        self.offer_in(transfer, 1)
    }

    fn offer_in(&mut self, transfer: u64, round: u32) -> Vec<FileBody> {
        let body = FileBody::Offer(Box::new(offer(SIZE)));
        self.handle(InboxInput::Message(FileMessage { route: send(transfer), round, body }))
    }

    /// One that could not, in this round.
    fn unopened(&mut self, transfer: u64, round: u32) -> Vec<FileBody> {
        let sealed = FileBody::Wait; // Nobody looks into what cannot be opened.
        let message = FileMessage { route: send(transfer), round, body: sealed };
        self.handle(InboxInput::Unopened(message))
    }

    fn disk(&mut self, said: DiskSaid) -> Vec<FileBody> {
        let slot = self.slot.expect("a file is taken");
        self.handle(InboxInput::Disk(slot, said))
    }
}

fn send(transfer: u64) -> FileRoute {
    FileRoute { transfer, ..route(1) }
}

fn done() -> FileBody {
    FileBody::Done { sha256: offer(SIZE).sha256 }
}

/// FILE-16: so its sender may offer it to another under another number.
#[test]
fn a_send_that_could_not_be_opened_once_is_never_taken_and_the_next_one_is() {
    let mut bench = Bench::default();
    assert_eq!(bench.unopened(1, 1), [NO]);
    assert_eq!(bench.offer(1), [NO], "though it can be opened now");
    assert_eq!(bench.unopened(1, 2), [NO]);
    assert_eq!((bench.slot, bench.inbox.under_way()), (None, 0));
    assert_eq!(bench.offer(2), [FileBody::Wait]);
    assert!(bench.slot.is_some());
}

/// FILE-16: no round can begin any more, so that it would wait for nothing.
#[test]
fn what_is_under_way_is_given_up_when_its_next_offer_cannot_be_opened() {
    for is_prepared in [false, true] {
        let mut bench = Bench::taking(1);
        if is_prepared {
            bench.disk(DiskSaid::Prepared { checked: 0, kept: 0 });
        }
        assert_eq!(bench.unopened(1, 2), [NO]);
        assert_eq!(
            (&bench.ended[..], bench.inbox.under_way()),
            (&[Code::SubscriberUnreachable][..], 0)
        );
        assert_eq!(bench.offer_in(1, 3), [NO]);
        assert_eq!(bench.offer(2), [FileBody::Wait], "what there is of it is used again");
    }
}

/// FILE-10, FILE-16: what is there, or may be any moment, is not denied.
#[test]
fn what_is_there_is_said_to_be_there_though_the_offer_cannot_be_opened() {
    let mut bench = Bench::taking(1);
    bench.disk(DiskSaid::Prepared { checked: LIST + SIZE, kept: LIST + SIZE });
    assert_eq!(bench.unopened(1, 2), [], "it gets its name");
    assert_eq!(bench.disk(DiskSaid::Finished), [done()]);
    assert_eq!(bench.unopened(1, 3), [done()]);
    bench.now = bench.now + Duration::from_secs(61);
    bench.handle(InboxInput::Timeout);
    assert_eq!(bench.unopened(1, 4), [], "nobody knows what its sender has heard");
    assert_eq!(bench.unopened(2, 1), [NO], "that is another send");
}

/// FILE-10, FILE-16: of two sends of one file the first was done, and the second was told so.
#[test]
fn a_send_in_whose_place_another_one_was_told_that_it_is_there_is_not_denied() {
    let mut bench = Bench::taking(1);
    bench.disk(DiskSaid::AlreadyThere);
    assert_eq!(bench.offer(2), [FileBody::Wait]);
    assert_eq!(bench.disk(DiskSaid::AlreadyThere), [done()]);
    assert_eq!(bench.unopened(1, 2), []);
    assert_eq!(bench.unopened(2, 2), [done()]);
}

/// FILE-3, FILE-16
#[test]
fn a_send_that_waits_for_another_one_is_not_taken_up_once_it_was_refused() {
    let mut bench = Bench::taking(1);
    bench.disk(DiskSaid::Prepared { checked: 0, kept: 0 });
    let other = FileRoute { transfer: 1, ..route(2) };
    let body = FileBody::Offer(Box::new(offer(SIZE)));
    let waits = FileMessage { route: other, round: 1, body };
    assert_eq!(bench.handle(InboxInput::Message(waits.clone())), [FileBody::Wait]);
    assert_eq!(bench.handle(InboxInput::Unopened(waits)), [NO]);
    bench.now = bench.now + Duration::from_secs(6);
    assert_eq!(bench.handle(InboxInput::Timeout), []);
    assert_eq!(bench.inbox.receiver(bench.slot.unwrap()).unwrap().route(), send(1));
}

fn ended(sender: &mut Sender, reason: Reason) -> Code {
    let body = FileBody::Refused(Code::SubscriberUnreachable, reason);
    let message = FileMessage { route: sender.route(), round: sender.round(), body };
    sender.handle(sender.poll_timeout().unwrap(), SenderInput::Message(message));
    match sender.poll_effect() {
        Some(SenderEffect::Ended(end)) => end.code,
        other => panic!("{other:?}"),
    }
}

/// FILE-10: it speaks for all offers of its send.
#[test]
fn who_cannot_open_one_offer_leaves_no_doubt_of_those_before() {
    for (reason, code) in
        [(Reason::CannotOpen, Code::SubscriberUnreachable), (Reason::NotSubscribed, Code::TimedOut)]
    {
        let mut sender = Sender::new(Instant::default(), route(1), offer(SIZE), PATIENCE);
        sender.handle(Instant::default(), SenderInput::LinkUp(NODE));
        while sender.poll_effect().is_some() {}
        sender.handle(sender.poll_timeout().unwrap(), SenderInput::Timeout);
        assert!(matches!(sender.poll_effect(), Some(SenderEffect::Send(_))), "it offers again");
        assert_eq!(ended(&mut sender, reason), code);
    }
}

/// FILE-16: it is where it was, so it is not looked for.
#[test]
fn who_was_found_and_cannot_open_an_offer_ends_the_send() {
    let mut sender = Sender::new(Instant::default(), route(1), offer(SIZE), PATIENCE);
    sender.handle(Instant::default(), SenderInput::LinkUp(NODE));
    let mut addressee = Addressee::new(offer(SIZE).topic, &route(1));
    let mut hear = |body| {
        let message = FileMessage { route: sender.route(), round: 1, body };
        addressee.hear(&sender, &message)
    };
    assert_eq!(hear(FileBody::Wait), Heard::ForSender);
    assert_eq!(hear(NO), Heard::ForSender);
    let gone = FileBody::Refused(Code::SubscriberUnreachable, Reason::SubscriberGone);
    assert!(matches!(hear(gone), Heard::Find(_)));
}
