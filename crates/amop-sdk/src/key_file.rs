//! Files with topic keys: made for the owner alone, and refused if others can read them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use amop_auth::{Entropy, PublicKey, PublicKeyError, SecretKey, SecretKeyError};
use zeroize::Zeroizing;

use crate::entropy::seed;

/// Makes a new topic key.
#[must_use]
pub fn generate_key() -> SecretKey {
    SecretKey::generate(&mut Entropy::new(seed()))
}

/// Reads a secret topic key, `PRIVATE KEY` PEM, or `ENCRYPTED PRIVATE KEY` PEM with its password.
///
/// # Errors
///
/// [`KeyFileError`] names the file and what is wrong with it. A file that others than its owner can read
/// is refused.
pub fn read_key_file(path: &Path, password: Option<&[u8]>) -> Result<SecretKey, KeyFileError> {
    let unreadable = |source| KeyFileError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    check_owner_only(path, &file)?;
    let mut pem = Zeroizing::new(String::new());
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut pem).map_err(unreadable)?;
    let key = match password {
        Some(password) => SecretKey::from_encrypted_pem(&pem, password),
        None => SecretKey::from_pem(&pem),
    };
    key.map_err(|source| KeyFileError::NoKey { path: path.to_owned(), source })
}

/// Writes a secret topic key to a new file that its owner alone can read, encrypted if there is a password.
///
/// # Errors
///
/// [`KeyFileError::Unwritable`], also if the file exists: a key is never overwritten.
pub fn write_key_file(
    path: &Path,
    key: &SecretKey,
    password: Option<&[u8]>,
) -> Result<(), KeyFileError> {
    let pem = match password {
        Some(password) => key.to_encrypted_pem(password, &mut Entropy::new(seed())),
        None => key.to_pem(),
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(pem.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| KeyFileError::Unwritable { path: path.to_owned(), source })
}

/// Reads a public topic key: 66 or 130 hex digits, or else the path of a `PUBLIC KEY` PEM file.
///
/// # Errors
///
/// [`KeyFileError`] names the file and what is wrong with it.
pub fn read_public_key(hex_or_path: &str) -> Result<PublicKey, KeyFileError> {
    let is_hex = hex_or_path.len() >= 64 && hex_or_path.chars().all(|c| c.is_ascii_hexdigit());
    let path = Path::new(hex_or_path);
    let bad = |source| KeyFileError::NoPublicKey { path: path.to_owned(), source };
    if is_hex {
        return PublicKey::from_hex(hex_or_path).map_err(bad);
    }
    let unreadable = |source| KeyFileError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let mut pem = String::new();
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut pem).map_err(unreadable)?;
    PublicKey::from_pem(&pem).map_err(bad)
}

/// Refuses a file that its group or all others can read or write.
fn check_owner_only(path: &Path, file: &File) -> Result<(), KeyFileError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let unreadable = |source| KeyFileError::Unreadable { path: path.to_owned(), source };
        let metadata: fs::Metadata = file.metadata().map_err(unreadable)?;
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::OthersCanRead { path: path.to_owned(), mode });
        }
    }
    Ok(())
}

/// Why a key was not read or written. The file is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be made: it may be there already.
    #[error("cannot write {}", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner can read it, so the key may be known to them.
    #[error("{} has mode {mode:o}, so that others can read it: make it 600", path.display())]
    OthersCanRead {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// There is no secret topic key in it, or it takes another password.
    #[error("no topic key in {}", path.display())]
    NoKey {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: SecretKeyError,
    },
    /// That is no public topic key.
    #[error("no public topic key: {}", path.display())]
    NoPublicKey {
        /// The file, or the hex digits.
        path: PathBuf,
        /// What is wrong.
        source: PublicKeyError,
    },
}

/// A key takes some hundred bytes; whatever is longer is none.
const KEY_FILE_BYTES_MAX: u64 = 64 << 10;
