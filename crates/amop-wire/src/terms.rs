//! What a publish asks for beyond the usual.

use sha2::{Digest, Sha256};

use crate::generated as pb;
use crate::in_order::{InOrder, SomeFields};
use crate::{Instance, MsgId};

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

    /// The fields of these terms, none if they are the usual ones.
    pub(crate) fn to_fields(self) -> SomeFields<TERMS_BYTES_MAX> {
        let mut fields = SomeFields::new();
        if self.are_usual() {
            return fields;
        }
        let Self { key, at_least_once, redelivered, sealing } = self;
        let halves = key.map(Key::as_id);
        let sealed_for = match sealing {
            Sealing::For(Instance(instance)) => Some(instance),
            Sealing::Clear | Sealing::Group => None,
        };
        fields
            .fixed64(1, halves.map(|high| high.publisher.0))
            .fixed64(2, halves.map(|low| low.counter))
            .flag(3, Some(at_least_once))
            .flag(4, Some(redelivered))
            .fixed64(5, sealed_for)
            .flag(6, (sealing == Sealing::Group).then_some(true));
        fields
    }

    /// Takes the next field, if it is the terms: else they are the usual ones.
    pub(crate) fn in_order(fields: &mut InOrder<'_>, number: u8) -> Option<Self> {
        let Some(bytes) = fields.maybe(|fields| fields.bytes(number)) else {
            return Some(Self::default());
        };
        let mut fields = InOrder::message(bytes);
        let terms = pb::Terms {
            key_high: fields.maybe(|fields| fields.fixed64(1)),
            key_low: fields.maybe(|fields| fields.fixed64(2)),
            at_least_once: fields.maybe(|fields| fields.flag(3)),
            redelivered: fields.maybe(|fields| fields.flag(4)),
            sealed_for: fields.maybe(|fields| fields.fixed64(5)),
            sealed_for_group: fields.maybe(|fields| fields.flag(6)),
        };
        fields.end()?;
        Some(Self::read(Some(terms)))
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

/// Three numbers of 64 bits and three flags, each with its beginning.
const TERMS_BYTES_MAX: usize = 3 * 9 + 3 * 2;

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
