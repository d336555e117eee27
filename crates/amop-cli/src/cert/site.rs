//! What earlier runs of `amop cert quick` have left in a directory.
//!
//! ```text
//! DIR/ca.crt ca.key                        the root
//! DIR/bank-a-ca.crt bank-a-ca.key          the authority of each agency
//! DIR/node.* sdk.* amop.toml               the first node, and a client beside it
//! DIR/bank-b/n1/ca.crt node.* sdk.* …      each further node, and a client beside it
//! ```

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use amop_node::Config;
use amop_pki::{Agency, IssueError, LoadError, Root};
use amop_wire::Name;

use crate::errors::kind;
use crate::exit::{Exit, Failure};

/// A directory that holds a consortium, or will.
#[derive(Debug)]
pub(crate) struct Site {
    dir: PathBuf,
    nodes: Vec<KnownNode>,
}

/// A node whose `amop.toml` was found.
#[derive(Debug)]
pub(crate) struct KnownNode {
    pub(crate) name: Name,
    pub(crate) p2p: SocketAddr,
    pub(crate) sdk: SocketAddr,
}

/// An authority, and whether its files are there already.
#[derive(Debug)]
pub(crate) struct Found<T> {
    pub(crate) authority: T,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) is_new: bool,
}

impl Site {
    /// Looks at a directory, which need not exist.
    ///
    /// # Errors
    ///
    /// A [`Failure`] names the configuration that cannot be read: without it nobody knows which
    /// names and ports are taken.
    pub(crate) fn survey(dir: &Path) -> Result<Self, Failure> {
        let mut homes = vec![dir.to_owned()];
        for agency in subdirectories(dir)? {
            homes.extend(subdirectories(&agency)?);
        }
        let configs = homes.iter().map(|home| home.join("amop.toml")).filter(|path| path.is_file());
        let nodes = configs.map(|path| KnownNode::read(&path)).collect::<Result<_, _>>()?;
        Ok(Self { dir: dir.to_owned(), nodes })
    }

    /// Where the files of a new node belong.
    pub(crate) fn home_of(&self, node: &Name) -> PathBuf {
        match self.nodes[..] {
            [] => self.dir.clone(),
            _ => self.dir.join(node.agency()).join(node.label()),
        }
    }

    pub(crate) fn nodes(&self) -> &[KnownNode] {
        &self.nodes
    }

    /// The ports of a new node, for peers and for clients: the first pair that no other has.
    pub(crate) fn free_ports(&self) -> (u16, u16) {
        let is_taken = |port: u16| {
            self.nodes.iter().any(|node| node.p2p.port() == port || node.sdk.port() == port)
        };
        (0..PORTS_MAX)
            .map(|index| (P2P_PORT + index, SDK_PORT + index))
            .find(|&(p2p, sdk)| !is_taken(p2p) && !is_taken(sdk))
            .unwrap_or((P2P_PORT, SDK_PORT))
    }

    /// Reads the root, or makes it.
    pub(crate) fn root(&self, domain: &str, now: SystemTime) -> Result<Found<Root>, Failure> {
        let files = Pair::named(&self.dir, "ca");
        let (authority, is_new) = match files.read()? {
            None => (Root::new(TITLE, domain, now).map_err(|error| refused(&error))?, true),
            Some((certificate, key)) => {
                let root =
                    Root::from_pem(&certificate, &key).map_err(|error| files.unusable(&error))?;
                if root.domain() != domain {
                    let sentence = format!(
                        "the consortium in {} has the domain `{}`, not `{domain}`",
                        self.dir.display(),
                        root.domain()
                    );
                    return Err(Failure::new(Exit::USAGE, kind!("other-domain"), sentence));
                }
                (root, false)
            }
        };
        Ok(Found { authority, certificate: files.certificate, key: files.key, is_new })
    }

    /// Reads the authority of an agency, or has the root make it.
    pub(crate) fn agency(
        &self,
        root: &Root,
        agency: &str,
        now: SystemTime,
    ) -> Result<Found<Agency>, Failure> {
        let files = Pair::named(&self.dir, &format!("{agency}-ca"));
        let (authority, is_new) = match files.read()? {
            None => (root.agency(agency, now).map_err(|error| refused(&error))?, true),
            Some((certificate, key)) => {
                let loaded = Agency::from_pem(&certificate, &key);
                (loaded.map_err(|error| files.unusable(&error))?, false)
            }
        };
        Ok(Found { authority, certificate: files.certificate, key: files.key, is_new })
    }
}

impl KnownNode {
    fn read(path: &Path) -> Result<Self, Failure> {
        let config = Config::from_file(path).map_err(|error| {
            let sentence = format!("{} of an earlier run is not usable", path.display());
            Failure::new(Exit::CONFIG, kind!("bad-configuration"), sentence)
                .line("why", error.in_one_line())
        })?;
        let node = config.node;
        Ok(Self { name: node.identity.name().clone(), p2p: node.p2p_listen, sdk: node.sdk_listen })
    }

    /// Where another node on this machine can dial it.
    pub(crate) fn dial_addr(&self) -> SocketAddr {
        on_this_machine(self.p2p)
    }
}

/// Where somebody is found on this machine who listens at an address.
pub(crate) fn on_this_machine(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

/// The two files of an authority.
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

impl Pair {
    fn named(dir: &Path, stem: &str) -> Self {
        Self { certificate: dir.join(format!("{stem}.crt")), key: dir.join(format!("{stem}.key")) }
    }

    /// Reads both, or none if neither is there.
    fn read(&self) -> Result<Option<(String, String)>, Failure> {
        if !self.certificate.exists() && !self.key.exists() {
            return Ok(None);
        }
        let read = |path: &Path| {
            fs::read_to_string(path).map_err(|error| {
                let sentence = format!("cannot read {}", path.display());
                Failure::new(Exit::NO_INPUT, kind!("unreadable"), sentence)
                    .because(&error)
                    .next("choose another --dir for a consortium of its own")
            })
        };
        Ok(Some((read(&self.certificate)?, read(&self.key)?)))
    }

    fn unusable(&self, error: &LoadError) -> Failure {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        Failure::new(
            Exit::DATA,
            kind!("bad-authority"),
            format!("{certificate} and {key} cannot sign"),
        )
        .because(error)
    }
}

/// A certificate that was not made.
pub(crate) fn refused(error: &IssueError) -> Failure {
    Failure::new(Exit::USAGE, kind!("not-certified"), "no certificate was made").because(error)
}

fn subdirectories(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let cannot_list = |error| {
        Failure::new(Exit::NO_INPUT, kind!("unreadable"), format!("cannot list {}", dir.display()))
            .because(&error)
    };
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(cannot_list)? {
        let path = entry.map_err(cannot_list)?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The title of the roots that are made here.
const TITLE: &str = "AMOP quick consortium";

/// Where the first node listens for peers.
const P2P_PORT: u16 = 30300;

/// Where the first node listens for clients; the tool's default endpoint.
const SDK_PORT: u16 = 20200;

/// How many nodes get ports of their own.
const PORTS_MAX: u16 = 1000;
