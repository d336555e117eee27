//! Learns what another node announces, without asking for the whole of it over and over.
//!
//! Peers tell the versions that they hold. When one is newer than ours, we pull the whole
//! announcement from the peer that told, and pull again if the answer is lost. Changes that fit on
//! what we hold save the pull:
//!
//! ```text
//!            announced(a newer version)
//!   ┌───────┐ ─────────────────▶ ┌─────────┐ ──┐
//!   │ Quiet │                    │ Pulling │   │ PULL_TIMEOUT: pull again
//!   └───────┘ ◀───────────────── └─────────┘ ◀─┘
//!       │ ▲       snapshot
//!       └─┘ changes
//! ```

use std::time::Duration;

use amop_wire::{
    Announcement, AnnouncementChanges, Instant, Name, NodeId, Seq, Subscriber, Topic, Version,
};

use crate::topic_map::{TableFull, TopicMap};

/// The caller must ask `via` for the announcement of `node`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a pull that is not sent leaves us waiting for its answer"]
pub struct Pull {
    /// Whose announcement.
    pub node: NodeId,
    /// The peer that has it.
    pub via: NodeId,
}

/// What another node announces, as far as we know.
#[derive(Debug)]
pub(crate) struct Remote {
    node: NodeId,
    /// What we hold, once we hold something.
    known: Option<Known>,
    topics: TopicMap,
    state: State,
    /// Whether its topics are in the index, because a path leads there.
    pub(crate) is_indexed: bool,
    /// Since when no path leads there.
    pub(crate) lost_at: Option<Instant>,
}

#[derive(Debug)]
struct Known {
    version: Version,
    name: Name,
    neighbours: Vec<NodeId>,
}

#[derive(Debug)]
enum State {
    Quiet,
    Pulling { via: NodeId, retry_at: Instant, tries: u32 },
}

impl Remote {
    /// A node that nothing is known of, not even whether a path leads there.
    pub(crate) fn new(node: NodeId, now: Instant) -> Self {
        let (topics, state) = (TopicMap::default(), State::Quiet);
        Self { node, known: None, topics, state, is_indexed: false, lost_at: Some(now) }
    }

    /// Weighs the version that a peer says it holds.
    pub(crate) fn announced(
        &mut self,
        now: Instant,
        via: NodeId,
        version: Version,
    ) -> Option<Pull> {
        match self.state {
            State::Pulling { .. } => None, // If the answer is stale, the next summary tells.
            State::Quiet if self.version() >= Some(version) => None,
            State::Quiet => Some(self.pull(now, via, 1)),
        }
    }

    /// Takes an announcement that we pulled; one that we did not ask for, or that is not newer, is
    /// dropped. Answers the topics that were held before, if it took it.
    pub(crate) fn snapshot(
        &mut self,
        announcement: &Announcement,
    ) -> Result<Option<TopicMap>, TableFull> {
        match self.state {
            State::Quiet => return Ok(None),
            State::Pulling { .. } => self.state = State::Quiet,
        }
        if self.version() >= Some(announcement.version()) {
            return Ok(None);
        }
        let mut topics = TopicMap::default();
        for (topic, subscribers) in announcement.topics() {
            for &subscriber in subscribers {
                topics.insert(topic, subscriber)?;
            }
        }
        self.known = Some(Known {
            version: announcement.version(),
            name: announcement.name().clone(),
            neighbours: announcement.neighbours().to_vec(),
        });
        Ok(Some(std::mem::replace(&mut self.topics, topics)))
    }

    /// Weighs changes: whether they apply to what we hold, are old news, or leave a hole. Those
    /// that apply change the version and the neighbours here, the topics are up to the caller.
    pub(crate) fn weigh(
        &mut self,
        now: Instant,
        via: NodeId,
        changes: &AnnouncementChanges,
    ) -> Weighed {
        let version = changes.version();
        match &mut self.known {
            Some(known) if known.version >= version => Weighed::Old,
            Some(known)
                if known.version.epoch == version.epoch
                    && follows(known.version, changes.from_seq()) =>
            {
                known.version = version;
                if let Some(neighbours) = changes.neighbours() {
                    known.neighbours = neighbours.to_vec();
                }
                Weighed::Applies
            }
            Some(_) | None => self.announced(now, via, version).map_or(Weighed::Old, Weighed::Hole),
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
        self.known.as_ref().map(|known| known.version)
    }

    pub(crate) fn name(&self) -> Option<&Name> {
        self.known.as_ref().map(|known| &known.name)
    }

    pub(crate) fn neighbours(&self) -> &[NodeId] {
        self.known.as_ref().map_or(&[], |known| &known.neighbours)
    }

    /// What we hold, to be passed on.
    pub(crate) fn announcement(&self) -> Option<Announcement> {
        let Known { version, name, neighbours } = self.known.as_ref()?;
        let (name, neighbours) = (name.clone(), neighbours.clone());
        Some(Announcement::new(*version, name, neighbours, self.topics.to_entries()))
    }

    /// Whether a newer announcement is on its way.
    pub(crate) fn is_behind(&self) -> bool {
        matches!(self.state, State::Pulling { .. })
    }

    /// Waits no longer for an answer of a peer that is gone.
    pub(crate) fn peer_gone(&mut self, peer: NodeId) {
        if matches!(self.state, State::Pulling { via, .. } if via == peer) {
            self.state = State::Quiet;
        }
    }

    /// Pulls again if the answer is overdue at `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Pull> {
        match self.state {
            State::Pulling { via, retry_at, tries } if retry_at <= now => {
                if tries < PULLS_MAX {
                    return Some(self.pull(now, via, tries + 1));
                }
                self.state = State::Quiet;
                None
            }
            State::Pulling { .. } | State::Quiet => None,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Pulling { retry_at, .. } => Some(retry_at),
            State::Quiet => None,
        }
    }

    fn pull(&mut self, now: Instant, via: NodeId, tries: u32) -> Pull {
        self.state = State::Pulling { via, retry_at: now + PULL_TIMEOUT, tries };
        Pull { node: self.node, via }
    }
}

/// What changes are worth to what we hold.
pub(crate) enum Weighed {
    Applies,
    Old,
    Hole(Pull),
}

/// Changes may begin before what we hold, since repeating the first of them does no harm, but not
/// after it.
fn follows(known: Version, from: Seq) -> bool {
    from <= known.seq
}

/// One slow round trip between institutions, with room to spare.
pub(crate) const PULL_TIMEOUT: Duration = Duration::from_millis(800);

/// How often one peer is asked before another may be.
const PULLS_MAX: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use amop_wire::Epoch;

    fn version(epoch: u64, seq: u64) -> Version {
        Version { epoch: Epoch(epoch), seq: Seq(seq) }
    }

    const NODE: NodeId = NodeId::from_bytes([1; 32]);
    const VIA: NodeId = NodeId::from_bytes([2; 32]);
    const PULL: Pull = Pull { node: NODE, via: VIA };

    fn name() -> Name {
        "n1.node.bank-a.amop".parse().unwrap()
    }

    fn announcement(epoch: u64, seq: u64) -> Announcement {
        Announcement::new(version(epoch, seq), name(), Vec::new(), Vec::new())
    }

    #[test]
    fn a_lost_answer_is_pulled_again_but_only_once_per_timeout() {
        let start = Instant::default();
        let mut peer = Remote::new(NODE, Instant::default());

        assert_eq!(peer.announced(start, VIA, version(1, 7)), Some(PULL));
        assert_eq!(peer.announced(start, VIA, version(1, 8)), None, "one pull is under way");

        let overdue = peer.poll_timeout().expect("a pull has a deadline");
        assert_eq!(peer.handle_timeout(overdue - Duration::from_millis(1)), None);
        assert_eq!(peer.handle_timeout(overdue), Some(PULL));
        assert_eq!(peer.handle_timeout(overdue), None);
    }

    #[test]
    fn what_a_peer_owes_that_is_gone_is_pulled_from_the_next_that_has_it() {
        let (mut peer, start) = (Remote::new(NODE, Instant::default()), Instant::default());
        let other = NodeId::from_bytes([3; 32]);
        assert_eq!(peer.announced(start, VIA, version(1, 7)), Some(PULL));
        peer.peer_gone(other);
        assert_eq!(peer.announced(start, other, version(1, 7)), None, "it is still there");
        peer.peer_gone(VIA);
        let pull = Pull { node: NODE, via: other };
        assert_eq!(peer.announced(start, other, version(1, 7)), Some(pull));
    }

    #[test]
    fn a_peer_that_never_answers_is_asked_five_times() {
        let mut peer = Remote::new(NODE, Instant::default());
        let _ = peer.announced(Instant::default(), VIA, version(1, 7));
        let mut asked = 1;
        while let Some(overdue) = peer.poll_timeout() {
            asked += u32::from(peer.handle_timeout(overdue).is_some());
        }
        assert_eq!(asked, PULLS_MAX);
    }

    #[test]
    fn a_set_that_nobody_asked_for_is_dropped() {
        let mut peer = Remote::new(NODE, Instant::default());
        assert!(peer.snapshot(&announcement(1, 1)).unwrap().is_none());
        assert_eq!(peer.version(), None);
    }

    #[test]
    fn a_version_never_goes_back_and_a_restart_is_newer_whatever_its_seq() {
        let mut peer = Remote::new(NODE, Instant::default());
        let _ = peer.announced(Instant::default(), VIA, version(1, 9));
        assert!(peer.snapshot(&announcement(1, 9)).unwrap().is_some());
        assert_eq!(peer.announced(Instant::default(), VIA, version(1, 8)), None);
        assert_eq!(peer.announced(Instant::default(), VIA, version(2, 0)), Some(PULL));
        assert!(peer.snapshot(&announcement(1, 8)).unwrap().is_none(), "older than what we hold");
        assert_eq!(peer.version(), Some(version(1, 9)));
    }

    #[test]
    fn changes_that_leave_a_hole_cause_a_pull() {
        let mut peer = Remote::new(NODE, Instant::default());
        let now = Instant::default();
        let _ = peer.announced(now, VIA, version(1, 1));
        peer.snapshot(&announcement(1, 1)).unwrap();
        let changes = |from, to| {
            AnnouncementChanges::new(Seq(from), version(1, to), name(), None, Vec::new())
        };
        assert!(matches!(peer.weigh(now, VIA, &changes(1, 2)), Weighed::Applies));
        assert!(matches!(peer.weigh(now, VIA, &changes(1, 2)), Weighed::Old));
        assert!(
            matches!(peer.weigh(now, VIA, &changes(0, 4)), Weighed::Applies),
            "repeats are harmless"
        );
        assert!(matches!(peer.weigh(now, VIA, &changes(5, 6)), Weighed::Hole(PULL)));
    }
}
