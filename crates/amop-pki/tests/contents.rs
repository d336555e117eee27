//! What stands in our certificates and key files, field by field.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use amop_pki::{Agency, Leaf, Root};
use amop_wire::Name;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::{OID_EC_P256, OID_NIST_EC_P384, Oid};
use x509_parser::prelude::FromDer;

const DAY_S: i64 = 24 * 60 * 60;
const NOW_S: i64 = 1_800_000_000;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S.unsigned_abs())
}

fn root() -> Root {
    Root::new("East Payments Root", "amop", now()).expect("title and domain are good")
}

fn bank_a() -> Agency {
    root().agency("bank-a", now()).expect("the agency is a label")
}

fn leaf(dns: &str) -> Leaf {
    let name = dns.parse().expect("a certified name");
    bank_a().issue(&name, now()).expect("the name is the agency's own")
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> X509Certificate<'a> {
    let (rest, certificate) = X509Certificate::from_der(der).expect("we wrote X.509");
    assert!(rest.is_empty());
    certificate
}

fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut names = certificate.subject().iter_common_name();
    let first = names.next().map(|name| name.as_str().expect("we write UTF-8").to_owned());
    assert!(names.next().is_none());
    first
}

/// The first and the last second, counted from when the certificate was made.
fn dates(certificate: &X509Certificate<'_>) -> (i64, i64) {
    let validity = certificate.validity();
    (validity.not_before.timestamp() - NOW_S, validity.not_after.timestamp() - NOW_S)
}

fn curve(certificate: &X509Certificate<'_>) -> Oid<'static> {
    let parameters =
        certificate.public_key().algorithm.parameters.as_ref().expect("EC keys name a curve");
    parameters.as_oid().expect("a curve is an OID").to_owned()
}

fn permitted<'a>(certificate: &'a X509Certificate<'_>) -> Vec<&'a GeneralName<'a>> {
    let constraints = certificate.name_constraints().expect("at most one").expect("present");
    assert!(constraints.critical);
    assert!(constraints.value.excluded_subtrees.is_none());
    let subtrees = constraints.value.permitted_subtrees.as_ref().expect("present");
    subtrees.iter().map(|subtree| &subtree.base).collect()
}

/// The one set bit of digitalSignature, and those of keyCertSign and cRLSign.
const DIGITAL_SIGNATURE: u16 = 1;
const KEY_CERT_SIGN_AND_CRL_SIGN: u16 = 1 << 5 | 1 << 6;

fn key_usage(certificate: &X509Certificate<'_>) -> u16 {
    certificate.key_usage().expect("at most one").expect("present").value.flags
}

fn subject_key(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(key) => Some(key.0.to_vec()),
        _ => None,
    })
}

fn issuer_key(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(authority) => {
            authority.key_identifier.as_ref().map(|key| key.0.to_vec())
        }
        _ => None,
    })
}

#[test]
fn a_root_vouches_for_one_level_of_authorities_for_10_years() {
    let root = root();
    let der = root.certificate_der();
    let certificate = parse(&der);
    assert_eq!(common_name(&certificate).unwrap(), "East Payments Root");
    assert_eq!(certificate.subject(), certificate.issuer());
    assert_eq!(dates(&certificate), (-300, 3_650 * DAY_S));
    assert_eq!(curve(&certificate), OID_NIST_EC_P384);
    assert_eq!(key_usage(&certificate), KEY_CERT_SIGN_AND_CRL_SIGN);
    let constraints = certificate.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(1));
    assert_eq!(permitted(&certificate), [&GeneralName::DNSName("amop")]);
}

#[test]
fn an_agency_vouches_for_leaves_under_its_subtree_for_3_years() {
    let agency = bank_a();
    let der = agency.certificate_der();
    let certificate = parse(&der);
    assert_eq!(common_name(&certificate).unwrap(), "bank-a CA");
    assert_eq!(dates(&certificate), (-300, 1_095 * DAY_S));
    assert_eq!(curve(&certificate), OID_NIST_EC_P384);
    assert_eq!(key_usage(&certificate), KEY_CERT_SIGN_AND_CRL_SIGN);
    let constraints = certificate.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    assert_eq!(permitted(&certificate), [&GeneralName::DNSName("bank-a.amop")]);
}

#[test]
fn a_leaf_has_one_name_one_key_usage_and_the_usages_of_its_role() {
    for (dns, is_server) in [("n1.node.bank-a.amop", true), ("payments.sdk.bank-a.amop", false)] {
        let leaf = leaf(dns);
        let chain = leaf.chain_der();
        let certificate = parse(&chain[0]);
        assert_eq!(common_name(&certificate).unwrap(), dns);
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.value.general_names, [GeneralName::DNSName(dns)]);
        assert_eq!(dates(&certificate), (-300, 90 * DAY_S));
        assert_eq!(curve(&certificate), OID_EC_P256);
        assert_eq!(key_usage(&certificate), DIGITAL_SIGNATURE);
        assert!(!certificate.is_ca());
        let usages = certificate.extended_key_usage().unwrap().unwrap().value;
        assert_eq!((usages.server_auth, usages.client_auth), (is_server, true));
        assert!(!usages.any && usages.other.is_empty());
    }
}

#[test]
fn a_common_name_has_64_characters_at_most() {
    let label = |chars: usize| format!("{}.node.bank-a.amop", "n".repeat(chars));
    for (dns, expected) in [(label(47), Some(label(47))), (label(48), None)] {
        assert_eq!(dns.len() <= 64, expected.is_some());
        let chain = leaf(&dns).chain_der();
        let certificate = parse(&chain[0]);
        assert_eq!(common_name(&certificate), expected);
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.critical, expected.is_none(), "critical if it is the only name");
    }
}

#[test]
fn serial_numbers_are_positive_16_bytes_long_and_never_the_same() {
    let root = root();
    let agency = root.agency("bank-a", now()).unwrap();
    let name: Name = "n1.node.bank-a.amop".parse().unwrap();
    let mut certificates = vec![root.certificate_der(), agency.certificate_der()];
    for _ in 0..30 {
        let leaf = agency.issue(&name, now()).unwrap();
        certificates.push(leaf.chain_der()[0].clone());
    }
    let serials: BTreeSet<Vec<u8>> =
        certificates.iter().map(|der| parse(der).raw_serial().to_vec()).collect();
    assert_eq!(serials.len(), certificates.len());
    for serial in serials {
        assert_eq!(serial.len(), 16);
        assert!(serial[0] < 0x80, "DER numbers are signed: {serial:x?}");
    }
}

#[test]
fn the_chain_is_the_leaf_and_then_the_agency() {
    let agency = bank_a();
    let leaf = agency.issue(&"n1.node.bank-a.amop".parse().unwrap(), now()).unwrap();
    let from_pem: Vec<_> = CertificateDer::pem_slice_iter(leaf.chain_pem().as_bytes())
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(from_pem, leaf.chain_der());
    assert_eq!(from_pem.len(), 2);
    assert_eq!(from_pem[1], agency.certificate_der());
}

#[test]
fn each_certificate_names_its_issuer_and_the_issuers_key() {
    let root = root();
    let agency = root.agency("bank-a", now()).unwrap();
    let agency = Agency::from_pem(agency.certificate_pem(), &agency.key_pem()).unwrap();
    let leaf = agency.issue(&"n1.node.bank-a.amop".parse().unwrap(), now()).unwrap();
    let ders = [root.certificate_der(), agency.certificate_der(), leaf.chain_der().remove(0)];
    for pair in ders.windows(2) {
        let (issuer, issued) = (parse(&pair[0]), parse(&pair[1]));
        assert_eq!(issued.issuer(), issuer.subject());
        assert_eq!(issuer_key(&issued).unwrap(), subject_key(&issuer).unwrap());
        assert!(subject_key(&issued).is_some());
    }
}

#[test]
fn key_files_are_pkcs8() {
    let leaf = leaf("n1.node.bank-a.amop");
    for pem in [root().key_pem(), bank_a().key_pem(), leaf.key_pem()] {
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        rcgen::KeyPair::try_from(&key).unwrap();
    }
    let from_pem = PrivatePkcs8KeyDer::from_pem_slice(leaf.key_pem().as_bytes()).unwrap();
    assert_eq!(leaf.key_der(), PrivateKeyDer::from(from_pem));
}

#[test]
fn private_keys_do_not_show_in_debug_output() {
    let (root, agency, leaf) = (root(), bank_a(), leaf("n1.node.bank-a.amop"));
    let shown = [
        (root.key_pem(), format!("{root:?}")),
        (agency.key_pem(), format!("{agency:?}")),
        (leaf.key_pem(), format!("{leaf:?}")),
    ];
    for (pem, debug) in shown {
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        // In PKCS#8 the secret number begins at byte 36 (P-256) or 35 (P-384).
        let secret = &key.secret_pkcs8_der()[36..52];
        let as_list = format!("{secret:?}");
        let as_hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!debug.contains(as_list.trim_matches(['[', ']'])), "{debug}");
        assert!(!debug.to_lowercase().contains(&as_hex), "{debug}");
        assert!(!debug.contains("PRIVATE KEY"), "{debug}");
    }
}
