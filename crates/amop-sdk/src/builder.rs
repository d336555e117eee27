//! From what a client needs to one that is connected.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use amop_core::client::Client as Core;
use amop_p2p::{Dialer, Endpoint, Identity, LinkKind, Settings, Target, Trust};
use amop_wire::Instance;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::client::Client;
use crate::connect_error::ConnectError;
use crate::driver::Driver;
use crate::entropy::{random, seed};
use crate::env_error::EnvError;
use crate::environment::Environment;
use crate::lease::Lease;
use crate::state::Phase;
use crate::tasks::Linked;

/// Gathers what a client needs, then connects it.
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    endpoints: Vec<String>,
    identity: Option<Identity>,
    trust: Option<Trust>,
    timeout: Duration,
    settings: Settings,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            identity: None,
            trust: None,
            timeout: Duration::from_secs(5),
            settings: Settings::default(),
        }
    }
}

impl ClientBuilder {
    /// Adds a node to connect to, as `host:port`. With several, one is chosen at random, and the
    /// next when it fails.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// Sets the certificate and key of this client.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Sets the roots that a node's certificate must lead to.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Sets how long to wait for a connection, and the default for every publish and subscribe.
    /// 5 s unless it was set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Tunes the link.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Takes from the environment what was not set before.
    ///
    /// Identity and trust come from the context that `AMOP_CONTEXT` names, which is the file
    /// `amop/contexts/NAME.toml` in `$XDG_CONFIG_HOME` or else in `~/.config`, with the keys
    /// `endpoints`, `ca`, `cert`, `key` and, for revocation lists, `crl`, paths relative to that file.
    /// Without a context they come from the files that `AMOP_CA`, `AMOP_CERT` and `AMOP_KEY` name, by
    /// default `./ca.crt`, `./sdk.crt` and `./sdk.key`, and the lists from `AMOP_CRL`. Endpoints come from `AMOP_ENDPOINT`, separated by commas, or
    /// else from the context.
    ///
    /// # Errors
    ///
    /// [`EnvError`] names the file, the variable, and what to do.
    pub fn from_env(mut self) -> Result<Self, EnvError> {
        let environment = Environment::of_process();
        if self.endpoints.is_empty() {
            self.endpoints = environment.endpoints()?;
        }
        if self.identity.is_none() {
            self.identity = Some(environment.identity()?);
        }
        if self.trust.is_none() {
            self.trust = Some(environment.trust()?);
        }
        Ok(self)
    }

    /// Connects: tries every endpoint once, at most for the timeout, and waits until a node has
    /// taken the client in.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says what is missing, or why each endpoint failed. Nothing is left running.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let Self { endpoints, identity, trust, timeout: within, mut settings } = self;
        let identity = identity.ok_or(ConnectError::NoIdentity)?;
        let trust = trust.ok_or(ConnectError::NoTrust)?;
        let seed = random();
        let targets = targets(endpoints, seed)?;
        let target_count = targets.len();
        let name = identity.name().clone();
        let driver = Arc::new(Driver::new(core(&identity)));

        let connected = timeout(within, async {
            // One that does not answer must leave time for the others.
            let share = within.mul_f64(0.9).div_f64(count_addresses(&targets).await);
            settings.handshake_timeout = settings.handshake_timeout.min(share.max(SHARE_MIN));
            let attach_timeout = settings.handshake_timeout;
            let endpoint = Endpoint::dial_only(LinkKind::Sdk, &identity, &trust, settings)
                .map_err(ConnectError::Setup)?;
            let lease = Lease::new(Arc::clone(&driver));
            let (driver, dialer) = (Arc::clone(&driver), Dialer::new(targets, seed));
            Linked { driver, endpoint, dialer, attach_timeout }.spawn(target_count);
            let mut phase = lease.phase();
            // The sender lives as long as the lease.
            let _ = phase.wait_for(|phase| *phase != Phase::Connecting).await;
            Ok(lease)
        });
        let lease = match connected.await {
            Ok(Ok(lease)) if *driver.phase().borrow() == Phase::Running => Some(lease),
            Ok(Err(error)) => return Err(error),
            Ok(Ok(_)) | Err(_) => None,
        };
        let Some(lease) = lease else {
            let failures = driver.look(|state| std::mem::take(&mut state.failures));
            return Err(ConnectError::Unreachable { within, endpoints: target_count, failures });
        };
        Ok(Client::new(lease, name, within))
    }
}

/// One life of a client with this certificate.
fn core(identity: &Identity) -> Core {
    let (name, instance) = (identity.name().clone(), Instance(random()));
    let certificate = identity.certificate_hash();
    let identity = amop_auth::Identity { name, certificate, instance };
    Core::new(instance).with_identity(identity, [seed(), seed()])
}

/// Reads the endpoints, in an order of our own: clients that lose the same node spread out over
/// the others.
fn targets(mut endpoints: Vec<String>, seed: u64) -> Result<Vec<Target>, ConnectError> {
    if endpoints.is_empty() {
        return Err(ConnectError::NoEndpoint);
    }
    if let Some(bad) = endpoints.iter().find(|endpoint| !is_endpoint(endpoint)) {
        return Err(ConnectError::BadEndpoint { endpoint: bad.clone() });
    }
    endpoints.sort_by_cached_key(|endpoint| {
        let mut hasher = DefaultHasher::new();
        (seed, endpoint).hash(&mut hasher);
        hasher.finish()
    });
    Ok(endpoints.into_iter().map(|addr| Target { addr, expected: None }).collect())
}

fn is_endpoint(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_bare = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    !host.is_empty() && is_bare && port.parse::<u16>().is_ok_and(|port| port != 0)
}

/// How many addresses a round over all targets may try. Targets that cannot be resolved cost no
/// time, but may be resolved later.
async fn count_addresses(targets: &[Target]) -> f64 {
    let mut count = 0_u8;
    for target in targets {
        let found = match lookup_host(&target.addr).await {
            Ok(addrs) => addrs.take(ADDRESSES_PER_TARGET).count(),
            Err(_) => 1,
        };
        count = count.saturating_add(u8::try_from(found).unwrap_or(1).max(1));
    }
    f64::from(count)
}

/// How many addresses of one target a dialer tries.
const ADDRESSES_PER_TARGET: usize = 4;

/// The least time for one address, some round trips over a long way, even if a round over all of
/// them takes longer than the timeout then.
const SHARE_MIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        for good in ["127.0.0.1:1", "localhost:20200", "[::1]:65535", "n1.bank-a.example:20200"] {
            assert!(is_endpoint(good), "{good}");
        }
        for bad in ["", ":1", "host", "host:", "host:0", "host:65536", "::1:20200", "quic://a"] {
            assert!(!is_endpoint(bad), "{bad}");
        }
    }

    #[test]
    fn the_first_endpoint_depends_on_the_seed_and_none_is_lost() {
        let endpoints: Vec<String> = (1..=3).map(|port| format!("host:{port}")).collect();
        let mut firsts: Vec<String> = Vec::new();
        for seed in 0..50 {
            let targets = targets(endpoints.clone(), seed).unwrap();
            firsts.push(targets[0].addr.clone());
            let mut addrs: Vec<_> = targets.into_iter().map(|target| target.addr).collect();
            addrs.sort_unstable();
            assert_eq!(addrs, endpoints);
        }
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts, endpoints, "each was first with some seed");
    }

    #[test]
    fn endpoints_that_nobody_can_dial_are_named() {
        assert!(matches!(targets(Vec::new(), 0), Err(ConnectError::NoEndpoint)));
        let error = targets(vec!["a:1".into(), "b".into()], 0).unwrap_err();
        assert_eq!(error.to_string(), "endpoint `b` is not host:port");
    }
}
