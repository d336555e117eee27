//! Finds out from the environment who the client is and where it connects.
//!
//! A *context* is a small file with endpoints and the paths of three PEM files, known by a name.
//! Without one, each of the three paths has a variable and a default. An empty variable counts as
//! one that is not set.

use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use amop_p2p::{Identity, IdentityError, Trust, TrustError};
use serde::Deserialize;

/// The variables of a process, as far as they say something about a client.
pub(crate) struct Environment {
    variable: Box<dyn Fn(&str) -> Option<OsString>>,
}

/// Where the files of a client are, and perhaps its endpoints: a context file.
#[derive(Debug, Deserialize)]
struct Context {
    #[serde(default)]
    endpoints: Vec<String>,
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

impl Environment {
    pub(crate) fn of_process() -> Self {
        Self { variable: Box::new(|name| std::env::var_os(name)) }
    }

    /// The endpoints, none if nothing names any.
    pub(crate) fn endpoints(&self) -> Result<Vec<String>, EnvError> {
        if let Some(list) = self.get("AMOP_ENDPOINT") {
            let list = list.to_string_lossy();
            let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
            return Ok(parts.map(str::to_owned).collect());
        }
        Ok(self.context()?.map_or_else(Vec::new, |context| context.endpoints))
    }

    pub(crate) fn identity(&self) -> Result<Identity, EnvError> {
        let files = self.files()?;
        let (cert, key) = (files.cert.read()?, files.key.read()?);
        Identity::from_pem(&cert, &key).map_err(|source| EnvError::BadIdentity {
            cert: files.cert.path,
            key: files.key.path,
            source,
        })
    }

    pub(crate) fn trust(&self) -> Result<Trust, EnvError> {
        let ca = self.files()?.ca;
        let pem = ca.read()?;
        Trust::from_pem(&pem).map_err(|source| EnvError::BadTrust { path: ca.path, source })
    }

    fn files(&self) -> Result<Files, EnvError> {
        if let Some(Context { ca, cert, key, .. }) = self.context()? {
            let hint = |key| format!("`{key}` in the context that AMOP_CONTEXT names says so");
            return Ok(Files {
                ca: File { path: ca, hint: hint("ca") },
                cert: File { path: cert, hint: hint("cert") },
                key: File { path: key, hint: hint("key") },
            });
        }
        Ok(Files {
            ca: self.file("AMOP_CA", "ca.crt"),
            cert: self.file("AMOP_CERT", "sdk.crt"),
            key: self.file("AMOP_KEY", "sdk.key"),
        })
    }

    fn file(&self, variable: &str, default: &str) -> File {
        let path = self.get(variable).map_or_else(|| Path::new(".").join(default), PathBuf::from);
        let hint = format!("set {variable} to its path, or AMOP_CONTEXT to a context");
        File { path, hint }
    }

    /// The selected context, with paths that do not depend on its file any more.
    fn context(&self) -> Result<Option<Context>, EnvError> {
        let Some(name) = self.get("AMOP_CONTEXT") else { return Ok(None) };
        let name = name.to_string_lossy().into_owned();
        if name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return Err(EnvError::BadContextName { name });
        }
        let config = match (self.get("XDG_CONFIG_HOME"), self.get("HOME")) {
            (Some(config), _) => PathBuf::from(config),
            (None, Some(home)) => Path::new(&home).join(".config"),
            (None, None) => return Err(EnvError::NoHome { name }),
        };
        let folder = config.join("amop").join("contexts");
        let path = folder.join(format!("{name}.toml"));
        let text = std::fs::read_to_string(&path)
            .map_err(|source| EnvError::NoContext { path: path.clone(), source })?;
        let context: Context = toml::from_str(&text)
            .map_err(|source| EnvError::BadContext { path, source: source.into() })?;
        Ok(Some(Context {
            endpoints: context.endpoints,
            ca: folder.join(context.ca),
            cert: folder.join(context.cert),
            key: folder.join(context.key),
        }))
    }

    fn get(&self, name: &str) -> Option<OsString> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }
}

struct Files {
    ca: File,
    cert: File,
    key: File,
}

struct File {
    path: PathBuf,
    hint: String,
}

impl File {
    fn read(&self) -> Result<Vec<u8>, EnvError> {
        std::fs::read(&self.path).map_err(|source| EnvError::Unreadable {
            path: self.path.clone(),
            hint: self.hint.clone(),
            source,
        })
    }
}

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
    #[error("{} is no context: it needs `ca`, `cert` and `key`, and may have `endpoints`", .path.display())]
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
    /// The file has no trusted roots.
    #[error("{} has no roots to trust", .path.display())]
    BadTrust {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TrustError,
    },
}
