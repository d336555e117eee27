//! What can be wrong with a configuration.

use std::io;
use std::path::PathBuf;

use amop_p2p::{IdentityError, PasswordError, RevocationError, TrustError};
use amop_wire::NameError;

/// One thing that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file is missing or cannot be read.
    #[error("cannot read {}{}; does it exist, and may this user read it?", .file.display(), key.map(|key| format!(" (named by `{key}`)")).unwrap_or_default())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The key that names it; none for the configuration file itself.
        key: Option<&'static str>,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no TOML. Keys and values were not looked at.
    #[error("this is no TOML: {message}")]
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// What was to be set is no key with a value.
    #[error("{written:?} should be KEY=VALUE, such as log.level=debug")]
    Set {
        /// What was written.
        written: String,
    },
    /// There is no such key, or no such section.
    #[error("unknown key `{key}`{}", meant.as_ref().map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default())]
    UnknownKey {
        /// What was written.
        key: String,
        /// What may have been meant.
        meant: Option<&'static str>,
    },
    /// A section stands where it cannot be, or is written as often as it cannot be.
    #[error("`{key}` should be {wanted}")]
    Shape {
        /// The key or section.
        key: String,
        /// What it should be.
        wanted: String,
    },
    /// A key must be given and is not.
    #[error("`{key}` is missing; it should be {wanted}")]
    Missing {
        /// The key.
        key: String,
        /// What it should be.
        wanted: String,
    },
    /// A value is not one that its key takes.
    #[error("`{key}` is {found}, and should be {wanted}")]
    BadValue {
        /// The key.
        key: String,
        /// Its value, as it would be written.
        found: String,
        /// What it should be.
        wanted: String,
    },
    /// The parts of the node's name do not make one that a certificate can carry.
    #[error("`node.name`, `node.agency` and `node.domain` do not give a valid name")]
    BadName(#[source] NameError),
    /// The node's certificate is that of somebody else.
    #[error(
        "`node` says {configured}, but the certificate of `tls.cert` is that of {certified}; change \
         one of them"
    )]
    OtherName {
        /// What the configuration says.
        configured: Box<str>,
        /// What the certificate says.
        certified: Box<str>,
    },
    /// A limit is not what it should be.
    #[error("`{key}` is {found}, and should be {wanted}")]
    BadLimit {
        /// The configuration file.
        file: PathBuf,
        /// The line of the value in what was read of the limits, from 1.
        line: usize,
        /// The key.
        key: Box<str>,
        /// Its value.
        found: Box<str>,
        /// What it should be.
        wanted: Box<str>,
    },
    /// The trusted roots cannot be used.
    #[error("{} (named by `tls.ca`) holds no usable root certificate", .file.display())]
    BadTrust {
        /// The file with the roots.
        file: PathBuf,
        /// Why.
        source: TrustError,
    },
    /// A list of revoked certificates cannot be used.
    #[error("{} (named by `tls.crl`) holds no usable revocation list", .file.display())]
    BadRevocations {
        /// The file with the lists.
        file: PathBuf,
        /// Why.
        source: RevocationError,
    },
    /// A file that should hold lists of revoked certificates holds none.
    #[error(
        "{} (named by `tls.crl`) holds no revocation list; remove it, or the key",
        .file.display()
    )]
    NoRevocations {
        /// The file.
        file: PathBuf,
    },
    /// Certificate and key cannot be used.
    #[error("{} and {} (named by `tls.cert` and `tls.key`) cannot be used", .cert.display(), .key.display())]
    BadIdentity {
        /// The file with the certificate.
        cert: PathBuf,
        /// The file with the key.
        key: PathBuf,
        /// Why.
        source: IdentityError,
    },
    /// The password of the private key cannot be had.
    #[error("`tls.key_password_file` gives no password")]
    BadPassword(#[source] PasswordError),
    /// Others than the owner may read the private key.
    #[error("{} (named by `tls.key`) can be read by others (mode {mode:o}); run `chmod 600` on it", .file.display())]
    KeyIsOpen {
        /// The key file.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
}
