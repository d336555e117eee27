//! `amop cert quick`: a usable consortium in one directory.
//!
//! One command plays all three roles: the consortium's root, the agency's authority and the
//! operator of the node. That is for trying out and for tests: real institutions keep these keys
//! apart. Run again on the same directory, it adds a node to the consortium that is there, of the
//! same agency or of another.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use amop_pki::{Agency, Root};
use amop_wire::{Name, Role};
use serde::Serialize;

use crate::clock;
use crate::errors::kind;
use crate::exit::{Exit, Failure};
use crate::files::NewFiles;
use crate::out::Out;
use crate::shell;

use super::args::Quick;
use super::site::{Found, KnownNode, Site, on_this_machine, refused};

/// Makes certificates, keys and a configuration for one node and one client.
pub(crate) fn quick(args: &Quick, out: &mut Out) -> Result<(), Failure> {
    let now = clock::wall();
    let name = |label: &str, role| {
        Name::new(label, role, &args.agency, &args.domain).map_err(|error| {
            Failure::new(Exit::USAGE, kind!("bad-name"), "that makes no name for a certificate")
                .because(&error)
                .next("use lower-case letters, digits and `-`, as in `--agency bank-a --node n1`")
        })
    };
    let (node, client) = (name(&args.node, Role::Node)?, name(&args.app, Role::Sdk)?);

    let site = Site::survey(&args.dir)?;
    if site.nodes().iter().any(|known| known.name == node) {
        let sentence = format!("{} has a node {node} already", args.dir.display());
        return Err(Failure::new(Exit::CANNOT_CREATE, kind!("exists"), sentence)
            .next("choose another --node, or another --dir for a consortium of its own"));
    }
    let root = site.root(&args.domain, now)?;
    let agency = site.agency(&root.authority, &args.agency, now)?;
    let node_leaf = agency.authority.issue(&node, now).map_err(|error| refused(&error))?;
    let client_leaf = agency.authority.issue(&client, now).map_err(|error| refused(&error))?;

    let (p2p_port, sdk_port) = site.free_ports();
    let p2p_listen = args.p2p_listen.unwrap_or_else(|| loopback(p2p_port));
    let sdk_listen = args.sdk_listen.unwrap_or_else(|| loopback(sdk_port));
    let home = site.home_of(&node);
    let made = Made { home, node, client, root, agency, p2p_listen, sdk_listen };
    let mut files = made.authority_files();
    files.public(made.home.join("node.crt"), node_leaf.chain_pem());
    files.secret(made.home.join("node.key"), node_leaf.key_pem());
    files.public(made.home.join("sdk.crt"), client_leaf.chain_pem());
    files.secret(made.home.join("sdk.key"), client_leaf.key_pem());
    files.public(made.home.join("amop.toml"), &made.config(site.nodes()));
    files.write()?;
    made.tell(&files, out)
}

/// What one run makes.
struct Made {
    node: Name,
    client: Name,
    root: Found<Root>,
    agency: Found<Agency>,
    home: PathBuf,
    p2p_listen: SocketAddr,
    sdk_listen: SocketAddr,
}

impl Made {
    /// The files of the authorities that are new, and the copy of the root for the new node.
    fn authority_files(&self) -> NewFiles {
        let mut files = NewFiles::default();
        let (root, agency) = (&self.root, &self.agency);
        if root.is_new {
            files.public(root.certificate.clone(), root.authority.certificate_pem());
            files.secret(root.key.clone(), root.authority.key_pem());
        }
        let copy = self.home.join("ca.crt");
        if copy != root.certificate {
            files.public(copy, root.authority.certificate_pem());
        }
        if agency.is_new {
            files.public(agency.certificate.clone(), agency.authority.certificate_pem());
            files.secret(agency.key.clone(), agency.authority.key_pem());
        }
        files
    }

    /// The node's configuration: it dials the nodes that were made before it.
    fn config(&self, peers: &[KnownNode]) -> String {
        let is_private = self.p2p_listen.ip().is_loopback() && self.sdk_listen.ip().is_loopback();
        let mut text = format!(
            "[node]\nname   = \"{}\"\nagency = \"{}\"\ndomain = \"{}\"\n\n\
             [tls]\nca   = \"ca.crt\"\ncert = \"node.crt\"\nkey  = \"node.key\"\n\n\
             {}[p2p]\nlisten = \"{}\"\n\n[sdk]\nlisten = \"{}\"\n",
            self.node.label(),
            self.node.agency(),
            self.node.domain(),
            if is_private { LOOPBACK_ONLY } else { "" },
            self.p2p_listen,
            self.sdk_listen,
        );
        for peer in peers {
            let (name, addr) = (peer.name.as_dns(), peer.dial_addr());
            write!(text, "\n[[p2p.peer]]\nname = \"{name}\"\naddr = [\"{addr}\"]\n")
                .expect("a string takes all");
        }
        text
    }

    /// Where a client on this machine finds the node.
    fn endpoint(&self) -> SocketAddr {
        on_this_machine(self.sdk_listen)
    }

    fn tell(&self, files: &NewFiles, out: &mut Out) -> Result<(), Failure> {
        let commands = self.commands();
        if out.is_json() {
            return out.json(&CertificatesObject {
                kind_of_object: "certificates",
                dir: &self.home,
                node: self.node.as_dns(),
                client: self.client.as_dns(),
                endpoint: self.endpoint(),
                files: files.paths().collect(),
                commands,
            });
        }
        for path in files.paths() {
            out.line(format!("{:<40} {}", path.display().to_string(), self.what_is(path)))?;
        }
        out.note(
            "\nwarning: the keys of all roles lie in one place. Whoever reads ca.key can admit \
             anyone.\n         Good for trying out; real institutions keep them apart.\n",
        );
        out.note("next, each in a terminal of its own:");
        for command in commands {
            out.note(format!("  {command}"));
        }
        Ok(())
    }

    /// What to type to see a message arrive, in the directory where the tool was called.
    fn commands(&self) -> Vec<String> {
        let (amop, node) = (shell::program("amop"), shell::program("amop-node"));
        let (config, home) = (shell::quote(&self.home.join("amop.toml")), shell::quote(&self.home));
        let endpoint = self.endpoint();
        vec![
            format!("{node} --config {config}"),
            format!("cd {home} && {amop} sub hello -e {endpoint}"),
            format!("cd {home} && {amop} pub hello 'good morning' --multicast -e {endpoint}"),
        ]
    }

    fn what_is(&self, path: &Path) -> String {
        let is = |other: &Path| path.with_extension("") == other.with_extension("");
        match path.file_name().and_then(|name| name.to_str()) {
            _ if is(&self.root.certificate) => {
                format!("root of the consortium `{}`", self.node.domain())
            }
            _ if is(&self.agency.certificate) => {
                format!("authority of {}: certifies its names only", self.node.agency())
            }
            Some("ca.crt") => "the root again, for this node and client".to_owned(),
            Some("node.crt" | "node.key") => self.node.as_dns().to_owned(),
            Some("sdk.crt" | "sdk.key") => self.client.as_dns().to_owned(),
            _ => format!("clients at {}, peers at {}", self.sdk_listen, self.p2p_listen),
        }
    }
}

/// What was made, for programs.
#[derive(Serialize)]
struct CertificatesObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    dir: &'a Path,
    node: &'a str,
    client: &'a str,
    endpoint: SocketAddr,
    files: Vec<&'a Path>,
    commands: Vec<String>,
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Written into a configuration that nobody else can reach the node by.
const LOOPBACK_ONLY: &str =
    "# Only this machine can reach these addresses; use 0.0.0.0 for others to do so.\n";
