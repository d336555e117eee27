//! Tells what the core wants told: one line in the log for each event.

use std::net::IpAddr;

use amop_core::node::{Event, LinkId};
use amop_wire::{Instant, Name};
use tracing::{debug, error, info, warn};

use super::{Driver, State};
use crate::node::Status;

impl Driver {
    /// Whether the end of a link by this party's fault is worth a line, and how many there were without one.
    pub(crate) fn is_worth_telling(&self, party: &Name) -> Option<u64> {
        let now = self.now();
        self.lock().complaints.ended(now, party)
    }

    /// Whether the loss of a link with this party is worth a line, and how many there were without one.
    pub(crate) fn is_worth_telling_lost(&self, party: &Name) -> Option<u64> {
        let now = self.now();
        self.lock().complaints.lost(now, party)
    }

    /// Whether a link from this address that was not made is worth a line, and how many there were without.
    pub(crate) fn is_worth_telling_of(&self, addr: IpAddr) -> Option<u64> {
        let now = self.now();
        self.lock().complaints.not_linked(now, addr)
    }
}

impl State {
    /// What those who look at the node are told.
    pub(super) fn status(&self) -> Status {
        let mut peers: Vec<Name> = self.core.peers().cloned().collect();
        peers.sort_unstable();
        Status {
            peers,
            clients: self.core.session_count(),
            refused_announcements: self.complaints.refused_count(),
            refused_lists: self.complaints.bad_list_count(),
            refused_messages: self.complaints.untrue_count(),
            unknown_messages: self.complaints.unknown_count(),
            is_superseded: self.is_superseded,
            is_drained: self.is_drained,
        }
    }

    /// Somebody said what only a newer version understands.
    pub(super) fn skip_unknown(&mut self, now: Instant, link: LinkId) {
        if let Some(out) = self.links.get(&link) {
            self.complaints.unknown(now, &out.name);
            self.changed = true;
        }
    }

    pub(super) fn tell(&mut self, now: Instant, event: &Event) {
        match event {
            Event::ClientAttached { name, instance, generation } => {
                debug!(client = %name, %instance, generation = generation.0, "client attached");
            }
            Event::ClientDetached { name, instance } => {
                debug!(client = %name, %instance, "client detached");
            }
            Event::PeerLinked { name, epoch } => {
                info!(peer = %name, epoch = epoch.0, "peer linked");
            }
            Event::Emptied => debug!("every client has left"),
            Event::Drained => {
                self.is_drained = true;
                info!("drained");
            }
            Event::Superseded { by } => {
                self.is_superseded = true;
                error!(
                    by = by.0,
                    "another process runs with the name of this node; this one gives way and stops"
                );
            }
            Event::Outlived { seen, epoch } => warn!(
                seen = seen.0,
                epoch = epoch.0,
                "others knew a later life of this node; is another process running with its name?"
            ),
            Event::Refused { peer, what } => self.complaints.refused(now, peer, what),
            Event::RevocationsRefused { peer, why } => {
                self.complaints.bad_list(now, peer, why);
            }
            Event::Untrue { by, what } => self.complaints.untrue(now, by, what),
            Event::PeerLost { name } => warn!(peer = %name, "peer lost"),
        }
    }
}
