//! One situation each.

use std::time::Duration;

use amop_core::transfer::{CREDIT_STEP_BYTES, End, InboxInput, SenderInput};
use amop_wire::limits::{FILE_CHUNK_BYTES, FILE_IN_FLIGHT_BYTES_MAX};
use amop_wire::{Code, FileBody, FileMessage, Reason};
use bytes::Bytes;

use crate::world::{NODE, World, route};

const CHUNK: u64 = FILE_CHUNK_BYTES;
const DONE: End = End { code: Code::Ok, reason: Reason::Unspecified };

#[test]
fn files_of_every_ordinary_size_arrive_and_nothing_moves_twice() {
    for size in [0, 1, 65_536, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7] {
        let mut world = World::new(1, size);
        world.net.delay_ms_max = 0;
        world.run_for(secs(10));
        assert_eq!(world.sent, Some(DONE), "{size} bytes");
        world.assert_complete();
        assert_eq!(world.moved_bytes(), world.stream_bytes());
    }
}

/// FILE-9.
#[test]
fn a_file_that_is_there_is_done_at_once_and_nothing_moves() {
    let mut world = World::new(1, 3 * CHUNK);
    world.run_for(secs(10));
    let moved = world.moved_bytes();
    for restart in [World::restart_sender, |world: &mut World| {
        world.restart_receiver();
        world.restart_sender();
    }] {
        restart(&mut world);
        world.run_for(secs(1));
        assert_eq!(world.sent, Some(DONE));
        assert_eq!(world.moved_bytes(), moved);
    }
}

/// FILE-6: the disk is two hundred times slower than the reader, and nothing piles up.
#[test]
fn a_slow_receiver_sets_the_pace_and_no_round_is_lost_for_it() {
    let mut world = World::new(1, 4 * CHUNK);
    world.net.delay_ms_max = 0;
    world.disk.write_time = Duration::from_millis(300); // 128 pieces: 39 s in all.
    world.run_for(secs(5));
    let moved = world.moved_bytes();
    let ahead = moved - world.disk.stored.len() as u64;
    let granted = FILE_IN_FLIGHT_BYTES_MAX - CREDIT_STEP_BYTES + 1..=FILE_IN_FLIGHT_BYTES_MAX;
    assert!(granted.contains(&ahead), "{ahead}");
    world.run_for(secs(60));
    assert_eq!(world.sent, Some(DONE));
    assert_eq!(world.moved_bytes(), world.stream_bytes());
}

/// FILE-5: what there is of a chunk counts, too.
#[test]
fn a_receiver_that_was_killed_goes_on_in_the_middle_of_a_chunk() {
    let mut world = World::new(1, 3 * CHUNK);
    world.net.delay_ms_max = 0;
    world.disk.write_time = Duration::from_millis(1);
    world.run_until_checked(3 * 32 + CHUNK);
    world.run_for(Duration::from_millis(20));
    world.net.is_cut = true;
    let there = world.disk.stored.len() as u64;
    assert!(world.disk.checked < there && there < 3 * 32 + 2 * CHUNK, "{there}");
    world.restart_receiver();
    world.restart_sender();
    world.net.is_cut = false;
    world.run_for(secs(10));
    assert_eq!(world.sent, Some(DONE));
    world.assert_complete();
    assert_eq!(world.sender.moved_bytes(), world.stream_bytes() - there);
}

/// FILE-5: a sender that reads at 64 KiB in 10 s is slow, not gone.
#[test]
fn a_slow_sender_is_waited_for() {
    let mut world = World::new(1, 10 * 65_536);
    world.net.delay_ms_max = 0;
    world.read_time = secs(10);
    world.run_for(secs(200));
    assert_eq!(world.sent, Some(DONE));
    assert_eq!(world.moved_bytes(), world.stream_bytes());
}

/// FILE-8.
#[test]
fn a_damaged_part_is_taken_back_and_sent_again() {
    let mut world = World::new(1, 3 * CHUNK);
    world.net.delay_ms_max = 0;
    world.run_until_checked(3 * 32 + CHUNK);
    world.net.damage_percent = 100;
    world.run_for(Duration::from_millis(1));
    world.net.damage_percent = 0;
    world.run_for(secs(10));
    assert_eq!(world.sent, Some(DONE));
    world.assert_complete();
    let twice = world.moved_bytes() - world.stream_bytes();
    assert!(0 < twice && twice <= FILE_IN_FLIGHT_BYTES_MAX, "{twice}");
}

/// FILE-8.
#[test]
fn a_part_that_is_wrong_three_times_ends_it_and_what_was_checked_stays() {
    let mut world = World::new(1, 3 * CHUNK);
    world.net.delay_ms_max = 0;
    world.run_until_checked(3 * 32 + CHUNK);
    world.net.damage_percent = 100;
    world.run_for(secs(20));
    assert_eq!(world.sent, refused(Reason::ChecksumMismatch));
    assert!(!world.disk.is_named);
    assert!(world.disk.checked >= 3 * 32 + CHUNK);

    world.net.damage_percent = 0;
    let moved = world.moved_bytes();
    world.restart_sender();
    world.run_for(secs(20));
    assert_eq!(world.sent, Some(DONE));
    assert!(world.moved_bytes() - moved <= 2 * CHUNK, "it went on where it was");
}

/// FILE-10: the disk refuses early, or late; nothing is visible in either case.
#[test]
fn what_the_disk_refuses_is_said_with_its_reason() {
    for reason in [Reason::DiskFull, Reason::FileExists, Reason::FileNotWanted] {
        let mut world = World::new(1, 3 * CHUNK);
        world.disk.prepare_fails = Some(reason);
        world.run_for(secs(10));
        assert_eq!(world.sent, refused(reason));
        assert_eq!(world.moved_bytes(), 0, "it was refused early");
    }
    let mut world = World::new(1, 3 * CHUNK);
    world.disk.finish_fails = Some(Reason::DirectoryFailed);
    world.run_for(secs(10));
    assert_eq!(world.sent, refused(Reason::DirectoryFailed));
    assert!(!world.disk.is_named);
}

/// FILE-10.
#[test]
fn a_refused_file_can_be_sent_again_once_the_reason_is_gone() {
    let mut world = World::new(1, CHUNK);
    world.disk.prepare_fails = Some(Reason::DiskFull);
    world.run_for(secs(10));
    world.disk.prepare_fails = None;
    world.restart_sender();
    world.run_for(secs(10));
    assert_eq!(world.sent, Some(DONE));
}

/// FILE-3.
#[test]
fn another_file_under_the_same_id_is_refused_and_the_first_goes_on() {
    let mut world = World::new(1, 3 * CHUNK);
    world.run_until_checked(3 * 32);
    let mut other = World::new(2, 3 * CHUNK).offer().clone();
    other.list_sha256 = [0xcc; 32];
    let offer = FileMessage { route: route(9), round: 1, body: FileBody::Offer(Box::new(other)) };
    world.tell_receiver(InboxInput::Message(offer));
    world.run_for(secs(10));
    assert_eq!(world.sent, Some(DONE));

    world.change_content();
    world.restart_sender();
    world.run_for(secs(10));
    assert_eq!(world.sent, Some(End { code: Code::IdReused, reason: Reason::FileIdReused }));
}

/// FILE-3: an offer may have been on its way for long, and its send be over.
#[test]
fn another_send_of_the_same_file_waits_and_disturbs_nothing() {
    let mut world = World::new(1, 4 * CHUNK);
    world.net.delay_ms_max = 0;
    world.run_until_checked(4 * 32 + CHUNK);
    let offer = FileBody::Offer(Box::new(world.offer().clone()));
    world.tell_receiver(InboxInput::Message(FileMessage {
        route: route(9),
        round: 1,
        body: offer,
    }));
    world.run_for(secs(1));
    assert_eq!(world.sent, Some(DONE));
    assert_eq!(world.moved_bytes(), world.stream_bytes());
}

/// FILE-3: the client was killed, so nobody says that the first send is over.
#[test]
fn another_send_goes_on_once_the_first_is_silent_for_five_seconds() {
    let mut world = World::new(1, 4 * CHUNK);
    world.net.delay_ms_max = 0;
    world.run_until_checked(4 * 32 + CHUNK);
    world.restart_sender();
    world.run_for(Duration::from_millis(4_900));
    assert!(world.sent.is_none() && world.sender.progress().0 == 0, "it waits");
    world.run_for(Duration::from_millis(300));
    assert_eq!(world.sent, Some(DONE));
}

/// FILE-10.
#[test]
fn silence_ends_with_what_is_known() {
    let silence = |before: fn(&mut World)| {
        let mut world = World::new(1, 3 * CHUNK);
        world.net.delay_ms_max = 0;
        before(&mut world);
        world.net.is_cut = true;
        world.lose_all();
        world.run_for(secs(130));
        world.sent.unwrap()
    };
    let unreachable = End { code: Code::SubscriberUnreachable, reason: Reason::SubscriberGone };
    let unknown = End { code: Code::TimedOut, reason: Reason::Deadline };
    assert_eq!(silence(|world| world.run_until_checked(3 * 32 + CHUNK)), unreachable);
    assert_eq!(silence(|_| {}), unknown, "an earlier send may have been complete");
    let all_sent = |world: &mut World| {
        world.disk.write_time = Duration::from_millis(1);
        world.run_until_checked(3 * 32 + 2 * CHUNK);
        while world.moved_bytes() < world.stream_bytes() {
            world.run_for(Duration::from_micros(100));
        }
        assert_eq!(world.sent, None);
    };
    assert_eq!(silence(all_sent), unknown);
    let never_offered = |world: &mut World| {
        let offer = world.offer().clone();
        world.sender = amop_core::transfer::Sender::new(world.now, route(2), offer, secs(60));
    };
    assert_eq!(silence(never_offered), End { code: Code::NotSent, reason: Reason::NotConnected });
}

/// FILE-10.
#[test]
fn giving_up_tells_the_receiver_and_ends_with_what_is_known() {
    let give_up = |input: SenderInput| {
        let mut world = World::new(1, 3 * CHUNK);
        world.run_until_checked(3 * 32 + CHUNK);
        world.tell_sender(input);
        world.sent.take().inspect(|_| world.run_for(secs(1))).zip(Some(world.inbox.under_way()))
    };
    let refused = |reason| End { code: Code::FileRefused, reason };
    assert_eq!(give_up(SenderInput::Cancel), Some((refused(Reason::Cancelled), 0)));
    let changed = SenderInput::ReadFailed(Reason::FileChanged);
    assert_eq!(give_up(changed), Some((refused(Reason::FileChanged), 0)));
}

/// FILE-5.
#[test]
fn what_is_of_another_round_or_cannot_be_true_changes_nothing() {
    let mut world = World::new(1, 4 * CHUNK);
    world.net.delay_ms_max = 0;
    world.run_until_checked(4 * 32 + CHUNK);
    let all = world.stream_bytes();
    let (sender, receiver) = (world.sender.progress(), world.inbox.under_way());
    let say = |round, body| FileMessage { route: route(1), round, body };
    for body in [
        FileBody::Credit { received: all, granted: all },
        FileBody::Again,
        FileBody::Refused(Code::FileRefused, Reason::DiskFull),
    ] {
        world.tell_sender(SenderInput::Message(say(9, body)));
    }
    world.tell_sender(SenderInput::Message(say(1, FileBody::Done { sha256: [9; 32] })));
    world.tell_sender(SenderInput::Message(say(
        1,
        FileBody::Credit { received: all, granted: all },
    )));
    let data = Bytes::from_static(&[9; 10]);
    world.tell_receiver(InboxInput::Message(say(
        9,
        FileBody::Piece { start: 0, data: data.clone() },
    )));
    world.tell_receiver(InboxInput::Message(say(1, FileBody::Piece { start: 0, data })));
    world.tell_receiver(InboxInput::Message(say(0, FileBody::Cancel(Reason::Cancelled))));
    assert_eq!((world.sender.progress(), world.inbox.under_way()), (sender, receiver));
    world.run_for(secs(10));
    assert_eq!(world.sent, Some(DONE));
    assert_eq!(world.moved_bytes(), world.stream_bytes());
}

#[test]
fn a_transfer_outlives_an_hour_without_a_link_if_its_patience_does() {
    let mut world = World::new(1, 3 * CHUNK);
    world.run_until_checked(3 * 32 + CHUNK);
    let offer = world.offer().clone();
    world.sender = amop_core::transfer::Sender::new(world.now, route(2), offer, secs(7200));
    world.lose_all();
    world.run_for(secs(3600));
    world.tell_sender(SenderInput::LinkUp(NODE));
    world.run_for(secs(10));
    assert_eq!(world.sent, Some(DONE));
}

fn refused(reason: Reason) -> Option<End> {
    Some(End { code: Code::FileRefused, reason })
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
