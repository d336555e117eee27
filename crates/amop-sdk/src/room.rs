//! How much of a client may be under way, which is all the back-pressure there is.
//!
//! Unicasts and multicasts have room of their own, so that no request waits for what streams beside it.
//!
//! A unicast takes room until its end, for its node keeps it so long. A multicast takes room until its
//! end too, but for a moment at most: so long it waits for subscribers that keep up, and no longer for
//! one that does not. Nothing looks at the clock as long as there is room.

use std::time::Duration;

use amop_wire::{InFlight, Instant, Mode};

/// The room for publishes, and what of it is taken.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// How many publishes have no end.
    under_way: usize,
    unicasts: Taken,
    multicasts: Taken,
    /// No multicast has taken its room for too long before this moment.
    look_at: Instant,
    /// What the node takes at most.
    node_takes: InFlight,
}

/// What the publishes of one mode take.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    messages: usize,
    /// The length of their payload.
    bytes: usize,
}

/// A publish that has no end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) since: Instant,
    mode: Mode,
    pub(crate) payload_bytes: usize,
    takes_room: bool,
}

impl Room {
    /// Whether there is some for one more with such a payload. There is for a single one, always.
    pub(crate) fn has(&self, mode: Mode, payload_bytes: usize) -> bool {
        let InFlight { messages, bytes } = self.node_takes;
        let node_takes = usize::try_from(messages).unwrap_or(usize::MAX);
        let most_bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(BYTES_MAX);
        let taken = match mode {
            Mode::Unicast => self.unicasts,
            Mode::Multicast => self.multicasts,
        };
        let fits = taken.messages < MESSAGES_MAX && taken.bytes + payload_bytes <= most_bytes;
        self.under_way == 0 || self.under_way < node_takes && (fits || taken.messages == 0)
    }

    /// The node says how much it takes.
    pub(crate) fn set(&mut self, node_takes: InFlight) {
        self.node_takes = node_takes;
    }

    /// How many publishes have no end.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way
    }

    /// Takes room for one.
    pub(crate) fn take(&mut self, mode: Mode, payload_bytes: usize, since: Instant) -> Open {
        self.under_way += 1;
        let taken = self.of(mode);
        taken.messages += 1;
        taken.bytes += payload_bytes;
        Open { since, mode, payload_bytes, takes_room: true }
    }

    /// One has ended.
    pub(crate) fn end(&mut self, mut open: Open) {
        self.under_way -= 1;
        self.give_back(&mut open);
    }

    /// When multicasts may have to give back their room; not before, whatever comes.
    pub(crate) fn look_at(&self) -> Instant {
        self.look_at
    }

    /// Has the multicasts give back their room that took it for long enough.
    pub(crate) fn look<'a>(&mut self, now: Instant, all: impl Iterator<Item = &'a mut Open>) {
        let mut next = now + TAKEN_FOR;
        for open in all {
            match open {
                Open { mode: Mode::Unicast, .. } | Open { takes_room: false, .. } => {}
                Open { since, .. } if *since + TAKEN_FOR <= now => self.give_back(open),
                Open { since, .. } => next = next.min(*since + TAKEN_FOR),
            }
        }
        self.look_at = next.max(now + LOOK_EVERY);
    }

    fn give_back(&mut self, open: &mut Open) {
        if std::mem::take(&mut open.takes_room) {
            let taken = self.of(open.mode);
            taken.messages -= 1;
            taken.bytes -= open.payload_bytes;
        }
    }

    fn of(&mut self, mode: Mode) -> &mut Taken {
        match mode {
            Mode::Unicast => &mut self.unicasts,
            Mode::Multicast => &mut self.multicasts,
        }
    }
}

/// Most publishes of one mode that take room: half of what a node takes, so that those whose ends are on their way
/// back leave room for others.
const MESSAGES_MAX: usize = 8192;

/// Most bytes of payload of one mode that take room.
const BYTES_MAX: usize = 4 << 20;

/// How long a multicast takes room while some of its subscribers have not taken it: longer than any that keeps
/// up needs, on a long way too. At 8 MiB or 16,384 messages a second and less, nobody waits for one that does not.
const TAKEN_FOR: Duration = Duration::from_millis(500);

/// However many multicasts take room for too long one after another, all are walked only so often.
const LOOK_EVERY: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        Instant::after_start(Duration::from_secs(1))
    }

    fn unicast(room: &mut Room, payload_bytes: usize) -> Open {
        room.take(Mode::Unicast, payload_bytes, start())
    }

    #[test]
    fn no_more_is_under_way_than_the_node_takes_but_a_single_one_always_may_be() {
        let mut room = Room::default();
        room.set(InFlight { messages: 2, bytes: 20 });
        assert!(room.has(Mode::Unicast, 21));
        unicast(&mut room, 10);
        assert!(room.has(Mode::Unicast, 10) && !room.has(Mode::Unicast, 11));
        unicast(&mut room, 1);
        assert!(!room.has(Mode::Unicast, 0), "two are under way");
        room.set(InFlight::default());
        assert!(room.has(Mode::Unicast, 1000), "as much as any node takes");
    }

    #[test]
    fn it_is_bounded_in_number() {
        let mut room = Room::default();
        let mut last = unicast(&mut room, 0);
        for _ in 1..MESSAGES_MAX {
            assert!(room.has(Mode::Unicast, 0));
            last = unicast(&mut room, 0);
        }
        assert!(!room.has(Mode::Unicast, 0));
        room.end(last);
        assert!(room.has(Mode::Unicast, 0));
    }

    #[test]
    fn it_is_bounded_in_bytes_but_a_single_one_always_has_it() {
        let mut room = Room::default();
        assert!(room.has(Mode::Unicast, BYTES_MAX + 1));
        unicast(&mut room, 1);
        assert!(room.has(Mode::Unicast, BYTES_MAX - 1));
        assert!(!room.has(Mode::Unicast, BYTES_MAX));
    }

    /// SES-7
    #[test]
    fn a_multicast_takes_it_for_half_a_second_and_a_unicast_until_its_end() {
        let mut room = Room::default();
        let has = |room: &Room, mode| room.has(mode, 1);
        let mut slow = room.take(Mode::Multicast, BYTES_MAX, start());
        let mut kept = unicast(&mut room, BYTES_MAX);
        room.look(start(), [&mut slow, &mut kept].into_iter());
        let given_back = start() + Duration::from_millis(500);
        assert_eq!(room.look_at(), given_back);
        room.look(given_back - Duration::from_millis(1), [&mut slow, &mut kept].into_iter());
        assert!(!has(&room, Mode::Multicast), "it is not so late");
        room.look(given_back, [&mut slow, &mut kept].into_iter());
        assert!(has(&room, Mode::Multicast));
        room.look(given_back + TAKEN_FOR, [&mut slow, &mut kept].into_iter());
        assert!(!has(&room, Mode::Unicast), "not the other's");
        room.end(slow);
        assert!(room.has(Mode::Multicast, BYTES_MAX), "given back once");
        assert_eq!(room.under_way(), 1);
    }

    /// SES-7
    #[test]
    fn what_streams_takes_none_of_the_room_for_requests_nor_the_reverse() {
        for (full, free) in [(Mode::Multicast, Mode::Unicast), (Mode::Unicast, Mode::Multicast)] {
            let mut room = Room::default();
            room.take(full, BYTES_MAX, start());
            assert!(!room.has(full, 1) && room.has(free, BYTES_MAX));
        }
    }

    /// SES-7: what takes no room is not forgotten either.
    #[test]
    fn no_more_multicasts_are_without_an_end_than_the_node_takes() {
        let mut room = Room::default();
        room.set(InFlight { messages: 2, bytes: 20 });
        let mut first = room.take(Mode::Multicast, 10, start());
        let later = start() + TAKEN_FOR;
        let mut second = room.take(Mode::Multicast, 20, later);
        room.look(later, [&mut first, &mut second].into_iter());
        assert!(!room.has(Mode::Multicast, 0), "two are under way");
        room.end(second);
        assert!(room.has(Mode::Multicast, 20));
    }
}
