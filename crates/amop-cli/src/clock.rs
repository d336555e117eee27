//! The two clocks: the wall's for dates and certificates, the monotonic one for how long it took.
//!
//! Times are shown in UTC, for people and for programs alike: nothing here knows time zones.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

/// What the wall clock says.
#[expect(clippy::disallowed_methods, reason = "the one place where the tool reads the wall clock")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// A moment to measure from.
#[expect(clippy::disallowed_methods, reason = "the one place where the tool starts a stopwatch")]
pub(crate) fn moment() -> Instant {
    Instant::now()
}

/// A date and time in UTC, by RFC 3339 with milliseconds: `2026-11-21T02:00:03.118Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamp {
    since_epoch: Duration,
}

impl Timestamp {
    /// The timestamp of a time after 1970; earlier ones are shown as its first moment.
    pub(crate) fn of(time: SystemTime) -> Self {
        Self { since_epoch: time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() }
    }

    /// The time of day alone: `02:00:03.118Z`.
    pub(crate) fn time_of_day(self) -> String {
        let second = self.since_epoch.as_secs() % SECONDS_PER_DAY;
        let (hour, minute) = (second / 3600, second / 60 % 60);
        format!("{hour:02}:{minute:02}:{:02}.{:03}Z", second % 60, self.since_epoch.subsec_millis())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.since_epoch.as_secs() / SECONDS_PER_DAY);
        write!(f, "{year:04}-{month:02}-{day:02}T{}", self.time_of_day())
    }
}

/// The date in the Gregorian calendar, `days` after 1970-01-01.
///
/// Years are counted from March 1st of the year 0, so that a leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_TO_1970;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// Days in the 400 years after which the calendar repeats.
const DAYS_PER_ERA: u64 = 146_097;

/// From March 1st of the year 0 to January 1st of 1970.
const DAYS_TO_1970: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(second: u64, millis: u64) -> String {
        let since_epoch = Duration::from_secs(second) + Duration::from_millis(millis);
        Timestamp::of(SystemTime::UNIX_EPOCH + since_epoch).to_string()
    }

    #[test]
    fn a_timestamp_is_rfc_3339_in_utc() {
        assert_eq!(shown(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(951_782_399, 999), "2000-02-28T23:59:59.999Z");
        assert_eq!(shown(951_782_400, 0), "2000-02-29T00:00:00.000Z");
        assert_eq!(shown(1_709_251_199, 0), "2024-02-29T23:59:59.000Z");
        assert_eq!(shown(1_735_689_599, 0), "2024-12-31T23:59:59.000Z");
        assert_eq!(shown(1_735_689_600, 0), "2025-01-01T00:00:00.000Z");
        assert_eq!(shown(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn a_time_before_1970_is_shown_as_its_first_moment() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::of(before).to_string(), "1970-01-01T00:00:00.000Z");
    }
}
