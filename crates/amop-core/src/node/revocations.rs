//! Revocation lists on their way from neighbour to neighbour. Whose they are, and whether they are genuine, is the
//! driver's business: here are ids, numbers and bytes.
//!
//! ```text
//!  what this node goes by ── Held ──▶ every peer, on a new link, at each change, and every minute
//!  a peer's Held, of a list with a greater number ── Pull ──▶ List ──▶ JudgeRevocations ──▶ RevocationsJudged
//! ```
//!
//! A neighbour is asked for one list at a time, and for none for a while after one that was worth nothing. Of one
//! authority a node takes at most one list a second, so that nobody fills the network with his.

use std::collections::BTreeMap;
use std::time::Duration;

use amop_wire::{AuthorityId, Instant, NodeId, PeerMessage, RevocationList, RevocationMessage};

use super::{Effect, Event, Node};

/// What this node and its neighbours hold.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    known: BTreeMap<AuthorityId, Known>,
    neighbours: BTreeMap<NodeId, Neighbour>,
    /// When the peers are told again what this node goes by.
    tell_at: Option<Instant>,
    /// When there may be something to ask for.
    ask_at: Option<Instant>,
}

/// An authority whose lists can be judged.
#[derive(Debug, Default)]
struct Known {
    list: Option<RevocationList>,
    /// When the next one may be asked for.
    quiet_until: Instant,
}

impl Known {
    fn number(&self) -> Option<u64> {
        self.list.as_ref().map(|list| list.number)
    }
}

/// A peer that has spoken of its lists. At most one for each peer, with as many offers as fit one message.
#[derive(Debug, Default)]
struct Neighbour {
    /// What it says that it holds, without what it was asked for in vain.
    offers: BTreeMap<AuthorityId, u64>,
    /// What it was asked for last and has not answered.
    asked: Option<(AuthorityId, Instant)>,
    /// It is asked for nothing before.
    paused_until: Instant,
    /// Until when the lists that it was given take up its pace.
    paced_until: Instant,
}

impl Revocations {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        [self.tell_at, self.ask_at].into_iter().flatten().min()
    }

    /// How many lists were asked for and have not come.
    pub(super) fn under_way(&self) -> usize {
        self.neighbours.values().filter(|neighbour| neighbour.asked.is_some()).count()
    }

    /// What the peers are told.
    fn held(&self) -> Vec<(AuthorityId, u64)> {
        let held = self.known.iter();
        held.filter_map(|(&authority, known)| Some((authority, known.number()?))).collect()
    }

    /// What to ask a neighbour for now, if anything.
    fn next(&mut self, now: Instant, node: NodeId) -> Option<AuthorityId> {
        let is_asked = |authority: &AuthorityId| {
            let asked = self.neighbours.values().filter_map(|neighbour| neighbour.asked);
            asked.filter(|(of, _)| of == authority).any(|(_, at)| now < at + ANSWER_SOON)
        };
        let neighbour = self.neighbours.get(&node)?;
        if neighbour.asked.is_some() || now < neighbour.paused_until {
            return None;
        }
        let is_wanted = |(authority, number): &(&AuthorityId, &u64)| {
            let known = self.known.get(authority);
            known.is_some_and(|known| known.number() < Some(**number) && known.quiet_until <= now)
        };
        let mut wanted = neighbour.offers.iter().filter(is_wanted).map(|(authority, _)| *authority);
        let authority = wanted.find(|authority| !is_asked(authority))?;
        self.neighbours.get_mut(&node)?.asked = Some((authority, now));
        Some(authority)
    }

    /// Whether a neighbour is being asked, or will be.
    fn is_busy(&self) -> bool {
        let is_wanted = |(authority, number): (&AuthorityId, &u64)| {
            self.known.get(authority).is_some_and(|known| known.number() < Some(*number))
        };
        let is_busy = |it: &Neighbour| it.asked.is_some() || it.offers.iter().any(is_wanted);
        self.neighbours.values().any(is_busy)
    }

    /// Forgets what a neighbour did not answer in time, and what it offered.
    fn give_up(&mut self, now: Instant) {
        for neighbour in self.neighbours.values_mut() {
            if let Some((authority, _)) =
                neighbour.asked.take_if(|(_, at)| *at + ANSWER_LATE <= now)
            {
                neighbour.offers.remove(&authority);
            }
        }
    }
}

impl Node {
    /// The driver says which authorities there are, and which lists it goes by.
    pub(super) fn told_revocations(
        &mut self,
        now: Instant,
        all: Vec<(AuthorityId, Option<RevocationList>)>,
    ) {
        let before = self.revocations.held();
        let mut quiet = std::mem::take(&mut self.revocations.known);
        for (authority, list) in all {
            let quiet_until = quiet.remove(&authority).unwrap_or_default().quiet_until;
            self.revocations.known.insert(authority, Known { list, quiet_until });
        }
        if self.revocations.held() != before {
            self.tell_revocations(now);
        }
        self.ask_for_revocations(now);
    }

    /// Tells a peer on a new link.
    pub(super) fn show_revocations(&mut self, node: NodeId) {
        let held = self.revocations.held();
        if !held.is_empty() {
            self.tell_peer(node, PeerMessage::Revocation(RevocationMessage::Held(held)));
        }
    }

    /// Tells all peers, and again after a while: what was lost on the way does not stay so.
    fn tell_revocations(&mut self, now: Instant) {
        self.revocations.tell_at = Some(now + TELL_INTERVAL);
        for node in self.peers.keys().copied().collect::<Vec<NodeId>>() {
            self.show_revocations(node);
        }
    }

    pub(super) fn revocations_due(&mut self, now: Instant) {
        if self.revocations.tell_at.is_some_and(|at| at <= now) {
            self.tell_revocations(now);
        }
        if self.revocations.ask_at.is_some_and(|at| at <= now) {
            self.ask_for_revocations(now);
        }
    }

    pub(super) fn revocations_lost(&mut self, node: NodeId) {
        self.revocations.neighbours.remove(&node);
    }

    /// A neighbour says something of its lists.
    pub(super) fn heard_of_revocations(
        &mut self,
        now: Instant,
        node: NodeId,
        message: RevocationMessage,
    ) {
        if !self.peers.contains_key(&node) {
            return; // It is told on the link that counts, once there is one.
        }
        let neighbour = self.revocations.neighbours.entry(node).or_default();
        match message {
            RevocationMessage::Held(held) => {
                neighbour.offers = held.into_iter().collect();
                self.ask_for_revocations(now);
            }
            RevocationMessage::Pull(authority) => self.give_revocations(now, node, authority),
            RevocationMessage::List(list) => {
                let asked = neighbour.asked.take_if(|(authority, _)| *authority == list.authority);
                if asked.is_some() {
                    self.effects.push_back(Effect::JudgeRevocations { peer: node, list });
                }
            }
        }
    }

    /// The driver has judged what a neighbour gave; if it counts, others may want it.
    pub(super) fn revocations_judged(
        &mut self,
        now: Instant,
        node: NodeId,
        list: RevocationList,
        verdict: Result<(), String>,
    ) {
        let authority = list.authority;
        if let Err(why) = verdict {
            if let Some(neighbour) = self.revocations.neighbours.get_mut(&node) {
                neighbour.offers.remove(&authority);
                neighbour.paused_until = now + PAUSE;
            }
            if let Some(peer) = self.table.name_of(node).or_else(|| self.peer_name(node)).cloned() {
                self.effects.push_back(Effect::Event(Event::RevocationsRefused { peer, why }));
            }
        } else if let Some(known) = self.revocations.known.get_mut(&authority) {
            *known = Known { list: Some(list), quiet_until: now + TAKE_INTERVAL };
            self.tell_revocations(now);
        }
        self.ask_for_revocations(now);
    }

    /// Asks each neighbour for what it has newer, as far as it is its turn.
    fn ask_for_revocations(&mut self, now: Instant) {
        self.revocations.give_up(now);
        for node in self.revocations.neighbours.keys().copied().collect::<Vec<NodeId>>() {
            if let Some(authority) = self.revocations.next(now, node) {
                let message = RevocationMessage::Pull(authority);
                self.tell_peer(node, PeerMessage::Revocation(message));
            }
        }
        self.revocations.ask_at = self.revocations.is_busy().then(|| now + ASK_INTERVAL);
    }

    /// Gives a neighbour what it asks for, unless it asks without end.
    fn give_revocations(&mut self, now: Instant, node: NodeId, authority: AuthorityId) {
        let Revocations { known, neighbours, .. } = &mut self.revocations;
        let list = known.get(&authority).and_then(|known| known.list.clone());
        let (Some(list), Some(neighbour)) = (list, neighbours.get_mut(&node)) else { return };
        let paced_until = neighbour.paced_until.max(now);
        if paced_until > now + GIVEN_AT_ONCE {
            return;
        }
        neighbour.paced_until = paced_until + Duration::from_micros(list.der.len() as u64);
        self.tell_peer(node, PeerMessage::Revocation(RevocationMessage::List(list)));
    }
}

/// How long a neighbour may take for an answer before another one is asked for the same list.
const ANSWER_SOON: Duration = Duration::from_secs(2);

/// How long it may take at all.
const ANSWER_LATE: Duration = Duration::from_secs(30);

/// How often is looked whom to ask, as long as there is something to ask for.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a neighbour is not asked after it has given what is not worth anything.
const PAUSE: Duration = Duration::from_secs(10);

/// The least time between two lists of one authority.
const TAKE_INTERVAL: Duration = Duration::from_secs(1);

/// How often the peers are told what they were told before.
const TELL_INTERVAL: Duration = Duration::from_secs(60);

/// How much a neighbour may be given at once, at 1 MB a second: all that it may have learned, and more.
const GIVEN_AT_ONCE: Duration = Duration::from_secs(64);
