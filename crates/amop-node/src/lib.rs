#![doc = include_str!("../README.md")]

mod border;
mod complaints;
mod config;
mod crl;
mod driver;
mod epoch;
mod expiry;
mod limits;
mod links;
mod node;
mod trust;
mod workers;

pub use amop_core::node::{Pace, Rate, Rates};

pub use config::{
    Absent, Config, ConfigError, ConfigErrors, ConfigProblem, Key, LogConfig, LogFormat, Place,
    Setting, When,
};
pub use epoch::StateError;
pub use node::{Node, NodeConfig, StartError, Status, WORKERS_MAX};
