//! Lists of revoked certificates: who is out, said by the authority that let them in.
//!
//! A list names serial numbers of its issuer's certificates, has a number of its own and two dates.
//! The newest number counts, and none after its `next_update`: whoever holds back a list gains little
//! time. The root revokes agencies, an agency its nodes and clients.
//!
//! The list itself is all that an authority remembers of what it has revoked, and it is public: the next
//! one is made from the one before. Its number is that of the one before and one more, but at least the
//! seconds since 1970; so a list that had to be begun anew still counts as newer than the lost one.

use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::{self, PemObject};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::agency::Agency;
use crate::authority::{Authority, IssueError};
use crate::certificate::{Certificate, Serial, printable, system_time};
use crate::root::Root;
use crate::validity::{Validity, lifetime};

/// A list of the certificates that an authority has revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    /// Whose list it is, as X.509 writes it: `CN=bank-a CA`.
    pub issuer: String,
    /// Its number; of two lists of one authority the one with the greater number counts.
    pub number: u64,
    /// When it was made.
    pub this_update: SystemTime,
    /// Until when the next one must have come.
    pub next_update: SystemTime,
    /// What is revoked, in the order of the list.
    pub revoked: Vec<Revocation>,
    der: CertificateRevocationListDer<'static>,
}

/// One revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Which one.
    pub serial: Serial,
    /// Since when.
    pub at: SystemTime,
    /// Why, for people: it makes no difference.
    pub reason: Reason,
}

/// Why a certificate is revoked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reason {
    /// Nobody says why.
    #[default]
    Unspecified,
    /// Somebody else may have the key.
    KeyCompromise,
    /// The institution or its name has changed.
    AffiliationChanged,
    /// Another certificate has taken its place.
    Superseded,
    /// Nobody uses it any more.
    Cessation,
    /// Its holder may not do any more what it certifies.
    PrivilegeWithdrawn,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::Cessation,
        Self::PrivilegeWithdrawn,
    ];

    /// Its name: `key-compromise`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key-compromise",
            Self::AffiliationChanged => "affiliation-changed",
            Self::Superseded => "superseded",
            Self::Cessation => "cessation",
            Self::PrivilegeWithdrawn => "privilege-withdrawn",
        }
    }

    fn code(self) -> rcgen::RevocationReason {
        match self {
            Self::Unspecified => rcgen::RevocationReason::Unspecified,
            Self::KeyCompromise => rcgen::RevocationReason::KeyCompromise,
            Self::AffiliationChanged => rcgen::RevocationReason::AffiliationChanged,
            Self::Superseded => rcgen::RevocationReason::Superseded,
            Self::Cessation => rcgen::RevocationReason::CessationOfOperation,
            Self::PrivilegeWithdrawn => rcgen::RevocationReason::PrivilegeWithdrawn,
        }
    }

    fn of_code(code: u8) -> Self {
        Self::ALL.into_iter().find(|reason| reason.code() as u8 == code).unwrap_or_default()
    }
}

impl RevocationList {
    /// Reads a list in PEM. Whose signature it bears is not looked at: see
    /// [`is_signed_by`](Self::is_signed_by).
    ///
    /// # Errors
    ///
    /// [`ListError`] says what the text is instead.
    pub fn from_pem(text: &str) -> Result<Self, ListError> {
        let der = CertificateRevocationListDer::from_pem_slice(text.as_bytes())
            .map_err(ListError::NotPem)?;
        Self::from_der(&der)
    }

    /// Whether the list is signed with the key of `issuer`, and names it as its issuer.
    #[must_use]
    pub fn is_signed_by(&self, issuer: &Certificate) -> bool {
        self.issuer == issuer.subject && self.is_signed_with(issuer.public_key_der())
    }

    /// The entry of a certificate, if it is revoked.
    #[must_use]
    pub fn find(&self, serial: &Serial) -> Option<&Revocation> {
        self.revoked.iter().find(|revocation| revocation.serial == *serial)
    }

    /// The list in PEM, to be given to everybody.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pkcs8::Document::try_from(&*self.der)
            .and_then(|der| der.to_pem("X509 CRL", pkcs8::LineEnding::LF))
            .expect("it was read as DER")
    }

    fn is_signed_with(&self, spki: &[u8]) -> bool {
        let (Ok((_, list)), Ok((_, spki))) =
            (CertificateRevocationList::from_der(&self.der), SubjectPublicKeyInfo::from_der(spki))
        else {
            return false;
        };
        list.verify_signature(&spki).is_ok()
    }

    fn from_der(der: &CertificateRevocationListDer<'static>) -> Result<Self, ListError> {
        let (rest, list) =
            CertificateRevocationList::from_der(der).map_err(|_| ListError::Malformed)?;
        let number = list.crl_number().and_then(|number| u64::try_from(number).ok());
        let (Some(number), Some(next), true) = (number, list.next_update(), rest.is_empty()) else {
            return Err(ListError::Malformed);
        };
        let revoked = list.iter_revoked_certificates().map(|entry| Revocation {
            serial: Serial::of(entry.raw_serial()),
            at: system_time(entry.revocation_date),
            reason: entry
                .reason_code()
                .map_or(Reason::Unspecified, |(_, code)| Reason::of_code(code.0)),
        });
        Ok(Self {
            issuer: printable(&list.issuer().to_string()),
            number,
            this_update: system_time(list.last_update()),
            next_update: system_time(next),
            revoked: revoked.collect(),
            der: der.clone(),
        })
    }
}

impl Root {
    /// Makes the next list of revoked agencies: what the one before names, and `revoke`. It counts for
    /// `days` days, from five minutes before `now`.
    ///
    /// # Errors
    ///
    /// [`IssueError::ForeignList`] if the previous list is not of this root; [`IssueError::Lifetime`]
    /// unless it is for 1 to [`LIST_DAYS_MAX`] days; [`IssueError::IssuerNotValid`] if the root's
    /// certificate does not count at `now`.
    pub fn revocation_list(
        &self,
        previous: Option<&RevocationList>,
        revoke: &[Revocation],
        days: u64,
        now: SystemTime,
    ) -> Result<RevocationList, IssueError> {
        self.authority.revocation_list(previous, revoke, days, now)
    }
}

impl Agency {
    /// Makes the next list of revoked nodes and clients, like [`Root::revocation_list`].
    ///
    /// # Errors
    ///
    /// Those of [`Root::revocation_list`].
    pub fn revocation_list(
        &self,
        previous: Option<&RevocationList>,
        revoke: &[Revocation],
        days: u64,
        now: SystemTime,
    ) -> Result<RevocationList, IssueError> {
        self.authority.revocation_list(previous, revoke, days, now)
    }
}

impl Authority {
    fn revocation_list(
        &self,
        previous: Option<&RevocationList>,
        revoke: &[Revocation],
        days: u64,
        now: SystemTime,
    ) -> Result<RevocationList, IssueError> {
        if previous.is_some_and(|list| !list.is_signed_with(&self.public_key_der())) {
            return Err(IssueError::ForeignList);
        }
        // An authority that has ended signs no more lists; the dates of one that goes on may pass its end.
        Validity::lasting_within(self.validity, now, Duration::ZERO)?;
        let dates = Validity::lasting(now, lifetime(days, LIST_DAYS_MAX)?)?;
        let mut revoked = previous.map(|list| list.revoked.clone()).unwrap_or_default();
        for revocation in revoke {
            // What is revoked stays so since the first time.
            if !revoked.iter().any(|known| known.serial == revocation.serial) {
                revoked.push(revocation.clone());
            }
        }
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let number = previous.map_or(0, |list| list.number.saturating_add(1)).max(seconds);
        let epoch = date_time_ymd(1970, 1, 1);
        let params = CertificateRevocationListParams {
            this_update: epoch + Duration::from_secs(dates.not_before.as_secs()),
            next_update: epoch + Duration::from_secs(dates.not_after.as_secs()),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).map_err(IssueError::Signing)?;
        Ok(RevocationList::from_der(list.der()).expect("we read what we write"))
    }
}

fn entry(revocation: &Revocation) -> RevokedCertParams {
    let seconds =
        revocation.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    RevokedCertParams {
        serial_number: SerialNumber::from_slice(revocation.serial.as_bytes()),
        revocation_time: date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds),
        reason_code: match revocation.reason {
            Reason::Unspecified => None, // RFC 5280 wants it left out.
            other => Some(other.code()),
        },
        invalidity_date: None,
    }
}

/// How many days a list may count at most.
pub const LIST_DAYS_MAX: u64 = 366;

/// Why a text is no list of revoked certificates.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// There is no list in PEM in the text.
    #[error("there is no `X509 CRL` in PEM")]
    NotPem(#[source] pem::Error),
    /// It is PEM, but of no list, or of one without a number or an end.
    #[error("the list is malformed, or has no number or no end")]
    Malformed,
}
