#![doc = include_str!("../README.md")]

mod index;
mod missed;
mod own;
mod remote;
mod routes;
mod table;
mod topic_map;

pub use index::{Candidate, Place};
pub use remote::Pull;
pub use table::{Heard, TopicTable};
pub use topic_map::TableFull;
