//! Judges the certificate at the other end of a link.
//!
//! The chain up to a trusted root, dates, purposes and name constraints are webpki's work; whether it was
//! revoked is looked up in [`Revocations`](crate::Revocations). What
//! it proves is that some authority vouches for some names; what a party *is* follows from three
//! more rules:
//!
//! 1. a party's certificate has exactly one DNS name, and it is a certified [`Name`];
//! 2. the authority that issued it may certify exactly one agency, the one in that name. An agency
//!    is what its issuer may certify, never what a leaf says;
//! 3. the role in the name is the one that this kind of link takes at that end.
//!
//! There is no check against the address that was dialed: the name is the identity, and machines
//! move. Whoever must reach one certain party says so by the expected name.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use amop_wire::Name;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, OtherError, PeerIncompatible};
use rustls::{Error as TlsError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::time::ASN1Time;

use crate::kind::{LinkKind, Side};
use crate::trust::{Rules, Trust};
use crate::verdict::{Refusal, Verdict};

/// Judges the certificates of the ends that stand on one side of one kind of link.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    pub(crate) trust: Trust,
    pub(crate) kind: LinkKind,
    /// The side of those who are judged.
    pub(crate) side: Side,
    /// Who must be there; anybody of the right role if `None`.
    pub(crate) expected: Option<Name>,
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
}

impl Judge {
    pub(crate) fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Name, Verdict> {
        let refuse = |names: &[&str], why| Verdict {
            names: names.iter().map(ToString::to_string).collect(),
            why,
        };
        let parsed = parse_x509_certificate(leaf).map_err(|_| refuse(&[], Refusal::Unreadable))?.1;
        let webpki = EndEntityCert::try_from(leaf).map_err(|_| refuse(&[], Refusal::Unreadable))?;
        let names: Vec<_> = webpki.valid_dns_names().collect();
        let rules = self.trust.rules();
        let path = self
            .verify_chain(&rules, &webpki, &parsed, intermediates, now)
            .map_err(|why| refuse(&names, why))?;
        self.judge_revocation(&rules, &parsed, &path, now).map_err(|why| refuse(&names, why))?;
        self.judge_identity(&parsed, &names, &path).map_err(|why| refuse(&names, why))
    }

    fn verify_chain<'a>(
        &self,
        rules: &'a Rules,
        leaf: &'a EndEntityCert<'a>,
        parsed: &X509Certificate<'_>,
        intermediates: &'a [CertificateDer<'a>],
        now: UnixTime,
    ) -> Result<VerifiedPath<'a>, Refusal> {
        let usage = match self.side {
            Side::Dialer => KeyUsage::client_auth(),
            Side::Acceptor => KeyUsage::server_auth(),
        };
        let (algorithms, anchors) = (self.algorithms.all, &rules.anchors);
        leaf.verify_for_usage(algorithms, anchors, intermediates, now, usage, None, None)
            .map_err(|error| Refusal::from_chain_error(error, self.side, dates(parsed)))
    }

    /// Looks for the leaf and its issuers in the lists of those who signed them.
    fn judge_revocation(
        &self,
        rules: &Rules,
        leaf: &X509Certificate<'_>,
        path: &VerifiedPath<'_>,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let ders: Vec<_> = path.intermediate_certificates().map(webpki::Cert::der).collect();
        let issuers = ders.iter().map(|der| parse_x509_certificate(der).map(|parsed| parsed.1));
        let issuers: Vec<_> = issuers.collect::<Result<_, _>>().map_err(|_| Refusal::Unreadable)?;
        let keys = issuers.iter().map(|issuer| issuer.public_key().raw.into());
        let keys = keys.chain(rules.key_of(path.anchor()));
        let certified: Vec<_> = iter::once(leaf).chain(&issuers).zip(keys).collect();
        self.trust.authorities.meet(&certified);
        rules.revocations.judge(&certified, &self.algorithms, now)
    }

    fn judge_identity(
        &self,
        leaf: &X509Certificate<'_>,
        names: &[&str],
        path: &VerifiedPath<'_>,
    ) -> Result<Name, Refusal> {
        if !has_purpose(leaf, self.side) {
            return Err(Refusal::WrongPurpose { of: self.side });
        }
        let name: Name = match names {
            [] => return Err(Refusal::NoName),
            [name] => name.parse().map_err(Refusal::BadName)?,
            _ => return Err(Refusal::ManyNames { count: names.len() }),
        };
        let subtree = issuer_subtree(path).ok_or(Refusal::IssuerOfAnyAgency)?;
        if subtree != name.agency_subtree() {
            return Err(Refusal::IssuerOfOtherAgency { subtree });
        }
        let wanted = self.kind.role(self.side);
        if name.role() != wanted {
            return Err(Refusal::WrongRole { found: name.role(), wanted });
        }
        match &self.expected {
            Some(expected) if *expected != name => {
                Err(Refusal::UnexpectedName { expected: expected.clone() })
            }
            Some(_) | None => Ok(name),
        }
    }

    fn verify_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, signature, &self.algorithms)
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        self.judge(end_entity, intermediates, now).map_err(tls_error)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.verify_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Judge {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[] // A party has one certificate; there is nothing for it to choose by hints.
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        self.judge(end_entity, intermediates, now).map_err(tls_error)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.verify_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Its text is what the refused side reads, since QUIC sends the text of a TLS error. The variant
/// for bad certificates would print the sentence inside the names of its types.
fn tls_error(verdict: Verdict) -> TlsError {
    OtherError(Arc::new(verdict)).into()
}

/// Whether the leaf says that it may be used on this side: webpki takes silence for consent.
fn has_purpose(leaf: &X509Certificate<'_>, side: Side) -> bool {
    let Ok(Some(usage)) = leaf.extended_key_usage() else { return false };
    match side {
        Side::Dialer => usage.value.client_auth,
        Side::Acceptor => usage.value.server_auth,
    }
}

/// The one DNS subtree that the issuer of the leaf may certify, if it is limited to one.
///
/// A leaf signed by a root has no issuer between, and a root may certify anybody.
fn issuer_subtree(path: &VerifiedPath<'_>) -> Option<String> {
    let issuer = path.intermediate_certificates().next()?.der();
    let (_, issuer) = parse_x509_certificate(&issuer).ok()?;
    let constraints = issuer.name_constraints().ok()??.value;
    match constraints.permitted_subtrees.as_deref()? {
        [subtree] => match subtree.base {
            GeneralName::DNSName(subtree) => Some(subtree.to_owned()),
            _ => None,
        },
        _ => None,
    }
}

/// The first and the last second in which the leaf counts.
fn dates(leaf: &X509Certificate<'_>) -> (UnixTime, UnixTime) {
    let unix = |time: ASN1Time| {
        let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    };
    (unix(leaf.validity().not_before), unix(leaf.validity().not_after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing;
    use crate::tls::provider;

    fn judge(side: Side) -> Judge {
        Judge {
            trust: testing::trust(),
            kind: LinkKind::Node,
            side,
            expected: None,
            algorithms: provider().signature_verification_algorithms,
        }
    }

    fn now() -> UnixTime {
        UnixTime::since_unix_epoch(
            testing::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970"),
        )
    }

    #[test]
    fn a_good_certificate_gives_its_name_on_both_sides() {
        let chain = testing::leaf("n1.node.bank-a.amop").chain_der();
        for side in [Side::Dialer, Side::Acceptor] {
            let name = judge(side).judge(&chain[0], &chain[1..], now()).unwrap();
            assert_eq!(name.as_dns(), "n1.node.bank-a.amop");
        }
    }

    #[test]
    fn an_issuer_further_up_does_not_make_up_for_the_one_that_signed() {
        let chain = testing::leaf("n1.node.bank-a.amop").chain_der();
        let other = testing::leaf("n1.node.bank-b.amop").chain_der();
        let judge = judge(Side::Dialer);
        let verdict = judge.judge(&chain[0], &other[1..], now()).unwrap_err();
        assert_eq!(verdict.why, Refusal::UnknownRoot);
        // One that signed is found among others, in any order.
        let both = [other[1].clone(), chain[1].clone()];
        assert!(judge.judge(&chain[0], &both, now()).is_ok());
    }

    #[test]
    fn time_is_judged_at_the_moment_that_is_given() {
        let chain = testing::leaf("n1.node.bank-a.amop").chain_der();
        let at = |seconds| {
            let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
            judge(Side::Dialer).judge(&chain[0], &chain[1..], now).unwrap_err().why
        };
        assert!(matches!(at(0), Refusal::NotYetValid { .. }));
        assert!(matches!(at(5_000_000_000), Refusal::Expired { .. }));
    }

    #[test]
    fn bytes_that_are_no_certificate_are_refused() {
        for bytes in [&b""[..], b"0", b"\x30\x82\xff\xff", &[0; 100]] {
            let verdict = judge(Side::Dialer).judge(&bytes.into(), &[], now()).unwrap_err();
            assert_eq!(
                verdict.to_string(),
                "certificate without a name refused: it cannot be read"
            );
        }
    }

    proptest! {
        #[test]
        fn a_certificate_with_any_byte_changed_is_refused(
            index: prop::sample::Index,
            change in 1_u8..=255,
            in_the_issuer: bool,
        ) {
            let mut chain = GOOD_CHAIN.clone();
            let certificate = &mut chain[usize::from(in_the_issuer)];
            let mut bytes = certificate.to_vec();
            let index = index.index(bytes.len());
            bytes[index] ^= change;
            *certificate = bytes.into();
            prop_assert!(judge(Side::Dialer).judge(&chain[0], &chain[1..], now()).is_err());
        }
    }

    static GOOD_CHAIN: std::sync::LazyLock<Vec<CertificateDer<'static>>> =
        std::sync::LazyLock::new(|| testing::leaf("n1.node.bank-a.amop").chain_der());
}
