//! The network between the parties of a world: links with lanes, latency and limited room.
//!
//! Frames of one lane keep their order; lanes overtake each other, as streams of QUIC do. Every
//! message is encoded and decoded on its way, so that nothing passes that could not travel.

use std::collections::BTreeMap;
use std::time::Duration;

use amop_core::node::LinkId;
use amop_wire::{CloseReason, Frame, FrameDecoder, Instant, Lane, Message, put_frame_head};
use bytes::BytesMut;

use crate::due::Happening;
use crate::traffic::Sent;
use crate::watch::Calm;
use crate::world::World;

/// A party of a world, by its position among its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Party {
    Node(usize),
    Client(usize),
    Stranger(usize),
}

/// One life of a party.
pub(crate) type Life = (Party, u32);

/// What the two ends of a link say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The dialer is a client.
    Client,
    /// Both are nodes.
    Peer,
}

/// One link; end 0 dialed.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) kind: Kind,
    pub(crate) parties: [Party; 2],
    /// Who is at each end; an end that has noticed the link's end is gone.
    pub(crate) ends: [Option<Life>; 2],
    /// Whether frames still pass, by sending end.
    pub(crate) passes: [bool; 2],
    /// Since when nothing disturbs it.
    calm: Calm,
    /// Whether and why an end has closed the link: it sends nothing more.
    closed: [Option<CloseReason>; 2],
    /// When the last frame arrives, by sending end and lane.
    last_arrival: [[Instant; Lane::COUNT]; 2],
    /// Bytes on their way, by sending end.
    queued_bytes: [usize; 2],
    /// Those of them that are no control messages; files do not count.
    pub(crate) waiting_bytes: [usize; 2],
    /// Bytes of files on their way, by sending end.
    file_bytes: [usize; 2],
    /// How much longer than on others messages take.
    detour: Duration,
}

impl Link {
    /// Whether both ends have used it undisturbed since then.
    pub(crate) fn is_calm_since(&self, at: Instant) -> bool {
        self.passes == [true; 2]
            && self.closed == [None, None]
            && self.ends.iter().all(Option::is_some)
            && self.calm.is_since(at)
    }
}

/// All links, dead ones included until both ends have noticed.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) links: BTreeMap<LinkId, Link>,
    last: u64,
    detours: BTreeMap<(Party, Party), Duration>,
    /// How much of what a party has sent is on its way, control messages aside.
    pub(crate) waiting: BTreeMap<Party, usize>,
    /// What one party has sent to the other.
    pub(crate) sent: BTreeMap<(Party, Party), Sent>,
    /// How many messages of each kind nodes sent to each other, in a world that writes a story.
    kinds: BTreeMap<(usize, usize, &'static str), u64>,
    /// When a node last noticed that a link to another one had ended.
    pub(crate) noticed: BTreeMap<(usize, usize), Instant>,
}

impl Network {
    /// How many messages of a kind one node sent to another.
    pub(crate) fn sent_of_kind(&self, from: usize, to: usize, kind: &'static str) -> u64 {
        self.kinds.get(&(from, to, kind)).copied().unwrap_or_default()
    }

    /// Counts a message of a node.
    pub(crate) fn count(&mut self, from: usize, link: LinkId, kind: &'static str) {
        let ends = self.links.get(&link).map(|link| link.parties);
        for party in ends.into_iter().flatten() {
            if let Party::Node(to) = party
                && to != from
            {
                *self.kinds.entry((from, to, kind)).or_default() += 1;
            }
        }
    }

    pub(crate) fn connect(
        &mut self,
        now: Instant,
        kind: Kind,
        dialer: Life,
        acceptor: Life,
    ) -> LinkId {
        self.last += 1;
        let detour = self.detours.get(&pair(dialer.0, acceptor.0)).copied().unwrap_or_default();
        let link = Link {
            kind,
            parties: [dialer.0, acceptor.0],
            ends: [Some(dialer), Some(acceptor)],
            passes: [true; 2],
            calm: Calm::since(now),
            closed: [None, None],
            last_arrival: Default::default(),
            queued_bytes: [0; 2],
            waiting_bytes: [0; 2],
            file_bytes: [0; 2],
            detour,
        };
        self.links.insert(LinkId(self.last), link);
        LinkId(self.last)
    }

    /// The longest detour of all.
    pub(crate) fn slowest_detour(&self) -> Duration {
        self.detours.values().copied().max().unwrap_or_default()
    }

    /// Links whose end `party` has not noticed, with that end.
    pub(crate) fn links_of(&self, party: Party) -> impl Iterator<Item = (LinkId, usize)> {
        self.links.iter().filter_map(move |(&id, link)| {
            let is_its = |end: &Option<Life>| end.is_some_and(|(at, _)| at == party);
            Some((id, link.ends.iter().position(is_its)?))
        })
    }

    /// Links that neither of two parties knows to have ended, with the end of `a`.
    pub(crate) fn links_between(&self, a: Party, b: Party) -> Vec<(LinkId, usize)> {
        let leads_to_b = |&(link, end): &(LinkId, usize)| {
            self.links[&link].ends[1 - end].is_some_and(|(party, _)| party == b)
        };
        self.links_of(a).filter(leads_to_b).collect()
    }

    /// Makes messages between two parties take longer, on the links that they have and will have.
    pub(crate) fn set_detour(&mut self, a: Party, b: Party, detour: Duration) {
        self.detours.insert(pair(a, b), detour);
        for (link, _) in self.links_between(a, b) {
            if let Some(link) = self.links.get_mut(&link) {
                link.detour = detour;
            }
        }
    }
}

impl World {
    /// Sends a message over a link, unless it has no room. The link of a client always has room in
    /// the direction of the node: a window of its own keeps a client from filling it.
    pub(crate) fn send<M: Message>(&mut self, from: Life, link: LinkId, message: &M) -> bool {
        let lane = message.lane();
        if lane != Lane::Files {
            self.check_plaintext(message.payload()); // None is sent of a private topic.
        }
        let latency = self.draw_latency();
        let is_its = |state: &Link| state.ends.iter().position(|&end| end == Some(from));
        let open = |(end, state): &(usize, &mut Link)| state.closed[*end].is_none();
        let state = self.network.links.get_mut(&link);
        let state = state.and_then(|state| Some((is_its(state)?, state))).filter(open);
        let Some((end, state)) = state else {
            self.lost(lane);
            return true;
        };
        let bytes = encode(message);
        let bytes_max = match (from.0, lane, state.kind) {
            // What waits for it waits in the core, before it is taken.
            (_, Lane::Files, _)
            | (Party::Client(_) | Party::Stranger(_), _, _)
            | (Party::Node(_), Lane::Control, Kind::Client) => usize::MAX,
            (Party::Node(_), Lane::Control, Kind::Peer) => self.control_bytes_max,
            (Party::Node(_), Lane::Replies | Lane::Unicasts | Lane::Multicasts, _) => {
                self.link_bytes_max
            }
        };
        let queued_bytes = match lane {
            Lane::Files => &mut state.file_bytes[end],
            Lane::Control | Lane::Replies | Lane::Unicasts | Lane::Multicasts => {
                &mut state.queued_bytes[end]
            }
        };
        if *queued_bytes + bytes.len() > bytes_max {
            self.lost(lane);
            return false;
        }
        *queued_bytes += bytes.len();
        if !matches!(lane, Lane::Control | Lane::Files) {
            state.waiting_bytes[end] += bytes.len();
            *self.network.waiting.entry(from.0).or_default() += bytes.len();
        }
        let sent = self.network.sent.entry((from.0, state.parties[1 - end])).or_default();
        sent.add(lane, bytes.len());
        let last = &mut state.last_arrival[end][usize::from(lane.number())];
        *last = (*last).max(self.now + latency + state.detour);
        let at = *last;
        let sent_at = self.now;
        self.at(at, Happening::Arrival { link, to: 1 - end, lane, sent_at, bytes });
        true
    }

    /// Takes a frame off a link. Answers whom it reached, and what kind of link that is.
    pub(crate) fn arrival(
        &mut self,
        link: LinkId,
        to: usize,
        lane: Lane,
        bytes: BytesMut,
    ) -> Option<(Party, Kind, Frame)> {
        let Some(state) = self.network.links.get_mut(&link) else {
            self.lost(lane);
            return None;
        };
        let queued_bytes = match lane {
            Lane::Files => &mut state.file_bytes[1 - to],
            Lane::Control | Lane::Replies | Lane::Unicasts | Lane::Multicasts => {
                &mut state.queued_bytes[1 - to]
            }
        };
        *queued_bytes = queued_bytes.saturating_sub(bytes.len());
        if !matches!(lane, Lane::Control | Lane::Files) {
            let gone = bytes.len().min(state.waiting_bytes[1 - to]);
            state.waiting_bytes[1 - to] -= gone;
            let sender = state.parties[1 - to];
            self.network.waits_less(sender, gone);
        }
        let state = self.network.links.get_mut(&link)?;
        let (passes, kind, end) = (state.passes[1 - to], state.kind, state.ends[to]);
        let present = end.filter(|&(party, life)| passes && self.life_of(party) == life);
        if self.is_telling() {
            self.tell_frame((link, to, lane), &frame(bytes.clone()), present.is_some());
        }
        if passes && end.is_some() {
            self.note((link.0, to, lane, bytes.len()));
        }
        // A stranger does nothing with what it is to pass on.
        if present.is_none_or(|(party, _)| matches!(party, Party::Stranger(_))) {
            self.lost(lane);
        }
        present.map(|(party, _)| (party, kind, frame(bytes)))
    }

    /// Whether a party may send more of its files on a link, of which it takes little at a time.
    pub(crate) fn has_file_room(&self, party: Party, link: LinkId) -> bool {
        let Some(state) = self.network.links.get(&link) else { return true };
        let is_its = |end: &Option<Life>| end.is_some_and(|(at, _)| at == party);
        let end = state.ends.iter().position(is_its);
        end.is_none_or(|end| state.file_bytes[end] < FILE_BYTES_MAX.min(self.link_bytes_max))
    }

    /// A message will not arrive. Those of the control lane are told again, and so are those of files.
    fn lost(&mut self, lane: Lane) {
        if !matches!(lane, Lane::Control | Lane::Files) {
            self.disturb(self.now);
        }
    }

    /// One end closes a link in order: what is on its way arrives first.
    pub(crate) fn close(&mut self, from: Life, link: LinkId, reason: CloseReason) {
        let latency = self.draw_latency();
        let Some(state) = self.network.links.get_mut(&link) else { return };
        let Some(end) = state.ends.iter().position(|&end| end == Some(from)) else { return };
        if state.closed[end].replace(reason).is_some() {
            return;
        }
        let last = state.last_arrival.iter().flatten().copied().max().unwrap_or_default();
        let at = last.max(self.now) + latency;
        for end in 0..2 {
            self.at(at, Happening::Notice { link, end });
        }
    }

    /// Cuts a link; each end notices after its time.
    pub(crate) fn cut_link(&mut self, link: LinkId, notice: [Duration; 2]) {
        let words = self.link_words(link);
        self.tell_all(format_args!("{words} is cut; its ends notice after {notice:?}"));
        if let Some(link) = self.network.links.get_mut(&link) {
            (link.passes, link.calm) = ([false; 2], Calm::never());
        }
        for (end, notice) in notice.into_iter().enumerate() {
            self.after(notice, Happening::Notice { link, end });
        }
    }

    /// Lets frames of one end pass a link that is cut.
    pub(crate) fn let_pass(&mut self, link: LinkId, end: usize) {
        if let Some(link) = self.network.links.get_mut(&link) {
            link.passes[end] = true;
        }
    }

    /// Holds back what some ends of a link send for a while, and lets it pass then.
    pub(crate) fn stall_link(&mut self, link: LinkId, ends: [bool; 2], span: Duration) {
        let words = self.link_words(link);
        self.tell_all(format_args!("{words} stalls for {span:?}, {ends:?}"));
        let until = self.now + span;
        self.disturb(until);
        let Some(state) = self.network.links.get_mut(&link) else { return };
        state.calm.disturb(until);
        for (last, _) in state.last_arrival.iter_mut().zip(ends).filter(|(_, stalls)| *stalls) {
            last.iter_mut().for_each(|last| *last = (*last).max(until));
        }
        self.postpone(until, |happening| {
            matches!(happening, Happening::Arrival { link: on, to, .. } if *on == link && ends[1 - to])
        });
    }

    /// A party is gone from its end of a link; the other end notices after `notice`.
    pub(crate) fn abandon(&mut self, link: LinkId, end: usize, notice: Duration) {
        if let Some(link) = self.network.links.get_mut(&link) {
            (link.passes, link.calm) = ([false; 2], Calm::never());
            link.ends[end] = None;
        }
        self.network.gives_up(link, end);
        self.after(notice, Happening::Notice { link, end: 1 - end });
    }

    /// One end learns that its link has ended. Answers who that is, and the other end's reason.
    pub(crate) fn link_ended(
        &mut self,
        link: LinkId,
        end: usize,
    ) -> Option<(Party, Option<CloseReason>)> {
        self.network.gives_up(link, end);
        let state = self.network.links.get_mut(&link)?;
        let ended = state.ends[end].take();
        let reason = state.closed[1 - end].clone();
        let parties = (state.parties[end], state.parties[1 - end]);
        if state.ends == [None, None] {
            self.network.links.remove(&link);
        }
        if let (Party::Node(at), Party::Node(of)) = parties {
            self.network.noticed.insert((at, of), self.now);
            self.disturb(self.now); // What was to come back over it has no way.
        }
        let (party, life) = ended?;
        (self.life_of(party) == life).then_some((party, reason))
    }

    /// A link by its ends.
    pub(crate) fn link_words(&self, link: LinkId) -> String {
        let parties = self.network.links.get(&link).map(|state| state.parties);
        let ends = parties.map(|[dialer, acceptor]| format!("{dialer}-{acceptor}, "));
        format!("{}link {}", ends.unwrap_or_default(), link.0)
    }

    fn draw_latency(&mut self) -> Duration {
        let jitter = u64::try_from(self.jitter.as_nanos()).unwrap_or(u64::MAX);
        let mut latency = self.latency + Duration::from_nanos(self.draw(jitter));
        let (one_of, most) = self.tail;
        if one_of > 0 && self.draw(one_of) == 0 {
            // Few take so long, and each half of that is as likely as the one before.
            let halvings = u32::try_from(self.draw(10)).unwrap_or(0);
            latency += most / 2_u32.pow(halvings);
        }
        latency
    }
}

/// How many bytes of files are on their way at one end of a link, before more are taken.
const FILE_BYTES_MAX: usize = 256 << 10;

/// Encodes a message as a link would.
fn encode<M: Message>(message: &M) -> BytesMut {
    let mut buf = BytesMut::new();
    let payload = message.payload();
    put_frame_head(&mut buf, payload.len(), |buf| message.put_header(buf))
        .expect("a core sends nothing over a limit");
    buf.extend_from_slice(payload);
    buf
}

/// Cuts the one frame out of what [`encode`] made.
fn frame(bytes: BytesMut) -> Frame {
    let mut decoder = FrameDecoder::default();
    decoder.feed(bytes.freeze());
    decoder.next_frame().expect("our own frames are valid").expect("the frame is whole")
}

fn pair(a: Party, b: Party) -> (Party, Party) {
    (a.min(b), a.max(b))
}
