//! What a client does of its own, input by input.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod acks;
mod private;
