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

/// Small secret files of these numbers.
fn small(numbers: std::ops::Range<u16>) -> impl Iterator<Item = Content> {
    numbers.map(|number| Content::secret(number, 300))
}

/// FILE-16: whoever was chosen, for it was verified once.
#[test]
fn a_file_goes_to_who_holds_a_key_past_one_who_holds_none_any_more() {
    let mut scene = private(&[1, 2]);
    let holders = [scene.file_holder(scene.b, 1), scene.file_holder(scene.a, 2)];
    for (locked_out, left, numbers) in [(0, 1, 2..8), (1, 0, 8..14)] {
        scene.world.receive_private_files(holders[locked_out], "t", 9);
        scene.world.receive_private_files(holders[left], "t", 1 + u8::try_from(left).unwrap());
        scene.world.run_for(70 * SECOND); // Whoever failed to prove anything for long is asked again.
        let sends: Vec<_> =
            small(numbers).map(|content| (scene.send_secret(content), content)).collect();
        scene.world.run_for(10 * SECOND);
        for (id, content) in sends {
            assert_eq!(scene.world.file_code(id), Some(Code::Ok), "{content:?}");
            assert!(scene.world.has_file(holders[left], content));
            assert!(!scene.world.has_file(holders[locked_out], content));
        }
    }
    scene.end();
}

/// FILE-16: nobody else is there. A patience of 20 s is not waited for.
#[test]
fn where_nobody_holds_a_key_any_more_a_file_ends_within_seconds() {
    let mut scene = private(&[1]);
    let holder = scene.file_holder(scene.b, 1);
    scene.world.receive_private_files(holder, "t", 9);
    let [first, second] = [2, 3].map(|number| Content::secret(number, 300));
    let first = scene.send_secret(first);
    scene.world.run_for(5 * SECOND);
    assert_eq!(scene.end_of(first), (Code::SubscriberUnreachable, Reason::CannotOpen));
    let second = scene.send_secret(second);
    scene.world.run_for(SECOND);
    assert_eq!(scene.end_of(second), (Code::NoSubscriber, Reason::NoVerifiedReceiver));
    scene.end();
}

/// PRIV-13, FILE-16: its keys are gone, and it can have others.
#[test]
fn who_has_subscribed_again_with_its_key_gets_a_file_in_one_send() {
    let mut scene = private(&[1]);
    let holder = scene.file_holder(scene.b, 1);
    for number in (2..8).step_by(2) {
        scene.world.receive_private_files(holder, "t", 1);
        let [to_one, to_all] = [number, number + 1].map(|number| Content::secret(number, 300));
        let one = scene.send_secret(to_one);
        let all = scene.world.send_file_to_all(scene.publisher, "t", to_all, 20 * SECOND);
        scene.world.run_for(15 * SECOND);
        assert_eq!(scene.world.file_code(one), Some(Code::Ok));
        let codes: Vec<_> =
            scene.world.sends_to_all(all).map(|id| scene.world.file_code(id)).collect();
        assert_eq!(codes, [Some(Code::Ok)]);
        assert!([to_one, to_all].iter().all(|file| scene.world.has_file(holder, *file)));
    }
    scene.end();
}

/// FILE-16: its proofs were false so often that it would be asked again in up to a minute.
#[test]
fn who_could_not_open_an_offer_and_subscribes_anew_is_asked_at_once() {
    let mut scene = private(&[1]);
    let holder = scene.file_holder(scene.b, 1);
    scene.world.receive_private_files(holder, "t", 9);
    let [first, second] = [2, 3].map(|number| Content::secret(number, 300));
    let first = scene.send_secret(first);
    scene.world.run_for(70 * SECOND);
    assert_eq!(scene.end_of(first).1, Reason::CannotOpen);
    scene.world.stop_receiving(holder, "t");
    scene.world.run_for(millis(100));
    scene.world.receive_private_files(holder, "t", 1);
    scene.world.run_for(millis(100));
    let id = scene.send_secret(second);
    scene.world.run_for(10 * SECOND);
    assert_eq!(scene.world.file_code(id), Some(Code::Ok));
    assert!(scene.world.has_file(holder, second));
    scene.end();
}

/// FILE-15, FILE-16: each has an outcome of its own, and the next time it is not asked.
#[test]
fn of_a_file_for_all_who_holds_no_key_any_more_says_no_once() {
    let mut scene = private(&[1, 2]);
    let holders = [scene.file_holder(scene.b, 1), scene.file_holder(scene.b, 2)];
    scene.world.receive_private_files(holders[0], "t", 9);
    let instance = |scene: &Scene, one: usize| scene.world.instance(holders[one]);
    for (number, is_asked) in [(2, true), (3, false)] {
        let content = Content::secret(number, 300);
        let all = scene.world.send_file_to_all(scene.publisher, "t", content, 20 * SECOND);
        scene.world.run_for(10 * SECOND);
        let mut ends: Vec<_> = scene
            .world
            .sends_to_all(all)
            .map(|id| (scene.world.file_receiver(id), scene.end_of(id)))
            .collect();
        ends.sort_unstable_by_key(|(receiver, _)| *receiver);
        let done = (instance(&scene, 1), (Code::Ok, Reason::Unspecified));
        let said_no = (instance(&scene, 0), (Code::SubscriberUnreachable, Reason::CannotOpen));
        let mut expected = vec![done];
        expected.extend(is_asked.then_some(said_no));
        expected.sort_unstable_by_key(|(receiver, _)| *receiver);
        assert_eq!(ends, expected, "file {number}");
    }
    scene.end();
}

/// FILE-4, FILE-16: what one has taken of it is not left there while another one begins.
#[test]
fn a_file_of_which_something_was_taken_stays_with_who_took_it() {
    for key in [1, 9] {
        let mut scene = private(&[1, 2]);
        let holder = scene.file_holder(scene.b, 1);
        let id = scene.send_secret(big());
        scene.world.run_for(millis(40));
        assert_eq!(scene.world.file_code(id), None, "it is under way");
        let other = scene.world.client("sub.sdk.bank-b.amop", &[scene.b]);
        scene.world.receive_private_files(other, "t", 2);
        scene.world.receive_private_files(holder, "t", key);
        // Its next round begins with an offer.
        scene.world.cut_client(scene.publisher, millis(0), millis(0));
        scene.world.run_for(30 * SECOND);
        let (code, reason) = scene.end_of(id);
        if key == 1 {
            assert_eq!(code, Code::Ok, "it was verified anew");
            assert!(scene.world.has_file(holder, big()));
        } else {
            assert_eq!((code, reason), (Code::SubscriberUnreachable, Reason::CannotOpen));
            assert!(!scene.world.has_file(holder, big()));
        }
        assert!(!scene.world.has_file(other, big()));
        scene.end();
    }
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
