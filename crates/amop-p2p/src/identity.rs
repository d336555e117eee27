//! Who we are: our certificate chain and its private key.
//!
//! Everything that must be the same after a restart is derived here from the private key, each
//! for one purpose: see [`ResetKeys`].

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use amop_wire::{Name, NameError};
use aws_lc_rs::digest::{SHA256, digest};
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use webpki::EndEntityCert;
use x509_parser::parse_x509_certificate;
use zeroize::Zeroizing;

use crate::party::{Fingerprint, Party};
use crate::password::Password;
use crate::reset::ResetKeys;

/// Our certificate chain with its private key. Cheap to clone.
///
/// Neither the key nor anything derived from it is ever printed.
#[derive(Clone)]
pub struct Identity {
    party: Party,
    certified_key: Arc<CertifiedKey>,
    valid_until: SystemTime,
    reset_keys: ResetKeys,
}

impl Identity {
    /// Reads a chain (our certificate first, then its issuer up to but without the root) and the
    /// private key of the first certificate.
    ///
    /// Whether the certificate has expired is not judged here: peers do that.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] says what is wrong with the two files.
    pub fn from_pem(chain_pem: &[u8], key_pem: &[u8]) -> Result<Self, IdentityError> {
        Self::from_pem_with(chain_pem, key_pem, None)
    }

    /// Like [`from_pem`](Self::from_pem), with the password of a key that may be encrypted: `ENCRYPTED PRIVATE KEY` PEM,
    /// PKCS#8 with PBES2. One that is not encrypted needs none.
    ///
    /// Trying a password takes some 100 ms and 16 MiB: it is made so that guessing does. The key is wiped from the
    /// memory that this function took, but for what signs with it.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] says what is wrong with the two files, or the password.
    pub fn from_pem_with(
        chain_pem: &[u8],
        key_pem: &[u8],
        password: Option<&Password>,
    ) -> Result<Self, IdentityError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain_pem)
            .collect::<Result<_, _>>()
            .map_err(IdentityError::BadChainPem)?;
        let leaf = chain.first().ok_or(IdentityError::NoCertificate)?;
        let party = read_party(leaf)?;
        if chain.len() < 2 {
            return Err(IdentityError::NoIssuer);
        }
        let valid_until = end_of(&chain).ok_or(IdentityError::Unreadable)?;
        let key = Zeroizing::new(read_key(key_pem, password)?);
        let reset_keys = ResetKeys::derive(key.secret_der());
        let signer = any_supported_type(&key).map_err(IdentityError::UnusableKey)?;
        let certified_key = CertifiedKey::new(chain, signer);
        match certified_key.keys_match() {
            // A key that cannot say what its public half is may be the right one.
            Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                return Err(IdentityError::KeyMismatch);
            }
            Err(other) => return Err(IdentityError::UnusableKey(other)),
        }
        Ok(Self { party, certified_key: Arc::new(certified_key), valid_until, reset_keys })
    }

    /// The name that our certificate gives us.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.party.name
    }

    /// The SHA-256 of our certificate in DER.
    #[must_use]
    pub fn certificate_hash(&self) -> [u8; 32] {
        let leaf = self.certified_key.cert.first().expect("a chain begins with our certificate");
        let hash = digest(&SHA256, leaf);
        hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// The fingerprint of our key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.party.fingerprint
    }

    /// The last second in which every certificate of our chain counts.
    #[must_use]
    pub fn valid_until(&self) -> SystemTime {
        self.valid_until
    }

    pub(crate) fn certified_key(&self) -> &Arc<CertifiedKey> {
        &self.certified_key
    }

    pub(crate) fn reset_keys(&self) -> ResetKeys {
        self.reset_keys.clone()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.party).finish_non_exhaustive()
    }
}

/// Why a chain and a key are no identity. The files are at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The chain is no PEM.
    #[error("malformed PEM in the certificate chain")]
    BadChainPem(#[source] pem::Error),
    /// There is no certificate in the chain.
    #[error("no certificate found")]
    NoCertificate,
    /// A certificate of the chain cannot be read.
    #[error("unreadable certificate")]
    Unreadable,
    /// Nobody could verify the certificate: the authority that issued it is missing behind it.
    #[error("certificate of the issuing authority is missing in the chain")]
    NoIssuer,
    /// The certificate names nobody.
    #[error("certificate has no DNS name")]
    NoName,
    /// The certificate names several.
    #[error("certificate has {count} DNS names, not one")]
    ManyNames {
        /// How many.
        count: usize,
    },
    /// The name in the certificate is no certified name.
    #[error("certificate has a bad name")]
    BadName(#[source] NameError),
    /// There is no usable private key in the key file.
    #[error("no private key found")]
    BadKeyPem(#[source] pem::Error),
    /// The private key takes a password, and none was given.
    #[error("private key is encrypted, and there is no password for it")]
    KeyIsEncrypted,
    /// The password does not open the private key.
    #[error("wrong password of the private key")]
    WrongPassword,
    /// The key is of a kind that cannot sign.
    #[error("private key cannot be used")]
    UnusableKey(#[source] TlsError),
    /// Certificate and key belong to different identities.
    #[error("private key does not match the certificate")]
    KeyMismatch,
}

/// Reads a private key, and opens it if it is encrypted.
fn read_key(
    pem: &[u8],
    password: Option<&Password>,
) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let is_encrypted = pem.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED);
    if !is_encrypted {
        return PrivateKeyDer::from_pem_slice(pem).map_err(IdentityError::BadKeyPem);
    }
    let no_key = || IdentityError::BadKeyPem(pem::Error::NoItemsFound);
    let password = password.ok_or(IdentityError::KeyIsEncrypted)?;
    let pem = std::str::from_utf8(pem).map_err(|_| no_key())?;
    let (_, document) = SecretDocument::from_pem(pem).map_err(|_| no_key())?;
    let info = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|_| no_key())?;
    let opened = info.decrypt(password.as_bytes()).map_err(|_| IdentityError::WrongPassword)?;
    Ok(PrivateKeyDer::Pkcs8(opened.as_bytes().to_vec().into()))
}

/// How the PEM of a key begins that takes a password.
const ENCRYPTED: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// The last second in which every certificate of a chain counts.
pub(crate) fn end_of(chain: &[CertificateDer<'_>]) -> Option<SystemTime> {
    let ends = chain.iter().map(|certificate| {
        let (_, certificate) = parse_x509_certificate(certificate).ok()?;
        let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    });
    ends.collect::<Option<Vec<_>>>()?.into_iter().min()
}

/// Who a certificate names, without any judgement of it.
pub(crate) fn read_party(leaf: &CertificateDer<'_>) -> Result<Party, IdentityError> {
    let leaf = EndEntityCert::try_from(leaf).map_err(|_| IdentityError::Unreadable)?;
    let names: Vec<_> = leaf.valid_dns_names().collect();
    let name = match names[..] {
        [] => return Err(IdentityError::NoName),
        [name] => name.parse().map_err(IdentityError::BadName)?,
        _ => return Err(IdentityError::ManyNames { count: names.len() }),
    };
    let fingerprint = Fingerprint::of_public_key(&leaf.subject_public_key_info());
    Ok(Party { name, fingerprint })
}

#[cfg(test)]
mod tests {
    use quinn::ConnectionIdGenerator;

    use super::*;
    use crate::testing;

    fn read(chain_pem: &str, key_pem: &str) -> Result<Identity, IdentityError> {
        Identity::from_pem(chain_pem.as_bytes(), key_pem.as_bytes())
    }

    #[test]
    fn an_identity_has_the_name_in_its_certificate_and_keeps_its_key_to_itself() {
        let leaf = testing::leaf("n1.node.bank-a.amop");
        let identity = read(leaf.chain_pem(), &leaf.key_pem()).unwrap();
        assert_eq!(identity.name().as_dns(), "n1.node.bank-a.amop");
        let shown = format!("{identity:?}");
        let expected = format!(
            "Identity(Party {{ name: n1.node.bank-a.amop, fingerprint: {} }}, ..)",
            identity.fingerprint()
        );
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_fingerprint_is_that_of_the_key() {
        let leaf = testing::leaf("n1.node.bank-a.amop");
        let [one, same] = [(); 2].map(|()| read(leaf.chain_pem(), &leaf.key_pem()).unwrap());
        let other = testing::identity("n1.node.bank-a.amop");
        assert_eq!(one.fingerprint(), same.fingerprint());
        assert_ne!(one.fingerprint(), other.fingerprint());
    }

    #[test]
    fn an_encrypted_key_is_opened_by_its_password_alone_and_is_the_same_key() {
        let leaf = testing::leaf("n1.node.bank-a.amop");
        let plain = read(leaf.chain_pem(), &leaf.key_pem()).unwrap();
        let key = amop_pki::PrivateKey::from_pem(&leaf.key_pem(), None).unwrap();
        let encrypted = key.to_encrypted_pem(b"secret").unwrap();
        let open = |key: &str, password: Option<&[u8]>| {
            let password = password.map(Password::new);
            Identity::from_pem_with(leaf.chain_pem().as_bytes(), key.as_bytes(), password.as_ref())
        };
        let opened = open(&encrypted, Some(b"secret")).unwrap();
        assert_eq!(opened.fingerprint(), plain.fingerprint());
        let id = opened.reset_keys().connection_ids().generate_cid();
        assert!(plain.reset_keys().connection_ids().validate(&id).is_ok(), "it is the same key");
        assert!(open(&leaf.key_pem(), Some(b"none is needed")).is_ok());
        let text = |key: &str, password| open(key, password).unwrap_err().to_string();
        assert!(text(&encrypted, None).contains("there is no password"));
        assert!(text(&encrypted, Some(b"Secret")).contains("wrong password"));
        let torn = &encrypted[..encrypted.len() / 2];
        assert_eq!(text(torn, Some(b"secret")), "no private key found");
    }

    #[test]
    fn files_that_are_no_identity_are_refused_by_what_is_wrong() {
        let leaf = testing::leaf("n1.node.bank-a.amop");
        let (chain, key) = (leaf.chain_pem(), leaf.key_pem());
        let error = |chain: &str, key: &str| read(chain, key).unwrap_err();
        let text = |chain: &str, key: &str| error(chain, key).to_string();

        assert_eq!(text("", &key), "no certificate found");
        assert_eq!(text(&key, &key), "no certificate found");
        let torn = &chain[..chain.len() / 4];
        assert_eq!(text(torn, &key), "malformed PEM in the certificate chain");
        let end = "-----END CERTIFICATE-----";
        let alone = &chain[..chain.find(end).unwrap() + end.len()];
        assert_eq!(
            text(alone, &key),
            "certificate of the issuing authority is missing in the chain"
        );
        assert_eq!(text(chain, ""), "no private key found");
        let other = testing::leaf("n1.node.bank-a.amop").key_pem();
        assert_eq!(text(chain, &other), "private key does not match the certificate");
        let authority = &chain[alone.len()..];
        assert_eq!(text(authority, &key), "certificate has no DNS name");
    }
}
