//! The demo's consortium: three agencies with their certificates, on disk.
//!
//! ```text
//! DIR/bank-a/n1/      ca.crt node.crt node.key
//! DIR/bank-a/teller/  ca.crt sdk.crt sdk.key      what AMOP_CONTEXT may name
//! ```
//!
//! The keys of the authorities are not written: nobody else joins this consortium.

use std::fs;
use std::path::{Path, PathBuf};

use amop_p2p::{Identity, Trust};
use amop_pki::{AgencyPlan, Consortium, Leaf};
use amop_wire::{Name, Role};
use tempfile::TempDir;

use crate::clock;
use crate::errors::kind;
use crate::exit::{Exit, Failure, chain};
use crate::files::NewFiles;

/// The certificates of everybody who takes part.
#[derive(Debug)]
pub(super) struct Certificates {
    dir: PathBuf,
    parties: Vec<Name>,
    /// Removed with all that is in it when dropped; none if the caller chose the directory.
    _temporary: Option<TempDir>,
}

impl Certificates {
    /// Makes the consortium and writes its files, into a directory that is removed at the end
    /// unless one is given.
    pub(super) fn make(dir: Option<&Path>) -> Result<Self, Failure> {
        let consortium =
            Consortium::new("AMOP demo", DOMAIN, &PLAN, clock::wall()).map_err(|error| {
                Failure::new(Exit::OTHER, kind!("demo"), "no consortium").because(&error)
            })?;
        let (dir, temporary) = match dir {
            Some(dir) => (absolute(dir)?, None),
            None => {
                let temporary = temporary_dir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let mut files = NewFiles::default();
        for (name, leaf) in consortium.leaves() {
            let (home, stem) = (home(&dir, name), stem(name));
            files.public(home.join("ca.crt"), consortium.root().certificate_pem());
            files.public(home.join(format!("{stem}.crt")), leaf.chain_pem());
            files.secret(home.join(format!("{stem}.key")), leaf.key_pem());
        }
        files.write()?;
        let parties = consortium.leaves().map(|(name, _)| name.clone()).collect();
        Ok(Self { dir, parties, _temporary: temporary })
    }

    /// Where all files are.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the files of one party are.
    pub(super) fn home(&self, name: &Name) -> PathBuf {
        home(&self.dir, name)
    }

    /// Everybody who has a certificate.
    pub(super) fn parties(&self) -> &[Name] {
        &self.parties
    }

    /// Reads back what a party shows and whom it trusts.
    pub(super) fn load(&self, name: &Name) -> Result<(Identity, Trust), String> {
        let (home, stem) = (self.home(name), stem(name));
        let read = |file: String| {
            let path = home.join(file);
            fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
        };
        let (chain_pem, key_pem) = (read(format!("{stem}.crt"))?, read(format!("{stem}.key"))?);
        let identity = Identity::from_pem(&chain_pem, &key_pem).map_err(|error| chain(&error))?;
        let trust = Trust::from_pem(&read("ca.crt".to_owned())?).map_err(|error| chain(&error))?;
        Ok((identity, trust))
    }
}

/// An identity of another consortium, which has the same domain and an agency of the same name.
pub(super) fn foreigner() -> Result<Identity, String> {
    let plan = AgencyPlan { agency: "bank-a", nodes: &[], clients: &["teller"] };
    let consortium = Consortium::new("Another consortium", DOMAIN, &[plan], clock::wall())
        .map_err(|error| chain(&error))?;
    let leaf: &Leaf = consortium.client("bank-a", "teller").expect("it was planned");
    Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes())
        .map_err(|error| chain(&error))
}

/// The name of a node of the demo.
pub(super) fn node_name(agency: &str, label: &str) -> Name {
    Name::new(label, Role::Node, agency, DOMAIN).expect("the demo's names are well formed")
}

/// The name of a client of the demo.
pub(super) fn client_name(agency: &str, label: &str) -> Name {
    Name::new(label, Role::Sdk, agency, DOMAIN).expect("the demo's names are well formed")
}

fn home(dir: &Path, name: &Name) -> PathBuf {
    dir.join(name.agency()).join(name.label())
}

fn stem(name: &Name) -> &'static str {
    match name.role() {
        Role::Node => "node",
        Role::Sdk => "sdk",
    }
}

/// A path that can be typed in any directory.
fn absolute(dir: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(dir).map_err(|error| {
        Failure::new(Exit::USAGE, kind!("bad-directory"), "that is no path for a directory")
            .because(&error)
    })
}

fn temporary_dir() -> Result<TempDir, Failure> {
    tempfile::Builder::new().prefix("amop-demo-").tempdir().map_err(|error| {
        let sentence = "cannot make a temporary directory";
        Failure::new(Exit::CANNOT_CREATE, kind!("cannot-create"), sentence).because(&error)
    })
}

const DOMAIN: &str = "amop";

/// Who takes part.
const PLAN: [AgencyPlan<'_>; 3] = [
    AgencyPlan { agency: "bank-a", nodes: &["n1", "n2"], clients: &["teller", "branch", "desk"] },
    AgencyPlan { agency: "bank-b", nodes: &["n1"], clients: &["desk"] },
    AgencyPlan { agency: "bank-c", nodes: &["n1"], clients: &["desk"] },
];
