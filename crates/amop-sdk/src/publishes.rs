//! Publishes of a client: those that wait for room, those under way, and ends not yet taken.
//!
//! ```text
//!          room         its task runs                  the core names its end           taken
//!  waiting ───▶ let in ──────────────▶ Slot::UnderWay ───────────────────────▶ Slot::Ended ───▶ gone
//!     │           │                          │ dropped
//!     ▼ dropped   ▼ dropped                  ▼                                end
//!   gone        gone                   Slot::Abandoned ───────────────────────────────────────▶ gone
//! ```
//!
//! What is under way is bounded by its [`Room`], and an abandoned publish still takes it: the node
//! holds it. Whoever finds no room waits in line, unicasts in one and multicasts in another. As many as there is room
//! for are let in and woken at once, the first in line first, and their room is kept for them until they come: a
//! client with much to do runs them late, and one after another would be through too seldom.

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
    /// What is kept for those who were let in and have not come yet.
    let_in: BTreeMap<Ticket, Open>,
    /// The payload of these.
    let_in_bytes: usize,
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

/// Whoever waits for room.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) payload_bytes: usize,
    /// From when on it is not let in any more.
    pub(crate) until: Instant,
    pub(crate) waker: Waker,
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
        self.room.under_way() - self.let_in.len()
    }

    /// Whether nothing is kept of any publish.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        let is_nobody_there = self.waiting.is_empty() && self.let_in.is_empty();
        self.slots.is_empty() && self.room.under_way() == 0 && is_nobody_there
    }

    /// Whether somebody waits in the line of a mode.
    pub(crate) fn has_line(&self, mode: Mode) -> bool {
        self.next_payload_bytes(mode).is_some()
    }

    /// Gets into the line of a mode, or stays at its place. Answers the waker to drop.
    pub(crate) fn wait(
        &mut self,
        ticket: &mut Option<Ticket>,
        mode: Mode,
        waiting: Waiting,
    ) -> Option<Waker> {
        let ticket = *ticket.get_or_insert_with(|| {
            self.last_ticket += 1;
            Ticket(mode, self.last_ticket)
        });
        self.waiting.insert(ticket, waiting).map(|before| before.waker)
    }

    /// Leaves the line, or gives back the room that was kept. Answers the waker to drop.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Option<Waker> {
        self.come(ticket);
        self.waiting.remove(&ticket).map(|waiting| waiting.waker)
    }

    /// Whether room is kept for whoever holds this ticket.
    pub(crate) fn is_let_in(&self, ticket: Ticket) -> bool {
        self.let_in.contains_key(&ticket)
    }

    /// Gives back the room that was kept for whoever holds this ticket, to be taken at once. Says whether it was
    /// let in.
    pub(crate) fn come(&mut self, ticket: Ticket) -> bool {
        let Some(open) = self.let_in.remove(&ticket) else { return false };
        self.let_in_bytes -= open.payload_bytes;
        self.room.end(open);
        true
    }

    /// The payload of the first in the line of a mode, if there is one.
    pub(crate) fn next_payload_bytes(&self, mode: Mode) -> Option<usize> {
        self.waiting.range(line(mode)).next().map(|(_, waiting)| waiting.payload_bytes)
    }

    /// The payload of those who were let in and have not come yet.
    pub(crate) fn let_in_bytes(&self) -> usize {
        self.let_in_bytes
    }

    /// Lets the first in the line of a mode in, for which there is room, or out if it has waited for too long.
    /// Answers its waker.
    pub(crate) fn let_next_in(&mut self, now: Instant, mode: Mode) -> Option<Waker> {
        let ticket = *self.waiting.range(line(mode)).next()?.0;
        let Waiting { payload_bytes, until, waker } = self.waiting.remove(&ticket)?;
        if now < until {
            self.let_in.insert(ticket, self.room.take(mode, payload_bytes, now));
            self.let_in_bytes += payload_bytes;
        }
        Some(waker)
    }

    /// Sends everybody in line away. Answers their wakers.
    pub(crate) fn end_lines(&mut self) -> impl Iterator<Item = Waker> + use<> {
        std::mem::take(&mut self.waiting).into_values().map(|waiting| waiting.waker)
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

    /// Takes all the room for unicasts, of which the node has so much.
    fn fill(publishes: &mut Publishes, messages: u32) -> Vec<SlotKey> {
        publishes.set_room(InFlight { messages, bytes: 1000 });
        (0..messages).map(|_| begin(publishes, 0)).collect()
    }

    /// Lets in whom there is room for, and answers how many that were.
    fn let_in(publishes: &mut Publishes, now: Instant) -> usize {
        let mut count = 0;
        while let Some(payload_bytes) = publishes.next_payload_bytes(Mode::Unicast)
            && publishes.has_room(Mode::Unicast, payload_bytes)
        {
            publishes.let_next_in(now, Mode::Unicast).expect("it waits").wake();
            count += 1;
        }
        count
    }

    /// Gets into the line of unicasts with a waker that counts.
    fn wait(publishes: &mut Publishes, until: Instant) -> (Ticket, Arc<Wakes>) {
        let (wakes, mut ticket) = (Arc::<Wakes>::default(), None);
        let waker = Waker::from(Arc::clone(&wakes));
        let waiting = Waiting { payload_bytes: 7, until, waker };
        assert!(publishes.wait(&mut ticket, Mode::Unicast, waiting).is_none());
        (ticket.expect("it has one"), wakes)
    }

    /// SES-7
    #[test]
    fn as_many_are_woken_as_there_is_room_for_in_order_and_each_of_them_once() {
        let (mut publishes, later) = (Publishes::default(), start() + START);
        let keys = fill(&mut publishes, 4);
        let line: Vec<_> = (0..6).map(|_| wait(&mut publishes, later)).collect();
        let woken = || line.iter().map(|(_, wakes)| wakes.0.load(Ordering::Relaxed));
        let woken = || woken().collect::<Vec<_>>();
        assert_eq!(let_in(&mut publishes, start()), 0);
        for key in &keys[..3] {
            publishes.end(start(), *key, end());
        }
        publishes.leave(line[1].0).expect("the second gives up and sleeps");
        assert_eq!(let_in(&mut publishes, start()), 3);
        assert_eq!(woken(), [1, 0, 1, 1, 0, 0]);
        assert_eq!((publishes.under_way(), publishes.let_in_bytes()), (1, 21));
        assert!(publishes.has_line(Mode::Unicast) && !publishes.has_line(Mode::Multicast));
        // Whatever comes in between: what is kept for them is theirs, in whatever order they come.
        assert_eq!(let_in(&mut publishes, start()), 0);
        assert!(
            publishes.come(line[3].0) && !publishes.come(line[3].0) && !publishes.come(line[4].0)
        );
        begin(&mut publishes, 7);
        assert!(!publishes.has_room(Mode::Unicast, 7));
        publishes.leave(line[0].0);
        assert_eq!(let_in(&mut publishes, start()), 1, "one that was let in gave up");
        assert_eq!(woken(), [1, 0, 1, 1, 1, 0]);
        line.iter().for_each(|(ticket, _)| drop(publishes.leave(*ticket)));
        assert_eq!((publishes.under_way(), publishes.let_in_bytes()), (2, 0));
    }

    /// SES-7: where more comes than can be taken, the first in line have always waited for longest.
    #[test]
    fn whoever_has_waited_for_too_long_is_woken_and_takes_room_from_nobody() {
        let mut publishes = Publishes::default();
        let keys = fill(&mut publishes, 1);
        let until = start() + Duration::from_millis(500);
        let (late, late_wakes) = wait(&mut publishes, until);
        let (in_time, _) = wait(&mut publishes, until + Duration::from_millis(1));
        publishes.end(start(), keys[0], end());
        assert_eq!(let_in(&mut publishes, until), 2);
        assert_eq!(late_wakes.0.load(Ordering::Relaxed), 1);
        assert!(!publishes.come(late) && publishes.come(in_time));
    }
}
