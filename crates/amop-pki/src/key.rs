//! Private keys that stay where they were made: written encrypted or plain, wiped when dropped.
//!
//! A key is held as PKCS#8 in memory that is overwritten once nobody needs it. What signs with it
//! holds a copy of its own, which is overwritten as well; only the cryptographic library's inner form
//! is its own affair.

use aws_lc_rs::rand;
use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};
use rcgen::{KeyPair, PublicKeyData, SignatureAlgorithm, SigningKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use zeroize::{Zeroize, Zeroizing};

use crate::fingerprint::Fingerprint;

/// A private key of an authority, a node or a client. Overwritten in memory when dropped, never printed.
pub struct PrivateKey {
    pkcs8: SecretDocument,
    public: Vec<u8>,
}

impl PrivateKey {
    /// Makes a key for a node or a client (P-256).
    ///
    /// # Errors
    ///
    /// [`KeyError::Generation`] if the system gives no randomness.
    pub fn for_leaf() -> Result<Self, KeyError> {
        Self::generate(&rcgen::PKCS_ECDSA_P256_SHA256)
    }

    /// Makes a key for an authority (P-384).
    ///
    /// # Errors
    ///
    /// [`KeyError::Generation`] if the system gives no randomness.
    pub fn for_authority() -> Result<Self, KeyError> {
        Self::generate(&rcgen::PKCS_ECDSA_P384_SHA384)
    }

    /// Reads `PRIVATE KEY` PEM, or `ENCRYPTED PRIVATE KEY` PEM with its password.
    ///
    /// Trying a password takes time and memory: it is made so that guessing does.
    ///
    /// # Errors
    ///
    /// [`KeyError`] says what the text is instead, or that a password is missing or wrong.
    pub fn from_pem(pem: &str, password: Option<&[u8]>) -> Result<Self, KeyError> {
        let (label, document) = SecretDocument::from_pem(pem).map_err(|_| KeyError::NotPem)?;
        let pkcs8 = match (label, password) {
            (PLAIN, _) => document,
            (ENCRYPTED, None) => return Err(KeyError::Encrypted),
            (ENCRYPTED, Some(password)) => {
                EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
                    .map_err(|_| KeyError::Unusable)?
                    .decrypt(password)
                    .map_err(|_| KeyError::WrongPassword)?
            }
            (other, _) => return Err(KeyError::OtherPem { label: other.to_owned() }),
        };
        Self::of(pkcs8)
    }

    /// Whether a text is the PEM of a key that takes a password.
    #[must_use]
    pub fn is_encrypted(pem: &str) -> bool {
        SecretDocument::from_pem(pem).is_ok_and(|(label, _)| label == ENCRYPTED)
    }

    /// Writes `PRIVATE KEY` PEM (PKCS#8): whoever reads it has the key.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        self.pkcs8.to_pem(PLAIN, LineEnding::LF).expect("DER can be put into PEM")
    }

    /// Writes `ENCRYPTED PRIVATE KEY` PEM: PKCS#8 with PBES2, scrypt and AES-256-CBC, which OpenSSL
    /// reads. A node needs the password in a file, since nobody is there to type it when it starts.
    ///
    /// # Errors
    ///
    /// [`KeyError::EmptyPassword`], and [`KeyError::Generation`] without randomness.
    pub fn to_encrypted_pem(&self, password: &[u8]) -> Result<Zeroizing<String>, KeyError> {
        if password.is_empty() {
            return Err(KeyError::EmptyPassword);
        }
        let (mut salt, mut iv) = ([0_u8; 16], [0_u8; 16]);
        rand::fill(&mut salt)
            .and_then(|()| rand::fill(&mut iv))
            .map_err(|_| KeyError::Generation)?;
        let cost = scrypt::Params::new(14, 8, 1).expect("these are within the bounds of scrypt");
        let way = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt, iv)
            .expect("salt and cost are within the bounds of scrypt");
        let info = PrivateKeyInfoRef::try_from(self.pkcs8.as_bytes()).expect("it was read before");
        let encrypted = info.encrypt_with_params(way, password).expect("a key can be encrypted");
        Ok(encrypted.to_pem(ENCRYPTED, LineEnding::LF).expect("DER can be put into PEM"))
    }

    /// The fingerprint of the public half.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_public_key(&self.public)
    }

    /// The public half as SubjectPublicKeyInfo, in DER.
    #[must_use]
    pub fn public_key_der(&self) -> &[u8] {
        &self.public
    }

    /// What signs with this key.
    pub(crate) fn signer(&self) -> Signer {
        let pkcs8 = PrivatePkcs8KeyDer::from(self.pkcs8.as_bytes());
        Signer(KeyPair::try_from(&pkcs8).expect("it was read before"))
    }

    pub(crate) fn of_signer(signer: &Signer) -> Self {
        let public = signer.subject_public_key_info();
        let pkcs8 = SecretDocument::try_from(signer.0.serialized_der()).expect("rcgen writes DER");
        Self { pkcs8, public }
    }

    fn generate(algorithm: &'static SignatureAlgorithm) -> Result<Self, KeyError> {
        let signer = Signer(KeyPair::generate_for(algorithm).map_err(|_| KeyError::Generation)?);
        Ok(Self::of_signer(&signer))
    }

    fn of(pkcs8: SecretDocument) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from(pkcs8.as_bytes());
        let signer = Signer(KeyPair::try_from(&der).map_err(|_| KeyError::Unusable)?);
        let public = signer.subject_public_key_info();
        Ok(Self { pkcs8, public })
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PrivateKey").field(&self.fingerprint()).finish()
    }
}

/// Signs with a key, and overwrites its copy of it at the end.
#[derive(Debug)]
pub(crate) struct Signer(pub(crate) KeyPair);

impl Drop for Signer {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl PublicKeyData for Signer {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl SigningKey for Signer {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

/// Why a text is no private key, or none was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is no PEM.
    #[error("not PEM")]
    NotPem,
    /// The text is the PEM of something else.
    #[error("PEM of `{label}`, not of a PKCS#8 private key")]
    OtherPem {
        /// What stands after `BEGIN`.
        label: String,
    },
    /// The key takes a password.
    #[error("the key is encrypted, and there is no password for it")]
    Encrypted,
    /// The password is wrong, or the file was changed.
    #[error("wrong password, or a damaged file")]
    WrongPassword,
    /// The caller asked to encrypt with nothing.
    #[error("an empty password protects nothing")]
    EmptyPassword,
    /// The key is damaged, or of a kind that we do not sign with.
    #[error("the key is malformed or of an unknown kind")]
    Unusable,
    /// The system gave no randomness.
    #[error("no randomness for a key")]
    Generation,
}

const PLAIN: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_only_with_the_password_it_was_written_with() {
        let key = PrivateKey::for_authority().unwrap();
        let pem = key.to_encrypted_pem("päss".as_bytes()).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        assert!(PrivateKey::is_encrypted(&pem) && !PrivateKey::is_encrypted(&key.to_pem()));
        let read = PrivateKey::from_pem(&pem, Some("päss".as_bytes())).unwrap();
        assert_eq!(read.to_pem(), key.to_pem());
        let error = |password| PrivateKey::from_pem(&pem, password).unwrap_err();
        assert_eq!(error(Some(b"pass")), KeyError::WrongPassword);
        assert_eq!(error(None), KeyError::Encrypted);
        assert_eq!(key.to_encrypted_pem(b"").unwrap_err(), KeyError::EmptyPassword);
    }

    #[test]
    fn two_encryptions_of_a_key_have_nothing_in_common() {
        let key = PrivateKey::for_leaf().unwrap();
        let [one, other] = [(); 2].map(|()| key.to_encrypted_pem(b"same").unwrap());
        assert_ne!(one, other);
    }

    #[test]
    fn texts_that_are_no_key_are_refused_by_what_they_are() {
        let error = |pem: &str| PrivateKey::from_pem(pem, None).unwrap_err();
        assert_eq!(error(""), KeyError::NotPem);
        let other = "-----BEGIN THING-----\nAAAA\n-----END THING-----\n";
        assert!(matches!(error(other), KeyError::NotPem | KeyError::OtherPem { .. }));
        let key = PrivateKey::for_leaf().unwrap().to_pem();
        let sec1 = key.replace("PRIVATE KEY", "EC PRIVATE KEY");
        assert_eq!(error(&sec1), KeyError::OtherPem { label: "EC PRIVATE KEY".into() });
    }

    #[test]
    fn a_key_does_not_show_in_debug_output() {
        let key = PrivateKey::for_leaf().unwrap();
        let shown = format!("{key:?}");
        assert_eq!(shown, format!("PrivateKey({:?})", key.fingerprint()));
    }

    /// Whatever holds a key overwrites it when it is dropped.
    #[test]
    fn keys_are_overwritten() {
        fn overwrites<T: zeroize::ZeroizeOnDrop>() {}
        overwrites::<SecretDocument>();
        overwrites::<Zeroizing<String>>();
        let mut signer = PrivateKey::for_leaf().unwrap().signer();
        signer.0.zeroize();
        assert!(signer.0.serialized_der().is_empty());
    }
}
