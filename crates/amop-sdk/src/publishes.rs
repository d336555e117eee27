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
//! What is under way is bounded by its [`Room`], and an abandoned publish still takes it: the node
//! holds it. Whoever finds no room waits in line, unicasts in one and multicasts in another. Only the first in a
//! line is ever woken; when it is through, the next one is.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::task::Waker;
use std::time::Duration;

use amop_core::client::PublishEnd;
use amop_wire::{InFlight, Instant, Mode};
use slab::Slab;

use crate::room::{Open, Room};

/// All publishes of one client that have no end, or whose end nobody has taken.
#[derive(Debug, Default)]
pub(crate) struct Publishes {
    slots: Slab<Slot>,
    /// What those take that have no end, abandoned ones included.
    room: Room,
    /// The lines of those who wait for room, one for each mode: first come, first served.
    waiting: BTreeMap<Ticket, Waiting>,
    last_ticket: u64,
}

/// Where a publish is kept. Valid until its end is taken or it is abandoned.
pub(crate) type SlotKey = usize;

/// A place in the line of a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(Mode, u64);

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
    UnderWay { open: Open, waker: Option<Waker> },
    Abandoned(Open),
    Ended(Ended),
}

impl Slot {
    /// The publish, as long as it has no end.
    fn open(&mut self) -> Option<&mut Open> {
        match self {
            Self::UnderWay { open, .. } | Self::Abandoned(open) => Some(open),
            Self::Ended(_) => None,
        }
    }
}

impl Publishes {
    /// Whether one more with such a payload may be under way.
    pub(crate) fn has_room(&self, mode: Mode, payload_bytes: usize) -> bool {
        self.room.has(mode, payload_bytes)
    }

    /// The same, once the multicasts that took room for long enough have given it back.
    pub(crate) fn make_room(&mut self, now: Instant, mode: Mode, payload_bytes: usize) -> bool {
        if !self.room.has(mode, payload_bytes) && self.room.look_at() <= now {
            let open = self.slots.iter_mut().filter_map(|(_, slot)| slot.open());
            self.room.look(now, open);
        }
        self.room.has(mode, payload_bytes)
    }

    /// When [`make_room`](Self::make_room) may find room for the first multicast in line.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let payload_bytes = self.next_payload_bytes(Mode::Multicast)?;
        (!self.room.has(Mode::Multicast, payload_bytes)).then_some(self.room.look_at())
    }

    /// The node says how much it takes; what is more waits.
    pub(crate) fn set_room(&mut self, node_takes: InFlight) {
        self.room.set(node_takes);
    }

    /// How many have no end.
    pub(crate) fn under_way(&self) -> usize {
        self.room.under_way()
    }

    /// Whether nothing is kept of any publish.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.room.under_way() == 0 && self.waiting.is_empty()
    }

    /// Whether it is the turn of whoever holds this ticket, or has none.
    pub(crate) fn is_next(&self, mode: Mode, ticket: Option<Ticket>) -> bool {
        let first = self.waiting.range(line(mode)).next();
        first.is_none_or(|(&first, _)| Some(first) == ticket)
    }

    /// Gets into the line, or stays in it with another waker. Answers the waker to drop.
    pub(crate) fn wait(
        &mut self,
        ticket: &mut Option<Ticket>,
        mode: Mode,
        payload_bytes: usize,
        waker: Waker,
    ) -> Option<Waker> {
        let ticket = *ticket.get_or_insert_with(|| {
            self.last_ticket += 1;
            Ticket(mode, self.last_ticket)
        });
        let waiting = Waiting { payload_bytes, waker: Some(waker) };
        self.waiting.insert(ticket, waiting).and_then(|before| before.waker)
    }

    /// Leaves the line. Answers the waker to drop.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Option<Waker> {
        self.waiting.remove(&ticket).and_then(|waiting| waiting.waker)
    }

    /// The payload of the first in the line of a mode, if there is one.
    pub(crate) fn next_payload_bytes(&self, mode: Mode) -> Option<usize> {
        self.waiting.range(line(mode)).next().map(|(_, waiting)| waiting.payload_bytes)
    }

    /// The waker of the first in the line of a mode, unless it was woken before.
    pub(crate) fn take_next_waker(&mut self, mode: Mode) -> Option<Waker> {
        self.waiting.range_mut(line(mode)).next().and_then(|(_, waiting)| waiting.waker.take())
    }

    /// The wakers of everybody in line.
    pub(crate) fn take_waiting_wakers(&mut self) -> impl Iterator<Item = Waker> {
        self.waiting.values_mut().filter_map(|waiting| waiting.waker.take())
    }

    /// Notes a publish that the core is about to be told of.
    pub(crate) fn begin(
        &mut self,
        mode: Mode,
        payload_bytes: usize,
        since: Instant,
        waker: Option<Waker>,
    ) -> SlotKey {
        let open = self.room.take(mode, payload_bytes, since);
        self.slots.insert(Slot::UnderWay { open, waker })
    }

    /// Notes an end. Answers the waker of whoever waits for it.
    pub(crate) fn end(&mut self, now: Instant, key: SlotKey, end: PublishEnd) -> Option<Waker> {
        let slot = self.slots.get_mut(key)?;
        let (open, waker) = match slot {
            Slot::UnderWay { open, waker } => {
                let (open, waker) = (*open, waker.take());
                *slot = Slot::Ended(Ended { end, took: now.saturating_since(open.since) });
                (open, waker)
            }
            Slot::Abandoned(open) => {
                let open = *open;
                self.slots.remove(key);
                (open, None)
            }
            Slot::Ended(_) => return None,
        };
        self.room.end(open);
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
                Slot::UnderWay { .. } | Slot::Abandoned(_) => (None, None),
            },
            Some(Slot::Abandoned(_)) | None => (None, None),
        }
    }

    /// Notes that nobody wants to know the end. Answers the waker to drop.
    pub(crate) fn abandon(&mut self, key: SlotKey) -> Option<Waker> {
        let slot = self.slots.get_mut(key)?;
        match slot {
            Slot::UnderWay { open, waker } => {
                let waker = waker.take();
                *slot = Slot::Abandoned(*open);
                waker
            }
            Slot::Ended(_) => {
                self.slots.remove(key);
                None
            }
            Slot::Abandoned(_) => None,
        }
    }
}

/// The places in the line of a mode.
fn line(mode: Mode) -> RangeInclusive<Ticket> {
    Ticket(mode, 0)..=Ticket(mode, u64::MAX)
}

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
        publishes.begin(Mode::Unicast, payload_bytes, start(), None)
    }

    fn end() -> PublishEnd {
        PublishEnd::Receipt(Receipt::default())
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
        assert_eq!(publishes.under_way(), 2);
        assert!(publishes.end(start(), before, end()).is_none());
        assert!(publishes.end(start(), after, end()).is_none());
        publishes.abandon(after);
        assert!(publishes.is_empty());
        assert!(publishes.end(start(), after, end()).is_none(), "a second end does nothing");
    }

    #[test]
    fn the_line_is_served_in_order_and_only_its_first_is_woken_once() {
        let mut publishes = Publishes::default();
        let wakes: [Arc<Wakes>; 3] = Default::default();
        let mut tickets = [None; 3];
        assert!(publishes.is_next(Mode::Unicast, None), "nobody waits");
        for (i, ticket) in tickets.iter_mut().enumerate() {
            assert!(
                publishes.wait(ticket, Mode::Unicast, i, Waker::from(wakes[i].clone())).is_none()
            );
        }
        assert!(!publishes.is_next(Mode::Unicast, None), "a newcomer is behind the others");
        assert!(publishes.is_next(Mode::Multicast, None), "multicasts have a line of their own");
        assert!(publishes.is_next(Mode::Unicast, tickets[0]));
        assert!(!publishes.is_next(Mode::Unicast, tickets[1]));

        assert!(publishes.take_next_waker(Mode::Multicast).is_none(), "nobody is in that");
        publishes.take_next_waker(Mode::Unicast).expect("the first sleeps").wake();
        assert!(publishes.take_next_waker(Mode::Unicast).is_none(), "it was woken");
        publishes.leave(tickets[1].unwrap()).expect("the second gives up and sleeps");
        publishes.leave(tickets[0].unwrap());
        assert_eq!(publishes.next_payload_bytes(Mode::Unicast), Some(2));
        publishes.take_next_waker(Mode::Unicast).expect("the third is first now").wake();
        publishes.leave(tickets[2].unwrap());
        let counts = wakes.each_ref().map(|wakes| wakes.0.load(Ordering::Relaxed));
        assert_eq!(counts, [1, 0, 1]);
        assert!(publishes.is_empty());
    }
}
