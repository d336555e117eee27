#![doc = include_str!("../README.md")]

mod application;
mod arrivals;
mod byzantine;
mod contract;
mod coverage;
mod doubt;
mod due;
mod fault;
mod faults;
mod keys;
mod limits;
mod lives;
mod network;
mod notary;
mod parties;
mod private;
mod propagation;
mod publishing;
mod sequence;
mod story;
mod stranger;
pub mod swarm;
mod telling;
mod traffic;
mod views;
mod watch;
mod world;

pub use application::{Application, Reading};
pub use contract::{Call, End, Publication, Record};
pub use coverage::Coverage;
pub use fault::Fault;
pub use private::key;
pub use stranger::StrangerId;
pub use traffic::Sent;
pub use world::{ClientId, NodeId, World};
