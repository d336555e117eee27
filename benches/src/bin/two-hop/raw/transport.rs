//! QUIC as AMOP's links use it, without AMOP.
//!
//! Its transport settings are those of `amop-p2p` itself. Ciphers, key exchanges and socket buffers are the same by hand:
//! change them together, or the comparison means nothing.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use amop_p2p::{Settings, Side};
use anyhow::{Context, Result, bail};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    Connection, Endpoint, EndpointConfig, RecvStream, SendStream, ServerConfig, TokioRuntime,
};
use rustls::RootCertStore;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use socket2::{Domain, Protocol, Socket, Type};

use crate::certs::{self, Party};
use crate::door::Door;
use crate::system::System;

/// The settings of one party's connections.
#[derive(Debug)]
pub(crate) struct Transport {
    server: ServerConfig,
    client: quinn::ClientConfig,
}

/// One connection with its two streams.
pub(crate) struct Link {
    /// Requests and answers, which go first.
    pub(crate) asks: Lane,
    /// Messages in one direction.
    pub(crate) flow: Lane,
    /// Dropping the last handle would close it.
    pub(crate) connection: Connection,
}

/// One stream, which both ends write.
pub(crate) struct Lane {
    pub(crate) send: SendStream,
    pub(crate) receive: RecvStream,
}

impl Transport {
    /// Reads the party's certificates.
    ///
    /// # Errors
    ///
    /// Fails when a file is missing or holds something else.
    pub(crate) fn load(system: System, dir: &Path, party: Party) -> Result<Self> {
        let provider = Arc::new(provider());
        let roots = Arc::new(read_root(&certs::root(dir))?);
        let chain = read_chain(&party.chain(dir))?;
        let key = read_key(&party.key(dir))?;
        let ack_frequency = system == System::RawSparseAcks;
        let settings = Settings { ack_frequency, ..Settings::default() };

        let judge = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(judge.build()?)
            .with_single_cert(chain.clone(), key.clone_key())?;
        tls.alpn_protocols = vec![PROTOCOL.into()];
        tls.send_tls13_tickets = 0;
        let mut server = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
        server.transport_config(settings.transport(Side::Acceptor)?);

        let judge = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_webpki_verifier(judge.build()?)
            .with_client_auth_cert(chain, key)?;
        tls.alpn_protocols = vec![PROTOCOL.into()];
        tls.resumption = Resumption::disabled();
        let mut client = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
        client.transport_config(settings.transport(Side::Dialer)?);
        Ok(Self { server, client })
    }

    /// Opens a socket on a free port that accepts connections.
    ///
    /// # Errors
    ///
    /// Fails when the system gives none.
    pub(crate) fn listen(&self) -> Result<(Endpoint, SocketAddr)> {
        let endpoint = bind(Some(self.server.clone()))?;
        let addr = endpoint.local_addr()?;
        Ok((endpoint, addr))
    }

    /// Links with a relay.
    ///
    /// # Errors
    ///
    /// Fails when it is not there, or when one of the two refuses the other's certificate.
    pub(crate) async fn dial(&self, door: Door) -> Result<Link> {
        let endpoint = bind(None)?;
        let dialing = endpoint.connect_with(self.client.clone(), door.addr, door.node.dns())?;
        let connection = dialing.await.with_context(|| format!("cannot dial {door}"))?;
        let mut lanes = Vec::new();
        for priority in PRIORITIES {
            let (mut send, receive) = connection.open_bi().await?;
            send.set_priority(priority)?;
            // The other end sees the stream only after its first byte.
            send.write_all(&[HELLO]).await?;
            lanes.push(Lane { send, receive });
        }
        Link::new(connection, lanes)
    }
}

impl Link {
    fn new(connection: Connection, lanes: Vec<Lane>) -> Result<Self> {
        let Ok([asks, flow]) = <[Lane; 2]>::try_from(lanes) else { bail!("a lane is missing") };
        Ok(Self { asks, flow, connection })
    }
}

/// Takes in the one party that links with this socket.
///
/// # Errors
///
/// Fails when the handshake does.
pub(crate) async fn accept(endpoint: &Endpoint) -> Result<Link> {
    let incoming = endpoint.accept().await.context("the socket is gone")?;
    let connection = incoming.await.context("a handshake failed")?;
    let mut lanes = Vec::new();
    for priority in PRIORITIES {
        let (send, mut receive) = connection.accept_bi().await?;
        send.set_priority(priority)?;
        let mut hello = [0];
        receive.read_exact(&mut hello).await?;
        lanes.push(Lane { send, receive });
    }
    Link::new(connection, lanes)
}

fn bind(server: Option<ServerConfig>) -> Result<Endpoint> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    // The system may cap the sizes without saying so, and refusing them is no reason to stop.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&addr.into()).context("cannot open a socket on the loopback interface")?;
    let mut config = EndpointConfig::default();
    config.max_udp_payload_size(Settings::default().udp_payload_max)?;
    let socket = UdpSocket::from(socket);
    Ok(Endpoint::new(config, server, socket, Arc::new(TokioRuntime))?)
}

fn provider() -> CryptoProvider {
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

fn read_root(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in read_chain(path)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let pem = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    chain.with_context(|| format!("no certificates in {}", path.display()))
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let pem = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    PrivateKeyDer::from_pem_slice(&pem).with_context(|| format!("no key in {}", path.display()))
}

const PROTOCOL: &str = "two-hop-raw/1";
const HELLO: u8 = 0;
/// Of the streams, in the order in which they are opened.
const PRIORITIES: [i32; 2] = [1, 0];
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
