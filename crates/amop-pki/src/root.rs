//! The consortium's root: vouches for agencies, and is what every member trusts.

use std::time::{Duration, SystemTime};

use amop_wire::{Name, Role};
use rustls_pki_types::CertificateDer;

use crate::agency::{AGENCY_PATH_LEN, Agency, AgencyProfile, common_name};
use crate::authority::{Authority, AuthorityProfile, COMMON_NAME_CHARS_MAX, IssueError};
use crate::key::PrivateKey;
use crate::leaf::{Leaf, LeafProfile};
use crate::load::{self, LoadError, Loaded};
use crate::request::{KeyKind, Request};
use crate::validity::{DAY, Validity, lifetime};

/// The root of a consortium: a self-signed certificate (P-384, 10 years) and its private key.
///
/// Its name constraint is the consortium's domain, so that whoever trusts it trusts it for that
/// domain only.
#[derive(Debug)]
pub struct Root {
    domain: String,
    pub(crate) authority: Authority,
}

impl Root {
    /// Makes a root named `title` for the names that end in `domain`, with a fresh key.
    ///
    /// # Errors
    ///
    /// [`IssueError::BadTitle`] unless the title is 1 to 64 printable characters;
    /// [`IssueError::BadName`] if the domain does not consist of DNS labels;
    /// [`IssueError::DateOutOfRange`] if the certificate would not end before the year 10000.
    pub fn new(title: &str, domain: &str, now: SystemTime) -> Result<Self, IssueError> {
        if !is_title(title) {
            return Err(IssueError::BadTitle { title: title.to_owned() });
        }
        // A domain is well formed if a name can end in it.
        Name::new("any", Role::Node, "any", domain).map_err(IssueError::BadName)?;
        let authority = Authority::self_signed(&AuthorityProfile {
            common_name: title,
            path_len: ROOT_PATH_LEN,
            permitted: &[domain.to_owned()],
            validity: Validity::lasting(now, ROOT_LIFETIME)?,
        })?;
        Ok(Self { domain: domain.to_owned(), authority })
    }

    /// Reads back a root from its certificate and its PKCS#8 key, both PEM.
    ///
    /// Its dates are not judged here but when it signs.
    ///
    /// # Errors
    ///
    /// [`LoadError`] says which of the two texts is no part of a root, and why.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, LoadError> {
        Self::of(load::authority(certificate_pem, key_pem)?)
    }

    /// Reads back a root like [`from_pem`](Self::from_pem), with a key that is overwritten in memory.
    ///
    /// # Errors
    ///
    /// [`LoadError`] says why the certificate and the key are no root.
    pub fn with_key(certificate_pem: &str, key: &PrivateKey) -> Result<Self, LoadError> {
        Self::of(load::authority_with(certificate_pem, || Ok(key.signer()))?)
    }

    /// The private key, to be written encrypted.
    #[must_use]
    pub fn private_key(&self) -> PrivateKey {
        self.authority.private_key()
    }

    fn of(loaded: Loaded) -> Result<Self, LoadError> {
        if !loaded.is_self_issued {
            return Err(LoadError::NotARoot);
        }
        let domain = loaded.subtree;
        Name::new("any", Role::Node, "any", &domain).map_err(LoadError::BadSubtree)?;
        Ok(Self { domain, authority: loaded.authority })
    }

    /// Makes the authority of an agency, with a fresh key: P-384, for names under its own subtree
    /// only, for 3 years or until the root's certificate ends.
    ///
    /// # Errors
    ///
    /// [`IssueError::BadName`] if `agency` is no DNS label; [`IssueError::IssuerNotValid`] if the
    /// root's certificate does not count at `now`.
    pub fn agency(&self, agency: &str, now: SystemTime) -> Result<Agency, IssueError> {
        let profile = AgencyProfile::of(agency, &self.domain);
        let validity = Validity::lasting_within(self.authority.validity, now, profile.lifetime)?;
        Agency::new(&self.authority, &self.domain, &profile, validity)
    }

    /// Certifies the key of a request as the authority of `agency`, for `days` days or until the root's
    /// certificate ends; three years are usual. The result is the certificate in PEM.
    ///
    /// Everything else in the request is ignored. It must ask for the agency's subtree, so that
    /// nobody signs the request of one agency for another.
    ///
    /// # Errors
    ///
    /// [`IssueError::BadName`] if `agency` is no DNS label, [`IssueError::OtherRequest`] if the request
    /// asks for something else, [`IssueError::KindOfKey`] unless its key is of P-384,
    /// [`IssueError::Lifetime`] unless it is for 1 to [`AGENCY_DAYS_MAX`] days;
    /// [`IssueError::IssuerNotValid`] if the root's certificate does not count at `now`.
    pub fn certify(
        &self,
        request: &Request,
        agency: &str,
        days: u64,
        now: SystemTime,
    ) -> Result<String, IssueError> {
        Name::new("any", Role::Node, agency, &self.domain).map_err(IssueError::BadName)?;
        let wanted = format!("{agency}.{}", self.domain);
        if request.name() != wanted {
            let requested = request.name().to_owned();
            return Err(IssueError::OtherRequest { requested, wanted });
        }
        if request.key_kind() != KeyKind::P384 {
            return Err(IssueError::KindOfKey);
        }
        let lifetime = lifetime(days, AGENCY_DAYS_MAX)?;
        let certificate = self.authority.certify_authority(
            request,
            &AuthorityProfile {
                common_name: &common_name(agency),
                path_len: AGENCY_PATH_LEN,
                permitted: &[wanted],
                validity: Validity::lasting_within(self.authority.validity, now, lifetime)?,
            },
        )?;
        Ok(certificate.pem())
    }

    /// Makes the authority of an agency with whatever the profile says, for tests of those who
    /// must refuse it. The root's own dates are not looked at.
    ///
    /// # Errors
    ///
    /// [`IssueError::BadName`] if the profile's agency is no DNS label;
    /// [`IssueError::NotDns`] if a permitted subtree is not ASCII;
    /// [`IssueError::DateOutOfRange`] if its dates lead out of the years 1970 to 9999.
    pub fn agency_custom(
        &self,
        profile: &AgencyProfile,
        now: SystemTime,
    ) -> Result<Agency, IssueError> {
        let validity = Validity::lasting(now, profile.lifetime)?;
        Agency::new(&self.authority, &self.domain, profile, validity)
    }

    /// Makes a leaf directly under the root with whatever the profile says, for tests of those
    /// who must refuse it: no agency vouches for its name. The root's own dates are not looked at.
    ///
    /// # Errors
    ///
    /// [`IssueError::NotDns`] if one of the profile's names is not ASCII;
    /// [`IssueError::DateOutOfRange`] if its dates lead out of the years 1970 to 9999.
    pub fn issue_custom(&self, profile: &LeafProfile, now: SystemTime) -> Result<Leaf, IssueError> {
        let validity = Validity::lasting(now, profile.lifetime)?;
        let (certificate, key) = self.authority.sign_leaf(profile, validity)?;
        Ok(Leaf::under_root(&certificate, key))
    }

    /// The consortium's suffix: `amop`.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The certificate that every member is given and trusts.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.authority.certificate_pem
    }

    /// The certificate of [`certificate_pem`](Self::certificate_pem) in the form that TLS
    /// libraries take.
    #[must_use]
    pub fn certificate_der(&self) -> CertificateDer<'static> {
        self.authority.certificate.clone()
    }

    /// The private key as PKCS#8, not encrypted: whoever reads it can admit anyone.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.authority.key_pem()
    }
}

fn is_title(title: &str) -> bool {
    let chars = title.chars().count();
    (1..=COMMON_NAME_CHARS_MAX).contains(&chars) && !title.chars().any(char::is_control)
}

/// One authority, an agency's, may stand between the root and a leaf.
const ROOT_PATH_LEN: u8 = 1;

/// How many days an agency's certificate may count at most.
pub const AGENCY_DAYS_MAX: u64 = 5 * 366;

const ROOT_LIFETIME: Duration = DAY.saturating_mul(10 * 365);

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    #[test]
    fn a_title_has_1_to_64_printable_characters() {
        let longest = "é".repeat(COMMON_NAME_CHARS_MAX);
        assert!(Root::new(&longest, "amop", now()).is_ok());
        for title in ["", "two\nlines", &"é".repeat(COMMON_NAME_CHARS_MAX + 1)] {
            let error = Root::new(title, "amop", now()).unwrap_err();
            assert_eq!(error, IssueError::BadTitle { title: title.to_owned() });
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_domain_consists_of_dns_labels() {
        assert_eq!(Root::new("Title", "east.amop", now()).unwrap().domain(), "east.amop");
        for domain in ["", "AMOP", "amop.", ".amop", "*.amop"] {
            let error = Root::new("Title", domain, now()).unwrap_err();
            assert!(matches!(error, IssueError::BadName(_)), "{domain}: {error}");
        }
    }

    #[test]
    fn an_agency_is_one_dns_label() {
        let root = Root::new("Title", "amop", now()).unwrap();
        for agency in ["", "Bank", "bank.a", "bank_a"] {
            let error = root.agency(agency, now()).unwrap_err();
            assert!(matches!(error, IssueError::BadName(_)), "{agency}: {error}");
        }
    }

    #[test]
    fn an_expired_root_admits_nobody() {
        let root = Root::new("Title", "amop", now()).unwrap();
        let end = now() + ROOT_LIFETIME;
        assert!(root.agency("bank-a", end).is_ok());
        let error = root.agency("bank-a", end + Duration::from_secs(1)).unwrap_err();
        assert!(matches!(error, IssueError::IssuerNotValid { .. }), "{error}");
    }
}
