//! What each node announces, and to whom it is news.
//!
//! A change of our own announcement is pushed at the end of the batch that brought it, or 20 ms
//! after the push before, so that a storm of changes costs each link 50 frames a second. Each push
//! is a version that was signed for it; nobody is told of the versions in between. Whoever finds it
//! new passes it on. Every 5 s a heartbeat sums up what a node knows; if it is not the same as the
//! peer's, that says what it has, and each pulls what it lacks.
//!
//! Whoever has not signed anything for a minute signs a version in which nothing is new. That is its
//! sign of life: without one its announcement expires at the others.

use std::collections::BTreeSet;
use std::time::Duration;

use amop_topic_table::{Heard, Pull, TableFull};
use amop_wire::limits::NODES_MAX;
use amop_wire::{
    Announcement, AnnouncementChanges, Chain, CloseCode, Epoch, Instance, Instant, NodeId,
    NodeMessage, PeerMessage, Seq, SignedHead, Version,
};
use bytes::Bytes;

use super::links::Link;
use super::{Effect, Event, LinkId, Node, Refusal, Refused};

/// When to tell the peers what.
#[derive(Debug, Default)]
pub(super) struct Announcer {
    /// No push before this moment.
    quiet_until: Instant,
    /// Something waits for that moment.
    waiting: bool,
    /// Whose announcements were pulled and may be news for others. They hear of them once a path
    /// leads there.
    news: BTreeSet<NodeId>,
    /// Peers that pulled our own announcement while its present version was not signed.
    owed: BTreeSet<NodeId>,
    heartbeat_at: Instant,
    /// When the next sign of life is due, once something was signed.
    renew_at: Option<Instant>,
    /// Our epoch is not raised before this moment.
    raise_from: Instant,
    /// How often it was raised in this life.
    raises: u32,
}

impl Announcer {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let push = self.waiting.then_some(self.quiet_until);
        push.into_iter().chain([self.heartbeat_at]).chain(self.renew_at).min()
    }
}

impl Node {
    /// Has what changed signed, to be pushed then, unless the push before is too recent.
    pub(super) fn push_changes(&mut self, now: Instant) {
        if now < self.announcer.quiet_until {
            self.announcer.waiting = self.table.has_changes() || !self.announcer.news.is_empty();
            return;
        }
        self.announcer.waiting = false;
        let head = self.table.propose();
        let news = self.take_news();
        if head.is_some() || !news.is_empty() {
            self.announcer.quiet_until = now + PUSH_INTERVAL;
        }
        if !news.is_empty() {
            self.tell_peers(None, &PeerMessage::Summary(news));
        }
        if let Some(head) = head {
            self.effects.push_back(Effect::Sign { message: head.to_sign() });
        }
    }

    /// Takes what was pulled and counts now. A whole summary would do as well, but where a thousand
    /// nodes come up together it would cost each link more than all that they announce.
    fn take_news(&mut self) -> Vec<(NodeId, Version)> {
        let mut news = Vec::new();
        self.announcer.news.retain(|&node| {
            let Some(version) = self.table.counting_version_of(node) else {
                return self.table.version_of(node).is_some();
            };
            news.push((node, version));
            false
        });
        news
    }

    /// Pushes what was signed.
    pub(super) fn signed(&mut self, now: Instant, signature: Bytes, chain: Chain) {
        let Some(changes) = self.table.sign(signature, chain) else { return };
        self.announcer.renew_at = Some(now + self.renew_interval());
        // Changes too many for one frame are told by the next heartbeat: the peers then pull all.
        if changes.fits() {
            self.tell_peers(None, &PeerMessage::Changes(changes));
        }
        for peer in std::mem::take(&mut self.announcer.owed) {
            self.pulled(peer, self.id);
        }
    }

    pub(super) fn heartbeat(&mut self, now: Instant) {
        if self.announcer.heartbeat_at <= now {
            let late = now.saturating_since(self.announcer.heartbeat_at);
            if late >= HEARTBEAT_INTERVAL {
                self.table.slept(late);
            }
            self.announcer.heartbeat_at = now + HEARTBEAT_INTERVAL;
            self.tell_peers(None, &PeerMessage::Heartbeat(self.table.digest()));
        }
    }

    /// Has the present version signed anew if nothing else was for long.
    pub(super) fn renew(&mut self, now: Instant) {
        if self.announcer.renew_at.is_some_and(|at| at <= now) {
            self.announcer.renew_at = Some(now + self.renew_interval());
            self.table.renew();
        }
    }

    /// Until the next sign of life: another span for each node and version, so that nodes that
    /// started together do not go on together.
    fn renew_interval(&self) -> Duration {
        let seq = self.table.own_version().seq.0;
        let draw = self.id.as_bytes().iter().fold(seq, |draw, &byte| {
            (draw ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3) // FNV-1a
        });
        RENEW_INTERVAL_MIN + Duration::from_millis((draw >> 32) % RENEW_JITTER_MILLIS)
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
        if own.is_some_and(|(_, version)| *version > self.table.own_version()) {
            self.tell_peer(peer, PeerMessage::Pull(self.id)); // Its word alone proves nothing.
        }
        let lagging = self.table.lagging(entries);
        if !lagging.is_empty() {
            self.tell_peer(peer, PeerMessage::Summary(lagging));
        }
        for pull in self.table.weigh_summary(now, peer, entries) {
            self.pull(pull);
        }
    }

    /// Peers hold an announcement of this very node that counts as later than ours, or is another under
    /// the same version, so nothing that we announce would be news there. Either it is of an earlier
    /// life, whose epoch was lost: then counting as later still ends it. Or another process has our
    /// name and does the same in turns: then the one that has come to the end of its turns first
    /// gives way.
    fn outlived(&mut self, now: Instant, seen: Epoch) {
        let jump = seen.0.saturating_sub(self.epoch.0);
        if now < self.announcer.raise_from || jump > JUMP_MAX {
            return;
        }
        if self.announcer.raises >= RAISES_MAX {
            self.effects.push_back(Effect::Event(Event::Superseded { by: seen }));
            return self.shut_down();
        }
        self.announcer.raises += 1;
        self.announcer.raise_from = now + RAISE_INTERVAL;
        let epoch = Epoch(seen.0.saturating_add(1));
        self.count_as(epoch);
        self.effects.push_back(Effect::Event(Event::Outlived { seen, epoch }));
    }

    /// Others judge changes by the certificate that they hold, and take another only with a snapshot. A later
    /// epoch makes them ask for one.
    pub(super) fn recertified(&mut self) {
        self.count_as(Epoch(self.epoch.0.saturating_add(1)));
    }

    fn count_as(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        self.table.raise_epoch(epoch);
        self.watches.touch_all();
        let attached: BTreeSet<Instance> = self.sessions.keys().copied().collect();
        for instance in attached {
            self.tell_client(instance, NodeMessage::Outlived { epoch });
        }
    }

    pub(super) fn pull(&mut self, Pull { node, via }: Pull) {
        self.tell_peer(via, PeerMessage::Pull(node));
    }

    /// A peer wants to know what a node announces. Of our own it is told once that is signed, at the
    /// next push.
    pub(super) fn pulled(&mut self, peer: NodeId, of: NodeId) {
        if of == self.id && self.table.has_changes() {
            self.announcer.owed.insert(peer);
        } else if let Some(announcement) = self.table.announcement(of)
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
        if announcement.signed().node() == self.id {
            return self.outlived(now, announcement.version().epoch);
        }
        let heard = self.table.apply_snapshot(now, peer, announcement);
        if self.weigh(link, announcement.signed(), heard) {
            self.announcer.news.insert(announcement.signed().node());
            let all = announcement.topics().iter().flat_map(|(_, all)| all);
            self.moved.extend(all.map(|subscriber| subscriber.instance));
            self.watches.touch_all();
        }
    }

    pub(super) fn changes(
        &mut self,
        now: Instant,
        link: LinkId,
        peer: NodeId,
        changes: AnnouncementChanges,
    ) {
        if changes.signed().node() == self.id {
            return self.outlived(now, changes.version().epoch);
        }
        let life = |node: &Self| Some(node.table.version_of(changes.signed().node())?.epoch);
        let before = life(self);
        let heard = self.table.apply_changes(now, peer, &changes);
        if life(self) != before {
            self.watches.touch_all();
        }
        if self.weigh(link, changes.signed(), heard) {
            let all = changes.changes().iter();
            self.moved.extend(all.map(|change| change.subscriber.instance));
            changes.changes().iter().for_each(|change| self.watches.touch(&change.topic));
            if changes.fits() {
                self.tell_peers(Some(peer), &PeerMessage::Changes(changes));
            }
        }
    }

    /// Does what follows from what the table found; says whether it is news.
    fn weigh(
        &mut self,
        link: LinkId,
        signed: &SignedHead,
        heard: Result<Heard, TableFull>,
    ) -> bool {
        match heard {
            Ok(Heard::News) => return true,
            Ok(Heard::Old) => {}
            Ok(Heard::Hole(pull)) => self.pull(pull),
            Ok(Heard::Altered(pull)) => {
                self.distrust(link, signed, Refusal::Altered);
                self.show_contradiction(link, signed.node());
                pull.into_iter().for_each(|pull| self.pull(pull));
            }
            Ok(Heard::Contradicts) => {
                self.distrust(link, signed, Refusal::Contradicts);
                self.show_contradiction(link, signed.node());
            }
            Err(full) => self.close(link, CloseCode::Protocol, full.to_string()),
        }
        false
    }

    /// Shows a node on its own link what it signed in another life, under a version that it has reached
    /// again: nobody would take what it says now, or what follows from it.
    fn show_contradiction(&mut self, link: LinkId, node: NodeId) {
        let is_its =
            matches!(self.links.get(&link), Some(Link::Peer { node: at, .. }) if *at == node);
        if let Some(head) = self.table.signed_by(node).filter(|_| is_its)
            && let Some(before) = head.version().seq.0.checked_sub(1)
        {
            let changes = AnnouncementChanges::new(Seq(before), head.clone(), None, Vec::new());
            self.effects.push_back(Effect::ToPeer { link, message: PeerMessage::Changes(changes) });
        }
    }

    fn distrust(&mut self, link: LinkId, signed: &SignedHead, why: Refusal) {
        let Some(peer) = self.links.get(&link).map(Link::name) else { return };
        let what = Refused { origin: signed.name().clone(), why };
        self.effects.push_back(Effect::Event(Event::Refused { peer: peer.clone(), what }));
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
const RAISE_INTERVAL: Duration = Duration::from_secs(1);

/// How often it is raised in one life: more than there are earlier lives that anybody holds.
const RAISES_MAX: u32 = 5;

/// An epoch that is farther ahead, 35 years in milliseconds, is nobody's clock but a lie.
const JUMP_MAX: u64 = 1 << 40;

/// How long changes are gathered after a push.
const PUSH_INTERVAL: Duration = Duration::from_millis(20);

/// The least time between two signs of life; others count on one a minute ...
const RENEW_INTERVAL_MIN: Duration = Duration::from_secs(45);

/// ... and how much longer it may be.
const RENEW_JITTER_MILLIS: u64 = 15_000;

/// The heartbeat of the source documents: "synchronize seq to other nodes every 5 seconds".
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
