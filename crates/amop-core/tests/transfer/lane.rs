//! What waits for the lane of one link: bounded, in turns, and never held up by others.

use std::time::Duration;

use amop_core::transfer::{Beside, FileLane, FileWindows, Queued};
use amop_wire::limits::{FILE_PIECE_BYTES_MAX, FILE_WINDOW_BYTES};
use amop_wire::{FileBody, FileMessage, Instant, Reason};
use bytes::Bytes;
use proptest::prelude::*;

use crate::world::{offer, route};

const PIECE: u64 = 65_536;
const MOST: u64 = FILE_WINDOW_BYTES / PIECE;

fn now() -> Instant {
    Instant::default()
}

fn piece(transfer: u64, round: u32, start: u64) -> FileMessage {
    piece_of(FILE_PIECE_BYTES_MAX, transfer, round, start)
}

fn piece_of(bytes: usize, transfer: u64, round: u32, start: u64) -> FileMessage {
    let data = Bytes::from(vec![0; bytes]);
    FileMessage { route: route(transfer), round, body: FileBody::Piece { start, data } }
}

fn say(transfer: u64, round: u32, body: FileBody) -> FileMessage {
    FileMessage { route: route(transfer), round, body }
}

fn push(lane: &mut FileLane<()>, message: FileMessage) -> Queued {
    lane.push(now(), (), message)
}

fn fill(lane: &mut FileLane<()>, transfer: u64, round: u32, pieces: u64) {
    for number in 0..pieces {
        assert_eq!(push(lane, piece(transfer, round, number * PIECE)), Queued::Yes);
    }
}

/// Sends all that may be sent, and names the transfers.
fn sent(lane: &mut FileLane<()>) -> Vec<u64> {
    sent_at(lane, now())
}

fn sent_at(lane: &mut FileLane<()>, at: Instant) -> Vec<u64> {
    std::iter::from_fn(|| lane.pop(at))
        .map(|(_, message)| message.route.sender.instance.0)
        .collect()
}

/// FILE-12.
#[test]
fn a_transfer_has_one_mebibyte_and_what_comes_past_that_is_dropped() {
    assert_eq!(FILE_WINDOW_BYTES, 1 << 20);
    let mut lane = FileLane::default();
    for number in 0..MOST {
        assert_eq!(push(&mut lane, piece(1, 1, number * PIECE)), Queued::Yes);
    }
    assert_eq!(push(&mut lane, piece(1, 1, MOST * PIECE)), Queued::Dropped);
    assert_eq!(lane.piece_bytes(), FILE_WINDOW_BYTES);
    assert_eq!(push(&mut lane, piece(2, 1, 0)), Queued::Yes, "another one has its own");
}

/// FILE-12.
#[test]
fn nobody_is_further_ahead_of_the_neighbour_than_one_mebibyte() {
    let mut lane = FileLane::default();
    let mut start = 0;
    let mut fill = |lane: &mut FileLane<()>| {
        while push(lane, piece(1, 1, start)) == Queued::Yes {
            start += PIECE;
        }
    };
    fill(&mut lane);
    assert_eq!(sent(&mut lane).len(), 16);
    fill(&mut lane);
    assert_eq!(sent(&mut lane), []);
    lane.handle_window(now(), (&route(1), 1), 3 * PIECE, Beside::Files);
    assert_eq!(sent(&mut lane), [1, 1, 1]);
    lane.handle_window(now(), (&route(1), 1), 100 * PIECE, Beside::Files);
    lane.handle_window(now(), (&route(1), 2), 4 * PIECE, Beside::Files);
    assert_eq!(sent(&mut lane), [], "that was never sent, and that is another round");
}

/// FILE-12: a client has no messages of its own, and yet what it sends would stand before those of others.
#[test]
fn for_a_neighbour_with_messages_one_piece_is_under_way_until_it_has_none() {
    let mut lane = FileLane::default();
    fill(&mut lane, 1, 1, MOST);
    assert_eq!(sent(&mut lane).len(), 16);
    fill(&mut lane, 1, 1, MOST);
    for (passed, beside, more) in
        [(16, Beside::Messages, 1), (17, Beside::Messages, 1), (17, Beside::Files, 14)]
    {
        lane.handle_window(now(), (&route(1), 1), passed * PIECE, beside);
        let rested = now() + Duration::from_millis(1);
        assert_eq!(sent_at(&mut lane, rested).len(), more);
    }
}

/// FILE-12: or it would have all that messages leave of the processors, and these wait for it.
#[test]
fn for_a_neighbour_nearby_with_messages_a_client_rests_for_a_millisecond_after_each_piece_and_window()
 {
    let mut lane = FileLane::default();
    fill(&mut lane, 1, 1, 2);
    fill(&mut lane, 2, 1, 2);
    let at = |millis| now() + Duration::from_millis(millis);
    assert_eq!(lane.pop(at(0)).map(|(_, message)| message.route), Some(route(1)));
    assert_eq!(lane.poll_timeout(at(0)), None, "nothing more has to come than room");
    lane.handle_window(at(0), (&route(1), 1), PIECE, Beside::Messages);
    for (millis, goes) in [(1, 2), (2, 1), (3, 2)] {
        assert_eq!(sent_at(&mut lane, at(millis - 1)), [], "{millis}");
        assert_eq!(lane.poll_timeout(at(millis - 1)), Some(at(millis)));
        assert_eq!(sent_at(&mut lane, at(millis)), [goes]);
        lane.handle_window(at(millis), (&route(2), 1), PIECE, Beside::Messages);
    }
    assert_eq!(lane.poll_timeout(at(3)), None, "there is nothing to send");
    push(&mut lane, say(1, 1, FileBody::Cancel(Reason::Cancelled)));
    assert_eq!(sent_at(&mut lane, at(3)), [1], "it is no piece");
}

/// FILE-12: what is long keeps everybody on the way busy for long.
#[test]
fn for_a_neighbour_with_messages_pieces_are_short_and_it_tells_of_each() {
    let mut lane = FileLane::default();
    assert_eq!(lane.piece_room(&route(1)), FILE_PIECE_BYTES_MAX);
    fill(&mut lane, 1, 1, MOST - 1);
    assert_eq!(lane.piece_room(&route(1)), FILE_PIECE_BYTES_MAX);
    fill(&mut lane, 1, 1, 1);
    assert_eq!(lane.piece_room(&route(1)), 0, "there is no room");
    assert_eq!(sent(&mut lane).len(), 16);
    lane.handle_window(now(), (&route(1), 1), PIECE, Beside::Messages);
    let short = lane.piece_room(&route(1));
    assert_eq!(short, 32 << 10);
    let told = FileWindows::default().passed(&piece_of(short, 1, 1, 0), Beside::Messages);
    assert!(told.is_some());
    lane.handle_window(now(), (&route(1), 1), 2 * PIECE, Beside::Files);
    assert_eq!(lane.piece_room(&route(1)), FILE_PIECE_BYTES_MAX);
}

/// FILE-12: one neighbour takes nothing of one transfer; the others go on.
#[test]
fn transfers_take_turns_and_one_that_stands_still_holds_up_no_other() {
    let mut lane = FileLane::default();
    for transfer in 1..=3 {
        fill(&mut lane, transfer, 1, 4);
    }
    assert_eq!(sent(&mut lane), [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]);
    for transfer in 1..=3 {
        fill(&mut lane, transfer, 1, MOST);
    }
    lane.handle_window(now(), (&route(3), 1), 4 * PIECE, Beside::Files);
    let counts =
        |sent: &[u64]| [1, 2, 3].map(|transfer| sent.iter().filter(|it| **it == transfer).count());
    assert_eq!(counts(&sent(&mut lane)), [12, 12, 16]);
}

#[test]
fn a_later_round_drops_what_waits_of_the_earlier_and_counts_anew() {
    let mut lane = FileLane::default();
    fill(&mut lane, 1, 1, MOST);
    sent(&mut lane);
    fill(&mut lane, 1, 1, MOST);
    push(&mut lane, say(1, 2, FileBody::Offer(Box::new(offer(5)))));
    assert_eq!(lane.piece_bytes(), 0);
    fill(&mut lane, 1, 2, MOST);
    assert_eq!(push(&mut lane, piece(1, 1, 0)), Queued::Dropped);
    assert_eq!(sent(&mut lane).len(), 17);
}

#[test]
fn who_gives_up_is_heard_though_the_neighbour_has_passed_on_nothing() {
    let mut lane = FileLane::default();
    fill(&mut lane, 1, 1, MOST);
    sent(&mut lane);
    fill(&mut lane, 1, 1, MOST);
    assert_eq!(sent(&mut lane), [], "it waits for its neighbour");
    push(&mut lane, say(1, 1, FileBody::Cancel(Reason::Cancelled)));
    assert_eq!(lane.piece_bytes(), 0);
    let (_, message) = lane.pop(now()).unwrap();
    assert_eq!(message.body, FileBody::Cancel(Reason::Cancelled));
}

/// FILE-17: a piece is under way, and no other may be beside messages (FILE-12).
#[test]
fn what_is_no_piece_waits_for_no_window_beside_messages() {
    let mut lane = FileLane::default();
    fill(&mut lane, 1, 1, 1);
    sent(&mut lane);
    lane.handle_window(now(), (&route(1), 1), 0, Beside::Messages);
    fill(&mut lane, 1, 1, 1);
    assert_eq!(sent(&mut lane), []);
    push(&mut lane, say(1, 1, FileBody::Cancel(Reason::Cancelled)));
    assert_eq!(sent(&mut lane), [1]);
}

/// FILE-15: an answer is as long as a header may be, and who asks too often gets none.
#[test]
fn four_answers_about_receivers_wait_and_no_more() {
    let mut lane = FileLane::default();
    let mut found = || push(&mut lane, say(1, 1, FileBody::Found(Box::default())));
    assert_eq!([found(), found(), found(), found()], [Queued::Yes; 4]);
    assert_eq!(found(), Queued::Dropped);
    assert_eq!(push(&mut lane, say(1, 1, FileBody::Again)), Queued::Yes);
    lane.pop(now());
    assert_eq!(push(&mut lane, say(1, 1, FileBody::Found(Box::default()))), Queued::Yes);
}

/// FILE-7 needs it: a question must not overtake the pieces that it asks for.
#[test]
fn what_goes_to_a_receiver_keeps_its_order_and_what_goes_back_waits_for_nothing() {
    let mut lane = FileLane::default();
    push(&mut lane, piece(1, 1, 0));
    push(&mut lane, say(1, 1, FileBody::Ask { sent: PIECE }));
    push(&mut lane, say(2, 1, FileBody::Again));
    let order: Vec<FileBody> =
        std::iter::from_fn(|| lane.pop(now())).map(|(_, it)| it.body).collect();
    assert_eq!(order[0], FileBody::Again);
    assert!(matches!(order[1..], [FileBody::Piece { .. }, FileBody::Ask { .. }]));
}

/// FILE-11.
#[test]
fn sixty_four_transfers_share_a_link_and_one_of_which_nothing_came_for_a_minute_makes_way() {
    let (mut lane, start) = (FileLane::default(), now());
    let offered = |lane: &mut FileLane<()>, now, transfer| {
        lane.push(now, (), say(transfer, 1, FileBody::Offer(Box::new(offer(5)))))
    };
    for transfer in 0..64 {
        assert_eq!(offered(&mut lane, start, transfer), Queued::Yes);
    }
    assert_eq!(offered(&mut lane, start, 64), Queued::Full);
    let after = |secs| start + Duration::from_secs(secs);
    for transfer in (0..64).filter(|transfer| *transfer != 9) {
        lane.push(after(30), (), say(transfer, 1, FileBody::Ask { sent: 0 }));
    }
    assert_eq!(offered(&mut lane, after(59), 64), Queued::Full);
    assert_eq!(offered(&mut lane, after(60), 64), Queued::Yes, "in the place of one that waited");
    assert!(!sent(&mut lane).contains(&9), "nobody waits for it");
    assert_eq!(offered(&mut lane, after(60), 65), Queued::Full);
    lane.forget(&route(7));
    assert_eq!(offered(&mut lane, after(60), 65), Queued::Yes);
}

#[test]
fn short_messages_are_bounded_too() {
    let mut lane = FileLane::default();
    let asks =
        (0..1000).filter(|_| push(&mut lane, say(1, 1, FileBody::Ask { sent: 0 })) == Queued::Yes);
    assert_eq!(asks.count(), 8);
    let back = (0..9999).filter(|_| push(&mut lane, say(1, 1, FileBody::Wait)) == Queued::Yes);
    assert_eq!(back.count(), 1024);
    assert_eq!(push(&mut lane, say(2, 1, FileBody::Ask { sent: 0 })), Queued::Yes);
}

/// FILE-17: or its receiver would wait for a minute.
#[test]
fn who_gives_up_needs_no_place_on_a_link_and_takes_none() {
    let mut lane = FileLane::default();
    let cancel = |transfer| say(transfer, 1, FileBody::Cancel(Reason::Cancelled));
    assert_eq!(push(&mut lane, cancel(64)), Queued::Yes);
    for transfer in 0..64 {
        assert_eq!(push(&mut lane, piece(transfer, 1, 0)), Queued::Yes);
    }
    assert_eq!(push(&mut lane, piece(65, 1, 0)), Queued::Full);
    assert_eq!(push(&mut lane, cancel(65)), Queued::Yes);
    assert_eq!(sent(&mut lane)[..2], [64, 65], "it waits for no piece");
}

/// FILE-12.
#[test]
fn a_neighbour_is_told_of_each_long_piece_and_of_short_ones_together_anew_in_each_round() {
    let mut windows = FileWindows::default();
    let mut told = |message: &FileMessage| match windows.passed(message, Beside::Files)?.body {
        FileBody::Window { passed, .. } => Some(passed),
        other => panic!("{other:?}"),
    };
    let mut pass = |round, bytes, count: u64| -> Vec<u64> {
        (0..count).filter_map(|start| told(&piece_of(bytes, 1, round, start))).collect()
    };
    assert_eq!(pass(1, FILE_PIECE_BYTES_MAX, 2), [PIECE, 2 * PIECE]);
    assert_eq!(pass(2, FILE_PIECE_BYTES_MAX / 16, 5), [PIECE / 8, PIECE / 4]);
    assert_eq!(pass(1, FILE_PIECE_BYTES_MAX, 40), []);
}

proptest! {
    /// FILE-12 along a chain of relays, each with a link of its own speed: nothing is lost, nothing is
    /// overtaken, and no relay ever holds more than it may.
    #[test]
    fn a_chain_of_relays_pipes_everything_and_holds_one_mebibyte_each(
        speeds in prop::collection::vec(1_u32..20, 2..5),
        pieces in 1_u64..120,
    ) {
        let mut lanes: Vec<FileLane<()>> = speeds.iter().map(|_| FileLane::default()).collect();
        let mut windows: Vec<FileWindows> = speeds.iter().map(|_| FileWindows::default()).collect();
        let (mut next, mut arrived) = (0, Vec::new());
        for step in 0_u32.. {
            prop_assert!(step < 100_000, "it stands still");
            while next < pieces && push(&mut lanes[0], piece(1, 1, next * PIECE)) == Queued::Yes {
                next += 1;
            }
            for hop in 0..lanes.len() {
                if step % speeds[hop] != 0 {
                    continue;
                }
                let Some((_, message)) = lanes[hop].pop(now()) else { continue };
                // The relay before has passed it on, and tells the one before that.
                if hop > 0 && let Some(window) = windows[hop].passed(&message, Beside::Files)
                    && let FileBody::Window { passed, .. } = window.body
                {
                    lanes[hop - 1].handle_window(now(), (&window.route, window.round), passed, Beside::Files);
                }
                if hop + 1 < lanes.len() {
                    prop_assert_eq!(push(&mut lanes[hop + 1], message), Queued::Yes);
                    prop_assert!(lanes[hop + 1].piece_bytes() <= FILE_WINDOW_BYTES);
                    continue;
                }
                if let Some(window) = windows[0].passed(&message, Beside::Files)
                    && let FileBody::Window { passed, .. } = window.body
                {
                    lanes[hop].handle_window(now(), (&window.route, window.round), passed, Beside::Files);
                }
                if let FileBody::Piece { start, .. } = message.body {
                    arrived.push(start);
                }
            }
            if arrived.len() as u64 == pieces {
                break;
            }
        }
        prop_assert!(arrived.iter().copied().eq((0..pieces).map(|number| number * PIECE)));
    }
}
