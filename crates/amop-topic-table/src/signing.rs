//! Announcements for the tests in this crate's own files, signed by nobody: no signature is judged
//! here.

use amop_wire::{
    Announcement, AnnouncementChanges, AnnouncementHead, Chain, Name, NodeId, Seq, SignedHead,
    Subscriber, Topic, TopicChange, Version,
};

use crate::digest::set_digest;

/// All that the node announces at a version.
pub(crate) fn announcement(
    version: Version,
    neighbours: Vec<NodeId>,
    topics: Vec<(Topic, Vec<Subscriber>)>,
) -> Announcement {
    let signed = signed(version, &neighbours, &topics);
    Announcement::new(signed, chain(), neighbours, topics)
}

/// Changes of topics from a seq to the one at which these are all.
pub(crate) fn changes(
    from: u64,
    version: Version,
    changes: Vec<TopicChange>,
    topics: &[(Topic, Vec<Subscriber>)],
) -> AnnouncementChanges {
    AnnouncementChanges::new(Seq(from), signed(version, &[], topics), None, changes)
}

pub(crate) fn signed(
    version: Version,
    neighbours: &[NodeId],
    topics: &[(Topic, Vec<Subscriber>)],
) -> SignedHead {
    let digest = set_digest(neighbours, topics).unwrap();
    SignedHead::new(AnnouncementHead { name: name(), version, digest }, "signature".into())
}

pub(crate) fn chain() -> Chain {
    Chain::new(vec!["certificate".into()]).unwrap()
}

pub(crate) fn name() -> Name {
    "n1.node.bank-a.amop".parse().unwrap()
}
