//! Revoked certificates, and lists that cannot be believed: refused in either direction with the same
//! sentence on both sides; links that are open are judged again.

use std::time::{Duration, SystemTime};

use amop_p2p::{
    Endpoint, HandshakeError, LinkEnd, LinkKind, NotCertified, Revocations, Settings, Trust,
};
use amop_pki::{Agency, Certificate, Leaf, Reason, Revocation, RevocationList, Root};
use amop_wire::{CloseCode, CloseReason};

use crate::support::{ANY_PORT, ROOT, Running, identity, identity_of, link, name, node};
use crate::support::{now, trust};

const BAD: &str = "n1.node.bank-x.amop";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Bank X, a leaf of it, and how it is to be refused.
struct Case {
    bank_x: Agency,
    leaf: Leaf,
}

impl Case {
    fn new() -> Self {
        let bank_x = ROOT.agency("bank-x", now()).unwrap();
        let leaf = bank_x.issue(&name(BAD), now()).unwrap();
        Self { bank_x, leaf }
    }

    fn list(&self, revoked: &[Revocation]) -> RevocationList {
        self.bank_x.revocation_list(None, revoked, 30, now()).unwrap()
    }

    fn revocation_of_the_leaf(&self) -> Revocation {
        revocation(self.leaf.chain_pem(), 0)
    }
}

fn revocation(chain_pem: &str, index: usize) -> Revocation {
    let serial = Certificate::all_from_pem(chain_pem).unwrap().remove(index).serial;
    Revocation { serial, at: long_ago(), reason: Reason::KeyCompromise }
}

/// 2020-09-13.
fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000)
}

fn lists(of: &[&RevocationList]) -> Revocations {
    let pem: String = of.iter().map(|list| list.to_pem()).collect();
    Revocations::from_pem(pem.as_bytes()).unwrap()
}

fn judging(revocations: Revocations) -> (Endpoint, Trust) {
    let trust = trust().with_revocations(revocations);
    let identity = identity("judge.node.bank-a.amop");
    let settings = Settings::default();
    (Endpoint::listen(ANY_PORT, LinkKind::Node, &identity, &trust, settings).unwrap(), trust)
}

fn sentence(why: &str) -> String {
    format!("certificate {BAD} refused: {why}")
}

/// Both ends are ours; the one with the lists judges, first as the acceptor, then as the dialer.
async fn assert_refused(why: &str, bad: &Leaf, revocations: Revocations) {
    let (judge, _) = judging(revocations);
    let bad = listen(bad);
    let sentence = sentence(why);
    let we_refused = HandshakeError::PeerRefused { sentence: sentence.clone() };
    let they_refused = HandshakeError::RefusedByPeer { sentence };
    assert_eq!(handshake(&bad, &judge).await, (they_refused.clone(), we_refused.clone()));
    assert_eq!(handshake(&judge, &bad).await, (we_refused, they_refused));
    // Others are welcome nevertheless.
    link(&node("good.node.bank-b.amop", &Settings::default()), &judge).await;
}

async fn assert_linked(good: &Leaf, revocations: Revocations) {
    let (judge, _) = judging(revocations);
    let good = listen(good);
    link(&good, &judge).await;
    link(&judge, &good).await;
}

fn listen(leaf: &Leaf) -> Endpoint {
    crate::support::listen(LinkKind::Node, &identity_of(leaf), &Settings::default())
}

async fn handshake(dialer: &Endpoint, acceptor: &Endpoint) -> (HandshakeError, HandshakeError) {
    let (dialed, accepted) =
        tokio::join!(dialer.dial(acceptor.local_addr().unwrap(), None), async {
            acceptor.accept().await.unwrap().complete().await
        });
    (dialed.unwrap_err(), accepted.unwrap_err())
}

/// IDENT-5, IDENT-7
#[tokio::test]
async fn a_revoked_certificate_is_refused_with_the_date() {
    let case = Case::new();
    let list = case.list(&[case.revocation_of_the_leaf()]);
    assert_refused("revoked on 2020-09-13", &case.leaf, lists(&[&list])).await;
    let other = case.bank_x.issue(&name(BAD), now()).unwrap();
    assert_linked(&other, lists(&[&list])).await;
}

/// IDENT-7
#[tokio::test]
async fn everybody_whom_a_revoked_agency_has_certified_is_refused() {
    let case = Case::new();
    let expelled = revocation(case.bank_x.certificate_pem(), 0);
    let list = ROOT.revocation_list(None, &[expelled], 30, now()).unwrap();
    let why = "the certificate of its issuer was revoked on 2020-09-13";
    assert_refused(why, &case.leaf, lists(&[&list])).await;
}

#[tokio::test]
async fn a_list_revokes_only_what_its_own_authority_has_certified() {
    let case = Case::new();
    let other = ROOT.agency("bank-y", now()).unwrap();
    let list = other.revocation_list(None, &[case.revocation_of_the_leaf()], 30, now()).unwrap();
    assert_linked(&case.leaf, lists(&[&list])).await;
}

/// IDENT-7
#[tokio::test]
async fn a_stale_list_refuses_whom_its_authority_has_certified_unless_that_is_accepted() {
    let then = long_ago();
    let root = Root::new("Old Consortium", "amop", then).unwrap();
    let bank_x = root.agency("bank-x", now()).unwrap();
    let leaf = bank_x.issue(&name(BAD), now()).unwrap();
    let stale = root.revocation_list(None, &[], 1, then).unwrap();
    let trust = Trust::from_pem(root.certificate_pem().as_bytes()).unwrap();
    let refused = trust.with_revocations(lists(&[&stale]));
    let why = "the list of what CN=Old Consortium has revoked ended on 2020-09-14";
    let we_refused = HandshakeError::PeerRefused { sentence: sentence(why) };
    let they_refused = HandshakeError::RefusedByPeer { sentence: sentence(why) };
    let judge_leaf = bank_x.issue(&name("judge.node.bank-x.amop"), now()).unwrap();
    let judge = listen_trusting(&judge_leaf, &refused);
    let naive = listen_trusting(&leaf, &trust);
    assert_eq!(handshake(&naive, &judge).await, (they_refused.clone(), we_refused.clone()));
    assert_eq!(handshake(&judge, &naive).await, (we_refused, they_refused));

    let accepting = trust.with_revocations(lists(&[&stale]).accepting_stale());
    let judge = listen_trusting(&judge_leaf, &accepting);
    link(&naive, &judge).await;
    link(&judge, &naive).await;
}

fn listen_trusting(leaf: &Leaf, trust: &Trust) -> Endpoint {
    let identity = identity_of(leaf);
    Endpoint::listen(ANY_PORT, LinkKind::Node, &identity, trust, Settings::default()).unwrap()
}

#[tokio::test]
async fn what_a_stale_list_revokes_stays_revoked_even_where_stale_lists_are_accepted() {
    let case = Case::new();
    let stale = case.bank_x.revocation_list(None, &[case.revocation_of_the_leaf()], 1, now());
    let stale = lists(&[&stale.unwrap()]).accepting_stale();
    let (_, trust) = judging(stale);
    let notary = amop_p2p::Notary::new(&trust);
    let chain = case.leaf.chain_der();
    let error = notary.certify(&chain[0], [&*chain[1]], now() + 2 * DAY).unwrap_err();
    assert_eq!(error.to_string(), sentence("revoked on 2020-09-13"));
}

/// IDENT-7
#[tokio::test]
async fn a_forged_list_refuses_whom_it_speaks_of() {
    let case = Case::new();
    // An authority with the same name and another key says that nobody is revoked.
    let forger = Root::new("Forger", "amop", now()).unwrap().agency("bank-x", now()).unwrap();
    let forged = forger.revocation_list(None, &[], 30, now()).unwrap();
    let why = "the list of what CN=bank-x CA has revoked is not signed by it";
    assert_refused(why, &case.leaf, lists(&[&forged])).await;
}

#[tokio::test]
async fn a_forged_list_with_a_greater_number_does_not_hide_the_genuine_one() {
    let case = Case::new();
    let forger = Root::new("Forger", "amop", now()).unwrap().agency("bank-x", now()).unwrap();
    let forged = forger.revocation_list(None, &[], 30, now() + DAY).unwrap();
    let genuine = case.list(&[case.revocation_of_the_leaf()]);
    assert!(forged.number > genuine.number);
    let both = lists(&[&forged, &genuine]);
    assert_refused("revoked on 2020-09-13", &case.leaf, both.clone()).await;
    let other = case.bank_x.issue(&name(BAD), now()).unwrap();
    assert_linked(&other, both).await;
}

/// IDENT-7
#[tokio::test]
async fn of_two_lists_the_one_with_the_greater_number_counts_in_whatever_order_they_come() {
    let case = Case::new();
    let older = case.list(&[]);
    let revoked = [case.revocation_of_the_leaf()];
    let newer = case.bank_x.revocation_list(Some(&older), &revoked, 30, now()).unwrap();
    for order in [[&older, &newer], [&newer, &older]] {
        assert_refused("revoked on 2020-09-13", &case.leaf, lists(&order)).await;
    }
}

#[test]
fn bytes_that_are_no_list_are_no_revocations() {
    let error = |pem: &str| Revocations::from_pem(pem.as_bytes()).unwrap_err().to_string();
    let disguised = ROOT.certificate_pem().replace("CERTIFICATE", "X509 CRL");
    assert_eq!(error(&disguised), "unreadable list of revoked certificates");
    assert_eq!(error(&disguised[..40]), "malformed PEM");
    assert_eq!(Revocations::from_pem(b"").unwrap().dates().count(), 0);
}

#[test]
fn lists_say_whose_they_are_and_until_when_they_count() {
    let case = Case::new();
    let list = case.list(&[]);
    let [dates] = &lists(&[&list]).dates().collect::<Vec<_>>()[..] else { panic!("one list") };
    assert_eq!((&*dates.issuer, dates.number), ("CN=bank-x CA", list.number));
    assert_eq!(dates.next_update, list.next_update);
}

/// IDENT-8: whoever is revoked while it is linked learns why, and so do we.
#[tokio::test]
async fn an_open_link_of_whom_is_revoked_meanwhile_is_closed_on_either_side() {
    for judge_dials in [false, true] {
        let case = Case::new();
        let (judge, judges_trust) = judging(Revocations::default());
        let bad = listen(&case.leaf);
        let (theirs, ours) = match judge_dials {
            false => link(&bad, &judge).await,
            true => {
                let (ours, theirs) = link(&judge, &bad).await;
                (theirs, ours)
            }
        };
        let (theirs, ours) = (Running::start(theirs), Running::start(ours));
        assert_eq!(judge.judge_again(now()), []);
        let until = judge.peers_until();
        assert_eq!((until.len(), &until[0].0), (1, &name(BAD)));
        assert!(until[0].1 > now() + 89 * DAY && until[0].1 < now() + 91 * DAY);

        let list = case.list(&[case.revocation_of_the_leaf()]);
        judges_trust.replace(&trust().with_revocations(lists(&[&list])));
        let refused: Vec<String> =
            judge.judge_again(now()).iter().map(NotCertified::to_string).collect();
        assert_eq!(refused, [sentence("revoked on 2020-09-13")]);
        let reason = CloseReason::new(CloseCode::Refused, refused[0].clone());
        assert_eq!(ours.end().await, LinkEnd::ClosedByUs(reason.clone()));
        assert_eq!(theirs.end().await, LinkEnd::ClosedByPeer(reason));
        assert_eq!(judge.judge_again(now()), [], "it is open no more");

        // What is replaced counts for handshakes too, without a new endpoint.
        let (_, accepted) = handshake(&bad, &judge).await;
        let sentence = sentence("revoked on 2020-09-13");
        assert_eq!(accepted, HandshakeError::PeerRefused { sentence });
    }
}

/// IDENT-8
#[tokio::test]
async fn an_open_link_ends_with_the_certificate_but_not_with_a_list() {
    let case = Case::new();
    let (judge, _) = judging(lists(&[&case.bank_x.revocation_list(None, &[], 1, now()).unwrap()]));
    let bad = listen(&case.leaf);
    let (theirs, ours) = link(&bad, &judge).await;
    let (theirs, ours) = (Running::start(theirs), Running::start(ours));
    assert_eq!(judge.judge_again(now() + 2 * DAY), [], "the list is stale");
    let refused = judge.judge_again(now() + 91 * DAY);
    assert!(refused[0].to_string().contains(" refused: expired on "), "{refused:?}");
    assert!(matches!(ours.end().await, LinkEnd::ClosedByUs(_)));
    assert!(matches!(theirs.end().await, LinkEnd::ClosedByPeer(_)));
}

#[tokio::test]
async fn a_client_that_is_revoked_cannot_attach() {
    let agency = ROOT.agency("bank-x", now()).unwrap();
    let client = agency.issue(&name("app.sdk.bank-x.amop"), now()).unwrap();
    let list = agency.revocation_list(None, &[revocation(client.chain_pem(), 0)], 30, now());
    let trust = trust().with_revocations(lists(&[&list.unwrap()]));
    let (identity, settings) = (identity("judge.node.bank-a.amop"), Settings::default());
    let judge = Endpoint::listen(ANY_PORT, LinkKind::Sdk, &identity, &trust, settings.clone());
    let judge = judge.unwrap();
    let revoked = identity_of(&client);
    let client =
        Endpoint::dial_only(LinkKind::Sdk, &revoked, &crate::support::trust(), settings).unwrap();
    let (dialer, acceptor) = handshake(&client, &judge).await;
    let sentence = "certificate app.sdk.bank-x.amop refused: revoked on 2020-09-13".to_owned();
    assert_eq!(dialer, HandshakeError::RefusedByPeer { sentence: sentence.clone() });
    assert_eq!(acceptor, HandshakeError::PeerRefused { sentence });
}

/// IDENT-8: a peer could hold a handshake open while it is being revoked, and be in no list of open links yet.
#[tokio::test]
async fn a_link_is_not_opened_if_what_is_trusted_changes_during_its_handshake() {
    let (judge, judges_trust) = judging(Revocations::default());
    let (bad, addr) = (listen(&Case::new().leaf), judge.local_addr().unwrap());
    let dialed = tokio::spawn(async move { bad.dial(addr, None).await.unwrap_err() });
    let handshake = judge.accept().await.unwrap();
    let mut complete = std::pin::pin!(handshake.complete());
    // The handshake has begun, and has not got far.
    std::future::poll_fn(|cx| {
        assert!(complete.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    judges_trust.replace(&trust());
    assert_eq!(complete.await.unwrap_err(), HandshakeError::TrustChanged);
    let text = "what is trusted changed during the handshake";
    let told = CloseReason::new(CloseCode::Overloaded, text);
    let lost = dialed.await.unwrap();
    assert_eq!(lost, HandshakeError::Closed(told));
}
