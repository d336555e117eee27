//! Public topic keys: points of secp256k1, and how they are written down.
//!
//! On the wire a key has one form, 33 bytes compressed. People hand keys around as PEM or as hex, so
//! that more forms are read: whatever FISCO's tools and OpenSSL write. What is no point of the curve,
//! and the point at infinity, is refused here and never checked again.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use k256::ecdsa::signature::Verifier;
use k256::ecdsa::{Signature, VerifyingKey};
use pkcs8::{DecodePublicKey, EncodePublicKey, LineEnding};
use sha2::{Digest, Sha256};

/// Who may receive on a private topic: the public half of a topic key.
///
/// Ordered and compared by its compressed form.
#[derive(Clone, Copy)]
pub struct PublicKey {
    compressed: [u8; PUBLIC_KEY_BYTES],
    point: VerifyingKey,
}

/// What people compare over the phone: the SHA-256 of a public key's SPKI in DER, the point uncompressed.
///
/// `openssl pkey -pubin -in KEY.pem -outform DER | sha256sum` prints the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl PublicKey {
    /// Reads `PUBLIC KEY` PEM (SPKI), as OpenSSL and FISCO's tools write it.
    ///
    /// # Errors
    ///
    /// [`PublicKeyError`] if it is something else.
    pub fn from_pem(pem: &str) -> Result<Self, PublicKeyError> {
        let (label, der) = pkcs8::Document::from_pem(pem).map_err(|_| PublicKeyError::NotPem)?;
        if label != PEM_LABEL {
            return Err(PublicKeyError::OtherPem { label: label.to_owned() });
        }
        Self::from_der(der.as_bytes())
    }

    /// Reads SPKI in DER.
    ///
    /// # Errors
    ///
    /// [`PublicKeyError::NotAKey`] if it is something else.
    pub fn from_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        let point = k256::PublicKey::from_public_key_der(der);
        Ok(Self::of(point.map_err(|_| PublicKeyError::NotAKey)?.into()))
    }

    /// Reads hex, with or without `0x`: 66 digits compressed, 130 uncompressed, or 128 without the `04`.
    ///
    /// # Errors
    ///
    /// [`PublicKeyError`] if it is something else.
    pub fn from_hex(hex: &str) -> Result<Self, PublicKeyError> {
        let digits = hex.strip_prefix("0x").unwrap_or(hex).as_bytes();
        let mut sec1 = match digits.len() {
            66 | 130 => Vec::with_capacity(65),
            128 => vec![UNCOMPRESSED],
            _ => return Err(PublicKeyError::NotHex { digits: digits.len() }),
        };
        for pair in digits.chunks_exact(2) {
            let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
            let (Some(high), Some(low)) = (high, low) else {
                return Err(PublicKeyError::NotHex { digits: digits.len() });
            };
            sec1.push(u8::try_from(high << 4 | low).expect("two digits make a byte"));
        }
        Self::from_sec1(&sec1)
    }

    /// Reads the form of the wire: 33 bytes, compressed.
    ///
    /// # Errors
    ///
    /// [`PublicKeyError::NotAKey`] if it is no point of the curve, or infinity.
    pub fn from_bytes(bytes: &[u8; PUBLIC_KEY_BYTES]) -> Result<Self, PublicKeyError> {
        Self::from_sec1(bytes)
    }

    /// The form of the wire: 33 bytes, compressed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; PUBLIC_KEY_BYTES] {
        &self.compressed
    }

    /// Writes `PUBLIC KEY` PEM (SPKI).
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.point.to_public_key_pem(LineEnding::LF).expect("a key can be written")
    }

    /// What people compare to be sure that it is the same key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let der = self.point.to_public_key_der().expect("a key can be written");
        Fingerprint(Sha256::digest(der.as_bytes()).into())
    }

    /// Whether `signature`, r and s of 32 bytes each, is that of this key over `bytes`. Of the two
    /// forms that each signature has only the one with the low s counts.
    #[must_use]
    pub(crate) fn has_signed(&self, bytes: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        let Ok(signature) = Signature::from_slice(signature) else { return false };
        self.point.verify(bytes, &signature).is_ok() // k256 refuses a high s.
    }

    pub(crate) fn of(point: VerifyingKey) -> Self {
        let sec1 = point.to_sec1_point(true);
        let compressed = sec1.as_bytes().try_into().expect("a compressed point has 33 bytes");
        Self { compressed, point }
    }

    fn from_sec1(sec1: &[u8]) -> Result<Self, PublicKeyError> {
        // Of the forms of SEC1 the hybrid ones are read by nobody else either.
        if !matches!(sec1.first(), Some(2..=4)) {
            return Err(PublicKeyError::NotAKey);
        }
        let point = VerifyingKey::from_sec1_bytes(sec1);
        point.map(Self::of).map_err(|_| PublicKeyError::NotAKey)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.compressed == other.compressed
    }
}

impl Eq for PublicKey {}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compressed.cmp(&other.compressed)
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.compressed.hash(state);
    }
}

/// Shows the 66 hex digits of the compressed form, which [`PublicKey::from_hex`] reads.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.compressed.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Fingerprint {
    /// The 32 bytes of the hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Shows `sha256:` and 64 hex digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Something is no public topic key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// The text has no PEM block.
    #[error("not a PEM file")]
    NotPem,
    /// The PEM block is of another kind.
    #[error("a PEM file with `{label}` instead of `{PEM_LABEL}`")]
    OtherPem {
        /// What the block says to be.
        label: String,
    },
    /// The text is not the hex of a key.
    #[error("{digits} characters are not the 66, 128 or 130 hex digits of a key")]
    NotHex {
        /// How many characters there are, `0x` not counted.
        digits: usize,
    },
    /// It is a key of another kind, no point of secp256k1, or infinity.
    #[error("not a secp256k1 public key")]
    NotAKey,
}

/// How long a public key is on the wire.
pub(crate) const PUBLIC_KEY_BYTES: usize = 33;

/// How long a signature is on the wire.
pub(crate) const SIGNATURE_BYTES: usize = 64;

const PEM_LABEL: &str = "PUBLIC KEY";

/// What SEC1 puts before the two coordinates of a point.
const UNCOMPRESSED: u8 = 4;
