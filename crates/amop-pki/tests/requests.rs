//! Keys that never travel: requests, and what of them gets into a certificate.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, SystemTime};

use amop_pki::{
    AGENCY_DAYS_MAX, Agency, Certificate, IssueError, KeyKind, LEAF_DAYS_MAX, PrivateKey, Request,
    RequestError, Root, Usage,
};
use amop_wire::Name;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn root() -> Root {
    Root::new("East Payments Root", "amop", now()).unwrap()
}

fn bank_a() -> Agency {
    root().agency("bank-a", now()).unwrap()
}

fn request_for(dns: &str) -> Request {
    let name: Name = dns.parse().unwrap();
    let sent = Request::for_party(&name, &PrivateKey::for_leaf().unwrap()).unwrap();
    Request::from_pem(sent.pem()).unwrap()
}

/// A request that says whatever it wants.
fn custom(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> String {
    let mut params = CertificateParams::default();
    let names = names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap()));
    params.subject_alt_names = names.collect();
    change(&mut params);
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    params.serialize_request(&key).unwrap().pem().unwrap()
}

fn only(pem: &str) -> Certificate {
    Certificate::all_from_pem(pem).unwrap().remove(0)
}

#[test]
fn a_request_becomes_a_certificate_for_its_key_and_its_name() {
    let (agency, key) = (bank_a(), PrivateKey::for_leaf().unwrap());
    let name: Name = "n1.node.bank-a.amop".parse().unwrap();
    let request = Request::from_pem(Request::for_party(&name, &key).unwrap().pem()).unwrap();
    assert_eq!((request.name(), request.ignored().len()), ("n1.node.bank-a.amop", 0));
    assert_eq!(request.fingerprint(), key.fingerprint());

    let chain = agency.certify(&request, 90, now()).unwrap();
    let chain = Certificate::all_from_pem(&chain).unwrap();
    assert_eq!(chain.len(), 2);
    assert_eq!(chain[0].names, ["n1.node.bank-a.amop"]);
    assert_eq!(chain[0].fingerprint, key.fingerprint());
    assert_eq!(chain[0].usages, [Usage::ServerAuth, Usage::ClientAuth]);
    assert_eq!(chain[0].not_after, now() + 90 * DAY);
    assert_eq!(chain[0].serial.as_bytes().len(), 16);
    assert!(chain[0].is_signed_by(&chain[1]) && !chain[1].is_signed_by(&chain[0]));
    assert_eq!(chain[1].permitted, ["bank-a.amop"]);
}

#[test]
fn a_clients_certificate_may_only_open_links() {
    let chain = bank_a().certify(&request_for("app.sdk.bank-a.amop"), 1, now()).unwrap();
    assert_eq!(only(&chain).usages, [Usage::ClientAuth]);
    assert_eq!(only(&chain).not_after, now() + DAY);
}

#[test]
fn an_agency_made_from_a_request_certifies_with_the_key_it_kept() {
    let (root, key) = (root(), PrivateKey::for_authority().unwrap());
    let request = Request::for_agency("bank-a", "amop", &key).unwrap();
    assert_eq!((request.name(), request.ignored().len()), ("bank-a.amop", 0));
    let certificate = root.certify(&request, "bank-a", 1095, now()).unwrap();
    let read = only(&certificate);
    assert!(read.is_authority && read.key_kind == "P-384");
    assert_eq!(
        (&*read.subject, &read.permitted),
        ("CN=bank-a CA", &vec!["bank-a.amop".to_owned()])
    );
    assert_eq!(read.not_after, now() + 1095 * DAY);

    let agency = Agency::with_key(&certificate, &key).unwrap();
    assert!(Agency::with_key(&certificate, &PrivateKey::for_authority().unwrap()).is_err());
    let chain = agency.certify(&request_for("n1.node.bank-a.amop"), 90, now()).unwrap();
    let chain = Certificate::all_from_pem(&chain).unwrap();
    assert!(chain[0].is_signed_by(&read));
    assert!(read.is_signed_by(&only(root.certificate_pem())));
    let again = Root::with_key(root.certificate_pem(), &root.private_key()).unwrap();
    assert_eq!(*again.private_key().to_pem(), root.key_pem());
}

#[test]
fn nothing_else_of_a_request_gets_into_a_certificate_and_all_of_it_is_named() {
    let greedy = custom(&["app.sdk.bank-a.amop"], |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.subject_alt_names.push(SanType::IpAddress([10, 0, 0, 1].into()));
        params.distinguished_name.push(rcgen::DnType::CommonName, "boss");
    });
    let request = Request::from_pem(&greedy).unwrap();
    let ignored = request.ignored().join("; ");
    for part in
        ["the subject CN=boss", "authority", "key usages", "extended key usages", "10.0.0.1"]
    {
        assert!(ignored.contains(part), "{part}: {ignored}");
    }
    let certificate = only(&bank_a().certify(&request, 90, now()).unwrap());
    assert_eq!(certificate.names, ["app.sdk.bank-a.amop"]);
    assert_eq!(certificate.subject, "CN=app.sdk.bank-a.amop");
    assert_eq!(certificate.usages, [Usage::ClientAuth]);
    assert!(!certificate.is_authority);
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate.der()).unwrap();
    let alternatives = parsed.subject_alternative_name().unwrap().unwrap();
    assert_eq!(alternatives.value.general_names.len(), 1, "no address");
    assert_eq!(parsed.key_usage().unwrap().unwrap().value.flags, 1, "digital signature alone");
}

#[test]
fn a_request_that_was_changed_or_has_no_signature_of_its_key_is_refused() {
    let request = request_for("n1.node.bank-a.amop");
    let error = |pem: &str| Request::from_pem(pem).unwrap_err();
    assert!(matches!(error(""), RequestError::NotPem(_)));
    assert!(matches!(error(root().certificate_pem()), RequestError::NotPem(_)));
    let (_, der) = pkcs8::Document::from_pem(request.pem()).unwrap();
    let encode = |bytes: &[u8]| {
        let document = pkcs8::Document::try_from(bytes).unwrap();
        document.to_pem("CERTIFICATE REQUEST", pkcs8::LineEnding::LF).unwrap()
    };
    let at = der.as_bytes().windows(2).rposition(|pair| pair == b"n1").unwrap();
    let mut changed = der.as_bytes().to_vec();
    changed[at + 1] = b'2';
    assert!(matches!(error(&encode(&changed)), RequestError::NotSignedWithItsKey));
}

#[test]
fn a_request_asks_for_one_name_with_a_key_that_is_certified() {
    let error = |pem: &str| Request::from_pem(pem).unwrap_err();
    assert!(matches!(error(&custom(&[], |_| ())), RequestError::NoName));
    let two = custom(&["n1.node.bank-a.amop", "n2.node.bank-a.amop"], |_| ());
    let text = error(&two).to_string();
    assert_eq!(text, "it asks for 2 DNS names, not one: n1.node.bank-a.amop, n2.node.bank-a.amop");
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let request = CertificateParams::new(["n1.node.bank-a.amop".to_owned()]).unwrap();
    let request = request.serialize_request(&key).unwrap().pem().unwrap();
    assert!(matches!(error(&request), RequestError::KindOfKey));
    let escape = custom(&["n1.node.bank-a.amop\u{7f}"], |_| ());
    assert!(matches!(error(&escape), RequestError::NoName), "what is no name is not repeated");
}

#[test]
fn an_agency_signs_only_requests_for_its_own_names() {
    let agency = bank_a();
    let refused =
        |pem: &str| agency.certify(&Request::from_pem(pem).unwrap(), 90, now()).unwrap_err();
    let foreign = refused(request_for("n1.node.bank-b.amop").pem());
    assert!(matches!(foreign, IssueError::ForeignName { .. }), "{foreign}");
    for no_party in ["bank-a.amop", "n1.boss.bank-a.amop", "*.node.bank-a.amop"] {
        let error = refused(&custom(&[no_party], |_| ()));
        assert!(matches!(error, IssueError::BadName(_)), "{no_party}: {error}");
    }
    let authority_key = PrivateKey::for_authority().unwrap();
    let name = "n1.node.bank-a.amop".parse().unwrap();
    let request = Request::for_party(&name, &authority_key).unwrap();
    assert_eq!(request.key_kind(), KeyKind::P384);
    assert_eq!(agency.certify(&request, 90, now()).unwrap_err(), IssueError::KindOfKey);
}

#[test]
fn a_root_signs_only_the_request_of_the_agency_that_is_meant() {
    let (root, key) = (root(), PrivateKey::for_authority().unwrap());
    let request = Request::for_agency("bank-b", "amop", &key).unwrap();
    let error = root.certify(&request, "bank-a", 90, now()).unwrap_err();
    let (requested, wanted) = ("bank-b.amop".to_owned(), "bank-a.amop".to_owned());
    assert_eq!(error, IssueError::OtherRequest { requested, wanted });
    let of_a_party = request_for("n1.node.bank-a.amop");
    assert!(root.certify(&of_a_party, "bank-a", 90, now()).is_err());
    let weak = custom(&["bank-a.amop"], |_| ());
    let error = root.certify(&Request::from_pem(&weak).unwrap(), "bank-a", 90, now()).unwrap_err();
    assert_eq!(error, IssueError::KindOfKey);
}

#[test]
fn certificates_are_not_for_ever_nor_for_no_time() {
    let (root, agency) = (root(), bank_a());
    let leaf = request_for("n1.node.bank-a.amop");
    let key = PrivateKey::for_authority().unwrap();
    let of_agency = Request::for_agency("bank-a", "amop", &key).unwrap();
    for (days, max, is_good) in [
        (0, LEAF_DAYS_MAX, false),
        (LEAF_DAYS_MAX, LEAF_DAYS_MAX, true),
        (LEAF_DAYS_MAX + 1, LEAF_DAYS_MAX, false),
    ] {
        let outcome = agency.certify(&leaf, days, now()).err();
        assert_eq!(outcome, (!is_good).then_some(IssueError::Lifetime { days, max }));
    }
    assert!(root.certify(&of_agency, "bank-a", AGENCY_DAYS_MAX, now()).is_ok());
    let error = root.certify(&of_agency, "bank-a", AGENCY_DAYS_MAX + 1, now()).unwrap_err();
    assert!(matches!(error, IssueError::Lifetime { .. }));
    // It ends with its issuer.
    let late = now() + 1000 * DAY;
    let chain = Certificate::all_from_pem(&agency.certify(&leaf, 398, late).unwrap()).unwrap();
    assert_eq!(chain[0].not_after, chain[1].not_after);
}
