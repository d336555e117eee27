//! What a node itself announces: its neighbours and what its clients subscribe to, with the
//! version that others compare.
//!
//! Others are told of a version only once it is signed, which takes a key that is not here: what is
//! to be signed is [proposed](Own::propose), and the signature [comes back](Own::sign). Between two
//! signatures the set moves on; nobody is told of those versions.

use amop_wire::{
    Announcement, AnnouncementChanges, AnnouncementHead, Chain, Epoch, Instance, Name, NodeId, Seq,
    SignedHead, Subscriber, Topic, TopicChange, Version,
};
use bytes::Bytes;

use crate::topic_map::{TableFull, TopicMap};

/// A node's own announcement.
#[derive(Debug)]
pub(crate) struct Own {
    name: Name,
    version: Version,
    neighbours: Vec<NodeId>,
    topics: TopicMap,
    /// What happened after `announced`, in its order.
    unannounced: Vec<TopicChange>,
    has_new_neighbours: bool,
    announced: Seq,
    /// The head of the version that is to be signed.
    proposed: Option<AnnouncementHead>,
    /// The head of the version that was signed last, and whose signature it is.
    signed: Option<(SignedHead, Chain)>,
    /// The head of the one signed before that, from which the last push led on.
    signed_before: Option<SignedHead>,
}

impl Own {
    pub(crate) fn new(name: Name, epoch: Epoch) -> Self {
        Self {
            name,
            version: Version { epoch, seq: Seq(0) },
            neighbours: Vec::new(),
            topics: TopicMap::default(),
            unannounced: Vec::new(),
            has_new_neighbours: false,
            announced: Seq(0),
            proposed: None,
            signed: None,
            signed_before: None,
        }
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// The version that others may be told of, if any.
    pub(crate) fn signed_version(&self) -> Option<Version> {
        self.signed.as_ref().map(|(signed, _)| signed.version())
    }

    /// Whether another life of this node has signed this: it is later than all that this one has said,
    /// or something else under a version that was pushed lately.
    pub(crate) fn is_outlived_by(&self, other: &SignedHead) -> bool {
        let last = self.signed.as_ref().map(|(signed, _)| signed);
        let mut said = last.into_iter().chain(&self.signed_before);
        other.version() > self.version
            || said.any(|said| said.version() == other.version() && said.digest() != other.digest())
    }

    /// Whose signature is under what was signed last.
    pub(crate) fn chain(&self) -> Option<&Chain> {
        self.signed.as_ref().map(|(_, chain)| chain)
    }

    /// Takes the nodes that this node is linked with, in their order; says whether they are others
    /// than before.
    pub(crate) fn set_neighbours(&mut self, neighbours: Vec<NodeId>) -> bool {
        if self.neighbours == neighbours {
            return false;
        }
        self.neighbours = neighbours;
        self.has_new_neighbours = true;
        self.version.seq.0 += 1;
        true
    }

    /// Moves on to a later epoch.
    pub(crate) fn raise_epoch(&mut self, epoch: Epoch) {
        self.version.epoch = epoch;
        self.version.seq.0 += 1;
    }

    /// Moves on to another version of the same.
    pub(crate) fn renew(&mut self) {
        self.version.seq.0 += 1;
    }

    pub(crate) fn insert(
        &mut self,
        topic: &Topic,
        subscriber: Subscriber,
        topics_max: usize,
    ) -> Result<bool, TableFull> {
        if self.topics.len() >= topics_max && !self.topics.contains(topic) {
            return Err(TableFull);
        }
        let changed = self.topics.insert(topic, subscriber)?;
        if changed {
            self.note(topic, subscriber, false);
        }
        Ok(changed)
    }

    pub(crate) fn remove(&mut self, topic: &Topic, instance: Instance) -> Option<Subscriber> {
        let generation = self.topics.remove(topic, instance)?;
        let subscriber = Subscriber { instance, generation };
        self.note(topic, subscriber, true);
        Some(subscriber)
    }

    pub(crate) fn subscribers(&self, topic: &Topic) -> impl Iterator<Item = Subscriber> {
        self.topics.subscribers(topic)
    }

    pub(crate) fn topics(&self) -> &TopicMap {
        &self.topics
    }

    /// The version that was signed last, as long as nothing has changed since.
    pub(crate) fn announcement(&self) -> Option<Announcement> {
        let (signed, chain) = self.signed.clone().filter(|_| !self.has_changes())?;
        Some(Announcement::new(signed, chain, self.neighbours.clone(), self.topics.to_entries()))
    }

    /// What to sign so that others can be told of the present version; `None` if they were.
    pub(crate) fn propose(&mut self) -> Option<AnnouncementHead> {
        let head = self.has_changes().then(|| AnnouncementHead {
            name: self.name.clone(),
            version: self.version,
            digest: self.topics.digest(&self.neighbours),
        });
        self.proposed.clone_from(&head);
        head
    }

    /// Takes the signature of what was proposed last, if that is the present version. Answers what
    /// changed since the signature before, to be sent to every peer.
    pub(crate) fn sign(&mut self, signature: Bytes, chain: Chain) -> Option<AnnouncementChanges> {
        let head = self.proposed.take().filter(|head| head.version == self.version)?;
        let signed = SignedHead::new(head, signature);
        let before = self.signed.replace((signed.clone(), chain));
        self.signed_before = before.map(|(before, _)| before);
        let changes = std::mem::take(&mut self.unannounced);
        let from_seq = std::mem::replace(&mut self.announced, self.version.seq);
        let neighbours =
            std::mem::take(&mut self.has_new_neighbours).then(|| self.neighbours.clone());
        Some(AnnouncementChanges::new(from_seq, signed, neighbours, changes))
    }

    pub(crate) fn has_changes(&self) -> bool {
        self.announced != self.version.seq
    }

    fn note(&mut self, topic: &Topic, subscriber: Subscriber, removed: bool) {
        self.version.seq.0 += 1;
        self.unannounced.push(TopicChange { topic: topic.clone(), subscriber, removed });
    }
}

#[cfg(test)]
mod tests {
    use amop_wire::Gen;

    use super::*;
    use crate::signing;

    fn own() -> Own {
        Own::new(signing::name(), Epoch(1))
    }

    fn subscribe(own: &mut Own, topic: &str) {
        let subscriber = Subscriber { instance: Instance(1), generation: Gen(1) };
        own.insert(&topic.parse().unwrap(), subscriber, usize::MAX).unwrap();
    }

    fn sign(own: &mut Own) -> Option<AnnouncementChanges> {
        own.sign("signature".into(), signing::chain())
    }

    /// SEQ-10
    #[test]
    fn nobody_is_told_of_a_version_before_it_is_signed() {
        let mut own = own();
        subscribe(&mut own, "a");
        assert_eq!((own.signed_version(), own.announcement()), (None, None));
        let head = own.propose().expect("something changed");
        assert_eq!((own.signed_version(), own.announcement()), (None, None));
        let changes = sign(&mut own).expect("something changed");
        assert_eq!(own.signed_version(), Some(head.version));
        assert_eq!(changes.signed(), own.announcement().unwrap().signed());
        assert_eq!((own.propose(), sign(&mut own)), (None, None), "nothing changed");

        subscribe(&mut own, "b");
        assert_eq!(own.signed_version(), Some(head.version), "of the version before");
        assert_eq!(own.announcement(), None, "which cannot be told any more");
    }

    #[test]
    fn what_a_missing_signature_left_out_is_told_with_the_next() {
        let mut own = own();
        subscribe(&mut own, "a");
        own.propose();
        subscribe(&mut own, "b");
        assert_eq!(sign(&mut own), None, "this version was not proposed");
        own.propose();
        let changes = sign(&mut own).unwrap();
        assert_eq!((changes.from_seq(), changes.version().seq), (Seq(0), Seq(2)));
        assert_eq!(changes.changes().len(), 2);
    }

    /// SEQ-9
    #[test]
    fn a_raised_epoch_is_signed_anew_though_nothing_else_changed() {
        let mut own = own();
        subscribe(&mut own, "a");
        own.propose();
        sign(&mut own);
        own.raise_epoch(Epoch(7));
        assert_eq!(own.propose().map(|head| head.version.epoch), Some(Epoch(7)));
        assert_eq!(sign(&mut own).map(|changes| changes.version().epoch), Some(Epoch(7)));
    }
}
