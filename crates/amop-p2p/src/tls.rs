//! TLS as all links use it: version 1.3 only, both ends certified, nothing resumed, nothing early.
//!
//! A resumed session would skip the judgement of the certificate, and early data could be
//! replayed; both are off on both sides.
//!
//! Who we are may change while links are open: handshakes that begin afterwards show the new certificate.

use std::sync::{Arc, PoisonError, RwLock};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::aws_lc_rs::cipher_suite;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig, SignatureScheme};

use amop_wire::Name;

use crate::cryptography::Cryptography;
use crate::endpoint::EndpointError;
use crate::identity::Identity;
use crate::kind::{LinkKind, Side};
use crate::trust::Trust;
use crate::verify::Judge;

/// Makes the TLS settings of one endpoint's links.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    kind: LinkKind,
    shown: Shown,
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl Tls {
    pub(crate) fn new(
        kind: LinkKind,
        (identity, trust): (Identity, Trust),
        cryptography: &Cryptography,
    ) -> Result<Self, EndpointError> {
        if cryptography.cipher_suites.is_empty() || cryptography.key_exchange.is_empty() {
            return Err(EndpointError::NoCryptography);
        }
        let shown = Shown::new(&identity);
        Ok(Self { kind, shown, trust, provider: Arc::new(cryptography.provider()) })
    }

    /// Shows another certificate in every handshake from now on, also of clones.
    pub(crate) fn show(&self, identity: &Identity) {
        self.shown.set(identity);
    }

    /// The settings for accepting links from anybody of the right role.
    pub(crate) fn acceptor(&self) -> QuicServerConfig {
        let config = Arc::new(self.acceptor_config());
        QuicServerConfig::with_initial(config, initial_suite()).expect(IS_INITIAL_SUITE)
    }

    /// The settings for dialing `expected`, or anybody of the right role.
    pub(crate) fn dialer(&self, expected: Option<&Name>) -> QuicClientConfig {
        let config = Arc::new(self.dialer_config(expected));
        QuicClientConfig::with_initial(config, initial_suite()).expect(IS_INITIAL_SUITE)
    }

    fn acceptor_config(&self) -> ServerConfig {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider speaks TLS 1.3")
            .with_client_cert_verifier(Arc::new(self.judge(Side::Dialer, None)))
            .with_cert_resolver(Arc::new(self.shown.clone()));
        config.alpn_protocols = vec![self.kind.protocol().into()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config
    }

    fn dialer_config(&self, expected: Option<&Name>) -> ClientConfig {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider speaks TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self.judge(Side::Acceptor, expected)))
            .with_client_cert_resolver(Arc::new(self.shown.clone()));
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

/// The certificate and key that we show. Clones share it.
#[derive(Clone, Debug)]
struct Shown(Arc<RwLock<Arc<CertifiedKey>>>);

impl Shown {
    fn new(identity: &Identity) -> Self {
        Self(Arc::new(RwLock::new(Arc::clone(identity.certified_key()))))
    }

    fn set(&self, identity: &Identity) {
        let key = Arc::clone(identity.certified_key());
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = key;
    }

    fn get(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The cryptography of certificates and their signatures, which is not to be chosen.
pub(crate) fn provider() -> CryptoProvider {
    Cryptography::default().provider()
}

/// What the first packets are sealed with, by a key that everybody knows; links need not use it afterwards.
fn initial_suite() -> rustls::quic::Suite {
    let suite = cipher_suite::TLS13_AES_128_GCM_SHA256.tls13();
    suite
        .and_then(rustls::Tls13CipherSuite::quic_suite)
        .expect("it is a suite of TLS 1.3 and of QUIC")
}

const IS_INITIAL_SUITE: &str = "it is the suite that QUIC begins with";

#[cfg(test)]
mod tests {
    use rustls::quic::{ClientConnection, Connection, ServerConnection, Version};
    use rustls::{CipherSuite, HandshakeKind, NamedGroup};

    use super::*;
    use crate::testing;

    fn configs() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
        with(&Cryptography::default(), &Cryptography::default())
    }

    fn with(
        dialer: &Cryptography,
        acceptor: &Cryptography,
    ) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
        let tls = |dns, cryptography| {
            let parties = (testing::identity(dns), testing::trust());
            Tls::new(LinkKind::Node, parties, cryptography).unwrap()
        };
        let dialer = tls("n1.node.bank-a.amop", dialer).dialer_config(None);
        (Arc::new(dialer), Arc::new(tls("n1.node.bank-b.amop", acceptor).acceptor_config()))
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
    fn what_one_end_does_not_list_is_not_used() {
        use crate::cryptography::{CipherSuite as Suite, KeyExchange};
        let all = Cryptography::default();
        let few = Cryptography {
            cipher_suites: vec![Suite::ChaCha20Poly1305, Suite::Aes256Gcm],
            key_exchange: vec![KeyExchange::Secp256r1],
        };
        for (dialer, acceptor) in [with(&few, &all), with(&all, &few)] {
            let [dialer, acceptor] = handshake(&dialer, &acceptor);
            let group = dialer.negotiated_key_exchange_group().unwrap().name();
            assert_eq!(group, NamedGroup::secp256r1);
            let suite = acceptor.negotiated_cipher_suite().unwrap().suite();
            assert_ne!(suite, CipherSuite::TLS13_AES_128_GCM_SHA256);
        }
    }

    #[test]
    fn an_endpoint_without_any_cipher_or_key_exchange_is_refused() {
        for (cipher_suites, key_exchange) in [
            (vec![], Cryptography::default().key_exchange),
            (Cryptography::default().cipher_suites, vec![]),
        ] {
            let parties = (testing::identity("n1.node.bank-a.amop"), testing::trust());
            let cryptography = Cryptography { cipher_suites, key_exchange };
            let tls = Tls::new(LinkKind::Node, parties, &cryptography);
            assert!(matches!(tls, Err(EndpointError::NoCryptography)));
        }
    }

    #[test]
    fn another_certificate_is_shown_from_the_next_handshake_on_by_both_ends() {
        let name = "n1.node.bank-a.amop";
        let parties = (testing::identity(name), testing::trust());
        let tls = Tls::new(LinkKind::Node, parties, &Cryptography::default()).unwrap();
        let (before, after) = (testing::identity(name), testing::identity(name));
        let (dialer, acceptor) =
            (Arc::new(tls.dialer_config(None)), Arc::new(tls.acceptor_config()));
        for identity in [before, after] {
            tls.clone().show(&identity);
            for end in handshake(&dialer, &acceptor) {
                let shown = end.peer_certificates().unwrap()[0].clone();
                assert_eq!(shown, identity.certified_key().cert[0]);
            }
        }
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
