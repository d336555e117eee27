//! What a payload says to the clients at both ends, whichever system carries it.
//!
//! A payload begins with a letter that says what it is, and a number; zeros fill the rest.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;

/// What the far client does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Counts it.
    OneWay,
    /// Sends it back.
    Request,
    /// Says how many one-way messages have come.
    End,
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) kind: Kind,
    pub(crate) number: u64,
}

/// The part of a payload that says something, in bytes. No payload is shorter.
pub(crate) const CONTENT_BYTES: usize = 1 + 8;

impl Content {
    /// The first bytes of the payload.
    pub(crate) fn encode(self) -> [u8; CONTENT_BYTES] {
        let letter = match self.kind {
            Kind::OneWay => b'm',
            Kind::Request => b'r',
            Kind::End => b'e',
        };
        let mut bytes = [letter; CONTENT_BYTES];
        bytes[1..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// Reads the first bytes of a payload, if they are one of ours.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let (letter, rest) = payload.split_first()?;
        let kind = match letter {
            b'm' => Kind::OneWay,
            b'r' => Kind::Request,
            b'e' => Kind::End,
            _ => return None,
        };
        Some(Self { kind, number: u64::from_be_bytes(*rest.first_chunk()?) })
    }

    /// A whole payload of so many bytes.
    pub(crate) fn payload(self, bytes: usize) -> Bytes {
        let mut payload = vec![0; bytes.max(CONTENT_BYTES)];
        payload[..CONTENT_BYTES].copy_from_slice(&self.encode());
        payload.into()
    }
}

/// What one subscriber has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    arrived: u64,
    next: u64,
    last_at: Option<Instant>,
    longest_gap: Duration,
    /// One came twice, in the wrong order, or damaged; or an answer was not taken.
    went_wrong: bool,
}

impl Tally {
    /// Counts a one-way message that came at `at`. Their numbers go up; those that are missing were lost.
    pub(crate) fn arrive(&mut self, at: Instant, number: u64) {
        let gap = self.last_at.map_or(Duration::ZERO, |last| at.saturating_duration_since(last));
        self.longest_gap = self.longest_gap.max(gap);
        self.last_at = Some(at);
        self.went_wrong |= number < self.next;
        self.next = number.saturating_add(1);
        self.arrived += 1;
    }

    /// Notes that something came that must not have come.
    pub(crate) fn go_wrong(&mut self) {
        self.went_wrong = true;
    }

    /// How many one-way messages have come in all.
    ///
    /// # Errors
    ///
    /// Fails when one came twice, late or damaged.
    pub(crate) fn arrived(&self) -> Result<u64> {
        ensure!(
            !self.went_wrong,
            "a message came twice, late or damaged, or nobody took an answer"
        );
        Ok(self.arrived)
    }

    /// The longest time between two one-way messages that came one after the other; zero if there were none.
    pub(crate) fn longest_gap(&self) -> Duration {
        self.longest_gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    #[test]
    fn a_payload_says_what_it_is_and_a_damaged_one_nothing() {
        for kind in [Kind::OneWay, Kind::Request, Kind::End] {
            let content = Content { kind, number: u64::MAX - 7 };
            let payload = content.payload(16);
            assert_eq!(payload.len(), 16);
            assert_eq!(Content::decode(&payload), Some(content));
            assert_eq!(Content::decode(&payload[1..]), None);
            assert_eq!(Content::decode(&payload[..8]), None);
        }
    }

    #[test]
    fn a_hole_is_fewer_messages_but_a_repeat_and_a_late_one_are_wrong() {
        let arrived = |numbers: &[u64]| {
            let mut tally = Tally::default();
            numbers.iter().for_each(|&number| tally.arrive(now(), number));
            tally.arrived().ok()
        };
        assert_eq!(arrived(&[0, 1, 5]), Some(3));
        assert_eq!(arrived(&[0, 1, 1]), None);
        assert_eq!(arrived(&[0, 2, 1]), None);
    }

    #[test]
    fn the_longest_gap_is_between_two_that_came_and_not_before_the_first() {
        let (began, mut tally) = (now(), Tally::default());
        for (number, millis) in [(0, 900), (1, 910), (2, 1000), (3, 1001)] {
            tally.arrive(began + Duration::from_millis(millis), number);
        }
        assert_eq!(tally.longest_gap(), Duration::from_millis(90));
        assert_eq!(Tally::default().longest_gap(), Duration::ZERO);
    }
}
