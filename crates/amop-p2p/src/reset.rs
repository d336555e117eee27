//! What lets a restarted party tell its old peers at once that their links are gone.
//!
//! A peer of a killed process keeps sending to it. QUIC answers a packet of an unknown connection
//! with a stateless reset, which the peer believes only if the token in it is the one that the
//! killed process had handed out. Two things must therefore outlive the process, and both are
//! derived from the private key: the key of the tokens, and the key by which an endpoint
//! recognises a connection id as one of its own. Without the second, quinn drops the packet in
//! silence, since its own generator has a random key.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, Tag, sign};
use aws_lc_rs::rand;
use quinn::crypto::HmacKey;
use quinn::{ConnectionId, ConnectionIdGenerator};
use quinn_proto::InvalidCid;

/// The two keys that survive a restart.
#[derive(Clone)]
pub(crate) struct ResetKeys {
    token: Key,
    connection_id: Key,
}

impl ResetKeys {
    pub(crate) fn derive(private_key_der: &[u8]) -> Self {
        let secret = Key::new(HMAC_SHA256, private_key_der);
        let derive =
            |purpose: &str| Key::new(HMAC_SHA256, sign(&secret, purpose.as_bytes()).as_ref());
        Self {
            token: derive("amop-p2p/v1 stateless reset token"),
            connection_id: derive("amop-p2p/v1 connection id"),
        }
    }

    pub(crate) fn token_key(&self) -> Arc<dyn HmacKey> {
        Arc::new(self.token.clone())
    }

    pub(crate) fn connection_ids(&self) -> impl ConnectionIdGenerator + use<> {
        KeyedIds { key: self.connection_id.clone() }
    }
}

impl fmt::Debug for ResetKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResetKeys")
    }
}

/// Makes connection ids of a random part and a tag over it, so that garbage is told from a packet
/// of an earlier life and does not use up the few resets that quinn sends a second.
struct KeyedIds {
    key: Key,
}

impl KeyedIds {
    fn tag(&self, random: &[u8]) -> Tag {
        sign(&self.key, random)
    }
}

impl ConnectionIdGenerator for KeyedIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; RANDOM_BYTES + TAG_BYTES];
        let (random, tag) = id.split_at_mut(RANDOM_BYTES);
        rand::fill(random).expect("the system has randomness");
        tag.copy_from_slice(&self.tag(random).as_ref()[..TAG_BYTES]);
        ConnectionId::new(&id)
    }

    fn validate(&self, id: &ConnectionId) -> Result<(), InvalidCid> {
        let (random, tag) = id.split_at_checked(RANDOM_BYTES).ok_or(InvalidCid)?;
        if self.tag(random).as_ref()[..TAG_BYTES] == *tag { Ok(()) } else { Err(InvalidCid) }
    }

    fn cid_len(&self) -> usize {
        RANDOM_BYTES + TAG_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

const RANDOM_BYTES: usize = 8;
const TAG_BYTES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_knows_the_connection_ids_of_its_earlier_life_and_no_others() {
        let id = ResetKeys::derive(b"key").connection_ids().generate_cid();
        assert_eq!(id.len(), RANDOM_BYTES + TAG_BYTES);

        assert!(ResetKeys::derive(b"key").connection_ids().validate(&id).is_ok());
        assert!(ResetKeys::derive(b"another key").connection_ids().validate(&id).is_err());
        let garbage = ConnectionId::new(&[7; RANDOM_BYTES + TAG_BYTES]);
        assert!(ResetKeys::derive(b"key").connection_ids().validate(&garbage).is_err());
        let short = ConnectionId::new(b"short");
        assert!(ResetKeys::derive(b"key").connection_ids().validate(&short).is_err());
    }

    #[test]
    fn the_token_of_a_connection_id_is_the_same_after_a_restart() {
        let token = |key: &[u8]| {
            let mut token = [0; 32];
            ResetKeys::derive(key).token_key().sign(b"id", &mut token);
            token
        };
        assert_eq!(token(b"key"), token(b"key"));
        assert_ne!(token(b"key"), token(b"another key"));
    }
}
