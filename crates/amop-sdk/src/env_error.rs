//! What is wrong with what the environment says of a client.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use amop_p2p::{IdentityError, PasswordError, RevocationError, TrustError};

/// Why the environment does not say who the client is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvError {
    /// The name of the context is a path.
    #[error("AMOP_CONTEXT is `{name}`, which is no bare name of a context, such as `prod`")]
    BadContextName {
        /// What the variable says.
        name: String,
    },
    /// There is no place for contexts.
    #[error(
        "AMOP_CONTEXT is `{name}`, but neither XDG_CONFIG_HOME nor HOME says where contexts are"
    )]
    NoHome {
        /// The name of the context.
        name: String,
    },
    /// The file of the context cannot be read.
    #[error("cannot read {}, the context that AMOP_CONTEXT names; write it, or unset AMOP_CONTEXT", .path.display())]
    NoContext {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of the context is malformed.
    #[error(
        "{} is no context: it needs `ca`, `cert` and `key`, and may have `key_password_file`, `crl` and `endpoints`",
        .path.display()
    )]
    BadContext {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// One of the PEM files cannot be read.
    #[error("cannot read {}; {hint}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What names the file, and what to do.
        hint: String,
        /// Why.
        source: io::Error,
    },
    /// Certificate and key are no identity.
    #[error("{} and {} are no identity", .cert.display(), .key.display())]
    BadIdentity {
        /// The file of the certificate.
        cert: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        source: IdentityError,
    },
    /// The file that `AMOP_KEY_PASSWORD_FILE`, or `key_password_file` in the context, names gives no password.
    #[error("there is no password for the private key")]
    BadPassword(#[source] PasswordError),
    /// The file has no trusted roots.
    #[error("{} has no roots to trust", .path.display())]
    BadTrust {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TrustError,
    },
    /// The file has no lists of revoked certificates that can be gone by.
    #[error("{} has no usable revocation lists", .path.display())]
    BadRevocations {
        /// The file.
        path: PathBuf,
        /// Why.
        source: RevocationError,
    },
}
