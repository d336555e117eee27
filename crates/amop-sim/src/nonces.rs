//! Whether a number is ever used twice under one key: two sealed messages with one nonce tell each other's
//! plaintext, and let anybody forge a third.

use std::collections::BTreeMap;

use amop_core::client::Effect as ClientEffect;
use amop_wire::{ClientMessage, Instance};
use sha2::{Digest, Sha256};

use crate::world::World;

/// What everybody has sealed: under which key and number, and a hash of it.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    used: BTreeMap<(Instance, Nonce), [u8; 32]>,
}

/// The direction, the id of a key, and a number: a channel has one id and two keys, and who publishes to itself
/// has both.
type Nonce = (bool, [u8; NONCE_BYTES]);

impl World {
    /// PRIV-11: what a client seals has a number of its own, or is a copy.
    pub(crate) fn check_nonces(&mut self, client: usize, effect: &ClientEffect) {
        let ClientEffect::Send(message) = effect else { return };
        let payload = match message {
            ClientMessage::Publish(publish) => &publish.payload,
            ClientMessage::Answer(answer) => &answer.payload,
            ClientMessage::Handshake(handshake) => &handshake.payload,
            _ => return,
        };
        let Some(core) = &self.clients[client].core else { return };
        let instance = core.instance();
        for (nonce, sealed) in sealed_parts(payload) {
            let hash = Sha256::digest(sealed).into();
            let other = *self.secrets.nonces.used.entry((instance, nonce)).or_insert(hash);
            if other != hash {
                let what = format!("{instance} seals two things under {nonce:02x?}");
                self.record.broken.push(what);
            }
        }
    }
}

/// What was sealed by itself in a payload, with the id of its key and its number.
fn sealed_parts(payload: &[u8]) -> Vec<(Nonce, &[u8])> {
    let Some(([VERSION, kind], _)) = payload.split_first_chunk() else { return Vec::new() };
    if !matches!(*kind, HOLDS | UNICAST..=MULTICAST) {
        return Vec::new();
    }
    let mut parts = Vec::from_iter(part(payload));
    if let (MULTICAST, Some(members)) = (*kind, payload.get(HEAD_BYTES + 2..)) {
        let count = u16::from_be_bytes([payload[HEAD_BYTES], payload[HEAD_BYTES + 1]]);
        let wraps = members.chunks_exact(INSTANCE_BYTES + WRAP_BYTES).take(count.into());
        parts.extend(wraps.filter_map(|wrap| part(&wrap[INSTANCE_BYTES..])));
    }
    parts
}

fn part(sealed: &[u8]) -> Option<(Nonce, &[u8])> {
    let is_back = matches!(sealed.get(1)?, &HOLDS | &ANSWER);
    Some(((is_back, *sealed.get(2..)?.first_chunk()?), sealed))
}

/// The id of a key, and a number.
const NONCE_BYTES: usize = 16;

/// PRIV-11: version, kind, and those two.
const HEAD_BYTES: usize = 2 + NONCE_BYTES;

const INSTANCE_BYTES: usize = 8;

const WRAP_BYTES: usize = 66;

const VERSION: u8 = 1;

const HOLDS: u8 = 5;

const UNICAST: u8 = 16;

const ANSWER: u8 = 17;

const MULTICAST: u8 = 18;

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(kind: u8, nonce: u8, rest: &[u8]) -> Vec<u8> {
        [&[VERSION, kind][..], &[nonce; NONCE_BYTES], rest].concat()
    }

    #[test]
    fn a_multicast_has_a_number_of_its_own_and_one_for_each_key_that_it_brings() {
        let wrap = |nonce| [&[0; INSTANCE_BYTES][..], &sealed(6, nonce, &[9; 48])].concat();
        let members = [&[0, 2][..], &wrap(2), &wrap(3), b"ciphertext"].concat();
        let multicast = sealed(MULTICAST, 1, &members);
        let parts = sealed_parts(&multicast);
        let nonces: Vec<u8> = parts.iter().map(|((_, nonce), _)| nonce[0]).collect();
        assert_eq!(nonces, [1, 2, 3]);
        let there_and_back =
            [UNICAST, ANSWER].map(|kind| sealed_parts(&sealed(kind, 7, b"x"))[0].0);
        assert_ne!(there_and_back[0], there_and_back[1]);
        assert_eq!(sealed_parts(&sealed(UNICAST, 7, b"x")).len(), 1);
        assert_eq!(sealed_parts(&sealed(2, 7, b"a proof")), []);
        assert_eq!(sealed_parts(b"in the clear, and long enough to be something else"), []);
    }
}
