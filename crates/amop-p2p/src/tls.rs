//! TLS as all links use it: version 1.3 only, both ends certified, nothing resumed, nothing early.
//!
//! A resumed session would skip the judgement of the certificate, and early data could be
//! replayed; both are off on both sides.

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};

use amop_wire::Name;

use crate::identity::Identity;
use crate::kind::{LinkKind, Side};
use crate::trust::Trust;
use crate::verify::Judge;

/// Makes the TLS settings of one endpoint's links.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    kind: LinkKind,
    identity: Identity,
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl Tls {
    pub(crate) fn new(kind: LinkKind, identity: Identity, trust: Trust) -> Self {
        Self { kind, identity, trust, provider: Arc::new(provider()) }
    }

    /// The settings for accepting links from anybody of the right role.
    pub(crate) fn acceptor(&self) -> QuicServerConfig {
        let resolver = SingleCertAndKey::from(self.identity.certified_key());
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider speaks TLS 1.3")
            .with_client_cert_verifier(Arc::new(self.judge(Side::Dialer, None)))
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![self.kind.protocol().into()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        QuicServerConfig::try_from(config).expect(HAS_INITIAL_SUITE)
    }

    /// The settings for dialing `expected`, or anybody of the right role.
    pub(crate) fn dialer(&self, expected: Option<&Name>) -> QuicClientConfig {
        let resolver = SingleCertAndKey::from(self.identity.certified_key());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider speaks TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self.judge(Side::Acceptor, expected)))
            .with_client_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![self.kind.protocol().into()];
        config.resumption = Resumption::disabled();
        QuicClientConfig::try_from(config).expect(HAS_INITIAL_SUITE)
    }

    fn judge(&self, side: Side, expected: Option<&Name>) -> Judge {
        Judge {
            trust: self.trust.clone(),
            kind: self.kind,
            side,
            expected: expected.cloned(),
            algorithms: self.algorithms(),
        }
    }

    fn algorithms(&self) -> WebPkiSupportedAlgorithms {
        self.provider.signature_verification_algorithms
    }
}

/// The cryptography of every link, most wanted first.
///
/// The hybrid key exchange keeps what is recorded today from being read by a quantum computer
/// later. AES-128-GCM comes first because it costs half or less of the other two.
pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1],
        ..default_provider()
    }
}

const HAS_INITIAL_SUITE: &str = "the provider has the suite that QUIC begins with";
