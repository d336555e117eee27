//! What each node announces, and to whom it is news.
//!
//! A change of our own announcement is pushed at the end of the batch that brought it, or 20 ms
//! after the push before, so that a storm of changes costs each link 50 frames a second. Whoever
//! finds it new passes it on. Every 5 s a heartbeat sums up what a node knows; if it is not the
//! same as the peer's, that says what it has, and each pulls what it lacks.

use std::time::Duration;

use amop_topic_table::{Heard, Pull};
use amop_wire::limits::{NODES_MAX, PAYLOAD_BYTES_MAX};
use amop_wire::{
    Announcement, AnnouncementChanges, CloseCode, Epoch, Instant, NodeId, PeerMessage, Version,
};

use super::{Effect, Event, LinkId, Node};

/// When to tell the peers what.
#[derive(Debug, Default)]
pub(super) struct Announcer {
    /// No push before this moment.
    quiet_until: Instant,
    /// Something waits for that moment.
    waiting: bool,
    /// Something was pulled that may be news for others.
    has_news: bool,
    heartbeat_at: Instant,
    /// Our epoch is not raised before this moment.
    raise_from: Instant,
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
            self.announcer.waiting = self.table.has_changes() || self.announcer.has_news;
            return;
        }
        self.announcer.waiting = false;
        let changes = self.table.take_changes();
        let has_news = std::mem::take(&mut self.announcer.has_news);
        if changes.is_some() || has_news {
            self.announcer.quiet_until = now + PUSH_INTERVAL;
        }
        // Changes too many for one frame are told by the next heartbeat: the peers then pull all.
        if let Some(changes) = changes
            && changes.encoded().len() <= PAYLOAD_BYTES_MAX
        {
            self.tell_peers(None, &PeerMessage::Changes(changes));
        }
        if has_news {
            self.tell_peers(None, &PeerMessage::Summary(self.table.summary().collect()));
        }
    }

    pub(super) fn heartbeat(&mut self, now: Instant) {
        if self.announcer.heartbeat_at <= now {
            self.announcer.heartbeat_at = now + HEARTBEAT_INTERVAL;
            self.tell_peers(None, &PeerMessage::Heartbeat(self.table.digest()));
        }
    }

    /// A peer sums up what it knows.
    pub(super) fn heartbeat_of(&mut self, peer: NodeId, digest: u64) {
        if digest != self.table.digest() {
            self.sum_up(peer);
        }
    }

    /// Says what this node knows, also of an earlier life of the peer itself.
    pub(super) fn sum_up(&mut self, peer: NodeId) {
        let mut entries: Vec<(NodeId, Version)> = self.table.summary().collect();
        if let Some(version) = self.table.version_of(peer)
            && entries.iter().all(|&(node, _)| node != peer)
        {
            entries.push((peer, version));
        }
        entries.truncate(NODES_MAX);
        self.tell_peer(peer, PeerMessage::Summary(entries));
    }

    /// A peer says what it knows.
    pub(super) fn summarized(&mut self, now: Instant, peer: NodeId, entries: &[(NodeId, Version)]) {
        let own = entries.iter().find(|(node, _)| *node == self.id);
        if let Some((_, Version { epoch, .. })) = own
            && *epoch > self.epoch
        {
            self.outlived(now, *epoch);
        }
        let first_hand: Vec<(NodeId, Version)> =
            entries.iter().copied().filter(|&(node, _)| !self.is_hearsay(peer, node)).collect();
        for pull in self.table.weigh_summary(now, peer, &first_hand) {
            self.pull(pull);
        }
    }

    /// A peer knows a life of this node that counts as later, so nothing that we announce would be
    /// news there. Two processes of one name would do this in turns, hence not too often.
    fn outlived(&mut self, now: Instant, seen: Epoch) {
        let jump = seen.0.saturating_sub(self.epoch.0);
        if now < self.announcer.raise_from || jump > JUMP_MAX {
            return;
        }
        self.announcer.raise_from = now + RAISE_INTERVAL;
        let epoch = Epoch(seen.0.saturating_add(1));
        self.epoch = epoch;
        self.table.raise_epoch(epoch);
        self.effects.push_back(Effect::Event(Event::Outlived { seen, epoch }));
    }

    /// A neighbour is believed about itself, nobody else about a neighbour.
    fn is_hearsay(&self, peer: NodeId, about: NodeId) -> bool {
        peer != about && self.peers.contains_key(&about)
    }

    pub(super) fn pull(&mut self, Pull { node, via }: Pull) {
        self.tell_peer(via, PeerMessage::Pull(node));
    }

    /// A peer wants to know what a node announces.
    pub(super) fn pulled(&mut self, peer: NodeId, of: NodeId) {
        if let Some(announcement) = self.table.announcement(of)
            && announcement.fits()
        {
            self.tell_peer(peer, PeerMessage::Snapshot(announcement));
        }
    }

    pub(super) fn snapshot(
        &mut self,
        now: Instant,
        link: LinkId,
        peer: NodeId,
        announcement: &Announcement,
    ) {
        if self.is_hearsay(peer, NodeId::of(announcement.name())) {
            return;
        }
        match self.table.apply_snapshot(now, announcement) {
            Ok(is_news) => {
                self.announcer.has_news |= is_news;
                let all = announcement.topics().iter().flat_map(|(_, all)| all);
                self.moved.extend(all.map(|subscriber| subscriber.instance));
            }
            Err(full) => {
                self.table.forget(now, NodeId::of(announcement.name()));
                self.close(link, CloseCode::Protocol, full.to_string());
            }
        }
    }

    pub(super) fn changes(
        &mut self,
        now: Instant,
        link: LinkId,
        peer: NodeId,
        changes: AnnouncementChanges,
    ) {
        if self.is_hearsay(peer, NodeId::of(changes.name())) {
            return;
        }
        match self.table.apply_changes(now, peer, &changes) {
            Ok(Heard::News) => {
                let all = changes.changes().iter();
                self.moved.extend(all.map(|change| change.subscriber.instance));
                self.tell_peers(Some(peer), &PeerMessage::Changes(changes));
            }
            Ok(Heard::Hole(pull)) => self.pull(pull),
            Ok(Heard::Old) => {}
            Err(full) => {
                self.table.forget(now, NodeId::of(changes.name()));
                self.close(link, CloseCode::Protocol, full.to_string());
            }
        }
    }

    /// Tells all peers, or all but one.
    fn tell_peers(&mut self, but: Option<NodeId>, message: &PeerMessage) {
        let peers = self.peers.keys().copied().filter(|&peer| Some(peer) != but);
        for node in peers.collect::<Vec<NodeId>>() {
            self.tell_peer(node, message.clone());
        }
    }
}

/// How long an epoch stays at least before it is raised again.
const RAISE_INTERVAL: Duration = Duration::from_secs(60);

/// An epoch that is farther ahead, 35 years in milliseconds, is nobody's clock but a lie.
const JUMP_MAX: u64 = 1 << 40;

/// How long changes are gathered after a push.
const PUSH_INTERVAL: Duration = Duration::from_millis(20);

/// The heartbeat of the source documents: "synchronize seq to other nodes every 5 seconds".
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
