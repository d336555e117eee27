//! Certificates for NATS, which knows its parties by address.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// All servers share a certificate, and so do all clients.
pub(super) const SERVER: &str = "server";
pub(super) const CLIENT: &str = "client";

/// Where the certificates of one party are.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) root: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Files {
    pub(super) fn of(dir: &Path, party: &str) -> Self {
        let file = |name: &str| dir.join(format!("nats-{name}"));
        Self {
            root: file("ca.crt"),
            certificate: file(&format!("{party}.crt")),
            key: file(&format!("{party}.key")),
        }
    }
}

/// Makes a root and writes the certificates of servers and clients, with keys of the same kind as
/// AMOP's.
///
/// # Errors
///
/// Fails when a file cannot be written.
pub(crate) fn write_all(dir: &Path) -> Result<()> {
    let root_key = KeyPair::generate()?;
    let mut root = CertificateParams::new(Vec::new())?;
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = root.self_signed(&root_key)?;
    let issuer = Issuer::new(root, root_key);
    for party in [SERVER, CLIENT] {
        let files = Files::of(dir, party);
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // Between servers, one end is the client.
        leaf.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let leaf = leaf.signed_by(&key, &issuer)?;
        write(&files.root, &certificate.pem())?;
        write(&files.certificate, &leaf.pem())?;
        write(&files.key, &key.serialize_pem())?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
