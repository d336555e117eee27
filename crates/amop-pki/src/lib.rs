//! Certificates of an AMOP consortium: root, agency authorities, node and client leaves.
#![doc = include_str!("../README.md")]

mod agency;
mod authority;
mod certificate;
mod consortium;
mod fingerprint;
mod key;
mod leaf;
mod load;
mod request;
mod revocation;
mod root;
mod validity;

pub use agency::{Agency, AgencyProfile, LEAF_DAYS_MAX};
pub use authority::IssueError;
pub use certificate::{Certificate, NotASerial, ReadError, Serial};
pub use consortium::{AgencyPlan, Consortium};
pub use fingerprint::Fingerprint;
pub use key::{KeyError, PrivateKey};
pub use leaf::{Leaf, LeafProfile, Usage};
pub use load::LoadError;
pub use request::{KeyKind, Request, RequestError};
pub use revocation::{LIST_DAYS_MAX, ListError, Reason, Revocation, RevocationList};
pub use root::{AGENCY_DAYS_MAX, Root};
