//! What is measured.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Case {
    /// Messages in one direction, as fast as they go through.
    OneWay,
    /// Requests, each answered by the other client with the bytes of the request.
    Requests {
        /// How many wait for their answer at any time.
        in_flight: u32,
    },
}

impl Case {
    /// Every case, in the order in which they run.
    pub(crate) const ALL: [Self; 4] = [
        Self::OneWay,
        Self::Requests { in_flight: 1 },
        Self::Requests { in_flight: 64 },
        Self::Requests { in_flight: 1024 },
    ];
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneWay => f.write_str("one-way"),
            Self::Requests { in_flight } => write!(f, "requests-{in_flight}"),
        }
    }
}

/// The length of every message and of every answer.
pub(crate) const PAYLOAD_BYTES: usize = 256;
