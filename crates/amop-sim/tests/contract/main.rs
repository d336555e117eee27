//! The rules of docs/PROTOCOL.md in a simulated world.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod access;
mod altered;
mod cost;
mod doubt;
mod drain;
mod files;
mod files_outage;
mod files_private;
mod forgeries;
mod heal;
mod lies;
mod links;
mod memory;
mod multicast;
mod net;
mod order;
mod parked;
mod passage;
mod private;
mod private_lies;
mod propagated;
mod rates;
mod reaches;
mod recertified;
mod records;
mod routes;
mod scene;
mod sessions;
mod signs;
mod silent;
mod slow;
mod swarm;
mod tables;
mod terms;
mod traces;
mod trees;
mod twins;
mod unicast;
