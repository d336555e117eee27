//! Proves that a subscriber holds its key, to the publisher that asked.

use std::time::Duration;

use amop_wire::{Instance, Instant, Name, Topic};

use super::peer::Held;
use crate::channel::{Ephemeral, Side};
use crate::message::{Challenge, Handshake, Proof};
use crate::statement::Statement;
use crate::{Entropy, Exit, SecretKey};

/// What a subscriber knows by itself of what it is to prove.
pub(crate) struct Claim<'a> {
    pub(crate) network: &'a str,
    pub(crate) topic: &'a Topic,
    pub(crate) name: &'a Name,
    pub(crate) from: Instance,
    pub(crate) subscriber: Instance,
    pub(crate) exit: Exit,
}

impl Claim<'_> {
    /// Makes a channel, and the proof that goes with it. `None` if anybody could know its keys.
    pub(crate) fn prove(
        &self,
        now: Instant,
        key: &SecretKey,
        challenge: Challenge,
        entropy: &mut Entropy,
    ) -> Option<Held> {
        let (nonce, ephemeral) = (*entropy.draw(), Ephemeral::draw(entropy));
        let (public, half) = (*key.public().as_bytes(), ephemeral.public());
        let statement = Statement {
            network: self.network,
            topic: self.topic,
            publisher: self.name,
            certificate: &challenge.certificate,
            publisher_instance: self.from,
            publisher_nonce: &challenge.nonce,
            publisher_ephemeral: &challenge.ephemeral,
            key: &public,
            subscriber: self.subscriber,
            subscriber_nonce: &nonce,
            subscriber_ephemeral: &half,
            exit: self.exit,
            valid_seconds: challenge.valid_seconds,
        };
        let signature = key.sign(&statement);
        let (theirs, statement) = (&challenge.ephemeral, statement.to_sign());
        let channel = ephemeral.agree(Side::Subscriber, theirs, &statement, &signature)?;
        let publisher_nonce = challenge.nonce;
        let proof = Proof { publisher_nonce, key: public, nonce, ephemeral: half, signature };
        let proof = Handshake::Proof(proof).encode().into();
        let until = now + Duration::from_secs(challenge.valid_seconds.into());
        Some(Held { challenge, proof, channel, until, is_confirmed: false })
    }
}
