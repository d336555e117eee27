#![doc = include_str!("../README.md")]

mod border;
mod complaints;
mod config;
mod driver;
mod epoch;
mod links;
mod node;

pub use config::{Config, ConfigError, LogConfig, LogFormat};
pub use epoch::StateError;
pub use node::{Node, NodeConfig, StartError, Status};
