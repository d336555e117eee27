//! How much a publisher was to publish, and how far that got: a client whose node takes no more lets its callers
//! wait, and an application that can wait for no more calls keeps the rest to itself.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;

/// Counts in a publisher.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    offered: AtomicU64,
    called: AtomicU64,
    taken: AtomicU64,
    waiting: AtomicU64,
}

impl Counts {
    /// Counts a message; says whether it may be published, since fewer than so many wait.
    pub(crate) fn may_call(&self, waiting_max: u64) -> bool {
        self.offered.fetch_add(1, Ordering::Relaxed);
        let may_call = self.waiting.load(Ordering::Relaxed) < waiting_max;
        if may_call {
            self.called.fetch_add(1, Ordering::Relaxed);
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }
        may_call
    }

    /// One that waited was taken by the client, or was not.
    pub(crate) fn has_waited(&self, is_taken: bool) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.taken.fetch_add(u64::from(is_taken), Ordering::Relaxed);
    }

    /// What was counted in so many milliseconds.
    pub(crate) fn within(&self, millis: u64) -> Offered {
        let [offered, called, taken] =
            [&self.offered, &self.called, &self.taken].map(|count| count.load(Ordering::Relaxed));
        let rate = offered * 1000 / millis.max(1);
        Offered { offered, called, taken, rate }
    }
}

/// What publishers counted, as they tell it in their last words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offered {
    pub(crate) offered: u64,
    /// For which the client was called.
    pub(crate) called: u64,
    /// Which the client took.
    pub(crate) taken: u64,
    /// How many were offered a second.
    pub(crate) rate: u64,
}

impl Offered {
    /// Reads the last word of a publisher.
    ///
    /// # Errors
    ///
    /// Fails if it is none.
    pub(crate) fn parse(word: &str) -> Result<Self> {
        let numbers = word.split(' ').map(|number| number.parse().ok());
        let numbers: Option<Vec<u64>> = numbers.collect();
        let Some([offered, called, taken, rate]) = numbers.as_deref() else {
            anyhow::bail!("no last word of a publisher: {word}")
        };
        Ok(Self { offered: *offered, called: *called, taken: *taken, rate: *rate })
    }

    /// What several publishers offered together.
    pub(crate) fn sum(all: impl Iterator<Item = Self>) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            offered: sum.offered + one.offered,
            called: sum.called + one.called,
            taken: sum.taken + one.taken,
            rate: sum.rate + one.rate,
        })
    }
}

impl fmt::Display for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offered, called, taken, rate } = self;
        write!(f, "{offered} {called} {taken} {rate}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_place_to_wait_is_counted_and_not_called() {
        let counts = Counts::default();
        let may = [(); 3].map(|()| counts.may_call(2));
        assert_eq!(may, [true, true, false]);
        counts.has_waited(true);
        counts.has_waited(false);
        assert!(counts.may_call(2));
        let offered = counts.within(2000);
        assert_eq!(offered, Offered { offered: 4, called: 3, taken: 1, rate: 2 });
        assert_eq!(Offered::parse(&offered.to_string()).unwrap(), offered);
        assert_eq!(Offered::sum([offered; 2].into_iter()).called, 6);
        assert!(Offered::parse("1 2 3").is_err() && Offered::parse("1 2 3 x").is_err());
    }
}
