//! A certificate that is not welcome is refused on both sides in the same words, and what comes
//! after it is welcome nevertheless.

use std::time::{Duration, SystemTime};

use amop_p2p::{Endpoint, EndpointError, HandshakeError, LinkKind, Settings};
use amop_pki::{Agency, AgencyProfile, Leaf, LeafProfile, Root, Usage};
use quinn::ConnectionError;
use quinn::rustls::pki_types::PrivateKeyDer;
use quinn::rustls::pki_types::pem::PemObject;

use crate::raw::{self, Shown, close_text, shown};
use crate::support::{ANY_PORT, ROOT, identity, identity_of, leaf, link, listen, name, node};
use crate::support::{now, trust};

const BAD: &str = "n1.node.bank-x.amop";

fn bank_x() -> Agency {
    ROOT.agency("bank-x", now()).unwrap()
}

fn profile() -> LeafProfile {
    LeafProfile::of(&name(BAD))
}

/// 2020-09-13.
fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000)
}

/// 2096-10-02.
fn far_ahead() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000)
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn sentence_about(who: &str, why: &str) -> String {
    format!("certificate {who} refused: {why}")
}

fn settings() -> Settings {
    Settings::default()
}

/// The judging end is ours, the refused end is anybody who shows this certificate: first as the
/// dialer, then as the acceptor.
async fn assert_refused(
    who: &str,
    why_dialing: &str,
    why_accepting: &str,
    bad: &dyn Fn() -> Shown,
) {
    let judge = node("judge.node.bank-a.amop", &settings());

    let sentence = sentence_about(who, why_dialing);
    let (refused, judged) =
        tokio::join!(raw_dial_to_the_end(&judge, Some(bad()), "amop-node/1"), async {
            judge.accept().await.unwrap().complete().await.unwrap_err()
        },);
    assert_eq!(judged, HandshakeError::PeerRefused { sentence: sentence.clone() });
    let told = close_text(refused);
    assert!(told.ends_with(&sentence), "{told}");

    let sentence = sentence_about(who, why_accepting);
    let listener = raw::listen(bad(), "amop-node/1");
    let (refused, judged) = tokio::join!(
        async { listener.accept().await.unwrap().await.unwrap_err() },
        judge.dial(listener.local_addr().unwrap(), None),
    );
    assert_eq!(judged.unwrap_err(), HandshakeError::PeerRefused { sentence: sentence.clone() });
    let told = close_text(refused);
    assert!(told.ends_with(&sentence), "{told}");

    link(&node("good.node.bank-b.amop", &settings()), &judge).await;
    link(&judge, &node("good.node.bank-b.amop", &settings())).await;
}

/// Refused for the same reason on whichever side it stands.
async fn assert_refused_alike(who: &str, why: &str, bad: &dyn Fn() -> Shown) {
    assert_refused(who, why, why, bad).await;
}

/// The same with both ends ours, for a certificate that is well-formed enough to be an identity.
async fn assert_leaf_refused(why: &str, bad: &Leaf) {
    assert_refused_alike(BAD, why, &|| shown(bad)).await;

    let judge = node("judge.node.bank-a.amop", &settings());
    let bad = listen(LinkKind::Node, &identity_of(bad), &settings());
    let sentence = sentence_about(BAD, why);
    let we_refused = HandshakeError::PeerRefused { sentence: sentence.clone() };
    let they_refused = HandshakeError::RefusedByPeer { sentence };

    let (dialer, acceptor) = handshake(&bad, &judge).await;
    assert_eq!((dialer, acceptor), (they_refused.clone(), we_refused.clone()));
    let (dialer, acceptor) = handshake(&judge, &bad).await;
    assert_eq!((dialer, acceptor), (we_refused, they_refused));
}

/// A handshake that fails, as both sides see it.
async fn handshake(dialer: &Endpoint, acceptor: &Endpoint) -> (HandshakeError, HandshakeError) {
    let (dialed, accepted) =
        tokio::join!(dialer.dial(acceptor.local_addr().unwrap(), None), async {
            acceptor.accept().await.unwrap().complete().await
        });
    (dialed.unwrap_err(), accepted.unwrap_err())
}

#[tokio::test]
async fn a_party_of_another_consortium_is_refused() {
    let root = Root::new("Another Consortium", "amop", now()).unwrap();
    let bad = root.agency("bank-x", now()).unwrap().issue(&name(BAD), now()).unwrap();
    assert_leaf_refused("not issued by a trusted root", &bad).await;
}

#[tokio::test]
async fn a_root_with_the_name_of_ours_is_not_ours() {
    let root = Root::new("Test Consortium", "amop", now()).unwrap();
    let bad = root.agency("bank-x", now()).unwrap().issue(&name(BAD), now()).unwrap();
    assert_leaf_refused("not issued by a trusted root", &bad).await;
}

#[tokio::test]
async fn a_certificate_without_its_issuer_behind_it_is_refused() {
    let bad = leaf(BAD);
    let cut = || (bad.chain_der()[..1].to_vec(), bad.key_der());
    assert_refused_alike(BAD, "not issued by a trusted root", &cut).await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused_with_its_date() {
    let profile = LeafProfile { lifetime: DAY, ..profile() };
    let bad = bank_x().issue_custom(&profile, long_ago()).unwrap();
    assert_leaf_refused("expired on 2020-09-14", &bad).await;
}

#[tokio::test]
async fn a_certificate_of_an_expired_issuer_is_refused_with_the_date() {
    let profile_x = AgencyProfile { lifetime: DAY, ..AgencyProfile::of("bank-x", "amop") };
    let bank_x = ROOT.agency_custom(&profile_x, long_ago()).unwrap();
    let bad = bank_x.issue_custom(&profile(), now()).unwrap();
    assert_leaf_refused("the certificate of its issuer expired on 2020-09-14", &bad).await;
}

#[tokio::test]
async fn a_certificate_that_does_not_count_yet_is_refused_with_its_date() {
    let bad = bank_x().issue_custom(&profile(), far_ahead()).unwrap();
    assert_leaf_refused("not valid before 2096-10-02", &bad).await;
}

#[tokio::test]
async fn a_certificate_for_the_other_side_only_is_refused() {
    let only = |usage| {
        let profile = LeafProfile { usages: vec![usage], ..profile() };
        bank_x().issue_custom(&profile, now()).unwrap()
    };
    let (dials, accepts) = (only(Usage::ClientAuth), only(Usage::ServerAuth));
    let judge = node("judge.node.bank-a.amop", &settings());

    let accepts = listen(LinkKind::Node, &identity_of(&accepts), &settings());
    let sentence = sentence_about(BAD, "not made for dialing");
    let (dialer, acceptor) = handshake(&accepts, &judge).await;
    assert_eq!(dialer, HandshakeError::RefusedByPeer { sentence: sentence.clone() });
    assert_eq!(acceptor, HandshakeError::PeerRefused { sentence });
    link(&judge, &accepts).await;

    let dials = listen(LinkKind::Node, &identity_of(&dials), &settings());
    let sentence = sentence_about(BAD, "not made for accepting links");
    let (dialer, acceptor) = handshake(&judge, &dials).await;
    assert_eq!(dialer, HandshakeError::PeerRefused { sentence: sentence.clone() });
    assert_eq!(acceptor, HandshakeError::RefusedByPeer { sentence });
    link(&dials, &judge).await;
}

#[tokio::test]
async fn a_certificate_that_says_nothing_about_its_purpose_is_refused() {
    let bad = bank_x().issue_custom(&LeafProfile { usages: vec![], ..profile() }, now()).unwrap();
    let (dialing, accepting) = ("not made for dialing", "not made for accepting links");
    assert_refused(BAD, dialing, accepting, &|| shown(&bad)).await;
}

#[tokio::test]
async fn an_agency_cannot_certify_the_names_of_another() {
    let bank_a = ROOT.agency("bank-a", now()).unwrap();
    let bad = bank_a.issue_custom(&profile(), now()).unwrap();
    let why = "its name is not among those that its issuer may certify";
    assert_leaf_refused(why, &bad).await;
}

#[tokio::test]
async fn an_issuer_without_limits_is_no_agency() {
    let anything = AgencyProfile { permitted: vec![], ..AgencyProfile::of("bank-x", "amop") };
    let bank_x = ROOT.agency_custom(&anything, now()).unwrap();
    let bad = bank_x.issue_custom(&profile(), now()).unwrap();
    assert_leaf_refused("its issuer is not limited to one agency", &bad).await;
}

#[tokio::test]
async fn an_issuer_for_two_agencies_is_no_agency() {
    let permitted = vec!["bank-x.amop".to_owned(), "bank-y.amop".to_owned()];
    let two = AgencyProfile { permitted, ..AgencyProfile::of("bank-x", "amop") };
    let bank_x = ROOT.agency_custom(&two, now()).unwrap();
    let bad = bank_x.issue_custom(&profile(), now()).unwrap();
    assert_leaf_refused("its issuer is not limited to one agency", &bad).await;
}

#[tokio::test]
async fn an_issuer_for_the_whole_consortium_is_no_agency() {
    let permitted = vec!["amop".to_owned()];
    let all = AgencyProfile { permitted, ..AgencyProfile::of("bank-x", "amop") };
    let bank_x = ROOT.agency_custom(&all, now()).unwrap();
    let bad = bank_x.issue_custom(&profile(), now()).unwrap();
    assert_leaf_refused("its issuer may certify amop, not the agency in its name", &bad).await;
}

#[tokio::test]
async fn a_certificate_issued_by_the_root_itself_belongs_to_no_agency() {
    let bad = ROOT.issue_custom(&profile(), now()).unwrap();
    let why = "its issuer is not limited to one agency";
    assert_refused_alike(BAD, why, &|| shown(&bad)).await;
}

#[tokio::test]
async fn a_certificate_must_have_exactly_one_name_and_a_good_one() {
    let bad = |names: &[&str]| {
        let names = names.iter().map(ToString::to_string).collect();
        let leaf = bank_x().issue_custom(&LeafProfile { names, ..profile() }, now()).unwrap();
        move || shown(&leaf)
    };
    assert_refused_alike("without a name", "it has no DNS name", &bad(&[])).await;

    let two = bad(&[BAD, "n2.node.bank-x.amop"]);
    let who = "n1.node.bank-x.amop and others";
    assert_refused_alike(who, "it has 2 DNS names, not one", &two).await;

    let why = "bad name: `boss` is no role; a role is `node` or `sdk`";
    assert_refused_alike("n1.boss.bank-x.amop", why, &bad(&["n1.boss.bank-x.amop"])).await;
}

#[tokio::test]
async fn an_authority_is_no_party() {
    let bank_x = bank_x();
    let bad = || {
        let key = PrivateKeyDer::from_pem_slice(bank_x.key_pem().as_bytes()).unwrap();
        (vec![bank_x.certificate_der()], key)
    };
    let why = "it is a certificate authority, not a party";
    assert_refused_alike("without a name", why, &bad).await;
}

#[tokio::test]
async fn a_client_cannot_link_as_a_node() {
    let sdk = leaf("payments.sdk.bank-x.amop");
    let why = "its role is sdk, but this link takes node";
    let purpose = "not made for accepting links";
    assert_refused("payments.sdk.bank-x.amop", why, purpose, &|| shown(&sdk)).await;

    let error = Endpoint::dial_only(LinkKind::Node, &identity_of(&sdk), &trust(), settings());
    let error = error.unwrap_err();
    assert!(matches!(error, EndpointError::WrongRole { .. }));
    let text = "certificate payments.sdk.bank-x.amop has the role sdk, but node is needed";
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn a_node_cannot_link_as_a_client_nor_a_client_accept_links() {
    let judge = listen(LinkKind::Sdk, &identity("judge.node.bank-a.amop"), &settings());
    let bad = leaf(BAD);
    let sentence = sentence_about(BAD, "its role is node, but this link takes sdk");
    let (refused, judged) =
        tokio::join!(raw_dial_to_the_end(&judge, Some(shown(&bad)), "amop-sdk/1"), async {
            judge.accept().await.unwrap().complete().await.unwrap_err()
        },);
    assert_eq!(judged, HandshakeError::PeerRefused { sentence: sentence.clone() });
    assert!(close_text(refused).ends_with(&sentence));

    let good = sdk_endpoint("payments.sdk.bank-a.amop");
    let (client, server) = link(&good, &judge).await;
    assert_eq!(client.peer().name, name("judge.node.bank-a.amop"));
    assert_eq!(server.peer().name, name("payments.sdk.bank-a.amop"));
}

#[tokio::test]
async fn somebody_other_than_expected_is_refused() {
    let (a, b) = (node("n1.node.bank-a.amop", &settings()), node(BAD, &settings()));
    let expected = name("n1.node.bank-b.amop");
    let sentence = sentence_about(BAD, "expected n1.node.bank-b.amop");
    let (dialed, accepted) =
        tokio::join!(a.dial(b.local_addr().unwrap(), Some(&expected)), async {
            b.accept().await.unwrap().complete().await
        },);
    let we_refused = HandshakeError::PeerRefused { sentence: sentence.clone() };
    assert_eq!(dialed.unwrap_err(), we_refused);
    assert_eq!(accepted.unwrap_err(), HandshakeError::RefusedByPeer { sentence });

    let expected = name(BAD);
    let (dialed, accepted) =
        tokio::join!(a.dial(b.local_addr().unwrap(), Some(&expected)), async {
            b.accept().await.unwrap().complete().await
        },);
    assert!(dialed.is_ok() && accepted.is_ok());
}

#[tokio::test]
async fn nobody_links_without_a_certificate() {
    let judge = node("judge.node.bank-a.amop", &settings());
    let (refused, judged) = tokio::join!(raw_dial_to_the_end(&judge, None, "amop-node/1"), async {
        judge.accept().await.unwrap().complete().await.unwrap_err()
    },);
    assert_eq!(judged, HandshakeError::PeerUncertified);
    assert_eq!(close_text(refused), "peer sent no certificates");
    link(&node("good.node.bank-b.amop", &settings()), &judge).await;
}

#[tokio::test]
async fn nobody_links_by_another_protocol() {
    let node = node("n1.node.bank-a.amop", &settings());
    let serves_clients = listen(LinkKind::Sdk, &identity("n2.node.bank-a.amop"), &settings());
    let client = sdk_endpoint("payments.sdk.bank-a.amop");
    let other = |ours| HandshakeError::OtherProtocol { ours };

    let (dialer, acceptor) = handshake(&client, &node).await;
    assert_eq!((dialer, acceptor), (other("amop-sdk/1"), other("amop-node/1")));
    let (dialer, acceptor) = handshake(&node, &serves_clients).await;
    assert_eq!((dialer, acceptor), (other("amop-node/1"), other("amop-sdk/1")));

    let web = raw::listen(shown(&leaf(BAD)), "h3");
    let (_, dialed) = tokio::join!(
        async { web.accept().await.unwrap().await.unwrap_err() },
        node.dial(web.local_addr().unwrap(), None),
    );
    assert_eq!(dialed.unwrap_err(), other("amop-node/1"));
}

#[tokio::test]
async fn nobody_at_home_is_told_after_the_handshake_timeout() {
    let settings = Settings { handshake_timeout: Duration::from_millis(50), ..settings() };
    let node = node("n1.node.bank-a.amop", &settings);
    let silent = std::net::UdpSocket::bind(ANY_PORT).unwrap();
    let remote = silent.local_addr().unwrap();

    let error = node.dial(remote, None).await.unwrap_err();
    assert_eq!(error, HandshakeError::NoAnswer { remote, within: settings.handshake_timeout });
    assert_eq!(error.to_string(), format!("no answer from {remote} within 50ms"));
}

#[tokio::test]
async fn an_acceptor_that_drops_a_handshake_refuses_it() {
    let (a, b) = (node("n1.node.bank-a.amop", &settings()), node(BAD, &settings()));
    let (dialed, ()) = tokio::join!(a.dial(b.local_addr().unwrap(), None), async {
        drop(b.accept().await.unwrap());
    });
    assert_eq!(dialed.unwrap_err(), HandshakeError::Overloaded);
}

/// Dials with any certificate and waits for what comes of it: the dialer may believe for a moment
/// that it is connected.
async fn raw_dial_to_the_end(
    judge: &Endpoint,
    bad: Option<Shown>,
    protocol: &str,
) -> ConnectionError {
    match raw::dial(judge.local_addr().unwrap(), bad, protocol).await {
        Ok(connection) => connection.closed().await,
        Err(error) => error,
    }
}

fn sdk_endpoint(dns: &str) -> Endpoint {
    Endpoint::dial_only(LinkKind::Sdk, &identity(dns), &trust(), settings()).unwrap()
}
