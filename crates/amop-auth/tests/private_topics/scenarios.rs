//! The rules of private topics (`docs/PROTOCOL.md`, PRIV-1 and on), each between whole machines.

use std::time::Duration;

use amop_auth::limits::{ABSENT_MAX, RENEW_AFTER, VALID_MAX};
use amop_auth::{Receivers, SealError};
use amop_wire::Instance;
use bytes::Bytes;

use crate::world::{Parcel, SOON, Told, What, World, exit, hr, key, topic};

/// PRIV-1, PRIV-2: at once, and only who holds a key on the list.
#[test]
fn who_holds_a_listed_key_is_verified_within_a_round_trip_and_nobody_else_ever() {
    let mut world = World::new(1);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let (alice, mallory) = (world.add_subscriber(10, key(1)), world.add_subscriber(11, key(2)));
    world.run_for(SOON);

    assert_eq!(world.receivers(publisher), Receivers::Verified(vec![alice]));
    let told = |told: Told| world.told.contains(&(publisher, told));
    assert!(told(Told::Verified(alice, key(1).public())) && told(Told::Refused(mallory)));
    assert!(world.told.contains(&(alice, Told::Channel(publisher))), "she knows it too");
    let refused = world.unicast(publisher, mallory, "for mallory");
    assert_eq!(refused, Err(SealError::NotVerified));

    let id = world.unicast(publisher, alice, "for alice").unwrap();
    world.run_for(SOON);
    assert_eq!(world.opened[&alice], [(id, Bytes::from("for alice"))]);
    assert_eq!(world.answers, [(id, Bytes::from("re: for alice"))]);
    let (id, receivers) = world.multicast(publisher, "for all").unwrap();
    assert_eq!(receivers, [alice]);
    world.run_for(SOON);
    assert_eq!(world.opened[&alice].last(), Some(&(id, Bytes::from("for all"))));
    assert!(!world.opened.contains_key(&mallory), "though it came to her as well");
}

/// PRIV-9: nobody waits when nobody can come.
#[test]
fn a_message_waits_while_a_verification_runs_and_not_longer() {
    let mut world = World::new(2);
    let publisher = world.add_publisher(1, &[&key(1)]);
    assert_eq!(world.receivers(publisher), Receivers::Nobody, "there is no subscriber");
    world.add_subscriber(11, key(2));
    assert_eq!(world.receivers(publisher), Receivers::Verifying);
    world.run_for(SOON);
    assert_eq!(world.receivers(publisher), Receivers::Nobody, "the proof was false");
    let alice = world.add_subscriber(10, key(1));
    assert_eq!(world.receivers(publisher), Receivers::Verifying);
    world.run_for(SOON);
    assert_eq!(world.receivers(publisher), Receivers::Verified(vec![alice]));
    world.lose(100);
    let publisher = world.add_publisher(2, &[&key(1)]);
    world.attach(alice, 1);
    assert_eq!(world.receivers(publisher), Receivers::Verifying);
    world.run_for(Duration::from_millis(4990));
    assert_eq!(world.receivers(publisher), Receivers::Verifying, "the proof may still come");
    world.run_for(Duration::from_millis(20));
    assert_eq!(world.receivers(publisher), Receivers::Nobody, "it did not");
}

/// PRIV-7.
#[test]
fn a_failed_verification_is_tried_again_after_1_s_then_2_s_up_to_60_s_and_never_given_up() {
    let mut world = World::new(3);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let mallory = world.add_subscriber(11, key(2));
    let mut waits = Vec::new();
    for _ in 0..9 {
        let (before, failed) = (world.told.len(), world.now);
        while world.told.len() == before {
            world.run_for(Duration::from_millis(10));
        }
        assert_eq!(world.told.last(), Some(&(publisher, Told::Refused(mallory))));
        waits.push(world.now.saturating_since(failed).as_secs());
    }
    assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
    world.allow(publisher, &[&key(1), &key(2)]);
    world.run_for(SOON);
    assert_eq!(world.receivers(publisher), Receivers::Verified(vec![mallory]), "at once");
}

/// PRIV-8.
#[test]
fn a_key_that_is_removed_gets_nothing_from_the_return_on() {
    let mut world = World::new(4);
    let publisher = world.add_publisher(1, &[&key(1), &key(2)]);
    let (alice, bob) = (world.add_subscriber(10, key(1)), world.add_subscriber(12, key(2)));
    world.run_for(SOON);
    world.multicast(publisher, "for both").unwrap();
    world.run_for(SOON);

    world.remove(publisher, &key(2));
    assert_eq!(world.told.last(), Some(&(publisher, Told::Withdrawn(bob))));
    assert_eq!(world.receivers(publisher), Receivers::Verified(vec![alice]));
    assert_eq!(world.unicast(publisher, bob, "no"), Err(SealError::NotVerified));
    assert_eq!(world.multicast(publisher, "for alice").unwrap().1, [alice]);
    world.run_for(Duration::from_secs(120));
    world.multicast(publisher, "for alice").unwrap();
    world.run_for(SOON);
    assert_eq!((world.opened[&alice].len(), world.opened[&bob].len()), (3, 1));

    world.allow(publisher, &[]);
    world.run_for(SOON);
    assert_eq!(world.receivers(publisher), Receivers::Nobody);
    let sent = world.sent.len();
    world.run_for(Duration::from_secs(600));
    assert_eq!(world.sent.len(), sent, "an empty list asks nobody");
}

/// PRIV-8: a proof that was asked for before the key was removed comes after.
#[test]
fn a_proof_is_judged_by_the_list_as_it_is_when_it_comes() {
    let mut world = World::new(5);
    let publisher = world.add_publisher(1, &[&key(1), &key(2)]);
    world.add_subscriber(12, key(2));
    world.remove(publisher, &key(2));
    world.run_for(SOON);
    assert_eq!(world.receivers(publisher), Receivers::Nobody);
}

/// PRIV-5.
#[test]
fn a_verdict_stays_with_the_instance_when_it_reconnects_and_does_not_pass_to_another() {
    let mut world = World::new(6);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let alice = world.add_subscriber(10, key(1));
    world.run_for(SOON);
    world.detach(alice);
    assert_eq!(world.receivers(publisher), Receivers::Nobody);
    assert_eq!(world.unicast(publisher, alice, "no"), Err(SealError::NotVerified));
    world.run_for(ABSENT_MAX - SOON);
    let sent = world.sent.len();
    world.attach(alice, 2);
    assert_eq!(world.receivers(publisher), Receivers::Verified(vec![alice]), "at another node");
    assert_eq!(world.sent.len(), sent, "nobody is asked again");
    let id = world.unicast(publisher, alice, "welcome back").unwrap();
    world.run_for(SOON);
    assert_eq!(world.opened[&alice], [(id, Bytes::from("welcome back"))]);

    world.detach(alice);
    let mallory = world.add_subscriber(11, key(2));
    assert_eq!(world.receivers(publisher), Receivers::Verifying, "on the same node, too");
    world.run_for(SOON);
    assert_eq!(world.receivers(publisher), Receivers::Nobody);
    world.detach(mallory);
    world.run_for(ABSENT_MAX);
    world.lose(100);
    world.attach(alice, 2);
    assert_eq!(world.receivers(publisher), Receivers::Verifying, "forgotten meanwhile");
}

/// PRIV-5: neither list nor verdict of one counts for the other.
#[test]
fn two_publishers_with_different_lists_never_share_a_verdict() {
    let mut world = World::new(7);
    let (one, other) = (world.add_publisher(1, &[&key(1)]), world.add_publisher(2, &[&key(2)]));
    let (alice, bob) = (world.add_subscriber(10, key(1)), world.add_subscriber(12, key(2)));
    world.run_for(SOON);
    assert_eq!(world.receivers(one), Receivers::Verified(vec![alice]));
    assert_eq!(world.receivers(other), Receivers::Verified(vec![bob]));
    // The proofs of each are played to the other.
    for Parcel { from, to, what } in world.sent.clone() {
        let elsewhere = if to == one { other } else { one };
        world.deliver(Parcel { from, to: elsewhere, what: what.clone() });
        world.deliver(Parcel { from: if from == alice { bob } else { alice }, to, what });
    }
    world.run_for(Duration::from_secs(200));
    assert_eq!(world.receivers(one), Receivers::Verified(vec![alice]));
    assert_eq!(world.receivers(other), Receivers::Verified(vec![bob]));
}

/// PRIV-5.
#[test]
fn a_subscriber_that_moves_while_it_is_asked_is_asked_anew() {
    let mut world = World::new(8);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let alice = world.add_subscriber(10, key(1));
    let challenge = world.intercept().unwrap();
    world.deliver(challenge); // What she signs now says where she is now.
    world.attach(alice, 2);
    world.run_for(SOON);
    assert_eq!(world.receivers(publisher), Receivers::Verified(vec![alice]));
    assert!(!world.told.iter().any(|(_, told)| matches!(told, Told::Refused(_))));
}

/// PRIV-3: what a publisher does not know of the subscriber as the subscriber knows it, is no proof.
#[test]
fn a_proof_from_another_place_than_the_publisher_knows_is_refused() {
    for wrong in [exit(2), amop_auth::Exit { epoch: amop_wire::Epoch(9), ..exit(1) }] {
        let mut world = World::new(9);
        let publisher = world.add_publisher(1, &[&key(1)]);
        let alice = world.add_subscriber(10, key(1));
        world.tell_subscriber(alice, amop_auth::subscriber::Input::Attached(wrong));
        world.run_for(SOON);
        assert_eq!(world.told, [(publisher, Told::Refused(alice))]);
    }
}

/// PRIV-3.
#[test]
fn a_subscriber_of_another_network_is_refused() {
    let mut world = World::new(15);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let alice = world.add_subscriber_named(hr("other"), 10, key(1));
    world.run_for(SOON);
    assert_eq!(world.told, [(publisher, Told::Refused(alice))]);
}

/// PRIV-6: nothing is lost while keys change, and the verdict does not pause.
#[test]
fn a_verdict_is_renewed_before_it_ends() {
    let mut world = World::new(10);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let alice = world.add_subscriber(10, key(1));
    world.run_for(SOON);
    let challenges = world.sent.len();
    for round in 0..12 {
        assert_eq!(world.receivers(publisher), Receivers::Verified(vec![alice]), "{round}");
        world.unicast(publisher, alice, "hello").unwrap();
        world.multicast(publisher, "hello").unwrap();
        world.run_for(VALID_MAX / 4);
    }
    assert_eq!(world.opened[&alice].len(), 24);
    assert_eq!(world.answers.len(), 12);
    let challenges = world.sent[challenges..]
        .iter()
        .filter(|parcel| matches!(&parcel.what, What::Handshake(message) if message[1] == 1));
    assert_eq!(challenges.count(), 3, "once in 50 minutes");
    world.lose(100);
    world.run_for(VALID_MAX);
    assert_eq!(world.receivers(publisher), Receivers::Nobody, "a verdict ends");
    assert!(world.told.contains(&(publisher, Told::Withdrawn(alice))));
}

/// PRIV-6, in both directions.
#[test]
fn what_was_sealed_before_a_renewal_is_opened_after_it() {
    let mut world = World::new(16);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let alice = world.add_subscriber(10, key(1));
    world.run_for(SOON);
    let answered = world.unicast(publisher, alice, "answered late").unwrap();
    let question = world.intercept().unwrap();
    world.deliver(question);
    let answer = world.intercept().unwrap();
    let delivered = world.unicast(publisher, alice, "delivered late").unwrap();
    let question = world.intercept().unwrap();

    let sent = world.sent.len();
    world.run_for(RENEW_AFTER + SOON);
    assert_eq!(world.sent.len(), sent + 3, "challenge, proof, confirmation");
    world.deliver(answer);
    world.deliver(question);
    world.run_for(SOON);
    assert_eq!(world.opened[&alice].last().map(|(id, _)| *id), Some(delivered));
    let ids: Vec<_> = world.answers.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [answered, delivered]);
}

/// PRIV-12.
#[test]
fn who_comes_reads_nothing_of_before_and_who_goes_nothing_of_after() {
    let mut world = World::new(11);
    let publisher = world.add_publisher(1, &[&key(1), &key(2)]);
    let alice = world.add_subscriber(10, key(1));
    world.run_for(SOON);
    world.multicast(publisher, "before bob").unwrap();
    world.run_for(SOON);
    let bob = world.add_subscriber(12, key(2));
    world.run_for(SOON);
    world.multicast(publisher, "with bob").unwrap();
    world.run_for(SOON);
    // Bob goes, yet listens on; he says that he lost the key, to be given it again.
    world.remove(publisher, &key(2));
    let (id, _) = world.multicast(publisher, "after bob").unwrap();
    world.run_for(SOON);
    // Whatever was sent comes to him too.
    let mut all = Vec::new();
    for parcel in &world.sent {
        all.push(Parcel { to: bob, ..parcel.clone() });
    }
    for parcel in all {
        world.deliver(parcel);
    }
    let texts = |who: Instance| {
        let texts = world.opened[&who].iter().map(|(_, payload)| payload.clone());
        texts.collect::<Vec<_>>()
    };
    assert_eq!(texts(alice), ["before bob", "with bob", "after bob"]);
    assert_eq!(texts(bob), ["with bob"]);
    assert_eq!(world.opened[&alice].last().unwrap().0, id);
}

/// PRIV-12: the key travels with the messages until it is known to be there.
#[test]
fn a_multicast_brings_its_key_until_the_subscriber_says_that_it_has_it() {
    let mut world = World::new(12);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let alice = world.add_subscriber(10, key(1));
    world.run_for(SOON);
    let mut length = || {
        world.multicast(publisher, "hello").unwrap();
        let Some(Parcel { what: What::Payload(_, sealed), .. }) = world.sent.last() else {
            panic!("a payload was sent last");
        };
        let length = sealed.len();
        (length, world.run_for(SOON)).0
    };
    let (first, second) = (length(), length());
    assert_eq!(first - second, 74, "8 bytes of instance and 66 of a wrapped key");
    assert_eq!(second, 18 + 2 + "hello".len() + 16);
    assert_eq!(world.opened[&alice].len(), 2);
}

/// PRIV-13.
#[test]
fn a_subscriber_that_lost_its_keys_is_heard_and_gets_others() {
    let mut world = World::new(13);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let alice = world.add_subscriber(10, key(1));
    world.run_for(SOON);
    world.multicast(publisher, "one").unwrap();
    world.run_for(SOON);
    let again = amop_auth::subscriber::Input::Subscribe { topic: topic(), key: key(1) };
    world.tell_subscriber(alice, again);
    for _ in 0..5 {
        world.multicast(publisher, "two").unwrap();
        world.run_for(Duration::from_millis(1100));
    }
    assert_eq!(
        world.opened[&alice].len(),
        1 + 4,
        "all but the first after that: {:?}",
        world.opened
    );
    let again = amop_auth::subscriber::Input::Subscribe { topic: topic(), key: key(1) };
    world.tell_subscriber(alice, again);
    world.unicast(publisher, alice, "lost").unwrap();
    world.run_for(Duration::from_millis(1100));
    let id = world.unicast(publisher, alice, "found").unwrap();
    world.run_for(SOON);
    assert_eq!(world.answers.last(), Some(&(id, Bytes::from("re: found"))));
}

/// PRIV-13: what was sealed is told about elsewhere.
#[test]
fn who_is_said_to_have_no_keys_is_verified_anew_and_stays_verified_meanwhile() {
    let mut world = World::new(19);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let alice = world.add_subscriber(10, key(1));
    world.run_for(SOON);
    let cannot = amop_auth::publisher::Input::CannotOpen { topic: topic(), subscriber: alice };
    world.tell(publisher, cannot);
    assert_eq!(world.receivers(publisher), Receivers::Verified(vec![alice]));
    world.run_for(Duration::from_millis(900));
    let renewed = (publisher, Told::Renewed(alice));
    assert!(!world.told.contains(&renewed), "at most once a second");
    world.run_for(Duration::from_millis(200));
    assert!(world.told.contains(&renewed));
}

/// PRIV-13: the key of a group is wrapped for the channel that there is.
#[test]
fn a_key_that_is_still_due_follows_its_member_to_another_channel() {
    let mut world = World::new(17);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let alice = world.add_subscriber(10, key(1));
    world.run_for(SOON);
    world.lose(100);
    world.multicast(publisher, "lost, and the key with it").unwrap();
    world.lose(0);
    let again = amop_auth::subscriber::Input::Subscribe { topic: topic(), key: key(1) };
    world.tell_subscriber(alice, again);
    world.unicast(publisher, alice, "lost").unwrap();
    world.run_for(Duration::from_millis(1200));
    let (id, _) = world.multicast(publisher, "found").unwrap();
    world.run_for(SOON);
    assert_eq!(world.opened[&alice], [(id, Bytes::from("found"))]);
}

/// PRIV-7.
#[test]
fn a_challenge_without_a_word_is_repeated_every_500_ms_as_it_was() {
    let mut world = World::new(18);
    let publisher = world.add_publisher(1, &[&key(1)]);
    world.lose(100);
    let alice = world.add_subscriber(10, key(1));
    world.run_for(Duration::from_millis(4999));
    let challenges = world.sent.iter().map(|parcel| format!("{:?}", parcel.what));
    let challenges = challenges.collect::<Vec<_>>();
    assert_eq!(challenges.len(), 10);
    assert!(challenges.iter().all(|challenge| *challenge == challenges[0]));
    world.run_for(Duration::from_millis(1));
    assert_eq!(world.told, [(publisher, Told::Refused(alice))]);
}
