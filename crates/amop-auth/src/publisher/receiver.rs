//! What a publisher knows of one subscriber of one topic.
//!
//! A verification is a round: a challenge, again and again until a proof comes, and a verdict. A verdict
//! counts for an hour, and is renewed in a round of its own before it ends.
//!
//! ```text
//!              due: challenge            true proof: confirm, new keys
//!   ┌──────┐ ─────────────────▶ ┌──────┐ ───────────────────────────────▶ Idle, due before the verdict ends
//!   │ Idle │                    │ Open │ ──┐
//!   └──────┘ ◀───────────────── └──────┘ ◀─┘ no word for 500 ms: the same challenge again
//!              false proof, or none in 5 s: due after 1 s, 2 s, ... 60 s
//! ```
//!
//! A nonce is good for one proof, true or false. A proof for another nonce is late, and no failure.

use std::collections::BTreeSet;
use std::time::Duration;

use amop_wire::{Instance, Instant, Topic};

use super::effect::Identity;
use crate::channel::{Channel, Ephemeral, Side};
use crate::limits::{
    ABSENT_MAX, BACKOFF_MAX, BACKOFF_MIN, CHALLENGE_AGAIN, PROOF_TIMEOUT, RENEW_AFTER, VALID_MAX,
};
use crate::message::{Challenge, Handshake, Proof};
use crate::seal::KeyId;
use crate::statement::Statement;
use crate::{Entropy, Exit, PublicKey};

/// One subscriber of one topic.
pub(crate) struct Receiver {
    place: Place,
    verdict: Option<Verdict>,
    round: Round,
    failures: u32,
}

/// What a receiver needs to know of the rest of the world.
pub(crate) struct Desk<'a> {
    pub(crate) now: Instant,
    pub(crate) identity: &'a Identity,
    pub(crate) topic: &'a Topic,
    pub(crate) keys: &'a BTreeSet<PublicKey>,
    pub(crate) subscriber: Instance,
    pub(crate) entropy: &'a mut Entropy,
}

/// What a receiver wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Send(Vec<u8>),
    Verified(PublicKey),
    Renewed,
    Refused,
    Withdrawn,
}

enum Place {
    Attached(Exit),
    /// Nowhere; forgotten then.
    Absent(Instant),
}

/// A proof that was true.
struct Verdict {
    key: PublicKey,
    until: Instant,
    channel: Channel,
    /// What was sealed before the renewal may still arrive.
    previous: Option<Channel>,
    nonce: [u8; 32],
    /// Whether a renewal was begun because of what was sealed.
    is_worn: bool,
}

enum Round {
    /// Due then, if ever.
    Idle(Option<Instant>),
    Open(Open),
}

struct Open {
    nonce: [u8; 32],
    ephemeral: Ephemeral,
    challenge: Vec<u8>,
    started: Instant,
    again_at: Instant,
}

impl Receiver {
    /// A subscriber that just appeared, to be verified at once.
    pub(crate) fn new(now: Instant, exit: Exit) -> Self {
        let round = Round::Idle(Some(now));
        Self { place: Place::Attached(exit), verdict: None, round, failures: 0 }
    }

    /// Takes note of where the subscriber is. What was asked of it elsewhere is asked anew.
    pub(crate) fn appeared(&mut self, now: Instant, exit: Exit) {
        let is_moved = !matches!(self.place, Place::Attached(known) if known == exit);
        self.place = Place::Attached(exit);
        if is_moved && matches!(self.round, Round::Open(_)) {
            self.round = Round::Idle(Some(now));
        }
    }

    /// Takes note that the subscriber is nowhere. If it comes back soon, its verdict still counts.
    pub(crate) fn gone(&mut self, now: Instant) {
        if matches!(self.place, Place::Attached(_)) {
            self.place = Place::Absent(now + ABSENT_MAX);
        }
        if matches!(self.round, Round::Open(_)) {
            self.round = Round::Idle(Some(now));
        }
    }

    /// Takes note of a list with more keys: whoever is not verified may be now.
    pub(crate) fn allow(&mut self, now: Instant) {
        self.failures = 0;
        if self.verdict.is_none() && matches!(self.round, Round::Idle(_)) {
            self.round = Round::Idle(Some(now));
        }
    }

    /// Withdraws the verdict if its key is not on the list any more. Nobody is asked for the proof of
    /// a key while the list is empty.
    pub(crate) fn restrict(&mut self, now: Instant, keys: &BTreeSet<PublicKey>) -> Option<Step> {
        let withdrawn = self.verdict.take_if(|verdict| !keys.contains(&verdict.key)).is_some();
        if keys.is_empty() {
            self.round = Round::Idle(None);
        } else if withdrawn && matches!(self.round, Round::Idle(_)) {
            self.round = Round::Idle(Some(now + BACKOFF_MIN));
        }
        withdrawn.then_some(Step::Withdrawn)
    }

    /// Whether something may be sealed for the subscriber now.
    pub(crate) fn is_ready(&self, now: Instant) -> bool {
        let counts = |verdict: &Verdict| verdict.until > now && !verdict.channel.sealer.is_spent();
        self.is_attached() && self.verdict.as_ref().is_some_and(counts)
    }

    /// Whether a round is running or due.
    pub(crate) fn is_being_verified(&self, now: Instant) -> bool {
        let runs = match self.round {
            Round::Open(_) => true,
            Round::Idle(due) => due.is_some_and(|due| due <= now),
        };
        self.is_attached() && runs
    }

    /// Whether the subscriber is attached nowhere, and for so long that it is to be forgotten.
    pub(crate) fn is_forgotten(&self, now: Instant) -> bool {
        matches!(self.place, Place::Absent(until) if until <= now)
    }

    /// Whether the subscriber is attached somewhere.
    pub(crate) fn is_attached(&self) -> bool {
        matches!(self.place, Place::Attached(_))
    }

    /// The channel to seal with. Its renewal is due once it is worn.
    pub(crate) fn channel(&mut self, now: Instant) -> Option<&mut Channel> {
        if !self.is_ready(now) {
            return None;
        }
        let verdict = self.verdict.as_mut()?;
        if verdict.channel.sealer.is_worn() && !verdict.is_worn {
            verdict.is_worn = true;
            if matches!(self.round, Round::Idle(_)) {
                self.round = Round::Idle(Some(now));
            }
        }
        Some(&mut verdict.channel)
    }

    /// The channel of this name, to open with.
    pub(crate) fn channel_of(&mut self, now: Instant, id: KeyId) -> Option<&mut Channel> {
        let verdict = self.verdict.as_mut().filter(|verdict| verdict.until > now)?;
        let channels = [Some(&mut verdict.channel), verdict.previous.as_mut()];
        channels.into_iter().flatten().find(|channel| channel.id() == id)
    }

    /// Takes note that the subscriber has no channel of this name, or none at all. Anybody on the way can say so, hence
    /// the verdict stays, and the renewal waits as after a failure.
    pub(crate) fn lost(&mut self, now: Instant, id: KeyId) {
        let is_it = |channel: &Channel| id == KeyId::ALL || channel.id() == id;
        let is_current = self.verdict.as_ref().is_some_and(|verdict| is_it(&verdict.channel));
        if let (true, Round::Idle(due)) = (is_current, &self.round) {
            let soon = now + BACKOFF_MIN;
            self.round = Round::Idle(Some(due.map_or(soon, |due| due.min(soon))));
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let round = match (&self.place, &self.round) {
            (Place::Absent(until), _) => Some(*until),
            (Place::Attached(_), Round::Idle(due)) => *due,
            (Place::Attached(_), Round::Open(open)) => Some(open.again_at.min(open.ends_at())),
        };
        round.into_iter().chain(self.verdict.as_ref().map(|verdict| verdict.until)).min()
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, desk: &mut Desk<'_>) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.verdict.take_if(|verdict| verdict.until <= desk.now).is_some() {
            steps.push(Step::Withdrawn);
        }
        if !self.is_attached() {
            return steps;
        }
        match &mut self.round {
            Round::Idle(Some(due)) if *due <= desk.now => {
                let open = Open::start(desk);
                steps.push(Step::Send(open.challenge.clone()));
                self.round = Round::Open(open);
            }
            Round::Open(open) if open.ends_at() <= desk.now => steps.extend(self.fail(desk.now)),
            Round::Open(open) if open.again_at <= desk.now => {
                open.again_at = desk.now + CHALLENGE_AGAIN;
                steps.push(Step::Send(open.challenge.clone()));
            }
            Round::Idle(_) | Round::Open(_) => {}
        }
        steps
    }

    /// Judges a proof.
    pub(crate) fn handle_proof(&mut self, desk: &mut Desk<'_>, proof: &Proof) -> Vec<Step> {
        if let Some(verdict) = self.verdict.as_ref()
            && verdict.nonce == proof.publisher_nonce
        {
            return vec![Step::Send(verdict.confirmation())]; // The first one may be lost.
        }
        let Place::Attached(exit) = self.place else { return Vec::new() };
        let open = match std::mem::replace(&mut self.round, Round::Idle(None)) {
            Round::Open(open) if open.nonce == proof.publisher_nonce => open,
            other => {
                self.round = other;
                return Vec::new();
            }
        };
        let Some((key, channel)) = open.judge(desk, proof, exit) else {
            return self.fail(desk.now).into_iter().collect();
        };
        let before = self.verdict.take();
        let is_news = before.as_ref().is_none_or(|before| before.key != key);
        let verdict = Verdict {
            key,
            until: open.started + VALID_MAX,
            channel,
            previous: before.map(|before| before.channel),
            nonce: open.nonce,
            is_worn: false,
        };
        self.failures = 0;
        self.round = Round::Idle(Some(open.started + RENEW_AFTER));
        let confirm = Step::Send(verdict.confirmation());
        self.verdict = Some(verdict);
        vec![confirm, if is_news { Step::Verified(key) } else { Step::Renewed }]
    }

    fn fail(&mut self, now: Instant) -> Option<Step> {
        self.failures = self.failures.saturating_add(1);
        self.round = Round::Idle(Some(now + backoff(self.failures)));
        self.verdict.is_none().then_some(Step::Refused)
    }
}

impl Verdict {
    fn confirmation(&self) -> Vec<u8> {
        let confirmation = self.channel.confirmation();
        Handshake::Confirmation { publisher_nonce: self.nonce, confirmation }.encode()
    }
}

impl Open {
    fn start(desk: &mut Desk<'_>) -> Self {
        let (nonce, ephemeral) = (*desk.entropy.draw(), Ephemeral::draw(desk.entropy));
        let challenge = Challenge {
            nonce,
            ephemeral: ephemeral.public(),
            certificate: desk.identity.certificate,
            valid_seconds: VALID_SECONDS,
        };
        let challenge = Handshake::Challenge(challenge).encode();
        Self {
            nonce,
            ephemeral,
            challenge,
            started: desk.now,
            again_at: desk.now + CHALLENGE_AGAIN,
        }
    }

    fn ends_at(&self) -> Instant {
        self.started + PROOF_TIMEOUT
    }

    /// Checks what costs nothing first. All that is wrong is wrong alike.
    fn judge(&self, desk: &Desk<'_>, proof: &Proof, exit: Exit) -> Option<(PublicKey, Channel)> {
        let key = desk.keys.iter().find(|key| *key.as_bytes() == proof.key)?;
        let statement = Statement {
            network: desk.identity.name.domain(),
            topic: desk.topic,
            publisher: &desk.identity.name,
            certificate: &desk.identity.certificate,
            publisher_instance: desk.identity.instance,
            publisher_nonce: &self.nonce,
            publisher_ephemeral: &self.ephemeral.public(),
            key: &proof.key,
            subscriber: desk.subscriber,
            subscriber_nonce: &proof.nonce,
            subscriber_ephemeral: &proof.ephemeral,
            exit,
            valid_seconds: VALID_SECONDS,
        }
        .to_sign();
        if !key.has_signed(&statement, &proof.signature) {
            return None;
        }
        let (theirs, signature) = (&proof.ephemeral, &proof.signature);
        let channel = self.ephemeral.agree(Side::Publisher, theirs, &statement, signature)?;
        Some((*key, channel))
    }
}

/// 1 s after the first failure, and twice as long after each one more.
fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (BACKOFF_MIN * 2_u32.pow(doublings)).min(BACKOFF_MAX)
}

const VALID_SECONDS: u32 = 3600;
const _: () = assert!(VALID_MAX.as_secs() == VALID_SECONDS as u64, "the same span in two units");
