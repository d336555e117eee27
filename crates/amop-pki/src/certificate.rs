//! What stands in a certificate, for people who look at one.
//!
//! Nothing here judges a certificate: that is what those do who accept links.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{OID_EC_P256, OID_NIST_EC_P384};
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::fingerprint::Fingerprint;
use crate::leaf::Usage;

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it is for, as X.509 writes it: `CN=bank-a CA`.
    pub subject: String,
    /// Who signed it, in the same way.
    pub issuer: String,
    /// Its DNS names; a party has one.
    pub names: Vec<String>,
    /// Its number among those of its issuer.
    pub serial: Serial,
    /// The first second in which it counts.
    pub not_before: SystemTime,
    /// The last second in which it counts.
    pub not_after: SystemTime,
    /// The kind of its key: `P-256`, `P-384`, or the number of another algorithm.
    pub key_kind: String,
    /// Whether it may sign others.
    pub is_authority: bool,
    /// The DNS subtrees that it may certify; none if it is not restricted.
    pub permitted: Vec<String>,
    /// What it may be used for in TLS.
    pub usages: Vec<Usage>,
    /// The fingerprint of its key.
    pub fingerprint: Fingerprint,
    spki: SubjectPublicKeyInfoDer<'static>,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// Reads all certificates of a text, in their order; what else stands there is skipped.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: there is none, or one cannot be read.
    pub fn all_from_pem(text: &str) -> Result<Vec<Self>, ReadError> {
        let ders: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(text.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(ReadError::NotPem)?;
        if ders.is_empty() {
            return Err(ReadError::None);
        }
        ders.iter().map(Self::from_der).collect()
    }

    /// Whether it is signed with the key of `issuer`, and names it as its issuer. It says nothing
    /// about dates, or about what the issuer may certify.
    #[must_use]
    pub fn is_signed_by(&self, issuer: &Self) -> bool {
        let (Ok((_, certificate)), Ok((_, spki))) =
            (X509Certificate::from_der(&self.der), SubjectPublicKeyInfo::from_der(&issuer.spki))
        else {
            return false;
        };
        self.issuer == issuer.subject && certificate.verify_signature(Some(&spki)).is_ok()
    }

    /// The public key, as SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key_der(&self) -> &[u8] {
        &self.spki
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    fn from_der(der: &CertificateDer<'static>) -> Result<Self, ReadError> {
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| ReadError::Malformed)?;
        if !rest.is_empty() {
            return Err(ReadError::Malformed);
        }
        let malformed = |_| ReadError::Malformed;
        let alternatives = parsed.subject_alternative_name().map_err(malformed)?;
        let names = alternatives.iter().flat_map(|found| &found.value.general_names);
        let constraints = parsed.name_constraints().map_err(malformed)?;
        let permitted =
            constraints.iter().filter_map(|found| found.value.permitted_subtrees.as_ref());
        let purposes = parsed.extended_key_usage().map_err(malformed)?.map(|found| found.value);
        let mut usages = Vec::new();
        if purposes.is_some_and(|purposes| purposes.server_auth) {
            usages.push(Usage::ServerAuth);
        }
        if purposes.is_some_and(|purposes| purposes.client_auth) {
            usages.push(Usage::ClientAuth);
        }
        let spki = parsed.public_key().raw.to_vec();
        Ok(Self {
            subject: printable(&parsed.subject().to_string()),
            issuer: printable(&parsed.issuer().to_string()),
            names: names.filter_map(dns_name).collect(),
            serial: Serial::of(parsed.raw_serial()),
            not_before: system_time(parsed.validity().not_before),
            not_after: system_time(parsed.validity().not_after),
            key_kind: key_kind(parsed.public_key()),
            is_authority: parsed.is_ca(),
            permitted: permitted.flatten().filter_map(|tree| dns_name(&tree.base)).collect(),
            usages,
            fingerprint: Fingerprint::of_public_key(&spki),
            spki: spki.into(),
            der: der.clone(),
        })
    }
}

/// The number of a certificate among those of its issuer, printed in hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(Vec<u8>);

impl Serial {
    /// The number whose bytes are these, the most significant first.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        Self(bytes[zeros..].to_vec())
    }

    /// Its bytes, the most significant first, without zeros before it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("00");
        }
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Serial {
    type Err = NotASerial;

    /// Reads up to 40 hex digits; colons between them are skipped, as other tools print them.
    fn from_str(text: &str) -> Result<Self, NotASerial> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .filter(|&char| char != ':')
            .map(|char| char.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        let mut digits =
            digits.filter(|digits| (1..=40).contains(&digits.len())).ok_or(NotASerial)?;
        if digits.len() % 2 == 1 {
            digits.insert(0, 0);
        }
        let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        Ok(Self::of(&bytes))
    }
}

/// A text is no serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a serial number has 1 to 40 hex digits")]
pub struct NotASerial;

/// Why the certificates in a text cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The text is broken PEM.
    #[error("malformed PEM")]
    NotPem(#[source] pem::Error),
    /// There is no certificate in it.
    #[error("there is no certificate in PEM")]
    None,
    /// One of them is no X.509 certificate.
    #[error("a certificate is malformed")]
    Malformed,
}

fn dns_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(printable(name)),
        _ => None,
    }
}

fn key_kind(spki: &SubjectPublicKeyInfo<'_>) -> String {
    let parameters = spki.algorithm.parameters.as_ref();
    match parameters.and_then(|parameters| parameters.as_oid().ok()) {
        Some(curve) if curve == OID_EC_P256 => "P-256".to_owned(),
        Some(curve) if curve == OID_NIST_EC_P384 => "P-384".to_owned(),
        Some(other) => other.to_id_string(),
        None => spki.algorithm.algorithm.to_id_string(),
    }
}

/// A moment of X.509; those before 1970 are taken for its first second.
pub(crate) fn system_time(time: ASN1Time) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or(0))
}

/// What stands in a certificate, so that it cannot disturb a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(TEXT_CHARS_MAX).collect()
}

/// Longest text out of a certificate or request that is repeated, in characters.
const TEXT_CHARS_MAX: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_read_as_it_is_printed_here_and_elsewhere() {
        let serial = Serial::of(&[0, 0x0a, 0xff]);
        assert_eq!(serial.to_string(), "0aff");
        for text in ["0aff", "aff", "AFF", "00:0A:FF"] {
            assert_eq!(text.parse(), Ok(serial.clone()), "{text}");
        }
        assert_eq!("0".parse::<Serial>().unwrap().to_string(), "00");
        for wrong in ["", ":", "xyz", "-1", &"1".repeat(41)] {
            assert_eq!(wrong.parse::<Serial>(), Err(NotASerial), "{wrong}");
        }
    }
}
