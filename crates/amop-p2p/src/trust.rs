//! The roots that this party trusts.

use std::sync::{Arc, PoisonError, RwLock};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer, TrustAnchor};
use webpki::anchor_from_trusted_cert;
use x509_parser::parse_x509_certificate;

use crate::learned::Authorities;
use crate::revocation::Revocations;

/// The root certificates that a peer's certificate must lead to. Cheap to clone.
///
/// Several roots may be trusted at once, so that one can take over from another. Clones share what they
/// trust: [`replace`](Self::replace) changes it for all of them, and for every endpoint made with one.
#[derive(Clone, Debug)]
pub struct Trust {
    rules: Arc<RwLock<Arc<Rules>>>,
    pub(crate) authorities: Arc<Authorities>,
}

/// What certificates are judged by, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) anchors: Vec<TrustAnchor<'static>>,
    /// The key of each anchor, complete.
    anchor_keys: Vec<SubjectPublicKeyInfoDer<'static>>,
    pub(crate) revocations: Revocations,
}

impl Rules {
    /// The key of one of our anchors.
    pub(crate) fn key_of(&self, anchor: &TrustAnchor<'_>) -> Option<SubjectPublicKeyInfoDer<'_>> {
        let index = self.anchors.iter().position(|ours| ours == anchor)?;
        Some(self.anchor_keys[index].clone())
    }
}

impl Trust {
    /// Reads every certificate in a PEM file as a trusted root.
    ///
    /// # Errors
    ///
    /// [`TrustError`] if there is none, or if one of them cannot be a root. The file is at fault.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TrustError> {
        let roots: Vec<_> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(TrustError::BadPem)?;
        if roots.is_empty() {
            return Err(TrustError::NoRoot);
        }
        let roots: Vec<_> = roots.iter().map(anchor).collect::<Result<_, _>>()?;
        let (anchors, anchor_keys) = roots.into_iter().unzip();
        let rules = Rules { anchors, anchor_keys, revocations: Revocations::default() };
        Ok(Self { rules: Arc::new(RwLock::new(Arc::new(rules))), authorities: Arc::default() })
    }

    /// Trusts the same roots, but nobody whom these lists name, and goes by no others. The clones of
    /// `self` are not changed.
    #[must_use]
    pub fn with_revocations(&self, revocations: Revocations) -> Self {
        let rules = Rules { revocations, ..Rules::clone(&self.rules()) };
        let authorities = Arc::clone(&self.authorities);
        Self { rules: Arc::new(RwLock::new(Arc::new(rules))), authorities }
    }

    /// Trusts from now on what `other` trusts now, and so do all clones. Links that are open stay so until
    /// they are judged again: see [`Endpoint::judge_again`](crate::Endpoint::judge_again).
    pub fn replace(&self, other: &Self) {
        let rules = other.rules();
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// Like [`replace`](Self::replace), but no revocation list gives way to an older one of its authority, and what
    /// was [learned](Self::learn) stays.
    pub fn renew(&self, other: &Self) {
        let theirs = other.rules();
        self.change(|ours| {
            let revocations = theirs.revocations.clone().or_newer(&ours.revocations);
            (Rules { revocations, ..Rules::clone(&theirs) }, ())
        });
    }

    /// Makes other rules of those that count, in one step.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&Rules) -> (Rules, T)) -> T {
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        let (changed, answer) = change(&rules);
        *rules = Arc::new(changed);
        answer
    }

    /// The lists that it goes by now.
    #[must_use]
    pub fn revocations(&self) -> Revocations {
        self.rules().revocations.clone()
    }

    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why a file holds no trusted roots.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The text is no PEM.
    #[error("malformed PEM")]
    BadPem(#[source] rustls_pki_types::pem::Error),
    /// There is no certificate in the text.
    #[error("no root certificate found")]
    NoRoot,
    /// A certificate cannot be read.
    #[error("unreadable root certificate")]
    Unreadable,
    /// A certificate may not sign others, so trusting it as a root is a mistake.
    #[error("certificate of {subject} is no certificate authority")]
    NoAuthority {
        /// The subject of the certificate.
        subject: String,
    },
}

fn anchor(
    root: &CertificateDer<'_>,
) -> Result<(TrustAnchor<'static>, SubjectPublicKeyInfoDer<'static>), TrustError> {
    let (_, parsed) = parse_x509_certificate(root).map_err(|_| TrustError::Unreadable)?;
    if !parsed.is_ca() {
        return Err(TrustError::NoAuthority { subject: parsed.subject().to_string() });
    }
    let anchor = anchor_from_trusted_cert(root).map_err(|_| TrustError::Unreadable)?;
    Ok((anchor.to_owned(), parsed.public_key().raw.to_vec().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn only_certificates_of_authorities_are_roots() {
        let leaf = testing::leaf("n1.node.bank-a.amop");
        let text = |pem: &str| Trust::from_pem(pem.as_bytes()).unwrap_err().to_string();
        assert_eq!(text(""), "no root certificate found");
        assert_eq!(text(&leaf.key_pem()), "no root certificate found");
        assert_eq!(
            text(leaf.chain_pem()),
            "certificate of CN=n1.node.bank-a.amop is no certificate authority"
        );
        assert_eq!(text(&leaf.chain_pem()[..100]), "malformed PEM");
    }
}
