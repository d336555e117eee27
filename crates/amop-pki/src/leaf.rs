//! The certificate of one party, a node or a client, with its key and the chain to show.

use std::time::Duration;

use amop_wire::{Name, Role};
use rcgen::{
    Certificate, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::authority::{Authority, IssueError, distinguished_name};
use crate::validity::DAY;

/// A party's certificate, those that lead from it towards the root, and its private key (P-256).
#[derive(Debug)]
pub struct Leaf {
    chain: Vec<CertificateDer<'static>>,
    chain_pem: String,
    key: KeyPair,
}

impl Leaf {
    pub(crate) fn under_agency(leaf: &Certificate, key: KeyPair, agency: &Authority) -> Self {
        Self {
            chain: vec![leaf.der().clone(), agency.certificate.clone()],
            chain_pem: leaf.pem() + &agency.certificate_pem,
            key,
        }
    }

    pub(crate) fn under_root(leaf: &Certificate, key: KeyPair) -> Self {
        Self { chain: vec![leaf.der().clone()], chain_pem: leaf.pem(), key }
    }

    /// The chain to show to peers, own certificate first, without the root.
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// The private key as PKCS#8, not encrypted: keep it from other eyes.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The chain of [`chain_pem`](Self::chain_pem) in the form that TLS libraries take.
    #[must_use]
    pub fn chain_der(&self) -> Vec<CertificateDer<'static>> {
        self.chain.clone()
    }

    /// The key of [`key_pem`](Self::key_pem) in the form that TLS libraries take.
    #[must_use]
    pub fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

/// What a leaf certificate says, for those who need one that [`Agency::issue`] would not make.
///
/// Start from [`LeafProfile::of`] and change what shall be wrong.
///
/// [`Agency::issue`]: crate::Agency::issue
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafProfile {
    /// The DNS names in the certificate. The first is also its common name.
    pub names: Vec<String>,
    /// What the holder may be in TLS. If empty, the certificate does not restrict it.
    pub usages: Vec<Usage>,
    /// How long the certificate counts from the moment it is made.
    pub lifetime: Duration,
}

impl LeafProfile {
    /// Says what the certificate of `name` says when nothing is wrong with it.
    #[must_use]
    pub fn of(name: &Name) -> Self {
        let usages = match name.role() {
            Role::Node => vec![Usage::ServerAuth, Usage::ClientAuth],
            Role::Sdk => vec![Usage::ClientAuth],
        };
        Self { names: vec![name.as_dns().to_owned()], usages, lifetime: LEAF_LIFETIME }
    }

    pub(crate) fn to_params(&self) -> Result<CertificateParams, IssueError> {
        let mut params = CertificateParams::default();
        params.distinguished_name =
            distinguished_name(self.names.first().map_or("", String::as_str));
        params.subject_alt_names =
            self.names.iter().map(|name| dns_name(name)).collect::<Result<_, _>>()?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = self.usages.iter().map(|usage| usage.to_purpose()).collect();
        Ok(params)
    }
}

/// What a certificate's holder may be in TLS: an extended key usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// May accept links.
    ServerAuth,
    /// May open links.
    ClientAuth,
}

impl Usage {
    fn to_purpose(self) -> ExtendedKeyUsagePurpose {
        match self {
            Self::ServerAuth => ExtendedKeyUsagePurpose::ServerAuth,
            Self::ClientAuth => ExtendedKeyUsagePurpose::ClientAuth,
        }
    }
}

pub(crate) fn dns_name(name: &str) -> Result<SanType, IssueError> {
    let ia5 = name.try_into().map_err(|_| IssueError::NotDns { name: name.to_owned() })?;
    Ok(SanType::DnsName(ia5))
}

const LEAF_LIFETIME: Duration = DAY.saturating_mul(90);
