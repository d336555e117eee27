//! Many files at one receiver.

use amop_core::transfer::{DiskSaid, DiskTask, Inbox, InboxEffect, InboxInput, Slot};
use amop_wire::limits::TRANSFERS_MAX;
use amop_wire::{FileBody, FileEnd, FileId, FileMessage, FileRoute, Instance, Instant, Reason};

use crate::world::{offer, route};

/// FILE-11.
#[test]
fn sixty_four_transfers_are_taken_and_the_next_waits_for_one_to_end() {
    assert_eq!(TRANSFERS_MAX, 64);
    let (mut inbox, now) = (Inbox::default(), Instant::default());
    let slots: Vec<Slot> =
        (0..64).map(|number| prepared(&mut inbox, now, number).unwrap()).collect();
    assert_eq!(inbox.under_way(), 64);
    assert_eq!(prepared(&mut inbox, now, 64), None);
    assert_eq!(inbox.under_way(), 64);

    inbox.handle(now, InboxInput::Disk(slots[7], DiskSaid::AlreadyThere));
    while inbox.poll_effect().is_some() {}
    assert!(prepared(&mut inbox, now, 64).is_some());
    assert_eq!(prepared(&mut inbox, now, 65), None);
}

#[test]
fn what_has_ended_takes_no_room_for_ever() {
    let (mut inbox, now) = (Inbox::default(), Instant::default());
    let mut slots = Vec::new();
    for number in 0..1000 {
        let slot = prepared(&mut inbox, now, number).unwrap();
        inbox.handle(now, InboxInput::Disk(slot, DiskSaid::AlreadyThere));
        while inbox.poll_effect().is_some() {}
        slots.push(slot);
        let held = slots.iter().filter(|slot| inbox.receiver(**slot).is_some()).count();
        assert!(held <= 2 * TRANSFERS_MAX, "{held}");
    }
    let later = inbox.poll_timeout().unwrap();
    inbox.handle(later, InboxInput::Timeout);
    assert!(slots.iter().all(|slot| inbox.receiver(*slot).is_none()));
    assert_eq!(inbox.poll_timeout(), None);
}

/// FILE-9: what was there may have been replaced, or taken away; who asks again for what it was told hears the same.
#[test]
fn what_another_send_is_told_of_a_file_that_was_there_is_what_the_disk_says_then() {
    let (mut inbox, now) = (Inbox::default(), Instant::default());
    let slot = prepared(&mut inbox, now, 7).unwrap();
    inbox.handle(now, InboxInput::Disk(slot, DiskSaid::AlreadyThere));
    while inbox.poll_effect().is_some() {}
    for (transfer, is_asked) in [(1, false), (8, true), (8, false), (9, true)] {
        let mut offer = offer(5);
        offer.id = FileId(7);
        let message = FileMessage {
            route: FileRoute { transfer, ..route(7) },
            round: 1,
            body: FileBody::Offer(Box::new(offer.clone())),
        };
        inbox.handle(now, InboxInput::Message(message));
        let effects: Vec<_> = std::iter::from_fn(|| inbox.poll_effect()).collect();
        let task = effects.iter().find_map(|effect| match effect {
            InboxEffect::Disk(slot, DiskTask::Prepare) => Some(*slot),
            _ => None,
        });
        assert_eq!(task.is_some(), is_asked, "{transfer}: {effects:?}");
        if let Some(slot) = task {
            inbox.handle(now, InboxInput::Disk(slot, DiskSaid::AlreadyThere));
            while inbox.poll_effect().is_some() {}
        }
    }
}

/// FILE-3, FILE-17.
#[test]
fn a_send_that_takes_the_place_of_a_silent_one_is_heard_at_once() {
    let (mut inbox, now) = (Inbox::default(), Instant::default());
    let slot = prepared(&mut inbox, now, 7).unwrap();
    let sender = FileEnd { instance: Instance(77), ..route(7).sender };
    let other = FileRoute { transfer: 8, sender, ..route(7) };
    let mut offer = offer(5);
    offer.id = FileId(7);
    let mut tell = |now, body| {
        let message = FileMessage { route: other, round: 1, body };
        inbox.handle(now, InboxInput::Message(message));
        let effects: Vec<_> = std::iter::from_fn(|| inbox.poll_effect()).collect();
        let at = inbox.poll_timeout().unwrap();
        inbox.handle(at, InboxInput::Timeout);
        while inbox.poll_effect().is_some() {}
        (at, effects)
    };
    let (silent_for, _) = tell(now, FileBody::Offer(Box::new(offer)));
    let (_, effects) = tell(silent_for, FileBody::Cancel(Reason::Cancelled));
    let has_ended = |effect: &InboxEffect| {
        matches!(effect, InboxEffect::Ended(ended, end)
            if (*ended, end.reason) == (slot, Reason::Cancelled))
    };
    assert!(effects.iter().any(has_ended), "{effects:?}");
}

/// Offers the file of this number; `None` if it has to wait.
fn prepared(inbox: &mut Inbox, now: Instant, number: u64) -> Option<Slot> {
    let mut offer = offer(5);
    offer.id = FileId(number.into());
    let body = FileBody::Offer(Box::new(offer));
    let message = FileMessage { route: route(number), round: 1, body };
    inbox.handle(now, InboxInput::Message(message));
    let mut slot = None;
    while let Some(effect) = inbox.poll_effect() {
        match effect {
            InboxEffect::Send(answer) => assert_eq!(answer.body, FileBody::Wait),
            InboxEffect::Disk(prepared, DiskTask::Prepare) => slot = Some(prepared),
            InboxEffect::Disk(..) | InboxEffect::Ended(..) => panic!("{effect:?}"),
        }
    }
    slot
}
