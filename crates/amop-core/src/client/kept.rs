//! Publishes that go out again if their node refuses them because it is about to stop.
//!
//! A node that is to stop says so, takes for 2 s what may have been sent before that was read, and refuses with
//! 203 what comes later. So whoever gets a 203 has read nothing of its node for about so long: its process
//! stood still. Only then is a copy of a publish kept, until its end; while the node is heard there is nothing to do.

use std::collections::BTreeMap;
use std::time::Duration;

use amop_wire::{Instant, Publish};

/// Copies of publishes that were sent, by their counters.
#[derive(Debug, Default)]
pub(super) struct Kept {
    publishes: BTreeMap<u64, Publish>,
    bytes: usize,
    /// When the node was heard last.
    heard_at: Instant,
}

impl Kept {
    pub(super) fn len(&self) -> usize {
        self.publishes.len()
    }

    /// The node said something.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// A publish is sent: keeps it if the node has not been heard for long, and there is room.
    pub(super) fn sent(&mut self, now: Instant, publish: &Publish) {
        if now.saturating_since(self.heard_at) < QUIET || self.bytes + weight(publish) > BYTES_MAX {
            return;
        }
        self.bytes += weight(publish);
        self.publishes.insert(publish.counter, publish.clone());
    }

    /// A publish has its end, or is to be sent again.
    pub(super) fn take(&mut self, counter: u64) -> Option<Publish> {
        let publish = self.publishes.remove(&counter)?;
        self.bytes -= weight(&publish);
        Some(publish)
    }
}

fn weight(publish: &Publish) -> usize {
    publish.payload.len() + PUBLISH_BYTES
}

/// Whoever has heard its node within this has read of it before the node refuses: two ways of 500 ms lie between.
const QUIET: Duration = Duration::from_secs(1);

/// Most bytes that are kept; what is sent beyond that may end with 203.
const BYTES_MAX: usize = 8 << 20;

/// What is kept beside the payload of a publish, roughly.
const PUBLISH_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use amop_wire::{Mode, Terms};

    use super::*;

    fn publish(counter: u64, payload_bytes: usize) -> Publish {
        Publish {
            counter,
            ttl: Duration::from_secs(1),
            mode: Mode::Unicast,
            sequence: 0,
            terms: Terms::default(),
            topic: "t".parse().unwrap(),
            payload: vec![0; payload_bytes].into(),
        }
    }

    fn at(millis: u64) -> Instant {
        Instant::after_start(Duration::from_millis(millis))
    }

    #[test]
    fn nothing_is_kept_while_the_node_is_heard() {
        let mut kept = Kept::default();
        kept.heard(at(5000));
        kept.sent(at(5999), &publish(1, 10));
        assert_eq!(kept.take(1), None);
        kept.sent(at(6000), &publish(2, 10));
        assert_eq!(kept.take(2), Some(publish(2, 10)));
        assert_eq!((kept.take(2), kept.len(), kept.bytes), (None, 0, 0));
    }

    #[test]
    fn what_fits_to_the_byte_is_kept_and_one_more_is_not() {
        let mut kept = Kept::default();
        let half = BYTES_MAX / 2 - PUBLISH_BYTES;
        kept.sent(at(1000), &publish(1, half));
        kept.sent(at(1000), &publish(2, half + 1));
        kept.sent(at(1000), &publish(3, half));
        assert_eq!([1, 2, 3].map(|counter| kept.take(counter).is_some()), [true, false, true]);
    }
}
