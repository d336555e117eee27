//! What the home node keeps of a unicast until it has an outcome.

use std::time::Duration;

use amop_topic_table::{Candidate, Place};
use amop_wire::limits::TRIED_MAX;
use amop_wire::{
    Instance, Instant, Key, MsgId, Name, Path, PeerRefusal, Publish, Reason, Sealing, Terms, Topic,
};
use bytes::Bytes;

use super::LinkId;
use super::parking::Absent;

/// A unicast of one of our clients that has no outcome yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) topic: Topic,
    pub(super) payload: Bytes,
    pub(super) terms: Terms,
    pub(super) deadline: Instant,
    /// The number before that of the first attempt: at random, so that only those can reply to an
    /// attempt whom it has passed.
    base: u32,
    /// How many subscribers were tried, the present one included.
    pub(super) attempts: u32,
    /// Whom the message is with.
    pub(super) chosen: Option<Chosen>,
    /// When the silence of the chosen one, or on the way there, is long enough to do something.
    pub(super) doubted_at: Option<Instant>,
    /// Who may handle it although another was asked since.
    pub(super) doubted: Vec<Doubted>,
    /// Where one in doubt was asked once more, and was not either.
    pub(super) missed_at: Vec<Candidate>,
    /// Who is not asked any more.
    pub(super) excluded: Vec<Instance>,
    /// The nodes of those who said a definite no.
    pub(super) tried: Vec<Name>,
    /// What the last of those said.
    pub(super) reason: Option<Reason>,
    /// Whether any of their nodes was reached.
    pub(super) reached: bool,
    /// Who is not asked any more unless it is somewhere else, or another way leads there.
    pub(super) absent: Vec<Absent>,
    /// Whether it is with nobody, and waits for somebody to come.
    pub(super) is_parked: bool,
    /// Until when it waits for that, once it has begun to.
    pub(super) held_until: Option<Instant>,
    /// How often it came back when no other way was left.
    pub(super) dead_ends: u32,
}

/// The subscriber that a unicast is with until it says no, or its node for every copy.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Where the last copy went.
    pub(super) seat: Seat,
    /// How many copies to there nobody has refused: any of them may be handled.
    pub(super) open: u32,
    /// The same of where it was before in this attempt.
    former: Vec<(Place, u32)>,
    /// The ways over relays that copies took since it has this seat, the last at the end.
    pub(super) ways: Vec<Path>,
    /// Whether one came back, so that the next may take any of these ways again.
    pub(super) came_back: bool,
    /// When it was sent.
    pub(super) sent_at: Instant,
}

/// Where a subscriber is and the first link on the way there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) at: Candidate,
    pub(super) link: LinkId,
}

/// A subscriber that was asked and gave no word.
#[derive(Debug)]
pub(super) struct Doubted {
    attempt: u32,
    chosen: Chosen,
}

impl Chosen {
    /// One copy is about to go there.
    pub(super) fn new(seat: Seat, now: Instant) -> Self {
        Self { seat, open: 1, former: Vec::new(), ways: Vec::new(), came_back: false, sent_at: now }
    }

    /// The subscriber, or the way to it, is another one now.
    pub(super) fn move_to(&mut self, seat: Seat) {
        if seat.at.place != self.seat.at.place {
            let place = self.seat.at.place;
            match self.former.iter_mut().find(|(former, _)| *former == place) {
                Some((_, open)) => *open += self.open,
                None => self.former.push((place, self.open)),
            }
            let back = self.former.iter().position(|(former, _)| *former == seat.at.place);
            self.open = back.map_or(0, |back| self.former.swap_remove(back).1);
        }
        self.seat = seat;
        self.ways.clear();
    }

    /// Whether a copy went to this subscriber at this place.
    fn was_asked(&self, place: Place, subscriber: Instance) -> bool {
        let was_there = || self.former.iter().any(|(former, _)| *former == place);
        self.seat.at.instance == subscriber && (self.seat.at.place == place || was_there())
    }

    /// A copy to this place was refused; says whether any is left that may be handled.
    pub(super) fn copy_refused(&mut self, place: Place) -> bool {
        let open = if place == self.seat.at.place {
            Some(&mut self.open)
        } else {
            self.former.iter_mut().find(|(former, _)| *former == place).map(|(_, open)| open)
        };
        if let Some(open) = open {
            *open = open.saturating_sub(1);
        }
        self.open > 0 || self.former.iter().any(|(_, open)| *open > 0)
    }
}

impl Doubted {
    fn was_asked(&self, attempt: u32, place: Place, subscriber: Instance) -> bool {
        self.attempt == attempt && self.chosen.was_asked(place, subscriber)
    }
}

impl Pending {
    pub(super) fn new(publish: Publish, deadline: Instant, base: u32) -> Self {
        let Publish { terms, topic, payload, .. } = publish;
        let is_sealed = terms.sealing != Sealing::Clear;
        Self {
            topic,
            payload,
            // Of one that is sealed its publisher knows who else was asked.
            terms: Terms { redelivered: is_sealed && terms.redelivered, ..terms },
            deadline,
            base,
            attempts: 0,
            chosen: None,
            doubted_at: None,
            doubted: Vec::new(),
            missed_at: Vec::new(),
            excluded: Vec::new(),
            tried: Vec::new(),
            reason: None,
            reached: false,
            absent: Vec::new(),
            is_parked: false,
            held_until: None,
            dead_ends: 0,
        }
    }

    /// What the choice goes by: publishes with one key go to one subscriber.
    pub(super) fn choice(&self, id: MsgId) -> MsgId {
        self.terms.key.map_or(id, Key::as_id)
    }

    /// When to look after it again, at the latest.
    pub(super) fn due(&self) -> Instant {
        let parked = self.held_until.filter(|_| self.is_parked);
        self.doubted_at.or(parked).unwrap_or(self.deadline)
    }

    /// The number of the present attempt.
    pub(super) fn attempt(&self) -> u32 {
        self.base.wrapping_add(self.attempts)
    }

    /// Whether it is with this subscriber at this place, in this attempt.
    pub(super) fn is_with(&self, attempt: u32, place: Place, subscriber: Instance) -> bool {
        let was_asked = |chosen: &Chosen| chosen.was_asked(place, subscriber);
        self.attempt() == attempt && self.chosen.as_ref().is_some_and(was_asked)
    }

    /// Whether it was with this subscriber at this place, in that attempt, and is in doubt.
    pub(super) fn is_doubted(&self, attempt: u32, place: Place, subscriber: Instance) -> bool {
        self.doubted.iter().any(|doubted| doubted.was_asked(attempt, place, subscriber))
    }

    /// Whether it cannot have been with this subscriber in that attempt.
    pub(super) fn is_untrue(&self, attempt: u32, subscriber: Instance) -> bool {
        let is_another = |chosen: &Chosen| chosen.seat.at.instance != subscriber;
        let is_made = (1..=self.attempts).contains(&attempt.wrapping_sub(self.base));
        !is_made || self.attempt() == attempt && self.chosen.as_ref().is_some_and(is_another)
    }

    /// It came back and no other way is left: how long until it may go by one of the same, 50 ms at first
    /// and twice as long each time, 1 s at most.
    pub(super) fn turned_back(&mut self) -> Duration {
        let pause = TURNED_BACK_MIN * 2u32.saturating_pow(self.dead_ends);
        self.dead_ends += 1;
        pause.min(TURNED_BACK_MAX)
    }

    /// Notes a definite no of the subscriber that was chosen, at this node, and whether it may be
    /// asked again if it is somewhere else.
    pub(super) fn exclude(&mut self, reason: Reason, name: Option<&Name>, may_return: bool) {
        let Some(chosen) = self.chosen.take() else { return };
        self.doubted_at = None;
        let instance = chosen.seat.at.instance;
        self.excluded.push(instance);
        if self.doubted.iter().any(|doubted| doubted.chosen.seat.at.instance == instance) {
            self.missed_at.push(chosen.seat.at);
        }
        self.absent.extend(Absent::new(chosen.seat.at, reason).filter(|_| may_return));
        self.reason = Some(reason);
        self.reached |= reason != Reason::NoPath;
        self.tried.extend(name.filter(|_| self.tried.len() < TRIED_MAX).cloned());
    }

    /// Gives up waiting for the chosen subscriber alone.
    pub(super) fn doubt(&mut self) {
        let Some(chosen) = self.chosen.take() else { return };
        self.doubted_at = None;
        self.excluded.push(chosen.seat.at.instance);
        self.doubted.push(Doubted { attempt: self.attempt(), chosen });
        self.terms.redelivered = true;
    }

    /// One that was in doubt will never handle it, whichever copy it gets.
    pub(super) fn clear(&mut self, subscriber: Instance) {
        self.doubted.retain(|doubted| doubted.chosen.seat.at.instance != subscriber);
    }

    /// A copy of that attempt was refused; if that was the last, its subscriber is in doubt no more.
    pub(super) fn doubted_copy_refused(&mut self, refusal: &PeerRefusal, place: Place) {
        let &PeerRefusal { attempt, subscriber, reason, .. } = refusal;
        let mut absent = None;
        self.doubted.retain_mut(|doubted| {
            let was_asked = doubted.was_asked(attempt, place, subscriber);
            let is_doubted = !was_asked || doubted.chosen.copy_refused(place);
            if !is_doubted {
                absent = Absent::new(doubted.chosen.seat.at, reason);
            }
            is_doubted
        });
        self.absent.extend(absent);
    }

    /// Those in doubt that may be asked once more, and where they were asked so far.
    pub(super) fn doubted(&self) -> impl Iterator<Item = Candidate> {
        let is_left = self.doubted.len() + self.missed_at.len() < DOUBTED_MAX;
        self.doubted.iter().map(|doubted| doubted.chosen.seat.at).filter(move |_| is_left)
    }

    /// Lets one that was in doubt be asked once more; an answer to what it was asked before counts.
    pub(super) fn readmit(&mut self, subscriber: Instance) {
        self.excluded.retain(|&excluded| excluded != subscriber);
    }
}

/// Most times that a subscriber is given up in doubt and another one asked, or the same elsewhere, in vain or
/// not.
const DOUBTED_MAX: usize = 16;

/// How long one that came back waits at least, and at most, until it takes the same way.
const TURNED_BACK_MIN: Duration = Duration::from_millis(50);
const TURNED_BACK_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use amop_wire::{Gen, NodeId};

    #[test]
    fn copies_to_a_place_count_together_however_often_it_was_left() {
        let place = |number| Place::Node(NodeId::from_bytes([number; 32]));
        let seat = |number| {
            let (instance, generation) = (Instance(1), Gen(1));
            let at = Candidate { place: place(number), instance, generation };
            Seat { at, link: LinkId(1) }
        };
        let mut chosen = Chosen::new(seat(1), Instant::default());
        for number in [2, 1] {
            chosen.move_to(seat(number));
            chosen.open += 1;
        }
        assert!(chosen.copy_refused(place(1)), "two went there, and one elsewhere");
        assert!(chosen.copy_refused(place(2)));
        assert!(!chosen.copy_refused(place(1)), "that was the last");
    }
}
