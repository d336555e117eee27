//! What people who look at a node are shown of it. Read on demand: nothing is kept for it.

use std::collections::BTreeSet;

use amop_topic_table::Place;
use amop_wire::{Epoch, Gen, Instance, Instant, Name, NodeId, Topic};

use super::drain::Drain;
use super::links::Link;
use super::publisher::Publisher;
use super::{LinkId, Node};

/// An attached client.
#[derive(Debug)]
pub struct AttachedClient<'a> {
    /// Its process.
    pub instance: Instance,
    /// Its certified name.
    pub name: &'a Name,
    /// Which link of its life this is.
    pub generation: Gen,
    /// The link.
    pub link: LinkId,
    /// What it subscribes to.
    pub topics: &'a BTreeSet<Topic>,
    /// How many multicasts were pushed to it without an ack.
    pub unacked: usize,
    /// How many of its publishes have no outcome.
    pub under_way: usize,
}

/// A peer that has greeted.
#[derive(Debug)]
pub struct LinkedPeer<'a> {
    /// Its id.
    pub node: NodeId,
    /// Its certified name.
    pub name: &'a Name,
    /// The link that is used.
    pub link: LinkId,
    /// Whether we dialed it.
    pub dialed: bool,
    /// The life of the peer.
    pub epoch: Epoch,
    /// When it greeted.
    pub since: Instant,
}

impl Node {
    /// How many clients are attached.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// All attached clients, in the order of their links.
    pub fn attached_clients(&self) -> impl Iterator<Item = AttachedClient<'_>> {
        self.links.iter().filter_map(|(&link, end)| {
            let Link::Client { instance: Some(instance), .. } = end else { return None };
            let session = self.sessions.get(instance).filter(|session| session.link == link)?;
            Some(AttachedClient {
                instance: *instance,
                name: &session.name,
                generation: session.generation,
                link,
                topics: &session.topics,
                unacked: session.unacked.len(),
                under_way: self.publishers.get(instance).map_or(0, Publisher::under_way),
            })
        })
    }

    /// All peers that have greeted, by their ids.
    pub fn linked_peers(&self) -> impl Iterator<Item = LinkedPeer<'_>> {
        self.peers.iter().filter_map(|(&node, &link)| {
            let Some(Link::Peer { name, dialed, greeted: Some(greeted), .. }) =
                self.links.get(&link)
            else {
                return None;
            };
            let (epoch, since) = greeted.when();
            Some(LinkedPeer { node, name, link, dialed: *dialed, epoch, since })
        })
    }

    /// The certified name of this node or of another one that is known.
    #[must_use]
    pub fn name_of(&self, node: NodeId) -> Option<&Name> {
        if node == self.id { Some(&self.name) } else { self.table.name_of(node) }
    }

    /// Every subscriber of a topic, and the node that it is attached to.
    pub fn subscribers(&self, topic: &Topic) -> impl Iterator<Item = (NodeId, Instance)> {
        self.table.subscribers(topic).map(|candidate| match candidate.place {
            Place::Here => (self.id, candidate.instance),
            Place::Node(node) => (node, candidate.instance),
        })
    }

    /// How many publishes of clients have no outcome.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// Whether it takes clients in: not since it was told to drain or to shut down.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.drain == Drain::Serving && !self.shutting_down
    }
}
