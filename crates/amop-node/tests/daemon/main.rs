//! The daemon as a process.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod descriptors;
mod limits;
mod revocation;
mod starting;
mod support;
