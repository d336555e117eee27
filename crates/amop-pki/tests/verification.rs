//! What a peer makes of our certificates: the chain as a TLS library judges it.

use std::time::{Duration, SystemTime};

use amop_pki::{Agency, AgencyProfile, Leaf, LeafProfile, Root, Usage};
use amop_wire::Name;
use rustls_pki_types::UnixTime;
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn root() -> Root {
    Root::new("East Payments Root", "amop", now()).expect("title and domain are good")
}

fn name(dns: &str) -> Name {
    dns.parse().expect("a certified name")
}

fn node() -> Name {
    name("n1.node.bank-a.amop")
}

fn client() -> Name {
    name("payments.sdk.bank-a.amop")
}

fn unconstrained(root: &Root) -> Agency {
    let mut profile = AgencyProfile::of("bank-a", root.domain());
    profile.permitted.clear();
    root.agency_custom(&profile, now()).expect("the agency is a label")
}

fn verify(leaf: &Leaf, root: &Root, usage: KeyUsage, at: SystemTime) -> Result<(), Error> {
    let (chain, trusted) = (leaf.chain_der(), root.certificate_der());
    let since_epoch = at.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    EndEntityCert::try_from(&chain[0])?
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &[anchor_from_trusted_cert(&trusted)?],
            &chain[1..],
            UnixTime::since_unix_epoch(since_epoch),
            usage,
            None,
            None,
        )
        .map(drop)
}

fn verify_as_client(leaf: &Leaf, root: &Root) -> Result<(), Error> {
    verify(leaf, root, KeyUsage::client_auth(), now())
}

fn verify_as_server(leaf: &Leaf, root: &Root) -> Result<(), Error> {
    verify(leaf, root, KeyUsage::server_auth(), now())
}

#[test]
fn a_node_may_accept_and_open_links() {
    let root = root();
    let leaf = root.agency("bank-a", now()).unwrap().issue(&node(), now()).unwrap();
    assert_eq!(verify_as_server(&leaf, &root), Ok(()));
    assert_eq!(verify_as_client(&leaf, &root), Ok(()));
}

#[test]
fn a_client_may_only_open_links() {
    let root = root();
    let leaf = root.agency("bank-a", now()).unwrap().issue(&client(), now()).unwrap();
    assert_eq!(verify_as_client(&leaf, &root), Ok(()));
    let error = verify_as_server(&leaf, &root).unwrap_err();
    assert!(matches!(error, Error::RequiredEkuNotFoundContext(_)), "{error:?}");
}

#[test]
fn a_custom_leaf_may_claim_another_usage_than_its_name_has() {
    let root = root();
    let agency = root.agency("bank-a", now()).unwrap();
    let with_usages = |name: &Name, usages: &[Usage]| {
        let profile = LeafProfile { usages: usages.to_vec(), ..LeafProfile::of(name) };
        agency.issue_custom(&profile, now()).unwrap()
    };

    let node_without_server = with_usages(&node(), &[Usage::ClientAuth]);
    assert_eq!(verify_as_client(&node_without_server, &root), Ok(()));
    assert!(verify_as_server(&node_without_server, &root).is_err());
    let client_with_server = with_usages(&client(), &[Usage::ServerAuth, Usage::ClientAuth]);
    assert_eq!(verify_as_server(&client_with_server, &root), Ok(()));
    let unrestricted = with_usages(&client(), &[]);
    assert_eq!(verify_as_server(&unrestricted, &root), Ok(()));
    assert_eq!(verify_as_client(&unrestricted, &root), Ok(()));
}

#[test]
fn a_leaf_verifies_under_its_own_root_only() {
    let leaf = root().agency("bank-a", now()).unwrap().issue(&node(), now()).unwrap();
    let stranger = Root::new("West Payments Root", "amop", now()).unwrap();
    assert_eq!(verify_as_client(&leaf, &stranger), Err(Error::UnknownIssuer));
    let namesake = root();
    assert_eq!(verify_as_client(&leaf, &namesake), Err(Error::InvalidSignatureForPublicKey));
}

#[test]
fn an_agency_that_signs_a_foreign_name_is_caught_by_its_name_constraint() {
    let root = root();
    let agency = root.agency("bank-a", now()).unwrap();
    for foreign in ["n1.node.bank-b.amop", "n1.node.evilbank-a.amop", "n1.node.bank-a.other"] {
        let profile = LeafProfile::of(&name(foreign));
        let leaf = agency.issue_custom(&profile, now()).unwrap();
        assert_eq!(
            verify_as_client(&leaf, &root),
            Err(Error::NameConstraintViolation),
            "{foreign}"
        );
    }
}

#[test]
fn one_foreign_name_beside_an_own_one_is_enough_to_be_caught() {
    let root = root();
    let mut profile = LeafProfile::of(&node());
    profile.names.push("n1.node.bank-b.amop".into());
    let leaf = root.agency("bank-a", now()).unwrap().issue_custom(&profile, now()).unwrap();
    assert_eq!(verify_as_client(&leaf, &root), Err(Error::NameConstraintViolation));
}

#[test]
fn without_a_constraint_tls_alone_would_take_foreign_names_within_the_domain() {
    let root = root();
    let agency = unconstrained(&root);

    let foreign = LeafProfile::of(&name("n1.node.bank-b.amop"));
    let leaf = agency.issue_custom(&foreign, now()).unwrap();
    assert_eq!(verify_as_client(&leaf, &root), Ok(()));

    let outside = LeafProfile::of(&name("n1.node.bank-a.other"));
    let leaf = agency.issue_custom(&outside, now()).unwrap();
    let violation = Err(Error::NameConstraintViolation);
    assert_eq!(verify_as_client(&leaf, &root), violation, "the root is for `amop` only");
}

#[test]
fn tls_alone_would_take_a_leaf_directly_under_the_root() {
    let root = root();
    let leaf = root.issue_custom(&LeafProfile::of(&node()), now()).unwrap();
    assert_eq!(leaf.chain_der().len(), 1);
    assert_eq!(verify_as_server(&leaf, &root), Ok(()));
}

#[test]
fn a_leaf_counts_from_five_minutes_before_it_was_made_for_90_days() {
    let root = root();
    let leaf = root.agency("bank-a", now()).unwrap().issue(&node(), now()).unwrap();
    let verify_at = |at| verify(&leaf, &root, KeyUsage::client_auth(), at);

    let (first, last) = (now() - 300 * SECOND, now() + 90 * DAY);
    assert_eq!(verify_at(first), Ok(()));
    assert_eq!(verify_at(last), Ok(()));
    let early = verify_at(first - SECOND).unwrap_err();
    assert!(matches!(early, Error::CertNotValidYet { .. }), "{early:?}");
    let late = verify_at(last + SECOND).unwrap_err();
    assert!(matches!(late, Error::CertExpired { .. }), "{late:?}");
}

#[test]
fn a_custom_leaf_may_be_expired_or_not_count_yet() {
    let root = root();
    let agency = root.agency("bank-a", now()).unwrap();
    let profile = LeafProfile { lifetime: 7 * DAY, ..LeafProfile::of(&node()) };

    let expired = agency.issue_custom(&profile, now() - 7 * DAY - SECOND).unwrap();
    let error = verify_as_client(&expired, &root).unwrap_err();
    assert!(matches!(error, Error::CertExpired { .. }), "{error:?}");
    let future = agency.issue_custom(&profile, now() + DAY).unwrap();
    let error = verify_as_client(&future, &root).unwrap_err();
    assert!(matches!(error, Error::CertNotValidYet { .. }), "{error:?}");
}

#[test]
fn a_custom_agency_may_be_expired() {
    let root = root();
    let profile = AgencyProfile { lifetime: DAY, ..AgencyProfile::of("bank-a", "amop") };
    let agency = root.agency_custom(&profile, now() - 2 * DAY).unwrap();
    let leaf = agency.issue_custom(&LeafProfile::of(&node()), now()).unwrap();
    let error = verify_as_client(&leaf, &root).unwrap_err();
    assert!(matches!(error, Error::CertExpired { .. }), "{error:?}");
}

#[test]
fn authorities_that_were_read_back_issue_under_the_same_root() {
    let made = root();
    let root = Root::from_pem(made.certificate_pem(), &made.key_pem()).unwrap();
    let agency = root.agency("bank-a", now()).unwrap();
    let agency = Agency::from_pem(agency.certificate_pem(), &agency.key_pem()).unwrap();
    let leaf = agency.issue(&node(), now()).unwrap();
    assert_eq!(verify_as_server(&leaf, &made), Ok(()));
}

#[test]
fn a_name_too_long_for_a_common_name_verifies_by_its_alternative_name() {
    let root = root();
    let long = name(&format!("{}.node.bank-a.amop", "n".repeat(63)));
    let leaf = root.agency("bank-a", now()).unwrap().issue(&long, now()).unwrap();
    assert_eq!(verify_as_server(&leaf, &root), Ok(()));
}
