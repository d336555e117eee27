//! Publishes of a client: those that wait for room, those under way, and ends not yet taken.
//!
//! ```text
//!            room                      the core names its end           taken
//!  waiting ────────▶ Slot::UnderWay ──────────────────────────▶ Slot::Ended ────▶ gone
//!     │                    │ dropped
//!     ▼ dropped            ▼                                   end
//!   gone             Slot::Abandoned ──────────────────────────────────────────▶ gone
//! ```
//!
//! What is under way is bounded, in number and in bytes, and an abandoned publish still counts
//! until its end: the node holds it. Whoever finds no room waits in line. Only the first in line
//! is ever woken; when it is through, the next one is.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

use amop_core::client::PublishEnd;
use amop_wire::{InFlight, Instant};
use slab::Slab;

/// All publishes of one client that have no end, or whose end nobody has taken.
#[derive(Debug, Default)]
pub(crate) struct Publishes {
    slots: Slab<Slot>,
    /// How many have no end, abandoned ones included.
    under_way: usize,
    bytes_under_way: usize,
    /// What the node takes at most.
    node_takes: InFlight,
    /// The line of those who wait for room: first come, first served.
    waiting: BTreeMap<Ticket, Waiting>,
    last_ticket: u64,
}

/// Where a publish is kept. Valid until its end is taken or it is abandoned.
pub(crate) type SlotKey = usize;

/// A place in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// How a publish ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) end: PublishEnd,
    pub(crate) took: Duration,
}

#[derive(Debug)]
struct Waiting {
    payload_bytes: usize,
    /// `None` once it was woken.
    waker: Option<Waker>,
}

#[derive(Debug)]
enum Slot {
    UnderWay { payload_bytes: usize, since: Instant, waker: Option<Waker> },
    Abandoned { payload_bytes: usize },
    Ended(Ended),
}

impl Publishes {
    /// Whether one more with such a payload may be under way. A single one always may.
    pub(crate) fn has_room(&self, payload_bytes: usize) -> bool {
        let InFlight { messages, bytes } = self.node_takes;
        let most = usize::try_from(messages).unwrap_or(usize::MAX).min(UNDER_WAY_MAX);
        let most_bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(UNDER_WAY_BYTES_MAX);
        let fits = self.under_way < most && self.bytes_under_way + payload_bytes <= most_bytes;
        fits || self.under_way == 0
    }

    /// The node says how much it takes; what is more waits.
    pub(crate) fn set_room(&mut self, node_takes: InFlight) {
        self.node_takes = node_takes;
    }

    /// How many have no end.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way
    }

    /// Whether nothing is kept of any publish.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
            && self.under_way == 0
            && self.bytes_under_way == 0
            && self.waiting.is_empty()
    }

    /// Whether it is the turn of whoever holds this ticket, or has none.
    pub(crate) fn is_next(&self, ticket: Option<Ticket>) -> bool {
        self.waiting.keys().next().is_none_or(|&first| Some(first) == ticket)
    }

    /// Gets into the line, or stays in it with another waker. Answers the waker to drop.
    pub(crate) fn wait(
        &mut self,
        ticket: &mut Option<Ticket>,
        payload_bytes: usize,
        waker: Waker,
    ) -> Option<Waker> {
        let ticket = *ticket.get_or_insert_with(|| {
            self.last_ticket += 1;
            Ticket(self.last_ticket)
        });
        let waiting = Waiting { payload_bytes, waker: Some(waker) };
        self.waiting.insert(ticket, waiting).and_then(|before| before.waker)
    }

    /// Leaves the line. Answers the waker to drop.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Option<Waker> {
        self.waiting.remove(&ticket).and_then(|waiting| waiting.waker)
    }

    /// The payload of the first in line, if there is one.
    pub(crate) fn next_payload_bytes(&self) -> Option<usize> {
        self.waiting.values().next().map(|waiting| waiting.payload_bytes)
    }

    /// The waker of the first in line, unless it was woken before.
    pub(crate) fn take_next_waker(&mut self) -> Option<Waker> {
        self.waiting.values_mut().next().and_then(|waiting| waiting.waker.take())
    }

    /// The wakers of everybody in line.
    pub(crate) fn take_waiting_wakers(&mut self) -> impl Iterator<Item = Waker> {
        self.waiting.values_mut().filter_map(|waiting| waiting.waker.take())
    }

    /// Notes a publish that the core is about to be told of.
    pub(crate) fn begin(
        &mut self,
        payload_bytes: usize,
        since: Instant,
        waker: Option<Waker>,
    ) -> SlotKey {
        let key = self.slots.insert(Slot::UnderWay { payload_bytes, since, waker });
        self.under_way += 1;
        self.bytes_under_way += payload_bytes;
        key
    }

    /// Notes an end. Answers the waker of whoever waits for it.
    pub(crate) fn end(&mut self, now: Instant, key: SlotKey, end: PublishEnd) -> Option<Waker> {
        let slot = self.slots.get_mut(key)?;
        let (payload_bytes, waker) = match slot {
            Slot::UnderWay { payload_bytes, since, waker } => {
                let (payload_bytes, waker) = (*payload_bytes, waker.take());
                let took = now.saturating_since(*since);
                *slot = Slot::Ended(Ended { end, took });
                (payload_bytes, waker)
            }
            Slot::Abandoned { payload_bytes } => {
                let payload_bytes = *payload_bytes;
                self.slots.remove(key);
                (payload_bytes, None)
            }
            Slot::Ended(_) => return None,
        };
        self.under_way -= 1;
        self.bytes_under_way -= payload_bytes;
        waker
    }

    /// Takes the end, which frees the slot, or has `waker` woken when it is there. Answers the
    /// waker to drop, too.
    pub(crate) fn take_end(
        &mut self,
        key: SlotKey,
        waker: &Waker,
    ) -> (Option<Ended>, Option<Waker>) {
        match self.slots.get_mut(key) {
            Some(Slot::UnderWay { waker: old, .. }) => {
                let is_same = old.as_ref().is_some_and(|old| old.will_wake(waker));
                (None, if is_same { None } else { old.replace(waker.clone()) })
            }
            Some(Slot::Ended(_)) => match self.slots.remove(key) {
                Slot::Ended(ended) => (Some(ended), None),
                Slot::UnderWay { .. } | Slot::Abandoned { .. } => (None, None),
            },
            Some(Slot::Abandoned { .. }) | None => (None, None),
        }
    }

    /// Notes that nobody wants to know the end. Answers the waker to drop.
    pub(crate) fn abandon(&mut self, key: SlotKey) -> Option<Waker> {
        let slot = self.slots.get_mut(key)?;
        match slot {
            Slot::UnderWay { payload_bytes, waker, .. } => {
                let waker = waker.take();
                *slot = Slot::Abandoned { payload_bytes: *payload_bytes };
                waker
            }
            Slot::Ended(_) => {
                self.slots.remove(key);
                None
            }
            Slot::Abandoned { .. } => None,
        }
    }
}

/// Most publishes of one client under way: half of what its node takes, so that those whose ends
/// are on their way back leave room for others.
const UNDER_WAY_MAX: usize = 8192;

/// Most bytes of payload under way.
const UNDER_WAY_BYTES_MAX: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use amop_wire::Receipt;

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    const START: Duration = Duration::from_secs(1);

    fn start() -> Instant {
        Instant::after_start(START)
    }

    fn begin(publishes: &mut Publishes, payload_bytes: usize) -> SlotKey {
        publishes.begin(payload_bytes, start(), None)
    }

    fn end() -> PublishEnd {
        PublishEnd::Receipt(Receipt::default())
    }

    #[test]
    fn no_more_is_under_way_than_the_node_takes_but_a_single_one_always_may_be() {
        let mut publishes = Publishes::default();
        publishes.set_room(InFlight { messages: 2, bytes: 20 });
        assert!(publishes.has_room(21));
        begin(&mut publishes, 10);
        assert!(publishes.has_room(10) && !publishes.has_room(11));
        begin(&mut publishes, 1);
        assert!(!publishes.has_room(0), "two are under way");
        publishes.set_room(InFlight::default());
        assert!(publishes.has_room(1000), "as much as any node takes");
    }

    #[test]
    fn an_end_wakes_whoever_waits_for_it_and_frees_everything_once_it_is_taken() {
        let mut publishes = Publishes::default();
        let key = begin(&mut publishes, 10);
        let waker = Waker::from(Arc::new(Wakes::default()));
        assert!(publishes.take_end(key, &waker).0.is_none());

        let now = start() + Duration::from_millis(3);
        let woken = publishes.end(now, key, end()).expect("somebody waits");
        assert!(woken.will_wake(&waker));
        assert_eq!(publishes.under_way(), 0);
        let (ended, _) = publishes.take_end(key, &waker);
        assert_eq!(ended.expect("it has ended").took, Duration::from_millis(3));
        assert!(publishes.is_empty());
    }

    #[test]
    fn what_is_abandoned_counts_until_its_end_and_then_leaves_nothing() {
        let mut publishes = Publishes::default();
        let before = begin(&mut publishes, 10);
        let after = begin(&mut publishes, 20);
        publishes.abandon(before);
        assert_eq!((publishes.under_way(), publishes.bytes_under_way), (2, 30));
        assert!(publishes.end(start(), before, end()).is_none());
        assert!(publishes.end(start(), after, end()).is_none());
        publishes.abandon(after);
        assert!(publishes.is_empty());
        assert!(publishes.end(start(), after, end()).is_none(), "a second end does nothing");
    }

    #[test]
    fn room_is_bounded_in_number() {
        let mut publishes = Publishes::default();
        let mut last = 0;
        for _ in 0..UNDER_WAY_MAX {
            assert!(publishes.has_room(0));
            last = begin(&mut publishes, 0);
        }
        assert!(!publishes.has_room(0));
        publishes.end(start(), last, end());
        assert!(publishes.has_room(0));
    }

    #[test]
    fn room_is_bounded_in_bytes_but_a_single_one_always_has_it() {
        let mut publishes = Publishes::default();
        assert!(publishes.has_room(UNDER_WAY_BYTES_MAX + 1));
        begin(&mut publishes, 1);
        assert!(publishes.has_room(UNDER_WAY_BYTES_MAX - 1));
        assert!(!publishes.has_room(UNDER_WAY_BYTES_MAX));
    }

    #[test]
    fn the_line_is_served_in_order_and_only_its_first_is_woken_once() {
        let mut publishes = Publishes::default();
        let wakes: [Arc<Wakes>; 3] = Default::default();
        let mut tickets = [None; 3];
        assert!(publishes.is_next(None), "nobody waits");
        for (i, ticket) in tickets.iter_mut().enumerate() {
            assert!(publishes.wait(ticket, i, Waker::from(wakes[i].clone())).is_none());
        }
        assert!(!publishes.is_next(None), "a newcomer is behind the others");
        assert!(publishes.is_next(tickets[0]));
        assert!(!publishes.is_next(tickets[1]));

        publishes.take_next_waker().expect("the first sleeps").wake();
        assert!(publishes.take_next_waker().is_none(), "it was woken");
        publishes.leave(tickets[1].unwrap()).expect("the second gives up and sleeps");
        publishes.leave(tickets[0].unwrap());
        assert_eq!(publishes.next_payload_bytes(), Some(2));
        publishes.take_next_waker().expect("the third is first now").wake();
        publishes.leave(tickets[2].unwrap());
        let counts = wakes.each_ref().map(|wakes| wakes.0.load(Ordering::Relaxed));
        assert_eq!(counts, [1, 0, 1]);
        assert!(publishes.is_empty());
    }
}
