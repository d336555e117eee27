//! An agency's authority: certifies the agency's own nodes and clients, and nobody else's.
//!
//! What it may certify is written in its certificate, as a name constraint by the root. Peers take
//! the agency of a party from there, so that an agency cannot speak for another even if it signs
//! a certificate that claims so.

use std::time::{Duration, SystemTime};

use amop_wire::{Name, Role};
use rustls_pki_types::CertificateDer;

use crate::authority::{Authority, AuthorityProfile, COMMON_NAME_CHARS_MAX, IssueError};
use crate::key::PrivateKey;
use crate::leaf::{Leaf, LeafProfile};
use crate::load::{self, LoadError, Loaded};
use crate::request::{KeyKind, Request};
use crate::validity::{DAY, Validity, lifetime};

/// The authority of one agency: a certificate that the root signed, and its private key.
#[derive(Debug)]
pub struct Agency {
    agency: String,
    domain: String,
    pub(crate) authority: Authority,
}

impl Agency {
    pub(crate) fn new(
        root: &Authority,
        domain: &str,
        profile: &AgencyProfile,
        validity: Validity,
    ) -> Result<Self, IssueError> {
        // An agency is well formed if a name can belong to it.
        Name::new("any", Role::Node, &profile.agency, domain).map_err(IssueError::BadName)?;
        if let Some(name) = profile.permitted.iter().find(|subtree| !subtree.is_ascii()) {
            return Err(IssueError::NotDns { name: name.clone() });
        }
        let authority = root.sign_authority(&AuthorityProfile {
            common_name: &common_name(&profile.agency),
            path_len: AGENCY_PATH_LEN,
            permitted: &profile.permitted,
            validity,
        })?;
        Ok(Self { agency: profile.agency.clone(), domain: domain.to_owned(), authority })
    }

    /// Reads back an agency's authority from its certificate and its PKCS#8 key, both PEM.
    ///
    /// The agency is what the certificate's name constraint says; one without can be made for
    /// tests but not read back. Its dates are not judged here but when it signs.
    ///
    /// # Errors
    ///
    /// [`LoadError`] says which of the two texts is no part of an agency's authority, and why.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, LoadError> {
        Self::of(load::authority(certificate_pem, key_pem)?)
    }

    /// Reads back an authority like [`from_pem`](Self::from_pem), with a key that is overwritten in memory.
    ///
    /// # Errors
    ///
    /// [`LoadError`] says why the certificate and the key are no agency's authority.
    pub fn with_key(certificate_pem: &str, key: &PrivateKey) -> Result<Self, LoadError> {
        Self::of(load::authority_with(certificate_pem, || Ok(key.signer()))?)
    }

    fn of(loaded: Loaded) -> Result<Self, LoadError> {
        if loaded.is_self_issued {
            return Err(LoadError::NotAnAgency);
        }
        let (agency, domain) = loaded.subtree.split_once('.').ok_or(LoadError::NotAnAgency)?;
        Name::new("any", Role::Node, agency, domain).map_err(LoadError::BadSubtree)?;
        let (agency, domain) = (agency.to_owned(), domain.to_owned());
        Ok(Self { agency, domain, authority: loaded.authority })
    }

    /// Certifies `name` with a fresh key (P-256), for 90 days or until the agency's own
    /// certificate ends. A node may accept and open links, a client only open them.
    ///
    /// # Errors
    ///
    /// [`IssueError::ForeignName`] if the name belongs to another agency or domain;
    /// [`IssueError::IssuerNotValid`] if the agency's certificate does not count at `now`.
    pub fn issue(&self, name: &Name, now: SystemTime) -> Result<Leaf, IssueError> {
        self.check_own(name)?;
        let profile = LeafProfile::of(name);
        let validity = Validity::lasting_within(self.authority.validity, now, profile.lifetime)?;
        self.sign(&profile, validity)
    }

    /// Certifies the name and the key of a request for `days` days, or until the agency's own
    /// certificate ends; 90 days are usual. The result is the chain to show, in PEM.
    ///
    /// Everything else in the request is ignored: it gets the usages of its role, a random serial
    /// number and our dates. Show [`Request::ignored`] and compare [`Request::fingerprint`] before.
    ///
    /// # Errors
    ///
    /// [`IssueError::BadName`] if it asks for no party's name, [`IssueError::ForeignName`] if the name
    /// belongs to another agency or domain, [`IssueError::KindOfKey`] unless its key is of P-256,
    /// [`IssueError::Lifetime`] unless it is for 1 to [`LEAF_DAYS_MAX`] days;
    /// [`IssueError::IssuerNotValid`] if the agency's certificate does not count at `now`.
    pub fn certify(
        &self,
        request: &Request,
        days: u64,
        now: SystemTime,
    ) -> Result<String, IssueError> {
        let name = request.party().map_err(IssueError::BadName)?;
        self.check_own(&name)?;
        if request.key_kind() != KeyKind::P256 {
            return Err(IssueError::KindOfKey);
        }
        let lifetime = lifetime(days, LEAF_DAYS_MAX)?;
        let validity = Validity::lasting_within(self.authority.validity, now, lifetime)?;
        let profile = LeafProfile::of(&name);
        let leaf = self.authority.certify_leaf(request, &profile, validity)?;
        Ok(leaf.pem() + &self.authority.certificate_pem)
    }

    /// Certifies whatever the profile says, for tests of those who must refuse it: foreign names,
    /// wrong usages, or a `now` in the past or the future. The agency's own dates are not looked
    /// at.
    ///
    /// # Errors
    ///
    /// [`IssueError::NotDns`] if one of the profile's names is not ASCII;
    /// [`IssueError::DateOutOfRange`] if its dates lead out of the years 1970 to 9999.
    pub fn issue_custom(&self, profile: &LeafProfile, now: SystemTime) -> Result<Leaf, IssueError> {
        self.sign(profile, Validity::lasting(now, profile.lifetime)?)
    }

    /// The institution: `bank-a`.
    #[must_use]
    pub fn agency(&self) -> &str {
        &self.agency
    }

    /// The consortium's suffix: `amop`.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The certificate that the root signed. Every leaf's chain has it already.
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

    /// The private key as PKCS#8, not encrypted: whoever reads it can speak for the agency.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.authority.key_pem()
    }

    fn sign(&self, profile: &LeafProfile, validity: Validity) -> Result<Leaf, IssueError> {
        let (certificate, key) = self.authority.sign_leaf(profile, validity)?;
        Ok(Leaf::under_agency(&certificate, key, &self.authority))
    }

    fn check_own(&self, name: &Name) -> Result<(), IssueError> {
        if (name.agency(), name.domain()) == (&*self.agency, &*self.domain) {
            return Ok(());
        }
        Err(IssueError::ForeignName { name: name.as_dns().to_owned(), subtree: self.subtree() })
    }

    fn subtree(&self) -> String {
        format!("{}.{}", self.agency, self.domain)
    }
}

/// What an agency's certificate says, for those who need one that [`Root::agency`] would not make.
///
/// Start from [`AgencyProfile::of`] and change what shall be wrong.
///
/// [`Root::agency`]: crate::Root::agency
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgencyProfile {
    /// The agency that the certificate is for, and that [`Agency::issue`] takes names of.
    pub agency: String,
    /// The DNS subtrees that it may certify. If empty, the certificate does not restrict it.
    pub permitted: Vec<String>,
    /// How long the certificate counts from the moment it is made.
    pub lifetime: Duration,
}

impl AgencyProfile {
    /// Says what the certificate of `agency` says when nothing is wrong with it.
    #[must_use]
    pub fn of(agency: &str, domain: &str) -> Self {
        Self {
            agency: agency.to_owned(),
            permitted: vec![format!("{agency}.{domain}")],
            lifetime: AGENCY_LIFETIME,
        }
    }
}

/// Names the authority after its agency; the longest agencies leave no room for more.
pub(crate) fn common_name(agency: &str) -> String {
    let full = format!("{agency} CA");
    if full.chars().count() <= COMMON_NAME_CHARS_MAX { full } else { agency.to_owned() }
}

/// An agency certifies leaves, never another authority.
pub(crate) const AGENCY_PATH_LEN: u8 = 0;

/// How many days a party's certificate may count at most, whoever wants more: a name that nobody
/// renews shall end by itself.
pub const LEAF_DAYS_MAX: u64 = 398;

const AGENCY_LIFETIME: Duration = DAY.saturating_mul(3 * 365);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::Root;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn bank_a() -> Agency {
        Root::new("Title", "amop", now()).unwrap().agency("bank-a", now()).unwrap()
    }

    #[test]
    fn an_agency_certifies_only_its_own_names() {
        let agency = bank_a();
        for foreign in ["n1.node.bank-b.amop", "n1.node.bank-a.east.amop", "n1.node.bank.amop"] {
            let error = agency.issue(&foreign.parse().unwrap(), now()).unwrap_err();
            let expected =
                IssueError::ForeignName { name: foreign.into(), subtree: "bank-a.amop".into() };
            assert_eq!(error, expected);
        }
        assert!(agency.issue(&"n1.node.bank-a.amop".parse().unwrap(), now()).is_ok());
    }

    #[test]
    fn an_expired_agency_certifies_nobody() {
        let (agency, name) = (bank_a(), "n1.node.bank-a.amop".parse().unwrap());
        let end = now() + AGENCY_LIFETIME;
        assert!(agency.issue(&name, end).is_ok());
        let error = agency.issue(&name, end + Duration::from_secs(1)).unwrap_err();
        assert!(matches!(error, IssueError::IssuerNotValid { .. }), "{error}");
    }

    #[test]
    fn names_that_no_certificate_can_hold_are_refused() {
        let root = Root::new("Title", "amop", now()).unwrap();
        let refused = IssueError::NotDns { name: "bänk.amop".into() };

        let mut agency = AgencyProfile::of("bank-a", "amop");
        agency.permitted = vec!["bänk.amop".into()];
        assert_eq!(root.agency_custom(&agency, now()).unwrap_err(), refused);

        let mut leaf = LeafProfile::of(&"n1.node.bank-a.amop".parse().unwrap());
        leaf.names = vec!["bänk.amop".into()];
        assert_eq!(bank_a().issue_custom(&leaf, now()).unwrap_err(), refused);
    }

    #[test]
    fn the_longest_agency_still_fits_into_a_common_name() {
        let root = Root::new("Title", "amop", now()).unwrap();
        assert_eq!(common_name("bank-a"), "bank-a CA");
        assert_eq!(common_name(&"b".repeat(61)).len(), COMMON_NAME_CHARS_MAX);
        assert_eq!(common_name(&"b".repeat(62)), "b".repeat(62));
        assert!(root.agency(&"b".repeat(63), now()).is_ok());
    }
}
