//! A cluster of NATS servers, with mutual TLS between all, and clients at it.
//!
//! The servers have their default settings. They promise to deliver at most once: a server drops
//! what a slow client does not take, and so does a client for a slow application.

mod certs;
mod publisher;
mod server;
mod subscriber;

pub(crate) use certs::write_all as write_certs;
pub(crate) use publisher::run_publisher;
pub(crate) use server::start_servers;
pub(crate) use subscriber::{run_crowd, run_subscribers};

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use async_nats::{Client, ConnectOptions};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::door::Door;

/// What clients need to connect to one server.
#[derive(Clone, Debug)]
struct Access {
    server: Door,
    tls: ClientConfig,
}

impl Access {
    /// Reads the certificates of clients.
    fn read(dir: &Path, server: Door) -> Result<Self> {
        let files = certs::Files::of(dir, certs::CLIENT);
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&files.root).context("bad root certificate")?)?;
        let chain = vec![CertificateDer::from_pem_file(&files.certificate)?];
        let key = PrivateKeyDer::from_pem_file(&files.key).context("bad key")?;
        let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        Ok(Self { server, tls })
    }

    /// Connects one client, which stays with this server.
    async fn connect(&self) -> Result<Client> {
        let options = ConnectOptions::new()
            .require_tls(true)
            .tls_client_config(self.tls.clone())
            .ignore_discovered_servers();
        let addr = format!("tls://{}", self.server.addr);
        options.connect(addr).await.context("cannot connect to the server")
    }
}

/// What the subscribers subscribe to.
const SUBJECT: &str = "bench.two-hop";
