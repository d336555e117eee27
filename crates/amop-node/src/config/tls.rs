//! Reads the files that the section `[tls]` names.

use std::fs;
use std::path::Path;

use amop_p2p::{CipherSuite, Cryptography, Identity, KeyExchange, Password, Trust};
use zeroize::Zeroizing;

use super::error::ConfigError;
use super::kind::texts;
use super::reader::Reader;
use super::tree::Tree;
use crate::crl;

/// Reads all files, and notes what is wrong with each of them.
pub(crate) fn load(reader: &mut Reader, base: &Path) -> Option<(Identity, Trust)> {
    let trust = trust(reader, base);
    let identity = identity(reader, base);
    Some((identity?, trust?))
}

/// What links may use. Keys that were left out leave it to the default.
pub(crate) fn cryptography(tree: &Tree) -> Cryptography {
    let names = |key| tree.entries.get(key).and_then(|entry| texts(&entry.value));
    let mut cryptography = Cryptography::default();
    if let Some(names) = names("tls.cipher_suites") {
        cryptography.cipher_suites = names.into_iter().filter_map(CipherSuite::named).collect();
    }
    if let Some(names) = names("tls.key_exchange") {
        cryptography.key_exchange = names.into_iter().filter_map(KeyExchange::named).collect();
    }
    cryptography
}

fn trust(reader: &mut Reader, base: &Path) -> Option<Trust> {
    let ca = read(reader, base, "tls.ca");
    let lists = match reader.tree.text("tls.crl").map(|path| base.join(path)) {
        Some(path) => crl::read(&path).map(Some),
        None => Ok(None),
    };
    let lists = lists.map_err(|error| reader.wrong("tls.crl", error));
    let (file, ca) = ca?;
    let trust = match Trust::from_pem(&ca) {
        Ok(trust) => trust,
        Err(source) => {
            reader.wrong("tls.ca", ConfigError::BadTrust { file, source });
            return None;
        }
    };
    Some(match (lists.ok()?, reader.tree.text("tls.stale_crl")) {
        (None, _) => trust,
        (Some(lists), Some("accept")) => trust.with_revocations(lists.accepting_stale()),
        (Some(lists), _) => trust.with_revocations(lists),
    })
}

fn identity(reader: &mut Reader, base: &Path) -> Option<Identity> {
    let cert = read(reader, base, "tls.cert");
    let key = match reader.tree.text("tls.key").map(|path| check_private(&base.join(path))) {
        Some(Err(error)) => {
            reader.wrong("tls.key", error);
            None
        }
        _ => read(reader, base, "tls.key"),
    };
    let password = match reader.tree.text("tls.key_password_file").map(|path| base.join(path)) {
        None => Ok(None),
        Some(file) => Password::from_file(&file).map(Some),
    };
    let password = password
        .map_err(|source| reader.wrong("tls.key_password_file", ConfigError::BadPassword(source)));
    let ((cert, cert_pem), (key, key_pem), password) = (cert?, key?, password.ok()?);
    let key_pem = Zeroizing::new(key_pem);
    Identity::from_pem_with(&cert_pem, &key_pem, password.as_ref())
        .map_err(|source| {
            reader.wrong("tls.cert", ConfigError::BadIdentity { cert, key, source });
        })
        .ok()
}

/// Reads the file that a key names. Without a usable path there is nothing to say here.
fn read(
    reader: &mut Reader,
    base: &Path,
    key: &'static str,
) -> Option<(std::path::PathBuf, Vec<u8>)> {
    let file = base.join(reader.tree.text(key).filter(|path| !path.is_empty())?);
    match fs::read(&file) {
        Ok(bytes) => Some((file, bytes)),
        Err(source) => {
            reader.wrong(key, ConfigError::Unreadable { file, key: Some(key), source });
            None
        }
    }
}

/// A private key that others can read is no secret: refused rather than warned about.
#[cfg(unix)]
fn check_private(key: &Path) -> Result<(), ConfigError> {
    use std::os::unix::fs::PermissionsExt;
    let unreadable =
        |source| ConfigError::Unreadable { file: key.into(), key: Some("tls.key"), source };
    let mode = fs::metadata(key).map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(ConfigError::KeyIsOpen { file: key.into(), mode }) }
}

#[cfg(not(unix))]
fn check_private(_key: &Path) -> Result<(), ConfigError> {
    Ok(())
}
