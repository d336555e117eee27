//! The certificates of the parties, made for one run and kept in its directory.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use amop_pki::{AgencyPlan, Consortium, Leaf};
use anyhow::{Context, Result};

use crate::clock;

/// One of the parties. Clients that do the same share a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// The client that sends.
    Publisher,
    /// The node of the publisher.
    Node1,
    /// The second node; with two nodes that of the subscriber.
    Node2,
    /// The third node.
    Node3,
    /// A client that receives and answers, or is idle.
    Subscriber,
}

impl Party {
    /// The nodes, from the publisher's on.
    pub(crate) const NODES: [Self; 3] = [Self::Node1, Self::Node2, Self::Node3];

    /// The certified name.
    pub(crate) fn dns(self) -> &'static str {
        match self {
            Self::Publisher => "publisher.sdk.bank-a.amop",
            Self::Node1 => "n1.node.bank-a.amop",
            Self::Node2 => "n2.node.bank-b.amop",
            Self::Node3 => "n3.node.bank-b.amop",
            Self::Subscriber => "subscriber.sdk.bank-b.amop",
        }
    }

    /// The institution, and the name of the party within it.
    pub(crate) fn agency_and_label(self) -> (&'static str, &'static str) {
        match self {
            Self::Publisher => (BANK_A, "publisher"),
            Self::Node1 => (BANK_A, "n1"),
            Self::Node2 => (BANK_B, "n2"),
            Self::Node3 => (BANK_B, "n3"),
            Self::Subscriber => (BANK_B, "subscriber"),
        }
    }

    /// The file with the party's certificate and that of its issuer.
    pub(crate) fn chain(self, dir: &Path) -> PathBuf {
        dir.join(format!("{}.crt", self.dns()))
    }

    /// The file with the party's private key.
    pub(crate) fn key(self, dir: &Path) -> PathBuf {
        dir.join(format!("{}.key", self.dns()))
    }
}

impl FromStr for Party {
    type Err = &'static str;

    fn from_str(dns: &str) -> Result<Self, Self::Err> {
        ALL.into_iter().find(|party| party.dns() == dns).ok_or("nobody has this name")
    }
}

/// The file with the root certificate that all trust.
pub(crate) fn root(dir: &Path) -> PathBuf {
    dir.join("ca.crt")
}

/// Makes a consortium of two institutions and writes the certificates of the parties.
///
/// # Errors
///
/// Fails when a file cannot be written.
pub(crate) fn write_all(dir: &Path) -> Result<()> {
    let plan = [
        AgencyPlan { agency: BANK_A, nodes: &["n1"], clients: &["publisher"] },
        AgencyPlan { agency: BANK_B, nodes: &["n2", "n3"], clients: &["subscriber"] },
    ];
    let consortium = Consortium::new("Benchmark Root", "amop", &plan, clock::today())
        .context("cannot make certificates")?;
    write(&root(dir), consortium.root().certificate_pem().as_bytes())?;
    for party in ALL {
        let (agency, label) = party.agency_and_label();
        let leaf = match party {
            Party::Publisher | Party::Subscriber => consortium.client(agency, label),
            Party::Node1 | Party::Node2 | Party::Node3 => consortium.node(agency, label),
        };
        write_leaf(dir, party, leaf.expect("every party is in the plan"))?;
    }
    Ok(())
}

fn write_leaf(dir: &Path, party: Party, leaf: &Leaf) -> Result<()> {
    write(&party.chain(dir), leaf.chain_pem().as_bytes())?;
    write(&party.key(dir), leaf.key_pem().as_bytes())
}

/// Writes a file that only its owner can read: a node refuses any other key.
fn write(path: &Path, text: &[u8]) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text))
        .with_context(|| format!("cannot write {}", path.display()))
}

const ALL: [Party; 5] =
    [Party::Publisher, Party::Node1, Party::Node2, Party::Node3, Party::Subscriber];

const BANK_A: &str = "bank-a";
const BANK_B: &str = "bank-b";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_party_finds_its_files_and_nobody_else_can_read_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        write_all(dir.path()).unwrap();
        for party in ALL {
            for file in [party.chain(dir.path()), party.key(dir.path()), root(dir.path())] {
                let mode = fs::metadata(&file).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "{}", file.display());
            }
            let (agency, label) = party.agency_and_label();
            assert!(party.dns().starts_with(&format!("{label}.")), "{party:?}");
            assert!(party.dns().ends_with(&format!(".{agency}.amop")), "{party:?}");
        }
    }
}
