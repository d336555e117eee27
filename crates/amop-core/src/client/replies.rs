//! The last answers and refusals, to be given again when a copy of their message comes.
//!
//! A reply may be lost with the link that it was sent on; then the message comes again, mostly within
//! the seconds that it takes to notice. Only so many are kept: whoever asks for one that is gone
//! gets no word, and ends in doubt.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::time::Duration;

use amop_wire::{ClientMessage, Instant, Message, MsgId};

use crate::id_map::IdMap;

/// Replies by the messages that they are to.
///
/// They lie one behind the other in the order in which they were given, so that a busy subscriber, which
/// replaces all of them within a second, writes to memory in a row. Only their numbers are looked up at random.
#[derive(Debug, Default)]
pub(super) struct Replies {
    kept: VecDeque<Kept>,
    /// The number of the reply at the front.
    first: u64,
    numbers: IdMap<MsgId, u64>,
    payload_bytes: usize,
}

#[derive(Debug)]
struct Kept {
    id: MsgId,
    until: Instant,
    reply: ClientMessage,
}

impl Replies {
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Keeps a reply, and no more than so many in all. What is old or over a limit makes room, the
    /// oldest first.
    pub(super) fn keep(&mut self, now: Instant, id: MsgId, reply: &ClientMessage, most: usize) {
        self.payload_bytes += reply.payload().len();
        match self.numbers.entry(id) {
            Entry::Occupied(number) => {
                let before = &mut self.kept[position(self.first, *number.get())].reply;
                self.payload_bytes -= before.payload().len();
                *before = reply.clone();
            }
            Entry::Vacant(number) => {
                number.insert(self.first + self.kept.len() as u64);
                self.kept.push_back(Kept { id, until: now + KEPT, reply: reply.clone() });
            }
        }
        while let Some(Kept { id, until, reply }) = self.kept.front() {
            let is_over = self.kept.len() > most || self.payload_bytes > PAYLOAD_BYTES_MAX;
            if !is_over && now < *until {
                return;
            }
            self.payload_bytes -= reply.payload().len();
            self.numbers.remove(id);
            self.first += 1;
            self.kept.pop_front();
        }
    }

    /// What was replied.
    pub(super) fn get(&self, id: MsgId) -> Option<&ClientMessage> {
        let number = self.numbers.get(&id)?;
        Some(&self.kept[position(self.first, *number)].reply)
    }
}

fn position(first: u64, number: u64) -> usize {
    usize::try_from(number - first).expect("the numbers are of those that are kept")
}

/// How long a reply is kept while others come: longer than a lost link or a silent relay goes
/// unnoticed.
const KEPT: Duration = Duration::from_secs(30);

/// Most bytes of them.
const PAYLOAD_BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use amop_wire::{Answer, AnswerStatus, Attempt, Instance, NodeId};

    const REPLIES_MAX: usize = 100;

    fn id(counter: u64) -> MsgId {
        MsgId { publisher: Instance(1), counter }
    }

    fn answer(counter: u64, payload_bytes: usize) -> ClientMessage {
        let attempt = Attempt { home: NodeId::from_bytes([0; 32]), id: id(counter), number: 1 };
        let payload = vec![0; payload_bytes].into();
        ClientMessage::Answer(Answer { attempt, status: AnswerStatus::Answered, payload })
    }

    #[test]
    fn the_last_are_kept_up_to_a_number_and_up_to_so_many_bytes() {
        let mut replies = Replies::default();
        for counter in 0..=REPLIES_MAX as u64 {
            replies.keep(Instant::default(), id(counter), &answer(counter, 1), REPLIES_MAX);
        }
        assert_eq!(replies.get(id(0)), None);
        assert_eq!(replies.get(id(1)), Some(&answer(1, 1)));
        replies.keep(
            Instant::default(),
            id(100_000),
            &answer(100_000, PAYLOAD_BYTES_MAX - 1),
            REPLIES_MAX,
        );
        assert_eq!(replies.get(id(REPLIES_MAX as u64)), Some(&answer(REPLIES_MAX as u64, 1)));
        assert_eq!(replies.len(), 2);
        replies.keep(Instant::default(), id(100_001), &answer(100_001, 1), REPLIES_MAX);
        assert_eq!(replies.get(id(REPLIES_MAX as u64)), None);
        assert!(replies.get(id(100_000)).is_some());
        assert_eq!(replies.payload_bytes, PAYLOAD_BYTES_MAX);
    }

    #[test]
    fn a_reply_that_is_given_again_counts_once() {
        let mut replies = Replies::default();
        replies.keep(Instant::default(), id(1), &answer(1, 10), REPLIES_MAX);
        replies.keep(Instant::default(), id(1), &answer(1, 4), REPLIES_MAX);
        assert_eq!((replies.len(), replies.payload_bytes), (1, 4));
    }

    #[test]
    fn old_replies_go_when_others_come() {
        let at = |secs| Instant::after_start(Duration::from_secs(secs));
        let mut replies = Replies::default();
        replies.keep(at(0), id(1), &answer(1, 10), REPLIES_MAX);
        replies.keep(at(29), id(2), &answer(2, 10), REPLIES_MAX);
        assert!(replies.get(id(1)).is_some());
        replies.keep(at(30), id(3), &answer(3, 10), REPLIES_MAX);
        assert_eq!(replies.get(id(1)), None);
        assert_eq!((replies.len(), replies.payload_bytes), (2, 20));
    }
}
