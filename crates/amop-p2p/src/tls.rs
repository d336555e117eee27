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
        QuicServerConfig::try_from(self.acceptor_config()).expect(HAS_INITIAL_SUITE)
    }

    /// The settings for dialing `expected`, or anybody of the right role.
    pub(crate) fn dialer(&self, expected: Option<&Name>) -> QuicClientConfig {
        QuicClientConfig::try_from(self.dialer_config(expected)).expect(HAS_INITIAL_SUITE)
    }

    fn acceptor_config(&self) -> ServerConfig {
        let resolver = SingleCertAndKey::from(Arc::clone(self.identity.certified_key()));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider speaks TLS 1.3")
            .with_client_cert_verifier(Arc::new(self.judge(Side::Dialer, None)))
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![self.kind.protocol().into()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config
    }

    fn dialer_config(&self, expected: Option<&Name>) -> ClientConfig {
        let resolver = SingleCertAndKey::from(Arc::clone(self.identity.certified_key()));
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider speaks TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self.judge(Side::Acceptor, expected)))
            .with_client_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![self.kind.protocol().into()];
        config.resumption = Resumption::disabled();
        config.enable_sni = false; // There is no server's name to send.
        config
    }

    pub(crate) fn judge(&self, side: Side, expected: Option<&Name>) -> Judge {
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

#[cfg(test)]
mod tests {
    use rustls::quic::{ClientConnection, Connection, ServerConnection, Version};
    use rustls::{CipherSuite, HandshakeKind, NamedGroup};

    use super::*;
    use crate::testing;

    fn configs() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
        let tls = |dns| Tls::new(LinkKind::Node, testing::identity(dns), testing::trust());
        let dialer = tls("n1.node.bank-a.amop").dialer_config(None);
        (Arc::new(dialer), Arc::new(tls("n1.node.bank-b.amop").acceptor_config()))
    }

    fn handshake(dialer: &Arc<ClientConfig>, acceptor: &Arc<ServerConfig>) -> [Connection; 2] {
        let (dialer, acceptor) = (Arc::clone(dialer), Arc::clone(acceptor));
        let name = "amop.invalid".try_into().unwrap();
        let dialer = ClientConnection::new(dialer, Version::V1, name, vec![]).unwrap();
        let acceptor = ServerConnection::new(acceptor, Version::V1, vec![]).unwrap();
        let (mut dialer, mut acceptor) = (Connection::from(dialer), Connection::from(acceptor));
        while dialer.is_handshaking() || acceptor.is_handshaking() {
            carry(&mut dialer, &mut acceptor);
            carry(&mut acceptor, &mut dialer);
        }
        [dialer, acceptor]
    }

    /// Carries what one end has to say, apart for each encryption level, as QUIC does.
    fn carry(from: &mut Connection, to: &mut Connection) {
        loop {
            let mut bytes = Vec::new();
            let level_ends = from.write_hs(&mut bytes).is_some();
            to.read_hs(&bytes).unwrap();
            if !level_ends {
                return;
            }
        }
    }

    #[test]
    fn two_parties_agree_on_the_hybrid_key_exchange_and_the_cheapest_cipher() {
        let (dialer, acceptor) = configs();
        let [dialer, acceptor] = handshake(&dialer, &acceptor);
        let group = dialer.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(group, NamedGroup::X25519MLKEM768);
        let suite = acceptor.negotiated_cipher_suite().unwrap().suite();
        assert_eq!(suite, CipherSuite::TLS13_AES_128_GCM_SHA256);
    }

    #[test]
    fn no_handshake_is_a_resumed_one() {
        let (dialer, acceptor) = configs();
        for _ in 0..3 {
            for end in handshake(&dialer, &acceptor) {
                assert_eq!(end.handshake_kind(), Some(HandshakeKind::Full));
            }
        }
    }
}
