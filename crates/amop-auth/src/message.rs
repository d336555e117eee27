//! What publisher and subscriber say to each other, byte by byte.
//!
//! Every message begins with a version and a kind and has one valid encoding: fields of fixed size, one
//! after another, and nothing behind them. What has another length, version or kind is no message.
//!
//! ```text
//! challenge      1 │ 1 │ nonce (32) │ ephemeral (32) │ certificate's SHA-256 (32) │ seconds valid u32
//! proof          1 │ 2 │ publisher's nonce (32) │ topic key (33) │ nonce (32) │ ephemeral (32) │ signature (64)
//! confirmation   1 │ 3 │ publisher's nonce (32) │ confirmation (32)
//! lost           1 │ 4 │ id of a key u64, or 0 for all keys
//! ```
//!
//! The other kinds are sealed, and have the form that the module `seal` gives them.

use crate::public_key::{PUBLIC_KEY_BYTES, SIGNATURE_BYTES};
use crate::seal::KeyId;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A publisher asks for a proof (0x30 in AMOP's documents).
    Challenge = 1,
    /// A subscriber gives it (0x31).
    Proof = 2,
    /// A publisher took it.
    Confirmation = 3,
    /// A subscriber has no such key.
    Lost = 4,
    /// A subscriber has the key of a group, sealed.
    Holds = 5,
    /// The key of a group for one subscriber, sealed.
    Wrap = 6,
    /// A unicast, sealed.
    Unicast = 16,
    /// The answer to a unicast, sealed.
    Answer = 17,
    /// A multicast, sealed.
    Multicast = 18,
    /// The offer of a file, sealed.
    Offer = 19,
}

impl Kind {
    pub(crate) fn read(version: u8, kind: u8) -> Option<Self> {
        const KINDS: [Kind; 10] = [
            Kind::Challenge,
            Kind::Proof,
            Kind::Confirmation,
            Kind::Lost,
            Kind::Holds,
            Kind::Wrap,
            Kind::Unicast,
            Kind::Answer,
            Kind::Multicast,
            Kind::Offer,
        ];
        KINDS.into_iter().find(|known| version == VERSION && kind == *known as u8)
    }
}

/// A message of the handshake that is not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    Challenge(Challenge),
    Proof(Proof),
    Confirmation { publisher_nonce: [u8; 32], confirmation: [u8; 32] },
    Lost(KeyId),
}

/// What a publisher says to be proved something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) nonce: [u8; 32],
    pub(crate) ephemeral: [u8; 32],
    pub(crate) certificate: [u8; 32],
    pub(crate) valid_seconds: u32,
}

/// What a subscriber says to prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) publisher_nonce: [u8; 32],
    pub(crate) key: [u8; PUBLIC_KEY_BYTES],
    pub(crate) nonce: [u8; 32],
    pub(crate) ephemeral: [u8; 32],
    pub(crate) signature: [u8; SIGNATURE_BYTES],
}

impl Handshake {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let start = |kind: Kind| vec![VERSION, kind as u8];
        match self {
            Self::Challenge(Challenge { nonce, ephemeral, certificate, valid_seconds }) => {
                let valid = valid_seconds.to_be_bytes();
                [&start(Kind::Challenge)[..], nonce, ephemeral, certificate, &valid].concat()
            }
            Self::Proof(Proof { publisher_nonce, key, nonce, ephemeral, signature }) => {
                [&start(Kind::Proof)[..], publisher_nonce, key, nonce, ephemeral, signature]
                    .concat()
            }
            Self::Confirmation { publisher_nonce, confirmation } => {
                [&start(Kind::Confirmation)[..], publisher_nonce, confirmation].concat()
            }
            Self::Lost(id) => [&start(Kind::Lost)[..], &id.0.to_be_bytes()].concat(),
        }
    }

    /// Reads a message; `None` if it is none, or sealed.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (&[version, kind], rest) = bytes.split_first_chunk()?;
        let mut rest = Rest(rest);
        let message = match Kind::read(version, kind)? {
            Kind::Challenge => Self::Challenge(Challenge {
                nonce: rest.take()?,
                ephemeral: rest.take()?,
                certificate: rest.take()?,
                valid_seconds: u32::from_be_bytes(rest.take()?),
            }),
            Kind::Proof => Self::Proof(Proof {
                publisher_nonce: rest.take()?,
                key: rest.take()?,
                nonce: rest.take()?,
                ephemeral: rest.take()?,
                signature: rest.take()?,
            }),
            Kind::Confirmation => {
                Self::Confirmation { publisher_nonce: rest.take()?, confirmation: rest.take()? }
            }
            Kind::Lost => Self::Lost(KeyId(u64::from_be_bytes(rest.take()?))),
            Kind::Holds
            | Kind::Wrap
            | Kind::Unicast
            | Kind::Answer
            | Kind::Multicast
            | Kind::Offer => return None,
        };
        rest.0.is_empty().then_some(message)
    }
}

/// What of a message was not read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
}

/// The one version that there is.
pub(crate) const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn handshake() -> impl Strategy<Value = Handshake> {
        let bytes = || any::<[u8; 32]>();
        prop_oneof![
            (bytes(), bytes(), bytes(), any::<u32>()).prop_map(
                |(nonce, ephemeral, certificate, valid_seconds)| {
                    Handshake::Challenge(Challenge { nonce, ephemeral, certificate, valid_seconds })
                }
            ),
            (bytes(), bytes(), bytes(), bytes()).prop_map(
                |(publisher_nonce, nonce, ephemeral, other)| {
                    let (mut key, mut signature) = ([2; PUBLIC_KEY_BYTES], [9; SIGNATURE_BYTES]);
                    key[1..].copy_from_slice(&other);
                    signature[..32].copy_from_slice(&other);
                    Handshake::Proof(Proof { publisher_nonce, key, nonce, ephemeral, signature })
                }
            ),
            (bytes(), bytes()).prop_map(|(publisher_nonce, confirmation)| {
                Handshake::Confirmation { publisher_nonce, confirmation }
            }),
            any::<u64>().prop_map(|id| Handshake::Lost(KeyId(id))),
        ]
    }

    proptest! {
        #[test]
        fn a_message_is_read_as_it_was_written_and_has_no_other_encoding(
            message in handshake(), cut in 0_usize..200, version: u8,
        ) {
            let encoded = message.encode();
            prop_assert_eq!(Handshake::read(&encoded), Some(message));
            prop_assert_eq!(Handshake::read(&[&encoded[..], &[0]].concat()), None);
            prop_assert_eq!(Handshake::read(&encoded[..cut.min(encoded.len() - 1)]), None);
            let other = [&[version], &encoded[1..]].concat();
            prop_assert_eq!(Handshake::read(&other).is_some(), version == VERSION);
        }

        #[test]
        fn any_bytes_are_a_message_with_those_bytes_or_none(
            kind in 0_u8..20, bytes in prop::collection::vec(any::<u8>(), 0..220),
        ) {
            let bytes = [&[VERSION, kind], &bytes[..]].concat();
            if let Some(message) = Handshake::read(&bytes) {
                prop_assert_eq!(message.encode(), bytes);
            }
        }
    }
}
