//! Transfers in a small world: one sender, the inbox of one client, a disk, and a network that loses,
//! doubles, delays and damages.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod addressee;
mod alone;
mod chain;
mod chaos;
mod inbox;
mod lane;
mod long;
mod scenarios;
mod unopened;
mod world;
