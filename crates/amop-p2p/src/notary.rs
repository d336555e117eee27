//! Signatures that outlive the link they came over: made with our own key, and verified for nodes
//! that are at the other end of no link.
//!
//! A node's certificate is judged as it would be in a handshake, from either side of a link. Each
//! kind of key signs in one way, the one that TLS 1.3 prefers for it, so that nobody has to say
//! which. What TLS signs begins with 64 spaces: a message that does not is safe to sign.

use std::time::{SystemTime, UNIX_EPOCH};

use amop_wire::{Name, Role};
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::EndEntityCert;

use crate::identity::{Identity, read_party};
use crate::kind::{LinkKind, Side};
use crate::tls;
use crate::trust::Trust;
use crate::verify::Judge;

impl Identity {
    /// Our certificate, and then its issuers up to but without the root, in DER.
    pub fn chain(&self) -> impl Iterator<Item = &[u8]> {
        self.certified_key().cert.iter().map(AsRef::as_ref)
    }

    /// Signs a message with the key of our certificate. It must begin with what nothing else begins
    /// with that this key signs, and not with spaces, as TLS does.
    ///
    /// # Errors
    ///
    /// [`SignError`] if the key cannot sign.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signer =
            self.certified_key().key.choose_scheme(&SCHEMES).ok_or(SignError::KindOfKey)?;
        signer.sign(message).map_err(SignError::Failed)
    }
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// Nobody would know how to verify what a key of this kind signs.
    #[error("keys of this kind cannot sign")]
    KindOfKey,
    /// The cryptography behind it has failed.
    #[error("signing failed")]
    Failed(#[source] rustls::Error),
}

/// Judges the certificates and signatures of nodes.
#[derive(Clone, Debug)]
pub struct Notary {
    as_acceptor: Judge,
    as_dialer: Judge,
    algorithms: WebPkiSupportedAlgorithms,
}

/// A certificate is not one of who is at its place: one sentence that names it and says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotCertified(pub(crate) String);

impl Notary {
    /// Goes by these roots.
    #[must_use]
    pub fn new(trust: &Trust) -> Self {
        let algorithms = tls::provider().signature_verification_algorithms;
        let judge = |side| Judge {
            trust: trust.clone(),
            kind: LinkKind::Node,
            side,
            expected: None,
            algorithms,
        };
        let (as_acceptor, as_dialer) = (judge(Side::Acceptor), judge(Side::Dialer));
        Self { as_acceptor, as_dialer, algorithms }
    }

    /// Answers the node that a certificate certifies at this time, given its issuers, in DER: one
    /// that could link with us now, if only from one side.
    ///
    /// # Errors
    ///
    /// [`NotCertified`], in the words that end a handshake.
    pub fn certify<'a>(
        &self,
        leaf: &'a [u8],
        issuers: impl IntoIterator<Item = &'a [u8]>,
        now: SystemTime,
    ) -> Result<Name, NotCertified> {
        let leaf = CertificateDer::from(leaf);
        let issuers: Vec<CertificateDer<'_>> =
            issuers.into_iter().map(CertificateDer::from).collect();
        let now = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap_or_default());
        let judged = self.as_acceptor.judge(&leaf, &issuers, now);
        judged
            .or_else(|why| self.as_dialer.judge(&leaf, &issuers, now).map_err(|_| why))
            .map_err(|why| NotCertified(why.to_string()))
    }

    /// Answers whom a chain in PEM certifies at this time, by its own role: a node that may both accept and
    /// open links, or a client that may attach.
    ///
    /// # Errors
    ///
    /// [`NotCertified`], in the words that would end a handshake.
    pub fn certify_party(&self, chain_pem: &[u8], now: SystemTime) -> Result<Name, NotCertified> {
        let malformed = |_| NotCertified("the chain is malformed PEM".to_owned());
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain_pem)
            .collect::<Result<_, _>>()
            .map_err(malformed)?;
        self.certify_chain(&chain, now)
    }

    /// Answers what [`certify_party`](Self::certify_party) does of our own chain: whether others would take it who go
    /// by the same roots.
    ///
    /// # Errors
    ///
    /// [`NotCertified`], in the words that would end a handshake.
    pub fn certify_own(&self, identity: &Identity, now: SystemTime) -> Result<Name, NotCertified> {
        self.certify_chain(&identity.certified_key().cert, now)
    }

    fn certify_chain(
        &self,
        chain: &[CertificateDer<'_>],
        now: SystemTime,
    ) -> Result<Name, NotCertified> {
        let [leaf, issuers @ ..] = chain else {
            return Err(NotCertified("there is no certificate".to_owned()));
        };
        let now = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap_or_default());
        let as_client = Judge { kind: LinkKind::Sdk, ..self.as_dialer.clone() };
        let is_client = read_party(leaf).is_ok_and(|party| party.name.role() == Role::Sdk);
        let judged = match is_client {
            true => as_client.judge(leaf, issuers, now),
            false => self
                .as_acceptor
                .judge(leaf, issuers, now)
                .and_then(|_| self.as_dialer.judge(leaf, issuers, now)),
        };
        judged.map_err(|why| NotCertified(why.to_string()))
    }

    /// Whether the key of a certificate, in DER, has signed the message. It says nothing about the
    /// certificate.
    #[must_use]
    pub fn is_signed(&self, leaf: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let leaf = CertificateDer::from(leaf);
        let Ok(leaf) = EndEntityCert::try_from(&leaf) else { return false };
        let of_scheme = |scheme: &SignatureScheme| {
            let (_, algorithms) = self.algorithms.mapping.iter().find(|(of, _)| of == scheme)?;
            algorithms.first() // The others go with other keys, which TLS 1.3 does not allow.
        };
        SCHEMES
            .iter()
            .filter_map(of_scheme)
            .any(|&algorithm| leaf.verify_signature(algorithm, message, signature).is_ok())
    }
}

/// One for each kind of key.
const SCHEMES: [SignatureScheme; 5] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_SHA256,
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use amop_pki::{LeafProfile, Usage};

    use super::*;
    use crate::testing;

    fn notary() -> Notary {
        Notary::new(&testing::trust())
    }

    fn certify(chain: &[CertificateDer<'_>], now: SystemTime) -> Result<Name, NotCertified> {
        let mut chain = chain.iter().map(AsRef::as_ref);
        notary().certify(chain.next().unwrap(), chain, now)
    }

    #[test]
    fn what_a_key_signed_is_known_by_its_certificate_and_by_no_other() {
        let identity = testing::identity("n1.node.bank-a.amop");
        let leaf = identity.chain().next().unwrap();
        let signature = identity.sign(b"AMOP says so").unwrap();
        assert!(signature.len() <= 72, "of a key of P-256");
        let is_signed = |leaf, message, signature| notary().is_signed(leaf, message, signature);
        assert!(is_signed(leaf, b"AMOP says so", &signature));
        assert!(!is_signed(leaf, b"AMOP says no", &signature));
        assert!(!is_signed(leaf, b"AMOP says so", &signature[..signature.len() - 1]));
        assert!(!is_signed(leaf, b"AMOP says so", b""));
        assert!(!is_signed(b"", b"AMOP says so", &signature));
        let other = testing::identity("n1.node.bank-a.amop");
        assert!(!is_signed(other.chain().next().unwrap(), b"AMOP says so", &signature));
    }

    /// IDENT-1, IDENT-2, IDENT-3
    #[test]
    fn only_a_node_that_a_trusted_root_leads_to_is_certified() {
        let now = testing::now();
        let chain = testing::leaf("n1.node.bank-a.amop").chain_der();
        assert_eq!(certify(&chain, now).unwrap().as_dns(), "n1.node.bank-a.amop");

        let client = testing::leaf("app.sdk.bank-a.amop").chain_der();
        let text = certify(&client, now).unwrap_err().to_string();
        assert!(text.starts_with("certificate app.sdk.bank-a.amop refused: "), "{text}");
        let other = testing::leaf("n1.node.bank-b.amop").chain_der();
        let mixed = [chain[0].clone(), other[1].clone()];
        let text = certify(&mixed, now).unwrap_err().to_string();
        assert!(text.ends_with("not issued by a trusted root"), "{text}");
        assert!(certify(&chain[..1], now).is_err());
        let late = now + Duration::from_secs(100 * 365 * 24 * 3600);
        let text = certify(&chain, late).unwrap_err().to_string();
        assert!(text.contains("expired on"), "{text}");
    }

    #[test]
    fn a_party_is_judged_by_its_own_role() {
        let judge = |pem: &str| notary().certify_party(pem.as_bytes(), testing::now());
        for dns in ["n1.node.bank-a.amop", "app.sdk.bank-a.amop"] {
            assert_eq!(judge(testing::leaf(dns).chain_pem()).unwrap().as_dns(), dns);
        }
        let half = |usage| {
            let name = "n1.node.bank-a.amop".parse().unwrap();
            let profile = LeafProfile { usages: vec![usage], ..LeafProfile::of(&name) };
            let text = judge(testing::custom_leaf(&profile).chain_pem()).unwrap_err().to_string();
            text.rsplit_once(": ").unwrap().1.to_owned()
        };
        assert_eq!(half(Usage::ClientAuth), "not made for accepting links");
        assert_eq!(half(Usage::ServerAuth), "not made for dialing");
        assert_eq!(judge("").unwrap_err().to_string(), "there is no certificate");
    }
}
