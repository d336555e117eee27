//! What others can make a machine hold or do: at the limit, and one past it.

use std::time::Duration;

use amop_auth::limits::{
    PRIVATE_PAYLOAD_BYTES_MAX, PUBLISHERS_PER_TOPIC_MAX, SIGNATURES_AT_ONCE,
    SUBSCRIBERS_PER_TOPIC_MAX,
};
use amop_auth::publisher::Input;
use amop_auth::{Receivers, SealError};
use amop_wire::Instance;
use bytes::Bytes;

use crate::world::{Parcel, SOON, Told, What, World, exit, key, pair, sent, topic};

/// PRIV-14: at the limit, and one past it.
#[test]
fn a_subscriber_signs_20_times_a_second_and_the_same_proof_costs_nothing() {
    let (mut world, publisher, alice) = pair(9);
    world.run_for(Duration::from_secs(2));
    let challenge = sent(&world, 1);
    let mut ask = |nonce: u32| {
        let mut message = challenge.to_vec();
        message[2..6].copy_from_slice(&nonce.to_be_bytes());
        let sent = world.sent.len();
        let what = What::Handshake(message.into());
        world.deliver(Parcel { from: publisher, to: alice, what });
        world.sent.len() - sent
    };
    let signed: usize = (0..100).map(&mut ask).sum();
    assert_eq!(signed, usize::try_from(SIGNATURES_AT_ONCE).unwrap());
    assert_eq!(ask(19), 1, "it was asked that before");
    assert_eq!(ask(100), 0);
}

/// PRIV-14: at the limit, and one past it.
#[test]
fn a_subscriber_has_channels_with_so_many_publishers_and_keeps_those_that_are_confirmed() {
    let (mut world, publisher, alice) = pair(10);
    let challenge = sent(&world, 1);
    for number in 0..2 * PUBLISHERS_PER_TOPIC_MAX {
        world.run_for(Duration::from_millis(50));
        let from = Instance(1000 + u64::try_from(number).unwrap());
        let what = What::Handshake(challenge.clone());
        let sent = world.sent.len();
        world.deliver(Parcel { from, to: alice, what });
        assert_eq!(world.sent.len(), sent + 1, "nobody who claims nothing more stays in the way");
    }
    let id = world.unicast(publisher, alice, "still there").unwrap();
    world.run_for(SOON);
    assert_eq!(world.opened[&alice], [(id, Bytes::from("still there"))]);
}

/// PRIV-14: what is not signed costs nobody anything.
#[test]
fn challenges_that_are_not_answered_push_nobody_out() {
    let (mut world, _, alice) = pair(16);
    let challenge = sent(&world, 1);
    let ask = |world: &mut World, number: usize| {
        let from = Instance(1000 + u64::try_from(number).unwrap());
        let (what, sent) = (What::Handshake(challenge.clone()), world.sent.len());
        world.deliver(Parcel { from, to: alice, what });
        world.sent.len() - sent
    };
    for number in 1..PUBLISHERS_PER_TOPIC_MAX {
        world.run_for(Duration::from_millis(50));
        assert_eq!(ask(&mut world, number), 1);
    }
    // Challenges of the same moment use the allowance up, and push out as many.
    let many = usize::try_from(SIGNATURES_AT_ONCE).unwrap();
    let signed: usize = (1000..1100).map(|number| ask(&mut world, number)).sum();
    assert!(signed <= many, "{signed}");
    assert_eq!(ask(&mut world, PUBLISHERS_PER_TOPIC_MAX - 1), 1, "the proof is still known");
    let known = (1..PUBLISHERS_PER_TOPIC_MAX).filter(|number| ask(&mut world, *number) == 1);
    assert_eq!(known.count(), PUBLISHERS_PER_TOPIC_MAX - 1 - signed);
}

/// PRIV-14: at the limit, and one past it. What is not sealed uses nothing up.
#[test]
fn a_payload_that_would_be_too_long_once_sealed_is_refused() {
    let (mut world, publisher, alice) = pair(12);
    let longest = "x".repeat(PRIVATE_PAYLOAD_BYTES_MAX);
    world.unicast(publisher, alice, &longest).unwrap();
    world.multicast(publisher, &longest).unwrap();
    let longer = format!("{longest}x");
    let refused = SealError::TooLong { bytes: longer.len() };
    assert_eq!(world.unicast(publisher, alice, &longer), Err(refused));
    assert_eq!(world.multicast(publisher, &longer), Err(refused));
    let long = |what: &What| matches!(what, What::Payload(_, sealed) if sealed.len() > 1 << 20);
    assert!(!world.sent.iter().any(|parcel| long(&parcel.what)));
}

/// PRIV-14: at the limit, and one past it.
#[test]
fn a_publisher_knows_of_so_many_subscribers_and_one_that_is_away_makes_room() {
    let mut world = World::new(14);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let appear = |world: &mut World, number: usize| {
        let subscriber = Instance(u64::try_from(number).unwrap());
        let (topic, exit) = (topic(), exit(1));
        world.tell(publisher, Input::Appeared { topic, subscriber, exit });
        subscriber
    };
    for number in 0..SUBSCRIBERS_PER_TOPIC_MAX {
        appear(&mut world, 1000 + number);
    }
    assert!(world.told.is_empty(), "the limit");
    let refused = appear(&mut world, 10);
    assert_eq!(world.told, [(publisher, Told::Refused(refused))], "one past it");
    world.tell(publisher, Input::Gone { topic: topic(), subscriber: Instance(1000) });
    world.add_subscriber(10, key(1));
    world.run_for(SOON);
    assert_eq!(world.receivers(publisher), Receivers::Verified(vec![refused]));
}

/// PRIV-14: one that is confirmed, and three that may be.
#[test]
fn a_subscriber_keeps_four_channels_with_a_publisher() {
    let (mut world, publisher, alice) = pair(17);
    let challenge = sent(&world, 1);
    let mut ask = |nonce: u8| {
        let mut message = challenge.to_vec();
        message[2..34].copy_from_slice(&[nonce; 32]);
        let what = What::Handshake(message.into());
        world.deliver(Parcel { from: publisher, to: alice, what });
        match world.sent.last() {
            Some(Parcel { what: What::Handshake(proof), .. }) => proof.clone(),
            _ => panic!("a proof was sent last"),
        }
    };
    let proofs = [1, 2, 3].map(&mut ask);
    assert_eq!([1, 2, 3].map(&mut ask), proofs, "the limit");
    ask(4);
    assert_eq!([2, 3].map(&mut ask), proofs[1..], "one past it");
    assert_ne!(ask(1), proofs[0], "it made way, and is made anew");
}
