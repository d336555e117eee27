//! Lists of revoked certificates: what they say, who signed them, and that a TLS library goes by them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, SystemTime};

use amop_pki::{
    Agency, Certificate, IssueError, LIST_DAYS_MAX, Leaf, ListError, Reason, Revocation,
    RevocationList, Root, Serial,
};
use rustls_pki_types::UnixTime;
use rustls_pki_types::pem::PemObject;
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, Error, ExpirationPolicy,
    KeyUsage, RevocationOptionsBuilder, UnknownStatusPolicy, anchor_from_trusted_cert,
};

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn root() -> Root {
    Root::new("East Payments Root", "amop", now()).unwrap()
}

fn certificates(pem: &str) -> Vec<Certificate> {
    Certificate::all_from_pem(pem).unwrap()
}

fn revocation(of: &Certificate) -> Revocation {
    Revocation { serial: of.serial.clone(), at: now(), reason: Reason::KeyCompromise }
}

fn leaf(agency: &Agency) -> Leaf {
    agency.issue(&"n1.node.bank-a.amop".parse().unwrap(), now()).unwrap()
}

/// What a TLS library says to the chain of a leaf, given these lists.
fn judge(leaf: &Leaf, root: &Root, lists: &[&RevocationList], at: SystemTime) -> Result<(), Error> {
    let (chain, trusted) = (leaf.chain_der(), root.certificate_der());
    let ders: Vec<_> = lists
        .iter()
        .map(|list| {
            let pem = list.to_pem();
            rustls_pki_types::CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).unwrap()
        })
        .collect();
    let lists: Vec<CertRevocationList<'_>> =
        ders.iter().map(|der| BorrowedCertRevocationList::from_der(der).unwrap().into()).collect();
    let lists: Vec<&CertRevocationList<'_>> = lists.iter().collect();
    let options = RevocationOptionsBuilder::new(&lists)
        .unwrap()
        .with_status_policy(UnknownStatusPolicy::Deny)
        .with_expiration_policy(ExpirationPolicy::Enforce)
        .build();
    let at = UnixTime::since_unix_epoch(at.duration_since(SystemTime::UNIX_EPOCH).unwrap());
    EndEntityCert::try_from(&chain[0])
        .unwrap()
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &[anchor_from_trusted_cert(&trusted).unwrap()],
            &chain[1..],
            at,
            KeyUsage::client_auth(),
            Some(options),
            None,
        )
        .map(drop)
}

#[test]
fn a_tls_library_refuses_what_our_lists_revoke_and_takes_the_rest() {
    let root = root();
    let agency = root.agency("bank-a", now()).unwrap();
    let (bad, good) = (leaf(&agency), leaf(&agency));
    let nobody = root.revocation_list(None, &[], 30, now()).unwrap();
    let revoked = revocation(&certificates(bad.chain_pem())[0]);
    let one = agency.revocation_list(None, &[revoked], 30, now()).unwrap();
    assert_eq!(judge(&good, &root, &[&nobody, &one], now()), Ok(()));
    assert_eq!(judge(&bad, &root, &[&nobody, &one], now()), Err(Error::CertRevoked));

    let expelled = revocation(&certificates(agency.certificate_pem())[0]);
    let expelled = root.revocation_list(Some(&nobody), &[expelled], 30, now()).unwrap();
    assert_eq!(judge(&good, &root, &[&expelled, &one], now()), Err(Error::CertRevoked));

    let late = judge(&good, &root, &[&nobody, &one], now() + 31 * DAY);
    assert!(matches!(late, Err(Error::CrlExpired { .. })), "{late:?}");
}

#[test]
fn a_list_reads_back_what_it_says() {
    let agency = root().agency("bank-a", now()).unwrap();
    let bad = certificates(leaf(&agency).chain_pem()).remove(0);
    for reason in Reason::ALL {
        let revocation = Revocation { serial: bad.serial.clone(), at: now(), reason };
        let list =
            agency.revocation_list(None, std::slice::from_ref(&revocation), 30, now()).unwrap();
        let read = RevocationList::from_pem(&list.to_pem()).unwrap();
        assert_eq!(read, list);
        assert_eq!(read.issuer, "CN=bank-a CA");
        assert_eq!(read.this_update, now() - Duration::from_secs(300));
        assert_eq!(read.next_update, now() + 30 * DAY);
        assert_eq!(read.find(&bad.serial), Some(&revocation));
        assert_eq!(read.find(&Serial::of(&[1])), None);
    }
}

#[test]
fn the_number_grows_and_nothing_is_ever_taken_off() {
    let agency = root().agency("bank-a", now()).unwrap();
    let [one, two] = [(); 2].map(|()| revocation(&certificates(leaf(&agency).chain_pem())[0]));
    let first = agency.revocation_list(None, &[], 30, now()).unwrap();
    assert_eq!(first.number, 1_800_000_000, "a list that is begun anew is newer than a lost one");
    let second =
        agency.revocation_list(Some(&first), std::slice::from_ref(&one), 30, now()).unwrap();
    let third =
        agency.revocation_list(Some(&second), std::slice::from_ref(&two), 30, now()).unwrap();
    assert_eq!((second.number, third.number), (first.number + 1, first.number + 2));
    assert_eq!(third.revoked, [one.clone(), two.clone()]);

    let again = Revocation { at: now() + DAY, reason: Reason::Superseded, ..one.clone() };
    let fourth = agency.revocation_list(Some(&third), &[again], 30, now() + DAY).unwrap();
    assert_eq!(fourth.revoked, [one, two], "the first word stays");
    assert_eq!(fourth.number, third.number.max(1_800_000_000 + 24 * 60 * 60));
}

#[test]
fn a_list_is_continued_and_known_only_by_the_authority_that_signed_it() {
    let (root, other) = (root(), root());
    let list = root.revocation_list(None, &[], 30, now()).unwrap();
    let by = |root: &Root| certificates(root.certificate_pem()).remove(0);
    assert!(list.is_signed_by(&by(&root)));
    assert!(!list.is_signed_by(&by(&other)), "the same name is not the same key");
    let error = other.revocation_list(Some(&list), &[], 30, now()).unwrap_err();
    assert_eq!(error, IssueError::ForeignList);
}

#[test]
fn a_list_has_an_end_and_an_ended_authority_signs_none() {
    let root = root();
    let agency = root.agency("bank-a", now()).unwrap();
    for days in [0, LIST_DAYS_MAX + 1] {
        let error = root.revocation_list(None, &[], days, now()).unwrap_err();
        assert_eq!(error, IssueError::Lifetime { days, max: LIST_DAYS_MAX });
    }
    assert!(root.revocation_list(None, &[], LIST_DAYS_MAX, now()).is_ok());
    let error = agency.revocation_list(None, &[], 30, now() + 1100 * DAY).unwrap_err();
    assert!(matches!(error, IssueError::IssuerNotValid { .. }), "{error}");
}

#[test]
fn texts_that_are_no_list_are_refused() {
    let root = root();
    let error = |text: &str| RevocationList::from_pem(text).unwrap_err();
    assert!(matches!(error(""), ListError::NotPem(_)));
    assert!(matches!(error(root.certificate_pem()), ListError::NotPem(_)));
    let disguised = root.certificate_pem().replace("CERTIFICATE", "X509 CRL");
    assert!(matches!(error(&disguised), ListError::Malformed));
}
