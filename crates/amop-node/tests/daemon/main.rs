//! The daemon as a process.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod admin;
mod descriptors;
mod draining;
mod limits;
mod log;
mod monitoring;
mod renewal;
mod revocation;
mod starting;
mod supervised;
mod support;
mod tools;
mod unit;
