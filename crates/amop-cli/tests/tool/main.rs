//! The tool as people meet it: real processes, real nodes, real sockets on loopback.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod acl;
mod authorities;
mod certificates;
mod config;
mod demo;
mod doctor;
mod endings;
mod errors;
mod files;
mod help;
mod messages;
mod pages;
mod private;
mod renewals;
mod support;
