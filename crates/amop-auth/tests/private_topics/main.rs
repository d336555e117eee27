//! Whole machines in a small world: publishers, subscribers, a clock and a network that a seed decides.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod attacks;
mod bounds;
mod chaos;
mod files;
mod noise;
mod scenarios;
mod world;
