//! Nobody knows whether a copy of a unicast arrived: it is sent again to the same subscriber, which
//! handles one copy.

use amop_sim::{ClientId, NodeId, World};
use amop_wire::{Code, Mode, MsgId, Reason};

use crate::net::Net;
use crate::scene::{SECOND, Scene, millis, slow};

/// UNI-11: the request is lost with the link, or the answer.
#[test]
fn a_request_under_way_takes_another_way_when_its_link_is_lost() {
    for lost_after in [0, 2, 4, 100, 303, 305, 307] {
        let mut ring = Ring::new();
        ring.world.set_application(ring.subscriber, slow(millis(300)));
        let id = ring.request();
        ring.world.run_for(millis(lost_after));
        // One of the two ways is the one that it took.
        ring.world.cut(ring.nodes[0], ring.nodes[1], millis(20));
        ring.world.run_for(2 * SECOND);
        ring.assert_handled_once(id);

        ring.world.link(ring.nodes[0], ring.nodes[1]);
        ring.world.run_for(SECOND);
        let id = ring.request();
        ring.world.run_for(millis(lost_after));
        ring.world.cut(ring.nodes[0], ring.nodes[3], millis(20));
        ring.world.run_for(2 * SECOND);
        ring.assert_handled_once(id);
        ring.end();
    }
}

/// UNI-11, ROUTE-6: the two ends of a link notice its loss at different times, and the one that has
/// noticed meets the other, which has not.
#[test]
fn a_request_under_way_is_answered_over_a_relay_whichever_end_notices_the_lost_link_first() {
    for (near, far) in [(20, 900), (900, 20), (20, 2000), (2000, 20)] {
        for lost_after in [0, 1, 2, 3, 4, 100, 303, 304] {
            let mut world = World::new(7);
            let nodes = [0, 1, 2].map(|n| world.node(&format!("n{n}.node.bank.amop")));
            for (a, b) in [(0, 1), (1, 2), (2, 0)] {
                world.link(nodes[a], nodes[b]);
            }
            let publisher = world.client("app.sdk.bank.amop", &[nodes[0]]);
            let subscriber = world.client("sub.sdk.bank.amop", &[nodes[1]]);
            world.set_application(subscriber, slow(millis(300)));
            world.subscribe(subscriber, "t");
            world.run_for(SECOND);
            let id = world.publish(publisher, Mode::Unicast, "t", 3 * SECOND);
            world.run_for(millis(lost_after));
            world.cut_half_open(nodes[0], nodes[1], millis(near), millis(far));
            world.run_for(4 * SECOND);
            let publication = world.record().publication(id);
            let seen = (publication.code(), publication.calls.len());
            assert_eq!(seen, (Code::Ok, 1), "{near} {far} {lost_after}");
            world.check();
        }
    }
}

/// UNI-11: a relay dies with what it has not passed on.
#[test]
fn a_request_under_way_takes_another_way_when_a_relay_dies() {
    for relay in [1, 3] {
        for lost_after in [0, 1, 2, 3, 4, 5, 150, 303, 304, 306] {
            let mut ring = Ring::new();
            ring.world.set_application(ring.subscriber, slow(millis(300)));
            let id = ring.request();
            ring.world.run_for(millis(lost_after));
            ring.world.crash(ring.nodes[relay], millis(50));
            ring.world.run_for(2 * SECOND);
            ring.assert_handled_once(id);
            ring.world.restart(ring.nodes[relay]);
            ring.world.link(ring.nodes[relay], ring.nodes[0]);
            ring.world.link(ring.nodes[relay], ring.nodes[2]);
            ring.end();
        }
    }
}

/// UNI-11, ROUTE-6: the only relay dies with it, is back, and gives the next copy back for a while. Nothing
/// that a map would show has changed by then.
#[test]
fn a_request_in_doubt_goes_once_more_by_the_only_relay_that_gave_it_back() {
    for (given_back_for, timeout) in [(20, 2 * SECOND), (300, 4 * SECOND), (2000, 10 * SECOND)] {
        let Net { mut world, nodes, clients } = Net::new(&[(0, 1), (1, 2)]);
        let id = world.publish(clients[0], Mode::Unicast, "to2", timeout);
        world.run_for(millis(2));
        world.crash(nodes[1], millis(50));
        world.run_for(millis(100));
        world.restart(nodes[1]);
        world.set_denying(nodes[1], true);
        world.link(nodes[1], nodes[2]);
        world.link(nodes[1], nodes[0]);
        world.run_for(millis(given_back_for));
        world.set_denying(nodes[1], false);
        world.run_for(timeout);
        let publication = world.record().publication(id);
        let seen = (publication.code(), publication.calls.len());
        assert_eq!(seen, (Code::Ok, 1), "given back for {given_back_for} ms");
        world.check();
    }
}

/// UNI-11: the first link is the same, what is lost is behind it.
#[test]
fn a_request_takes_another_way_behind_the_same_relay() {
    for (lost_after, cut) in [0, 1, 2, 3, 4].into_iter().flat_map(|at| [(at, 2), (at, 4)]) {
        let mut world = World::new(5);
        let nodes = [0, 1, 2, 3, 4].map(|n| world.node(&format!("n{n}.node.bank.amop")));
        for (a, b) in [(0, 1), (1, 2), (2, 3), (1, 4), (4, 3)] {
            world.link(nodes[a], nodes[b]);
        }
        let publisher = world.client("app.sdk.bank.amop", &[nodes[0]]);
        let subscriber = world.client("sub.sdk.bank.amop", &[nodes[3]]);
        world.subscribe(subscriber, "t");
        world.run_for(SECOND);
        let id = world.publish(publisher, Mode::Unicast, "t", 2 * SECOND);
        world.run_for(millis(lost_after));
        world.cut(nodes[cut], nodes[3], millis(20));
        world.run_for(2 * SECOND);
        let publication = world.record().publication(id);
        assert_eq!((publication.code(), publication.calls.len()), (Code::Ok, 1));
        world.check();
    }
}

/// UNI-11, UNI-1: it is the same subscriber, at another node.
#[test]
fn a_request_follows_its_subscriber_to_another_node() {
    for moved_after in [0, 1, 2, 3, 4, 100, 302, 303, 304] {
        let mut ring = Ring::new();
        ring.world.set_application(ring.subscriber, slow(millis(300)));
        let id = ring.request();
        ring.world.run_for(millis(moved_after));
        ring.world.move_client(ring.subscriber, ring.nodes[1], millis(50));
        ring.world.run_for(2 * SECOND);
        ring.assert_handled_once(id);
        ring.end();
    }
}

/// UNI-11: also if it is back at the node where it was.
#[test]
fn a_request_is_sent_again_once_its_subscriber_is_back() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, slow(millis(100)));
    for lost_after in [1, 2, 3, 50, 101, 102] {
        let id = scene.unicast(5 * SECOND);
        scene.world.run_for(millis(lost_after));
        scene.world.cut_client(subscriber, millis(10), millis(10));
        scene.world.run_for(3 * SECOND);
        assert_eq!((scene.code(id), scene.calls(id)), (Code::Ok, 1), "{lost_after}");
    }
    scene.end();
}

/// UNI-12: the process is another one, so nobody knows what the earlier one did.
#[test]
fn a_request_does_not_follow_a_process_that_starts_again() {
    let mut scene = Scene::new();
    let subscriber = scene.subscriber(scene.b);
    scene.world.set_application(subscriber, slow(millis(500)));
    let id = scene.unicast(2 * SECOND);
    scene.world.run_for(millis(100));
    scene.world.kill(subscriber, millis(10));
    scene.world.start_client(subscriber);
    scene.world.subscribe(subscriber, "t");
    scene.world.run_for(3 * SECOND);
    assert_eq!((scene.code(id), scene.calls(id)), (Code::TimedOut, 1));
    assert_eq!(scene.reason(id), (Reason::Deadline, 1));
    scene.end();
}

/// Four nodes in a ring, a publisher at the first, a subscriber at the one across.
struct Ring {
    world: World,
    nodes: [NodeId; 4],
    publisher: ClientId,
    subscriber: ClientId,
}

impl Ring {
    fn new() -> Self {
        let mut world = World::new(5);
        let nodes = [0, 1, 2, 3].map(|n| world.node(&format!("n{n}.node.bank.amop")));
        for i in 0..4 {
            world.link(nodes[i], nodes[(i + 1) % 4]);
        }
        let publisher = world.client("app.sdk.bank.amop", &[nodes[0]]);
        let subscriber = world.client("sub.sdk.bank.amop", &[nodes[2], nodes[1]]);
        world.subscribe(subscriber, "t");
        world.run_for(SECOND);
        Self { world, nodes, publisher, subscriber }
    }

    fn request(&mut self) -> MsgId {
        self.world.publish(self.publisher, Mode::Unicast, "t", 2 * SECOND)
    }

    #[track_caller]
    fn assert_handled_once(&self, id: MsgId) {
        let publication = self.world.record().publication(id);
        assert_eq!((publication.code(), publication.calls.len()), (Code::Ok, 1));
    }

    fn end(mut self) {
        self.world.run_for(11 * SECOND);
        self.world.check();
    }
}
