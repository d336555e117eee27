//! Who is at the other end of each link, and which of several links to a peer is used.
//!
//! A link counts only once the other end has greeted. Of two links to the same peer stays the one
//! to its later life; within one life the newer, since a party that dials again has lost the older
//! one. But two nodes that dial each other at the same time must keep the same link, whichever
//! seems newer to each: of two that were greeted within 2 s stays the one that the node with the
//! smaller id dialed. Nothing more is sent on the other link, but it is closed only a second later:
//! the peer may have elected it for a moment, and what it sent meanwhile must arrive.
//!
//! Each end measures those 2 s by its own clock, so just there the two may elect different links.
//! Then each closes the link of the other, both have none, and whoever dials does it once more: the
//! verdict over two new links does not hang on how far apart the old ones were.

use std::time::Duration;

use amop_wire::{CloseCode, Epoch, Instance, Instant, Name, NodeId, PeerMessage};

use super::{Effect, Event, LinkId, Node, Timer};

/// The other end of a link.
#[derive(Debug)]
pub(super) enum Link {
    /// A client; its instance once it has attached.
    Client { name: Name, instance: Option<Instance>, greet_by: Instant },
    /// A node; what it said and when, once it has greeted.
    Peer { name: Name, node: NodeId, dialed: bool, greeted: Option<Greeted>, greet_by: Instant },
}

/// The greeting of a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Greeted {
    epoch: Epoch,
    at: Instant,
}

impl Greeted {
    /// Which life of the peer, and since when.
    pub(super) fn when(&self) -> (Epoch, Instant) {
        (self.epoch, self.at)
    }
}

impl Link {
    pub(super) fn name(&self) -> &Name {
        match self {
            Self::Client { name, .. } | Self::Peer { name, .. } => name,
        }
    }
}

impl Node {
    /// The names of the nodes that are linked and have greeted.
    pub fn peers(&self) -> impl Iterator<Item = &Name> {
        self.peers.values().filter_map(|link| self.links.get(link)).map(Link::name)
    }

    /// The name of a peer, also if nothing is known of it yet.
    pub(super) fn peer_name(&self, peer: NodeId) -> Option<&Name> {
        self.links.get(self.peers.get(&peer)?).map(Link::name)
    }

    /// The link on which this node sends to a peer.
    #[must_use]
    pub fn link_to(&self, peer: NodeId) -> Option<LinkId> {
        self.peers.get(&peer).copied()
    }

    pub(super) fn client_up(&mut self, now: Instant, link: LinkId, name: Name) {
        if self.shutting_down {
            return self.close(link, CloseCode::Shutdown, "the node shuts down");
        }
        let greet_by = now + GREETING_TIMEOUT;
        self.timers.set(greet_by, Timer::Greeting(link));
        self.links.insert(link, Link::Client { name, instance: None, greet_by });
    }

    pub(super) fn peer_up(&mut self, now: Instant, link: LinkId, name: Name, dialed: bool) {
        if self.shutting_down {
            return self.close(link, CloseCode::Shutdown, "the node shuts down");
        }
        let node = NodeId::of(&name);
        if node == self.id {
            let text = format!("{name} is the name of this node too");
            return self.close(link, CloseCode::Refused, text);
        }
        let greet_by = now + GREETING_TIMEOUT;
        self.timers.set(greet_by, Timer::Greeting(link));
        self.links.insert(link, Link::Peer { name, node, dialed, greeted: None, greet_by });
        if dialed {
            self.greet(link);
        }
    }

    pub(super) fn link_down(&mut self, now: Instant, link: LinkId) {
        self.transfers.link_down(now, link);
        self.transit.link_down(link);
        self.passage.link_down(link);
        match self.links.remove(&link) {
            None => {}
            Some(Link::Client { instance, greet_by, .. }) => {
                self.timers.cancel(greet_by, Timer::Greeting(link));
                if let Some(instance) = instance {
                    self.detach(instance, link);
                }
            }
            Some(Link::Peer { name, node, greet_by, .. }) => {
                self.timers.cancel(greet_by, Timer::Greeting(link));
                self.forget_early(link, node);
                if self.peers.get(&node) == Some(&link) {
                    self.peers.remove(&node);
                    self.revocations_lost(node);
                    self.is_relinked = true;
                    for pull in self.table.peer_gone(now, node) {
                        self.pull(pull);
                    }
                    self.announce_neighbours(now);
                    self.effects.push_back(Effect::Event(Event::PeerLost { name }));
                }
            }
        }
    }

    /// A peer greeted: elects the link to use, and tells what this node knows.
    pub(super) fn greeted(&mut self, now: Instant, link: LinkId, node: NodeId, epoch: Epoch) {
        let Some(Link::Peer { name, dialed, greeted, greet_by, .. }) = self.links.get_mut(&link)
        else {
            return;
        };
        if greeted.is_some() {
            return self.close(link, CloseCode::Protocol, "the node greeted twice on one link");
        }
        *greeted = Some(Greeted { epoch, at: now });
        let (name, answer) = (name.clone(), !*dialed);
        self.timers.cancel(*greet_by, Timer::Greeting(link));
        self.forget_early(link, node);
        if answer {
            self.greet(link);
        }
        match self.peers.get(&node).copied() {
            None => {
                self.peers.insert(node, link);
                self.announce_neighbours(now);
                self.effects.push_back(Effect::Event(Event::PeerLinked { name, epoch }));
            }
            Some(old) if self.supersedes(link, old) => {
                self.peers.insert(node, link);
                self.is_relinked = true;
                self.timers.set(now + LINGER, Timer::Linger(old));
            }
            Some(_) => self.timers.set(now + LINGER, Timer::Linger(link)),
        }
        self.sum_up(node);
        self.show_revocations(node);
        self.show_later_life(link, node, epoch);
    }

    /// Shows a node on its own link what others hold of a later life of it: the link that leads there
    /// may be that of another process with its name.
    fn show_later_life(&mut self, link: LinkId, node: NodeId, greeted: Epoch) {
        let is_later = self.table.version_of(node).is_some_and(|held| held.epoch > greeted);
        if let Some(announcement) = self.table.announcement(node).filter(|_| is_later)
            && announcement.fits()
        {
            let message = PeerMessage::Snapshot(announcement);
            self.effects.push_back(Effect::ToPeer { link, message });
        }
    }

    /// The link on which a peer gets what it waits for.
    pub(super) fn link_back(&self, node: NodeId) -> Option<LinkId> {
        self.peers.get(&node).or_else(|| self.early.get(&node)).copied()
    }

    fn forget_early(&mut self, link: LinkId, node: NodeId) {
        if self.early.get(&node) == Some(&link) {
            self.early.remove(&node);
        }
    }

    pub(super) fn greeting_overdue(&mut self, link: LinkId) {
        let silent = match self.links.get(&link) {
            Some(Link::Client { instance, .. }) => instance.is_none(),
            Some(Link::Peer { greeted, .. }) => greeted.is_none(),
            None => false,
        };
        if silent {
            let text = format!("no greeting within {GREETING_TIMEOUT:?}");
            self.close(link, CloseCode::Protocol, text);
        }
    }

    /// A link that lost the election has been quiet for long enough.
    pub(super) fn linger_over(&mut self, link: LinkId) {
        if self.links.contains_key(&link) {
            self.close(link, CloseCode::Superseded, "another link to the same node is in use");
        }
    }

    fn greet(&mut self, link: LinkId) {
        let message = PeerMessage::Greeting(self.epoch);
        self.effects.push_back(Effect::ToPeer { link, message });
    }

    /// Whether a link that was just greeted is used from now on instead of the one that was.
    fn supersedes(&self, new: LinkId, old: LinkId) -> bool {
        let (Some((new, by_smaller)), Some((old, old_by_smaller))) =
            (self.greeting(new), self.greeting(old))
        else {
            return true;
        };
        if new.epoch != old.epoch {
            return new.epoch > old.epoch;
        }
        let is_at_once = new.at < old.at + AT_ONCE;
        !is_at_once || by_smaller || !old_by_smaller
    }

    /// The greeting on a link of a peer, and whether the one of the two with the smaller id dialed.
    fn greeting(&self, link: LinkId) -> Option<(Greeted, bool)> {
        let Link::Peer { node, dialed, greeted, .. } = self.links.get(&link)? else { return None };
        Some(((*greeted)?, *dialed == (self.id < *node)))
    }
}

/// Links that are greeted within this may have been dialed at the same time, from both ends: many
/// round trips between institutions.
const AT_ONCE: Duration = Duration::from_secs(2);

/// How long a link that is not used any more stays open: many round trips between institutions.
const LINGER: Duration = Duration::from_secs(1);

/// How long a link may stay without a greeting.
pub(super) const GREETING_TIMEOUT: Duration = Duration::from_secs(5);
