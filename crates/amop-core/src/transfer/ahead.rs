//! How far a sender of pieces is ahead of its neighbour, and how far it may be (FILE-12).

use std::time::Duration;

use amop_wire::Instant;
use amop_wire::limits::{FILE_PIECE_BYTES_MAX, FILE_WINDOW_BYTES};

/// What else is on the links that a transfer shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beside {
    /// Files alone: a transfer takes what it can.
    #[default]
    Files,
    /// Messages too: what is on its way of files stands before them, so it is kept short.
    Messages,
}

impl Beside {
    /// What a neighbour said.
    #[must_use]
    pub fn messages_if(beside_messages: bool) -> Self {
        if beside_messages { Self::Messages } else { Self::Files }
    }
}

/// What was sent of one round of a transfer, and how much of it the neighbour has passed on, in bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Ahead {
    sent: u64,
    passed: u64,
    /// What the neighbour said that there is where it passes them on.
    beside: Beside,
    /// When this much was sent, while the neighbour has not passed it on.
    timed: Option<(u64, Instant)>,
    /// The shortest time from sending something until the neighbour said that it was passed on.
    shortest: Option<Duration>,
}

impl Ahead {
    pub(super) fn send(&mut self, now: Instant, bytes: u64) {
        self.sent += bytes;
        if bytes > 0 && self.timed.is_none() {
            self.timed = Some((self.sent, now));
        }
    }

    /// The neighbour said how much it has passed on, and beside what. What cannot be true changes nothing.
    pub(super) fn pass(&mut self, now: Instant, passed: u64, beside: Beside) {
        if passed > self.sent {
            return;
        }
        self.beside = beside;
        self.passed = self.passed.max(passed);
        if let Some((bytes, since)) = self.timed
            && self.passed >= bytes
        {
            let took = now.saturating_since(since);
            self.shortest = Some(self.shortest.map_or(took, |shortest| shortest.min(took)));
            self.timed = None;
        }
    }

    /// Whether a piece may be sent on a link that so many transfers share.
    pub(super) fn may_send(&self, bytes: u64, beside: Beside, transfers: usize) -> bool {
        let under_way = self.sent - self.passed;
        let is_alone = (beside, self.beside) == (Beside::Files, Beside::Files);
        // What is no piece is in nobody's way. One need not fit whole: a neighbour does not tell of little at once.
        let is_small = bytes == 0 || under_way < self.most_beside_messages(transfers);
        under_way + bytes <= FILE_WINDOW_BYTES && (is_alone || is_small)
    }

    /// As much as goes through at a good rate within the shortest time that it takes: more would only queue. It is
    /// for all transfers of the link, but each may have one piece under way.
    fn most_beside_messages(&self, transfers: usize) -> u64 {
        let shortest = self.shortest.unwrap_or_default();
        let micros = u64::try_from(shortest.as_micros()).unwrap_or(u64::MAX);
        let all = (micros.saturating_mul(BESIDE_BYTES_PER_MILLI) / 1000).min(FILE_WINDOW_BYTES);
        let transfers = u64::try_from(transfers.max(1)).expect("a count fits 64 bits");
        (all / transfers).max(BESIDE_PIECE_BYTES as u64)
    }

    /// How long a piece should be that is sent to this neighbour.
    pub(super) fn piece_bytes_max(&self) -> usize {
        match self.beside {
            Beside::Files => FILE_PIECE_BYTES_MAX,
            Beside::Messages => BESIDE_PIECE_BYTES,
        }
    }
}

/// How long a piece is for a neighbour with messages: whoever is busy with it lets a message wait.
pub(super) const BESIDE_PIECE_BYTES: usize = 16 << 10;

/// What an Ethernet of 1 Gbit/s carries.
const BESIDE_BYTES_PER_MILLI: u64 = 128 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: u64 = FILE_PIECE_BYTES_MAX as u64;

    fn after(millis: u64) -> Instant {
        Instant::default() + Duration::from_millis(millis)
    }

    /// How many pieces may be under way.
    fn pieces(ahead: &Ahead, beside: Beside, transfers: usize) -> usize {
        let mut ahead = ahead.clone();
        let mut sends = || {
            let may_send = ahead.may_send(PIECE, beside, transfers);
            ahead.send(after(0), PIECE);
            may_send
        };
        (0..).take_while(|_| sends()).count()
    }

    /// One piece was sent, and passed on after that time.
    fn with_shortest(millis: u64) -> Ahead {
        let mut ahead = Ahead::default();
        ahead.send(after(5), PIECE);
        ahead.pass(after(5 + millis), PIECE, Beside::Files);
        ahead
    }

    /// FILE-12.
    #[test]
    fn beside_messages_one_piece_is_under_way_and_without_sixteen() {
        for transfers in [1, 64] {
            assert_eq!(pieces(&Ahead::default(), Beside::Files, transfers), 16);
        }
        assert_eq!(pieces(&Ahead::default(), Beside::Messages, 1), 1);
    }

    /// FILE-12.
    #[test]
    fn what_the_neighbour_is_beside_counts_too_until_it_says_otherwise() {
        let mut ahead = Ahead::default();
        ahead.send(after(0), PIECE);
        for (millis, beside, most) in [(1, Beside::Messages, 2), (2, Beside::Files, 16)] {
            ahead.pass(after(millis), PIECE, beside);
            assert_eq!(pieces(&ahead, Beside::Files, 1), most);
            assert_eq!(pieces(&ahead, Beside::Messages, 1), 2, "the way takes a millisecond");
        }
    }

    /// FILE-12.
    #[test]
    fn beside_messages_transfers_share_what_is_under_way_but_for_one_piece_each() {
        let far = with_shortest(8);
        assert_eq!(
            [1, 2, 4, 16, 64].map(|count| pieces(&far, Beside::Messages, count)),
            [16, 8, 4, 1, 1]
        );
    }

    /// FILE-12: or a long way would be idle most of the time.
    #[test]
    fn the_longer_the_way_the_more_is_under_way_beside_messages() {
        let most = |millis| pieces(&with_shortest(millis), Beside::Messages, 1);
        assert_eq!([0, 1, 2, 4, 8, 100].map(most), [1, 2, 4, 8, 16, 16]);
    }

    #[test]
    fn the_way_is_as_long_as_its_shortest_time() {
        let mut ahead = with_shortest(4);
        for (sent, took) in [(2, 90), (3, 2), (4, 50)] {
            ahead.send(after(1000 * sent), PIECE);
            ahead.pass(after(1000 * sent + took), sent * PIECE, Beside::Files);
        }
        assert_eq!(pieces(&ahead, Beside::Messages, 1), 4);
    }

    /// FILE-12: its Window comes with that of the piece behind it.
    #[test]
    fn a_short_piece_holds_back_no_other_beside_messages() {
        let mut ahead = Ahead::default();
        ahead.send(after(0), 32);
        assert!(ahead.may_send(PIECE, Beside::Messages, 64));
        ahead.send(after(0), PIECE);
        assert!(!ahead.may_send(1, Beside::Messages, 64), "a piece and more is under way");
    }

    /// FILE-12: a relay drops what comes past that.
    #[test]
    fn no_more_than_the_window_is_under_way_however_long_the_way_is() {
        let mut ahead = with_shortest(100);
        ahead.send(after(200), 1);
        assert_eq!(pieces(&ahead, Beside::Messages, 1), 15);
    }

    #[test]
    fn what_was_never_sent_was_not_passed_on() {
        let mut ahead = Ahead::default();
        ahead.send(after(0), PIECE);
        ahead.pass(after(9), 2 * PIECE, Beside::Files);
        assert_eq!(pieces(&ahead, Beside::Files, 1), 15);
        assert_eq!(pieces(&ahead, Beside::Messages, 1), 0);
    }
}
