//! What a client, a node, a relay or a member that was let go tries, and does not get.

use std::time::Duration;

use amop_auth::publisher::Input;
use amop_auth::{OpenError, Receivers};
use amop_wire::{Instance, MsgId};
use bytes::Bytes;

use crate::world::{Parcel, SOON, Told, What, World, exit, key, pair, sent, topic};

fn flip(message: &Bytes, bit: usize) -> Bytes {
    let mut changed = message.to_vec();
    changed[bit / 8] ^= 1 << (bit % 8);
    changed.into()
}

/// PRIV-3: each field of challenge and proof in turn, bit by bit of its first and last byte.
#[test]
fn a_handshake_with_any_field_changed_on_its_way_verifies_nobody() {
    let (world, ..) = pair(1);
    let fields = |starts: &[usize], length: usize| {
        let ends = starts[1..].iter().chain([&length]).map(|end| end - 1);
        starts.iter().copied().chain(ends).collect::<Vec<_>>()
    };
    // Nonce, ephemeral, certificate, validity; nonce, key, nonce, ephemeral, signature.
    let (challenge, proof) = (sent(&world, 1), sent(&world, 2));
    assert_eq!((challenge.len(), proof.len()), (102, 195));
    let places = fields(&[0, 1, 2, 34, 66, 98], 102).into_iter().map(|at| (1, at));
    let more = fields(&[0, 1, 2, 34, 67, 99, 131, 163], 195).into_iter().map(|at| (2, at));
    let places =
        places.chain(more).flat_map(|(kind, at)| [0, 4, 7].map(|bit| (kind, 8 * at + bit)));
    for (kind, bit) in places {
        let mut world = World::new(1);
        let publisher = world.add_publisher(1, &[&key(1)]);
        world.add_subscriber(10, key(1));
        // Messages pass through the attacker, who changes one bit of one kind of them.
        while let Some(parcel) = world.intercept() {
            let What::Handshake(message) = &parcel.what else { continue };
            let is_meant = message[1] == kind;
            let what = if is_meant { flip(message, bit) } else { message.clone() };
            world.deliver(Parcel { what: What::Handshake(what), ..parcel });
        }
        assert_ne!(world.receivers(publisher), Receivers::Verified(vec![Instance(10)]));
        let told = world.told.iter().any(|(_, told)| matches!(told, Told::Verified(..)));
        assert!(!told, "{kind} with bit {bit} changed");
    }
}

/// PRIV-3: the nodes attest wrongly who it is.
#[test]
fn a_true_proof_is_worth_nothing_from_another_instance_or_for_another_publisher() {
    let mut world = World::new(2);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let alice = world.add_subscriber(10, key(1));
    let challenge = world.intercept().unwrap();
    world.deliver(challenge);
    let proof = world.intercept().unwrap();
    // Mallory is attached too. Her challenge is gone; she hands in what Alice said.
    let mallory = world.add_subscriber(11, key(2));
    world.intercept().unwrap();
    world.deliver(Parcel { from: mallory, ..proof.clone() });
    assert_eq!(world.receivers(publisher), Receivers::Verifying);
    world.deliver(proof);
    assert_eq!(world.receivers(publisher), Receivers::Verified(vec![alice]));
}

/// PRIV-3: its own node tells Alice that somebody else asks, by another name or another process of that name. So
/// neither is Payroll deceived by what she proves to Mallory, nor Mallory by what she proves to Payroll.
#[test]
fn a_node_that_shows_its_client_another_publisher_has_nobody_verified() {
    for (name, shown) in [("mallory.sdk.bank-a.amop", 1), ("payroll.sdk.bank-a.amop", 2)] {
        let mut world = World::new(19);
        let publisher = world.add_publisher(1, &[&key(1)]);
        let alice = world.add_subscriber(10, key(1));
        let challenge = world.intercept().unwrap();
        let What::Handshake(message) = challenge.what else { panic!("a challenge comes first") };
        let (topic, from, name) = (topic(), Instance(shown), name.parse().unwrap());
        let input = amop_auth::subscriber::Input::Message { topic, from, name, message };
        world.tell_subscriber(alice, input);
        let proof = world.intercept().expect("she proves it to whom she was shown");
        assert_eq!(proof.to, from);
        world.deliver(Parcel { to: publisher, ..proof });
        assert_eq!(world.told, [(publisher, Told::Refused(alice))]);
        // Once the node is honest again, she is verified.
        world.run_for(Duration::from_secs(2));
        assert_eq!(world.receivers(publisher), Receivers::Verified(vec![alice]));
    }
}

/// PRIV-4: single use. A proof is good once, a challenge makes one channel.
#[test]
fn nothing_that_is_played_again_is_taken_again() {
    let (mut world, publisher, alice) = pair(3);
    world.unicast(publisher, alice, "one").unwrap();
    world.multicast(publisher, "two").unwrap();
    world.run_for(SOON);
    let (told, sent) = (world.told.len(), world.sent.clone());
    for parcel in sent.iter().cloned().chain(sent.iter().rev().cloned()) {
        world.deliver(parcel);
    }
    world.run_for(SOON);
    assert_eq!((world.opened[&alice].len(), world.answers.len()), (2, 1));
    assert_eq!(world.told.len(), told, "no verdict, no channel");
    // After the subscriber's key is off the list, no recording of its proof lets it in.
    world.remove(publisher, &key(1));
    world.allow(publisher, &[&key(2)]);
    for parcel in sent {
        world.deliver(parcel);
    }
    world.run_for(Duration::from_secs(10));
    assert_ne!(world.receivers(publisher), Receivers::Verified(vec![alice]));
}

/// PRIV-7: the original's failed verdict sticks, so that one client locks another out.
#[test]
fn a_false_proof_of_one_instance_keeps_no_other_out() {
    let mut world = World::new(4);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let mallory = world.add_subscriber(11, key(2));
    world.run_for(SOON);
    let alice = world.add_subscriber(10, key(1));
    world.run_for(SOON);
    assert_eq!(world.receivers(publisher), Receivers::Verified(vec![alice]));
    assert!(!world.told.contains(&(publisher, Told::Withdrawn(alice))));
    // Nor does garbage, nor a false proof in her own name, take back a true one.
    let proof = flip(&sent(&world, 2), 8 * 194);
    for message in [Bytes::new(), Bytes::from_static(&[1]), vec![1; 300].into(), proof] {
        world.deliver(Parcel {
            from: alice,
            to: publisher,
            what: What::Handshake(message.clone()),
        });
        world.deliver(Parcel { from: mallory, to: publisher, what: What::Handshake(message) });
    }
    assert_eq!(world.receivers(publisher), Receivers::Verified(vec![alice]));
}

/// PRIV-11: bound to message, topic, publisher and subscriber, and to its direction.
#[test]
fn a_sealed_payload_counts_for_nothing_but_what_it_was_sealed_for() {
    let (mut world, publisher, alice) = pair(5);
    world.unicast(publisher, alice, "pay 100").unwrap();
    let Some(Parcel { what: What::Payload(id, sealed), .. }) = world.sent.last().cloned() else {
        panic!("a payload was sent last");
    };
    let now = world.now;
    let mut open = |topic: &str, id: MsgId, sealed: &[u8]| {
        let subscriber = world.subscribers.get_mut(&alice).unwrap();
        let opened = subscriber.open(now, &topic.parse().unwrap(), id, sealed);
        while subscriber.poll_effect().is_some() {}
        opened
    };
    let other = MsgId { counter: id.counter + 1, ..id };
    assert_eq!(open("salary", other, &sealed), Err(OpenError::Forged));
    let other = MsgId { publisher: Instance(2), ..id };
    assert_eq!(open("salary", other, &sealed), Err(OpenError::UnknownKey));
    assert_eq!(open("bonus", id, &sealed), Err(OpenError::UnknownKey));
    for bit in 0..8 * sealed.len() {
        assert!(open("salary", id, &flip(&sealed, bit)).is_err(), "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert!(open("salary", id, &sealed[..length]).is_err(), "{length} bytes");
    }
    assert_eq!(open("salary", id, b"in the clear"), Err(OpenError::NotSealed));
    assert_eq!(open("salary", id, &sealed).unwrap().payload, "pay 100");
    assert_eq!(open("salary", id, &sealed), Err(OpenError::Seen));
}

/// PRIV-10: a node that claims to be the publisher gets its own questions answered, and no others.
#[test]
fn an_answer_goes_to_whoever_sealed_the_question() {
    let (mut world, publisher, alice) = pair(6);
    let id = world.unicast(publisher, alice, "balance?").unwrap();
    let question = world.intercept().unwrap();
    let What::Payload(_, sealed) = &question.what else { panic!("a payload was sent") };
    let now = world.now;
    let opened = world.subscribers.get_mut(&alice).unwrap();
    let opened = opened.open(now, &topic(), id, sealed).unwrap();

    // Another machine with the same instance, and any list, makes a channel in between.
    let mut evil = World::new(66);
    evil.add_publisher(1, &[&key(1)]);
    evil.subscribers.insert(alice, world.subscribers.remove(&alice).unwrap());
    evil.attach(alice, 1);
    evil.run_for(SOON);
    assert_eq!(evil.receivers(publisher), Receivers::Verified(vec![alice]));
    world.subscribers.insert(alice, evil.subscribers.remove(&alice).unwrap());

    let subscriber = world.subscribers.get_mut(&alice).unwrap();
    let key = opened.answer.unwrap();
    let answer = subscriber.seal_answer(now, &topic(), id, key, &[b"12"]).unwrap();
    let (_, mallory) = evil.publishers.get_mut(&publisher).unwrap();
    let read = mallory.open_answer(now, &topic(), alice, id, &answer);
    assert_eq!(read, Err(OpenError::UnknownKey));
    let (_, honest) = world.publishers.get_mut(&publisher).unwrap();
    assert_eq!(honest.open_answer(now, &topic(), alice, id, &answer).unwrap(), "12");
    assert_eq!(honest.open_answer(now, &topic(), alice, id, &answer), Err(OpenError::Seen));
}

/// PRIV-10.
#[test]
fn an_answer_counts_for_its_question_and_its_subscriber_alone() {
    let mut world = World::new(7);
    let publisher = world.add_publisher(1, &[&key(1), &key(2)]);
    let (alice, bob) = (world.add_subscriber(10, key(1)), world.add_subscriber(12, key(2)));
    world.run_for(SOON);
    let id = world.unicast(publisher, alice, "balance?").unwrap();
    let question = world.intercept().unwrap();
    world.deliver(question);
    let Some(Parcel { what: What::Answer(_, sealed), .. }) = world.sent.last().cloned() else {
        panic!("an answer was sent last");
    };
    let now = world.now;
    let (_, publisher) = world.publishers.get_mut(&publisher).unwrap();
    let mut open = |from, id, sealed: &[u8]| publisher.open_answer(now, &topic(), from, id, sealed);
    let other = MsgId { counter: id.counter + 1, ..id };
    assert_eq!(open(alice, other, &sealed), Err(OpenError::Forged));
    assert_eq!(open(bob, id, &sealed), Err(OpenError::UnknownKey));
    assert_eq!(open(alice, id, b"12"), Err(OpenError::NotSealed));
    assert_eq!(open(alice, id, &sealed).unwrap(), "re: balance?");
}

/// PRIV-12: else a relay could have the key left out for a member that never got it.
#[test]
fn only_the_member_itself_can_say_that_it_holds_the_key_of_a_group() {
    let (mut world, publisher, alice) = pair(14);
    world.multicast(publisher, "lost on the way").unwrap();
    let parcel = world.intercept().unwrap();
    world.deliver(parcel); // She opens it, and says so.
    let holds = world.intercept().unwrap();
    let What::Handshake(message) = &holds.what else { panic!("a handshake message") };
    assert_eq!((message[1], message.len()), (5, 18 + 8 + 16));
    let length = |world: &mut World| {
        world.multicast(publisher, "x").unwrap();
        let Some(What::Payload(_, sealed)) = world.sent.last().map(|parcel| &parcel.what) else {
            panic!("a payload was sent last");
        };
        sealed.len()
    };
    let with_key = length(&mut world);
    for bit in 0..8 * message.len() {
        let what = What::Handshake(flip(message, bit));
        world.deliver(Parcel { from: alice, to: publisher, what });
    }
    world.deliver(Parcel { from: Instance(11), ..holds.clone() });
    assert_eq!(length(&mut world), with_key);
    world.deliver(holds);
    assert_eq!(length(&mut world), with_key - 74);
}

/// PRIV-4.
#[test]
fn another_challenge_with_a_nonce_that_was_used_is_not_answered() {
    let (mut world, publisher, alice) = pair(18);
    let challenge = sent(&world, 1);
    for (changed, answers) in [(challenge.clone(), 1), (flip(&challenge, 8 * 34), 0)] {
        let sent = world.sent.len();
        let what = What::Handshake(changed);
        world.deliver(Parcel { from: publisher, to: alice, what });
        assert_eq!(world.sent.len() - sent, answers);
    }
}

/// PRIV-6: a confirmation that was lost comes again with the proof, and one that is false is none.
#[test]
fn a_confirmation_shows_the_keys_of_its_channel_and_can_be_had_again() {
    let mut world = World::new(15);
    let publisher = world.add_publisher(1, &[&key(1)]);
    let alice = world.add_subscriber(10, key(1));
    let challenge = world.intercept().unwrap();
    world.deliver(challenge);
    let proof = world.intercept().unwrap();
    world.deliver(proof.clone());
    let lost = world.intercept().unwrap();
    let What::Handshake(confirmation) = &lost.what else { panic!("a handshake message") };
    for bit in 16..8 * confirmation.len() {
        let what = What::Handshake(flip(confirmation, bit));
        world.deliver(Parcel { from: publisher, to: alice, what });
    }
    let knows = (alice, Told::Channel(publisher));
    assert!(!world.told.contains(&knows));
    world.deliver(proof);
    let again = world.intercept().unwrap();
    world.deliver(again);
    assert!(world.told.contains(&knows));
}

/// PRIV-2: nobody makes a subscriber sign what it does not mean.
#[test]
fn a_subscriber_signs_for_its_own_topics_and_for_an_hour_at_most_and_agrees_on_no_weak_point() {
    let (world, publisher, alice) = pair(8);
    let challenge = sent(&world, 1);
    let answers = |topic_name: &str, change: &dyn Fn(&mut [u8])| {
        let (mut world, ..) = pair(8);
        let mut message = challenge.to_vec();
        message[2..34].copy_from_slice(&[9; 32]);
        change(&mut message);
        let sent = world.sent.len();
        let name = "mallory.sdk.bank-m.amop".parse().unwrap();
        let (topic, message) = (topic_name.parse().unwrap(), message.into());
        let from = publisher;
        let input = amop_auth::subscriber::Input::Message { topic, from, name, message };
        world.tell_subscriber(alice, input);
        world.sent.len() - sent
    };
    assert_eq!(answers("salary", &|_| {}), 1);
    assert_eq!(answers("bonus", &|_| {}), 0, "another topic");
    assert_eq!(answers("salary", &|message| message[98..].copy_from_slice(&[0; 4])), 0, "0 s");
    let valid = |seconds: u32| {
        answers("salary", &|message| message[98..].copy_from_slice(&seconds.to_be_bytes()))
    };
    assert_eq!([valid(1), valid(3600), valid(3601), valid(u32::MAX)], [1, 1, 0, 0]);
    assert_eq!(answers("salary", &|message| message[34..66].copy_from_slice(&[0; 32])), 0, "weak");
    assert_eq!(answers("salary", &|message| message[0] = 2), 0, "another version");
}

/// PRIV-6: a relay that plays old challenges again and again.
#[test]
fn challenges_that_nobody_confirms_do_not_push_out_a_channel_in_use() {
    let (mut world, publisher, alice) = pair(11);
    let challenge = sent(&world, 1);
    for nonce in 0_u32..50 {
        world.run_for(Duration::from_millis(50));
        let mut message = challenge.to_vec();
        message[2..6].copy_from_slice(&nonce.to_be_bytes());
        let what = What::Handshake(message.into());
        world.deliver(Parcel { from: publisher, to: alice, what });
    }
    world.unicast(publisher, alice, "still there").unwrap();
    world.run_for(SOON);
    assert_eq!((world.opened[&alice].len(), world.answers.len()), (1, 1));
}

/// PRIV-1: a topic is private by a list, and nothing else.
#[test]
fn a_topic_whose_name_only_begins_alike_is_another() {
    let (mut world, publisher, alice) = pair(13);
    let longer = "salary0".parse().unwrap();
    let (_, machine) = world.publishers.get_mut(&publisher).unwrap();
    assert!(machine.is_private(&topic()) && !machine.is_private(&longer));
    assert_eq!(machine.receivers(world.now, &longer), Receivers::Nobody);
    let input = Input::Appeared { topic: longer, subscriber: alice, exit: exit(1) };
    let sent = world.sent.len();
    world.tell(publisher, input);
    assert_eq!(world.sent.len(), sent);
}
