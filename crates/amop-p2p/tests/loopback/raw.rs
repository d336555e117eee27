//! Peers that speak QUIC but keep none of our rules: any certificate or none, any protocol name,
//! any bytes. They take whatever certificate they are shown.

use std::net::SocketAddr;
use std::sync::Arc;

use amop_wire::Lane;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use quinn::rustls::crypto::{CryptoProvider, aws_lc_rs};
use quinn::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use quinn::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use quinn::rustls::version::TLS13;
use quinn::rustls::{ClientConfig, DigitallySignedStruct, DistinguishedName, Error};
use quinn::rustls::{ServerConfig, SignatureScheme};
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream};

use crate::support::ANY_PORT;

/// A chain with its key.
pub(crate) type Shown = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

pub(crate) fn shown(leaf: &amop_pki::Leaf) -> Shown {
    (leaf.chain_der(), leaf.key_der())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn client(shown: Option<Shown>, protocol: &str) -> quinn::ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TakesAnybody));
    let mut config = match shown {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.into()];
    quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()))
}

/// Dials; what the acceptor thinks of us may come only later, as the end of the connection.
pub(crate) async fn dial(
    addr: SocketAddr,
    shown: Option<Shown>,
    protocol: &str,
) -> Result<Connection, ConnectionError> {
    let endpoint = Endpoint::client(ANY_PORT).unwrap();
    endpoint.connect_with(client(shown, protocol), addr, "any.name").unwrap().await
}

/// Listens with any certificate.
pub(crate) fn listen((chain, key): Shown, protocol: &str) -> Endpoint {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_client_cert_verifier(Arc::new(TakesAnybody))
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![protocol.into()];
    let crypto = Arc::new(QuicServerConfig::try_from(config).unwrap());
    Endpoint::server(quinn::ServerConfig::with_crypto(crypto), ANY_PORT).unwrap()
}

/// Opens the lanes as a good dialer does, and gives out their streams.
pub(crate) async fn open_lanes(connection: &Connection) -> [(SendStream, RecvStream); Lane::COUNT] {
    let mut lanes = Vec::new();
    for lane in Lane::ALL {
        let (mut send, receive) = connection.open_bi().await.unwrap();
        send.write_all(&[lane.number()]).await.unwrap();
        lanes.push((send, receive));
    }
    lanes.try_into().unwrap()
}

/// The text of the CONNECTION_CLOSE that ended a connection, whoever wrote it.
pub(crate) fn close_text(error: ConnectionError) -> String {
    match error {
        ConnectionError::ConnectionClosed(close) => {
            String::from_utf8(close.reason.to_vec()).unwrap()
        }
        ConnectionError::ApplicationClosed(close) => {
            format!("{}: {}", close.error_code, String::from_utf8_lossy(&close.reason))
        }
        other => panic!("not closed by the peer: {other}"),
    }
}

#[derive(Debug)]
struct TakesAnybody;

impl TakesAnybody {
    fn schemes() -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for TakesAnybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        unreachable!("QUIC is TLS 1.3")
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Self::schemes()
    }
}

impl ClientCertVerifier for TakesAnybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        unreachable!("QUIC is TLS 1.3")
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Self::schemes()
    }
}
