//! The roots that this party trusts.

use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use webpki::anchor_from_trusted_cert;
use x509_parser::parse_x509_certificate;

/// The root certificates that a peer's certificate must lead to. Cheap to clone.
///
/// Several roots may be trusted at once, so that one can take over from another.
#[derive(Clone, Debug)]
pub struct Trust {
    anchors: Arc<[TrustAnchor<'static>]>,
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
        let anchors = roots.iter().map(anchor).collect::<Result<_, _>>()?;
        Ok(Self { anchors })
    }

    pub(crate) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
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

fn anchor(root: &CertificateDer<'_>) -> Result<TrustAnchor<'static>, TrustError> {
    let (_, parsed) = parse_x509_certificate(root).map_err(|_| TrustError::Unreadable)?;
    if !parsed.is_ca() {
        return Err(TrustError::NoAuthority { subject: parsed.subject().to_string() });
    }
    let anchor = anchor_from_trusted_cert(root).map_err(|_| TrustError::Unreadable)?;
    Ok(anchor.to_owned())
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
