//! What an inbox knows of sends that have no receiver any more, so that its no to one of them holds for good.

use std::collections::{BTreeMap, VecDeque};

use super::inbox::Send;

/// The latest sends that are over, and how.
#[derive(Debug, Default)]
pub(super) struct Past {
    sends: BTreeMap<Send, Over>,
    /// In the order in which they came here.
    order: VecDeque<Send>,
}

/// How a send was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// The file was there.
    Done,
    /// It was refused without having been looked at, and is so whatever comes of it (FILE-16).
    Refused,
}

impl Past {
    pub(super) fn get(&self, send: Send) -> Option<Over> {
        self.sends.get(&send).copied()
    }

    pub(super) fn note(&mut self, send: Send, over: Over) {
        if self.sends.insert(send, over).is_none() {
            self.order.push_back(send);
        }
        if self.order.len() > PAST_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.sends.remove(&oldest);
        }
    }
}

/// How many are remembered: more than come while a sender waits for a word.
const PAST_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use amop_wire::Instance;

    use super::*;

    #[test]
    fn the_latest_4096_sends_are_remembered_and_no_more() {
        let mut past = Past::default();
        let send = |number: usize| (Instance(1), number as u64);
        for number in 0..4096 {
            past.note(send(number), Over::Done);
            past.note(send(number), Over::Done);
        }
        assert_eq!(past.get(send(0)), Some(Over::Done));
        past.note(send(4096), Over::Refused);
        assert_eq!((past.get(send(0)), past.get(send(1))), (None, Some(Over::Done)));
        assert_eq!(past.get(send(4096)), Some(Over::Refused));
        assert_eq!((past.sends.len(), past.order.len()), (4096, 4096));
    }
}
