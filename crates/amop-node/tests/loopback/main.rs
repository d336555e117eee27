//! Real nodes on loopback: links, and what bad input does to the one that sends it and to nobody
//! else.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod access;
mod alike;
mod announcements;
mod bad_input;
mod floods;
mod held_up;
mod limits;
mod linking;
mod lives;
mod newer;
mod raw_node;
mod revocation;
mod spreading;
mod support;
