//! Private topics: only who holds a listed key reads, and the codes are those of public topics.

use amop_sim::{ClientId, End, NodeId, World};
use amop_wire::{Code, Instance, Mode, MsgId, Reason, Terms};

use crate::scene::{SECOND, Scene, deaf, millis, slow};

/// A scene in which `t` is private for the publisher, which lets these keys in.
pub(crate) fn private(keys: &[u8]) -> Scene {
    let mut scene = Scene::new();
    scene.world.allow(scene.publisher, "t", keys);
    scene.world.run_for(millis(50));
    scene
}

impl Scene {
    /// A client that subscribes to `t` with a key.
    fn holder(&mut self, home: NodeId, key: u8) -> ClientId {
        let client = self.world.client("sub.sdk.bank-b.amop", &[home]);
        self.world.subscribe_private(client, "t", key);
        self.world.run_for(millis(200));
        client
    }

    /// How many parts of handshakes nodes sent to clients.
    fn handshakes(&self) -> u64 {
        let mut counts = self.world.coverage().counts();
        counts.find(|(_, kind, _)| *kind == "NodeHandshake").unwrap().2
    }
}

fn handlers(world: &World, id: MsgId) -> Vec<Instance> {
    world.record().publication(id).calls.iter().map(|call| call.instance).collect()
}

/// PRIV-1, PRIV-2, PRIV-17: the same topic, the same node, no listed key: not a word.
#[test]
fn who_holds_a_listed_key_gets_unicasts_and_multicasts_and_nobody_else_does() {
    for far in [false, true] {
        let mut scene = private(&[1, 2]);
        let home = if far { scene.b } else { scene.a };
        let holders = [scene.holder(home, 1), scene.holder(home, 2)];
        let (stranger, public) = (scene.holder(home, 9), scene.subscriber(home));
        let listed = holders.map(|one| scene.world.instance(one));
        let mut expected = listed.to_vec();
        expected.sort_unstable();
        assert_eq!(scene.world.verified(scene.publisher, "t"), expected);
        let unicasts: Vec<MsgId> = (0..40).map(|_| scene.unicast(SECOND)).collect();
        let multicast = scene.multicast(SECOND);
        scene.world.run_for(2 * SECOND);
        let mut counts = [0; 2];
        for id in unicasts {
            assert_eq!(scene.code(id), Code::Ok);
            let [handler] = handlers(&scene.world, id)[..] else { panic!("not one") };
            counts[listed.iter().position(|one| *one == handler).unwrap()] += 1;
        }
        assert!(counts.iter().all(|&count| count > 5), "the choice is even: {counts:?}");
        let receipt = scene.receipt(multicast);
        assert_eq!((receipt.acked, receipt.refused, receipt.unknown), (2, 2, 0));
        let mut took = handlers(&scene.world, multicast);
        took.sort_unstable();
        assert_eq!(took, expected);
        assert!(scene.world.lives(stranger) && scene.world.lives(public));
        scene.end();
    }
}

/// PRIV-1: the list comes while the message waits for a connection.
#[test]
fn what_waits_for_a_connection_is_sealed_if_its_topic_becomes_private() {
    let mut scene = Scene::new();
    let key_holder = scene.holder(scene.b, 1);
    scene.world.cut_client(scene.publisher, millis(0), millis(0));
    scene.world.run_for(millis(1));
    let ids = [scene.unicast(5 * SECOND), scene.multicast(5 * SECOND)];
    scene.world.allow(scene.publisher, "t", &[1]);
    scene.world.run_for(3 * SECOND);
    for id in ids {
        assert_eq!(handlers(&scene.world, id), [scene.world.instance(key_holder)]);
    }
    scene.end();
}

/// PRIV-9.
#[test]
fn a_message_waits_while_somebody_is_verified_and_ends_with_100_if_nobody_is() {
    let mut scene = private(&[1]);
    let nobody = scene.unicast(5 * SECOND);
    scene.world.run_for(millis(10));
    assert_eq!(scene.code(nobody), Code::NoSubscriber);
    assert_eq!(scene.reason(nobody).0, Reason::NoVerifiedReceiver);

    let client = scene.world.client("sub.sdk.bank-b.amop", &[scene.b]);
    scene.world.subscribe_private(client, "t", 1);
    while scene.known(scene.a) == 0 {
        scene.world.run_for(millis(1));
    }
    scene.world.run_for(millis(2)); // The publisher is told.
    let waits = scene.unicast(5 * SECOND);
    assert!(!scene.has_ended(waits));
    scene.world.run_for(millis(100));
    assert_eq!(scene.code(waits), Code::Ok);
    scene.end();
}

/// PRIV-9: who has no listed key is asked in vain for 5 s at most.
#[test]
fn a_subscriber_without_a_listed_key_is_no_receiver() {
    let mut scene = private(&[1]);
    scene.holder(scene.b, 7);
    let (unicast, multicast) = (scene.unicast(9 * SECOND), scene.multicast(9 * SECOND));
    scene.world.run_for(8 * SECOND);
    for id in [unicast, multicast] {
        assert_eq!(scene.code(id), Code::NoSubscriber);
        assert_eq!(scene.reason(id), (Reason::NoVerifiedReceiver, 0));
    }
    scene.end();
}

/// PRIV-8: what waits is not sealed for a key that was taken off the list.
#[test]
fn a_removed_key_gets_nothing_that_was_queued_or_comes_later() {
    let mut scene = private(&[1]);
    let removed = scene.holder(scene.b, 1);
    assert_eq!(scene.world.verified(scene.publisher, "t").len(), 1);
    scene.world.cut_client(scene.publisher, millis(0), millis(0));
    scene.world.run_for(millis(1));
    let queued = scene.unicast(5 * SECOND);
    scene.world.remove_key(scene.publisher, "t", 1);
    assert_eq!(scene.world.verified(scene.publisher, "t"), []);
    scene.world.run_for(SECOND);
    let later = [scene.unicast(5 * SECOND), scene.multicast(5 * SECOND)];
    scene.world.run_for(7 * SECOND);
    for id in [queued, later[0], later[1]] {
        assert_eq!((scene.code(id), scene.calls(id)), (Code::NoSubscriber, 0));
    }
    assert!(scene.world.lives(removed));
    scene.end();
}

/// PRIV-8, PRIV-12: the group has another key once a member is gone.
#[test]
fn a_removed_key_opens_no_later_multicast_though_it_comes() {
    let mut scene = private(&[1, 2]);
    let (stays, removed) = (scene.holder(scene.b, 1), scene.holder(scene.b, 2));
    let before = scene.multicast(SECOND);
    scene.world.run_for(SECOND);
    assert_eq!(scene.receipt(before).acked, 2);
    scene.world.remove_key(scene.publisher, "t", 2);
    let after = scene.multicast(SECOND);
    scene.world.run_for(SECOND);
    assert_eq!((scene.receipt(after).acked, scene.receipt(after).refused), (1, 1));
    assert_eq!(handlers(&scene.world, after), [scene.world.instance(stays)]);
    assert!(scene.world.lives(removed));
    scene.end();
}

/// PRIV-17, MULTI-7: numbers and gaps are judged as they leave and as they come, whatever lies between.
#[test]
fn multicasts_on_a_private_topic_come_in_order_and_every_hole_is_told() {
    let mut scene = private(&[1, 2]);
    let (stays, leaves) = (scene.holder(scene.b, 1), scene.holder(scene.b, 2));
    for _ in 0..2 {
        let id = scene.multicast(SECOND);
        scene.unicast(SECOND);
        scene.world.run_for(millis(100));
        assert_eq!(scene.receipt(id).acked, 2);
    }
    scene.world.cut_client(leaves, millis(5), millis(5));
    scene.world.run_for(millis(20));
    let missed = scene.multicast(SECOND);
    scene.world.run_for(SECOND);
    let next = scene.multicast(SECOND);
    scene.world.run_for(SECOND);
    assert_eq!(handlers(&scene.world, missed), [scene.world.instance(stays)]);
    assert_eq!(scene.receipt(next).acked, 2);
    scene.end();
}

/// PRIV-15: the home node tries the one that it is sealed for; the next is up to the publisher.
#[test]
fn a_definite_no_seals_it_anew_for_the_next_who_is_verified() {
    let mut scene = private(&[1, 2]);
    let full = scene.holder(scene.b, 1);
    scene.world.set_application(full, deaf(0));
    scene.holder(scene.a, 2);
    let ids: Vec<MsgId> = (0..20).map(|_| scene.unicast(SECOND)).collect();
    scene.world.run_for(2 * SECOND);
    let mut attempts = Vec::new();
    for &id in &ids {
        assert_eq!((scene.code(id), scene.calls(id)), (Code::Ok, 1));
        attempts.push(scene.reason(id).1);
    }
    assert!(attempts.contains(&1) && attempts.contains(&2), "{attempts:?}");
    let other = scene.world.instance(full);
    assert!(ids.iter().all(|id| !handlers(&scene.world, *id).contains(&other)));
    scene.end();
}

#[test]
fn when_all_who_are_verified_refuse_the_code_is_101() {
    let mut scene = private(&[1, 2]);
    for key in [1, 2] {
        let full = scene.holder(scene.b, key);
        scene.world.set_application(full, deaf(0));
    }
    let id = scene.unicast(SECOND);
    scene.world.run_for(2 * SECOND);
    assert_eq!(scene.code(id), Code::SubscriberUnreachable);
    assert_eq!(scene.reason(id), (Reason::SubscriberBusy, 2));
    scene.end();
}

/// PRIV-5: the same instance keeps its verdict when it moves; another process of the same name has none.
#[test]
fn a_verdict_stays_with_its_instance_wherever_it_moves() {
    let mut scene = private(&[1]);
    let client = scene.world.client("sub.sdk.bank-b.amop", &[scene.b, scene.a]);
    scene.world.subscribe_private(client, "t", 1);
    scene.world.run_for(millis(200));
    let before = scene.handshakes();
    scene.world.move_client(client, scene.a, millis(0));
    scene.world.run_for(SECOND);
    assert_eq!(scene.world.home_of(client), Some(scene.a));
    let id = scene.unicast(SECOND);
    scene.world.run_for(SECOND);
    assert_eq!(scene.code(id), Code::Ok);
    assert_eq!(scene.handshakes(), before);

    scene.world.kill(client, millis(0));
    scene.world.start_client(client);
    scene.world.subscribe(client, "t");
    scene.world.run_for(SECOND);
    let id = scene.unicast(8 * SECOND);
    scene.world.run_for(9 * SECOND);
    assert_eq!((scene.code(id), scene.calls(id)), (Code::NoSubscriber, 0));
    scene.end();
}

/// PRIV-15, UNI-4: it was not there any more, and is asked again where it is.
#[test]
fn a_subscriber_that_moves_while_it_is_asked_is_asked_where_it_is() {
    let mut scene = private(&[1]);
    let client = scene.world.client("sub.sdk.bank-b.amop", &[scene.b, scene.a]);
    scene.world.subscribe_private(client, "t", 1);
    scene.world.run_for(millis(200));
    scene.world.move_client(client, scene.a, millis(0));
    let ids = [0, 1, 2].map(|wait| {
        scene.world.run_for(millis(wait));
        scene.unicast(2 * SECOND)
    });
    scene.world.run_for(3 * SECOND);
    assert_eq!(scene.world.home_of(client), Some(scene.a));
    for id in ids {
        assert_eq!((scene.code(id), scene.calls(id)), (Code::Ok, 1), "{:?}", scene.reason(id));
    }
    scene.end();
}

/// PRIV-16: what the subscriber says goes to where its publisher is now.
#[test]
fn a_publisher_that_moves_keeps_its_verdicts_and_is_found() {
    let mut scene = private(&[1]);
    let subscriber = scene.holder(scene.b, 1);
    scene.world.move_client(scene.publisher, scene.b, millis(0));
    scene.world.run_for(SECOND);
    // Subscribing again forgets the channel: that must be told where the publisher is now.
    scene.world.subscribe_private(subscriber, "t", 1);
    let id = scene.unicast(5 * SECOND);
    scene.world.run_for(6 * SECOND);
    assert_eq!((scene.code(id), scene.calls(id)), (Code::Ok, 1));
    scene.end();
}

/// PRIV-13, PRIV-16: it was not there when the publisher moved, and it has lost its keys.
#[test]
fn who_comes_back_without_keys_is_verified_anew_wherever_its_publisher_is_by_then() {
    let mut scene = private(&[1]);
    let holder = scene.holder(scene.b, 1);
    scene.world.unsubscribe(holder, "t");
    scene.world.run_for(millis(100));
    scene.world.move_client(scene.publisher, scene.b, millis(1));
    scene.world.run_for(SECOND);
    scene.world.subscribe_private(holder, "t", 1);
    scene.world.run_for(SECOND);
    let first = scene.multicast(SECOND);
    scene.world.run_for(2 * SECOND);
    let second = scene.multicast(SECOND);
    scene.world.run_for(SECOND);
    assert_eq!(scene.receipt(first).targets(), 1);
    assert_eq!((scene.receipt(second).acked, scene.receipt(second).refused), (1, 0));
    scene.end();
}

/// PRIV-13: who has lost the keys is verified anew, and then gets what it could not open.
#[test]
fn what_could_not_be_opened_is_sealed_again_once_there_are_new_keys() {
    let mut scene = private(&[1]);
    let subscriber = scene.holder(scene.b, 1);
    scene.world.subscribe_private(subscriber, "t", 1);
    scene.world.run_for(millis(50));
    let id = scene.unicast(5 * SECOND);
    scene.world.run_for(millis(100));
    assert!(!scene.has_ended(id));
    scene.world.run_for(4 * SECOND);
    assert_eq!((scene.code(id), scene.calls(id)), (Code::Ok, 1));
    assert_eq!(scene.reason(id).1, 2);
    scene.end();
}

/// Two publishers at one node never share a verdict.
#[test]
fn publishers_with_different_lists_let_different_subscribers_in() {
    let mut scene = private(&[1]);
    let other = scene.world.client("app.sdk.bank-a.amop", &[scene.a]);
    scene.world.allow(other, "t", &[2]);
    let holders = [scene.holder(scene.b, 1), scene.holder(scene.b, 2)];
    let publishers = [scene.publisher, other];
    for (publisher, holder) in publishers.into_iter().zip(holders) {
        let holder = scene.world.instance(holder);
        assert_eq!(scene.world.verified(publisher, "t"), [holder]);
        let id = scene.world.publish(publisher, Mode::Multicast, "t", SECOND);
        scene.world.run_for(2 * SECOND);
        assert_eq!(handlers(&scene.world, id), [holder]);
        assert_eq!(scene.receipt(id).refused, 1);
    }
    scene.end();
}

/// PRIV-1: a subscriber with a key takes nothing in the clear, whoever sends it.
#[test]
fn a_subscriber_with_a_key_refuses_what_is_not_sealed() {
    let mut scene = Scene::new();
    scene.holder(scene.b, 1);
    let (unicast, multicast) = (scene.unicast(SECOND), scene.multicast(SECOND));
    scene.world.run_for(2 * SECOND);
    assert_eq!(scene.reason(unicast), (Reason::NotSealed, 1));
    assert_eq!(scene.receipt(multicast).refused, 1);
    scene.end();
}

/// TERM-1, PRIV-15: the client asks another one itself.
#[test]
fn at_least_once_asks_another_verified_subscriber() {
    let mut scene = private(&[1, 2]);
    for key in [1, 2] {
        let client = scene.holder(scene.b, key);
        scene.world.set_application(client, slow(millis(2500)));
    }
    let terms = Terms { at_least_once: true, ..Terms::default() };
    let id = scene.world.publish_on(terms, scene.publisher, Mode::Unicast, "t", 4 * SECOND);
    scene.world.run_for(5 * SECOND);
    assert_eq!((scene.code(id), scene.calls(id)), (Code::Ok, 2));
    let publication = scene.world.record().publication(id);
    let End::Outcome { payload, .. } = publication.end() else { panic!("a receipt") };
    let first = publication.calls[0].instance;
    assert_eq!(*payload, format!("answer to {id} by {first}"));
    scene.end();
}
