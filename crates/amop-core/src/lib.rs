#![doc = include_str!("../README.md")]

mod by_counter;
pub mod client;
mod id_map;
pub mod node;
mod runs;
mod timers;
pub mod transfer;
