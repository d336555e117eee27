#![doc = include_str!("../README.md")]

mod alternative;
mod flaps;
mod graph;
mod index;
mod map;
mod missed;
mod own;
mod remote;
mod table;
mod topic_map;
mod tree;
mod trust;
mod ways;

pub use graph::Graph;
pub use index::{Candidate, Place};
pub use remote::Pull;
pub use table::{Heard, TopicTable};
pub use topic_map::TableFull;
pub use tree::{BadBranch, Branch, Tree};
