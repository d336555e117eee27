//! The delivery contract over several hops: nodes as processes, killed and cut off under traffic.
//!
//! Each test starts a few `amop-node` processes. Every link between two of them leads over a wire
//! of the test, which counts what it carries and can be cut; clients of the SDK run in the test.
//! Nothing waits for a fixed time: a test waits for what should happen, and fails if that takes too
//! long. What takes long here is the 6 s after which a silent link is lost (LINK-6).

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod build;
mod daemon;
mod deaths;
mod drains;
mod files;
mod looking;
mod moves;
mod net;
mod propagated;
mod restarts;
mod traffic;
mod ways;
mod wire;

use std::time::Duration;

/// What must come comes; if not, the test fails with this sentence.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not come within {PATIENCE:?}"),
    }
}

/// Far longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// After this long without a packet a link is lost.
const IDLE_TIMEOUT: Duration = Duration::from_secs(6);
