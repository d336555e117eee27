//! How fast links may be begun, from one address and from all of them.
//!
//! A handshake costs a signature and memory before its dialer has shown a certificate. An address counts
//! only when it is proved, or else anybody could use up the rate of another in its name: whoever is over the
//! rate of an address that is not proved has to prove it first.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use amop_wire::limits::ADDRESSES_MAX;
use tokio::time::Instant;

/// What each address has begun lately, and what all of them have together. Cheap to clone; clones share.
#[derive(Clone, Debug)]
pub(crate) struct Newcomers(Arc<Mutex<Begun>>);

/// When what was begun will have run out, and how fast it does.
#[derive(Debug)]
struct Begun {
    each: Pace,
    all: Pace,
    by: BTreeMap<IpAddr, Instant>,
    by_all: Option<Instant>,
}

impl Newcomers {
    /// Lets each address, and all of them together, begin so many links a second, and so many at once after
    /// a pause.
    pub(crate) fn new(each: (u32, u32), all: (u32, u32)) -> Self {
        Self(Arc::new(Mutex::new(Begun::at(Pace::of(each), Pace::of(all)))))
    }

    /// Lets them begin so many from now on. At other paces everybody begins anew: what was begun at a slow one
    /// could take hours to run out.
    pub(crate) fn set(&self, each: (u32, u32), all: (u32, u32)) {
        let (each, all) = (Pace::of(each), Pace::of(all));
        let mut begun = self.lock();
        if (begun.each, begun.all) != (each, all) {
            *begun = Begun::at(each, all);
        }
    }

    /// Whether an address may begin one more link now.
    pub(crate) fn may_begin(&self, now: Instant, from: IpAddr) -> bool {
        let begun = self.lock();
        let until = begun.by.get(&network_of(from)).copied();
        begun.each.has_room(now, until) && begun.all.has_room(now, begun.by_all)
    }

    /// An address begins a link.
    pub(crate) fn begins(&self, now: Instant, from: IpAddr) {
        let mut begun = self.lock();
        let Begun { each, all, by, by_all } = &mut *begun;
        *by_all = Some(by_all.map_or(now, |until| until.max(now)) + all.cost());
        if by.len() >= ADDRESSES_MAX {
            by.retain(|_, until| *until > now);
        }
        if by.len() >= ADDRESSES_MAX {
            by.clear(); // So many at once are stopped by the bound on what is half open.
        }
        let until = by.entry(network_of(from)).or_insert(now);
        *until = (*until).max(now) + each.cost();
    }

    fn lock(&self) -> MutexGuard<'_, Begun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Begun {
    /// Nothing yet.
    fn at(each: Pace, all: Pace) -> Self {
        Self { each, all, by: BTreeMap::new(), by_all: None }
    }
}

/// How fast links may be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    per_second: u32,
    burst: u32,
}

impl Pace {
    fn of((per_second, burst): (u32, u32)) -> Self {
        Self { per_second, burst }
    }

    /// Whether one more may be begun, if what was begun will have run out by then.
    fn has_room(self, now: Instant, until: Option<Instant>) -> bool {
        let taken = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        taken <= self.cost() * self.burst.saturating_sub(1)
    }

    fn cost(self) -> Duration {
        Duration::from_secs(1).checked_div(self.per_second).unwrap_or(FOR_EVER)
    }
}

/// What counts as one address: of the sixth version of IP whoever has one has 2^64 of them.
fn network_of(addr: IpAddr) -> IpAddr {
    match addr.to_canonical() {
        IpAddr::V4(addr) => addr.into(),
        IpAddr::V6(addr) => Ipv6Addr::from_bits(addr.to_bits() >> 64 << 64).into(),
    }
}

/// What one link costs at a rate of zero.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    /// More than any of the tests begins.
    const ALL: (u32, u32) = (1_000_000, 1_000_000);

    #[expect(clippy::disallowed_methods, reason = "an instant cannot be made from nothing")]
    fn epoch() -> Instant {
        Instant::now()
    }

    fn v4(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    /// How many links an address may begin at that moment, one after another.
    fn begin_all(newcomers: &Newcomers, now: Instant, from: IpAddr) -> usize {
        let mut begun = 0;
        while newcomers.may_begin(now, from) {
            newcomers.begins(now, from);
            begun += 1;
        }
        begun
    }

    #[test]
    fn an_address_begins_its_burst_at_once_and_then_so_many_a_second() {
        let (newcomers, start) = (Newcomers::new((10, 4), ALL), epoch());
        assert_eq!(begin_all(&newcomers, start, v4(1)), 4);
        assert_eq!(begin_all(&newcomers, start + Duration::from_millis(99), v4(1)), 0);
        assert_eq!(begin_all(&newcomers, start + Duration::from_millis(100), v4(1)), 1);
        assert_eq!(begin_all(&newcomers, start + Duration::from_millis(100), v4(2)), 4);
        assert_eq!(begin_all(&newcomers, start + Duration::from_secs(9), v4(1)), 4, "not more");
    }

    #[test]
    fn all_addresses_together_begin_their_burst_at_once_and_then_so_many_a_second() {
        let (newcomers, start) = (Newcomers::new((10, 3), (5, 4)), epoch());
        let begin =
            |millis, from| begin_all(&newcomers, start + Duration::from_millis(millis), v4(from));
        assert_eq!([begin(0, 1), begin(0, 2), begin(0, 3)], [3, 1, 0]);
        assert_eq!([begin(199, 3), begin(200, 3), begin(200, 1)], [0, 1, 0]);
        assert_eq!([begin(9000, 1), begin(9000, 2)], [3, 1]);
    }

    #[test]
    fn another_pace_counts_at_once_and_the_same_again_changes_nothing() {
        let (newcomers, start) = (Newcomers::new((1, 2), ALL), epoch());
        let endpoint = newcomers.clone();
        assert_eq!(begin_all(&endpoint, start, v4(1)), 2);
        newcomers.set((1, 2), ALL);
        assert_eq!(begin_all(&endpoint, start, v4(1)), 0);
        newcomers.set((1, 5), ALL);
        assert_eq!(begin_all(&endpoint, start, v4(1)), 5);
        newcomers.set((1, 5), (1, 3));
        assert_eq!([1, 2].map(|last| begin_all(&endpoint, start, v4(last))), [3, 0]);
    }

    #[test]
    fn one_network_of_the_sixth_version_is_one_address_and_mapped_ones_are_those_they_map() {
        let (newcomers, start) = (Newcomers::new((1, 3), ALL), epoch());
        let [one, same, other] = ["2001:db8::1", "2001:db8::2:1", "2001:db8:0:1::1"]
            .map(|addr| addr.parse::<IpAddr>().unwrap());
        assert_eq!(begin_all(&newcomers, start, one), 3);
        assert!(!newcomers.may_begin(start, same) && newcomers.may_begin(start, other));
        begin_all(&newcomers, start, v4(7));
        assert!(!newcomers.may_begin(start, "::ffff:192.0.2.7".parse().unwrap()));
    }

    #[test]
    fn addresses_are_forgotten_when_they_are_many() {
        let (newcomers, start) = (Newcomers::new((1, 1), ALL), epoch());
        let addr = |n: usize| IpAddr::from(Ipv6Addr::from_bits((n as u128) << 64));
        for n in 0..ADDRESSES_MAX {
            newcomers.begins(start, addr(n));
        }
        let len = || newcomers.lock().by.len();
        assert_eq!(len(), ADDRESSES_MAX);
        newcomers.begins(start, addr(ADDRESSES_MAX));
        assert_eq!(len(), 1, "all of them were new");
        newcomers.begins(start + Duration::from_secs(2), addr(1));
        assert_eq!(len(), 2);
    }
}
