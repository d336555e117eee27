//! Own topics out to every peer, the topics of peers in.
//!
//! A change is pushed at the end of the batch that brought it, or 20 ms after the push before, so
//! that a storm of changes costs each link 50 frames a second. Every 5 s a heartbeat tells the
//! version, so that a peer that missed something asks.

use std::time::Duration;

use amop_wire::limits::PAYLOAD_BYTES_MAX;
use amop_wire::{CloseCode, Instant, NodeId, PeerMessage, TopicChanges, TopicSet};

use super::{LinkId, Node};

/// When to tell the peers about our own topics.
#[derive(Debug, Default)]
pub(super) struct Announcer {
    /// No push before this moment.
    quiet_until: Instant,
    /// A change waits for that moment.
    waiting: bool,
    heartbeat_at: Instant,
}

impl Announcer {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let push = self.waiting.then_some(self.quiet_until);
        push.into_iter().chain([self.heartbeat_at]).min()
    }
}

impl Node {
    /// Pushes what changed, unless the push before is too recent.
    pub(super) fn push_changes(&mut self, now: Instant) {
        if now < self.announcer.quiet_until {
            self.announcer.waiting = self.table.has_changes();
            return;
        }
        self.announcer.waiting = false;
        let Some(changes) = self.table.take_changes() else { return };
        self.announcer.quiet_until = now + PUSH_INTERVAL;
        // Changes too many for one frame are told by the next heartbeat: the peers then fetch all.
        if changes.encoded().len() <= PAYLOAD_BYTES_MAX {
            self.tell_peers(&PeerMessage::Changes(changes));
        }
    }

    pub(super) fn heartbeat(&mut self, now: Instant) {
        if self.announcer.heartbeat_at <= now {
            self.announcer.heartbeat_at = now + HEARTBEAT_INTERVAL;
            self.tell_peers(&PeerMessage::Heartbeat(self.table.own_version()));
        }
    }

    pub(super) fn snapshot(&mut self, link: LinkId, node: NodeId, set: &TopicSet) {
        if let Err(full) = self.table.apply_snapshot(node, set) {
            self.table.forget(node);
            self.close(link, CloseCode::Protocol, full.to_string());
        }
    }

    pub(super) fn changes(
        &mut self,
        now: Instant,
        link: LinkId,
        node: NodeId,
        changes: &TopicChanges,
    ) {
        match self.table.apply_changes(now, node, changes) {
            Ok(None) => {}
            Ok(Some(fetch)) => self.pull(node, fetch),
            Err(full) => {
                self.table.forget(node);
                self.close(link, CloseCode::Protocol, full.to_string());
            }
        }
    }

    fn tell_peers(&mut self, message: &PeerMessage) {
        let peers: Vec<NodeId> = self.peers.keys().copied().collect();
        for node in peers {
            self.tell_peer(node, message.clone());
        }
    }
}

/// How long changes are gathered after a push.
const PUSH_INTERVAL: Duration = Duration::from_millis(20);

/// The heartbeat of the source documents: "synchronize seq to other nodes every 5 seconds".
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
