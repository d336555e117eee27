//! Clients and real nodes on loopback.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod access;
mod bad_node;
mod closing;
mod connecting;
mod files;
mod files_private;
mod files_to_all;
mod liar;
mod private;
mod private_lies;
mod propagated;
mod publishing;
mod room;
mod routes;
mod subscribing;
mod support;
mod terms;
mod workers;
