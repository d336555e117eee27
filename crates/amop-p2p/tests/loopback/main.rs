//! Links over real sockets on the loopback interface.
#![cfg(test)]

mod dialing;
mod endings;
mod frames;
mod hostile;
mod raw;
mod refusals;
mod revocations;
mod support;
