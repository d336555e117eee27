//! Learns what another node announces, without asking for the whole of it over and over.
//!
//! Peers tell the versions that they hold. When one is newer than ours, we [pull](Pulls) the whole
//! announcement from a peer that told. Changes that fit on what we hold save the pull.
//!
//! Whose word it is was judged before it came here: every [`SignedHead`] is its node's own. What came
//! with the head may be anything, since whoever passed it on may have altered it. So it counts only
//! if it is what the head says; else nothing changes.

use amop_wire::{
    Announcement, AnnouncementChanges, Chain, Instant, Name, NodeId, SignedHead, Version,
};

use crate::patch::Patch;
use crate::pulls::Pulls;
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
    pulls: Pulls,
    /// Whether its topics are in the index, because a path leads there.
    pub(crate) is_indexed: bool,
    /// Since when no path leads there.
    pub(crate) lost_at: Option<Instant>,
    /// When the version that we hold was taken.
    pub(crate) renewed_at: Instant,
    /// Whether that is too long ago.
    pub(crate) is_expired: bool,
}

#[derive(Debug)]
struct Known {
    signed: SignedHead,
    chain: Chain,
    neighbours: Vec<NodeId>,
}

/// What an announcement or changes of one turned out to be.
#[derive(Debug)]
pub(crate) enum Weighed<T> {
    /// Newer than what was held, and taken.
    News(T),
    /// No newer than what is held, or nobody asked for it.
    Old,
    /// Two sets under one version: the node contradicts itself.
    Contradicts,
    /// Changes of a version that is not held.
    Hole(Option<Pull>),
    /// Not what the head says.
    Altered(Option<Pull>),
}

impl Remote {
    /// A node that nothing is known of, not even whether a path leads there.
    pub(crate) fn new(node: NodeId, now: Instant) -> Self {
        let (topics, pulls) = (TopicMap::default(), Pulls::default());
        Self {
            node,
            known: None,
            topics,
            pulls,
            is_indexed: false,
            lost_at: Some(now),
            renewed_at: now,
            is_expired: false,
        }
    }

    /// Weighs the version that a peer says it holds.
    pub(crate) fn announced(
        &mut self,
        now: Instant,
        via: NodeId,
        version: Version,
    ) -> Option<Pull> {
        if self.version() >= Some(version) {
            return None;
        }
        let asked = self.pulls.claimed(now, via, version);
        self.to_pull(asked)
    }

    /// Takes an announcement that we pulled, and answers the topics that were held before.
    pub(crate) fn snapshot(
        &mut self,
        now: Instant,
        via: NodeId,
        announcement: &Announcement,
    ) -> Result<Weighed<TopicMap>, TableFull> {
        if !self.pulls.is_under_way() {
            return Ok(Weighed::Old);
        }
        let signed = announcement.signed();
        if let Some(stale) = self.weigh_head(signed) {
            return Ok(match stale {
                // The peer that was asked has no more than this; others may.
                Weighed::Old => Weighed::Hole(self.in_vain(now, via)),
                other => other,
            });
        }
        let mut topics = TopicMap::from_entries(announcement.topics())?;
        if topics.digest(announcement.neighbours()) != signed.digest() {
            return Ok(Weighed::Altered(self.in_vain(now, via)));
        }
        self.pulls.done();
        (self.renewed_at, self.is_expired) = (now, false);
        self.known = Some(Known {
            signed: signed.clone(),
            chain: announcement.chain().clone(),
            neighbours: announcement.neighbours().to_vec(),
        });
        Ok(Weighed::News(std::mem::replace(&mut self.topics, topics)))
    }

    /// Applies changes if they lead from what is held to what their head says.
    pub(crate) fn changes<'a>(
        &mut self,
        now: Instant,
        via: NodeId,
        changes: &'a AnnouncementChanges,
    ) -> Result<Weighed<Patch<'a>>, TableFull> {
        let (signed, version) = (changes.signed(), changes.version());
        if let Some(stale) = self.weigh_head(signed) {
            return Ok(stale);
        }
        let Some(known) = self.known.as_mut().filter(|known| {
            let held = known.signed.version();
            held.epoch == version.epoch && held.seq == changes.from_seq()
        }) else {
            return Ok(Weighed::Hole(self.announced(now, via, version)));
        };
        if counts_more_than_seqs(changes) {
            return Ok(Weighed::Altered(self.announced(now, via, version)));
        }
        let patch = Patch::apply(&mut self.topics, changes.changes())?;
        let neighbours = changes.neighbours().unwrap_or(&known.neighbours);
        if self.topics.digest(neighbours) != signed.digest() {
            patch.revert(&mut self.topics);
            return Ok(Weighed::Altered(self.announced(now, via, version)));
        }
        known.signed = signed.clone();
        (self.renewed_at, self.is_expired) = (now, false);
        if let Some(neighbours) = changes.neighbours() {
            known.neighbours = neighbours.to_vec();
        }
        Ok(Weighed::News(patch))
    }

    pub(crate) fn topics(&self) -> &TopicMap {
        &self.topics
    }

    /// What was signed of what we hold.
    pub(crate) fn signed(&self) -> Option<&SignedHead> {
        self.known.as_ref().map(|known| &known.signed)
    }

    /// The certificates that came with it.
    pub(crate) fn chain(&self) -> Option<&Chain> {
        self.known.as_ref().map(|known| &known.chain)
    }

    pub(crate) fn version(&self) -> Option<Version> {
        self.signed().map(SignedHead::version)
    }

    pub(crate) fn name(&self) -> Option<&Name> {
        self.signed().map(SignedHead::name)
    }

    pub(crate) fn neighbours(&self) -> &[NodeId] {
        self.known.as_ref().map_or(&[], |known| &known.neighbours)
    }

    /// What we hold, to be passed on.
    pub(crate) fn announcement(&self) -> Option<Announcement> {
        let Known { signed, chain, neighbours } = self.known.as_ref()?;
        let (signed, chain, neighbours) = (signed.clone(), chain.clone(), neighbours.clone());
        Some(Announcement::new(signed, chain, neighbours, self.topics.to_entries()))
    }

    /// The peer that owes us an answer about it.
    pub(crate) fn asked(&self) -> Option<NodeId> {
        self.pulls.asked()
    }

    /// Whether a newer announcement is on its way.
    pub(crate) fn is_behind(&self) -> bool {
        self.pulls.is_under_way()
    }

    /// Waits no longer for an answer of a peer that is gone, or that answered with nothing of worth.
    pub(crate) fn in_vain(&mut self, now: Instant, peer: NodeId) -> Option<Pull> {
        let asked = self.pulls.in_vain(now, peer, self.version());
        self.to_pull(asked)
    }

    /// Pulls again if the answer is overdue at `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Pull> {
        let asked = self.pulls.handle_timeout(now);
        self.to_pull(asked)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.pulls.poll_timeout()
    }

    /// What a head that is not newer than what is held says about what came with it.
    fn weigh_head<T>(&self, signed: &SignedHead) -> Option<Weighed<T>> {
        let held = self.signed().filter(|held| held.version() >= signed.version())?;
        let is_same = held.version() == signed.version();
        let contradicts = is_same && held.digest() != signed.digest();
        Some(if contradicts { Weighed::Contradicts } else { Weighed::Old })
    }

    fn to_pull(&self, via: Option<NodeId>) -> Option<Pull> {
        Some(Pull { node: self.node, via: via? })
    }
}

/// Every change moved the seq by one when it was made, so that whoever passes changes on cannot pad
/// them with others that cancel out.
fn counts_more_than_seqs(changes: &AnnouncementChanges) -> bool {
    let count = changes.changes().len() + usize::from(changes.neighbours().is_some());
    let seqs = changes.version().seq.0.saturating_sub(changes.from_seq().0);
    u64::try_from(count).is_ok_and(|count| count > seqs)
}

#[cfg(test)]
mod tests {
    use amop_wire::{Epoch, Gen, Instance, Seq, Subscriber, Topic, TopicChange};

    use super::*;
    use crate::{Heard, signing};

    fn version(epoch: u64, seq: u64) -> Version {
        Version { epoch: Epoch(epoch), seq: Seq(seq) }
    }

    const VIA: NodeId = NodeId::from_bytes([2; 32]);
    const OTHER: NodeId = NodeId::from_bytes([3; 32]);

    fn now() -> Instant {
        Instant::default()
    }

    fn pull(via: NodeId) -> Pull {
        Pull { node: NodeId::of(&signing::name()), via }
    }

    /// Topics that one subscriber has subscribed to.
    fn topics(texts: &[&str]) -> Vec<(Topic, Vec<Subscriber>)> {
        let subscriber = Subscriber { instance: Instance(1), generation: Gen(1) };
        texts.iter().map(|text| (text.parse().unwrap(), vec![subscriber])).collect()
    }

    fn announcement(epoch: u64, seq: u64, texts: &[&str]) -> Announcement {
        signing::announcement(version(epoch, seq), Vec::new(), topics(texts))
    }

    /// Says that the subscriber came to some topics, whereupon these are all.
    fn changes(from: u64, to: u64, came: &[&str], all: &[&str]) -> AnnouncementChanges {
        let change = |(topic, of): (Topic, Vec<Subscriber>)| TopicChange {
            topic,
            subscriber: of[0],
            removed: false,
        };
        let changes = topics(came).into_iter().map(change).collect();
        signing::changes(from, version(1, to), changes, &topics(all))
    }

    /// A node of which this version is held.
    fn holding(seq: u64, texts: &[&str]) -> Remote {
        let mut remote = Remote::new(NodeId::of(&signing::name()), now());
        assert_eq!(remote.announced(now(), VIA, version(1, seq)), Some(pull(VIA)));
        let taken = remote.snapshot(now(), VIA, &announcement(1, seq, texts)).unwrap();
        assert!(matches!(taken, Weighed::News(_)));
        remote
    }

    #[test]
    fn a_set_that_nobody_asked_for_is_dropped() {
        let mut remote = Remote::new(NodeId::of(&signing::name()), now());
        let weighed = remote.snapshot(now(), VIA, &announcement(1, 1, &[])).unwrap();
        assert!(matches!(weighed, Weighed::Old));
        assert_eq!(remote.version(), None);
    }

    #[test]
    fn a_version_never_goes_back_and_a_restart_is_newer_whatever_its_seq() {
        let mut remote = holding(9, &[]);
        assert_eq!(remote.announced(now(), VIA, version(1, 8)), None);
        assert_eq!(remote.announced(now(), VIA, version(2, 0)), Some(pull(VIA)));
        let older = remote.snapshot(now(), VIA, &announcement(1, 8, &[])).unwrap();
        assert_eq!(Heard::from(older), Heard::Old);
        assert_eq!(remote.version(), Some(version(1, 9)));
        assert!(!remote.is_behind(), "the peer that was asked has no more");
    }

    #[test]
    fn changes_that_leave_a_hole_cause_a_pull() {
        let mut remote = holding(1, &[]);
        let mut weigh = |changes: AnnouncementChanges| {
            remote.changes(now(), VIA, &changes).unwrap();
            (remote.version(), remote.is_behind())
        };
        assert_eq!(weigh(changes(1, 2, &["a"], &["a"])), (Some(version(1, 2)), false));
        assert_eq!(weigh(changes(1, 2, &["a"], &["a"])), (Some(version(1, 2)), false), "old");
        assert_eq!(weigh(changes(3, 4, &["c"], &["a", "b", "c"])), (Some(version(1, 2)), true));
        let closes_the_hole = changes(2, 3, &["b"], &["a", "b"]);
        assert_eq!(weigh(closes_the_hole), (Some(version(1, 3)), true));
    }

    /// SEQ-12
    #[test]
    fn changes_that_do_not_lead_to_what_was_signed_change_nothing_and_cause_a_pull() {
        for (what, altered) in [
            ("another topic", changes(1, 2, &["x"], &["a", "b"])),
            ("one left out", changes(1, 2, &[], &["a", "b"])),
            ("one more", changes(1, 3, &["b", "x"], &["a", "b"])),
            ("more than seqs", changes(1, 2, &["b", "b"], &["a", "b"])),
        ] {
            let mut remote = holding(1, &["a"]);
            let Weighed::Altered(pulled) = remote.changes(now(), OTHER, &altered).unwrap() else {
                panic!("{what} was taken")
            };
            assert_eq!(pulled, Some(pull(OTHER)), "{what}");
            assert_eq!(remote.announcement().unwrap(), announcement(1, 1, &["a"]), "{what}");
            let honest = changes(1, 2, &["b"], &["a", "b"]);
            let weighed = remote.changes(now(), VIA, &honest).unwrap();
            assert!(matches!(weighed, Weighed::News(_)), "after {what}");
        }
    }

    /// SEQ-12
    #[test]
    fn neighbours_that_were_not_signed_are_not_believed() {
        let mut remote = holding(1, &["a"]);
        let honest = changes(1, 2, &["b"], &["a", "b"]);
        let (signed, changes) = (honest.signed().clone(), honest.changes().to_vec());
        let altered = AnnouncementChanges::new(Seq(1), signed, Some(vec![OTHER]), changes);
        let weighed = remote.changes(now(), VIA, &altered).unwrap();
        assert!(matches!(weighed, Weighed::Altered(_)));
        assert_eq!(remote.neighbours(), []);
    }

    /// SEQ-12
    #[test]
    fn a_snapshot_that_is_not_what_was_signed_is_dropped_and_the_next_peer_is_asked() {
        let mut remote = holding(1, &["a"]);
        assert_eq!(remote.announced(now(), OTHER, version(1, 2)), Some(pull(OTHER)));
        assert_eq!(remote.announced(now(), VIA, version(1, 2)), None);
        let honest = announcement(1, 2, &["a", "b"]);
        let (signed, chain) = (honest.signed().clone(), honest.chain().clone());
        let altered = Announcement::new(signed, chain, Vec::new(), topics(&["a"]));
        let Weighed::Altered(pulled) = remote.snapshot(now(), OTHER, &altered).unwrap() else {
            panic!("it was taken")
        };
        assert_eq!(pulled, Some(pull(VIA)));
        assert_eq!(remote.announcement().unwrap(), announcement(1, 1, &["a"]));
        let weighed = remote.snapshot(now(), VIA, &honest).unwrap();
        assert!(matches!(weighed, Weighed::News(_)));
    }

    /// SEQ-13
    #[test]
    fn two_sets_under_one_version_are_a_contradiction_and_the_first_stays() {
        let mut remote = holding(2, &["a"]);
        let other = changes(1, 2, &["b"], &["b"]);
        let weighed = remote.changes(now(), VIA, &other).unwrap();
        assert!(matches!(weighed, Weighed::Contradicts));
        assert!(remote.announced(now(), VIA, version(1, 3)).is_some());
        let weighed = remote.snapshot(now(), VIA, &announcement(1, 2, &["b"])).unwrap();
        assert!(matches!(weighed, Weighed::Contradicts));
        assert_eq!(remote.announcement().unwrap(), announcement(1, 2, &["a"]));
    }
}
