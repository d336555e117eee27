//! Keys that wear out, which takes too many messages for anybody but a test that can skip them.

use amop_wire::{Epoch, Name, NodeId};

use super::*;
use crate::limits::{BACKOFF_MIN, RENEW_AFTER, RENEW_AFTER_SEALED, SEALED_MAX, VALID_MAX};
use crate::subscriber::{Effect as SubscriberEffect, Input as SubscriberInput};
use crate::{Exit, SecretKey, Subscriber};

const ALICE: Instance = Instance(10);

/// A publisher and a subscriber with a perfect network between them.
struct Pair {
    now: Instant,
    publisher: Publisher,
    subscriber: Subscriber,
    challenges: usize,
    counter: u64,
}

impl Pair {
    /// A pair whose subscriber is verified.
    fn new() -> Self {
        let name = "payroll.sdk.bank-a.amop".parse().unwrap();
        let identity = Identity { name, certificate: [5; 32], instance: Instance(1) };
        let publisher = Publisher::new(identity, Entropy::new([1; 32]));
        let subscriber = Subscriber::new(hr(), ALICE, Entropy::new([2; 32]));
        let now = Instant::default();
        let mut pair = Self { now, publisher, subscriber, challenges: 0, counter: 0 };
        let key = SecretKey::generate(&mut Entropy::new([3; 32]));
        let keys = [key.public()].into();
        let exit = Exit { node: NodeId::from_bytes([1; 32]), epoch: Epoch(1) };
        pair.subscriber.handle(now, SubscriberInput::Attached(exit));
        pair.subscriber.handle(now, SubscriberInput::Subscribe { topic: topic(), key });
        pair.tell(Input::Allow { topic: topic(), keys });
        pair.tell(Input::Appeared { topic: topic(), subscriber: ALICE, exit });
        assert_eq!(pair.receivers(), Receivers::Verified(vec![ALICE]));
        pair
    }

    fn receivers(&self) -> Receivers {
        self.publisher.receivers(self.now, &topic())
    }

    /// Hands something in, and carries messages to and fro until there are none.
    fn tell(&mut self, input: Input) {
        self.publisher.handle(self.now, input);
        while let Some(effect) = self.publisher.poll_effect() {
            let Effect::Send { topic, message, .. } = effect else { continue };
            self.challenges += usize::from(message[1] == 1);
            let (from, name) = (Instance(1), self.publisher.identity.name.clone());
            let input = SubscriberInput::Message { topic, from, name, message };
            self.subscriber.handle(self.now, input);
        }
        self.take_replies();
    }

    fn take_replies(&mut self) {
        while let Some(effect) = self.subscriber.poll_effect() {
            let SubscriberEffect::Send { topic, message, .. } = effect else { continue };
            self.tell(Input::Message { topic, from: ALICE, message });
        }
    }

    fn next_id(&mut self) -> MsgId {
        self.counter += 1;
        MsgId { publisher: Instance(1), counter: self.counter }
    }

    fn unicast(&mut self) -> Result<(), SealError> {
        let id = self.next_id();
        let sealed = self.publisher.seal_unicast(self.now, &topic(), ALICE, id, &[b"hello"])?;
        assert!(self.subscriber.open(self.now, &topic(), id, &sealed).is_ok());
        self.take_replies();
        Ok(())
    }

    /// Sends a multicast. Gives the name of its key.
    fn multicast(&mut self) -> Vec<u8> {
        let id = self.next_id();
        let multicast = self.publisher.seal_multicast(self.now, &topic(), id, &[b"hello"]).unwrap();
        assert!(self.subscriber.open(self.now, &topic(), id, &multicast.sealed).is_ok());
        self.take_replies();
        multicast.sealed[2..10].to_vec()
    }

    fn audience(&mut self) -> &mut Audience {
        self.publisher.audiences.get_mut(&topic()).unwrap()
    }

    fn wear_out(&mut self, next: u64) {
        let now = self.now;
        self.audience().wear_out(now, ALICE, next);
    }
}

fn hr() -> Name {
    "hr.sdk.bank-c.amop".parse().unwrap()
}

fn topic() -> Topic {
    "salary".parse().unwrap()
}

/// PRIV-6.
#[test]
fn a_channel_that_has_sealed_2_to_the_20_messages_is_replaced_and_not_one_earlier() {
    let mut pair = Pair::new();
    pair.wear_out(RENEW_AFTER_SEALED - 1);
    pair.unicast().unwrap();
    pair.tell(Input::Timeout);
    assert_eq!(pair.challenges, 1, "the limit");
    pair.unicast().unwrap();
    assert_eq!(pair.publisher.poll_timeout(), Some(pair.now), "one past it");
    pair.tell(Input::Timeout);
    assert_eq!(pair.challenges, 2);
    pair.unicast().unwrap();
    pair.now = pair.now + BACKOFF_MIN;
    pair.tell(Input::Timeout);
    assert_eq!(pair.challenges, 2, "the new one is fresh");
}

/// PRIV-6.
#[test]
fn a_channel_that_could_not_be_replaced_seals_nothing_past_its_limit() {
    let mut pair = Pair::new();
    pair.wear_out(SEALED_MAX - 1);
    pair.unicast().unwrap();
    assert_eq!(pair.unicast(), Err(SealError::NotVerified));
    assert_eq!(pair.receivers(), Receivers::Verifying, "the renewal is due");
    pair.tell(Input::Timeout);
    pair.unicast().unwrap();
}

/// PRIV-6: whoever drives the machine may be late.
#[test]
fn a_verdict_that_is_over_counts_no_more_even_if_nobody_handed_in_the_timeout() {
    let mut pair = Pair::new();
    pair.now = pair.now + VALID_MAX - BACKOFF_MIN;
    pair.unicast().unwrap();
    pair.now = pair.now + BACKOFF_MIN;
    assert_eq!(pair.unicast(), Err(SealError::NotVerified));
    assert_eq!(pair.receivers(), Receivers::Verifying);
}

/// PRIV-12.
#[test]
fn the_key_of_a_group_is_replaced_by_count_and_by_time() {
    let mut pair = Pair::new();
    let first = pair.multicast();
    assert_eq!(pair.multicast(), first);
    pair.audience().wear_group_out(RENEW_AFTER_SEALED - 1);
    assert_eq!(pair.multicast(), first, "the limit");
    let second = pair.multicast();
    assert_ne!(second, first, "one past it");
    pair.now = pair.now + RENEW_AFTER - BACKOFF_MIN;
    assert_eq!(pair.multicast(), second);
    pair.now = pair.now + BACKOFF_MIN;
    assert_ne!(pair.multicast(), second);
}

/// PRIV-14: at the limit, and one past it.
#[test]
fn what_is_late_is_opened_under_the_last_four_keys_of_a_group() {
    for (keys_after, is_opened) in [(3, true), (4, false)] {
        let mut pair = Pair::new();
        pair.multicast();
        let id = pair.next_id();
        let late = pair.publisher.seal_multicast(pair.now, &topic(), id, &[b"late"]).unwrap();
        for _ in 0..keys_after {
            pair.audience().wear_group_out(RENEW_AFTER_SEALED);
            pair.multicast();
        }
        let opened = pair.subscriber.open(pair.now, &topic(), id, &late.sealed);
        assert_eq!(opened.is_ok(), is_opened, "{keys_after} keys after it");
        while pair.subscriber.poll_effect().is_some() {}
    }
}

/// PRIV-12: whoever asks for a key after it was made gets the next one, and if none is made, none.
#[test]
fn who_was_not_there_when_a_key_was_made_is_never_given_it() {
    let mut pair = Pair::new();
    pair.multicast();
    let bob = SecretKey::generate(&mut Entropy::new([4; 32]));
    let mut keys = pair.audience_keys();
    keys.insert(bob.public());
    pair.tell(Input::Allow { topic: topic(), keys });

    // Bob is a machine of his own, beside that of Alice.
    let mut bobs = Subscriber::new(hr(), Instance(12), Entropy::new([5; 32]));
    let exit = Exit { node: NodeId::from_bytes([1; 32]), epoch: Epoch(1) };
    bobs.handle(pair.now, SubscriberInput::Attached(exit));
    let key = bob.public();
    bobs.handle(pair.now, SubscriberInput::Subscribe { topic: topic(), key: bob });
    let appeared = Input::Appeared { topic: topic(), subscriber: Instance(12), exit };
    pair.publisher.handle(pair.now, appeared);
    let Some(Effect::Send { message, .. }) = pair.publisher.poll_effect() else {
        panic!("bob is asked at once");
    };
    let (from, name) = (Instance(1), pair.publisher.identity.name.clone());
    let input = SubscriberInput::Message { topic: topic(), from, name, message };
    bobs.handle(pair.now, input);
    let Some(SubscriberEffect::Send { message, .. }) = bobs.poll_effect() else {
        panic!("bob answers");
    };
    let from = Instance(12);
    pair.publisher.handle(pair.now, Input::Message { topic: topic(), from, message });
    while pair.publisher.poll_effect().is_some() {}
    assert_eq!(pair.receivers(), Receivers::Verified(vec![ALICE, Instance(12)]));

    // He claims to have lost a key that he never had, and is removed.
    let lost = crate::message::Handshake::Lost(KeyId(0)).encode().into();
    pair.publisher.handle(pair.now, Input::Message { topic: topic(), from, message: lost });
    pair.publisher.handle(pair.now, Input::Remove { topic: topic(), key });
    while pair.publisher.poll_effect().is_some() {}
    let id = pair.next_id();
    let multicast = pair.publisher.seal_multicast(pair.now, &topic(), id, &[b"hello"]).unwrap();
    assert_eq!(multicast.receivers, [ALICE]);
    assert!(bobs.open(pair.now, &topic(), id, &multicast.sealed).is_err());
}

impl Pair {
    fn audience_keys(&mut self) -> std::collections::BTreeSet<crate::PublicKey> {
        self.audience().keys().clone()
    }
}
