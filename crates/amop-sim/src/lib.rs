#![doc = include_str!("../README.md")]

mod application;
mod contract;
mod faults;
mod network;
mod parties;
mod world;

pub use application::{Application, Reading};
pub use contract::{Call, End, Publication, Record};
pub use world::{ClientId, NodeId, World};
