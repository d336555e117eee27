//! Files: whole under their name or not there at all, whatever is killed and whatever fails.

use std::collections::BTreeSet;
use std::time::Duration;

use amop_sim::{ClientId, Content, DiskTrouble, FileSendId, FileStep, NodeId, World};
use amop_wire::limits::FILE_CHUNK_BYTES;
use amop_wire::{Code, Reason};

use crate::scene::{SECOND, Scene, millis};

const CHUNK: u64 = FILE_CHUNK_BYTES;
const BIG: Content = Content { number: 1, size: 4 * CHUNK + 1 };

/// A scene with somebody at `b` who receives files on `t`.
fn receiving() -> (Scene, ClientId) {
    let mut scene = Scene::new();
    let receiver = receiver(&mut scene.world, scene.b);
    scene.world.run_for(millis(100));
    (scene, receiver)
}

fn receiver(world: &mut World, home: NodeId) -> ClientId {
    let receiver = world.client("sub.sdk.bank-b.amop", &[home]);
    world.receive_files(receiver, "t");
    receiver
}

impl Scene {
    fn send(&mut self, content: Content) -> FileSendId {
        self.world.send_file(self.publisher, "t", content, 20 * SECOND)
    }

    /// The code and reason of a send that must have ended.
    fn file_end(&self, id: FileSendId) -> (Code, Reason) {
        let (_, end) = self.world.file_send(id).unwrap().end.unwrap();
        (end.code, end.reason)
    }
}

/// The process of a receiver is killed, or its power cut.
fn dies(world: &mut World, receiver: ClientId, is_power: bool) {
    if is_power {
        world.cut_power(receiver, millis(10));
    } else {
        world.kill(receiver, millis(10));
    }
}

/// A receiver that died starts again, and gets what was sent to it.
fn goes_on(mut scene: Scene, receiver: ClientId, id: FileSendId, died: &str) {
    scene.world.start_client(receiver);
    scene.world.receive_files(receiver, "t");
    scene.world.run_for(30 * SECOND);
    assert_eq!(scene.world.file_code(id), Some(Code::Ok), "{died}");
    assert!(scene.world.has_file(receiver, BIG), "{died}");
    scene.end();
}

/// FILE-1, FILE-9, FILE-10
#[test]
fn files_of_every_length_arrive_and_are_safe_when_their_sender_is_told() {
    let (mut scene, receiver) = receiving();
    let sizes = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK + 1];
    for (number, size) in (1..).zip(sizes) {
        let content = Content { number, size };
        let id = scene.send(content);
        assert!(!scene.world.has_file(receiver, content));
        scene.world.run_for(20 * SECOND);
        assert_eq!(scene.world.file_code(id), Some(Code::Ok), "{size}");
        assert!(scene.world.has_file(receiver, content), "{size}");
    }
    scene.end();
}

/// FILE-5, FILE-7, FILE-9: the process of the receiver is killed at one moment after another, or its power cut.
#[test]
fn a_receiver_may_be_killed_at_any_moment_and_the_same_send_goes_on() {
    for ms in (5..120).step_by(5) {
        for is_power in [false, true] {
            let (mut scene, receiver) = receiving();
            let id = scene.send(BIG);
            scene.world.run_for(millis(ms));
            dies(&mut scene.world, receiver, is_power);
            goes_on(scene, receiver, id, &format!("{ms} ms"));
        }
    }
}

/// FILE-7, FILE-9: what is safe then stays, and what is not begins anew, never under the name before it is whole.
#[test]
fn a_receiver_may_be_killed_after_any_step_of_giving_the_file_its_name() {
    use FileStep::{Remember, Rename, SyncData, SyncDirectory};
    for step in [SyncData, Rename, SyncDirectory, Remember] {
        for is_power in [false, true] {
            let (mut scene, receiver) = receiving();
            let id = scene.send(BIG);
            let is_done = |world: &World| world.file_step(receiver) == Some(step);
            assert!(scene.world.run_until(20 * SECOND, is_done), "{step:?}");
            dies(&mut scene.world, receiver, is_power);
            let is_safe = matches!(step, SyncDirectory | Remember);
            assert_eq!(scene.world.has_file(receiver, BIG), is_safe, "{step:?}");
            goes_on(scene, receiver, id, &format!("{step:?}"));
        }
    }
}

/// FILE-7: what could not be put safe is nothing to go on from.
#[test]
fn a_part_that_could_not_be_put_safe_moves_again() {
    let (mut scene, receiver) = receiving();
    scene.world.set_disk(receiver, DiskTrouble::Sync);
    let id = scene.send(BIG);
    scene.world.run_for(20 * SECOND);
    assert_eq!(scene.file_end(id), (Code::FileRefused, Reason::DirectoryFailed));
    scene.world.set_disk(receiver, DiskTrouble::None);
    let again = scene.send(BIG);
    assert!(scene.world.run_until(20 * SECOND, |world| world.file_code(again).is_some()));
    assert_eq!(scene.world.file_code(again), Some(Code::Ok));
    let moved = [id, again].map(|id| scene.world.file_send(id).unwrap().moved);
    assert!(moved[0] > BIG.size && moved[1] == moved[0], "{moved:?}");
    scene.end();
}

/// FILE-17: also when it gives up before it knows who receives, or in the middle.
#[test]
fn a_receiver_learns_at_once_that_its_sender_has_given_up() {
    for us in (0..4000).step_by(100).chain([20_000, 50_000]) {
        let (mut scene, receiver) = receiving();
        let id = scene.send(BIG);
        scene.world.run_for(Duration::from_micros(us));
        scene.world.cancel_files(scene.publisher);
        assert!(scene.world.file_code(id).is_some());
        scene.world.run_for(millis(200));
        assert_eq!(scene.world.files_arriving(receiver), 0, "{us} us");
        scene.end();
    }
}

/// FILE-3: who sends the same again goes on, whoever died.
#[test]
fn a_sender_that_was_killed_goes_on_in_its_next_life() {
    let (mut scene, receiver) = receiving();
    scene.send(BIG);
    scene.world.run_for(millis(60));
    scene.world.kill(scene.publisher, millis(10));
    scene.world.start_client(scene.publisher);
    scene.world.run_for(SECOND);
    let id = scene.send(BIG);
    scene.world.run_for(30 * SECOND);
    assert_eq!(scene.world.file_code(id), Some(Code::Ok));
    assert!(scene.world.has_file(receiver, BIG));
    scene.end();
}

/// FILE-5, FILE-7: asked every 2 s, so that it takes little longer than the tables take to agree.
#[test]
fn a_transfer_goes_on_soon_after_the_node_between_is_back() {
    for away in [2, 7, 15] {
        let mut world = World::new(away);
        let [a, b, c] = [0, 1, 2].map(|n| world.node(&format!("n{n}.node.bank.amop")));
        world.keep_linked(a, b);
        world.keep_linked(b, c);
        let sender = world.client("app.sdk.bank.amop", &[a]);
        let receiver = receiver(&mut world, c);
        world.run_for(SECOND);
        let id = world.send_file(sender, "t", BIG, 60 * SECOND);
        world.run_for(millis(40));
        assert_eq!(world.file_code(id), None);
        world.crash(b, millis(10));
        world.run_for(u32::try_from(away).unwrap() * SECOND);
        world.restart(b);
        let back = world.now();
        while world.file_code(id).is_none() {
            world.run_for(millis(100));
        }
        let took = world.now().saturating_since(back);
        assert!(took <= Duration::from_secs(8), "{took:?} after {away} s");
        assert!(world.has_file(receiver, BIG));
        world.check();
    }
}

/// FILE-10: refused before the first byte, or after the last one; nothing is there in either case.
#[test]
fn disks_that_fail_are_told_and_show_nothing() {
    for (trouble, reason) in
        [(DiskTrouble::Full, Reason::DiskFull), (DiskTrouble::Sync, Reason::DirectoryFailed)]
    {
        let (mut scene, receiver) = receiving();
        scene.world.set_disk(receiver, trouble);
        let id = scene.send(BIG);
        scene.world.run_for(20 * SECOND);
        assert_eq!(scene.file_end(id), (Code::FileRefused, reason));
        assert!(!scene.world.has_file(receiver, BIG));
        scene.world.set_disk(receiver, DiskTrouble::None);
        let id = scene.send(BIG);
        scene.world.run_for(20 * SECOND);
        assert_eq!(scene.world.file_code(id), Some(Code::Ok));
        scene.end();
    }
}

/// FILE-10: the first one is killed at one moment after another, at some of them with the whole file; the next has no room.
#[test]
fn the_no_of_one_receiver_does_not_speak_for_one_that_may_have_it() {
    let small = Content { number: 1, size: 100 };
    let moments = (30..60).map(|ms| (small, ms)).chain([(BIG, 60)]);
    let mut ends = BTreeSet::new();
    for (content, ms) in moments {
        let (mut scene, first) = receiving();
        let id = scene.send(content);
        scene.world.run_for(millis(ms));
        let second = receiver(&mut scene.world, scene.a);
        scene.world.set_disk(second, DiskTrouble::Full);
        scene.world.kill(first, millis(10));
        scene.world.run_for(30 * SECOND);
        let (code, reason) = scene.file_end(id);
        assert!(code == Code::Ok || reason == Reason::DiskFull, "{ms} ms: {code}, {reason}");
        ends.insert((scene.world.has_file(first, content), code.number()));
        scene.end();
    }
    let [told, refused, doubt] = [Code::Ok, Code::FileRefused, Code::TimedOut].map(Code::number);
    let expected = [(false, doubt), (false, refused), (true, told), (true, doubt)];
    assert_eq!(ends, expected.into(), "only who was not sent all of it has it not for sure");
}

/// FILE-3
#[test]
fn another_file_under_the_same_id_is_refused() {
    let (mut scene, receiver) = receiving();
    scene.send(BIG);
    scene.world.run_for(20 * SECOND);
    let id = scene.send(Content { size: 7, ..BIG });
    scene.world.run_for(5 * SECOND);
    assert_eq!(scene.file_end(id), (Code::IdReused, Reason::FileIdReused));
    assert!(scene.world.has_file(receiver, BIG));
    scene.end();
}

/// FILE-15
#[test]
fn of_a_file_for_all_each_receiver_has_its_own_outcome() {
    let (mut scene, well) = receiving();
    let (full, dead) = (receiver(&mut scene.world, scene.a), receiver(&mut scene.world, scene.b));
    scene.world.run_for(SECOND);
    scene.world.set_disk(full, DiskTrouble::Full);
    let instances = [well, full, dead].map(|client| scene.world.instance(client));
    let id = scene.world.send_file_to_all(scene.publisher, "t", BIG, 10 * SECOND);
    scene.world.run_for(millis(20));
    scene.world.kill(dead, millis(10));
    scene.world.run_for(5 * SECOND);
    assert!(scene.world.has_file(well, BIG), "it waits for nobody");
    scene.world.run_for(20 * SECOND);
    let sends: Vec<FileSendId> = scene.world.sends_to_all(id).collect();
    let end_at = |instance| {
        let its = sends.iter().find(|id| scene.world.file_receiver(**id) == instance);
        scene.file_end(*its.unwrap()).0
    };
    let codes = instances.map(end_at);
    assert_eq!(codes, [Code::Ok, Code::FileRefused, Code::SubscriberUnreachable]);
    scene.end();
}

/// FILE-8: what is damaged on the way is neither shown nor the end of it.
#[test]
fn what_a_node_loses_doubles_and_damages_is_sent_again() {
    let mut codes = Vec::new();
    for seed in 1..20 {
        let mut scene = Scene::of_seed(seed);
        let receiver = receiver(&mut scene.world, scene.b);
        scene.world.run_for(millis(100));
        scene.world.set_muddling(scene.b, true);
        let content = Content { number: 1, size: 3 * CHUNK };
        let id = scene.send(content);
        scene.world.run_for(60 * SECOND);
        let (code, reason) = scene.file_end(id);
        assert!(code == Code::Ok || reason == Reason::ChecksumMismatch, "{code}, {reason}");
        assert_eq!(scene.world.has_file(receiver, content), code == Code::Ok);
        codes.push(code);
        scene.end();
    }
    assert!(codes.contains(&Code::Ok));
}

/// MEM-5: a node passes on no more files at a time than its memory has windows for; the others wait.
#[test]
fn of_more_files_than_a_node_has_memory_for_some_wait_and_all_arrive() {
    for (memory_bytes, most) in [(1 << 20, 4), (24 << 20, 6), (1 << 30, 10)] {
        let mut world = World::new(most);
        let [a, b] = [0, 1].map(|n| world.node(&format!("n{n}.node.bank.amop")));
        world.keep_linked(a, b);
        world.limit_node(a, |limits| limits.memory_bytes = memory_bytes);
        let sender = world.client("app.sdk.bank.amop", &[a]);
        let receiver = receiver(&mut world, b);
        world.run_for(SECOND);
        let contents = (0..10).map(|number| Content { number, size: 2 * CHUNK });
        let ids: Vec<_> =
            contents.map(|content| world.send_file(sender, "t", content, 60 * SECOND)).collect();
        let mut at_once = 0;
        for _ in 0..600 {
            world.run_for(millis(100));
            at_once = at_once.max(world.node_core(a).file_transfers());
        }
        assert_eq!(at_once as u64, most, "{memory_bytes} bytes");
        for id in ids {
            assert_eq!(world.file_code(id), Some(Code::Ok), "{memory_bytes} bytes");
        }
        assert!(world.has_file(receiver, Content { number: 9, size: 2 * CHUNK }));
    }
}

/// FILE-11: a link has 64 places, and whoever comes next waits for one, however long that takes.
#[test]
fn more_files_than_a_link_has_places_wait_for_one_and_all_arrive() {
    let (mut scene, receiver) = receiving();
    scene.world.pause_client(receiver, 5 * SECOND);
    let contents: Vec<Content> = (0..80).map(|number| Content { number, size: 5 }).collect();
    let patience = |number: u64| if number < 64 { 60 * SECOND } else { 3 * SECOND };
    let send = |content: &Content| {
        scene.world.send_file(scene.publisher, "t", *content, patience(content.number.into()))
    };
    let ids: Vec<FileSendId> = contents.iter().map(send).collect();
    scene.world.run_for(60 * SECOND);
    for (id, content) in ids.into_iter().zip(contents) {
        let end = scene.world.file_send(id).unwrap().end;
        assert_eq!(scene.world.file_code(id), Some(Code::Ok), "{content:?} {end:?}");
        assert!(scene.world.has_file(receiver, content), "{content:?}");
    }
    scene.end();
}
