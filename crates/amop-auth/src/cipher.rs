//! AES-256-GCM, as the provider of TLS has it: by instructions of the processor where it has them.
//!
//! Whoever seals must never give the same nonce twice; [`nonce`] makes one of a counter. The key is
//! overwritten when the cipher is dropped: the library clears all memory that it frees.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bytes::BufMut;

use crate::limits::TAG_BYTES;

/// A key that seals and opens.
pub(crate) struct Cipher(LessSafeKey);

impl Cipher {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("it takes every key of 32 bytes");
        Self(LessSafeKey::new(key))
    }

    /// Seals what stands from `start` on, and appends the tag. `with` is authenticated beside it.
    pub(crate) fn seal(
        &self,
        nonce: [u8; 12],
        with: &[u8],
        bytes: &mut (impl AsMut<[u8]> + BufMut),
        start: usize,
    ) {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let plain = &mut bytes.as_mut()[start..];
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(with), plain);
        let tag = tag.expect("all that we seal is far below the 256 GiB of one nonce");
        bytes.put_slice(tag.as_ref());
    }

    /// Opens a ciphertext that its tag follows, in so many zeros as it is long; `None` if it was not sealed so.
    pub(crate) fn open<B: AsMut<[u8]>>(
        &self,
        nonce: [u8; 12],
        with: &[u8],
        sealed: &[u8],
        zeros: impl FnOnce(usize) -> B,
    ) -> Option<B> {
        let (body, tag) = sealed.split_last_chunk::<TAG_BYTES>()?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let mut plain = zeros(body.len());
        self.0.open_separate_gather(nonce, Aad::from(with), body, tag, plain.as_mut()).ok()?;
        Some(plain)
    }
}

/// The nonce of a number: four zero bytes, and the number.
pub(crate) fn nonce(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    nonce
}
