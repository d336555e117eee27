//! Stopping without harm: the clients go elsewhere first, then the way over this node, then the node.
//!
//! ```text
//!  Serving ──Drain──▶ Emptying ──nobody is left──▶ Relaying ──LINGER──▶ shut down
//!                        └──────────────────DRAIN_MAX─────────────────────▲
//! ```
//!
//! Who is attached is told, and leaves once what it has published here has an end: it publishes the next
//! elsewhere. Nobody else is taken in. Once nobody is left the node announces no neighbours any more, so
//! that no path leads over it, and passes on for a while what is on its way already.

use std::time::Duration;

use amop_wire::{CloseCode, CloseReason, Instant, NodeId, NodeMessage};

use super::{Effect, Event, Node, Timer};

/// How far a node is with stopping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Drain {
    /// It does not stop.
    #[default]
    Serving,
    /// Clients are attached, or have publishes without an outcome.
    Emptying {
        /// From then on whoever publishes here has not listened.
        refuse_from: Instant,
    },
    /// It only passes on what others say.
    Relaying,
}

impl Drain {
    /// Whether a publish that comes now is refused. What crosses the word that its client should leave
    /// is not.
    pub(super) fn refuses(self, now: Instant) -> bool {
        match self {
            Self::Serving => false,
            Self::Emptying { refuse_from } => refuse_from <= now,
            Self::Relaying => true,
        }
    }
}

impl Node {
    pub(super) fn start_draining(&mut self, now: Instant) {
        if self.drain != Drain::Serving || self.shutting_down {
            return;
        }
        self.drain = Drain::Emptying { refuse_from: now + HEARD };
        self.timers.set(now + DRAIN_MAX, Timer::Drain);
        let mut links: Vec<_> = self.sessions.values().map(|session| session.link).collect();
        links.sort_unstable();
        for link in links {
            self.effects.push_back(Effect::ToClient { link, message: NodeMessage::Draining });
        }
    }

    /// Lets no path lead over this node any more, once nobody needs it for himself.
    pub(super) fn drain_on(&mut self, now: Instant) {
        let is_needed = !self.sessions.is_empty() || self.under_way > 0;
        if is_needed || !matches!(self.drain, Drain::Emptying { .. }) {
            return;
        }
        self.drain = Drain::Relaying;
        self.effects.push_back(Effect::Event(Event::Emptied));
        self.announce_neighbours(now);
        self.timers.set(now + LINGER, Timer::Drain);
    }

    /// Stops, whatever is left.
    pub(super) fn drained(&mut self) {
        if !self.shutting_down {
            self.effects.push_back(Effect::Event(Event::Drained));
            self.shut_down();
        }
    }

    /// Closes every link, and takes in no more.
    pub(super) fn shut_down(&mut self) {
        self.shutting_down = true;
        for &link in self.links.keys() {
            let reason = CloseReason::new(CloseCode::Shutdown, "the node shuts down");
            self.effects.push_back(Effect::Close { link, reason });
        }
    }

    pub(super) fn announce_neighbours(&mut self, now: Instant) {
        let peers: Vec<NodeId> = match self.drain {
            Drain::Serving | Drain::Emptying { .. } => self.peers.keys().copied().collect(),
            Drain::Relaying => Vec::new(),
        };
        self.table.set_neighbours(now, peers);
    }
}

/// Draining takes no longer, whatever is left.
const DRAIN_MAX: Duration = Duration::from_secs(30);

/// How long the word to leave may take to a client, and what it has sent before to here.
const HEARD: Duration = Duration::from_secs(2);

/// How long what is on its way may take, once no path leads here.
const LINGER: Duration = Duration::from_secs(1);
