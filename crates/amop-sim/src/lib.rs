#![doc = include_str!("../README.md")]

mod application;
mod byzantine;
mod contract;
mod faults;
mod keys;
mod network;
mod notary;
mod parties;
mod publishing;
mod sequence;
mod stranger;
mod views;
mod world;

pub use application::{Application, Reading};
pub use contract::{Call, End, Publication, Record};
pub use stranger::StrangerId;
pub use world::{ClientId, NodeId, World};
