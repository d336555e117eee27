//! Revocation lists that other parties give us, and whose we may believe them to be.
//!
//! A list is believed if an authority has signed it that we have *met*: a chain that was proved has led over it.
//! Nobody says which authorities there are but those whom a trusted root has certified.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amop_wire::limits::{AUTHORITIES_MAX, LEARNED_BYTES_MAX};
use amop_wire::{AuthorityId, RevocationList};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use tokio::sync::Notify;
use x509_parser::certificate::X509Certificate;

use crate::revocation::{List, ListDates, RevocationError};
use crate::tls;
use crate::trust::{Rules, Trust};

impl Trust {
    /// Every authority that was met, and the list of it that counts, if there is one.
    #[must_use]
    pub fn authorities(&self) -> Vec<(AuthorityId, Option<RevocationList>)> {
        let (rules, algorithms) = (self.rules(), tls::provider().signature_verification_algorithms);
        let list = |(&authority, met): (&AuthorityId, &Authority)| {
            let list = rules.revocations.newest(&met.subject, &met.key, &algorithms);
            let given = |list: &List| {
                let (number, der) = (list.number, list.der.clone());
                RevocationList { authority, number, der }
            };
            (authority, list.map(given))
        };
        self.authorities.lock().iter().map(list).collect()
    }

    /// Waits until an authority was met for the first time; at once if one was since the last that was told.
    pub async fn meets_another(&self) {
        self.authorities.another.notified().await;
    }

    /// Goes by a list that another party has given, too, and answers what it says of itself. Links that are open
    /// stay so until they are judged again.
    ///
    /// # Errors
    ///
    /// [`ListRefused`]: nothing has changed.
    pub fn learn(&self, given: &RevocationList) -> Result<ListDates, ListRefused> {
        let authority = self.authorities.lock().get(&given.authority).cloned();
        let authority = authority.ok_or(ListRefused::Stranger)?;
        let list = List::from_der(&given.der).map_err(ListRefused::Unreadable)?;
        let algorithms = tls::provider().signature_verification_algorithms;
        let is_named = list.issuer_der == authority.subject;
        if !is_named || !list.is_signed_with(&authority.key, &algorithms) {
            return Err(ListRefused::Forged { issuer: list.issuer });
        }
        if list.number != given.number {
            let (number, said) = (list.number, given.number);
            return Err(ListRefused::OtherNumber { issuer: list.issuer, number, said });
        }
        self.change(|rules| {
            let held = rules.revocations.newest(&authority.subject, &authority.key, &algorithms);
            match held.map(|held| held.number).filter(|&held| held >= list.number) {
                Some(held) => {
                    let (issuer, number) = (list.issuer, list.number);
                    (rules.clone(), Err(ListRefused::Older { issuer, number, held }))
                }
                None => with_learned(rules, given.authority, list),
            }
        })
    }

    /// Goes by a list that was learned in an earlier life and kept since. Whether it is signed is judged whenever
    /// it is looked into; if it is not, it counts for nothing.
    ///
    /// # Errors
    ///
    /// [`ListRefused`]: nothing has changed.
    pub fn recall(&self, authority: AuthorityId, der: &[u8]) -> Result<ListDates, ListRefused> {
        let list = List::from_der(&der.to_vec().into()).map_err(ListRefused::Unreadable)?;
        self.change(|rules| with_learned(rules, authority, list))
    }
}

/// The same rules with one list more, if there is room for it.
fn with_learned(
    rules: &Rules,
    authority: AuthorityId,
    list: List,
) -> (Rules, Result<ListDates, ListRefused>) {
    let mut rules = rules.clone();
    let learned = &mut rules.revocations.learned;
    let others = learned.iter().filter(|(of, _)| **of != authority);
    let bytes = others.map(|(_, list)| list.der.len()).sum::<usize>() + list.der.len();
    if bytes > LEARNED_BYTES_MAX {
        return (rules, Err(ListRefused::NoRoom { issuer: list.issuer, limit: LEARNED_BYTES_MAX }));
    }
    let dates = list.dates(true);
    learned.insert(authority, Arc::new(list));
    (rules, Ok(dates))
}

/// Why a list that another party gave is not gone by.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListRefused {
    /// Nothing that its authority has certified was ever seen here.
    #[error("a revocation list of an authority that was never met")]
    Stranger,
    /// It cannot be read, or cannot be gone by.
    #[error("{0}")]
    Unreadable(#[source] RevocationError),
    /// It has the name of another authority, or not the signature of this one.
    #[error(
        "a revocation list in the name of {issuer} is not signed by who is said to have signed it"
    )]
    Forged {
        /// Whose it says to be.
        issuer: String,
    },
    /// It is not the list that was spoken of.
    #[error("the revocation list of {issuer} has the number {number}, not {said}")]
    OtherNumber {
        /// Whose it is.
        issuer: String,
        /// The number that its authority has given it.
        number: u64,
        /// The number that whoever gave it has said.
        said: u64,
    },
    /// The one that is gone by is as new, or newer.
    #[error("the revocation list of {issuer} has the number {number}, but {held} is known")]
    Older {
        /// Whose it is.
        issuer: String,
        /// Its number.
        number: u64,
        /// The number of the one that counts.
        held: u64,
    },
    /// What was learned would take too much memory.
    #[error(
        "no room for the revocation list of {issuer}: those that were learned have {limit} bytes at most"
    )]
    NoRoom {
        /// Whose it is.
        issuer: String,
        /// The most bytes of all lists that were learned.
        limit: usize,
    },
}

/// The authorities that proved chains have led over: at most [`AUTHORITIES_MAX`]; those that come later are not
/// remembered.
#[derive(Debug, Default)]
pub(crate) struct Authorities {
    met: Mutex<BTreeMap<AuthorityId, Authority>>,
    another: Notify,
}

/// What an authority's signature is known by.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    subject: Vec<u8>,
    key: SubjectPublicKeyInfoDer<'static>,
}

impl Authorities {
    /// Remembers who has signed these certificates, each beside the key of its issuer; they are proved.
    pub(crate) fn meet(&self, path: &[(&X509Certificate<'_>, SubjectPublicKeyInfoDer<'_>)]) {
        for (certificate, key) in path {
            let subject = certificate.issuer().as_raw();
            let id = AuthorityId::of(subject, key);
            let mut met = self.lock();
            if met.len() < AUTHORITIES_MAX && !met.contains_key(&id) {
                met.insert(id, Authority { subject: subject.into(), key: key.to_vec().into() });
                self.another.notify_one();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AuthorityId, Authority>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use amop_pki::{Reason, Revocation, Root, Serial};
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};

    use super::*;
    use crate::kind::{LinkKind, Side};
    use crate::testing::now;
    use crate::verify::Judge;

    /// A party of an agency, and whoever judges it.
    struct Scene {
        root: Root,
        chain: Vec<CertificateDer<'static>>,
        judge: Judge,
    }

    impl Scene {
        fn new() -> Self {
            let root = Root::new("Test", "amop", now()).unwrap();
            let agency = root.agency("bank-a", now()).unwrap();
            let leaf = agency.issue(&"n1.node.bank-a.amop".parse().unwrap(), now()).unwrap();
            let trust = Trust::from_pem(root.certificate_pem().as_bytes()).unwrap();
            let algorithms = tls::provider().signature_verification_algorithms;
            let (kind, side) = (LinkKind::Node, Side::Acceptor);
            let judge = Judge { trust, kind, side, expected: None, algorithms };
            Self { chain: leaf.chain_der(), root, judge }
        }

        fn judge(&self, after: Duration) -> Result<(), String> {
            let now = now().duration_since(std::time::UNIX_EPOCH).unwrap() + after;
            let now = UnixTime::since_unix_epoch(now);
            let verdict = self.judge.judge(&self.chain[0], &self.chain[1..], now);
            verdict.map(|_| ()).map_err(|verdict| verdict.why.to_string())
        }

        /// The list of the root that expels the agency or nobody, the how manieth one.
        fn list(&self, nth: usize, expels: bool) -> RevocationList {
            of_root(&self.root, nth, expels.then(|| &self.chain[1]))
        }

        fn learn(&self, list: &RevocationList) -> Result<ListDates, String> {
            self.judge.trust.learn(list).map_err(|error| error.to_string())
        }

        fn held(&self) -> Vec<u64> {
            let held = self.judge.trust.authorities().into_iter();
            held.filter_map(|(_, list)| Some(list?.number)).collect()
        }
    }

    fn of_root(root: &Root, nth: usize, expelled: Option<&CertificateDer<'_>>) -> RevocationList {
        let serial = |der: &CertificateDer<'_>| {
            Serial::of(x509_parser::parse_x509_certificate(der).unwrap().1.raw_serial())
        };
        let revoked = expelled.map(|der| Revocation {
            serial: serial(der),
            at: now(),
            reason: Reason::KeyCompromise,
        });
        let mut list = root.revocation_list(None, &[], 1, now()).unwrap();
        for _ in 0..nth {
            list = root.revocation_list(Some(&list), revoked.as_slice(), 1, now()).unwrap();
        }
        let der = CertificateRevocationListDer::from_pem_slice(list.to_pem().as_bytes()).unwrap();
        let certificate = root.certificate_der();
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).unwrap();
        RevocationList {
            authority: AuthorityId::of(parsed.subject().as_raw(), parsed.public_key().raw),
            number: List::from_der(&der.to_vec().into()).unwrap().number,
            der: der.to_vec().into(),
        }
    }

    /// CRL-1, CRL-3
    #[test]
    fn the_newest_list_that_an_authority_has_signed_that_was_met_is_learned_and_no_other() {
        let scene = Scene::new();
        let (older, newer) = (scene.list(1, false), scene.list(2, true));
        assert!(scene.learn(&newer).unwrap_err().contains("never met"), "nothing was seen of it");
        assert_eq!(scene.judge(Duration::ZERO), Ok(()));
        assert_eq!(scene.judge.trust.authorities().len(), 2, "the agency's and the root's");

        let stranger = Root::new("Test", "amop", now()).unwrap();
        let forged = RevocationList { authority: newer.authority, ..of_root(&stranger, 9, None) };
        assert!(scene.learn(&forged).unwrap_err().contains("not signed"));
        let lied = RevocationList { number: newer.number + 1, ..newer.clone() };
        assert!(scene.learn(&lied).unwrap_err().contains("has the number"));
        let cut = newer.der.slice(..newer.der.len() - 1);
        let cut = RevocationList { der: cut, ..newer.clone() };
        assert!(scene.learn(&cut).unwrap_err().contains("unreadable"));
        assert_eq!((scene.judge(Duration::ZERO), scene.held()), (Ok(()), vec![]));

        assert!(scene.learn(&newer).unwrap().is_learned);
        assert!(scene.learn(&older).unwrap_err().contains("is known"));
        assert!(scene.learn(&newer).unwrap_err().contains("is known"), "it is there already");
        let why = scene.judge(Duration::ZERO).unwrap_err();
        assert!(why.contains("certificate of its issuer was revoked"), "{why}");
        assert_eq!(scene.held(), [newer.number]);
    }

    /// CRL-4
    #[test]
    fn a_list_that_was_learned_revokes_and_does_no_more() {
        let scene = Scene::new();
        assert_eq!(scene.judge(Duration::ZERO), Ok(()));
        scene.learn(&scene.list(1, false)).unwrap();
        let late = Duration::from_secs(2 * 24 * 3600);
        assert_eq!(scene.judge(late), Ok(()), "nobody here has asked for a fresh one");
        let pem = scene.root.revocation_list(None, &[], 1, now()).unwrap().to_pem();
        let file = crate::Revocations::from_pem(pem.as_bytes()).unwrap();
        scene.judge.trust.renew(&scene.judge.trust.with_revocations(file));
        let why = scene.judge(late).unwrap_err();
        assert!(why.contains("the list of what"), "who has one in a file has: {why}");
    }

    /// CRL-4
    #[test]
    fn what_was_learned_stays_when_files_are_read_again_and_what_was_kept_counts_only_if_signed() {
        let scene = Scene::new();
        assert_eq!(scene.judge(Duration::ZERO), Ok(()));
        let fresh = Trust::from_pem(scene.root.certificate_pem().as_bytes()).unwrap();
        let (list, stranger) = (scene.list(2, true), Root::new("Test", "amop", now()).unwrap());
        let forged = of_root(&stranger, 9, Some(&scene.chain[1]));
        scene.judge.trust.recall(list.authority, &forged.der).unwrap();
        assert_eq!((scene.judge(Duration::ZERO), scene.held()), (Ok(()), vec![]));
        scene.judge.trust.recall(list.authority, &list.der).unwrap();
        scene.judge.trust.renew(&fresh);
        assert!(scene.judge(Duration::ZERO).is_err());
        assert_eq!(scene.held(), [list.number]);
    }

    #[test]
    fn what_is_learned_is_bounded() {
        let scene = Scene::new();
        let list = scene.list(1, false);
        let rules = scene.judge.trust.rules();
        let long = |bytes| {
            let mut long = List::from_der(&list.der).unwrap();
            long.der = vec![0; bytes].into();
            long
        };
        let (rules, dates) = with_learned(&rules, list.authority, long(LEARNED_BYTES_MAX));
        assert!(dates.is_ok());
        let (rules, dates) = with_learned(&rules, list.authority, long(LEARNED_BYTES_MAX));
        assert!(dates.is_ok(), "the one before makes way");
        let other = AuthorityId::of(b"other", b"key");
        let (_, refused) = with_learned(&rules, other, long(1));
        assert!(refused.unwrap_err().to_string().contains("33554432 bytes at most"));
    }
}
