//! What a publish asks for beyond the usual.

use sha2::{Digest, Sha256};

use crate::fields::{node_id_words, text, ttl_millis};
use crate::generated as pb;
use crate::{Delivery, Instance, MsgId, Publish, Request};

/// How often a unicast may be handled. The default is the usual: at most once, and two publishes are
/// two messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Terms {
    /// Makes publishes of one publisher with the same key one message to their subscriber.
    pub key: Option<Key>,
    /// Whether another subscriber may be asked while one may handle it.
    pub at_least_once: bool,
    /// Whether another subscriber may have handled it. Set by the publisher's node.
    pub redelivered: bool,
    /// Who can open the payload.
    pub sealing: Sealing,
}

/// Who can open a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sealing {
    /// Everybody: it travels as it is.
    #[default]
    Clear,
    /// It is a unicast, and this subscriber alone can: no other is asked.
    For(Instance),
    /// It is a multicast, and the verified subscribers can.
    Group,
}

/// An idempotency key: 128 bits of a hash of what the application calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u128);

impl Key {
    /// The key that an application calls so: the first half of SHA-256 of `AMOP-KEY/v1`, a zero byte,
    /// and the name.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"AMOP-KEY/v1\0");
        hash.update(name);
        let hash: [u8; 32] = hash.finalize().into();
        let (first_half, _) = hash.split_first_chunk().expect("32 bytes");
        Self(u128::from_be_bytes(*first_half))
    }
}

impl Key {
    /// The key as a message id, for a choice that goes by it.
    #[must_use]
    pub fn as_id(self) -> MsgId {
        let Self(key) = self;
        #[expect(clippy::cast_possible_truncation, reason = "each is one half")]
        let (publisher, counter) = (Instance((key >> 64) as u64), key as u64);
        MsgId { publisher, counter }
    }
}

impl Terms {
    /// Whether nothing is asked for; such terms do not travel.
    #[must_use]
    pub fn are_usual(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn to_proto(self) -> Option<pb::Terms> {
        let Self { key, at_least_once, redelivered, sealing } = self;
        #[expect(clippy::cast_possible_truncation, reason = "each is one half")]
        let halves = key.map(|Key(key)| ((key >> 64) as u64, key as u64));
        (!self.are_usual()).then_some(pb::Terms {
            key_high: halves.map(|(high, _)| high),
            key_low: halves.map(|(_, low)| low),
            at_least_once: Some(at_least_once),
            redelivered: Some(redelivered),
            sealed_for: match sealing {
                Sealing::For(Instance(instance)) => Some(instance),
                Sealing::Clear | Sealing::Group => None,
            },
            sealed_for_group: (sealing == Sealing::Group).then_some(true),
        })
    }

    pub(crate) fn read(terms: Option<pb::Terms>) -> Self {
        let Some(terms) = terms else { return Self::default() };
        let key = match (terms.key_high, terms.key_low) {
            (None, None) => None,
            (high, low) => {
                let half = |half: Option<u64>| u128::from(half.unwrap_or_default());
                Some(Key(half(high) << 64 | half(low)))
            }
        };
        Self {
            key,
            at_least_once: terms.at_least_once.unwrap_or_default(),
            redelivered: terms.redelivered.unwrap_or_default(),
            sealing: match (terms.sealed_for, terms.sealed_for_group.unwrap_or_default()) {
                (Some(instance), _) => Sealing::For(Instance(instance)),
                (None, true) => Sealing::Group,
                (None, false) => Sealing::Clear,
            },
        }
    }
}

impl Publish {
    /// The general form, for terms that are not the usual ones.
    pub(crate) fn to_proto(&self) -> pb::Publish {
        pb::Publish {
            counter: Some(self.counter),
            ttl_ms: Some(ttl_millis(self.ttl)),
            mode: Some(self.mode.number()),
            sequence: Some(self.sequence),
            topic: text(self.topic.as_bytes()),
            terms: self.terms.to_proto(),
        }
    }
}

impl Delivery {
    /// The general form, for terms that are not the usual ones.
    pub(crate) fn to_proto(&self) -> pb::Delivery {
        pb::Delivery {
            publisher: Some(self.attempt.id.publisher.0),
            counter: Some(self.attempt.id.counter),
            ttl_ms: Some(ttl_millis(self.ttl)),
            attempt: Some(self.attempt.number),
            home: node_id_words(self.attempt.home),
            from: text(self.from.as_bytes()),
            topic: text(self.topic.as_bytes()),
            terms: self.terms.to_proto(),
        }
    }
}

impl Request {
    /// The general form, for terms that are not the usual ones.
    pub(crate) fn to_proto(&self) -> pb::Request {
        pb::Request {
            publisher: Some(self.id.publisher.0),
            counter: Some(self.id.counter),
            ttl_ms: Some(ttl_millis(self.ttl)),
            attempt: Some(self.attempt),
            subscriber: Some(self.subscriber.0),
            exit_epoch: Some(self.exit_epoch.0),
            from: text(self.from.as_bytes()),
            topic: text(self.topic.as_bytes()),
            terms: self.terms.to_proto(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_name_never_changes() {
        // printf 'AMOP-KEY/v1\0order-4711' | sha256sum
        assert_eq!(Key::of(b"order-4711"), Key(0xc9cc_5482_3bf0_959c_38c5_7310_f113_3583));
        assert_ne!(Key::of(b"order-4712"), Key::of(b"order-4711"));
    }
}
