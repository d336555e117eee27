//! Time as the state machines see it: a moment is a value that comes in, never a clock read.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on one machine's monotonic clock, in nanoseconds since some start of its own.
///
/// It means nothing on another machine, and never travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment this long after the start of the clock; saturates after 584 years.
    #[must_use]
    pub fn after_start(elapsed: Duration) -> Self {
        Self(nanos(elapsed))
    }

    /// How long after the start of the clock this is.
    #[must_use]
    pub fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_ordered_and_saturate() {
        let start = Instant::default();
        let later = start + Duration::from_millis(5);
        assert!(later > start);
        assert_eq!(later.saturating_since(start), Duration::from_millis(5));
        assert_eq!(start.saturating_since(later), Duration::ZERO);
        assert_eq!(start - Duration::from_secs(1), start);
        assert_eq!(later + Duration::MAX, start + Duration::MAX);
    }
}
