#![doc = include_str!("../README.md")]

mod access;
mod border;
#[cfg(feature = "command")]
pub mod command;
mod complaints;
mod config;
mod crl;
mod driver;
mod epoch;
mod expiry;
mod gate;
mod ground;
mod kept;
mod life;
mod limits;
mod links;
mod looking;
mod machine;
mod node;
mod trust;
pub mod view;
mod workers;

pub use amop_core::node::{Pace, Permissions, Rate, Rates, Rule, Rules};

pub use access::{Access, Door};
pub use config::{
    Absent, Config, ConfigError, ConfigErrors, ConfigProblem, Key, LogConfig, LogFormat, Place,
    Setting, When,
};
pub use epoch::StateError;
pub use limits::Limits;
pub use looking::{Stopped, Window};
pub use node::{Node, NodeConfig, RecertifyError, StartError, Status, WORKERS_MAX};
