//! Lets each multicast through once, whichever links its copies come over.
//!
//! A subscriber that moves to another node may meet a copy there of what it got before: the copy
//! was slower than the move. What one publisher sends comes in the order of its counters, so it is
//! enough to keep the highest one of each publisher; a copy that is not above it is no news. The
//! first copy decides: what was refused once is not taken from another node either.

use std::time::Duration;

use amop_wire::{Instance, Instant, MsgId};

use crate::id_map::IdMap;

/// The highest multicast of each publisher.
#[derive(Debug, Default)]
pub(super) struct Heard {
    publishers: IdMap<Instance, Last>,
    /// When to look for publishers to forget, if there is no room.
    forget_at: Instant,
}

#[derive(Debug)]
struct Last {
    counter: u64,
    at: Instant,
}

impl Heard {
    /// Notes a multicast. Says whether it is news; without room for its publisher it counts as
    /// none.
    pub(super) fn is_news(&mut self, now: Instant, id: MsgId) -> bool {
        if let Some(last) = self.publishers.get_mut(&id.publisher) {
            let is_news = id.counter > last.counter;
            *last = Last { counter: id.counter.max(last.counter), at: now };
            return is_news;
        }
        if self.publishers.len() >= PUBLISHERS_MAX && self.forget_at <= now {
            self.publishers.retain(|_, last| now < last.at + REMEMBERED);
            self.forget_at = now + FORGET_EVERY;
        }
        let has_room = self.publishers.len() < PUBLISHERS_MAX;
        if has_room {
            self.publishers.insert(id.publisher, Last { counter: id.counter, at: now });
        }
        has_room
    }
}

/// Most publishers that are remembered.
const PUBLISHERS_MAX: usize = 65_536;

/// How long at least: longer than a copy can be on its way, since links that stand still for 6 s
/// are lost.
const REMEMBERED: Duration = Duration::from_secs(60);

/// A look at all of them takes a millisecond.
const FORGET_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn id(publisher: u64, counter: u64) -> MsgId {
        MsgId { publisher: Instance(publisher), counter }
    }

    #[test]
    fn a_copy_is_no_news_and_neither_is_what_came_too_late() {
        let (mut heard, now) = (Heard::default(), Instant::default());
        assert!(heard.is_news(now, id(1, 1)));
        assert!(!heard.is_news(now, id(1, 1)));
        assert!(heard.is_news(now, id(1, 5)), "unicasts have numbers too");
        assert!(!heard.is_news(now, id(1, 4)));
        assert!(heard.is_news(now, id(2, 1)), "another publisher counts for itself");
    }

    #[test]
    fn one_publisher_past_the_limit_is_no_news_until_another_has_been_quiet_for_a_minute() {
        let (mut heard, start) = (Heard::default(), Instant::default());
        for publisher in 0..PUBLISHERS_MAX as u64 {
            assert!(heard.is_news(start, id(publisher, 1)));
        }
        let newcomer = id(u64::MAX, 1);
        assert!(!heard.is_news(start, newcomer));
        let later = start + REMEMBERED - Duration::from_nanos(1);
        assert!(heard.is_news(later, id(0, 2)), "those who are remembered go on");
        assert!(!heard.is_news(later, newcomer));
        assert!(heard.is_news(later + FORGET_EVERY, newcomer));
        assert!(!heard.is_news(later + FORGET_EVERY, id(0, 2)), "it is remembered still");
    }
}
