//! Keeps trying to reach one of several targets.

use std::io;
use std::net::SocketAddr;

use amop_wire::Name;
use tokio::net::lookup_host;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use crate::backoff::Backoff;
use crate::endpoint::Endpoint;
use crate::handshake::HandshakeError;
use crate::link::Link;
use crate::run::now;

/// Somewhere to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `host:port`; the host may be a name or an address, `[::1]:7000` for the newer family.
    pub addr: String,
    /// Who must be there; anybody of the right role if `None`.
    pub expected: Option<Name>,
}

/// Dials its targets in turn, one attempt at a time.
///
/// The targets are tried round after round. There is no wait within a round, nor before the first
/// one; before each later one there is, see [`Backoff`]. It counts from the beginning of the round before: an
/// attempt that nobody answers takes longer than any wait, and is itself how often a peer hears of us while it is
/// cut off.
#[derive(Debug)]
pub struct Dialer {
    targets: Vec<Target>,
    /// The target of the next attempt.
    next: usize,
    left_in_round: usize,
    backoff: Backoff,
    /// When the last round began.
    begun_at: Option<Instant>,
}

impl Dialer {
    /// Dials these targets, the first one first. The waits follow from the seed.
    #[must_use]
    pub fn new(targets: Vec<Target>, seed: u64) -> Self {
        Self { targets, next: 0, left_in_round: 0, backoff: Backoff::new(seed), begun_at: None }
    }

    /// Waits if it is time to, then tries the next target once.
    ///
    /// Dropping the future breaks the attempt off; the next call goes on from there.
    ///
    /// # Errors
    ///
    /// [`DialError`] names the target and says why. Call again.
    pub async fn next(&mut self, endpoint: &Endpoint) -> Result<Link, DialError> {
        if self.left_in_round == 0 {
            if let Some(at) = self.next_round_at() {
                sleep_until(at).await;
            }
            self.begun_at = Some(now());
            self.left_in_round = self.targets.len();
        }
        let target = self.targets.get(self.next).ok_or(DialError::NoTarget)?;
        self.next = (self.next + 1) % self.targets.len();
        self.left_in_round -= 1;
        target.dial(endpoint).await
    }

    /// When another round may begin, the first one apart: a moment that has passed, if the last one took long.
    fn next_round_at(&mut self) -> Option<Instant> {
        Some(self.begun_at? + self.backoff.next_wait())
    }

    /// Tells that a link is good: its peer answered our greeting. The next attempt, after its
    /// loss, comes soon again.
    ///
    /// Call it no earlier: a peer that takes links and then closes them must not be dialed without
    /// pause.
    pub fn settled(&mut self) {
        self.backoff.reset();
        self.left_in_round = 0;
    }
}

impl Target {
    async fn dial(&self, endpoint: &Endpoint) -> Result<Link, DialError> {
        let addrs = lookup_host(&self.addr)
            .await
            .map_err(|source| DialError::Resolve { target: self.addr.clone(), source })?;
        let mut last = DialError::NoAddress { target: self.addr.clone() };
        for remote in addrs.take(ADDRESSES_MAX) {
            debug!(target = %self.addr, %remote, "dialing");
            let source = match endpoint.dial(remote, self.expected.as_ref()).await {
                Ok(link) => return Ok(link),
                Err(source) => source,
            };
            let try_another = matches!(
                source,
                HandshakeError::NoAnswer { .. } | HandshakeError::BadAddress { .. }
            );
            last = DialError::Handshake { target: self.addr.clone(), remote, source };
            if !try_another {
                break;
            }
        }
        Err(last)
    }
}

/// Why an attempt to dial gave no link.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// There is nobody to dial.
    #[error("no target to dial")]
    NoTarget,
    /// The name of the host was not resolved, or the target is no `host:port`.
    #[error("cannot resolve {target}")]
    Resolve {
        /// The target.
        target: String,
        /// What the system says.
        source: io::Error,
    },
    /// The name of the host has no address.
    #[error("{target} has no address")]
    NoAddress {
        /// The target.
        target: String,
    },
    /// The attempt failed at the last address tried.
    #[error("cannot link with {target} at {remote}")]
    Handshake {
        /// The target.
        target: String,
        /// The address.
        remote: SocketAddr,
        /// Which side is at fault.
        source: HandshakeError,
    },
}

/// How many addresses of one target an attempt tries.
const ADDRESSES_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::Settings;

    fn dialer(seed: u64) -> Dialer {
        Dialer { begun_at: Some(now()), ..Dialer::new(Vec::new(), seed) }
    }

    impl Dialer {
        /// How long after the beginning of the last round another one may begin.
        fn wait_before_round(&mut self) -> Option<Duration> {
            let begun_at = self.begun_at?;
            Some(self.next_round_at()? - begun_at)
        }
    }

    #[test]
    fn those_who_lost_one_peer_at_one_moment_come_back_spread_out() {
        assert_eq!(
            Dialer::new(Vec::new(), 1).wait_before_round(),
            None,
            "the first round is at once"
        );
        let mut waits: Vec<Duration> =
            (0..100).filter_map(|seed| dialer(seed).wait_before_round()).collect();
        waits.sort_unstable();
        waits.dedup();
        assert_eq!(waits.len(), 100, "no two at once");
        let tenths = waits.chunks(10).map(|tenth| tenth[0].as_millis() / 20).collect::<Vec<_>>();
        assert!((0..5).all(|fifth| tenths.contains(&fifth)), "over all of 100 ms: {tenths:?}");
    }

    /// LINK-9
    #[test]
    fn who_has_not_answered_for_long_is_dialed_again_at_once() {
        for seed in 0..20 {
            let mut dialer = dialer(seed);
            (0..9).for_each(|_| _ = dialer.backoff.next_wait());
            dialer.begun_at = Some(now() - Settings::default().handshake_timeout);
            assert!(dialer.next_round_at().unwrap() <= now(), "seed {seed}");
        }
    }

    #[test]
    fn who_stays_away_is_dialed_less_and_less_often_until_a_link_is_good() {
        let longest = |round: usize| {
            let wait = |seed| {
                let mut dialer = dialer(seed);
                (0..round).for_each(|_| _ = dialer.wait_before_round());
                dialer.wait_before_round()
            };
            (0..200).filter_map(wait).max().unwrap()
        };
        assert!(longest(0) < Duration::from_millis(100));
        assert!(longest(4) > Duration::from_millis(1000));
        assert!(longest(9) > Duration::from_secs(4) && longest(9) < Duration::from_secs(5));

        let mut dialer = dialer(1);
        (0..9).for_each(|_| _ = dialer.wait_before_round());
        dialer.settled();
        assert!(dialer.wait_before_round() < Some(Duration::from_millis(100)));
    }
}
