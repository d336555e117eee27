//! Requests for certificates: what travels instead of a private key.
//!
//! Whoever needs a certificate makes the key where it will be used, and sends a request (PKCS#10)
//! that is signed with it. Of a request two things count: its public key, and the one DNS name that
//! it asks for. Everything else in it is named to whoever signs, and ignored: what a certificate
//! says beyond key and name is the authority's business.
//!
//! A party asks for its name, `n1.node.bank-a.amop`; an agency for the subtree that it wants to
//! certify, `bank-a.amop`. Which of the two a request is cannot be told from the name alone; the
//! authority that signs decides by what it may sign.

use std::net::IpAddr;

use amop_wire::{Name, NameError, Role};
use rcgen::{CertificateParams, PublicKeyData};
use rustls_pki_types::CertificateSigningRequestDer;
use rustls_pki_types::pem::{self, PemObject};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::authority::{IssueError, distinguished_name};
use crate::certificate::printable;
use crate::fingerprint::Fingerprint;
use crate::key::PrivateKey;
use crate::leaf::dns_name;

/// A request for a certificate whose signature is good: whoever sent it has the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    name: String,
    spki: Vec<u8>,
    kind: KeyKind,
    ignored: Vec<String>,
    pem: String,
}

/// A kind of key that we certify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on P-256: nodes and clients.
    P256,
    /// ECDSA on P-384: authorities.
    P384,
}

impl Request {
    /// Asks for a party's certificate.
    ///
    /// # Errors
    ///
    /// [`IssueError::Signing`] if the key cannot sign.
    pub fn for_party(name: &Name, key: &PrivateKey) -> Result<Self, IssueError> {
        Self::make(name.as_dns(), key)
    }

    /// Asks for the certificate of an agency's authority.
    ///
    /// # Errors
    ///
    /// [`IssueError::BadName`] if `agency` or `domain` does not consist of DNS labels;
    /// [`IssueError::Signing`] if the key cannot sign.
    pub fn for_agency(agency: &str, domain: &str, key: &PrivateKey) -> Result<Self, IssueError> {
        Name::new("any", Role::Node, agency, domain).map_err(IssueError::BadName)?;
        let subtree = format!("{agency}.{domain}");
        Self::make(&subtree, key)
    }

    /// Reads a request in PEM and verifies that it is signed with the key in it.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: the request is at fault, or was changed on its way.
    pub fn from_pem(text: &str) -> Result<Self, RequestError> {
        let der = CertificateSigningRequestDer::from_pem_slice(text.as_bytes())
            .map_err(RequestError::NotPem)?;
        let (rest, request) =
            X509CertificationRequest::from_der(&der).map_err(|_| RequestError::Malformed)?;
        if !rest.is_empty() {
            return Err(RequestError::Malformed);
        }
        let info = &request.certification_request_info;
        let kind = kind_of(&info.subject_pki)?;
        request.verify_signature().map_err(|_| RequestError::NotSignedWithItsKey)?;
        let (mut names, mut ignored) = (Vec::new(), Vec::new());
        for attribute in info.iter_attributes() {
            match attribute.parsed_attribute() {
                ParsedCriAttribute::ExtensionRequest(requested) => {
                    for extension in &requested.extensions {
                        let parsed = extension.parsed_extension();
                        sort_out(parsed, &extension.oid.to_id_string(), &mut names, &mut ignored);
                    }
                }
                _ => ignored.push(format!("the attribute {}", attribute.oid.to_id_string())),
            }
        }
        let name = match &names[..] {
            [] => return Err(RequestError::NoName),
            [name] => name.clone(),
            _ => {
                return Err(RequestError::ManyNames {
                    names: names.iter().map(|name| printable(name)).collect(),
                });
            }
        };
        let subject = printable(&info.subject.to_string());
        if !subject.is_empty() && subject != format!("CN={name}") {
            ignored.insert(0, format!("the subject {subject}"));
        }
        let pem = pem_of(&der);
        Ok(Self { name, spki: info.subject_pki.raw.to_vec(), kind, ignored, pem })
    }

    /// The one DNS name that is asked for, not judged yet. It is printable.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name that is asked for, if it is one of a party.
    ///
    /// # Errors
    ///
    /// [`NameError`] says which part of it is none.
    pub fn party(&self) -> Result<Name, NameError> {
        self.name.parse()
    }

    /// The kind of the key to be certified.
    #[must_use]
    pub fn key_kind(&self) -> KeyKind {
        self.kind
    }

    /// The fingerprint of the key to be certified: what to compare on the phone.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_public_key(&self.spki)
    }

    /// What else the request says, for people. None of it gets into a certificate.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The public key, as SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key_der(&self) -> &[u8] {
        &self.spki
    }

    /// The request in PEM, to be sent.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// What is copied into a certificate: the key.
    pub(crate) fn public_key(&self) -> Result<impl PublicKeyData + use<>, IssueError> {
        rcgen::SubjectPublicKeyInfo::from_der(&self.spki).map_err(IssueError::Signing)
    }

    fn make(dns: &str, key: &PrivateKey) -> Result<Self, IssueError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name(dns);
        params.subject_alt_names = vec![dns_name(dns)?];
        let request = params.serialize_request(&key.signer()).map_err(IssueError::Signing)?;
        let pem = request.pem().map_err(IssueError::Signing)?;
        Ok(Self::from_pem(&pem).expect("we read what we write"))
    }
}

/// Takes the DNS names out of an extension, or says what it is.
fn sort_out(
    extension: &ParsedExtension<'_>,
    oid: &str,
    names: &mut Vec<String>,
    ignored: &mut Vec<String>,
) {
    match extension {
        ParsedExtension::SubjectAlternativeName(alternatives) => {
            for alternative in &alternatives.general_names {
                match alternative {
                    // What is no DNS name must not look like one on a terminal.
                    GeneralName::DNSName(name) if is_dns(name) => names.push((*name).to_owned()),
                    GeneralName::IPAddress(address) => {
                        let v4 = <[u8; 4]>::try_from(*address).map(IpAddr::from);
                        let v6 = <[u8; 16]>::try_from(*address).map(IpAddr::from);
                        let shown = v4.or(v6).map_or("malformed".to_owned(), |ip| ip.to_string());
                        ignored.push(format!("the address {shown}"));
                    }
                    other => ignored.push(printable(&format!("the name {other}"))),
                }
            }
        }
        ParsedExtension::BasicConstraints(constraints) if constraints.ca => {
            ignored.push("the wish to be an authority".to_owned());
        }
        ParsedExtension::BasicConstraints(_) => {}
        ParsedExtension::KeyUsage(_) => ignored.push("key usages".to_owned()),
        ParsedExtension::ExtendedKeyUsage(_) => ignored.push("extended key usages".to_owned()),
        ParsedExtension::NameConstraints(_) => ignored.push("name constraints".to_owned()),
        _ => ignored.push(format!("the extension {oid}")),
    }
}

fn is_dns(name: &str) -> bool {
    let is_of_dns = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte);
    !name.is_empty() && name.bytes().all(is_of_dns)
}

fn kind_of(spki: &SubjectPublicKeyInfo<'_>) -> Result<KeyKind, RequestError> {
    let curve = spki.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
    match curve {
        Some(_) if spki.algorithm.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY => {}
        Some(curve) if curve == OID_EC_P256 => return Ok(KeyKind::P256),
        Some(curve) if curve == OID_NIST_EC_P384 => return Ok(KeyKind::P384),
        Some(_) | None => {}
    }
    Err(RequestError::KindOfKey)
}

fn pem_of(der: &[u8]) -> String {
    pkcs8::Document::try_from(der)
        .and_then(|document| document.to_pem(PEM_LABEL, pkcs8::LineEnding::LF))
        .expect("it was read as DER")
}

/// Why a text is no request that can be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no request in PEM in the text.
    #[error("there is no `{PEM_LABEL}` in PEM")]
    NotPem(#[source] pem::Error),
    /// It is PEM, but of no request.
    #[error("the request is malformed")]
    Malformed,
    /// It was changed, or its sender has not got the key.
    #[error("the request is not signed with the key in it")]
    NotSignedWithItsKey,
    /// The key is neither of P-256 nor of P-384: too weak, or useless for TLS.
    #[error("its key is of a kind that is not certified: P-256 and P-384 are")]
    KindOfKey,
    /// It asks for no DNS name.
    #[error("it asks for no DNS name")]
    NoName,
    /// It asks for several DNS names, and a party has one.
    #[error("it asks for {} DNS names, not one: {}", names.len(), names.join(", "))]
    ManyNames {
        /// The names.
        names: Vec<String>,
    },
}

const PEM_LABEL: &str = "CERTIFICATE REQUEST";
