//! The one clock that all processes of a run share: the system's, in microseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What time it is, counted from 1970.
#[expect(clippy::disallowed_methods, reason = "the one place where the harness reads a clock")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// Microseconds since 1970.
pub(crate) fn micros() -> u64 {
    let since = wall().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The moment on the clock of timers.
#[expect(clippy::disallowed_methods, reason = "timers are set by this clock alone")]
pub(crate) fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}
