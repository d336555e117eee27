//! The application above a client: how fast it handles what it gets.

use std::collections::VecDeque;
use std::time::Duration;

use amop_core::client::Delivered;
use amop_wire::AnswerStatus;

/// How the application of a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Application {
    /// How long it handles a unicast.
    pub delay: Duration,
    /// How that ends.
    pub status: AnswerStatus,
    /// Whether it takes what waits for it.
    pub reading: Reading,
    /// How many messages may wait for it; the client refuses more.
    pub capacity: usize,
}

/// Whether an application takes what waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// At once.
    Always,
    /// Never.
    Never,
}

impl Default for Application {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(1),
            status: AnswerStatus::Answered,
            reading: Reading::Always,
            capacity: 100,
        }
    }
}

/// What waits for the application.
pub(crate) type Inbox = VecDeque<Delivered>;
