//! The password of an encrypted key, from a file. It is overwritten in memory when it is dropped, and never printed.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::{env, fmt};

use zeroize::Zeroizing;

/// The password of a private key.
#[derive(Clone)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// This password.
    #[must_use]
    pub fn new(password: &[u8]) -> Self {
        Self(Zeroizing::new(password.to_vec()))
    }

    /// Reads the first line of a file that nobody but its owner can read. Of a file among systemd's credentials
    /// (`CREDENTIALS_DIRECTORY`) systemd has seen to that.
    ///
    /// # Errors
    ///
    /// [`PasswordError`] names the file and what is wrong with it.
    pub fn from_file(path: &Path) -> Result<Self, PasswordError> {
        let credentials = env::var_os("CREDENTIALS_DIRECTORY").filter(|dir| !dir.is_empty());
        Self::from_file_or_credential(path, credentials.as_ref().map(Path::new))
    }

    fn from_file_or_credential(
        path: &Path,
        credentials: Option<&Path>,
    ) -> Result<Self, PasswordError> {
        let unreadable = |source| PasswordError::Unreadable { path: path.into(), source };
        let file = File::open(path).map_err(unreadable)?;
        if !credentials.is_some_and(|credentials| path.starts_with(credentials)) {
            check_owner_only(path, &file)?;
        }
        // Room for all of it, so that no piece is left behind where it was before it grew.
        let mut text = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX + 1));
        file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut text).map_err(unreadable)?;
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.len() {
            0 => Err(PasswordError::Empty { path: path.into() }),
            1..=FILE_BYTES_MAX => Ok(Self::new(line)),
            _ => Err(PasswordError::TooLong { path: path.into(), limit: FILE_BYTES_MAX }),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Password").finish_non_exhaustive()
    }
}

/// Why a file gives no password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// It cannot be read.
    #[error("cannot read the password in {}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner can read it.
    #[error("{} can be read by others (mode {mode:o}); run `chmod 600` on it", .path.display())]
    OthersCanRead {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Its first line is empty.
    #[error("the password in {} is empty", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Its first line is longer than a password.
    #[error("the password in {} is longer than {limit} bytes", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The longest password, in bytes.
        limit: usize,
    },
}

#[cfg(unix)]
fn check_owner_only(path: &Path, file: &File) -> Result<(), PasswordError> {
    use std::os::unix::fs::PermissionsExt;
    let unreadable = |source| PasswordError::Unreadable { path: path.into(), source };
    let metadata = file.metadata().map_err(unreadable)?;
    let mode = metadata.permissions().mode() & 0o777;
    // A pipe is nobody else's, whatever its mode.
    if mode & 0o077 == 0 || !metadata.is_file() {
        return Ok(());
    }
    Err(PasswordError::OthersCanRead { path: path.into(), mode })
}

#[cfg(not(unix))]
fn check_owner_only(_path: &Path, _file: &File) -> Result<(), PasswordError> {
    Ok(())
}

/// Longest password, in bytes.
const FILE_BYTES_MAX: usize = 1024;

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_password_is_the_first_line_of_a_file_of_its_owner_alone_or_of_a_credential() {
        let dir = env::temp_dir().join(format!("amop-password-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("password");
        let read = |text: &str, mode, credentials: Option<&Path>| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let password = Password::from_file_or_credential(&path, credentials);
            password.map(|password| password.0.to_vec()).map_err(|error| error.to_string())
        };
        assert_eq!(read("päss word \r\nmore\n", 0o600, None).unwrap(), "päss word ".as_bytes());
        assert!(read("secret", 0o640, None).unwrap_err().contains("chmod 600"));
        assert_eq!(read("secret", 0o440, Some(&dir)).unwrap(), b"secret");
        assert!(read("secret", 0o640, Some(Path::new("/run/other"))).is_err());
        assert!(read("\nsecret", 0o600, None).unwrap_err().contains("is empty"));
        assert_eq!(read(&"x".repeat(1024), 0o600, None).unwrap().len(), 1024);
        assert!(read(&"x".repeat(1025), 0o600, None).unwrap_err().contains("1024 bytes"));
        assert_eq!(format!("{:?}", Password::new(b"secret")), "Password(..)");
        fs::remove_dir_all(&dir).unwrap();
    }
}
