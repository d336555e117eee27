//! Lets each message through once, whichever way its copies come.
//!
//! A subscriber that moves to another node may meet a copy there of what it got before, and a
//! unicast in doubt is sent again. What was heard is one bit for each number of a publisher, in
//! pieces of 4,096 that are forgotten a minute after their last use. Without room for a new piece
//! nothing new is let in; nothing that may come again is ever forgotten for that.

use std::time::Duration;

use amop_wire::{Instant, MsgId};

use crate::id_map::IdMap;

/// The messages that came within the last minute, and perhaps some before.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// By publisher and number of the piece.
    pieces: IdMap<MsgId, Piece>,
    /// When to look for pieces to forget.
    forget_at: Instant,
}

#[derive(Debug)]
struct Piece {
    bits: [u64; PIECE_WORDS],
    at: Instant,
}

/// What a copy turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copy {
    /// No other came before.
    First,
    /// It came before.
    Repeat,
    /// There is no room to note it, so it must not be taken.
    NoRoom,
}

impl Heard {
    /// How many pieces are held, of half a KiB each.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Notes a message, if that takes no more than so many pieces.
    pub(super) fn hear(&mut self, now: Instant, id: MsgId, pieces_max: usize) -> Copy {
        let bit = id.counter % PIECE_BITS;
        let key = MsgId { counter: id.counter / PIECE_BITS, ..id };
        if let Some(piece) = self.pieces.get_mut(&key) {
            return piece.note(now, bit);
        }
        self.forget(now);
        if self.pieces.len() >= pieces_max {
            return Copy::NoRoom;
        }
        let new = Piece { bits: [0; PIECE_WORDS], at: now };
        self.pieces.entry(key).or_insert(new).note(now, bit)
    }

    fn forget(&mut self, now: Instant) {
        if self.forget_at <= now {
            self.pieces.retain(|_, piece| now < piece.at + REMEMBERED);
            self.forget_at = now + FORGET_EVERY;
        }
    }
}

impl Piece {
    fn note(&mut self, now: Instant, bit: u64) -> Copy {
        self.at = now;
        let word = usize::try_from(bit / 64).expect("a piece is small");
        let (before, mask) = (self.bits[word], 1 << (bit % 64));
        self.bits[word] |= mask;
        if before & mask == 0 { Copy::First } else { Copy::Repeat }
    }
}

/// How many numbers one piece has a bit for.
const PIECE_BITS: u64 = 64 * PIECE_WORDS as u64;
const PIECE_WORDS: usize = 64;

/// How long at least: longer than a copy can be on its way, since links that stand still for 6 s
/// are lost.
const REMEMBERED: Duration = Duration::from_secs(60);

/// A look at all of them takes a millisecond.
const FORGET_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use amop_wire::Instance;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const PIECES_MAX: usize = 100;

    fn id(publisher: u64, counter: u64) -> MsgId {
        MsgId { publisher: Instance(publisher), counter }
    }

    proptest! {
        #[test]
        fn it_behaves_like_a_set(ids in prop::collection::vec((0_u64..3, 0_u64..9000), 1..300)) {
            let (mut heard, mut twin) = (Heard::default(), BTreeSet::new());
            for (publisher, counter) in ids {
                let id = id(publisher, counter);
                let expected = if twin.insert(id) { Copy::First } else { Copy::Repeat };
                prop_assert_eq!(heard.hear(Instant::default(), id, PIECES_MAX), expected);
            }
        }
    }

    #[test]
    fn one_publisher_past_the_limit_is_let_in_once_another_has_been_quiet_for_a_minute() {
        let (mut heard, start) = (Heard::default(), Instant::default());
        for publisher in 0..PIECES_MAX as u64 {
            assert_eq!(heard.hear(start, id(publisher, 1), PIECES_MAX), Copy::First);
        }
        let newcomer = id(u64::MAX, 1);
        assert_eq!(heard.hear(start, newcomer, PIECES_MAX), Copy::NoRoom);
        let later = start + REMEMBERED - Duration::from_nanos(1);
        assert_eq!(
            heard.hear(later, id(0, 2), PIECES_MAX),
            Copy::First,
            "those who are remembered go on"
        );
        assert_eq!(heard.hear(later, newcomer, PIECES_MAX), Copy::NoRoom);
        assert_eq!(heard.hear(later + FORGET_EVERY, newcomer, PIECES_MAX), Copy::First);
        assert_eq!(
            heard.hear(later + FORGET_EVERY, id(0, 2), PIECES_MAX),
            Copy::Repeat,
            "it is remembered"
        );
    }
}
