//! Clients that speak QUIC as it should be, and keep none of our rules above it.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::rustls::crypto::aws_lc_rs;
use quinn::rustls::pki_types::pem::PemObject;
use quinn::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use quinn::rustls::version::TLS13;
use quinn::rustls::{ClientConfig, RootCertStore};
use quinn::{ConnectionError, Endpoint};

/// An endpoint that dials from that address, with the certificate in this directory, or without any.
///
/// # Errors
///
/// Fails if there is no trust in the directory, or no certificate that is to be shown.
pub(crate) fn endpoint(dir: &Path, from: IpAddr, is_certified: bool) -> Result<Endpoint> {
    let read = |name: &str| std::fs::read(dir.join(name)).with_context(|| format!("no {name}"));
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(&read("ca.crt")?) {
        roots.add(root?)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots);
    let mut config = if is_certified {
        let chain = CertificateDer::pem_slice_iter(&read("sdk.crt")?).collect::<Result<_, _>>()?;
        builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(&read("sdk.key")?)?)?
    } else {
        builder.with_no_client_auth()
    };
    config.alpn_protocols = vec![b"amop-sdk/1".to_vec()];
    let mut endpoint = Endpoint::client(SocketAddr::new(from, 0))?;
    let crypto = Arc::new(QuicClientConfig::try_from(config)?);
    endpoint.set_default_client_config(quinn::ClientConfig::new(crypto));
    Ok(endpoint)
}

/// What the other end said when it closed; `None` if it said nothing.
pub(crate) fn reason(error: &ConnectionError) -> Option<String> {
    let reason = match error {
        ConnectionError::ApplicationClosed(close) => &close.reason,
        ConnectionError::ConnectionClosed(close) => &close.reason,
        _ => return None,
    };
    Some(String::from_utf8_lossy(reason).into_owned()).filter(|reason| !reason.is_empty())
}
