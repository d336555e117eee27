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
//! until its end: the node holds it. A multicast takes room for a moment only: so long it waits for
//! subscribers that keep up, and no longer for one that does not. Whoever finds no room waits in
//! line. Only the first in line is ever woken; when it is through, the next one is.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

use amop_core::client::PublishEnd;
use amop_wire::{InFlight, Instant, Mode};
use slab::Slab;

/// All publishes of one client that have no end, or whose end nobody has taken.
#[derive(Debug, Default)]
pub(crate) struct Publishes {
    slots: Slab<Slot>,
    /// How many have no end, abandoned ones included.
    under_way: usize,
    /// What of it takes room.
    taken: Taken,
    /// No multicast takes room for too long before this moment.
    look_at: Instant,
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
    UnderWay { open: Open, waker: Option<Waker> },
    Abandoned(Open),
    Ended(Ended),
}

/// A publish that has no end.
#[derive(Clone, Copy, Debug)]
struct Open {
    since: Instant,
    mode: Mode,
    payload_bytes: usize,
    takes_room: bool,
}

/// The room that publishes take.
#[derive(Debug, Default)]
struct Taken {
    messages: usize,
    bytes: usize,
}

impl Taken {
    fn add(&mut self, open: &Open) {
        self.messages += 1;
        self.bytes += open.payload_bytes;
    }

    /// Gives back what one takes, if it does.
    fn give_back(&mut self, open: &mut Open) {
        if std::mem::take(&mut open.takes_room) {
            self.messages -= 1;
            self.bytes -= open.payload_bytes;
        }
    }
}

impl Publishes {
    /// Whether one more with such a payload may be under way. A single one always may.
    pub(crate) fn has_room(&self, payload_bytes: usize) -> bool {
        let InFlight { messages, bytes } = self.node_takes;
        let node_takes = usize::try_from(messages).unwrap_or(usize::MAX);
        let most_bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(UNDER_WAY_BYTES_MAX);
        let fits = self.taken.messages < UNDER_WAY_MAX.min(node_takes)
            && self.taken.bytes + payload_bytes <= most_bytes;
        self.under_way == 0 || self.under_way < node_takes && (fits || self.taken.messages == 0)
    }

    /// Whether there [is room](Self::has_room) once the multicasts that took theirs for long enough
    /// have given it back.
    pub(crate) fn make_room(&mut self, now: Instant, payload_bytes: usize) -> bool {
        if !self.has_room(payload_bytes) && self.look_at <= now {
            self.give_back(now);
        }
        self.has_room(payload_bytes)
    }

    fn give_back(&mut self, now: Instant) {
        let mut next = now + TAKES_ROOM_FOR;
        for (_, slot) in &mut self.slots {
            let (Slot::UnderWay { open, .. } | Slot::Abandoned(open)) = slot else { continue };
            match open {
                Open { mode: Mode::Unicast, .. } | Open { takes_room: false, .. } => {}
                Open { since, .. } if *since + TAKES_ROOM_FOR <= now => self.taken.give_back(open),
                Open { since, .. } => next = next.min(*since + TAKES_ROOM_FOR),
            }
        }
        self.look_at = next.max(now + LOOK_EVERY);
    }

    /// When [`make_room`](Self::make_room) may find room for the first in line.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let payload_bytes = self.next_payload_bytes()?;
        (!self.has_room(payload_bytes)).then_some(self.look_at)
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
            && (self.taken.messages, self.taken.bytes) == (0, 0)
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
        mode: Mode,
        payload_bytes: usize,
        since: Instant,
        waker: Option<Waker>,
    ) -> SlotKey {
        let open = Open { since, mode, payload_bytes, takes_room: true };
        self.under_way += 1;
        self.taken.add(&open);
        self.slots.insert(Slot::UnderWay { open, waker })
    }

    /// Notes an end. Answers the waker of whoever waits for it.
    pub(crate) fn end(&mut self, now: Instant, key: SlotKey, end: PublishEnd) -> Option<Waker> {
        let slot = self.slots.get_mut(key)?;
        let (mut open, waker) = match slot {
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
        self.under_way -= 1;
        self.taken.give_back(&mut open);
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

/// Most publishes of one client under way: half of what its node takes, so that those whose ends
/// are on their way back leave room for others.
const UNDER_WAY_MAX: usize = 8192;

/// Most bytes of payload under way.
const UNDER_WAY_BYTES_MAX: usize = 4 << 20;

/// How long a multicast takes room while some of its subscribers have not taken it: longer than any that keeps
/// up needs, on a long way too. At 8 MiB or 16,384 messages a second and less, nobody waits for one that does not.
const TAKES_ROOM_FOR: Duration = Duration::from_millis(500);

/// However many multicasts take room for too long one after another, all are walked only so often.
const LOOK_EVERY: Duration = Duration::from_millis(5);

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
        assert_eq!((publishes.under_way(), publishes.taken.bytes), (2, 30));
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

    /// SES-7
    #[test]
    fn a_multicast_takes_room_for_half_a_second_and_a_unicast_until_its_end() {
        let mut publishes = Publishes::default();
        let half = UNDER_WAY_BYTES_MAX / 2;
        let slow = publishes.begin(Mode::Multicast, half, start(), None);
        publishes.abandon(slow);
        begin(&mut publishes, half);
        assert_eq!(publishes.poll_timeout(), None, "nobody waits");
        publishes.wait(&mut None, half, Waker::noop().clone());
        assert!(!publishes.make_room(start(), half));
        let given_back = start() + TAKES_ROOM_FOR;
        assert_eq!(publishes.poll_timeout(), Some(given_back));
        assert!(!publishes.make_room(given_back - Duration::from_millis(1), half));
        assert!(publishes.make_room(given_back, half), "that of the multicast");
        assert_eq!(publishes.poll_timeout(), None);
        assert!(!publishes.make_room(given_back + TAKES_ROOM_FOR, half + 1), "not the other's");
        publishes.end(given_back, slow, end());
        assert!(publishes.has_room(half) && !publishes.has_room(half + 1), "given back once");
        assert_eq!(publishes.under_way(), 1);
    }

    /// SES-7: what takes no room is not forgotten either.
    #[test]
    fn no_more_multicasts_are_without_an_end_than_the_node_takes() {
        let mut publishes = Publishes::default();
        publishes.set_room(InFlight { messages: 2, bytes: 20 });
        publishes.begin(Mode::Multicast, 10, start(), None);
        let later = start() + TAKES_ROOM_FOR;
        let second = publishes.begin(Mode::Multicast, 20, later, None);
        assert!(!publishes.make_room(later, 0));
        publishes.end(later, second, end());
        assert!(publishes.make_room(later, 20));
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
