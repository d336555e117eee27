//! What is sent on a lane arrives on it, whole and in order.

use std::time::Duration;

use amop_p2p::{Encoded, Gauge, LinkEnd, Outbox, Settings};
use amop_wire::limits::PAYLOAD_BYTES_MAX;
use amop_wire::{CloseCode, CloseReason, FrameError, Lane};
use bytes::Bytes;

use crate::support::{Note, Running, batch, link, node};

/// Two nodes with a link that runs on both ends, the dialer's first.
async fn running_link(settings: &Settings) -> (Running, Outbox, Running, Outbox) {
    let (a, b) = (node("n1.node.bank-a.amop", settings), node("n1.node.bank-b.amop", settings));
    let (dialed, accepted) = link(&a, &b).await;
    let (to_b, to_a) = (dialed.outbox(), accepted.outbox());
    (Running::start(dialed), to_b, Running::start(accepted), to_a)
}

#[tokio::test]
async fn a_link_comes_up_between_certified_names_and_carries_frames_both_ways() {
    let settings = Settings::default();
    let (a, b) = (node("n1.node.bank-a.amop", &settings), node("n1.node.bank-b.amop", &settings));

    let (dialed, accepted) = link(&a, &b).await;
    assert_eq!(dialed.peer().name.as_dns(), "n1.node.bank-b.amop");
    assert_eq!(accepted.peer().name.as_dns(), "n1.node.bank-a.amop");
    assert!(dialed.initiated_by_us() && !accepted.initiated_by_us());
    assert_eq!(dialed.remote_addr(), b.local_addr().unwrap());
    assert_eq!(accepted.remote_addr(), a.local_addr().unwrap());

    let (to_b, to_a) = (dialed.outbox(), accepted.outbox());
    let (mut at_a, mut at_b) = (Running::start(dialed), Running::start(accepted));
    let there = Note::new(Lane::Unicasts, "question", "?");
    let back = Note::new(Lane::Replies, "answer", "!");
    to_b.send(&mut batch(std::slice::from_ref(&there)));
    assert_eq!(at_b.next().await, there);
    to_a.send(&mut batch(std::slice::from_ref(&back)));
    assert_eq!(at_a.next().await, back);
}

#[tokio::test]
async fn both_ends_find_that_the_largest_udp_payload_gets_through() {
    let settings = Settings::default();
    let (a, b) = (node("n1.node.bank-a.amop", &settings), node("n1.node.bank-b.amop", &settings));
    let (dialed, accepted) = link(&a, &b).await;
    let gauges = [dialed.gauge(), accepted.gauge()];
    let (to_b, to_a) = (dialed.outbox(), accepted.outbox());
    let (mut at_a, mut at_b) = (Running::start(dialed), Running::start(accepted));
    let note = [Note::new(Lane::Unicasts, "", vec![7; 64 << 10])];
    let is_found = |gauge: &Gauge| gauge.read().udp_payload_max == settings.udp_payload_max;
    let found = async {
        while !gauges.iter().all(is_found) {
            to_b.send(&mut batch(&note));
            to_a.send(&mut batch(&note));
            assert_eq!([at_b.next().await, at_a.next().await], [note[0].clone(), note[0].clone()]);
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found).await.expect("both find it");
}

#[tokio::test]
async fn frames_of_every_size_arrive_in_order_on_every_lane_in_both_directions() {
    let (mut at_a, to_b, mut at_b, to_a) = running_link(&Settings::default()).await;
    let sizes = [0, 1, 255, 8191, 8192, 8193, 65_535, 65_536, 65_537, 300_000, PAYLOAD_BYTES_MAX];
    let notes: Vec<_> = (0..sizes.len() * 3)
        .map(|i| {
            let payload: Vec<u8> = (0_u8..251).cycle().skip(i).take(sizes[i / 3]).collect();
            Note::new(Lane::ALL[i % Lane::COUNT], format!("note {i}"), payload)
        })
        .collect();

    for note in &notes {
        to_b.send(&mut batch(std::slice::from_ref(note)));
    }
    to_a.send(&mut batch(&notes));

    for end in [&mut at_a, &mut at_b] {
        let mut got = Vec::new();
        for _ in 0..notes.len() {
            got.push(end.next().await);
        }
        for lane in Lane::ALL {
            let of_lane = |notes: &[Note]| -> Vec<Note> {
                notes.iter().filter(|note| note.lane == lane).cloned().collect()
            };
            assert!(of_lane(&got) == of_lane(&notes), "{lane:?}");
        }
    }
    assert_eq!((to_a.queued_bytes(), to_b.queued_bytes()), (0, 0));
}

/// What is most urgent has all of the link, whatever was there before it.
#[tokio::test]
async fn lanes_are_served_in_the_order_of_their_urgency() {
    let (_at_a, to_b, mut at_b, _to_a) = running_link(&Settings::default()).await;
    // Of each lane less than its window, of all more than a link sends before it hears anything.
    let frame = |lane| Note::new(lane, "", vec![7; 10_000]);
    let notes: Vec<Note> =
        Lane::ALL.into_iter().rev().flat_map(|lane| vec![frame(lane); 90]).collect();
    to_b.send(&mut batch(&notes));
    let (mut left, mut done) = ([90; Lane::COUNT], Vec::new());
    while done.len() < Lane::COUNT {
        let lane = at_b.next().await.lane;
        let left = &mut left[usize::from(lane.number())];
        *left -= 1;
        if *left == 0 {
            done.push(lane);
        }
    }
    assert_eq!(done, Lane::ALL);
}

#[tokio::test]
async fn a_hundred_thousand_small_frames_arrive_in_order_and_in_batches() {
    let settings = Settings::default();
    let (a, b) = (node("n1.node.bank-a.amop", &settings), node("n1.node.bank-b.amop", &settings));
    let (dialed, accepted) = link(&a, &b).await;
    let to_b = dialed.outbox();
    let at_a = Running::start(dialed);

    const COUNT: u32 = 100_000;
    let mut staged = batch(&[]);
    for i in 0..COUNT {
        staged.push(&Note::new(Lane::Unicasts, i.to_be_bytes(), &b"small payload"[..])).unwrap();
        if i % 1000 == 999 {
            to_b.send(&mut staged);
        }
    }
    to_b.close(CloseReason::new(CloseCode::Done, "all sent"));

    let (mut next, mut calls) = (0_u32, 0_u32);
    let end = accepted
        .run(|lane, frames| {
            assert_eq!(lane, Lane::Unicasts);
            calls += 1;
            for frame in frames.drain(..) {
                assert_eq!(frame.header, next.to_be_bytes()[..]);
                assert_eq!(frame.payload, b"small payload"[..]);
                next += 1;
            }
            Ok(())
        })
        .await;

    assert_eq!(end, LinkEnd::ClosedByPeer(CloseReason::new(CloseCode::Done, "all sent")));
    assert_eq!(next, COUNT);
    assert!(calls < COUNT / 100, "{calls} calls are no batches");
    assert!(matches!(at_a.end().await, LinkEnd::ClosedByUs(_)));
}

/// So that the next one along begins with the first of them; also when the link ends at once.
#[tokio::test]
async fn a_batch_of_unicasts_is_handed_over_in_parts_and_whole() {
    let settings = Settings::default();
    let (a, b) = (node("n1.node.bank-a.amop", &settings), node("n1.node.bank-b.amop", &settings));
    let (dialed, accepted) = link(&a, &b).await;
    let to_b = dialed.outbox();
    let at_a = Running::start(dialed);
    let lanes = [Lane::Replies, Lane::Unicasts, Lane::Multicasts];
    let notes = |lane| (0..100).map(move |i: u8| Note::new(lane, [i], &b"payload"[..]));
    to_b.send(&mut batch(&lanes.into_iter().flat_map(notes).collect::<Vec<_>>()));
    to_b.close(CloseReason::new(CloseCode::Done, "all sent"));
    at_a.end().await;

    let (mut got, mut calls) = ([0; Lane::COUNT], [0; Lane::COUNT]);
    let run = accepted.run(|lane, frames| {
        let of_lane = usize::from(lane.number());
        calls[of_lane] += 1;
        for frame in frames.drain(..) {
            assert_eq!(frame.header, [got[of_lane]][..], "{lane:?}");
            got[of_lane] += 1;
        }
        Ok(())
    });
    run.await;
    assert_eq!(lanes.map(|lane| got[usize::from(lane.number())]), [100; 3]);
    assert_eq!(lanes.map(|lane| calls[usize::from(lane.number())]), [7, 7, 1]);
}

/// They came in one packet, before the end.
#[tokio::test]
async fn what_waits_for_its_part_is_handed_over_when_the_peer_breaks_off() {
    let settings = Settings::default();
    let (a, b) = (node("n1.node.bank-a.amop", &settings), node("n1.node.bank-b.amop", &settings));
    let (dialed, accepted) = link(&a, &b).await;
    let to_b = dialed.outbox();
    let _at_a = Running::start(dialed);
    let notes = (0..128).map(|i: u8| Note::new(Lane::Unicasts, [i], Bytes::new()));
    to_b.send(&mut batch(&notes.collect::<Vec<_>>()));

    let mut got = 0;
    let run = accepted.run(|_, frames| {
        to_b.abort(CloseReason::new(CloseCode::Done, "after the first part"));
        got += frames.drain(..).count();
        Ok(())
    });
    assert!(matches!(run.await, LinkEnd::ClosedByPeer(_)));
    assert_eq!(got, 128);
}

#[tokio::test]
async fn messages_encoded_once_reach_many() {
    let settings = Settings::default();
    let hub = node("hub.node.bank-a.amop", &settings);
    let mut others = Vec::new();
    for i in 0..3 {
        let other = node(&format!("n{i}.node.bank-b.amop"), &settings);
        let (to_hub, to_other) = link(&other, &hub).await;
        others.push((Running::start(to_hub), to_other.outbox(), Running::start(to_other)));
    }
    for bytes in [10, 20_000] {
        let note = Note::new(Lane::Unicasts, "to all", vec![7; bytes]);
        let mut encoded = Encoded::default();
        encoded.push(&note).unwrap();
        encoded.push(&note).unwrap();
        for (_, outbox, _) in &others {
            let mut staged = batch(&[]);
            staged.push_encoded(&mut encoded);
            assert_eq!((staged.messages(), encoded.messages()), (2, 2));
            assert_eq!(staged.bytes(), encoded.bytes());
            outbox.send(&mut staged);
        }
        for (at_other, ..) in &mut others {
            assert_eq!(at_other.next().await, note);
            assert_eq!(at_other.next().await, note);
        }
    }
}

#[tokio::test]
async fn a_message_over_the_limit_is_not_staged_and_the_rest_of_the_batch_is() {
    let (_at_a, to_b, mut at_b, _to_a) = running_link(&Settings::default()).await;
    let good = Note::new(Lane::Unicasts, "good", "1");
    let long = Note::new(Lane::Unicasts, "long", Bytes::from(vec![0; PAYLOAD_BYTES_MAX + 1]));

    let mut staged = batch(std::slice::from_ref(&good));
    let bytes = staged.bytes();
    assert!(matches!(staged.push(&long), Err(FrameError::PayloadTooLong { .. })));
    let mut encoded = Encoded::default();
    assert!(matches!(encoded.push(&long), Err(FrameError::PayloadTooLong { .. })));
    assert_eq!((encoded.messages(), encoded.bytes()), (0, 0));
    assert_eq!(staged.bytes(), bytes);
    staged.push(&good).unwrap();
    to_b.send(&mut staged);

    assert_eq!(at_b.next().await, good);
    assert_eq!(at_b.next().await, good);
}

#[tokio::test]
async fn what_the_callback_sends_back_arrives() {
    let settings = Settings::default();
    let (a, b) = (node("n1.node.bank-a.amop", &settings), node("n1.node.bank-b.amop", &settings));
    let (dialed, accepted) = link(&a, &b).await;
    let to_b = dialed.outbox();
    let mut at_a = Running::start(dialed);
    let to_a = accepted.outbox();
    let mut answers = batch(&[]);
    tokio::spawn(accepted.run(move |_, frames| {
        for frame in frames.drain(..) {
            let answer = Note { lane: Lane::Replies, header: frame.header, payload: frame.payload };
            answers.push(&answer).unwrap();
        }
        to_a.send(&mut answers);
        Ok(())
    }));

    for i in 0..100_u8 {
        to_b.send(&mut batch(&[Note::new(Lane::Unicasts, [i], vec![i; 100])]));
        assert_eq!(at_a.next().await, Note::new(Lane::Replies, [i], vec![i; 100]));
    }
}

/// LINK-1: whoever sends on only when the link says that there is room needs no clock for that.
#[tokio::test]
async fn a_link_says_when_it_has_room_for_files_again_and_says_it_to_nobody_else() {
    let settings = Settings::default();
    let (a, b) = (node("n1.node.bank-a.amop", &settings), node("n1.node.bank-b.amop", &settings));
    let (dialed, accepted) = link(&a, &b).await;
    let (to_b, mut at_b) = (dialed.outbox(), Running::start(accepted));
    const COUNT: u32 = 300;
    let (mut next, mut staged) = (0_u32, batch(&[]));
    let mut fill = move |outbox: &Outbox| {
        while next < COUNT && outbox.has_file_room(staged.bytes_on(Lane::Files)) {
            staged.push(&Note::new(Lane::Files, next.to_be_bytes(), vec![7; 65_536])).unwrap();
            next += 1;
        }
        outbox.send(&mut staged);
    };
    let outbox = to_b.clone();
    let (calls, mut counted) = tokio::sync::watch::channel(0);
    fill(&outbox);
    let run = tokio::spawn(dialed.run(move |lane, frames| {
        assert!(lane == Lane::Files && frames.is_empty());
        fill(&outbox);
        calls.send_modify(|calls| *calls += 1);
        Ok(())
    }));
    for n in 0..COUNT {
        assert_eq!(at_b.next().await.header, n.to_be_bytes()[..]);
    }
    let called = *counted.borrow_and_update();
    assert!((1..=COUNT).contains(&called), "{called} calls");
    to_b.send(&mut batch(&[Note::new(Lane::Unicasts, "last", "")]));
    assert_eq!(at_b.next().await.lane, Lane::Unicasts);
    to_b.close(CloseReason::new(CloseCode::Done, "all sent"));
    run.await.unwrap();
    assert!(*counted.borrow() <= called + 1, "nobody waits any more");
}

/// LIMIT-2: a link over which a full queue has gone is as free as a new one, though nothing comes back.
#[tokio::test]
async fn a_queue_that_was_full_has_room_again_though_the_peer_says_nothing() {
    let settings = Settings { outbox_messages_max: 3, ..Settings::default() };
    let (_at_a, to_b, mut at_b, _to_a) = running_link(&settings).await;
    for round in 0..20_u8 {
        let notes = [0, 1, 2].map(|n| Note::new(Lane::Unicasts, [round, n], "a message"));
        assert!(to_b.has_room(0), "round {round}");
        to_b.send(&mut batch(&notes));
        assert!(!to_b.has_room(0));
        for note in notes {
            assert_eq!(at_b.next().await, note);
        }
        assert_eq!((to_b.queued_messages(), to_b.queued_bytes()), (0, 0));
    }
}

/// LINK-4: no load makes a node that lives look dead, since heartbeats wait for nothing but what is on its way.
#[tokio::test]
async fn control_messages_overtake_all_that_waits_however_full_a_link_is_kept() {
    // On every other lane, so that they would be behind more than the peer takes of one before it reads.
    let lanes = [Lane::Replies, Lane::Unicasts, Lane::Multicasts, Lane::Files];
    let bulk = |number: usize| Note::new(lanes[number % 4], "bulk", vec![7; BULK_BYTES]);
    const BULK_BYTES: usize = 64 << 10;
    let (_at_a, to_b, mut at_b, _to_a) = running_link(&Settings::default()).await;
    let (mut sent, mut came) = (0, 0);
    for beat in 0..30_u8 {
        while to_b.has_room(BULK_BYTES + 100) {
            to_b.send(&mut batch(&[bulk(sent)]));
            sent += 1;
        }
        let heartbeat = Note::new(Lane::Control, [beat], "");
        to_b.send(&mut batch(std::slice::from_ref(&heartbeat)));
        let (waited, before) = (sent - came, came);
        while at_b.next().await != heartbeat {
            came += 1;
        }
        let overtook = waited - (came - before);
        assert!(waited > 100, "beat {beat}: {waited} waited");
        // Before it comes what is on its way: at first as much as a link begins with, then four windows.
        let on_its_way = if beat == 0 { 8 } else { 80 };
        assert!(waited - overtook < on_its_way, "beat {beat}: it overtook {overtook} of {waited}");
    }
}
