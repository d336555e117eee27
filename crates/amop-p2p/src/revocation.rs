//! Who was let in and is out: lists of revoked certificates, judged with every certificate.
//!
//! A list is signed by the authority that signed the certificates in it. It comes from a file, or was
//! [learned](crate::Trust::learn) from another party; its signature can be judged only once a chain shows the key of
//! its authority, so that happens then. Of the lists of one authority the one with the greatest number counts.
//!
//! Every doubt refuses: a list whose `nextUpdate` has passed may hide a revocation, and one that bears the
//! name of an authority but not its signature is a forgery, or that of a key which the authority no longer
//! uses. An authority without any list revokes nobody. Only what is stale may be accepted, by choice: that
//! is the way out when nobody is there to sign the next list.
//!
//! Doubt comes from files alone, which somebody has put there: a list that was learned revokes, and that is all it
//! does. Else whoever sends the first list of an authority would oblige all others to have the next one in time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use amop_wire::AuthorityId;
use bytes::Bytes;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateRevocationListDer, SubjectPublicKeyInfoDer, UnixTime};
use webpki::RawPublicKeyEntity;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::time::ASN1Time;

use crate::verdict::{Refusal, tidy};

/// The lists of revoked certificates that a party goes by. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Revocations {
    /// From files.
    lists: Vec<Arc<List>>,
    /// From other parties.
    pub(crate) learned: BTreeMap<AuthorityId, Arc<List>>,
    accepts_stale: bool,
}

/// What a list says of itself, for logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListDates {
    /// Whose list it is: `CN=bank-a CA`.
    pub issuer: String,
    /// Its number.
    pub number: u64,
    /// Until when the next one must have come.
    pub next_update: SystemTime,
    /// Whether it came from another party, not from a file.
    pub is_learned: bool,
}

impl Revocations {
    /// Reads all lists in a PEM file; there may be none.
    ///
    /// # Errors
    ///
    /// [`RevocationError`]: the file is at fault.
    pub fn from_pem(pem: &[u8]) -> Result<Self, RevocationError> {
        let lists = CertificateRevocationListDer::pem_slice_iter(pem)
            .map(|der| {
                let der = Bytes::copy_from_slice(&der.map_err(RevocationError::BadPem)?);
                List::from_der(&der).map(Arc::new)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { lists, ..Self::default() })
    }

    /// Adds the lists of another file.
    pub fn add(&mut self, other: Self) {
        self.lists.extend(other.lists);
    }

    /// Keeps the lists of `held` that are newer than all of their authority here: a list never gives way to an
    /// older one. Of those that came from files, the lists of authorities that have none here are dropped.
    #[must_use]
    pub fn or_newer(mut self, held: &Self) -> Self {
        let is_newer = |old: &&Arc<List>| {
            let mut numbers = self
                .lists
                .iter()
                .filter(|list| list.issuer_der == old.issuer_der)
                .map(|list| list.number)
                .peekable();
            numbers.peek().is_some() && numbers.all(|number| number < old.number)
        };
        let newer: Vec<Arc<List>> = held.lists.iter().filter(is_newer).cloned().collect();
        self.lists.extend(newer);
        self.learned.clone_from(&held.learned);
        self
    }

    /// Goes by a list also after its `nextUpdate`, instead of refusing whom its authority has certified.
    #[must_use]
    pub fn accepting_stale(self) -> Self {
        Self { accepts_stale: true, ..self }
    }

    /// What each list says of itself that has not given way to a newer one from elsewhere.
    pub fn dates(&self) -> impl Iterator<Item = ListDates> {
        let learned = || self.learned.values();
        let is_newer = |list: &List, other: &Arc<List>| {
            other.issuer_der == list.issuer_der && other.number > list.number
        };
        let from_file =
            self.lists.iter().filter(move |list| !learned().any(|other| is_newer(list, other)));
        let learned =
            learned().filter(move |list| !self.lists.iter().any(|other| is_newer(list, other)));
        from_file.map(|list| list.dates(false)).chain(learned.map(|list| list.dates(true)))
    }

    /// Judges a certificate whose chain is proved, and its issuers up to but without the root, each
    /// beside the key of its own issuer.
    pub(crate) fn judge(
        &self,
        path: &[(&X509Certificate<'_>, SubjectPublicKeyInfoDer<'_>)],
        algorithms: &WebPkiSupportedAlgorithms,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let mut doubt = None;
        for (depth, (certificate, issuer_key)) in path.iter().enumerate() {
            let issuer = certificate.issuer().as_raw();
            let first_file = self.files_of(issuer).next();
            let Some(list) = self.newest(issuer, issuer_key, algorithms) else {
                let forged = |list: &List| Refusal::ForgedList { issuer: list.issuer.clone() };
                doubt = doubt.or(first_file.map(forged));
                continue;
            };
            if let Some(&on) = list.revoked.get(number(certificate.raw_serial())) {
                return Err(match depth {
                    0 => Refusal::Revoked { on },
                    _ => Refusal::IssuerRevoked { on },
                });
            }
            if list.next_update < now && first_file.is_some() && !self.accepts_stale {
                let (issuer, on) = (list.issuer.clone(), list.next_update);
                doubt = doubt.or(Some(Refusal::StaleList { issuer, on }));
            }
        }
        doubt.map_or(Ok(()), Err)
    }

    /// The list of an authority that counts: of those that bear its name and its signature the one with the
    /// greatest number.
    pub(crate) fn newest(
        &self,
        issuer: &[u8],
        issuer_key: &SubjectPublicKeyInfoDer<'_>,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Option<&List> {
        let learned = self.learned.get(&AuthorityId::of(issuer, issuer_key)).map(Arc::as_ref);
        let learned = learned.filter(|list| list.issuer_der == issuer);
        let mut named: Vec<&List> = self.files_of(issuer).chain(learned).collect();
        named.sort_by_key(|list| std::cmp::Reverse(list.number));
        named.into_iter().find(|list| list.is_signed_with(issuer_key, algorithms))
    }

    /// The lists with the name of an authority that somebody has put there.
    fn files_of(&self, issuer: &[u8]) -> impl Iterator<Item = &List> {
        self.lists.iter().map(Arc::as_ref).filter(move |list| list.issuer_der == issuer)
    }
}

/// One list, as its issuer has signed it.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) der: Bytes,
    pub(crate) issuer_der: Vec<u8>,
    pub(crate) issuer: String,
    pub(crate) number: u64,
    next_update: UnixTime,
    /// Serial numbers without zeros before them, and since when they are revoked.
    revoked: BTreeMap<Vec<u8>, UnixTime>,
    signed: Bytes,
    signature: Vec<u8>,
}

impl List {
    pub(crate) fn from_der(der: &Bytes) -> Result<Self, RevocationError> {
        let (rest, list) =
            CertificateRevocationList::from_der(der).map_err(|_| RevocationError::Unreadable)?;
        let issuer = tidy(list.issuer().to_string().as_bytes());
        if !rest.is_empty() {
            return Err(RevocationError::Unreadable);
        }
        // What is critical limits a list to a part of the certificates, or to what is new.
        let entries = || list.iter_revoked_certificates();
        let is_partial = list.extensions().iter().any(|extension| extension.critical)
            || entries().any(|entry| entry.extensions().iter().any(|extension| extension.critical));
        let number_of_list = list.crl_number().and_then(|number| u64::try_from(number).ok());
        let (Some(number_of_list), Some(next_update), false) =
            (number_of_list, list.next_update(), is_partial)
        else {
            return Err(RevocationError::Partial { issuer });
        };
        let revoked = entries()
            .map(|entry| (number(entry.raw_serial()).to_vec(), unix_time(entry.revocation_date)));
        Ok(Self {
            issuer_der: list.issuer().as_raw().to_vec(),
            issuer,
            number: number_of_list,
            next_update: unix_time(next_update),
            revoked: revoked.collect(),
            signed: der.slice_ref(list.tbs_cert_list.as_ref()),
            signature: list.signature_value.data.to_vec(),
            der: der.clone(),
        })
    }

    pub(crate) fn dates(&self, is_learned: bool) -> ListDates {
        let (issuer, number) = (self.issuer.clone(), self.number);
        ListDates { issuer, number, next_update: system_time(self.next_update), is_learned }
    }

    pub(crate) fn is_signed_with(
        &self,
        key: &SubjectPublicKeyInfoDer<'_>,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> bool {
        let Ok(key) = RawPublicKeyEntity::try_from(key) else { return false };
        let is_signed =
            |&algorithm| key.verify_signature(algorithm, &self.signed, &self.signature).is_ok();
        algorithms.all.iter().any(is_signed)
    }
}

/// Why a file holds no lists that can be gone by.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationError {
    /// The text is no PEM.
    #[error("malformed PEM")]
    BadPem(#[source] pem::Error),
    /// A list cannot be read.
    #[error("unreadable list of revoked certificates")]
    Unreadable,
    /// A list has no number or no end, or names a part of what its authority has revoked.
    #[error("list of {issuer} has no number or no end, or is a partial one")]
    Partial {
        /// Whose list it is.
        issuer: String,
    },
}

/// The bytes of a serial number without zeros before them: its value.
fn number(serial: &[u8]) -> &[u8] {
    &serial[serial.iter().take_while(|&&byte| byte == 0).count()..]
}

fn unix_time(time: ASN1Time) -> UnixTime {
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn system_time(time: UnixTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{
        CertificateParams, CertificateRevocationListParams, CrlDistributionPoint,
        CrlIssuingDistributionPoint, CrlScope, Issuer, KeyIdMethod, KeyPair, SerialNumber,
        date_time_ymd,
    };

    use super::*;
    use crate::testing;

    fn list(number: &[u8], scope: Option<CrlScope>) -> Result<Revocations, RevocationError> {
        let uris = vec!["http://bank-a.example/part".to_owned()];
        let part = |scope| CrlIssuingDistributionPoint {
            distribution_point: CrlDistributionPoint { uris },
            scope: Some(scope),
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2027, 1, 1),
            crl_number: SerialNumber::from_slice(number),
            issuing_distribution_point: scope.map(part),
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let issuer = Issuer::new(CertificateParams::default(), KeyPair::generate().unwrap());
        Revocations::from_pem(params.signed_by(&issuer).unwrap().pem().unwrap().as_bytes())
    }

    /// IDENT-7: what it does not speak of may be revoked all the same.
    #[test]
    fn a_list_of_a_part_is_not_taken() {
        assert!(list(&[1], None).is_ok());
        let partial = list(&[1], Some(CrlScope::UserCertsOnly)).unwrap_err();
        assert!(matches!(partial, RevocationError::Partial { .. }), "{partial}");
    }

    #[test]
    fn a_number_that_cannot_be_compared_is_not_taken() {
        assert!(list(&[0x7f; 8], None).is_ok());
        let longer = list(&[0x7f; 9], None).unwrap_err();
        assert!(matches!(longer, RevocationError::Partial { .. }), "{longer}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        #[test]
        fn bytes_are_a_list_or_an_error(bytes: Vec<u8>) {
            prop_assert!(List::from_der(&bytes.into()).is_err());
        }

        /// Whatever is changed in a list: it is unreadable, not signed, or says the same.
        #[test]
        fn a_list_with_any_byte_changed_says_nothing_else(
            index: prop::sample::Index,
            change in 1_u8..=255,
        ) {
            let der = CertificateRevocationListDer::from_pem_slice(LIST.0.as_bytes()).unwrap();
            let mut bytes = der.to_vec();
            let index = index.index(bytes.len());
            bytes[index] ^= change;
            let key = SubjectPublicKeyInfoDer::from(LIST.1.as_slice());
            let algorithms = crate::tls::provider().signature_verification_algorithms;
            let whole = List::from_der(&der.to_vec().into()).unwrap();
            prop_assert!(whole.is_signed_with(&key, &algorithms));
            if let Ok(list) = List::from_der(&bytes.into()) {
                let says = |list: &List| {
                    (list.issuer_der.clone(), list.number, list.next_update, list.revoked.clone())
                };
                prop_assert!(says(&list) == says(&whole) || !list.is_signed_with(&key, &algorithms));
            }
        }
    }

    /// A list and the key that has signed it.
    static LIST: std::sync::LazyLock<(String, Vec<u8>)> = std::sync::LazyLock::new(|| {
        let root = amop_pki::Root::new("Root", "amop", testing::now()).unwrap();
        let revoked = amop_pki::Revocation {
            serial: amop_pki::Serial::of(&[7; 16]),
            at: testing::now(),
            reason: amop_pki::Reason::KeyCompromise,
        };
        let list = root.revocation_list(None, &[revoked], 30, testing::now()).unwrap();
        let certificate = root.certificate_der();
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).unwrap();
        (list.to_pem(), parsed.public_key().raw.to_vec())
    });
}
