//! Files on private topics: whole at who holds a listed key, and not a word of them to anybody else.

use amop_sim::{ClientId, Content, DiskTrouble, FileSendId, NodeId};
use amop_wire::limits::FILE_CHUNK_BYTES;
use amop_wire::{Code, Reason};

use crate::private::private;
use crate::scene::{SECOND, Scene, millis};

const CHUNK: u64 = FILE_CHUNK_BYTES;

fn big() -> Content {
    Content::secret(1, 4 * CHUNK + 1)
}

impl Scene {
    /// A client that receives the files of `t` with a key.
    fn file_holder(&mut self, home: NodeId, key: u8) -> ClientId {
        let client = self.world.client("sub.sdk.bank-b.amop", &[home]);
        self.world.receive_private_files(client, "t", key);
        self.world.run_for(millis(300));
        client
    }

    fn send_secret(&mut self, content: Content) -> FileSendId {
        self.world.send_file(self.publisher, "t", content, 20 * SECOND)
    }

    fn end_of(&self, id: FileSendId) -> (Code, Reason) {
        let (_, end) = self.world.file_send(id).unwrap().end.unwrap();
        (end.code, end.reason)
    }
}

/// FILE-14: the same topic, the same node, no listed key: neither file nor offer.
#[test]
fn who_holds_a_listed_key_gets_files_and_nobody_else_learns_of_them() {
    for far in [false, true] {
        let mut scene = private(&[1, 2]);
        let home = if far { scene.b } else { scene.a };
        let holders = [scene.file_holder(home, 1), scene.file_holder(home, 2)];
        let stranger = scene.file_holder(home, 9);
        let public = scene.world.client("sub.sdk.bank-b.amop", &[home]);
        scene.world.receive_files(public, "t");
        scene.world.run_for(SECOND);
        let to_one: Vec<(FileSendId, Content)> = (2..12)
            .zip([0, 1, 300, CHUNK - 1, CHUNK, CHUNK + 1].into_iter().cycle())
            .map(|(number, size)| Content::secret(number, size))
            .map(|content| (scene.send_secret(content), content))
            .collect();
        let to_all = scene.world.send_file_to_all(scene.publisher, "t", big(), 20 * SECOND);
        scene.world.run_for(30 * SECOND);
        let mut counts = [0; 2];
        for (id, content) in to_one {
            assert_eq!(scene.world.file_code(id), Some(Code::Ok), "{content:?}");
            let has = holders.map(|holder| scene.world.has_file(holder, content));
            assert_eq!(has.iter().filter(|has| **has).count(), 1, "{content:?}");
            counts[usize::from(has[1])] += 1;
            assert!([stranger, public].iter().all(|one| !scene.world.has_file(*one, content)));
        }
        assert!(counts.iter().all(|count| *count > 0), "the choice is even: {counts:?}");
        let codes: Vec<_> =
            scene.world.sends_to_all(to_all).map(|id| scene.world.file_code(id)).collect();
        assert_eq!(codes, [Some(Code::Ok); 2]);
        assert!(holders.iter().all(|holder| scene.world.has_file(*holder, big())));
        assert!([stranger, public].iter().all(|one| !scene.world.has_file(*one, big())));
        scene.end();
    }
}

/// FILE-14, PRIV-9
#[test]
fn without_anybody_who_may_receive_it_a_file_is_not_offered() {
    let mut scene = private(&[1]);
    scene.file_holder(scene.b, 7);
    let id = scene.send_secret(big());
    let all = scene.world.send_file_to_all(scene.publisher, "t", big(), 20 * SECOND);
    scene.world.run_for(10 * SECOND);
    assert_eq!(scene.end_of(id), (Code::NoSubscriber, Reason::NoVerifiedReceiver));
    assert_eq!(scene.world.sends_to_all(all).count(), 0);
    scene.end();
}

/// FILE-5, FILE-14: in its next life a holder is another one, and proves anew that it is a holder; what it had is
/// used again.
#[test]
fn a_holder_may_be_killed_at_any_moment_and_the_next_send_goes_on() {
    for ms in (5..120).step_by(15) {
        for is_power in [false, true] {
            let mut scene = private(&[1]);
            let holder = scene.file_holder(scene.b, 1);
            let first = scene.send_secret(big());
            scene.world.run_for(millis(ms));
            if is_power {
                scene.world.cut_power(holder, millis(10));
            } else {
                scene.world.kill(holder, millis(10));
            }
            scene.world.start_client(holder);
            scene.world.receive_private_files(holder, "t", 1);
            scene.world.run_for(30 * SECOND);
            assert!(scene.world.file_code(first).is_some(), "{ms} ms");
            let second = scene.send_secret(big());
            scene.world.run_for(30 * SECOND);
            assert_eq!(scene.world.file_code(second), Some(Code::Ok), "{ms} ms");
            assert!(scene.world.has_file(holder, big()), "{ms} ms");
            scene.end();
        }
    }
}

/// PRIV-8, FILE-14: what is under way is given up once the key is off the list, and the next holder gets it.
#[test]
fn a_removed_key_gets_no_more_of_a_file_that_is_under_way() {
    let mut scene = private(&[1, 2]);
    let removed = scene.file_holder(scene.b, 1);
    let id = scene.send_secret(big());
    scene.world.run_for(millis(40));
    assert_eq!(scene.world.file_code(id), None, "it is under way");
    scene.world.remove_key(scene.publisher, "t", 1);
    assert!(scene.world.file_code(id).is_some_and(|code| code != Code::Ok));
    let other = scene.file_holder(scene.b, 2);
    let id = scene.send_secret(big());
    scene.world.run_for(20 * SECOND);
    assert_eq!(scene.world.file_code(id), Some(Code::Ok));
    assert!(scene.world.has_file(other, big()) && !scene.world.has_file(removed, big()));
    scene.end();
}

/// FILE-14: what was begun in the clear does not go on once its topic is private.
#[test]
fn a_file_under_way_in_the_clear_is_given_up_when_its_topic_becomes_private() {
    let mut scene = Scene::new();
    let receiver = scene.world.client("sub.sdk.bank-b.amop", &[scene.b]);
    scene.world.receive_files(receiver, "t");
    scene.world.run_for(millis(100));
    let content = Content { number: 1, size: 4 * CHUNK };
    let id = scene.world.send_file(scene.publisher, "t", content, 20 * SECOND);
    scene.world.run_for(millis(40));
    assert_eq!(scene.world.file_code(id), None, "it is under way");
    scene.world.allow(scene.publisher, "t", &[1]);
    assert!(scene.world.file_code(id).is_some_and(|code| code != Code::Ok));
    scene.world.run_for(20 * SECOND);
    assert!(!scene.world.has_file(receiver, content));
    scene.end();
}

/// FILE-14: a receiver with a key takes nothing in the clear, and says so.
#[test]
fn who_receives_with_a_key_refuses_what_is_not_sealed() {
    let mut scene = Scene::new();
    let holder = scene.file_holder(scene.b, 1);
    let content = Content { number: 1, size: CHUNK };
    let id = scene.world.send_file(scene.publisher, "t", content, 20 * SECOND);
    scene.world.run_for(5 * SECOND);
    assert_eq!(scene.end_of(id), (Code::SubscriberUnreachable, Reason::NotSealed));
    assert!(!scene.world.has_file(holder, content));
    scene.end();
}

/// FILE-8, FILE-14: what is altered on the way cannot be opened, and is sent again.
#[test]
fn a_node_that_loses_doubles_and_damages_sealed_files_only_delays_them() {
    for number in 1..10 {
        let mut scene = private(&[1]);
        let holder = scene.file_holder(scene.b, 1);
        scene.world.set_muddling(scene.b, true);
        let content = Content::secret(number, 3 * CHUNK);
        let id = scene.send_secret(content);
        scene.world.run_for(60 * SECOND);
        assert_eq!(scene.world.file_code(id), Some(Code::Ok), "{number}");
        assert!(scene.world.has_file(holder, content));
        scene.end();
    }
}

/// FILE-10, FILE-14: codes are those of public topics.
#[test]
fn a_holder_whose_disk_fails_says_so() {
    let mut scene = private(&[1]);
    let holder = scene.file_holder(scene.b, 1);
    scene.world.set_disk(holder, DiskTrouble::Full);
    let id = scene.send_secret(big());
    scene.world.run_for(20 * SECOND);
    assert_eq!(scene.end_of(id), (Code::FileRefused, Reason::DiskFull));
    scene.end();
}
