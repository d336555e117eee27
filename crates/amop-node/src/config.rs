//! The configuration file of a node, `amop.toml`.
//!
//! Relative paths are relative to the file. Every error names the file, the key and what to do.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use amop_p2p::{Identity, IdentityError, RevocationError, Settings, Target, Trust, TrustError};
use amop_wire::{Name, NameError, Role};
use serde::Deserialize;

use crate::crl;
use crate::limits::{LimitsSection, Text};
use crate::node::{NodeConfig, WORKERS_MAX};

/// A configuration file that was read and checked, with the certificates that it names.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the node needs.
    pub node: NodeConfig,
    /// `node.state_dir`: where the node keeps its epoch, for [`Node::start_in`]. Nothing was looked
    /// for there yet.
    ///
    /// [`Node::start_in`]: crate::Node::start_in
    pub state_dir: PathBuf,
    /// `tls.crl`: where the revocation lists are, which [`node`](Self::node)'s trust goes by.
    pub crl: Option<PathBuf>,
    /// What the daemon logs.
    pub log: LogConfig,
}

/// The section `[log]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `level`: a filter such as `info` or `amop_p2p=debug,info`.
    pub level: String,
    /// `format`: lines for people or for programs.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}

impl Config {
    /// Reads and checks a configuration file and the certificates that it names.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], about the first thing that is wrong.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            file: path.into(),
            key: None,
            source,
        })?;
        let file: File = toml::from_str(&text).map_err(|source| ConfigError::Syntax {
            file: path.into(),
            source: Box::new(source),
        })?;
        file.check(Text { file: path, text: &text })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    node: NodeSection,
    tls: TlsSection,
    p2p: P2pSection,
    sdk: SdkSection,
    #[serde(default)]
    limits: LimitsSection,
    #[serde(default)]
    log: LogConfig,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeSection {
    name: String,
    agency: String,
    #[serde(default = "default_domain")]
    domain: String,
    state_dir: Option<PathBuf>,
    #[serde(default = "default_workers")]
    workers: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsSection {
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
    crl: Option<PathBuf>,
    #[serde(default)]
    stale_crl: StaleCrl,
}

/// What a list of revoked certificates does whose time is over.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StaleCrl {
    /// Whom its authority has certified is refused.
    #[default]
    Refuse,
    /// It goes on to count.
    Accept,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct P2pSection {
    listen: SocketAddr,
    #[serde(default)]
    peer: Vec<PeerSection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerSection {
    name: String,
    addr: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SdkSection {
    listen: SocketAddr,
}

fn default_domain() -> String {
    "amop".into()
}

/// Named after the node, since several may have their configurations in one directory.
fn default_workers() -> usize {
    1
}

fn default_state_dir(name: &Name) -> PathBuf {
    format!("{}.state", name.as_dns()).into()
}

impl File {
    fn check(self, text: Text<'_>) -> Result<Config, ConfigError> {
        let file = text.file;
        let NodeSection { name, agency, domain, state_dir, workers } = &self.node;
        if !(1..=WORKERS_MAX).contains(workers) {
            return Err(ConfigError::BadWorkers { file: file.into(), value: *workers });
        }
        let name =
            Name::new(name, Role::Node, agency, domain).map_err(|source| ConfigError::BadName {
                file: file.into(),
                key: "node.name, node.agency or node.domain",
                source,
            })?;
        let (identity, trust) = self.tls.load(file)?;
        if *identity.name() != name {
            return Err(ConfigError::OtherName {
                file: file.into(),
                configured: name.as_dns().into(),
                certified: identity.name().as_dns().into(),
            });
        }
        let state_dir = state_dir.clone().unwrap_or_else(|| default_state_dir(&name));
        let state_dir = file.parent().unwrap_or(Path::new("")).join(state_dir);
        let peers = self.p2p.peer.iter().map(|peer| peer.check(file)).collect::<Result<_, _>>()?;
        let node = NodeConfig {
            identity,
            trust,
            p2p_listen: self.p2p.listen,
            sdk_listen: self.sdk.listen,
            peers,
            settings: Settings::default(),
            workers: *workers,
            limits: self.limits.check(text)?,
        };
        let crl = self.tls.crl.map(|crl| file.parent().unwrap_or(Path::new("")).join(crl));
        Ok(Config { node, state_dir, crl, log: self.log })
    }
}

impl TlsSection {
    fn load(&self, file: &Path) -> Result<(Identity, Trust), ConfigError> {
        let base = file.parent().unwrap_or(Path::new(""));
        let read = |key: &'static str, path: &Path| {
            let file = base.join(path);
            std::fs::read(&file).map_err(|source| ConfigError::Unreadable {
                file,
                key: Some(key),
                source,
            })
        };
        let ca = read("tls.ca", &self.ca)?;
        let trust = Trust::from_pem(&ca)
            .map_err(|source| ConfigError::BadTrust { file: base.join(&self.ca), source })?;
        let trust = match &self.crl {
            None => trust,
            Some(path) => {
                let lists = crl::read(&base.join(path))?;
                trust.with_revocations(match self.stale_crl {
                    StaleCrl::Refuse => lists,
                    StaleCrl::Accept => lists.accepting_stale(),
                })
            }
        };
        let cert = read("tls.cert", &self.cert)?;
        check_private(&base.join(&self.key))?;
        let key = read("tls.key", &self.key)?;
        let identity = Identity::from_pem(&cert, &key).map_err(|source| {
            let (cert, key) = (base.join(&self.cert), base.join(&self.key));
            ConfigError::BadIdentity { cert, key, source }
        })?;
        Ok((identity, trust))
    }
}

impl PeerSection {
    fn check(&self, file: &Path) -> Result<(Name, Vec<Target>), ConfigError> {
        let bad_name =
            |source| ConfigError::BadName { file: file.into(), key: "p2p.peer.name", source };
        let name: Name = self.name.parse().map_err(bad_name)?;
        if self.addr.is_empty() {
            return Err(ConfigError::NoAddress { file: file.into(), peer: name });
        }
        let target = |addr: &String| Target { addr: addr.clone(), expected: Some(name.clone()) };
        let targets = self.addr.iter().map(target).collect();
        Ok((name, targets))
    }
}

/// A private key that others can read is no secret: refused rather than warned about.
#[cfg(unix)]
fn check_private(key: &Path) -> Result<(), ConfigError> {
    use std::os::unix::fs::PermissionsExt;
    let unreadable =
        |source| ConfigError::Unreadable { file: key.into(), key: Some("tls.key"), source };
    let mode = std::fs::metadata(key).map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(ConfigError::KeyIsOpen { file: key.into(), mode }) }
}

#[cfg(not(unix))]
fn check_private(_key: &Path) -> Result<(), ConfigError> {
    Ok(())
}

/// Why a configuration was not taken. Nothing was started.
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
    /// The file is no TOML, has a key that is unknown, lacks one, or gives it a value of the
    /// wrong kind.
    #[error("{} is not a valid configuration", .file.display())]
    Syntax {
        /// The configuration file.
        file: PathBuf,
        /// Line, column and what was expected.
        source: Box<toml::de::Error>,
    },
    /// A name is not one that a certificate can carry.
    #[error("{}: `{key}` does not give a valid name", .file.display())]
    BadName {
        /// The configuration file.
        file: PathBuf,
        /// The key.
        key: &'static str,
        /// Which part is wrong.
        source: NameError,
    },
    /// The node's certificate is that of somebody else.
    #[error(
        "{}: `node` says {configured}, but the certificate of `tls.cert` is that of \
         {certified}; change one of them",
        .file.display()
    )]
    OtherName {
        /// The configuration file.
        file: PathBuf,
        /// What the configuration says.
        configured: Box<str>,
        /// What the certificate says.
        certified: Box<str>,
    },
    /// `node.workers` is out of its range.
    #[error("{}: `node.workers` is {value}; give it a number from 1 to {WORKERS_MAX}", .file.display())]
    BadWorkers {
        /// The configuration file.
        file: PathBuf,
        /// The value.
        value: usize,
    },
    /// A limit is not what it should be.
    #[error("{}, line {line}: `{key}` is {found}, and should be {wanted}", .file.display())]
    BadLimit {
        /// The configuration file.
        file: PathBuf,
        /// The line of the value, from 1.
        line: usize,
        /// The key.
        key: Box<str>,
        /// Its value.
        found: Box<str>,
        /// What it should be.
        wanted: Box<str>,
    },
    /// A peer has no address to dial.
    #[error("{}: `p2p.peer` {peer:?} has no `addr`; give it at least one host:port", .file.display())]
    NoAddress {
        /// The configuration file.
        file: PathBuf,
        /// The peer.
        peer: Name,
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
    /// Others than the owner may read the private key.
    #[error("{} (named by `tls.key`) can be read by others (mode {mode:o}); run `chmod 600` on it", .file.display())]
    KeyIsOpen {
        /// The key file.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
}
