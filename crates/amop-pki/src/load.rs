//! Reads back an authority that was made earlier, and checks that it still is one.
//!
//! Everything about an authority is taken from its certificate: what it may certify is its name
//! constraint, when it may is its dates. Nothing has to be remembered beside the two PEM texts.

use std::time::Duration;

use amop_wire::NameError;
use rcgen::{Issuer, KeyPair, PublicKeyData};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, GeneralSubtree};
use x509_parser::prelude::FromDer;

use crate::authority::Authority;
use crate::key::Signer;
use crate::validity::Validity;

/// An authority as its files describe it.
pub(crate) struct Loaded {
    pub(crate) authority: Authority,
    /// The one DNS subtree that it may certify, not checked yet.
    pub(crate) subtree: String,
    /// Whether it vouches for itself, as a root does.
    pub(crate) is_self_issued: bool,
}

/// Reads an authority from its certificate and its key, both PEM.
pub(crate) fn authority(certificate_pem: &str, key_pem: &str) -> Result<Loaded, LoadError> {
    authority_with(certificate_pem, || {
        let pkcs8 =
            PrivatePkcs8KeyDer::from_pem_slice(key_pem.as_bytes()).map_err(LoadError::Key)?;
        KeyPair::try_from(&pkcs8).map(Signer).map_err(LoadError::KeyRejected)
    })
}

/// Reads an authority from its certificate in PEM, and then takes its key.
pub(crate) fn authority_with(
    certificate_pem: &str,
    key: impl FnOnce() -> Result<Signer, LoadError>,
) -> Result<Loaded, LoadError> {
    let certificate = only_certificate(certificate_pem)?;
    let (rest, parsed) =
        X509Certificate::from_der(&certificate).map_err(|_| LoadError::Malformed)?;
    if !rest.is_empty() {
        return Err(LoadError::Malformed);
    }
    check_may_sign(&parsed)?;
    let subtree = permitted_subtree(&parsed)?;
    let validity = validity(&parsed)?;

    let key = key()?;
    if key.subject_public_key_info() != parsed.public_key().raw {
        return Err(LoadError::KeyMismatch);
    }

    let is_self_issued = parsed.subject() == parsed.issuer();
    let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|_| LoadError::Malformed)?;
    let certificate_pem = certificate_section(certificate_pem);
    let authority = Authority { issuer, certificate, certificate_pem, validity };
    Ok(Loaded { authority, subtree, is_self_issued })
}

fn only_certificate(pem: &str) -> Result<CertificateDer<'static>, LoadError> {
    let mut certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
    let first = certificates.next().unwrap_or(Err(pem::Error::NoItemsFound));
    let first = first.map_err(LoadError::Certificate)?;
    match certificates.next() {
        None => Ok(first),
        Some(_) => Err(LoadError::SeveralCertificates),
    }
}

fn check_may_sign(certificate: &X509Certificate<'_>) -> Result<(), LoadError> {
    let key_usage = certificate.key_usage().map_err(|_| LoadError::Malformed)?;
    let may_sign = key_usage.is_some_and(|usage| usage.value.key_cert_sign());
    if certificate.is_ca() && may_sign { Ok(()) } else { Err(LoadError::NotAnAuthority) }
}

fn permitted_subtree(certificate: &X509Certificate<'_>) -> Result<String, LoadError> {
    let constraints = certificate.name_constraints().map_err(|_| LoadError::Malformed)?;
    let permitted = constraints.and_then(|extension| extension.value.permitted_subtrees.as_deref());
    match permitted {
        Some([GeneralSubtree { base: GeneralName::DNSName(subtree) }]) => Ok((*subtree).to_owned()),
        Some(_) | None => Err(LoadError::NotOneSubtree),
    }
}

fn validity(certificate: &X509Certificate<'_>) -> Result<Validity, LoadError> {
    let dates = certificate.validity();
    let unix = |seconds: i64| {
        let seconds = u64::try_from(seconds).map_err(|_| LoadError::Malformed)?;
        Ok(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    };
    Ok(Validity {
        not_before: unix(dates.not_before.timestamp())?,
        not_after: unix(dates.not_after.timestamp())?,
    })
}

/// Takes the certificate out of a text that may hold other things, at worst the key.
fn certificate_section(pem: &str) -> String {
    let mut section = String::new();
    for line in pem.lines().skip_while(|line| !line.starts_with("-----BEGIN CERTIFICATE-----")) {
        section.push_str(line);
        section.push('\n');
        if line.starts_with("-----END CERTIFICATE-----") {
            break;
        }
    }
    section
}

/// Why two texts are not an authority's certificate and its key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The first text has no certificate in PEM.
    #[error("the certificate is not PEM")]
    Certificate(#[source] pem::Error),
    /// The first text has more than one certificate, and it is not clear which one is meant.
    #[error("there is more than one certificate")]
    SeveralCertificates,
    /// The first text is PEM, but not of an X.509 certificate.
    #[error("the certificate is malformed")]
    Malformed,
    /// The certificate may not sign others: it is a leaf.
    #[error("the certificate is not an authority's")]
    NotAnAuthority,
    /// The certificate is not signed by itself: it is an agency's.
    #[error("the certificate is not a root's")]
    NotARoot,
    /// The certificate is signed by itself, or permits more than one agency: it is a root's.
    #[error("the certificate is not an agency's")]
    NotAnAgency,
    /// The certificate has no name constraint, or not one of exactly one permitted DNS subtree.
    #[error("the certificate does not permit exactly one DNS subtree")]
    NotOneSubtree,
    /// The subtree that the certificate permits does not consist of DNS labels.
    #[error("the subtree that the certificate permits is malformed")]
    BadSubtree(#[source] NameError),
    /// The second text has no unencrypted PKCS#8 private key in PEM.
    #[error("the key is not PKCS#8 in PEM")]
    Key(#[source] pem::Error),
    /// The key is damaged or of a kind that we do not sign with.
    #[error("the key is malformed or of an unknown kind")]
    KeyRejected(#[source] rcgen::Error),
    /// The key is in order, but of another certificate.
    #[error("the key does not belong to the certificate")]
    KeyMismatch,
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyUsagePurpose, NameConstraints};

    use super::*;
    use crate::{Agency, AgencyProfile, Root};

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn root() -> Root {
        Root::new("Title", "amop", now()).unwrap()
    }

    #[test]
    fn what_was_made_reads_back_the_same() {
        let root = Root::new("Überweisungen 东", "east.amop", now()).unwrap();
        let read = Root::from_pem(root.certificate_pem(), &root.key_pem()).unwrap();
        assert_eq!(read.domain(), "east.amop");
        assert_eq!(read.certificate_pem(), root.certificate_pem());
        assert_eq!(read.certificate_der(), root.certificate_der());
        assert_eq!(read.key_pem(), root.key_pem());

        let agency = read.agency("bank-a", now()).unwrap();
        let read = Agency::from_pem(agency.certificate_pem(), &agency.key_pem()).unwrap();
        assert_eq!((read.agency(), read.domain()), ("bank-a", "east.amop"));
        assert_eq!(read.certificate_pem(), agency.certificate_pem());
        assert_eq!(read.certificate_der(), agency.certificate_der());
        assert_eq!(read.key_pem(), agency.key_pem());
    }

    #[test]
    fn a_key_in_the_certificates_file_does_not_get_into_a_chain() {
        let made = root().agency("bank-a", now()).unwrap();
        let both = format!("a note\n{}{}", made.key_pem(), made.certificate_pem());
        let both = both.replace('\n', "\r\n") + &made.key_pem();
        let read = Agency::from_pem(&both, &both).unwrap();
        assert_eq!(read.certificate_pem(), made.certificate_pem());
    }

    #[test]
    fn a_root_is_no_agency_and_an_agency_no_root() {
        let root = root();
        let error = Agency::from_pem(root.certificate_pem(), &root.key_pem()).unwrap_err();
        assert!(matches!(error, LoadError::NotAnAgency), "{error}");

        let agency = root.agency("bank-a", now()).unwrap();
        let error = Root::from_pem(agency.certificate_pem(), &agency.key_pem()).unwrap_err();
        assert!(matches!(error, LoadError::NotARoot), "{error}");
    }

    #[test]
    fn a_leaf_is_no_authority() {
        let agency = root().agency("bank-a", now()).unwrap();
        let leaf = agency.issue(&"n1.node.bank-a.amop".parse().unwrap(), now()).unwrap();
        let chain = leaf.chain_pem();
        let error = Agency::from_pem(chain, &leaf.key_pem()).unwrap_err();
        assert!(matches!(error, LoadError::SeveralCertificates), "{error}");

        let alone = certificate_section(chain);
        let error = Agency::from_pem(&alone, &leaf.key_pem()).unwrap_err();
        assert!(matches!(error, LoadError::NotAnAuthority), "{error}");
    }

    #[test]
    fn an_authority_made_elsewhere_must_be_a_ca_and_may_sign_certificates() {
        let ca = IsCa::Ca(BasicConstraints::Constrained(1));
        let read = |is_ca, key_usage| {
            let mut params = CertificateParams::default();
            params.is_ca = is_ca;
            params.key_usages = vec![key_usage];
            let permitted_subtrees = vec![rcgen::GeneralSubtree::DnsName("amop".into())];
            params.name_constraints =
                Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
            let key = KeyPair::generate().unwrap();
            let certificate = params.self_signed(&key).unwrap();
            Root::from_pem(&certificate.pem(), &key.serialize_pem())
        };
        assert!(read(ca, KeyUsagePurpose::KeyCertSign).is_ok());
        assert!(matches!(read(ca, KeyUsagePurpose::CrlSign), Err(LoadError::NotAnAuthority)));
        let no_ca = read(IsCa::ExplicitNoCa, KeyUsagePurpose::KeyCertSign);
        assert!(matches!(no_ca, Err(LoadError::NotAnAuthority)));
    }

    #[test]
    fn an_agency_whose_certificate_names_no_single_subtree_is_refused() {
        let root = root();
        let read_back = |permitted: &[&str]| {
            let mut profile = AgencyProfile::of("bank-a", "amop");
            profile.permitted = permitted.iter().map(ToString::to_string).collect();
            let made = root.agency_custom(&profile, now()).unwrap();
            Agency::from_pem(made.certificate_pem(), &made.key_pem())
        };
        assert!(read_back(&["bank-a.amop"]).is_ok());
        assert!(matches!(read_back(&[]), Err(LoadError::NotOneSubtree)));
        assert!(matches!(read_back(&["a.amop", "b.amop"]), Err(LoadError::NotOneSubtree)));
        assert!(matches!(read_back(&["amop"]), Err(LoadError::NotAnAgency)));
        assert!(matches!(read_back(&["Bank.amop"]), Err(LoadError::BadSubtree(_))));
        assert!(matches!(read_back(&[".bank-a.amop"]), Err(LoadError::BadSubtree(_))));
    }

    #[test]
    fn texts_that_are_no_certificate_and_key_are_refused_by_what_is_wrong() {
        let (root, other) = (root(), root());
        let (certificate, key) = (root.certificate_pem(), root.key_pem());
        let error = |certificate: &str, key: &str| Root::from_pem(certificate, key).unwrap_err();

        assert!(matches!(error("", &key), LoadError::Certificate(_)));
        assert!(matches!(error(&key, &key), LoadError::Certificate(_)));
        let begin = "-----BEGIN CERTIFICATE-----\n";
        let cut = certificate.replace(begin, &format!("{begin}AAAA"));
        assert!(matches!(error(&cut, &key), LoadError::Malformed));
        assert!(matches!(error(certificate, ""), LoadError::Key(_)));
        assert!(matches!(error(certificate, certificate), LoadError::Key(_)));
        let sec1 = key.replace("PRIVATE KEY", "EC PRIVATE KEY");
        assert!(matches!(error(certificate, &sec1), LoadError::Key(_)));
        let damaged = key.replace("KEY-----\nMI", "KEY-----\nAA");
        assert!(matches!(error(certificate, &damaged), LoadError::KeyRejected(_)));
        assert!(matches!(error(certificate, &other.key_pem()), LoadError::KeyMismatch));
    }

    #[test]
    fn an_authority_that_was_read_back_still_knows_when_it_ends() {
        let made = root().agency("bank-a", now()).unwrap();
        let read = Agency::from_pem(made.certificate_pem(), &made.key_pem()).unwrap();
        let late = now() + Duration::from_secs(4 * 365 * 24 * 60 * 60);
        let error = read.issue(&"n1.node.bank-a.amop".parse().unwrap(), late).unwrap_err();
        assert!(matches!(error, crate::IssueError::IssuerNotValid { .. }), "{error}");
    }
}
