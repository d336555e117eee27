//! The configuration file of a node, `amop.toml`.
//!
//! The text becomes a list of dotted keys with their places ([`tree`]), which are held against the list of all
//! keys ([`keys`]); only then is anything made of them. So all that is wrong is told in one run, each with
//! file, line, column and what was meant ([`problems`]). Relative paths are relative to the file.

mod access;
mod error;
mod keys;
mod kind;
mod problems;
mod reader;
mod tls;
mod tree;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use amop_p2p::{Settings, Target};
use amop_wire::{Name, Role};
use serde::Deserialize;

use crate::limits::{Limits, LimitsSection, Text};
use crate::node::NodeConfig;

pub use error::ConfigError;
pub use keys::{Absent, Key, When};
pub use problems::{ConfigErrors, ConfigProblem, Place};

use kind::texts;
use reader::{Reader, written};
use tree::Tree;

/// A configuration that was read and checked, with the certificates that it names.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the node needs.
    pub node: NodeConfig,
    /// `node.state_dir`: where the node keeps its epoch, for [`Node::start_in`]. Nothing was looked
    /// for there yet.
    ///
    /// [`Node::start_in`]: crate::Node::start_in
    pub state_dir: PathBuf,
    /// What `[tls]` names: the files of roots, certificate, key and its password, and the file or directory of revocation lists.
    pub tls_files: Vec<PathBuf>,
    /// `admin.socket`: where the daemon's admin interface is.
    pub admin_socket: PathBuf,
    /// `admin.listen`: where everybody on the machine may look.
    pub admin_listen: Option<SocketAddr>,
    /// What the daemon logs.
    pub log: LogConfig,
    /// Where each rule of `[[acl]]` was written, in their order.
    pub rules_at: Vec<Place>,
    /// Every key that has a value, in the order of [`Key::all`].
    pub settings: Vec<Setting>,
}

/// A key and the value that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The path of the key, such as `p2p.peer[0].name`.
    pub key: String,
    /// Its value, as it would be written in the file.
    pub value: String,
    /// Where it was written; `None` if the key was left out.
    pub place: Option<Place>,
}

/// The section `[log]`.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// `level`: a filter such as `info` or `amop_p2p=debug,info`.
    pub level: String,
    /// `format`: lines for people or for programs.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Reads and checks a configuration file and the certificates that it names.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`]: everything that is wrong. If the file is no TOML, that alone.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigErrors> {
        Self::from_file_with(path, &[])
    }

    /// Reads a file, with some keys set to other values: `KEY=VALUE`, where a value that is no TOML is taken for a
    /// text.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`], as of [`from_file`](Self::from_file).
    pub fn from_file_with(path: impl AsRef<Path>, sets: &[String]) -> Result<Self, ConfigErrors> {
        let path = path.as_ref();
        let mut reader = Reader::read(path, sets)?;
        reader.check();
        let base = path.parent().unwrap_or(Path::new(""));
        let material = tls::load(&mut reader, base);
        let name = name(&mut reader);
        if let (Some(name), Some((identity, _))) = (&name, &material)
            && identity.name() != name
        {
            let (configured, certified) = (name.as_dns().into(), identity.name().as_dns().into());
            reader.wrong("node.name", ConfigError::OtherName { configured, certified });
        }
        let limits = limits(&mut reader, path);
        let (settings, read) = (settings(&reader, name.as_ref()), reader.tree.clone());
        let (peers, (access, rules_at)) = (peers(&reader), access::access(&reader));
        reader.finish(path)?;

        const CHECKED: &str = "all keys were checked";
        let (identity, trust) = material.expect(CHECKED);
        let listen = |key| read.text(key).and_then(|text| text.parse().ok()).expect(CHECKED);
        let state_dir = read.text("node.state_dir").map(PathBuf::from);
        let state_dir = state_dir.unwrap_or_else(|| default_state_dir(identity.name()));
        let (p2p_listen, sdk_listen): (SocketAddr, SocketAddr) =
            (listen("p2p.listen"), listen("sdk.listen"));
        let workers = read.number("node.workers").and_then(|number| number.try_into().ok());
        let limits = with_records(limits, &read);
        let node = NodeConfig {
            identity,
            trust,
            p2p_listen,
            sdk_listen,
            peers,
            settings: Settings { cryptography: tls::cryptography(&read), ..Settings::default() },
            workers: workers.unwrap_or(1),
            limits,
            access,
        };
        let log = LogConfig {
            level: read.text("log.level").unwrap_or("info").into(),
            format: match read.text("log.format") {
                Some("json") => LogFormat::Json,
                _ => LogFormat::Text,
            },
        };
        let tls_files = ["tls.ca", "tls.cert", "tls.key", "tls.key_password_file", "tls.crl"];
        let tls_files = tls_files.into_iter().filter_map(|key| read.text(key));
        let tls_files = tls_files.map(|path| base.join(path)).collect();
        let state_dir = base.join(state_dir);
        let admin_socket = match read.text("admin.socket") {
            Some(path) => base.join(path),
            None => state_dir.join("admin.sock"),
        };
        let admin_listen = read.text("admin.listen").and_then(|text| text.parse().ok());
        Ok(Self { node, state_dir, tls_files, admin_socket, admin_listen, log, rules_at, settings })
    }

    /// The keys whose values differ from those of `running` and count only from the next start on.
    #[must_use]
    pub fn needs_restart(&self, running: &Self) -> Vec<String> {
        let value = |config: &Self, key: &str| {
            let mut settings = config.settings.iter();
            settings.find(|setting| setting.key == key).map(|setting| setting.value.clone())
        };
        let mut keys: Vec<&str> = [&self.settings, &running.settings]
            .into_iter()
            .flatten()
            .map(|setting| setting.key.as_str())
            .filter(|key| Key::find(key).is_some_and(|key| key.when == When::Start))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|key| value(self, key) != value(running, key));
        keys.into_iter().map(str::to_owned).collect()
    }
}

/// The name that the configuration gives the node.
fn name(reader: &mut Reader) -> Option<Name> {
    let tree = &reader.tree;
    let (label, agency) = (tree.text("node.name")?, tree.text("node.agency")?);
    let domain = tree.text("node.domain").unwrap_or("amop");
    let is_good = ["node.name", "node.agency", "node.domain"].iter().all(|key| reader.is_good(key));
    match Name::new(label, Role::Node, agency, domain) {
        Ok(name) => Some(name),
        Err(source) if is_good => {
            reader.wrong("node.name", ConfigError::BadName(source));
            None
        }
        Err(_) => None, // One of its parts was told already.
    }
}

/// Named after the node, since several may have their configurations in one directory.
fn default_state_dir(name: &Name) -> PathBuf {
    format!("{}.state", name.as_dns()).into()
}

/// The limits with the section `[trace]`.
fn with_records(limits: Limits, read: &Tree) -> Limits {
    let count = |key: &str| read.number(key).and_then(|count| usize::try_from(count).ok());
    Limits {
        records: count("trace.records").unwrap_or(limits.records),
        failures: count("trace.failures").unwrap_or(limits.failures),
        ..limits
    }
}

fn peers(reader: &Reader) -> Vec<(Name, Vec<Target>)> {
    let peer = |number| {
        let key = |last| format!("p2p.peer[{number}].{last}");
        let name: Name = reader.tree.text(&key("name"))?.parse().ok()?;
        let addrs = texts(&reader.tree.entries.get(&key("addr"))?.value)?;
        let target = |addr: &str| Target { addr: addr.into(), expected: Some(name.clone()) };
        let targets = addrs.into_iter().map(target).collect();
        Some((name, targets))
    };
    (0..reader.count_of("p2p.peer")).filter_map(peer).collect()
}

/// Has the section of limits judge its keys, over and over without those that it has found to be wrong, so that all
/// of them are told.
fn limits(reader: &mut Reader, file: &Path) -> Limits {
    let known = reader
        .tree
        .entries
        .iter()
        .filter(|(path, _)| path.starts_with("limits.") && Key::find(path).is_some());
    let mut given: BTreeMap<String, String> =
        known.map(|(path, entry)| (path.clone(), written(&entry.value))).collect();
    loop {
        let lines = given.iter().map(|(path, value)| format!("{path} = {value}\n"));
        let text: String = lines.collect();
        let section = match toml::from_str::<LimitsOnly>(&text) {
            Ok(LimitsOnly { limits }) => limits,
            Err(source) => {
                reader.wrong("limits", ConfigError::Syntax { message: source.message().into() });
                return Limits::default();
            }
        };
        match section.check(Text { file, text: &text }) {
            Ok(limits) => return limits,
            Err(ConfigError::BadLimit { key, wanted, .. }) if given.contains_key(&*key) => {
                let found = given.remove(&*key).unwrap_or_default();
                given.remove(&format!("{key}_burst")); // It means nothing alone.
                let (key, wanted) = (String::from(key), wanted.into());
                let error = ConfigError::BadValue { key: key.clone(), found, wanted };
                reader.wrong(&key, error);
            }
            Err(other) => {
                reader.wrong("limits", other);
                return Limits::default();
            }
        }
    }
}

#[derive(Deserialize)]
struct LimitsOnly {
    #[serde(default)]
    limits: LimitsSection,
}

fn settings(reader: &Reader, name: Option<&Name>) -> Vec<Setting> {
    let mut settings = Vec::new();
    for key in Key::all() {
        let entries = reader.tree.entries.iter();
        let given = entries.filter(|(path, _)| keys::pattern(path) == key.path);
        let before = settings.len();
        settings.extend(given.map(|(path, entry)| Setting {
            key: path.clone(),
            value: written(&entry.value),
            place: reader.place_of(path),
        }));
        let left_out = match (key.default, name) {
            (Absent::Value(value), _) => Some(value.to_owned()),
            (_, Some(name)) if key.path == "node.state_dir" => {
                Some(format!("{:?}", default_state_dir(name)))
            }
            _ => None,
        };
        if let (Some(value), true) = (left_out, settings.len() == before) {
            settings.push(Setting { key: key.path.into(), value, place: None });
        }
    }
    settings
}
