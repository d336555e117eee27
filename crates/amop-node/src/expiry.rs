//! Tells in time that certificates and lists of revoked ones end: our own, and those of everybody linked.
//!
//! Each end is told a few times, more urgently each time, and every hour on its last day. What is
//! renewed is forgotten.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::epoch::wall_clock;

/// What was told of which end.
#[derive(Debug, Default)]
pub(crate) struct Expiries {
    told: BTreeMap<String, Told>,
}

/// What was told last of one end.
#[derive(Clone, Copy, Debug)]
struct Told {
    until: SystemTime,
    at: SystemTime,
}

impl Expiries {
    /// Answers which of these are to be told now, and the whole days that each of them has left: `None` if
    /// it has ended. What is not among them any more is forgotten.
    pub(crate) fn due(&mut self, now: SystemTime, ends: &[End]) -> Vec<(End, Option<u64>)> {
        self.told.retain(|what, _| ends.iter().any(|end| end.what == *what));
        let mut due = Vec::new();
        for end in ends {
            let told = self.told.get(&end.what).filter(|told| told.until == end.until);
            if end.is_due(now, told.map(|told| told.at)) {
                self.told.insert(end.what.clone(), Told { until: end.until, at: now });
                let left = end.until.duration_since(now).ok();
                due.push((end.clone(), left.map(|left| left.as_secs() / DAY.as_secs())));
            }
        }
        due
    }
}

/// Something that ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// What it is, for people.
    pub(crate) what: String,
    /// Its last second.
    pub(crate) until: SystemTime,
    /// How many days before it is told, falling.
    pub(crate) days: &'static [u32],
}

impl End {
    fn is_due(&self, now: SystemTime, told_at: Option<SystemTime>) -> bool {
        let stage = |at: SystemTime| {
            self.days.iter().filter(|&&days| at + DAY * days >= self.until).count()
        };
        match told_at {
            None => stage(now) > 0,
            Some(at) if stage(now) > stage(at) => true,
            Some(at) => stage(now) == self.days.len() && now >= at + HOUR,
        }
    }
}

/// For certificates, which are renewed by people at several institutions.
pub(crate) const CERTIFICATE_DAYS: &[u32] = &[30, 14, 7, 1];

/// For lists of revoked certificates, which may be made for no more than a month.
pub(crate) const LIST_DAYS: &[u32] = &[7, 3, 1];

/// Whole days until then, 0 if it is over.
pub(crate) fn days_left(until: SystemTime) -> u64 {
    until.duration_since(wall_clock()).unwrap_or_default().as_secs() / DAY.as_secs()
}

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = HOUR.saturating_mul(24);

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn end(what: &str, until: SystemTime) -> End {
        End { what: what.into(), until, days: CERTIFICATE_DAYS }
    }

    #[test]
    fn an_end_is_told_30_14_7_and_1_days_before_then_every_hour_and_after_it() {
        let (mut expiries, ends) = (Expiries::default(), [end("ours", start() + 90 * DAY)]);
        let mut told = Vec::new();
        for hour in 0..=90 * 24 + 2 {
            for (_, days) in expiries.due(start() + HOUR * hour, &ends) {
                told.push((hour, days));
            }
        }
        let rare =
            [(60 * 24, Some(30)), (76 * 24, Some(14)), (83 * 24, Some(7)), (89 * 24, Some(1))];
        assert_eq!(told[..4], rare);
        let hourly: Vec<u32> = (89 * 24 + 1..=90 * 24 + 2).collect();
        assert_eq!(told[4..].iter().map(|(hour, _)| *hour).collect::<Vec<_>>(), hourly);
        assert_eq!(told.iter().filter(|(_, days)| days.is_none()).count(), 2, "ended");
    }

    #[test]
    fn who_starts_late_is_told_at_once_and_once() {
        let (mut expiries, ends) = (Expiries::default(), [end("ours", start() + 10 * DAY)]);
        assert_eq!(expiries.due(start(), &ends), [(ends[0].clone(), Some(10))]);
        assert_eq!(expiries.due(start() + HOUR, &ends), []);
        assert_eq!(expiries.due(start() + 3 * DAY, &ends).len(), 1, "7 days");
    }

    #[test]
    fn what_is_renewed_is_told_no_more_and_each_end_for_itself() {
        let mut expiries = Expiries::default();
        let soon = [end("a", start() + 2 * DAY), end("b", start() + 2 * DAY)];
        assert_eq!(expiries.due(start(), &soon).len(), 2);
        let renewed = [end("a", start() + 90 * DAY), soon[1].clone()];
        assert_eq!(expiries.due(start() + HOUR, &renewed), []);
        assert_eq!(expiries.due(start() + DAY, &renewed), [(soon[1].clone(), Some(1))]);
    }
}
