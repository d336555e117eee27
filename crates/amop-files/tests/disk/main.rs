//! Real files in real directories.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod again;
mod common;
mod names;
mod resume;
mod rooms;
mod sources;
