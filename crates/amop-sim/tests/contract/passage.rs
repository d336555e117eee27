//! How fast a node passes on what others send: RATE-4 and RATE-5.

use std::time::Duration;

use amop_core::node::Rate;
use amop_sim::{ClientId, Content, FileSendId, NodeId, World};
use amop_wire::limits::FILE_CHUNK_BYTES;
use amop_wire::{Code, Mode, MsgId};

use crate::scene::{SECOND, millis};

/// A relay between the nodes of two banks and a far one.
struct Star {
    world: World,
    relay: NodeId,
    /// Of each bank.
    publishers: [ClientId; 2],
    /// Where all is sent to.
    far: ClientId,
    far_node: NodeId,
}

impl Star {
    fn new() -> Self {
        let mut world = World::new(5);
        let relay = world.node("n1.node.bank-r.amop");
        let mut client = |bank: &str| {
            let node = world.node(&format!("n1.node.{bank}.amop"));
            world.keep_linked(node, relay);
            (node, world.client(&format!("app.sdk.{bank}.amop"), &[node]))
        };
        let publishers = ["bank-a", "bank-b"].map(|bank| client(bank).1);
        let (far_node, far) = client("bank-far");
        world.subscribe(far, "t");
        world.receive_files(far, "files");
        world.run_for(SECOND);
        Self { world, relay, publishers, far, far_node }
    }

    fn set_transit(&mut self, per_second: u64, burst: u64) {
        let rate = Some(Rate { per_second, burst });
        self.world.limit_node(self.relay, |limits| limits.transit = rate);
    }

    /// All payloads have the same length.
    fn publish(&mut self, bank: usize) -> MsgId {
        self.world.publish(self.publishers[bank], Mode::Unicast, "t", SECOND)
    }

    fn count(&self, ids: &[MsgId], code: Code) -> u64 {
        let all = ids.iter().map(|&id| self.world.record().publication(id).code());
        all.filter(|found| *found == code).count() as u64
    }

    fn send(&mut self, bank: usize, number: u16) -> FileSendId {
        let content = Content { number, size: SIZE };
        self.world.send_file(self.publishers[bank], "files", content, 60 * SECOND)
    }

    fn has_arrived(&self, id: FileSendId) -> bool {
        self.world.file_code(id) == Some(Code::Ok)
    }

    /// How many bytes the relay sends to the far node in so much time, once what it is to send has begun.
    fn passed_in(&mut self, span: Duration) -> u64 {
        self.world.run_for(SECOND);
        self.passed_at_once_in(span)
    }

    fn passed_at_once_in(&mut self, span: Duration) -> u64 {
        let (relay, far) = (self.relay, self.far_node);
        let before = self.world.sent(relay, far).bytes;
        self.world.run_for(span);
        self.world.sent(relay, far).bytes - before
    }
}

/// RATE-4: at the limit and one past it. It is the limit of one agency, and answers do not count.
#[test]
fn what_the_peers_of_an_agency_send_past_their_limit_comes_back_and_others_are_unharmed() {
    let mut star = Star::new();
    star.set_transit(1, 3 * PAYLOAD_BYTES);
    let (fast, slow) =
        ([0; 4].map(|bank| star.publish(bank)), [1; 3].map(|bank| star.publish(bank)));
    star.world.run_for(2 * SECOND);
    assert_eq!((star.count(&fast, Code::Ok), star.count(&fast, Code::NoSubscriber)), (3, 1));
    assert_eq!(star.count(&slow, Code::Ok), 3);
    star.world.limit_node(star.relay, |limits| limits.transit = None);
    let more = [0; 9].map(|bank| star.publish(bank));
    star.world.run_for(2 * SECOND);
    assert_eq!(star.count(&more, Code::Ok), 9, "the limit is gone");
    star.world.check();
}

/// RATE-4: one byte too few is too few.
#[test]
fn what_would_be_one_byte_over_the_limit_of_an_agency_comes_back() {
    for (burst, passed) in [(3 * PAYLOAD_BYTES, 3), (3 * PAYLOAD_BYTES - 1, 2)] {
        let mut star = Star::new();
        star.set_transit(0, burst);
        let ids = [0; 4].map(|bank| star.publish(bank));
        star.world.run_for(2 * SECOND);
        let counts = (star.count(&ids, Code::Ok), star.count(&ids, Code::NoSubscriber));
        assert_eq!(counts, (passed, 4 - passed), "with {burst}");
        star.world.check();
    }
}

/// RATE-4: a multicast counts once for each link that it goes on.
#[test]
fn each_copy_of_a_multicast_counts_to_what_is_passed_on() {
    let mut star = Star::new();
    star.world.subscribe(star.publishers[1], "t");
    star.world.run_for(SECOND);
    star.set_transit(0, 3 * PAYLOAD_BYTES);
    let publish =
        |star: &mut Star| star.world.publish(star.publishers[0], Mode::Multicast, "t", SECOND);
    let ids = [0; 3].map(|_| publish(&mut star));
    star.world.run_for(2 * SECOND);
    let acked = ids.map(|id| star.world.record().publication(id).calls.len());
    assert_eq!(acked, [2, 1, 0]);
    star.world.check();
}

/// RATE-4: what is passed on is the rate times the time and the burst, not less and not more.
#[test]
fn what_is_passed_on_for_an_agency_is_what_its_rate_says() {
    let mut star = Star::new();
    star.set_transit(100 * PAYLOAD_BYTES, 40 * PAYLOAD_BYTES);
    let (mut fast, mut slow) = (Vec::new(), Vec::new());
    for step in 0..5000 {
        fast.push(star.publish(0));
        if step % 20 == 0 {
            slow.push(star.publish(1));
        }
        star.world.run_for(millis(1));
    }
    // The last of the others go out again for a while (ROUTE-6).
    let has_ended = |id: &MsgId| !star.world.record().publication(*id).ends.is_empty();
    let ended: Vec<_> = fast.into_iter().filter(has_ended).collect();
    let (passed, most) = (star.count(&ended, Code::Ok), 100 * 5 + 40);
    assert!((most * 98 / 100..=most).contains(&passed), "{passed} of {most}");
    star.world.run_for(2 * SECOND);
    assert_eq!(star.count(&slow, Code::Ok), slow.len() as u64, "the other bank is not over it");
    star.world.check();
}

/// RATE-4: files of an agency are not dropped but wait, and only they.
#[test]
fn files_of_an_agency_that_is_over_its_limit_wait_for_their_time() {
    let mut star = Star::new();
    star.set_transit(1 << 20, 1 << 16);
    let first = star.send(0, 1);
    assert_is_about(star.passed_in(4 * SECOND), 4 << 20);
    star.world.run_for(8 * SECOND);
    assert!(star.has_arrived(first));
    let both = [star.send(0, 2), star.send(1, 3)];
    assert_is_about(star.passed_in(4 * SECOND), 2 * (4 << 20)); // Each has its own agency.
    star.world.run_for(8 * SECOND);
    assert!(both.map(|id| star.has_arrived(id)).iter().all(|has| *has));
}

/// RATE-5: on one link, whoever sends; messages do not wait.
#[test]
fn files_go_on_a_link_as_fast_as_its_rate_says_and_messages_pass_them() {
    let mut star = Star::new();
    let rate = Some(Rate { per_second: 1 << 20, burst: 1 << 16 });
    star.world.limit_node(star.relay, |limits| limits.files = rate);
    let both = [star.send(0, 1), star.send(1, 2)];
    assert_is_about(star.passed_in(4 * SECOND), 4 << 20);
    let asked = star.publish(0);
    star.world.run_for(millis(200));
    assert_eq!(star.count(&[asked], Code::Ok), 1);
    star.world.run_for(16 * SECOND);
    assert!(both.map(|id| star.has_arrived(id)).iter().all(|has| *has));
    star.world.limit_node(star.relay, |limits| limits.files = None);
    let free = star.send(0, 3);
    // A disk may take its time, so that the whole of it says little.
    let most = (0..160).map(|_| star.passed_at_once_in(millis(100))).max();
    assert!(most > Some(1 << 20), "the limit is gone: {most:?} in 100 ms");
    assert!(star.has_arrived(free));
    assert!(star.world.has_file(star.far, Content { number: 3, size: SIZE }));
}

/// Within 2 %, what stands before each piece included.
fn assert_is_about(bytes: u64, expected: u64) {
    let around = expected * 98 / 100..=expected * 102 / 100;
    assert!(around.contains(&bytes), "{bytes} instead of {expected}");
}

/// A payload here is the id of its message.
const PAYLOAD_BYTES: u64 = 32;

/// How long a file is: what goes in 8 s at 1 MiB a second.
const SIZE: u64 = 4 * FILE_CHUNK_BYTES;
