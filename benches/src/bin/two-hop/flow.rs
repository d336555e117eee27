//! A stretch of one-way messages: which number comes next, and when it is enough.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::clock::now;
use crate::message::{Content, Kind};

/// Numbers the messages of one stretch.
#[derive(Debug)]
pub(crate) struct Flow {
    payload_bytes: usize,
    first: u64,
    next: u64,
    until: Until,
}

/// When it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// When it is that late.
    Time(Instant),
    /// When there were so many.
    Count(u64),
}

impl Flow {
    /// Begins with the number `first`.
    pub(crate) fn new(first: u64, payload_bytes: usize, until: Until) -> Self {
        Self { payload_bytes, first, next: first, until }
    }

    /// Lasts so long from now on.
    pub(crate) fn lasting(first: u64, payload_bytes: usize, span: Duration) -> Self {
        Self::new(first, payload_bytes, Until::Time(now() + span))
    }

    /// The next message, or none if it is enough.
    pub(crate) fn next(&mut self) -> Option<Content> {
        let is_enough = match self.until {
            Until::Count(count) => self.sent() == count,
            // A look at the clock for each short message would cost more than the message.
            Until::Time(end) => self.sent().is_multiple_of(self.looks_every()) && now() >= end,
        };
        if is_enough {
            return None;
        }
        self.next += 1;
        Some(Content { kind: Kind::OneWay, number: self.next - 1 })
    }

    /// The next message as a whole payload.
    pub(crate) fn next_payload(&mut self) -> Option<Bytes> {
        self.next().map(|content| content.payload(self.payload_bytes))
    }

    /// How long each payload is.
    pub(crate) fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// How many messages there were so far.
    pub(crate) fn sent(&self) -> u64 {
        self.next - self.first
    }

    /// Between two looks at the clock lie 16 KiB, or one message if that is longer.
    fn looks_every(&self) -> u64 {
        (BYTES_PER_LOOK / self.payload_bytes.max(1)).clamp(1, MESSAGES_PER_LOOK_MAX) as u64
    }
}

const BYTES_PER_LOOK: usize = 16 << 10;
const MESSAGES_PER_LOOK_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_numbered_until_there_were_enough() {
        let mut flow = Flow::new(7, 16, Until::Count(2));
        let numbers: Vec<u64> =
            std::iter::from_fn(|| flow.next()).map(|content| content.number).collect();
        assert_eq!((numbers, flow.sent()), (vec![7, 8], 2));
    }

    #[test]
    fn once_the_time_is_over_at_most_one_look_is_missed() {
        for (payload_bytes, sent_max) in [(16, 63), (256, 63), (1 << 20, 0)] {
            let mut flow = Flow::lasting(0, payload_bytes, Duration::from_secs(3600));
            flow.next().unwrap();
            flow.until = Until::Time(now());
            let more = std::iter::from_fn(|| flow.next()).count();
            assert_eq!(more, sent_max, "{payload_bytes}");
        }
    }
}
