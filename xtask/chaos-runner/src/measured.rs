//! A run of which spans are measured, each for itself.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::clock::micros;
use crate::figures::Span;
use crate::net::{Load, Net};
use crate::options::Options;
use crate::usage::Usage;

/// A run in which spans are measured.
pub(crate) struct Measured {
    pub(crate) net: Net,
    pub(crate) smoke: bool,
}

impl Measured {
    /// Starts the nodes, with this at the end of their configuration.
    ///
    /// # Errors
    ///
    /// As [`Net::start`].
    pub(crate) async fn start(
        options: &Options,
        seed: u64,
        node: &Path,
        more: &str,
    ) -> Result<Self> {
        let net = Net::start_measured(node, seed, more).await?;
        Ok(Self { net, smoke: options.smoke })
    }

    /// Lets a span pass, but for its first second.
    pub(crate) async fn span(&self, name: &'static str, seconds: u64) -> Span {
        sleep(SETTLE).await;
        let from = micros();
        let seconds = if self.smoke { 3 } else { seconds };
        sleep(Duration::from_secs(seconds)).await;
        Span { name, from, until: micros() }
    }

    /// A publisher at the first node that knows no other.
    ///
    /// # Errors
    ///
    /// As [`Net::publish`].
    pub(crate) async fn publish(&mut self, load: Load) -> Result<()> {
        self.net.publish([0, 0], load).await
    }

    /// Likewise, of so many unicasts a second.
    ///
    /// # Errors
    ///
    /// As [`Net::publish`].
    pub(crate) async fn publish_unicasts(&mut self, unicasts: u64) -> Result<()> {
        self.publish(Load { unicasts, ..Load::default() }).await
    }

    /// Ends the publishers that were started last.
    ///
    /// # Errors
    ///
    /// Fails if one ends in another way, or takes long.
    pub(crate) async fn finish_publishers(&mut self, count: usize) -> Result<()> {
        let first = self.net.publishers.len() - count;
        for publisher in &mut self.net.publishers[first..] {
            publisher.finish().await?;
        }
        Ok(())
    }

    /// What the first node takes of the system now.
    ///
    /// # Errors
    ///
    /// Fails if it has ended.
    pub(crate) async fn usage(&self) -> Result<Usage> {
        self.net.nodes[0].usage().await
    }
}

const SETTLE: Duration = Duration::from_secs(1);

/// What of the peak must get through under load.
pub(crate) const GOODPUT_MIN: f64 = 0.8;

/// How many times longer messages may take under load.
pub(crate) const SLOWDOWN_MAX: u32 = 5;

/// By how much memory may grow under load.
pub(crate) const GROWTH_MIB_MAX: u64 = 8;

/// How soon after the load all must be well.
pub(crate) const RECOVERED: Duration = Duration::from_secs(4);
