//! Signs: what the consortium's root and an agency have in common.
//!
//! An authority is a CA certificate with its key. What is signed under it is decided by
//! [`Root`](crate::Root) and [`Agency`](crate::Agency); here is how: a fresh key, a random serial
//! number, the dates.

use amop_wire::NameError;
use aws_lc_rs::rand;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, GeneralSubtree,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PublicKeyData, SerialNumber,
};
use rustls_pki_types::CertificateDer;

use crate::key::{PrivateKey, Signer};
use crate::leaf::LeafProfile;
use crate::request::Request;
use crate::validity::Validity;

/// A certificate that others are issued under, with its private key.
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) issuer: Issuer<'static, Signer>,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) certificate_pem: String,
    pub(crate) validity: Validity,
}

/// What an authority's certificate says about it.
pub(crate) struct AuthorityProfile<'a> {
    /// Up to [`COMMON_NAME_CHARS_MAX`] characters.
    pub(crate) common_name: &'a str,
    /// How many authorities may stand between this one and a leaf.
    pub(crate) path_len: u8,
    /// The DNS subtrees it may certify; none means all of them.
    pub(crate) permitted: &'a [String],
    pub(crate) validity: Validity,
}

impl Authority {
    /// Makes an authority that vouches for itself.
    pub(crate) fn self_signed(profile: &AuthorityProfile<'_>) -> Result<Self, IssueError> {
        let key = authority_key()?;
        let params = profile.to_params()?;
        let certificate = params.self_signed(&key).map_err(IssueError::Signing)?;
        Ok(Self::assemble(&certificate, params, key, profile.validity))
    }

    /// Makes an authority that this one vouches for.
    pub(crate) fn sign_authority(
        &self,
        profile: &AuthorityProfile<'_>,
    ) -> Result<Self, IssueError> {
        let key = authority_key()?;
        let mut params = profile.to_params()?;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(IssueError::Signing)?;
        Ok(Self::assemble(&certificate, params, key, profile.validity))
    }

    /// Makes a leaf with whatever the profile says.
    pub(crate) fn sign_leaf(
        &self,
        profile: &LeafProfile,
        validity: Validity,
    ) -> Result<(Certificate, KeyPair), IssueError> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
            .map_err(IssueError::KeyGeneration)?;
        let mut params = profile.to_params()?;
        params.serial_number = Some(random_serial()?);
        params.use_authority_key_identifier_extension = true;
        validity.apply_to(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).map_err(IssueError::Signing)?;
        Ok((certificate, key))
    }

    /// Makes a leaf for the key in a request. Of the request nothing else is looked at.
    pub(crate) fn certify_leaf(
        &self,
        request: &Request,
        profile: &LeafProfile,
        validity: Validity,
    ) -> Result<Certificate, IssueError> {
        let params = profile.to_params()?;
        self.certify(request, params, validity)
    }

    /// Makes an authority's certificate for the key in a request.
    pub(crate) fn certify_authority(
        &self,
        request: &Request,
        profile: &AuthorityProfile<'_>,
    ) -> Result<Certificate, IssueError> {
        self.certify(request, profile.to_params()?, profile.validity)
    }

    fn certify(
        &self,
        request: &Request,
        mut params: CertificateParams,
        validity: Validity,
    ) -> Result<Certificate, IssueError> {
        params.serial_number = Some(random_serial()?);
        params.use_authority_key_identifier_extension = true;
        validity.apply_to(&mut params);
        params.signed_by(&request.public_key()?, &self.issuer).map_err(IssueError::Signing)
    }

    /// The public key, as SubjectPublicKeyInfo in DER.
    pub(crate) fn public_key_der(&self) -> Vec<u8> {
        self.issuer.key().subject_public_key_info()
    }

    pub(crate) fn private_key(&self) -> PrivateKey {
        PrivateKey::of_signer(self.issuer.key())
    }

    pub(crate) fn key_pem(&self) -> String {
        self.issuer.key().0.serialize_pem()
    }

    fn assemble(
        certificate: &Certificate,
        params: CertificateParams,
        key: Signer,
        validity: Validity,
    ) -> Self {
        Self {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            issuer: Issuer::new(params, key),
            validity,
        }
    }
}

impl AuthorityProfile<'_> {
    fn to_params(&self) -> Result<CertificateParams, IssueError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name(self.common_name);
        params.serial_number = Some(random_serial()?);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(self.path_len));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let permitted = self.permitted.iter().cloned().map(GeneralSubtree::DnsName).collect();
        params.name_constraints =
            Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() });
        self.validity.apply_to(&mut params);
        Ok(params)
    }
}

/// A subject of one common name, or an empty one if the name is too long to be one.
///
/// X.509 ends a common name after 64 characters; the alternative name has room for every DNS name.
pub(crate) fn distinguished_name(common_name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    if common_name.chars().count() <= COMMON_NAME_CHARS_MAX {
        subject.push(DnType::CommonName, common_name);
    }
    subject
}

fn authority_key() -> Result<Signer, IssueError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384);
    key.map(Signer).map_err(IssueError::KeyGeneration)
}

/// Draws a positive number of exactly 16 bytes, 126 bits of which are random.
fn random_serial() -> Result<SerialNumber, IssueError> {
    let mut serial = [0_u8; SERIAL_BYTES];
    rand::fill(&mut serial).map_err(|_| IssueError::Randomness)?;
    serial[0] &= 0b0111_1111; // The sign bit: a serial number is positive.
    serial[0] |= 0b0100_0000; // No leading zeros: DER would drop them.
    Ok(SerialNumber::from_slice(&serial))
}

/// Longest common name that X.509 allows, in characters (`ub-common-name` of RFC 5280).
pub(crate) const COMMON_NAME_CHARS_MAX: usize = 64;

const SERIAL_BYTES: usize = 16;

/// Why a certificate was not made. Nothing was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The caller's agency, domain or label is no DNS label, or they are too long together.
    #[error("the name is malformed")]
    BadName(#[source] NameError),
    /// The caller's title is empty, too long or not printable.
    #[error("{title:?} is no title of 1 to {COMMON_NAME_CHARS_MAX} printable characters")]
    BadTitle {
        /// The title that was asked for.
        title: String,
    },
    /// The caller asked an agency for a name that belongs to another agency.
    #[error("`{name}` is not under `{subtree}`, which is all that this agency may certify")]
    ForeignName {
        /// The name that was asked for.
        name: String,
        /// The DNS subtree of the agency that was asked.
        subtree: String,
    },
    /// The caller wants a request signed that asks for another name.
    #[error("the request asks for `{requested}`, not for `{wanted}`")]
    OtherRequest {
        /// What it asks for. It is printable.
        requested: String,
        /// What was to be certified.
        wanted: String,
    },
    /// The request is for a key of the wrong kind: P-384 is for authorities, P-256 for parties.
    #[error(
        "the key in the request is of the wrong kind: P-384 is for authorities, P-256 for nodes and clients"
    )]
    KindOfKey,
    /// The caller goes on from a list of revoked certificates that another authority has signed.
    #[error("the previous list of revoked certificates is not signed by this authority")]
    ForeignList,
    /// The caller wants a certificate or list to last longer than its kind may, or no time at all.
    #[error("{days} days are not between 1 and {max}")]
    Lifetime {
        /// What the caller wants.
        days: u64,
        /// How many there may be.
        max: u64,
    },
    /// The caller's profile has a name that cannot stand in a certificate: it is not ASCII.
    #[error("{name:?} cannot be written as a DNS name")]
    NotDns {
        /// The name that was asked for.
        name: String,
    },
    /// The caller's plan has the same agency or the same leaf twice.
    #[error("`{name}` is planned twice")]
    PlannedTwice {
        /// The agency, or the DNS name of the leaf.
        name: String,
    },
    /// The signing certificate has expired or does not count yet. Times are Unix seconds.
    #[error("the issuer's certificate counts from {not_before} to {not_after}, but now is {now}")]
    IssuerNotValid {
        /// The moment that the caller named.
        now: u64,
        /// The first second in which the issuer's certificate counts.
        not_before: u64,
        /// The last second in which the issuer's certificate counts.
        not_after: u64,
    },
    /// The caller's time or lifetime leads out of the years 1970 to 9999.
    #[error("a date is outside of the years 1970 to 9999")]
    DateOutOfRange,
    /// The system gave no randomness.
    #[error("no randomness for a serial number")]
    Randomness,
    /// The cryptographic library could not make a key.
    #[error("could not make a key")]
    KeyGeneration(#[source] rcgen::Error),
    /// The cryptographic library could not sign the certificate.
    #[error("could not sign the certificate")]
    Signing(#[source] rcgen::Error),
}
