//! Certificates of an AMOP consortium: root, agency authorities, node and client leaves.
#![doc = include_str!("../README.md")]

mod agency;
mod authority;
mod consortium;
mod leaf;
mod load;
mod root;
mod validity;

pub use agency::{Agency, AgencyProfile};
pub use authority::IssueError;
pub use consortium::{AgencyPlan, Consortium};
pub use leaf::{Leaf, LeafProfile, Usage};
pub use load::LoadError;
pub use root::Root;
