//! Who is at the other end of each link, and which of several links to a peer is used.
//!
//! A link counts only once the other end has greeted. Of two links to the same peer stays the one
//! to its later life; within one life the one that the node with the smaller id dialed, so that
//! two nodes that dial each other at the same time keep the same link; and of two alike the newer,
//! since a party that dials again has lost the older one. Nothing more is sent on the other link,
//! but it is closed only a second later: the peer may have elected it for a moment, and what it
//! sent meanwhile must arrive.

use std::time::Duration;

use amop_wire::{CloseCode, Epoch, Instance, Instant, Name, NodeId, PeerMessage};

use super::{Effect, Event, LinkId, Node, Timer};

/// The other end of a link.
#[derive(Debug)]
pub(super) enum Link {
    /// A client; its instance once it has attached.
    Client { name: Name, instance: Option<Instance>, greet_by: Instant },
    /// A node; its epoch once it has greeted.
    Peer { name: Name, node: NodeId, dialed: bool, epoch: Option<Epoch>, greet_by: Instant },
}

impl Link {
    pub(super) fn name(&self) -> &Name {
        match self {
            Self::Client { name, .. } | Self::Peer { name, .. } => name,
        }
    }
}

impl Node {
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
        self.links.insert(link, Link::Peer { name, node, dialed, epoch: None, greet_by });
        if dialed {
            self.greet(link);
        }
    }

    pub(super) fn link_down(&mut self, now: Instant, link: LinkId) {
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
                if self.peers.get(&node) == Some(&link) {
                    self.peers.remove(&node);
                    self.is_relinked = true;
                    for pull in self.table.peer_gone(now, node) {
                        self.pull(pull);
                    }
                    self.table.set_neighbours(now, self.peers.keys().copied().collect());
                    self.effects.push_back(Effect::Event(Event::PeerLost { name }));
                }
            }
        }
    }

    /// A peer greeted: elects the link to use, and tells what this node knows.
    pub(super) fn greeted(&mut self, now: Instant, link: LinkId, node: NodeId, greeted: Epoch) {
        let Some(Link::Peer { name, dialed, epoch, greet_by, .. }) = self.links.get_mut(&link)
        else {
            return;
        };
        if epoch.is_some() {
            return self.close(link, CloseCode::Protocol, "the node greeted twice on one link");
        }
        *epoch = Some(greeted);
        let (name, answer) = (name.clone(), !*dialed);
        self.timers.cancel(*greet_by, Timer::Greeting(link));
        if answer {
            self.greet(link);
        }
        match self.peers.get(&node).copied() {
            None => {
                self.peers.insert(node, link);
                self.table.set_neighbours(now, self.peers.keys().copied().collect());
                let epoch = greeted;
                self.effects.push_back(Effect::Event(Event::PeerLinked { name, epoch }));
            }
            Some(old) if self.rank(link) > self.rank(old) => {
                self.peers.insert(node, link);
                self.is_relinked = true;
                self.timers.set(now + LINGER, Timer::Linger(old));
            }
            Some(_) => self.timers.set(now + LINGER, Timer::Linger(link)),
        }
        self.sum_up(node);
        self.show_later_life(link, node, greeted);
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

    pub(super) fn greeting_overdue(&mut self, link: LinkId) {
        let silent = match self.links.get(&link) {
            Some(Link::Client { instance, .. }) => instance.is_none(),
            Some(Link::Peer { epoch, .. }) => epoch.is_none(),
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

    /// Orders the links to one peer: the highest is used.
    fn rank(&self, link: LinkId) -> Option<(Option<Epoch>, bool, LinkId)> {
        let Link::Peer { node, dialed, epoch, .. } = self.links.get(&link)? else { return None };
        let dialed_by_smaller = *dialed == (self.id < *node);
        Some((*epoch, dialed_by_smaller, link))
    }
}

/// How long a link that is not used any more stays open: many round trips between institutions.
const LINGER: Duration = Duration::from_secs(1);

/// How long a link may stay without a greeting.
pub(super) const GREETING_TIMEOUT: Duration = Duration::from_secs(5);
