//! Who is at the other end of a link, as its certificate says.

use std::fmt;

use amop_wire::Name;
use aws_lc_rs::digest::{SHA256, digest};

/// One end of a link: the certified name, and the key it is held by.
///
/// The name is the identity. The fingerprint tells two keys of the same name apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The name in the certificate.
    pub name: Name,
    /// The fingerprint of the key in the certificate.
    pub fingerprint: Fingerprint,
}

/// SHA-256 of a certificate's public key (its SubjectPublicKeyInfo), printed as 64 hex digits.
///
/// It stays the same when a certificate is renewed for the same key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The 32 bytes of the hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn of_public_key(spki: &[u8]) -> Self {
        let hash = digest(&SHA256, spki);
        Self(hash.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_sha_256_in_hex() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Fingerprint::of_public_key(b"").to_string(), empty);
    }
}
