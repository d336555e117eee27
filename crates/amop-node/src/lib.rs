#![doc = include_str!("../README.md")]

mod border;
mod complaints;
mod config;
mod crl;
mod driver;
mod epoch;
mod expiry;
mod gate;
mod ground;
mod limits;
mod links;
mod machine;
mod node;
mod trust;
mod workers;

pub use amop_core::node::{Pace, Rate, Rates};

pub use config::{Config, ConfigError, LogConfig, LogFormat};
pub use epoch::StateError;
pub use limits::Limits;
pub use node::{Node, NodeConfig, StartError, Status, WORKERS_MAX};
