#![doc = include_str!("../README.md")]

pub mod client;
mod id_map;
pub mod node;
mod runs;
mod timers;
