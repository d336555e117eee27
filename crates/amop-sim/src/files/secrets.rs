//! Whether anybody learns of a file on a private topic who may not: nodes, other clients, or whoever has no listed
//! key. What is secret of it can be told at a glance: its name begins with a word, and its hashes and
//! each fourth byte of its stream are one byte.

use std::collections::{BTreeMap, BTreeSet};

use amop_wire::{FileOffer, Frame, Instance, Topic};

use super::content::{Content, SECRET_BYTE, SECRET_LABEL};
use crate::world::World;

/// What a world knows of secret files.
#[derive(Debug, Default)]
pub(crate) struct SecretFiles {
    /// The keys that were on the list of a sender when it offered the file.
    may_read: BTreeMap<Content, BTreeSet<u8>>,
}

impl World {
    /// FILE-14: an offer leaves, sealed for somebody who holds a key that is listed now.
    pub(super) fn note_sealed_offer(&mut self, client: usize, to: Instance, offer: &FileOffer) {
        let listed = self.clients[client].allowed.get(&offer.topic).cloned().unwrap_or_default();
        if !self.holds_any(to, &offer.topic, &listed) {
            let what = format!("c{client} offers {} to {to}, who is not listed", offer.label);
            self.record.broken.push(what);
        }
        let may = self.file_record.secrets.may_read.entry(Content::of(offer)).or_default();
        may.extend(listed);
    }

    /// FILE-14: a client has opened an offer, so it must hold a key that was listed when it was made.
    pub(super) fn note_opened_offer(&mut self, client: usize, offer: &FileOffer) {
        let Some(core) = &self.clients[client].core else { return };
        let may = self.file_record.secrets.may_read.get(&Content::of(offer));
        let may = may.cloned().unwrap_or_default();
        if !self.holds_any(core.instance(), &offer.topic, &may) {
            let what = format!("c{client} opens {}, which is for others", offer.label);
            self.record.broken.push(what);
        }
    }

    /// FILE-14: who receives with a key takes no offer in the clear.
    pub(super) fn note_clear_offer(&mut self, client: usize, offer: &FileOffer) {
        if self.clients[client].keys.contains_key(&offer.topic) {
            let what = format!("c{client} takes {} in the clear on {}", offer.label, offer.topic);
            self.record.broken.push(what);
        }
    }

    /// A file gets its name. A secret one only where somebody holds a key for it.
    pub(super) fn check_reader(&mut self, client: usize, offer: &FileOffer) {
        if Content::of(offer).is_secret() {
            self.note_opened_offer(client, offer);
        }
    }

    /// FILE-14: nothing of a secret file is ever seen on a link.
    pub(super) fn check_secret_file(&mut self, frame: &Frame) {
        if self.file_record.secrets.may_read.is_empty() {
            return;
        }
        if tells(&frame.header) || is_of_stream(&frame.payload) {
            let what =
                format!("a secret file is seen on a link: {}", self.file_words(frame.clone()));
            self.record.broken.push(what.chars().take(WIDTH_MAX).collect());
        }
    }

    fn holds_any(&self, instance: Instance, topic: &Topic, keys: &BTreeSet<u8>) -> bool {
        let held = self.secrets.held.get(&(instance, topic.clone()));
        held.is_some_and(|held| !held.is_disjoint(keys))
    }
}

/// Whether a header names a secret file, or its hashes.
fn tells(header: &[u8]) -> bool {
    let has = |word: &[u8]| header.windows(word.len()).any(|window| window == word);
    has(SECRET_LABEL.as_bytes()) || has(&[SECRET_BYTE; 16]) || has(&[!SECRET_BYTE; 16])
}

/// Whether a payload is of the stream of a secret file.
fn is_of_stream(payload: &[u8]) -> bool {
    (0..payload.len().min(BEGIN_BYTES)).any(|at| {
        let bytes = payload[at..].iter().step_by(4).take(BYTES_SEEN);
        bytes.len() == BYTES_SEEN && bytes.clone().all(|byte| *byte == SECRET_BYTE)
    })
}

/// Where in a payload its plaintext begins at the latest.
const BEGIN_BYTES: usize = 64;

/// So many bytes that are alike are no chance.
const BYTES_SEEN: usize = 6;

/// How much is said of what was seen.
const WIDTH_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_is_seen_wherever_it_is_cut_and_what_is_public_is_not() {
        let size = Content::SIZE_MAX;
        let (secret, public) = (Content::secret(3, size), Content { number: 3, size });
        for from in [0, 1, 2, 3, 70_000] {
            assert!(is_of_stream(&secret.stream()[from..from + 24]));
            assert!(!is_of_stream(&public.stream()[from..from + 24]));
        }
        let header = |content: Content| {
            let offer = content.offer("a.sdk.b.amop".parse().unwrap(), "t".parse().unwrap());
            [offer.label.as_str().as_bytes(), &offer.sha256, &offer.list_sha256].concat()
        };
        let (secret, public) = (header(secret), header(public));
        assert!(!tells(&public));
        let label = secret.len() - 64;
        for part in [&secret[..label], &secret[label..label + 32], &secret[label + 32..]] {
            assert!(tells(part));
        }
    }
}
