//! The one place where the benchmark reads clocks.

use std::time::{Instant, SystemTime};

#[expect(clippy::disallowed_methods, reason = "the one place where the benchmark measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// When the certificates are made.
#[expect(clippy::disallowed_methods, reason = "the one place where the benchmark asks the date")]
pub(crate) fn today() -> SystemTime {
    SystemTime::now()
}
