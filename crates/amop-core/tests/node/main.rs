//! Inputs in, effects out: the rules of one node.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod access;
mod border;
mod drain;
mod early;
mod files;
mod home;
mod home_and_exit;
mod limits;
mod private;
mod reaching;
mod revocations;
mod tracing;
mod ways;
