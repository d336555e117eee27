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
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::authority::Authority;
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
    let certificate = only_certificate(certificate_pem)?;
    let (rest, parsed) =
        X509Certificate::from_der(&certificate).map_err(|_| LoadError::Malformed)?;
    if !rest.is_empty() {
        return Err(LoadError::Malformed);
    }
    check_may_sign(&parsed)?;
    let subtree = permitted_subtree(&parsed)?;
    let validity = validity(&parsed)?;

    let pkcs8 = PrivatePkcs8KeyDer::from_pem_slice(key_pem.as_bytes()).map_err(LoadError::Key)?;
    let key = KeyPair::try_from(&pkcs8).map_err(LoadError::KeyRejected)?;
    if key.subject_public_key_info() != parsed.public_key().raw {
        return Err(LoadError::KeyMismatch);
    }

    let is_self_issued = parsed.subject() == parsed.issuer();
    let issuer =
        Issuer::from_ca_cert_der(&certificate, key).map_err(|_| LoadError::Malformed)?;
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
    match permitted.map(|subtrees| subtrees.iter().map(|subtree| &subtree.base).collect::<Vec<_>>())
    {
        Some(bases) => match bases[..] {
            [GeneralName::DNSName(subtree)] => Ok((*subtree).to_owned()),
            _ => Err(LoadError::NotOneSubtree),
        },
        None => Err(LoadError::NotOneSubtree),
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
