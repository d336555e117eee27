//! When a certificate counts: from a little before it was made until its lifetime is over.
//!
//! A certificate counts from five minutes before it was made, so that a peer whose clock is a
//! little behind takes it at once. One that is made regularly ends with its issuer's at the latest:
//! a leaf that looks good for months under a dead authority would be a trap for its operator.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, date_time_ymd};
use rustls_pki_types::UnixTime;

use crate::authority::IssueError;

/// The first and the last second in which a certificate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: UnixTime,
    pub(crate) not_after: UnixTime,
}

impl Validity {
    /// Spans `lifetime` from `now` on, and the clock skew before it.
    pub(crate) fn lasting(now: SystemTime, lifetime: Duration) -> Result<Self, IssueError> {
        let since_epoch = since_epoch(now)?;
        let not_before = since_epoch.checked_sub(CLOCK_SKEW).ok_or(IssueError::DateOutOfRange)?;
        let not_after = since_epoch
            .checked_add(lifetime)
            .filter(|&end| end.as_secs() <= LAST_SECOND)
            .ok_or(IssueError::DateOutOfRange)?;
        Ok(Self { not_before: whole_seconds(not_before), not_after: whole_seconds(not_after) })
    }

    /// Spans `lifetime` like [`lasting`](Self::lasting), but not beyond `issuer`, which must count
    /// at `now`.
    pub(crate) fn lasting_within(
        issuer: Self,
        now: SystemTime,
        lifetime: Duration,
    ) -> Result<Self, IssueError> {
        let signing = whole_seconds(since_epoch(now)?);
        if signing < issuer.not_before || issuer.not_after < signing {
            return Err(IssueError::IssuerNotValid {
                now: signing.as_secs(),
                not_before: issuer.not_before.as_secs(),
                not_after: issuer.not_after.as_secs(),
            });
        }
        let full = Self::lasting(now, lifetime)?;
        Ok(Self { not_after: full.not_after.min(issuer.not_after), ..full })
    }

    /// Writes both dates where the certificate is made from.
    pub(crate) fn apply_to(self, params: &mut CertificateParams) {
        let epoch = date_time_ymd(1970, 1, 1);
        params.not_before = epoch + Duration::from_secs(self.not_before.as_secs());
        params.not_after = epoch + Duration::from_secs(self.not_after.as_secs());
    }
}

/// So many days, if there may be so many.
pub(crate) fn lifetime(days: u64, max: u64) -> Result<Duration, IssueError> {
    match u32::try_from(days) {
        Ok(count @ 1..) if days <= max => Ok(DAY * count),
        Ok(_) | Err(_) => Err(IssueError::Lifetime { days, max }),
    }
}

fn since_epoch(now: SystemTime) -> Result<Duration, IssueError> {
    now.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| IssueError::DateOutOfRange)
}

fn whole_seconds(since_epoch: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(since_epoch.as_secs()))
}

/// One day, the unit of every lifetime.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How far behind the clock of a peer may be that meets a certificate just made.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// 9999-12-31T23:59:59Z, the last moment that X.509 can write.
const LAST_SECOND: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    fn seconds(validity: Validity) -> (u64, u64) {
        (validity.not_before.as_secs(), validity.not_after.as_secs())
    }

    #[test]
    fn a_certificate_counts_from_five_minutes_before_it_was_made() {
        let validity = Validity::lasting(at(1_000), Duration::from_secs(60)).unwrap();
        assert_eq!(seconds(validity), (700, 1_060));
    }

    #[test]
    fn fractions_of_a_second_are_cut_off() {
        let now = at(1_000) + Duration::from_millis(999);
        let validity = Validity::lasting(now, Duration::from_millis(60_900)).unwrap();
        assert_eq!(seconds(validity), (700, 1_061));
    }

    #[test]
    fn a_certificate_ends_with_its_issuer_at_the_latest() {
        let issuer = Validity::lasting(at(1_000), Duration::from_secs(100)).unwrap();
        let within = |now, lifetime| {
            Validity::lasting_within(issuer, at(now), Duration::from_secs(lifetime)).map(seconds)
        };
        assert_eq!(within(1_000, 50).unwrap(), (700, 1_050));
        assert_eq!(within(1_000, 101).unwrap(), (700, 1_100));
        assert_eq!(within(1_100, 50).unwrap(), (800, 1_100));
    }

    #[test]
    fn an_issuer_signs_only_while_it_counts_itself() {
        let issuer = Validity::lasting(at(1_000), Duration::from_secs(100)).unwrap();
        let sign_at = |now| Validity::lasting_within(issuer, at(now), DAY);
        assert!(sign_at(700).is_ok());
        assert!(sign_at(1_100).is_ok());
        let early = IssueError::IssuerNotValid { now: 699, not_before: 700, not_after: 1_100 };
        assert_eq!(sign_at(699), Err(early));
        let late = IssueError::IssuerNotValid { now: 1_101, not_before: 700, not_after: 1_100 };
        assert_eq!(sign_at(1_101), Err(late));
    }

    #[test]
    fn dates_that_x509_cannot_write_are_refused_not_wrapped() {
        let lasting = |now, lifetime| Validity::lasting(now, Duration::from_secs(lifetime));
        assert_eq!(lasting(at(299), 1), Err(IssueError::DateOutOfRange));
        assert!(lasting(at(300), 1).is_ok());
        assert!(lasting(at(LAST_SECOND), 0).is_ok());
        assert_eq!(lasting(at(LAST_SECOND), 1), Err(IssueError::DateOutOfRange));
        assert_eq!(lasting(at(1_000), u64::MAX), Err(IssueError::DateOutOfRange));
        let before_the_epoch = SystemTime::UNIX_EPOCH - DAY;
        assert_eq!(lasting(before_the_epoch, 1), Err(IssueError::DateOutOfRange));
    }
}
