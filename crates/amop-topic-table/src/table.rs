//! The table of one node: its own announcement, those of all other nodes, the paths that lead
//! there, and one index over the topics of all nodes that can be reached.

mod aging;
mod believing;
mod claims;
mod occupancy;
mod routing;

use std::collections::BTreeMap;

use amop_wire::{
    Announcement, AnnouncementChanges, AnnouncementHead, Chain, Epoch, Instance, Instant, MsgId,
    Name, NodeId, SignedHead, Subscriber, Topic, Version,
};
use bytes::Bytes;

use crate::graph::Graph;
use crate::index::{Candidate, Index, Place};
use crate::limits::Limits;
use crate::missed::Missed;
use crate::own::Own;
use crate::remote::{Pull, Remote, Weighed};
use crate::rules::Rules;
use crate::topic_map::{TableFull, TopicMap};
use crate::ways::Ways;
use believing::{insert_believed, is_believed};

/// Who subscribes to what, at this node and at all others, and how to get there.
#[derive(Debug)]
pub struct TopicTable {
    id: NodeId,
    pub(crate) own: Own,
    pub(crate) remotes: BTreeMap<NodeId, Remote>,
    pub(crate) graph: Graph,
    /// Whether paths may be others than at the last refresh.
    is_rerouted: bool,
    ways: Ways,
    index: Index,
    missed: Missed,
    limits: Limits,
    rules: Rules,
}

/// What another node's announcement, or changes of it, turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "news is passed on, a pull is sent"]
pub enum Heard {
    /// It was applied: pass changes on to every other peer.
    News,
    /// It is old, about what is being pulled already, or nobody asked for it.
    Old,
    /// It is no step on from what is held: somebody has more.
    Hole(Pull),
    /// It is not what its head says, so the peer that passed it on, or one before that, altered it.
    /// Nothing has changed. Another peer, or all of it, is worth asking for.
    Altered(Option<Pull>),
    /// The node has signed two sets under one version. What is held stays.
    Contradicts,
}

impl TopicTable {
    /// An empty table for one life of the node of this name.
    #[must_use]
    pub fn new(name: Name, epoch: Epoch) -> Self {
        let id = NodeId::of(&name);
        Self {
            id,
            own: Own::new(name, epoch),
            remotes: BTreeMap::new(),
            graph: Graph::new(id),
            is_rerouted: false,
            ways: Ways::default(),
            index: Index::default(),
            missed: Missed::default(),
            limits: Limits::default(),
            rules: Rules::default(),
        }
    }

    /// The id of this node.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The version of our own announcement.
    #[must_use]
    pub fn own_version(&self) -> Version {
        self.own.version()
    }

    /// Takes the nodes that this node is linked with, in their order.
    pub fn set_neighbours(&mut self, now: Instant, neighbours: Vec<NodeId>) {
        self.is_rerouted |= self.graph.set(now, self.id, &neighbours);
        self.own.set_neighbours(neighbours);
    }

    /// Whether what was signed in our own name is of another life: it is later than all that this one has
    /// announced, or something else under one of the two versions signed last.
    #[must_use]
    pub fn is_outlived_by(&self, other: &SignedHead) -> bool {
        self.own.is_outlived_by(other)
    }

    /// Moves our own announcement on to a later epoch.
    pub fn raise_epoch(&mut self, epoch: Epoch) {
        self.own.raise_epoch(epoch);
    }

    /// Adds a subscriber at this node, or moves it to a later generation; says whether our own
    /// announcement changed.
    ///
    /// # Errors
    ///
    /// [`TableFull`] if this node has as much as it may announce.
    pub fn subscribe(&mut self, topic: &Topic, subscriber: Subscriber) -> Result<bool, TableFull> {
        let changed = self.own.insert(topic, subscriber, self.limits.own_topics)?;
        if changed {
            self.index.insert(topic, Place::Here, subscriber);
        }
        Ok(changed)
    }

    /// Removes a subscriber at this node; says whether it was there.
    pub fn unsubscribe(&mut self, topic: &Topic, instance: Instance) -> bool {
        let removed = self.own.remove(topic, instance).is_some();
        if removed {
            self.index.remove(topic, Place::Here, instance);
        }
        removed
    }

    /// The subscribers at this node, in the order of their instances.
    pub fn own_subscribers(&self, topic: &Topic) -> impl Iterator<Item = Subscriber> {
        self.own.subscribers(topic)
    }

    /// What a node announces, this one included, to answer a pull. Our own is `None` as long as it
    /// [has changes](Self::has_changes).
    #[must_use]
    pub fn announcement(&self, node: NodeId) -> Option<Announcement> {
        if node == self.id {
            return self.own.announcement();
        }
        self.remotes.get(&node)?.announcement()
    }

    /// Moves our own announcement on though nothing in it has changed: a sign of life.
    pub fn renew(&mut self) {
        self.own.renew();
    }

    /// What to sign so that others can be told what our own announcement says now; `None` if
    /// nothing has changed since it was last [signed](Self::sign).
    pub fn propose(&mut self) -> Option<AnnouncementHead> {
        self.own.propose()
    }

    /// Takes the signature of what was just [proposed](Self::propose), and whose it is. Answers what
    /// changed since the signature before, to be pushed to every peer; `None` if our own
    /// announcement has changed once more, so that this version is nobody's any more.
    pub fn sign(&mut self, signature: Bytes, chain: Chain) -> Option<AnnouncementChanges> {
        self.own.sign(signature, chain)
    }

    /// Whether something changed in our own announcement since it was last [signed](Self::sign).
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.own.has_changes()
    }

    /// The version of every announcement that counts here: our own as it was signed last, and those
    /// of all nodes that can be reached, in the order of their ids.
    pub fn summary(&self) -> impl Iterator<Item = (NodeId, Version)> {
        let reachable = self.remotes.iter().filter(|(_, remote)| remote.is_indexed);
        let remotes = reachable.filter_map(|(&node, remote)| Some((node, remote.version()?)));
        let own = self.own.signed_version().map(|version| (self.id, version));
        // Both sides sum up in the same order, so our own takes its place among the others.
        let (before, after): (Vec<_>, Vec<_>) = remotes.partition(|(node, _)| *node < self.id);
        before.into_iter().chain(own).chain(after)
    }

    /// Sums up the [summary](Self::summary) in one number.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.summary().fold(0, |digest, (node, Version { epoch, seq })| {
            let words = node
                .as_bytes()
                .chunks_exact(8)
                .map(|chunk| u64::from_le_bytes(chunk.try_into().expect("chunks of 8 bytes")));
            words.chain([epoch.0, seq.0]).fold(digest, crate::index::mix)
        })
    }

    /// Weighs what a peer holds. Answers what to pull from it.
    pub fn weigh_summary(
        &mut self,
        now: Instant,
        via: NodeId,
        entries: &[(NodeId, Version)],
    ) -> Vec<Pull> {
        let mut newer = Vec::new();
        for &(node, version) in entries {
            if self.make_room(now, via, node) {
                let remote = self.remotes.get_mut(&node);
                newer.extend(remote.and_then(|remote| remote.announced(now, via, version)));
            }
        }
        newer
    }

    /// Of what a peer holds, that of which we hold a later version though no path leads there: the peer
    /// cannot know from our [summary](Self::summary).
    #[must_use]
    pub fn lagging(&self, entries: &[(NodeId, Version)]) -> Vec<(NodeId, Version)> {
        let lost = entries.iter().filter_map(|&(node, version)| {
            let remote = self.remotes.get(&node).filter(|remote| !remote.is_indexed)?;
            Some((node, remote.version().filter(|held| *held > version)?))
        });
        lost.collect()
    }

    /// Takes an announcement that we pulled and a peer answered; its head must have been verified.
    ///
    /// # Errors
    ///
    /// [`TableFull`] if it is more than a node may announce; nothing was changed.
    pub fn apply_snapshot(
        &mut self,
        now: Instant,
        via: NodeId,
        announcement: &Announcement,
    ) -> Result<Heard, TableFull> {
        let node = announcement.signed().node();
        let Some(remote) = self.remotes.get_mut(&node) else { return Ok(Heard::Old) };
        let before = match remote.snapshot(now, via, announcement)? {
            Weighed::News(before) => before,
            stale => return Ok(Heard::from(stale)),
        };
        if remote.is_indexed {
            self.index.remove_all(node, &before);
            insert_believed(&mut self.index, &self.rules, (node, remote));
        }
        self.is_rerouted |= self.graph.set(now, node, remote.neighbours());
        Ok(Heard::News)
    }

    /// Takes changes that a node pushed and a peer passed on; their head must have been verified.
    ///
    /// # Errors
    ///
    /// [`TableFull`] if they lead to more than a node may announce; nothing was changed.
    pub fn apply_changes(
        &mut self,
        now: Instant,
        via: NodeId,
        changes: &AnnouncementChanges,
    ) -> Result<Heard, TableFull> {
        let node = changes.signed().node();
        if !self.make_room(now, via, node) {
            return Ok(Heard::Old);
        }
        let Some(remote) = self.remotes.get_mut(&node) else { return Ok(Heard::Old) };
        let patch = match remote.changes(now, via, changes)? {
            Weighed::News(patch) => patch,
            stale => return Ok(Heard::from(stale)),
        };
        if remote.is_indexed {
            for change in patch.effective() {
                let (topic, place) = (&change.topic, Place::Node(node));
                if change.removed {
                    self.index.remove(topic, place, change.subscriber.instance);
                } else if is_believed(&self.rules, remote.name(), topic) {
                    self.index.insert(topic, place, change.subscriber);
                }
            }
        }
        self.is_rerouted |= self.graph.set(now, node, remote.neighbours());
        Ok(Heard::News)
    }

    /// A peer has no link any more: it answers nothing that we pulled from it. Answers what to pull
    /// from others instead.
    pub fn peer_gone(&mut self, now: Instant, peer: NodeId) -> Vec<Pull> {
        self.remotes.values_mut().filter_map(|remote| remote.in_vain(now, peer)).collect()
    }

    /// The certified name of a node that announced itself.
    #[must_use]
    pub fn name_of(&self, node: NodeId) -> Option<&Name> {
        self.remotes.get(&node)?.name()
    }

    /// The version that we hold of another node's announcement.
    #[must_use]
    pub fn version_of(&self, node: NodeId) -> Option<Version> {
        self.remotes.get(&node)?.version()
    }

    /// The version of another node's announcement that counts here: none if no path leads there.
    #[must_use]
    pub fn counting_version_of(&self, node: NodeId) -> Option<Version> {
        self.remotes.get(&node).filter(|remote| remote.is_indexed)?.version()
    }

    /// What another node signed of the version that we hold.
    #[must_use]
    pub fn signed_by(&self, node: NodeId) -> Option<&SignedHead> {
        self.remotes.get(&node)?.signed()
    }

    /// The certificates by which a node's signatures are judged: another's as they came with its
    /// announcement, our own as they were when it was last [signed](Self::sign).
    #[must_use]
    pub fn chain_of(&self, node: NodeId) -> Option<&Chain> {
        if node == self.id {
            return self.own.chain();
        }
        self.remotes.get(&node)?.chain()
    }

    /// Whether we asked somebody for the announcement of a node and have no answer.
    #[must_use]
    pub fn is_pulling(&self, node: NodeId) -> bool {
        self.remotes.get(&node).is_some_and(Remote::is_behind)
    }

    /// The topics that count at a node, with their subscribers, in their order: none if the node
    /// cannot be reached.
    pub fn topics_of(
        &self,
        node: NodeId,
    ) -> impl Iterator<Item = (&Topic, impl Iterator<Item = Subscriber>)> {
        let own = (node == self.id).then(|| self.own.topics());
        let remote = self.remotes.get(&node).filter(|remote| remote.is_indexed);
        let all = own.or(remote.map(Remote::topics)).into_iter().flat_map(TopicMap::iter);
        all.filter(move |(topic, _)| remote.is_none_or(|it| self.is_believed(it, topic)))
    }

    /// Chooses one subscriber for a message, but none of the excluded: uniformly over many ids,
    /// the same for the same id.
    #[must_use]
    pub fn choose(&self, topic: &Topic, id: MsgId, excluded: &[Instance]) -> Option<Candidate> {
        self.choose_of(topic, id, excluded).map(|(candidate, _)| candidate)
    }

    /// The same, and how many subscribers the topic has, the excluded among them.
    #[must_use]
    pub fn choose_of(
        &self,
        topic: &Topic,
        id: MsgId,
        excluded: &[Instance],
    ) -> Option<(Candidate, usize)> {
        self.index.choose(topic, id, excluded)
    }

    /// Whether a subscriber of the topic may appear any moment: it had one within the last 30 s, or
    /// a newer announcement of some node is on its way.
    pub fn is_missed(&mut self, now: Instant, topic: &Topic) -> bool {
        for departed in self.index.take_departed() {
            self.missed.note(now, departed, self.limits.missed_topics);
        }
        self.missed.contains(now, topic) || self.remotes.values().any(Remote::is_behind)
    }

    /// Where a subscriber of the topic is now.
    #[must_use]
    pub fn find(&self, topic: &Topic, instance: Instance) -> Option<Candidate> {
        self.index.find(topic, instance)
    }

    /// All subscribers of the topic, each where it is.
    pub fn subscribers(&self, topic: &Topic) -> impl Iterator<Item = Candidate> {
        self.index.subscribers(topic)
    }

    /// Every place with a subscriber of the topic, and how many it has.
    #[must_use]
    pub fn spread(&self, topic: &Topic) -> &[(Place, u32)] {
        self.index.spread(topic)
    }
}

impl<T> From<Weighed<T>> for Heard {
    fn from(weighed: Weighed<T>) -> Self {
        match weighed {
            Weighed::News(_) => Self::News,
            Weighed::Hole(Some(pull)) => Self::Hole(pull),
            Weighed::Old | Weighed::Hole(None) => Self::Old,
            Weighed::Altered(pull) => Self::Altered(pull),
            Weighed::Contradicts => Self::Contradicts,
        }
    }
}
