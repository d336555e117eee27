//! Secret topic keys: made, read and written, and never shown.
//!
//! A key signs statements of this crate and nothing else: there is no way to hand it bytes. What holds
//! a secret is overwritten when it is dropped; a text that a caller reads a key from is the caller's to
//! overwrite. Where the file lies and who may read it is up to the caller too, for this crate opens none.

use std::fmt;

use k256::ecdsa::SigningKey;
use k256::ecdsa::signature::Signer as _;
use pkcs8::pkcs5::pbes2;
use pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding, PrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use crate::public_key::SIGNATURE_BYTES;
use crate::statement::Statement;
use crate::{Entropy, PublicKey};

/// What makes a subscriber of private topics who it is: the secret half of a topic key.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Makes a new key.
    #[must_use]
    pub fn generate(entropy: &mut Entropy) -> Self {
        // One number in 2^128 is none below the order of the curve.
        loop {
            if let Ok(key) = SigningKey::from_slice(&*entropy.draw::<32>()) {
                return Self(key);
            }
        }
    }

    /// The half that the publisher gets.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::of(*self.0.verifying_key())
    }

    /// Reads `PRIVATE KEY` PEM (PKCS#8), as OpenSSL and FISCO's tools write it.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::Encrypted`] if it takes a password, another one if it is something else.
    pub fn from_pem(pem: &str) -> Result<Self, SecretKeyError> {
        let (label, der) = SecretDocument::from_pem(pem).map_err(|_| SecretKeyError::NotPem)?;
        match label {
            PEM_LABEL => Self::from_der(der.as_bytes()),
            ENCRYPTED_PEM_LABEL => Err(SecretKeyError::Encrypted),
            other => Err(SecretKeyError::OtherPem { label: other.to_owned() }),
        }
    }

    /// Reads `ENCRYPTED PRIVATE KEY` PEM (PKCS#8 with PBES2, as OpenSSL writes it).
    ///
    /// That takes time and memory: it is made so that guessing passwords does.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError::WrongPassword`] also if it is damaged.
    pub fn from_encrypted_pem(pem: &str, password: &[u8]) -> Result<Self, SecretKeyError> {
        let (label, der) = SecretDocument::from_pem(pem).map_err(|_| SecretKeyError::NotPem)?;
        if label != ENCRYPTED_PEM_LABEL {
            return Err(SecretKeyError::OtherPem { label: label.to_owned() });
        }
        let encrypted = pkcs8::EncryptedPrivateKeyInfoRef::try_from(der.as_bytes());
        let encrypted = encrypted.map_err(|_| SecretKeyError::NotAKey)?;
        let decrypted = encrypted.decrypt(password);
        let decrypted = decrypted.map_err(|_| SecretKeyError::WrongPassword)?;
        Self::from_der(decrypted.as_bytes())
    }

    /// Writes `PRIVATE KEY` PEM (PKCS#8).
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        self.0.to_pkcs8_pem(LineEnding::LF).expect("a key can be written")
    }

    /// Writes `ENCRYPTED PRIVATE KEY` PEM: PKCS#8 with scrypt and AES-256-CBC, which OpenSSL reads.
    #[must_use]
    pub fn to_encrypted_pem(&self, password: &[u8], entropy: &mut Entropy) -> Zeroizing<String> {
        let plain = self.0.to_pkcs8_der().expect("a key can be written");
        let info = PrivateKeyInfoRef::try_from(plain.as_bytes()).expect("it was just written");
        let (salt, iv) = (entropy.draw::<16>(), entropy.draw::<16>());
        let cost = scrypt_cost();
        let way = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &*salt, *iv);
        let way = way.expect("salt and cost are within the bounds of scrypt");
        let encrypted = info.encrypt_with_params(way, password).expect("a key can be encrypted");
        encrypted.to_pem(ENCRYPTED_PEM_LABEL, LineEnding::LF).expect("DER can be put into PEM")
    }

    /// Signs a statement with ECDSA over SHA-256: r and a low s, 32 bytes each. The same statement
    /// has always the same signature (RFC 6979), so that no generator has to be trusted for it.
    pub(crate) fn sign(&self, statement: &Statement<'_>) -> [u8; SIGNATURE_BYTES] {
        self.sign_bytes(&statement.to_sign())
    }

    /// Signs bytes, which only a statement and a test may put together.
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let signature: k256::ecdsa::Signature = self.0.sign(bytes);
        signature.normalize_s().to_bytes().into()
    }

    #[cfg(test)]
    pub(crate) fn of(key: SigningKey) -> Self {
        Self(key)
    }

    fn from_der(der: &[u8]) -> Result<Self, SecretKeyError> {
        SigningKey::from_pkcs8_der(der).map(Self).map_err(|_| SecretKeyError::NotAKey)
    }
}

/// Shows the public half.
impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("public", &self.public()).finish_non_exhaustive()
    }
}

/// Something is no secret topic key. Nothing of what was read is in the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretKeyError {
    /// The text has no PEM block.
    #[error("not a PEM file")]
    NotPem,
    /// The PEM block is of another kind.
    #[error("a PEM file with `{label}` instead of `{PEM_LABEL}` or `{ENCRYPTED_PEM_LABEL}`")]
    OtherPem {
        /// What the block says to be.
        label: String,
    },
    /// The key takes a password: see [`SecretKey::from_encrypted_pem`].
    #[error("the key is encrypted")]
    Encrypted,
    /// The password is another one, or the file is damaged; nobody can tell which.
    #[error("wrong password, or a damaged file")]
    WrongPassword,
    /// It is a key of another kind, out of range, or its public half belongs to another key.
    #[error("not a secp256k1 secret key")]
    NotAKey,
}

/// What OpenSSL takes too: 16 MiB of memory for each guess.
fn scrypt_cost() -> pkcs8::pkcs5::scrypt::Params {
    pkcs8::pkcs5::scrypt::Params::new(14, 8, 1).expect("these are within the bounds of scrypt")
}

const PEM_LABEL: &str = "PRIVATE KEY";
const ENCRYPTED_PEM_LABEL: &str = "ENCRYPTED PRIVATE KEY";

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    /// That a type overwrites itself can be asked of it at compile time only.
    #[test]
    fn every_type_that_holds_a_secret_overwrites_it_when_dropped() {
        fn overwrites<T: ZeroizeOnDrop>() {}
        overwrites::<super::SigningKey>();
        overwrites::<pkcs8::SecretDocument>();
        overwrites::<x25519_dalek::StaticSecret>();
        overwrites::<x25519_dalek::SharedSecret>();
        overwrites::<zeroize::Zeroizing<[u8; 32]>>();
    }
}
