//! Makes publishes of one publisher with the same idempotency key one message.
//!
//! The first is handed to the application. Another one, with an id of its own, gets the reply of the
//! first: when that is there, or at once if it was there before. A key belongs to the certified name of
//! the publisher, so nobody meets the keys of others. Of a message that was refused nothing is kept:
//! its publisher may try again.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use amop_wire::{AnswerStatus, Attempt, Delivery, Instant, Key, MsgId, Name};
use bytes::Bytes;

/// The keys that were used lately.
#[derive(Debug, Default)]
pub(super) struct Keyed {
    entries: BTreeMap<Owned, Entry>,
    /// Those whose reply is not there yet, by the id of the first.
    open: BTreeMap<MsgId, Owned>,
    answer_bytes: usize,
    forget_at: Instant,
}

/// A key of one publisher.
type Owned = (Name, Key);

#[derive(Debug)]
struct Entry {
    /// Sums up topic and payload. Whoever makes two alike on purpose fools only itself.
    digest: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The application has it; who else wants the reply.
    Open(Vec<Attempt>),
    Answered {
        status: AnswerStatus,
        payload: Bytes,
        until: Instant,
    },
}

/// What a message with a key turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// The first with its key.
    First,
    /// One like it was answered so.
    Answered(AnswerStatus, Bytes),
    /// One like it is with the application: it gets the same reply.
    Joined,
    /// The key was used for another message.
    Other,
    /// There is no room to note it, so it must not be taken.
    NoRoom,
}

impl Keyed {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many of them have no reply so far.
    pub(super) fn open_len(&self) -> usize {
        self.open.len()
    }

    /// Notes a message that has a key, unless so many are remembered.
    pub(super) fn enter(
        &mut self,
        now: Instant,
        key: Key,
        delivery: &Delivery,
        most: usize,
    ) -> Use {
        let Delivery { attempt, from, .. } = delivery;
        let (digest, owned) = (digest(delivery), (from.clone(), key));
        if let Some(entry) = self.entries.get_mut(&owned).filter(|entry| entry.lives(now)) {
            return match &mut entry.state {
                _ if entry.digest != digest => Use::Other,
                State::Answered { status, payload, .. } => Use::Answered(*status, payload.clone()),
                State::Open(joined) if joined.len() >= JOINED_MAX => Use::NoRoom,
                State::Open(joined) => {
                    joined.push(*attempt);
                    Use::Joined
                }
            };
        }
        self.forget(now);
        if self.entries.len() >= most || self.answer_bytes >= ANSWER_BYTES_MAX {
            return Use::NoRoom;
        }
        self.open.insert(attempt.id, owned.clone());
        let before = self.entries.insert(owned, Entry { digest, state: State::Open(Vec::new()) });
        if let Some(Entry { state: State::Answered { payload, .. }, .. }) = before {
            self.answer_bytes -= payload.len(); // Its time was up, and nobody had looked since.
        }
        Use::First
    }

    /// The application answered. Answers who else gets this answer.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        id: MsgId,
        status: AnswerStatus,
        payload: &Bytes,
    ) -> Vec<Attempt> {
        let Some(entry) = self.open.remove(&id).and_then(|owned| self.entries.get_mut(&owned))
        else {
            return Vec::new();
        };
        self.answer_bytes += payload.len();
        let until = now + REMEMBERED;
        let state = State::Answered { status, payload: payload.clone(), until };
        match std::mem::replace(&mut entry.state, state) {
            State::Open(joined) => joined,
            State::Answered { .. } => Vec::new(),
        }
    }

    /// The message will never be handled. Answers whom else that concerns.
    pub(super) fn refused(&mut self, id: MsgId) -> Vec<Attempt> {
        match self.open.remove(&id).and_then(|owned| self.entries.remove(&owned)) {
            Some(Entry { state: State::Open(joined), .. }) => joined,
            Some(_) | None => Vec::new(),
        }
    }

    fn forget(&mut self, now: Instant) {
        if now < self.forget_at {
            return;
        }
        self.forget_at = now + FORGET_EVERY;
        let answer_bytes = &mut self.answer_bytes;
        self.entries.retain(|_, entry| {
            if let State::Answered { payload, .. } = &entry.state
                && !entry.lives(now)
            {
                *answer_bytes -= payload.len();
                return false;
            }
            true
        });
    }
}

impl Entry {
    fn lives(&self, now: Instant) -> bool {
        match self.state {
            State::Open(_) => true,
            State::Answered { until, .. } => now < until,
        }
    }
}

fn digest(delivery: &Delivery) -> u64 {
    let mut hasher = DefaultHasher::new();
    (delivery.topic.as_str(), &delivery.payload[..]).hash(&mut hasher);
    hasher.finish()
}

/// How long the answer to a key is kept.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Most bytes of their answers, but for the last of them.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Most publishes that wait for the reply of another one.
const JOINED_MAX: usize = 64;

/// A look at all of them takes a few milliseconds.
const FORGET_EVERY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use amop_wire::{Instance, NodeId, Terms};

    fn delivery(counter: u64, from: &str, payload: &str) -> Delivery {
        let id = MsgId { publisher: Instance(1), counter };
        Delivery {
            attempt: Attempt { home: NodeId::from_bytes([0; 32]), id, number: 1 },
            ttl: Duration::from_secs(1),
            terms: Terms::default(),
            from: format!("{from}.sdk.bank-a.amop").parse().unwrap(),
            topic: "t".parse().unwrap(),
            payload: payload.to_owned().into(),
        }
    }

    const KEYS_MAX: usize = 100;
    const KEY: Key = Key(7);
    const YES: AnswerStatus = AnswerStatus::Answered;

    fn at(secs: u64) -> Instant {
        Instant::after_start(Duration::from_secs(secs))
    }

    #[test]
    fn all_with_one_key_get_the_answer_to_the_first() {
        let mut keyed = Keyed::default();
        let (first, second) = (delivery(1, "a", "pay"), delivery(2, "a", "pay"));
        assert_eq!(keyed.enter(at(0), KEY, &first, KEYS_MAX), Use::First);
        assert_eq!(keyed.enter(at(1), KEY, &second, KEYS_MAX), Use::Joined);
        let answer = Bytes::from("paid");
        let joined = keyed.answered(at(2), first.attempt.id, YES, &answer);
        assert_eq!(joined, [second.attempt]);
        let third = delivery(3, "a", "pay");
        assert_eq!(keyed.enter(at(600), KEY, &third, KEYS_MAX), Use::Answered(YES, answer));
        assert_eq!(keyed.enter(at(602), KEY, &third, KEYS_MAX), Use::First, "ten minutes are over");
    }

    #[test]
    fn another_message_another_publisher_and_another_key_are_others() {
        let mut keyed = Keyed::default();
        assert_eq!(keyed.enter(at(0), KEY, &delivery(1, "a", "pay"), KEYS_MAX), Use::First);
        assert_eq!(keyed.enter(at(0), KEY, &delivery(2, "a", "pay twice"), KEYS_MAX), Use::Other);
        assert_eq!(keyed.enter(at(0), KEY, &delivery(3, "b", "pay"), KEYS_MAX), Use::First);
        assert_eq!(keyed.enter(at(0), Key(8), &delivery(4, "a", "pay"), KEYS_MAX), Use::First);
    }

    #[test]
    fn a_key_whose_message_was_refused_can_be_used_again() {
        let mut keyed = Keyed::default();
        let (first, second) = (delivery(1, "a", "pay"), delivery(2, "a", "pay"));
        keyed.enter(at(0), KEY, &first, KEYS_MAX);
        keyed.enter(at(0), KEY, &second, KEYS_MAX);
        assert_eq!(keyed.refused(first.attempt.id), [second.attempt]);
        assert_eq!(keyed.enter(at(0), KEY, &delivery(3, "a", "pay"), KEYS_MAX), Use::First);
    }

    #[test]
    fn one_key_past_the_limit_is_not_taken_until_others_are_old() {
        let mut keyed = Keyed::default();
        for number in 0..KEYS_MAX as u64 {
            let delivery = delivery(number, "a", "");
            assert_eq!(keyed.enter(at(0), Key(number.into()), &delivery, KEYS_MAX), Use::First);
            keyed.answered(at(0), delivery.attempt.id, YES, &Bytes::new());
        }
        let newcomer = delivery(1 << 32, "a", "");
        assert_eq!(keyed.enter(at(599), Key(u128::MAX), &newcomer, KEYS_MAX), Use::NoRoom);
        assert_eq!(keyed.enter(at(605), Key(u128::MAX), &newcomer, KEYS_MAX), Use::First);
        assert!(keyed.entries.len() < 3 && keyed.open.len() < 3);
    }

    #[test]
    fn answers_fill_the_room_by_their_bytes_and_joined_publishes_by_their_number() {
        let mut keyed = Keyed::default();
        let large = delivery(1, "a", "");
        keyed.enter(at(0), KEY, &large, KEYS_MAX);
        for counter in 0..JOINED_MAX as u64 {
            assert_eq!(
                keyed.enter(at(0), KEY, &delivery(100 + counter, "a", ""), KEYS_MAX),
                Use::Joined
            );
        }
        assert_eq!(keyed.enter(at(0), KEY, &delivery(99, "a", ""), KEYS_MAX), Use::NoRoom);
        keyed.answered(at(0), large.attempt.id, YES, &vec![0; ANSWER_BYTES_MAX].into());
        assert_eq!(keyed.enter(at(0), Key(8), &delivery(2, "a", ""), KEYS_MAX), Use::NoRoom);
        assert_eq!(keyed.enter(at(700), Key(8), &delivery(2, "a", ""), KEYS_MAX), Use::First);
        assert_eq!(keyed.answer_bytes, 0);
    }

    #[test]
    fn a_key_that_is_used_again_when_its_time_is_up_counts_with_its_last_answer_alone() {
        let mut keyed = Keyed::default();
        for round in 0..100 {
            let now = at(round * 600);
            let (other, its) = (delivery(2 * round, "b", ""), delivery(2 * round + 1, "a", ""));
            let before = at((round * 600).saturating_sub(1));
            keyed.enter(before, Key(round.into()), &other, KEYS_MAX);
            keyed.refused(other.attempt.id); // All were looked at just before its time was up.
            assert_eq!(keyed.enter(now, KEY, &its, KEYS_MAX), Use::First);
            keyed.answered(now, its.attempt.id, YES, &"an answer".into());
        }
        assert_eq!(keyed.answer_bytes, "an answer".len());
    }
}
