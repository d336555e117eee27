//! What the criterion suites share: messages of any size, and nodes in the middle of their work.
//!
//! The suites themselves are in `benches/`, the two-hop benchmark in `src/bin/two-hop/`.

mod asks;
mod messages;
mod scene;

pub use asks::Asks;
pub use messages::{delivery, publish, request, sample_instance, sample_topic};
pub use scene::{BATCH_MESSAGES, Scene, Traffic, handle_all};
