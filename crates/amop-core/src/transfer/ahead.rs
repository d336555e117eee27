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
    /// When this much was sent, with next to nothing before it under way, while the neighbour has not passed it on.
    timed: Option<(u64, Instant)>,
    /// The shortest time from that until the neighbour said that it was passed on, and how many times are known.
    shortest: Option<Duration>,
    times: u32,
}

impl Ahead {
    pub(super) fn send(&mut self, now: Instant, bytes: u64) {
        // Behind others it would tell how long these are, and let as much stay under way.
        let is_first = self.sent - self.passed < BESIDE_PIECE_BYTES as u64;
        self.sent += bytes;
        if bytes > 0 && is_first && self.timed.is_none() {
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
            self.times = self.times.saturating_add(1);
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

    /// Whether the neighbour has messages and is so near that whatever is sent whenever there is room is sent all
    /// the time.
    pub(super) fn is_beside_messages_nearby(&self) -> bool {
        let is_near = self.shortest.is_some_and(|shortest| shortest < NEAR);
        self.beside == Beside::Messages && is_near
    }

    /// As much as goes through at a good rate within the shortest time that it takes: more would only queue. It is
    /// for all transfers of the link, but each may have one piece under way. Until the way is known it is one.
    fn most_beside_messages(&self, transfers: usize) -> u64 {
        let known = self.shortest.filter(|_| self.times >= TIMES_MIN);
        let shortest = known.unwrap_or_default();
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
pub(super) const BESIDE_PIECE_BYTES: usize = 32 << 10;

/// A way shorter than this is no rest by itself.
const NEAR: Duration = Duration::from_millis(2);

/// Of how many times the shortest is taken for how long the way is: one alone may have met a busy processor.
const TIMES_MIN: u32 = 8;

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

    /// So many pieces were sent one by one, and each passed on after that time.
    fn after_times(times: u32, millis: u64) -> Ahead {
        let mut ahead = Ahead::default();
        for number in 1..=u64::from(times) {
            ahead.send(after(1000 * number), PIECE);
            ahead.pass(after(1000 * number + millis), number * PIECE, Beside::Files);
        }
        ahead
    }

    fn with_shortest(millis: u64) -> Ahead {
        after_times(TIMES_MIN, millis)
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
        let mut ahead = with_shortest(1);
        for (beside, most) in [(Beside::Messages, 2), (Beside::Files, 16)] {
            ahead.pass(after(9000), 8 * PIECE, beside);
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
        for (sent, took) in [(9, 90), (10, 2), (11, 50)] {
            ahead.send(after(1000 * sent), PIECE);
            ahead.pass(after(1000 * sent + took), sent * PIECE, Beside::Files);
        }
        assert_eq!(pieces(&ahead, Beside::Messages, 1), 4);
    }

    /// FILE-12.
    #[test]
    fn how_long_the_way_is_is_not_believed_before_it_was_seen_eight_times() {
        for (times, most) in [(0, 1), (1, 1), (7, 1), (8, 8)] {
            assert_eq!(pieces(&after_times(times, 4), Beside::Messages, 1), most, "{times}");
        }
    }

    /// FILE-12: or what waits on the way would be a reason to let as much wait.
    #[test]
    fn a_piece_behind_others_tells_nothing_of_how_long_the_way_is() {
        let mut ahead = Ahead::default();
        (0..8).for_each(|_| ahead.send(after(0), PIECE));
        for sent in 9..200 {
            ahead.send(after(sent), PIECE);
            ahead.pass(after(sent), (sent - 8) * PIECE, Beside::Files);
        }
        ahead.pass(after(200), 199 * PIECE, Beside::Messages);
        assert_eq!(pieces(&ahead, Beside::Messages, 1), 1);
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
    fn a_neighbour_nearby_answers_within_two_milliseconds() {
        for (millis, is_near) in [(0, true), (1, true), (2, false), (50, false)] {
            let mut ahead = after_times(1, millis);
            assert!(!ahead.is_beside_messages_nearby(), "it has none");
            ahead.pass(after(9000), PIECE, Beside::Messages);
            assert_eq!(ahead.is_beside_messages_nearby(), is_near, "{millis}");
        }
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
