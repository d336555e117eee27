//! Learns what a peer subscribes to, without asking for the list over and over.
//!
//! A peer announces the version of its topics. When that is newer than the version we hold, we
//! fetch the whole set, and fetch again if the answer is lost. Changes that fit on what we hold
//! save the fetch:
//!
//! ```text
//!            announced(a newer version)
//!   ┌───────┐ ─────────────────▶ ┌──────────┐ ──┐
//!   │ Quiet │                    │ Fetching │   │ FETCH_TIMEOUT: fetch again
//!   └───────┘ ◀───────────────── └──────────┘ ◀─┘
//!       │ ▲       snapshot
//!       └─┘ changes
//! ```

use std::time::Duration;

use amop_wire::{Instant, Seq, Subscriber, Topic, TopicChanges, TopicSet, Version};

use crate::topic_map::{TableFull, TopicMap};

/// The caller must ask the peer for its whole set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an unsent fetch leaves us waiting for its answer"]
pub struct Fetch;

/// What one peer subscribes to, as far as we know.
#[derive(Debug, Default)]
pub(crate) struct RemoteTopics {
    known: Option<Version>,
    topics: TopicMap,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Quiet,
    Fetching {
        retry_at: Instant,
    },
}

impl RemoteTopics {
    /// Weighs the version that a peer announced.
    pub(crate) fn announced(&mut self, now: Instant, version: Version) -> Option<Fetch> {
        match self.state {
            State::Fetching { .. } => None, // If the answer is stale, the next announce tells.
            State::Quiet if self.known >= Some(version) => None,
            State::Quiet => Some(self.fetch(now)),
        }
    }

    /// Takes a set that we fetched; one that we did not ask for, or that is not newer, is dropped.
    /// Answers what was held before, if it took the set.
    pub(crate) fn snapshot(&mut self, set: &TopicSet) -> Result<Option<TopicMap>, TableFull> {
        match self.state {
            State::Quiet => return Ok(None),
            State::Fetching { .. } => self.state = State::Quiet,
        }
        if self.known >= Some(set.version()) {
            return Ok(None);
        }
        let mut topics = TopicMap::default();
        for (topic, subscribers) in set.topics() {
            for &subscriber in subscribers {
                topics.insert(topic, subscriber)?;
            }
        }
        self.known = Some(set.version());
        Ok(Some(std::mem::replace(&mut self.topics, topics)))
    }

    /// Weighs changes: whether they apply to what we hold, are old news, or leave a hole.
    pub(crate) fn weigh(&mut self, now: Instant, changes: &TopicChanges) -> Weighed {
        let version = changes.version();
        match self.known {
            Some(known) if known >= version => Weighed::Old,
            Some(known) if known.epoch == version.epoch && follows(known, changes.from_seq()) => {
                self.known = Some(version);
                Weighed::Applies
            }
            Some(_) | None => self.announced(now, version).map_or(Weighed::Old, Weighed::Hole),
        }
    }

    pub(crate) fn insert(
        &mut self,
        topic: &Topic,
        subscriber: Subscriber,
    ) -> Result<bool, TableFull> {
        self.topics.insert(topic, subscriber)
    }

    pub(crate) fn remove(&mut self, topic: &Topic, subscriber: Subscriber) -> bool {
        self.topics.remove(topic, subscriber.instance).is_some()
    }

    pub(crate) fn topics(&self) -> &TopicMap {
        &self.topics
    }

    pub(crate) fn version(&self) -> Option<Version> {
        self.known
    }

    /// Fetches again if the answer is overdue at `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Fetch> {
        match self.state {
            State::Fetching { retry_at } if retry_at <= now => Some(self.fetch(now)),
            State::Fetching { .. } | State::Quiet => None,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Fetching { retry_at } => Some(retry_at),
            State::Quiet => None,
        }
    }

    fn fetch(&mut self, now: Instant) -> Fetch {
        self.state = State::Fetching { retry_at: now + FETCH_TIMEOUT };
        Fetch
    }
}

/// What changes are worth to what we hold.
pub(crate) enum Weighed {
    Applies,
    Old,
    Hole(Fetch),
}

/// Changes may begin before what we hold, since repeating the first of them does no harm, but not
/// after it.
fn follows(known: Version, from: Seq) -> bool {
    from <= known.seq
}

/// One slow round trip between institutions, with room to spare.
pub(crate) const FETCH_TIMEOUT: Duration = Duration::from_millis(800);

#[cfg(test)]
mod tests {
    use super::*;
    use amop_wire::Epoch;

    fn version(epoch: u64, seq: u64) -> Version {
        Version { epoch: Epoch(epoch), seq: Seq(seq) }
    }

    fn set(epoch: u64, seq: u64) -> TopicSet {
        TopicSet::new(version(epoch, seq), Vec::new())
    }

    #[test]
    fn a_lost_answer_is_fetched_again_but_only_once_per_timeout() {
        let start = Instant::default();
        let mut peer = RemoteTopics::default();

        assert_eq!(peer.announced(start, version(1, 7)), Some(Fetch));
        assert_eq!(peer.announced(start, version(1, 8)), None, "one fetch is under way");

        let overdue = peer.poll_timeout().expect("a fetch has a deadline");
        assert_eq!(peer.handle_timeout(overdue - Duration::from_millis(1)), None);
        assert_eq!(peer.handle_timeout(overdue), Some(Fetch));
        assert_eq!(peer.handle_timeout(overdue), None);
    }

    #[test]
    fn a_set_that_nobody_asked_for_is_dropped() {
        let mut peer = RemoteTopics::default();
        assert!(peer.snapshot(&set(1, 1)).unwrap().is_none());
        assert_eq!(peer.version(), None);
    }

    #[test]
    fn a_version_never_goes_back_and_a_restart_is_newer_whatever_its_seq() {
        let mut peer = RemoteTopics::default();
        let _ = peer.announced(Instant::default(), version(1, 9));
        assert!(peer.snapshot(&set(1, 9)).unwrap().is_some());
        assert_eq!(peer.announced(Instant::default(), version(1, 8)), None);
        assert_eq!(peer.announced(Instant::default(), version(2, 0)), Some(Fetch));
        assert!(peer.snapshot(&set(1, 8)).unwrap().is_none(), "older than what we hold");
        assert_eq!(peer.version(), Some(version(1, 9)));
    }

    #[test]
    fn changes_that_leave_a_hole_cause_a_fetch() {
        let mut peer = RemoteTopics::default();
        let now = Instant::default();
        let _ = peer.announced(now, version(1, 1));
        peer.snapshot(&set(1, 1)).unwrap();
        let changes = |from, to| TopicChanges::new(Seq(from), version(1, to), Vec::new());
        assert!(matches!(peer.weigh(now, &changes(1, 2)), Weighed::Applies));
        assert!(matches!(peer.weigh(now, &changes(1, 2)), Weighed::Old));
        assert!(
            matches!(peer.weigh(now, &changes(0, 4)), Weighed::Applies),
            "repeats are harmless"
        );
        assert!(matches!(peer.weigh(now, &changes(5, 6)), Weighed::Hole(Fetch)));
    }
}
