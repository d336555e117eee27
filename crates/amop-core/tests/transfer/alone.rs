//! One machine alone, told by hand what no honest end would say, or what comes late.

use std::time::Duration;

use amop_core::transfer::{
    CREDIT_STEP_BYTES, DiskSaid, DiskTask, End, Inbox, InboxEffect, InboxInput, Receiver,
    ReceiverEffect, ReceiverInput, Sender, SenderEffect, SenderInput,
};
use amop_wire::limits::{FILE_CHUNK_BYTES, FILE_IN_FLIGHT_BYTES_MAX, FILE_PIECE_BYTES_MAX};
use amop_wire::{Code, FileBody, FileEnd, FileMessage, FileRoute, Instance, Instant, Reason};
use bytes::Bytes;

use crate::world::{NODE, PATIENCE, offer, route};

const CHUNK: u64 = FILE_CHUNK_BYTES;
const LIST: u64 = 5 * 32;

/// FILE-6.
#[test]
fn a_receiver_takes_nothing_that_it_has_not_granted() {
    let mut receiver = receiver();
    for _ in 0..2 {
        let mut start = LIST;
        while start < LIST + FILE_IN_FLIGHT_BYTES_MAX {
            assert_eq!(take(&mut receiver, start), 1, "at {start}");
            start += 65_536;
        }
        assert_eq!(take(&mut receiver, start), 0);
        assert_eq!(receiver.waiting_bytes(), FILE_IN_FLIGHT_BYTES_MAX);
        // What was granted behind a wrong chunk is not any more.
        disk(&mut receiver, DiskSaid::Wrote { checked: LIST, kept: LIST + CHUNK / 2 });
        disk(&mut receiver, DiskSaid::Corrupt { checked: LIST });
    }
}

/// FILE-6: or its sender would wait for the end of a chunk.
#[test]
fn a_receiver_says_what_it_grants_whenever_half_a_mib_more_is_kept() {
    let mut receiver = receiver();
    for step in 0..4 {
        let start = LIST + step * CREDIT_STEP_BYTES;
        let mut keep = |kept| {
            let wrote = DiskSaid::Wrote { checked: LIST, kept };
            receiver.handle(Instant::default(), ReceiverInput::Disk(wrote));
            let said = std::iter::from_fn(|| receiver.poll_effect());
            said.map(|effect| match effect {
                ReceiverEffect::Send(FileMessage {
                    body: FileBody::Credit { granted, .. },
                    ..
                }) => granted,
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
        };
        let next = start + CREDIT_STEP_BYTES;
        assert_eq!(keep(next - 1), [], "{step}");
        let granted = (next + FILE_IN_FLIGHT_BYTES_MAX).min(LIST + 5 * CHUNK);
        assert_eq!(keep(next), [granted], "{step}");
    }
}

/// FILE-8: wrong parts count only in a row.
#[test]
fn a_part_that_is_right_makes_good_for_the_wrong_ones_before() {
    let mut receiver = receiver();
    for part in 1..4 {
        for _ in 0..2 {
            disk(&mut receiver, DiskSaid::Corrupt { checked: LIST + (part - 1) * CHUNK });
        }
        let end = LIST + part * CHUNK;
        disk(&mut receiver, DiskSaid::Wrote { checked: end, kept: end });
        assert_eq!(receiver.end(), None);
    }
}

/// FILE-5.
#[test]
fn an_offer_that_was_overtaken_does_not_turn_the_round_back() {
    let mut receiver = receiver();
    assert_eq!(tell(&mut receiver, 3, FileBody::Offer(Box::new(offer(5 * CHUNK)))).len(), 1);
    assert_eq!(tell(&mut receiver, 2, FileBody::Offer(Box::new(offer(5 * CHUNK)))), []);
    let data = Bytes::from(vec![0; FILE_PIECE_BYTES_MAX]);
    assert_eq!(tell(&mut receiver, 2, FileBody::Piece { start: LIST, data }), []);
    assert_eq!(take_in(&mut receiver, 3, LIST), 1);
}

/// FILE-17: whoever gives up drops what has not left, and that may be the offer of the round.
#[test]
fn who_gives_up_in_a_later_round_is_heard_and_in_an_earlier_one_is_not() {
    let cancel = || FileBody::Cancel(Reason::Cancelled);
    for (round, is_over) in [(1, false), (2, true), (3, true)] {
        let mut receiver = receiver();
        tell(&mut receiver, 2, FileBody::Offer(Box::new(offer(5 * CHUNK))));
        let said = tell(&mut receiver, round, cancel());
        assert_eq!(receiver.end().is_some(), is_over, "{round}");
        let mut answers = said.iter().filter_map(|effect| match effect {
            ReceiverEffect::Send(answer) => Some(answer.round),
            ReceiverEffect::Disk(_) | ReceiverEffect::Ended(_) => None,
        });
        assert_eq!(answers.any(|answered| answered == round), is_over, "{round}: {said:?}");
    }
    let mut receiver = receiver();
    let body = cancel();
    let other = FileMessage { route: FileRoute { transfer: 99, ..route(1) }, round: 9, body };
    receiver.handle(Instant::default(), ReceiverInput::Message(other));
    assert_eq!((receiver.poll_effect(), receiver.end()), (None, None), "it is of another send");
}

/// FILE-6: 4 MiB are the most, whatever is granted.
#[test]
fn a_sender_is_never_further_ahead_than_it_may_be() {
    let mut sender = sender();
    let credit = FileBody::Credit { received: LIST, granted: u64::MAX };
    let mut sent = 0;
    let mut effects = say(&mut sender, 1, credit);
    while let [.., SenderEffect::Read { round, bytes, .. }] = effects[..] {
        sent += bytes;
        effects = feed(&mut sender, SenderInput::Read { round, data: vec![0; bytes].into() });
    }
    assert_eq!(u64::try_from(sent).unwrap(), FILE_IN_FLIGHT_BYTES_MAX);
}

/// FILE-5.
#[test]
fn what_was_read_for_an_earlier_round_is_not_sent_in_this_one() {
    let mut sender = sender();
    say(&mut sender, 1, FileBody::Credit { received: LIST, granted: LIST + CHUNK });
    say(&mut sender, 1, FileBody::Again);
    say(&mut sender, 2, FileBody::Credit { received: 0, granted: LIST });
    let late = SenderInput::Read { round: 1, data: vec![0; FILE_PIECE_BYTES_MAX].into() };
    assert_eq!(feed(&mut sender, late), []);
    assert_eq!(sender.moved_bytes(), 0);
}

/// FILE-5 and FILE-7: so whoever was cut off is heard again within 2 s of its way having come back, mostly within one.
#[test]
fn three_questions_without_an_answer_begin_another_round() {
    let mut sender = sender();
    say(&mut sender, 1, FileBody::Credit { received: LIST, granted: LIST });
    let mut said = Vec::new();
    let mut times = Vec::new();
    for _ in 0..4 {
        let at = sender.poll_timeout().unwrap();
        times.push(at.saturating_since(Instant::default()).as_secs());
        sender.handle(at, SenderInput::Timeout);
        while let Some(SenderEffect::Send(message)) = sender.poll_effect() {
            said.push((message.round, matches!(message.body, FileBody::Ask { sent: LIST })));
        }
    }
    assert_eq!(said, [(1, true), (1, true), (1, true), (2, false)]);
    assert_eq!(times, [2, 4, 6, 8]);
    let mut offered = Vec::new();
    for _ in 0..4 {
        let at = sender.poll_timeout().unwrap();
        offered.push(at.saturating_since(Instant::default()).as_secs());
        sender.handle(at, SenderInput::Timeout);
        while sender.poll_effect().is_some() {}
    }
    assert_eq!(offered, [9, 10, 11, 12]);
}

/// FILE-5: whoever was cut off for longer than a receiver waits comes back to what it has left.
#[test]
fn a_send_that_was_silent_for_long_is_taken_up_again() {
    let (mut inbox, start) = (Inbox::default(), Instant::default());
    let is_prepared = |inbox: &mut Inbox, now: Instant, round: u32| {
        let body = FileBody::Offer(Box::new(offer(5 * CHUNK)));
        inbox.handle(now, InboxInput::Message(FileMessage { route: route(1), round, body }));
        let effects: Vec<InboxEffect> = std::iter::from_fn(|| inbox.poll_effect()).collect();
        effects.iter().any(|effect| matches!(effect, InboxEffect::Disk(_, DiskTask::Prepare)))
    };
    assert!(is_prepared(&mut inbox, start, 1));
    let later = start + Duration::from_secs(100);
    inbox.handle(later, InboxInput::Timeout);
    while inbox.poll_effect().is_some() {}
    assert_eq!(inbox.under_way(), 0);
    assert!(is_prepared(&mut inbox, later, 2));
}

/// FILE-10: nobody knows what the first one has done; its own word is enough.
#[test]
fn the_no_of_another_does_not_say_what_became_of_it_at_the_first() {
    for (is_all_sent, by, code) in [
        (true, 99, Code::TimedOut),
        (false, 99, Code::FileRefused),
        (true, route(1).receiver.instance.0, Code::FileRefused),
    ] {
        let mut sender = sender();
        let granted = if is_all_sent { LIST + 5 * CHUNK } else { LIST };
        for received in (LIST..=LIST + 4 * CHUNK).step_by(2 << 20) {
            let mut effects = say(&mut sender, 1, FileBody::Credit { received, granted });
            while let [.., SenderEffect::Read { round, bytes, .. }] = effects[..] {
                let data = vec![0; bytes].into();
                effects = feed(&mut sender, SenderInput::Read { round, data });
            }
            if !is_all_sent {
                break;
            }
        }
        feed(&mut sender, SenderInput::Redirect(FileEnd::ANY));
        let receiver = FileEnd { instance: Instance(by), node: NODE };
        feed(&mut sender, SenderInput::Redirect(receiver));
        let body = FileBody::Refused(Code::FileRefused, Reason::FileExists);
        let message = FileMessage { route: sender.route(), round: sender.round(), body };
        let effects = feed(&mut sender, SenderInput::Message(message));
        let [SenderEffect::Ended(end)] = effects[..] else { panic!("{effects:?}") };
        assert_eq!(end.code, code, "{is_all_sent}, {by}");
    }
}

/// FILE-10: what a node refuses is one copy of an offer.
#[test]
fn the_no_of_a_node_does_not_say_what_became_of_an_offer_before() {
    for (offers, code) in [(1, Code::NoSubscriber), (2, Code::TimedOut)] {
        let mut sender = sender();
        for _ in 1..offers {
            let at = sender.poll_timeout().unwrap();
            sender.handle(at, SenderInput::Timeout);
            assert!(matches!(sender.poll_effect(), Some(SenderEffect::Send(_))), "it offers again");
        }
        let refused = say(&mut sender, 1, FileBody::Refused(Code::NoSubscriber, Reason::NoPath));
        let [SenderEffect::Ended(end)] = refused[..] else { panic!("{refused:?}") };
        assert_eq!((end.code, end.reason), (code, Reason::NoPath), "after {offers}");
    }
}

/// FILE-10: what the one before lacked, its successor may have.
#[test]
fn what_one_receiver_lacked_says_nothing_of_the_next() {
    let mut sender = sender();
    say(&mut sender, 1, FileBody::Credit { received: 0, granted: LIST });
    feed(&mut sender, SenderInput::Redirect(FileEnd::ANY));
    let at = sender.poll_timeout().unwrap();
    sender.handle(at, SenderInput::Timeout);
    while sender.poll_effect().is_some() {}
    let body = FileBody::Refused(Code::NoSubscriber, Reason::NoPath);
    let message = FileMessage { route: sender.route(), round: sender.round(), body };
    let effects = feed(&mut sender, SenderInput::Message(message));
    let [SenderEffect::Ended(end)] = effects[..] else { panic!("{effects:?}") };
    assert_eq!(end.code, Code::TimedOut);
}

/// FILE-8: the damage of one send is not counted against the next one of the same file.
#[test]
fn what_was_damaged_of_one_send_does_not_end_another() {
    let (mut inbox, mut now) = (Inbox::default(), Instant::default());
    let offered = |inbox: &mut Inbox, life, now| {
        let body = FileBody::Offer(Box::new(offer(5 * CHUNK)));
        let message = FileMessage { route: route(life), round: 1, body };
        inbox.handle(now, InboxInput::Message(message));
        std::iter::from_fn(|| inbox.poll_effect()).find_map(|effect| match effect {
            InboxEffect::Disk(slot, DiskTask::Prepare) => Some(slot),
            _ => None,
        })
    };
    let slot = offered(&mut inbox, 1, now).unwrap();
    let ends = |inbox: &mut Inbox, now, said| {
        inbox.handle(now, InboxInput::Disk(slot, said));
        std::iter::from_fn(|| inbox.poll_effect()).any(|it| matches!(it, InboxEffect::Ended(..)))
    };
    assert!(!ends(&mut inbox, now, DiskSaid::Prepared { checked: LIST, kept: LIST }));
    for _ in 0..2 {
        assert!(!ends(&mut inbox, now, DiskSaid::Corrupt { checked: LIST }));
    }
    now = now + Duration::from_secs(6); // Silent for long enough that another may go on.
    offered(&mut inbox, 2, now);
    assert!(!ends(&mut inbox, now, DiskSaid::Corrupt { checked: LIST }), "the first of this one");
    assert!(!ends(&mut inbox, now, DiskSaid::Corrupt { checked: LIST }));
    assert!(ends(&mut inbox, now, DiskSaid::Corrupt { checked: LIST }));
}

/// FILE-4: the receiver was killed, and another life of it has what it had.
#[test]
fn a_sender_that_is_redirected_offers_to_the_other_in_another_round() {
    let mut sender = sender();
    say(&mut sender, 1, FileBody::Credit { received: LIST, granted: LIST + CHUNK });
    let receiver = FileEnd { instance: Instance(99), node: NODE };
    let effects = feed(&mut sender, SenderInput::Redirect(receiver));
    let [SenderEffect::Send(message)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((message.route.receiver, message.round), (receiver, 2));
    assert!(matches!(message.body, FileBody::Offer(_)));

    feed(&mut sender, SenderInput::LinkDown);
    let nowhere = feed(&mut sender, SenderInput::Redirect(receiver));
    assert_eq!(nowhere, [], "it is said once there is a link");
}

/// What has begun to get its name is not cancelled: it would be there, and nobody told.
#[test]
fn a_file_that_gets_its_name_is_not_cancelled() {
    let mut receiver = receiver();
    let all = LIST + 5 * CHUNK;
    disk(&mut receiver, DiskSaid::Wrote { checked: all, kept: all });
    receiver.handle(Instant::default(), ReceiverInput::Cancel);
    assert_eq!(receiver.end(), None);
    tell(&mut receiver, 1, FileBody::Cancel(Reason::Cancelled));
    assert_eq!(receiver.end(), None);
}

/// FILE-10, FILE-11: what found no place has not been offered, and its patience begins when it is.
#[test]
fn an_offer_that_did_not_leave_is_repeated_and_leaves_no_doubt() {
    let at = |ms| Instant::default() + Duration::from_millis(ms);
    let handle = |sender: &mut Sender, ms, input| {
        sender.handle(at(ms), input);
        std::iter::from_fn(|| sender.poll_effect()).collect::<Vec<_>>()
    };
    for is_cancelled in [true, false] {
        let mut sender = sender();
        for second in 0..600 {
            assert_eq!(handle(&mut sender, 1000 * second, SenderInput::NoPlace), []);
            let again_at = at(1000 * (second + 1));
            assert_eq!(sender.poll_timeout(), Some(again_at));
            let effects = handle(&mut sender, 1000 * (second + 1), SenderInput::Timeout);
            assert!(matches!(&effects[..], [SenderEffect::Send(_)]), "{effects:?}");
        }
        handle(&mut sender, 600_000, SenderInput::NoPlace);
        let (input, expected) = if is_cancelled {
            (SenderInput::Cancel, End { code: Code::FileRefused, reason: Reason::Cancelled })
        } else {
            let body = FileBody::Refused(Code::NoSubscriber, Reason::NoSubscriber);
            let (code, reason) = (Code::NoSubscriber, Reason::NoSubscriber);
            handle(&mut sender, 601_000, SenderInput::Timeout); // This one leaves.
            let refused = FileMessage { route: sender.route(), round: sender.round(), body };
            (SenderInput::Message(refused), End { code, reason })
        };
        let effects = handle(&mut sender, 601_000, input);
        assert_eq!(effects, [SenderEffect::Ended(expected)]);
    }
}

/// A receiver of 5 chunks that has the list.
fn receiver() -> Receiver {
    let mut receiver = Receiver::new(Instant::default(), route(1), 1, offer(5 * CHUNK), PATIENCE);
    while receiver.poll_effect().is_some() {}
    disk(&mut receiver, DiskSaid::Prepared { checked: LIST, kept: LIST });
    receiver
}

/// A sender of 5 chunks that has offered them.
fn sender() -> Sender {
    let mut sender = Sender::new(Instant::default(), route(1), offer(5 * CHUNK), PATIENCE);
    feed(&mut sender, SenderInput::LinkUp(NODE));
    sender
}

fn feed(sender: &mut Sender, input: SenderInput) -> Vec<SenderEffect> {
    sender.handle(Instant::default(), input);
    std::iter::from_fn(|| sender.poll_effect()).collect()
}

fn say(sender: &mut Sender, round: u32, body: FileBody) -> Vec<SenderEffect> {
    feed(sender, SenderInput::Message(FileMessage { route: route(1), round, body }))
}

fn tell(receiver: &mut Receiver, round: u32, body: FileBody) -> Vec<ReceiverEffect> {
    let message = FileMessage { route: route(1), round, body };
    receiver.handle(Instant::default(), ReceiverInput::Message(message));
    std::iter::from_fn(|| receiver.poll_effect()).collect()
}

fn disk(receiver: &mut Receiver, said: DiskSaid) {
    receiver.handle(Instant::default(), ReceiverInput::Disk(said));
    while receiver.poll_effect().is_some() {}
}

/// Says how many pieces are written after this one came.
fn take(receiver: &mut Receiver, start: u64) -> usize {
    take_in(receiver, 1, start)
}

fn take_in(receiver: &mut Receiver, round: u32, start: u64) -> usize {
    let data = Bytes::from(vec![0; FILE_PIECE_BYTES_MAX]);
    let effects = tell(receiver, round, FileBody::Piece { start, data });
    effects.iter().filter(|effect| matches!(effect, ReceiverEffect::Disk(_))).count()
}
