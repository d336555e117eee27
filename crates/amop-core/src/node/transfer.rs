//! File messages on their way from client to client, as a node passes them on.
//!
//! ```text
//!   link ──▶ file ──▶ towards the end that it names ──▶ the lane of that link ──▶ poll_file ──▶ driver
//!                                                                                     │
//!   link ◀── the sender's neighbour is told what was passed on (FILE-12) ◀────────────┘
//! ```
//!
//! A node passes on one message after another, by what it knows of the network at that moment, and
//! keeps nothing but the bounded queues of each link: what is lost with a link the ends send again.
//! As home node it chooses who receives what its client sends to nobody by name, and says who sends.
//!
//! The driver takes what waits when a link has room, so nothing here waits for a slow link.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use amop_topic_table::Candidate;
use amop_wire::limits::FILE_WINDOW_BYTES;
use amop_wire::{
    Code, FileBody, FileEnd, FileFound, FileMessage, FileOffer, FoundReceiver, Instance, Instant,
    MsgId, PeerMessage, Reason, Topic,
};

use super::passage::{Crossing, Neighbours};
use super::{Link, LinkId, Node};
use crate::transfer::{Beside, FileLane, FileWindows, Queued};

/// What waits on the lanes for files.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    links: BTreeMap<LinkId, LinkFiles>,
    /// Links on which something may be sent.
    ready: BTreeSet<LinkId>,
    /// When a message last came to this node from anywhere.
    message_at: Option<Instant>,
}

/// The files of one link.
#[derive(Debug, Default)]
struct LinkFiles {
    /// What is to be sent on it, and on which link it came.
    lane: FileLane<LinkId>,
    /// What came on it and was passed on.
    windows: FileWindows,
}

/// Why a message gets no further.
enum Stopped {
    /// No node leads there.
    NoWay,
    /// Its client is not attached here, though it should be.
    ClientGone,
}

impl Transfers {
    /// A message of a client came: files make way for those that follow it (FILE-12).
    pub(super) fn make_way(&mut self, now: Instant) {
        self.message_at = Some(now);
    }

    /// Likewise if this is a message of a client on its way to another. Answers follow requests over the same nodes.
    pub(super) fn make_way_for(&mut self, now: Instant, message: &PeerMessage) {
        use PeerMessage::{Multicast, Relay, Request, Tree};
        if matches!(message, Request(_) | Multicast(_) | Relay(_) | Tree(_)) {
            self.make_way(now);
        }
    }

    /// What files share their links with. A node has one thread for all its links, so that a message waits for
    /// what comes in on any of them.
    fn beside(&self, now: Instant) -> Beside {
        match self.message_at {
            Some(at) if now < at + QUIET_AFTER => Beside::Messages,
            Some(_) | None => Beside::Files,
        }
    }

    /// How many messages wait on all links.
    pub(super) fn waiting(&self) -> usize {
        self.links.values().map(|files| files.lane.len()).sum()
    }

    /// Forgets a link: what waits for it was not sent, and its ends notice.
    pub(super) fn link_down(&mut self, now: Instant, link: LinkId) {
        self.ready.remove(&link);
        let Some(files) = self.links.remove(&link) else { return };
        for (from, message) in files.lane.drain() {
            self.passed(now, from, &message);
        }
    }

    /// A message is not held here any more: its neighbour may send as much again. So it is also with what
    /// was dropped, or else what follows would wait for the next round.
    fn passed(&mut self, now: Instant, from: LinkId, message: &FileMessage) {
        let beside = self.beside(now);
        if let Some(files) = self.links.get_mut(&from)
            && let Some(window) = files.windows.passed(message, beside)
        {
            self.push(now, from, from, window);
        }
    }

    /// Whether this transfer has a place on that link, or may have one more beside those on all links.
    fn has_room(&mut self, now: Instant, to: LinkId, message: &FileMessage, most: usize) -> bool {
        let has_place = |files: &LinkFiles| files.lane.has_place(&message.route);
        if self.links.get(&to).is_some_and(has_place) {
            return true;
        }
        if self.count() >= most {
            self.forget_idle(now);
        }
        self.count() < most
    }

    /// Forgets what senders have left that are gone.
    pub(super) fn forget_idle(&mut self, now: Instant) {
        self.links.values_mut().for_each(|files| files.lane.forget_idle(now));
    }

    /// How many transfers have a place on any link.
    fn count(&self) -> usize {
        self.links.values().map(|files| files.lane.transfers()).sum()
    }

    fn push(&mut self, now: Instant, to: LinkId, from: LinkId, message: FileMessage) -> Queued {
        self.ready.insert(to);
        self.links.entry(to).or_default().lane.push(now, from, message)
    }

    /// A transfer ended at its receiver, behind the first link: the second leads to its sender.
    fn forget(&mut self, receiver: LinkId, sender: LinkId, message: &FileMessage) {
        if let Some(files) = self.links.get_mut(&receiver) {
            files.lane.forget(&message.route);
        }
        if let Some(files) = self.links.get_mut(&sender) {
            files.windows.forget(&message.route);
        }
    }
}

impl Node {
    /// The links on which file messages may wait, for the driver to [take](Self::poll_file) as far as
    /// there is room.
    pub fn file_links(&self) -> impl Iterator<Item = LinkId> {
        self.transfers.ready.iter().copied()
    }

    /// How many transfers of files this node passes on, or did within the last minute.
    #[must_use]
    pub fn file_transfers(&self) -> usize {
        self.transfers.count()
    }

    /// Takes the next file message to send on a link; `None` until something new waits there.
    ///
    /// Taking it lets whoever sent it go on, so it is taken when it can be sent and not earlier. What is only too
    /// early for its rate comes when [`poll_timeout`](Self::poll_timeout) says, which is asked afterwards.
    pub fn poll_file(&mut self, now: Instant, link: LinkId) -> Option<FileMessage> {
        let Some((from, message)) = self.pop_in_time(now, link) else {
            self.transfers.ready.remove(&link);
            return None;
        };
        if let Some(from) = from {
            self.transfers.passed(now, from, &message);
        }
        Some(message)
    }

    /// Takes what may be sent now of what waits for a link. If it is only too early for it, its time comes.
    fn pop_in_time(&mut self, now: Instant, link: LinkId) -> Option<(Option<LinkId>, FileMessage)> {
        let Self { transfers, passage, limits, peers, links, .. } = self;
        let beside = transfers.beside(now);
        let files = transfers.links.get_mut(&link)?;
        if limits.transit.is_none() && limits.files.is_none() {
            return files.lane.pop_if(now, beside, |_, _| true);
        }
        let neighbours = Neighbours { peers, links };
        let (mut sent, mut least) = (None, None);
        let popped = files.lane.pop_if(now, beside, |from, bytes| {
            let crossing = Crossing { from, to: link, bytes };
            let is_piece = bytes > 0;
            let wait = passage.wait_of_file(now, limits, neighbours, crossing);
            if is_piece && !wait.is_zero() {
                least = Some(least.map_or(wait, |least: Duration| least.min(wait)));
                return false;
            }
            sent = Some(crossing).filter(|_| is_piece);
            true
        });
        match (&popped, sent, least) {
            (Some(_), Some(crossing), _) => passage.take_of_file(now, limits, neighbours, crossing),
            (None, _, Some(wait)) => passage.hold(now, link, wait),
            (Some(_), None, _) | (None, _, None) => {}
        }
        popped
    }

    /// Files that waited for their time are sent, those of senders that are gone are forgotten.
    pub(super) fn files_due(&mut self, now: Instant) {
        self.transfers.forget_idle(now);
        self.transfers.ready.extend(self.passage.take_due(now));
    }

    /// A file message came on a link.
    pub(super) fn file(&mut self, now: Instant, link: LinkId, message: FileMessage) {
        let client = match self.links.get(&link) {
            Some(Link::Client { instance: Some(instance), .. }) => Some(*instance),
            Some(Link::Client { instance: None, .. }) | None => return,
            Some(Link::Peer { .. }) => None,
        };
        // Room for what its neighbour is told.
        self.transfers.links.entry(link).or_default();
        if let FileBody::Window { passed, beside_messages } = message.body {
            if let Some(files) = self.transfers.links.get_mut(&link) {
                let of = (&message.route, message.round);
                files.lane.handle_window(now, of, passed, Beside::messages_if(beside_messages));
                self.transfers.ready.insert(link);
            }
            return;
        }
        match client {
            Some(client) => self.file_of_client(now, link, client, message),
            None => self.file_of_peer(now, link, message),
        }
    }

    /// No other node speaks for the clients of this one, nor asks as they do.
    fn file_of_peer(&mut self, now: Instant, link: LinkId, message: FileMessage) {
        let is_of_client = matches!(message.body, FileBody::Find(_) | FileBody::Found(_));
        if speaker(&message).node != self.id && !is_of_client {
            self.pass_file(now, link, message);
        }
    }

    /// A client speaks for itself only.
    fn file_of_client(
        &mut self,
        now: Instant,
        link: LinkId,
        client: Instance,
        mut message: FileMessage,
    ) {
        let here = FileEnd { instance: client, node: self.id };
        if speaker(&message) != here {
            return; // It may have been attached elsewhere when it said this.
        }
        if let Some(refused) = self.file_forbidden(client, &message.body) {
            return self.reply_to_file(now, link, &message, refused);
        }
        match &message.body {
            FileBody::Find(topic) => {
                let found = FileBody::Found(Box::new(self.file_receivers(topic)));
                return self.reply_to_file(now, link, &message, found);
            }
            FileBody::Found(_) => return,
            _ => {}
        }
        let Some(session) = self.sessions.get(&client) else { return };
        message.body.attest(&session.name);
        if let FileBody::Offer(offer) = &message.body
            && message.route.receiver == FileEnd::ANY
        {
            match self.choose_receiver(offer) {
                Some(receiver) => message.route.receiver = receiver,
                None => {
                    let body = FileBody::Refused(Code::NoSubscriber, Reason::NoSubscriber);
                    return self.reply_to_file(now, link, &message, body);
                }
            }
        }
        self.pass_file(now, link, message);
    }

    /// Who may receive files of a topic: all who subscribe, and can be reached.
    fn file_receivers(&self, topic: &Topic) -> FileFound {
        let all = self.table.subscribers(topic);
        let mut all: Vec<_> = all
            .filter_map(|Candidate { instance, place, .. }| {
                let node = self.node_at(place);
                let name = if node == self.id { &self.name } else { self.table.name_of(node)? };
                Some(FoundReceiver { node: name.clone(), instance })
            })
            .collect();
        all.sort_unstable();
        FileFound::new(all)
    }

    /// Chooses who receives a file: the same one for the same file while the subscribers stay.
    fn choose_receiver(&self, offer: &FileOffer) -> Option<FileEnd> {
        #[expect(clippy::cast_possible_truncation, reason = "each is one half")]
        let (high, low) = ((offer.id.0 >> 64) as u64, offer.id.0 as u64);
        let id = MsgId { publisher: Instance(high), counter: low };
        let chosen = self.table.choose(&offer.topic, id, &[])?;
        Some(FileEnd { instance: chosen.instance, node: self.node_at(chosen.place) })
    }

    /// Passes a message on towards the end that it is for.
    fn pass_file(&mut self, now: Instant, from: LinkId, message: FileMessage) {
        let is_forth = is_forth(&message.body);
        let end = if is_forth { message.route.receiver } else { message.route.sender };
        let to = match self.link_to_end(end) {
            Ok(to) if to != from || end.node == self.id => to,
            // Back where it came from: two nodes see the network differently, and soon will not.
            Ok(_) => return self.file_stopped(now, from, &message, Stopped::NoWay),
            Err(why) => return self.file_stopped(now, from, &message, why),
        };
        if let Some((topic, _)) = message.body.offered()
            && end.node == self.id
            && !self.sessions.get(&end.instance).is_some_and(|it| it.topics.contains(topic))
        {
            return self.file_stopped(now, from, &message, Stopped::ClientGone);
        }
        if matches!(message.body, FileBody::Done { .. } | FileBody::Refused(..)) {
            self.transfers.forget(from, to, &message);
        }
        let offer = message.body.offered().is_some().then(|| message.clone());
        let most = transfers_within(self.limits.memory_bytes);
        let needs_place = is_forth && !matches!(message.body, FileBody::Cancel(_));
        let has_room = !needs_place || self.transfers.has_room(now, to, &message, most);
        if (!has_room || self.transfers.push(now, to, from, message) == Queued::Full)
            && let Some(offer) = offer
        {
            self.reply_to_file(now, from, &offer, FileBody::Wait);
        }
    }

    /// The link on which an end of a transfer is reached.
    fn link_to_end(&self, end: FileEnd) -> Result<LinkId, Stopped> {
        if end.node == self.id {
            let session = self.sessions.get(&end.instance).ok_or(Stopped::ClientGone)?;
            return Ok(session.link);
        }
        let direct = self.link_back(end.node);
        let next = || self.link_back(self.table.next_hop(end.node)?);
        direct.or_else(next).ok_or(Stopped::NoWay)
    }

    /// A message gets no further. Who offers, or asks for a client that was here, is told (FILE-13).
    fn file_stopped(&mut self, now: Instant, from: LinkId, message: &FileMessage, why: Stopped) {
        self.transfers.passed(now, from, message);
        let body = match (&message.body, why) {
            (FileBody::Offer(_) | FileBody::SealedOffer(_), Stopped::NoWay) => {
                FileBody::Refused(Code::NoSubscriber, Reason::NoPath)
            }
            (FileBody::Offer(_) | FileBody::SealedOffer(_), Stopped::ClientGone) => {
                FileBody::Refused(Code::SubscriberUnreachable, Reason::SubscriberGone)
            }
            (FileBody::Ask { .. }, Stopped::ClientGone) => FileBody::Again,
            (_, Stopped::NoWay | Stopped::ClientGone) => return,
        };
        self.reply_to_file(now, from, message, body);
    }

    /// Says something to the sender of a message that came on this link.
    fn reply_to_file(&mut self, now: Instant, link: LinkId, to: &FileMessage, body: FileBody) {
        let FileMessage { route, round, .. } = *to;
        self.transfers.push(now, link, link, FileMessage { route, round, body });
    }
}

/// The end that says a message.
fn speaker(message: &FileMessage) -> FileEnd {
    if is_forth(&message.body) { message.route.sender } else { message.route.receiver }
}

/// Whether a message goes from the sender to the receiver.
fn is_forth(body: &FileBody) -> bool {
    match body {
        FileBody::Offer(_)
        | FileBody::SealedOffer(_)
        | FileBody::Piece { .. }
        | FileBody::Ask { .. }
        | FileBody::Cancel(_)
        | FileBody::Find(_) => true,
        FileBody::Credit { .. }
        | FileBody::Wait
        | FileBody::Again
        | FileBody::Done { .. }
        | FileBody::Refused(..)
        | FileBody::Window { .. }
        | FileBody::Found(_) => false,
    }
}

/// How many transfers a node with that budget of memory passes on at a time, each of which it may hold
/// a window of.
fn transfers_within(memory_bytes: usize) -> usize {
    let window_bytes = usize::try_from(FILE_WINDOW_BYTES).expect("a window fits memory");
    (memory_bytes / 4 / window_bytes).max(TRANSFERS_MIN)
}

/// How long after a message files have the links to themselves.
const QUIET_AFTER: Duration = Duration::from_secs(1);

/// So many are passed on with any budget.
const TRANSFERS_MIN: usize = 4;
