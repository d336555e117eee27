#![doc = include_str!("../README.md")]

mod alternative;
mod crowd;
mod digest;
mod flaps;
mod graph;
mod index;
mod limits;
mod map;
mod missed;
mod own;
mod patch;
mod pulls;
mod remote;
mod rules;
#[cfg(test)]
mod signing;
mod table;
mod topic_map;
mod tree;
mod trust;
mod view;
mod ways;

pub use digest::set_digest;
pub use graph::Graph;
pub use index::{Candidate, Place, choose_among};
pub use limits::Limits;
pub use remote::Pull;
pub use rules::{Permissions, Rule, Rules};
pub use table::{Heard, TopicTable};
pub use topic_map::TableFull;
pub use tree::{BadBranch, Branch, Tree};
pub use view::{KnownNode, Subscribed};
