//! Seals and opens bytes under one key: AES-256-GCM, each nonce once.
//!
//! A key is known to its two ends, or to the members of a group, and used in one direction. Its
//! [`Sealer`] counts the nonces and is the only one that uses them, so none can come twice; it
//! cannot be cloned. An [`Opener`] takes each number once, in any order within bounds.
//!
//! ```text
//! sealed   head │ ciphertext │ tag (16)
//! head     version 1 │ kind u8 │ id of the key u64 │ counter u64 │ more of some kinds
//! nonce    0 (4) │ counter u64
//! with     "AMOP-SEALED/v1" 0 │ head │ what both ends know beside it
//! ```

use bytes::BufMut;

use crate::cipher::{Cipher, nonce};
use crate::limits::{RENEW_AFTER_SEALED, SEALED_HEAD_BYTES, SEALED_MAX, TAG_BYTES};
use crate::message::{Kind, VERSION};
use crate::window::Window;

/// Which key something is sealed under, as it is told in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyId(pub(crate) u64);

impl KeyId {
    /// In a message about lost keys: all of them.
    pub(crate) const ALL: Self = Self(0);
}

/// The end of a key that seals.
pub(crate) struct Sealer {
    id: KeyId,
    cipher: Cipher,
    next: u64,
    /// Where what is authenticated beside is put together; it says nothing between the calls.
    with: Vec<u8>,
}

/// The end of a key that opens.
pub(crate) struct Opener {
    cipher: Cipher,
    seen: Window,
    /// As of a [`Sealer`].
    with: Vec<u8>,
}

/// The beginning of something sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealedHead {
    pub(crate) kind: Kind,
    pub(crate) key: KeyId,
    pub(crate) counter: u64,
}

impl Sealer {
    pub(crate) fn new(id: KeyId, key: &[u8; 32]) -> Self {
        Self { id, cipher: Cipher::new(key), next: 0, with: Vec::new() }
    }

    /// The name of the key.
    pub(crate) fn id(&self) -> KeyId {
        self.id
    }

    /// Whether it is time for another key.
    pub(crate) fn is_worn(&self) -> bool {
        self.next >= RENEW_AFTER_SEALED
    }

    /// Whether the key seals nothing any more.
    pub(crate) fn is_spent(&self) -> bool {
        self.next >= SEALED_MAX
    }

    /// Seals `plain` in room for so many bytes; `more` follows the head in the clear, and `context` is known to
    /// both ends. `None` once the key is spent.
    pub(crate) fn seal<B: AsMut<[u8]> + BufMut>(
        &mut self,
        room: impl FnOnce(usize) -> B,
        kind: Kind,
        more: &[u8],
        context: &[u8],
        plain: &[&[u8]],
    ) -> Option<B> {
        if self.is_spent() {
            return None;
        }
        let head = SealedHead { kind, key: self.id, counter: self.next };
        // It is used up whatever happens below.
        self.next += 1;
        let head_bytes = SEALED_HEAD_BYTES + more.len();
        let plain_bytes: usize = plain.iter().map(|part| part.len()).sum();
        let mut sealed = room(head_bytes + plain_bytes + TAG_BYTES);
        sealed.put_slice(&head.encode());
        sealed.put_slice(more);
        put_with(&mut self.with, sealed.as_mut(), context);
        plain.iter().for_each(|part| sealed.put_slice(part));
        self.cipher.seal(nonce(head.counter), &self.with, &mut sealed, head_bytes);
        Some(sealed)
    }

    /// Acts as if so many messages were sealed.
    #[cfg(test)]
    pub(crate) fn skip_to(&mut self, next: u64) {
        self.next = next;
    }
}

impl Opener {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self { cipher: Cipher::new(key), seen: Window::default(), with: Vec::new() }
    }

    /// Opens what begins with a head of `head_bytes`, in so many zeros as it is long, unless its number was
    /// seen. What is not authentic leaves no trace.
    pub(crate) fn open<B: AsMut<[u8]>>(
        &mut self,
        zeros: impl FnOnce(usize) -> B,
        head: SealedHead,
        sealed: &[u8],
        head_bytes: usize,
        context: &[u8],
    ) -> Result<B, NotOpened> {
        if !self.seen.is_new(head.counter) {
            return Err(NotOpened::Seen);
        }
        let (head_part, body) = sealed.split_at(head_bytes);
        put_with(&mut self.with, head_part, context);
        let plain = self.cipher.open(nonce(head.counter), &self.with, body, zeros);
        let plain = plain.ok_or(NotOpened::Forged)?;
        self.seen.mark(head.counter);
        Ok(plain)
    }
}

/// Why something sealed was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// It was opened before, or is too old to tell.
    Seen,
    /// It was altered, or sealed under another key or for something else.
    Forged,
}

impl SealedHead {
    fn encode(self) -> [u8; SEALED_HEAD_BYTES] {
        let mut bytes = [0; SEALED_HEAD_BYTES];
        bytes[..2].copy_from_slice(&[VERSION, self.kind as u8]);
        bytes[2..10].copy_from_slice(&self.key.0.to_be_bytes());
        bytes[10..].copy_from_slice(&self.counter.to_be_bytes());
        bytes
    }

    /// Reads the beginning of something sealed; `None` if it is something else.
    pub(crate) fn read(sealed: &[u8]) -> Option<Self> {
        let (&[version, kind], rest) = sealed.split_first_chunk()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (counter, _) = rest.split_first_chunk()?;
        let kind = Kind::read(version, kind)?;
        let (key, counter) = (KeyId(u64::from_be_bytes(*key)), u64::from_be_bytes(*counter));
        Some(Self { kind, key, counter })
    }
}

fn put_with(with: &mut Vec<u8>, head: &[u8], context: &[u8]) {
    with.clear();
    [DOMAIN, head, context].into_iter().for_each(|part| with.extend_from_slice(part));
}

const DOMAIN: &[u8] = b"AMOP-SEALED/v1\0";

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn room(bytes: usize) -> Vec<u8> {
        Vec::with_capacity(bytes)
    }

    fn zeros(bytes: usize) -> Vec<u8> {
        vec![0; bytes]
    }

    fn open(opener: &mut Opener, sealed: &[u8], context: &[u8]) -> Result<Vec<u8>, NotOpened> {
        let head = SealedHead::read(sealed).unwrap();
        opener.open(zeros, head, sealed, SEALED_HEAD_BYTES, context)
    }

    #[test]
    fn what_is_sealed_is_opened_once_and_in_any_order() {
        let (mut sealer, mut opener) = (Sealer::new(KeyId(3), &KEY), Opener::new(&KEY));
        let mut seal =
            |plain: &[u8]| sealer.seal(room, Kind::Unicast, &[], b"for", &[plain]).unwrap();
        let (first, second) = (seal(b"one"), seal(b"two"));
        assert_eq!(open(&mut opener, &second, b"for"), Ok(b"two".to_vec()));
        assert_eq!(open(&mut opener, &first, b"for"), Ok(b"one".to_vec()));
        assert_eq!(open(&mut opener, &first, b"for"), Err(NotOpened::Seen));
    }

    #[test]
    fn whatever_bit_is_changed_it_is_not_opened_and_leaves_no_trace() {
        let (mut sealer, mut opener) = (Sealer::new(KeyId(3), &KEY), Opener::new(&KEY));
        let sealed = sealer.seal(room, Kind::Unicast, b"more", b"for", &[b"pla", b"in"]).unwrap();
        let head_bytes = SEALED_HEAD_BYTES + 4;
        let head = SealedHead::read(&sealed).unwrap();
        // The id only says which key to take.
        for bit in 0..8 * sealed.len() {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let head = SealedHead::read(&changed).unwrap_or(head);
            let opened = opener.open(zeros, head, &changed, head_bytes, b"for");
            assert_eq!(opened, Err(NotOpened::Forged), "bit {bit}");
        }
        for short in head_bytes..sealed.len() {
            let opened = opener.open(zeros, head, &sealed[..short], head_bytes, b"for");
            assert_eq!(opened, Err(NotOpened::Forged));
        }
        assert_eq!(opener.open(zeros, head, &sealed, head_bytes, b"other"), Err(NotOpened::Forged));
        assert_eq!(opener.open(zeros, head, &sealed, head_bytes, b"for"), Ok(b"plain".to_vec()));
    }

    #[test]
    fn no_nonce_is_used_twice_and_none_past_the_limit() {
        let mut sealer = Sealer::new(KeyId(3), &KEY);
        let mut counter = || {
            let sealed = sealer.seal(room, Kind::Unicast, &[], b"", &[])?;
            Some(SealedHead::read(&sealed).unwrap().counter)
        };
        assert_eq!([counter(), counter(), counter()], [Some(0), Some(1), Some(2)]);
        sealer.skip_to(RENEW_AFTER_SEALED - 1);
        assert!(!sealer.is_worn());
        sealer.skip_to(RENEW_AFTER_SEALED);
        assert!(sealer.is_worn());
        sealer.skip_to(SEALED_MAX - 1);
        assert!(sealer.seal(room, Kind::Unicast, &[], b"", &[]).is_some(), "the last one");
        assert!(sealer.seal(room, Kind::Unicast, &[], b"", &[]).is_none(), "one past it");
    }
}
