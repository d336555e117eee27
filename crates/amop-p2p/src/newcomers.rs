//! How fast links may be begun from one address.
//!
//! A handshake costs a signature and memory before its dialer has shown a certificate. An address counts
//! only when it is proved, or else anybody could use up the rate of another in its name: whoever is over the
//! rate of an address that is not proved has to prove it first.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What each address has begun lately.
#[derive(Clone, Debug)]
pub(crate) struct Newcomers {
    per_second: u32,
    burst: u32,
    /// When what an address has begun will have run out.
    until: Arc<Mutex<BTreeMap<IpAddr, Instant>>>,
}

impl Newcomers {
    /// Lets each address begin so many links a second, and `burst` at once after a pause.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second, burst, until: Arc::default() }
    }

    /// Whether an address may begin one more link now.
    pub(crate) fn may_begin(&self, now: Instant, from: IpAddr) -> bool {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = until.get(&network_of(from)).map_or(Duration::ZERO, |until| *until - now);
        taken <= self.cost() * self.burst.saturating_sub(1)
    }

    /// An address begins a link.
    pub(crate) fn begins(&self, now: Instant, from: IpAddr) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= ADDRESSES_MAX {
            until.retain(|_, until| *until > now);
        }
        if until.len() >= ADDRESSES_MAX {
            until.clear(); // So many at once are stopped by the bound on what is half open.
        }
        let until = until.entry(network_of(from)).or_insert(now);
        *until = (*until).max(now) + self.cost();
    }

    fn cost(&self) -> Duration {
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

/// Most addresses that are remembered at once.
const ADDRESSES_MAX: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

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
        let (newcomers, start) = (Newcomers::new(10, 4), epoch());
        assert_eq!(begin_all(&newcomers, start, v4(1)), 4);
        assert_eq!(begin_all(&newcomers, start + Duration::from_millis(99), v4(1)), 0);
        assert_eq!(begin_all(&newcomers, start + Duration::from_millis(100), v4(1)), 1);
        assert_eq!(begin_all(&newcomers, start + Duration::from_millis(100), v4(2)), 4);
        assert_eq!(begin_all(&newcomers, start + Duration::from_secs(9), v4(1)), 4, "not more");
    }

    #[test]
    fn one_network_of_the_sixth_version_is_one_address_and_mapped_ones_are_those_they_map() {
        let (newcomers, start) = (Newcomers::new(1, 3), epoch());
        let [one, same, other] = ["2001:db8::1", "2001:db8::2:1", "2001:db8:0:1::1"]
            .map(|addr| addr.parse::<IpAddr>().unwrap());
        assert_eq!(begin_all(&newcomers, start, one), 3);
        assert!(!newcomers.may_begin(start, same) && newcomers.may_begin(start, other));
        begin_all(&newcomers, start, v4(7));
        assert!(!newcomers.may_begin(start, "::ffff:192.0.2.7".parse().unwrap()));
    }

    #[test]
    fn addresses_are_forgotten_when_they_are_many() {
        let (newcomers, start) = (Newcomers::new(1, 1), epoch());
        let addr = |n: usize| IpAddr::from(Ipv6Addr::from_bits((n as u128) << 64));
        for n in 0..ADDRESSES_MAX {
            newcomers.begins(start, addr(n));
        }
        let len = || newcomers.until.lock().unwrap().len();
        assert_eq!(len(), ADDRESSES_MAX);
        newcomers.begins(start, addr(ADDRESSES_MAX));
        assert_eq!(len(), 1, "all of them were new");
        newcomers.begins(start + Duration::from_secs(2), addr(1));
        assert_eq!(len(), 2);
    }
}
