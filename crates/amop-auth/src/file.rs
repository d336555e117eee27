//! Seals a file on its way to one receiver.
//!
//! Its publisher draws a key for each file and receiver, and says it to that receiver in the offer, which is
//! sealed on their channel. Pieces are sealed under that key one by one. They may be sent again, in other
//! lengths, so their nonces are numbers of their own, counted up and told with each piece; what a piece counts
//! for is in what is authenticated beside it:
//!
//! ```text
//! keys    HKDF-SHA256, expanded from the key of the file with "AMOP-FILE/v1 pieces"
//! piece   counter u64 │ ciphertext │ tag (16)
//! nonce   0 (4) │ counter u64
//! with    "AMOP-FILE-PIECE/v1" 0 │ transfer u64 │ sender u64 │ receiver u64 │ offset u64
//! done    expanded with "AMOP-FILE/v1 done" │ SHA-256 of the file
//! ```
//!
//! The last one shows that the receiver has the file, and nobody else can make or read it. A receiver takes each byte of a file once,
//! in order, so it needs no memory of numbers: a copy of a piece is one of the same bytes at the same place.

use amop_wire::Instance;
use bytes::Bytes;
use hkdf::Hkdf;
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Entropy;
use crate::cipher::{Cipher, nonce};
use crate::limits::{FILE_PIECES_MAX, TAG_BYTES};

/// One file on its way to one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileWay {
    /// The number of the transfer, which its sender counts.
    pub transfer: u64,
    /// Who sends.
    pub sender: Instance,
    /// Who receives.
    pub receiver: Instance,
}

/// The end that seals a file. It cannot be cloned, so that no number is used twice.
pub struct FileSealer {
    way: FileWay,
    key: FileKey,
    cipher: Cipher,
    next: u64,
}

/// The end that opens it.
pub struct FileOpener {
    way: FileWay,
    key: FileKey,
    cipher: Cipher,
}

/// The key of one file for one receiver.
struct FileKey(Zeroizing<[u8; KEY_BYTES]>);

impl FileSealer {
    /// With a key that nobody has used.
    pub(crate) fn draw(way: FileWay, entropy: &mut Entropy) -> Self {
        let key = FileKey(entropy.draw());
        Self { way, cipher: key.cipher(), key, next: 0 }
    }

    /// Which file, to whom.
    #[must_use]
    pub fn way(&self) -> FileWay {
        self.way
    }

    /// Seals bytes of its stream from this offset on: they are 24 longer then. `None` after 2^32 pieces.
    pub fn seal(&mut self, start: u64, plain: &[u8]) -> Option<Bytes> {
        if self.next >= FILE_PIECES_MAX {
            return None;
        }
        let counter = self.next;
        // It is used up whatever happens below.
        self.next += 1;
        let mut sealed = Vec::<u8>::with_capacity(COUNTER_BYTES + plain.len() + TAG_BYTES);
        sealed.extend_from_slice(&counter.to_be_bytes());
        sealed.extend_from_slice(plain);
        self.cipher.seal(nonce(counter), &self.way.with(start), &mut sealed, COUNTER_BYTES);
        Some(sealed.into())
    }

    /// Whether that is what the receiver of this file says when it has it.
    #[must_use]
    pub fn is_done(&self, said: &[u8; 32], sha256: &[u8; 32]) -> bool {
        self.key.done(sha256).ct_eq(said).into()
    }

    /// What the receiver gets in the offer: the key, and then the rest.
    pub(crate) fn put_key(&self, offer: &[u8]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&self.key.0[..], offer].concat())
    }
}

impl FileOpener {
    /// Takes the key out of what came in an offer, and answers the rest.
    pub(crate) fn read(way: FileWay, said: &[u8]) -> Option<(Self, &[u8])> {
        let (key, offer) = said.split_first_chunk()?;
        let key = FileKey(Zeroizing::new(*key));
        Some((Self { way, cipher: key.cipher(), key }, offer))
    }

    /// Opens bytes of its stream that are said to begin at this offset; `None` if they were not sealed for this
    /// file, this receiver and this place.
    #[must_use]
    pub fn open(&self, start: u64, sealed: &[u8]) -> Option<Bytes> {
        let (counter, body) = sealed.split_first_chunk()?;
        let nonce = nonce(u64::from_be_bytes(*counter));
        let plain = self.cipher.open(nonce, &self.way.with(start), body, |bytes| vec![0; bytes])?;
        Some(plain.into())
    }

    /// What to say when the file of this hash is there.
    #[must_use]
    pub fn done(&self, sha256: &[u8; 32]) -> [u8; 32] {
        self.key.done(sha256)
    }
}

impl FileKey {
    fn cipher(&self) -> Cipher {
        Cipher::new(&self.expand(&[b"pieces"]))
    }

    fn done(&self, sha256: &[u8; 32]) -> [u8; 32] {
        *self.expand(&[b"done", sha256])
    }

    fn expand(&self, purpose: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let from = Hkdf::<Sha256>::from_prk(&*self.0).expect("the key is as long as a hash");
        let info: Vec<&[u8]> =
            [b"AMOP-FILE/v1 ".as_slice()].iter().chain(purpose).copied().collect();
        let mut expanded = Zeroizing::new([0; 32]);
        from.expand_multi_info(&info, &mut *expanded).expect("HKDF gives up to 8,160 bytes");
        expanded
    }
}

impl FileWay {
    fn with(self, start: u64) -> Vec<u8> {
        let Self { transfer, sender, receiver } = self;
        let numbers = [transfer, sender.0, receiver.0, start].map(u64::to_be_bytes);
        [b"AMOP-FILE-PIECE/v1\0".as_slice(), numbers.as_flattened()].concat()
    }
}

/// Shows no key.
impl fmt::Debug for FileSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSealer").field("way", &self.way).finish_non_exhaustive()
    }
}

/// Shows no key.
impl fmt::Debug for FileOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileOpener").field("way", &self.way).finish_non_exhaustive()
    }
}

const KEY_BYTES: usize = 32;

const COUNTER_BYTES: usize = 8;

const _: () = assert!(COUNTER_BYTES + TAG_BYTES <= amop_wire::limits::FILE_SEAL_BYTES_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    const WAY: FileWay = FileWay { transfer: 1, sender: Instance(2), receiver: Instance(3) };

    fn ends(way: FileWay, seed: u8) -> (FileSealer, FileOpener) {
        let sealer = FileSealer::draw(way, &mut Entropy::new([seed; 32]));
        let said = sealer.put_key(b"offer");
        let (opener, offer) = FileOpener::read(way, &said).unwrap();
        assert_eq!(offer, b"offer");
        (sealer, opener)
    }

    /// FILE-14
    #[test]
    fn a_piece_is_opened_at_its_place_by_its_receiver_and_nowhere_else() {
        let (mut sealer, opener) = ends(WAY, 1);
        let sealed = sealer.seal(7, b"plain").unwrap();
        assert_eq!(opener.open(7, &sealed), Some(Bytes::from_static(b"plain")));
        assert_eq!(opener.open(8, &sealed), None, "another place");
        assert_eq!(ends(WAY, 2).1.open(7, &sealed), None, "another key");
        for way in [
            FileWay { transfer: 9, ..WAY },
            FileWay { sender: Instance(9), ..WAY },
            FileWay { receiver: Instance(9), ..WAY },
        ] {
            assert_eq!(ends(way, 1).1.open(7, &sealed), None, "{way:?}");
        }
        for bit in 0..8 * sealed.len() {
            let mut changed = sealed.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opener.open(7, &changed), None, "bit {bit}");
        }
        for short in 0..sealed.len() {
            assert_eq!(opener.open(7, &sealed[..short]), None);
        }
    }

    /// FILE-14
    #[test]
    fn what_is_sent_again_is_sealed_under_another_nonce_and_none_is_used_past_the_limit() {
        let (mut sealer, opener) = ends(WAY, 1);
        let mut counter = || {
            let sealed = sealer.seal(7, b"plain").unwrap();
            assert!(opener.open(7, &sealed).is_some());
            u64::from_be_bytes(*sealed.first_chunk().unwrap())
        };
        assert_eq!([counter(), counter(), counter()], [0, 1, 2]);
        sealer.next = FILE_PIECES_MAX - 1;
        assert!(sealer.seal(7, b"last").is_some());
        assert_eq!(sealer.seal(7, b"one past it"), None);
    }

    #[test]
    fn only_the_receiver_can_say_that_it_has_this_file() {
        let (sealer, opener) = ends(WAY, 1);
        let said = opener.done(&[5; 32]);
        assert!(sealer.is_done(&said, &[5; 32]) && said != [5; 32]);
        assert!(!sealer.is_done(&said, &[6; 32]), "another file");
        assert!(!sealer.is_done(&ends(WAY, 2).1.done(&[5; 32]), &[5; 32]), "another key");
    }
}
