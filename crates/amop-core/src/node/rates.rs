//! How fast clients may publish: token buckets, in bytes and in messages a second.
//!
//! A bucket does not count what is left but what was taken and has not run out yet, in units of a
//! billionth of a token: a rate of so many tokens a second is one of so many units a nanosecond, so
//! that nothing is ever rounded and nothing drifts.
//!
//! ```text
//!  taken │    /|          taken ≤ burst
//!        │  /| |\     /|
//!        │ | |/  \   | |\    runs out at the rate
//!        └─┴──────┴──┴───▶ time
//! ```
//!
//! A publish is weighed against the buckets of its session, of its agency and of the node, and takes
//! from all of them or from none. Where no rate is set there is nothing to look at.

use std::collections::BTreeMap;
use std::time::Duration;

use amop_wire::{Instant, Name, Reason};

/// A rate, and what may come at once on top of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many a second; with zero nothing comes after the burst.
    pub per_second: u64,
    /// How many at once after a pause. A single message that is larger is taken when nothing was
    /// taken lately, and the next has to wait all the longer.
    pub burst: u64,
}

/// How fast something may come; `None` is as fast as it likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Bytes of payload.
    pub bytes: Option<Rate>,
    /// Messages.
    pub messages: Option<Rate>,
}

/// How fast clients may publish. What is faster is refused with code 103, before anything is sent.
///
/// A multicast counts once, however many subscribe. Answers do not count: they were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Each session by itself. A later session of the same client begins anew.
    pub session: Pace,
    /// All sessions of an agency together.
    pub agency: Pace,
    /// All sessions of the node together.
    pub node: Pace,
}

/// A publish that comes too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooFast {
    /// Whose limit it is over; of several, the one that holds it up longest.
    pub(super) reason: Reason,
    /// When it will be within all of them, if nothing else comes.
    pub(super) retry_after: Duration,
}

/// What the sessions together took.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    node: Meter,
    agencies: BTreeMap<Box<str>, Meter>,
}

/// What somebody took of what his pace allows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    bytes: Bucket,
    messages: Bucket,
}

impl Rates {
    /// Whether there is anything to look at.
    pub(super) fn is_any(&self) -> bool {
        self.session.is_any() || self.agency.is_any() || self.node.is_any()
    }
}

impl Pace {
    fn is_any(&self) -> bool {
        self.bytes.is_some() || self.messages.is_some()
    }
}

impl Throttle {
    /// Takes a publish of `bytes` off all that it counts to, or off nothing if it is too fast.
    pub(super) fn take(
        &mut self,
        now: Instant,
        rates: &Rates,
        (session, publisher): (&mut Meter, &Name),
        bytes: u64,
    ) -> Result<(), TooFast> {
        if rates.agency.is_any() && !self.agencies.contains_key(publisher.agency_subtree()) {
            self.forget_idle(now, rates);
            self.agencies.insert(publisher.agency_subtree().into(), Meter::default());
        }
        let mut nobodys = Meter::default();
        let agency = self.agencies.get_mut(publisher.agency_subtree()).unwrap_or(&mut nobodys);
        let mut all = [
            (session, rates.session, Reason::SessionRate),
            (agency, rates.agency, Reason::AgencyRate),
            (&mut self.node, rates.node, Reason::NodeRate),
        ];
        let waits = all.iter().map(|(meter, pace, reason)| (meter.wait(now, *pace, bytes), reason));
        let longest = waits.max_by_key(|(wait, _)| *wait);
        if let Some((retry_after, &reason)) = longest.filter(|(wait, _)| !wait.is_zero()) {
            return Err(TooFast { reason, retry_after });
        }
        for (meter, pace, _) in &mut all {
            meter.take(now, *pace, bytes);
        }
        Ok(())
    }

    /// Makes room when there are many agencies: one of which nothing is left to run out may be
    /// forgotten without anybody noticing. Should they be more still, all begin anew.
    fn forget_idle(&mut self, now: Instant, rates: &Rates) {
        if self.agencies.len() < AGENCIES_MAX {
            return;
        }
        self.agencies.retain(|_, meter| !meter.is_idle(now, rates.agency));
        if self.agencies.len() >= AGENCIES_MAX {
            self.agencies.clear();
        }
    }
}

impl Meter {
    /// How long until a publish of `bytes` is within the pace; zero if it is now.
    fn wait(&self, now: Instant, pace: Pace, bytes: u64) -> Duration {
        let of_bytes = pace.bytes.map(|rate| self.bytes.wait(now, rate, bytes));
        let of_messages = pace.messages.map(|rate| self.messages.wait(now, rate, 1));
        of_bytes.max(of_messages).unwrap_or_default()
    }

    fn take(&mut self, now: Instant, pace: Pace, bytes: u64) {
        if let Some(rate) = pace.bytes {
            self.bytes.take(now, rate, bytes);
        }
        if let Some(rate) = pace.messages {
            self.messages.take(now, rate, 1);
        }
    }

    fn is_idle(&self, now: Instant, pace: Pace) -> bool {
        let is_idle =
            |bucket: &Bucket, rate: Option<Rate>| rate.is_none_or(|rate| bucket.is_idle(now, rate));
        is_idle(&self.bytes, pace.bytes) && is_idle(&self.messages, pace.messages)
    }
}

/// What was taken and has not run out yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    /// In billionths of a token, at this moment.
    taken: u128,
    at: Instant,
}

impl Bucket {
    /// How much has not run out at `now`.
    fn taken_at(&self, now: Instant, rate: Rate) -> u128 {
        let ran_out = now.saturating_since(self.at).as_nanos() * u128::from(rate.per_second);
        self.taken.saturating_sub(ran_out)
    }

    /// How long until so many are within the rate; zero if they are now.
    pub(super) fn wait(&self, now: Instant, rate: Rate, tokens: u64) -> Duration {
        let room = u128::from(rate.burst.saturating_sub(tokens)) * UNITS;
        let over = self.taken_at(now, rate).saturating_sub(room);
        if over == 0 {
            return Duration::ZERO;
        }
        if rate.per_second == 0 {
            return Duration::MAX;
        }
        let nanos = over.div_ceil(rate.per_second.into());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    pub(super) fn take(&mut self, now: Instant, rate: Rate, tokens: u64) {
        self.taken = self.taken_at(now, rate) + u128::from(tokens) * UNITS;
        self.at = self.at.max(now);
    }

    /// What was taken just now was of no use.
    pub(super) fn give_back(&mut self, tokens: u64) {
        self.taken = self.taken.saturating_sub(u128::from(tokens) * UNITS);
    }

    /// Whether nothing is left to run out.
    pub(super) fn is_idle(&self, now: Instant, rate: Rate) -> bool {
        self.taken_at(now, rate) == 0
    }
}

/// How many parts a token has: one nanosecond of a rate of one a second.
const UNITS: u128 = 1_000_000_000;

/// Most agencies that are remembered at once.
pub(super) const AGENCIES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATE: Rate = Rate { per_second: 3, burst: 5 };

    fn after(millis: u64) -> Instant {
        Instant::after_start(Duration::from_millis(millis))
    }

    fn name(dns: &str) -> Name {
        dns.parse().unwrap()
    }

    /// Takes if there is room; says how long to wait if not.
    fn try_take(bucket: &mut Bucket, now: Instant, tokens: u64) -> Duration {
        let wait = bucket.wait(now, RATE, tokens);
        if wait.is_zero() {
            bucket.take(now, RATE, tokens);
        }
        wait
    }

    #[test]
    fn a_burst_is_taken_at_once_and_one_more_waits_for_its_share_of_a_second() {
        let mut bucket = Bucket::default();
        for _ in 0..5 {
            assert!(try_take(&mut bucket, after(1), 1).is_zero());
        }
        let third = Duration::from_nanos(333_333_334);
        assert_eq!(try_take(&mut bucket, after(1), 1), third);
        assert!(!bucket.wait(after(1) + third - Duration::from_nanos(1), RATE, 1).is_zero());
        assert!(try_take(&mut bucket, after(1) + third, 1).is_zero());
    }

    #[test]
    fn what_is_larger_than_the_burst_waits_for_all_before_it_and_is_waited_for() {
        let mut bucket = Bucket::default();
        assert!(try_take(&mut bucket, after(0), 11).is_zero());
        assert_eq!(bucket.wait(after(0), RATE, 1), Duration::from_nanos(2_333_333_334));
        assert_eq!(bucket.wait(after(0), RATE, 11), Duration::from_nanos(3_666_666_667));
    }

    #[test]
    fn at_a_rate_of_zero_nothing_comes_after_the_burst() {
        let (mut bucket, none) = (Bucket::default(), Rate { per_second: 0, burst: 1 });
        bucket.take(after(0), none, 1);
        assert_eq!(bucket.wait(after(1_000_000), none, 1), Duration::MAX);
    }

    #[test]
    fn a_publish_is_taken_off_all_its_meters_or_off_none() {
        let one = Pace { messages: Some(Rate { per_second: 1, burst: 1 }), bytes: None };
        let two = Pace { messages: Some(Rate { per_second: 1, burst: 2 }), bytes: None };
        let rates = Rates { session: one, agency: two, node: Pace::default() };
        let (mut throttle, mut sessions) = (Throttle::default(), [Meter::default(); 3]);
        let publisher = name("app.sdk.bank-a.amop");
        let mut take = |session: usize, publisher: &Name| {
            throttle.take(after(0), &rates, (&mut sessions[session], publisher), 10)
        };
        let too_fast = |reason| TooFast { reason, retry_after: Duration::from_secs(1) };
        assert_eq!(take(0, &publisher), Ok(()));
        assert_eq!(take(0, &publisher), Err(too_fast(Reason::SessionRate)));
        assert_eq!(take(1, &publisher), Ok(()), "what was refused took nothing of the agency's");
        assert_eq!(take(2, &publisher), Err(too_fast(Reason::AgencyRate)));
        assert_eq!(take(2, &name("app.sdk.bank-b.amop")), Ok(()), "of another agency");
    }

    #[test]
    fn agencies_are_forgotten_when_they_are_many_the_idle_first() {
        let pace = Pace { messages: Some(Rate { per_second: 1, burst: 1 }), bytes: None };
        let rates = Rates { agency: pace, ..Rates::default() };
        let mut throttle = Throttle::default();
        let mut take = |number: usize, now| {
            let publisher = name(&format!("app.sdk.bank-{number}.amop"));
            let taken = throttle.take(now, &rates, (&mut Meter::default(), &publisher), 0);
            (taken.is_ok(), throttle.agencies.len())
        };
        assert!(take(0, after(0)).0);
        for number in 1..AGENCIES_MAX {
            assert!(take(number, after(500)).0);
        }
        assert_eq!(take(1, after(1000)), (false, AGENCIES_MAX));
        assert_eq!(take(AGENCIES_MAX, after(1000)), (true, AGENCIES_MAX), "one of them was idle");
        assert_eq!(take(1, after(1000)), (false, AGENCIES_MAX));
        assert_eq!(take(AGENCIES_MAX + 1, after(1000)), (true, 1), "none of them was");
    }

    proptest! {
        /// Between any two moments no more passes than the rate times the time and the burst; and
        /// whoever waits for as long as he is told is let through, a nanosecond earlier he is not.
        #[test]
        fn what_passes_is_bounded_and_waits_are_exact(
            per_second in 1_u64..2_000_000_000,
            burst in 1_u64..3_000_000,
            steps in prop::collection::vec((0_u64..50_000_000, 1_u64..4_000_000), 1..60),
        ) {
            let rate = Rate { per_second, burst };
            let (mut bucket, mut now) = (Bucket::default(), 0);
            let mut passed: Vec<(u64, u64)> = Vec::new();
            for (gap, tokens) in steps {
                now += gap;
                let at = Instant::after_start(Duration::from_nanos(now));
                let wait = bucket.wait(at, rate, tokens);
                if wait.is_zero() {
                    bucket.take(at, rate, tokens);
                    passed.push((now, tokens));
                } else {
                    prop_assert!(bucket.wait(at + wait, rate, tokens).is_zero());
                    let earlier = at + (wait - Duration::from_nanos(1));
                    prop_assert!(!bucket.wait(earlier, rate, tokens).is_zero());
                }
            }
            for first in 0..passed.len() {
                let (mut sum, mut largest) = (0, burst);
                for &(at, tokens) in &passed[first..] {
                    sum += u128::from(tokens);
                    largest = largest.max(tokens);
                    let span = u128::from(at - passed[first].0);
                    let most = span * u128::from(per_second) + u128::from(largest) * UNITS;
                    prop_assert!(sum * UNITS <= most, "{sum} in {span} ns");
                }
            }
        }
    }
}
