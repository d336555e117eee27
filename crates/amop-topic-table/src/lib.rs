#![doc = include_str!("../README.md")]

mod index;
mod own;
mod remote;
mod table;
mod topic_map;

pub use index::{Candidate, Place};
pub use remote::Fetch;
pub use table::TopicTable;
pub use topic_map::TableFull;
