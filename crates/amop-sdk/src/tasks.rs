//! The two tasks of a client: one keeps it linked, one hands in timeouts.

use std::sync::Arc;

use amop_p2p::{Dialer, Endpoint};

use crate::builder::AttemptError;
use crate::driver::Driver;
use crate::state::Phase;

/// Starts the tasks. They end once the client is closed.
pub(crate) fn spawn(driver: &Arc<Driver>, endpoint: Endpoint, dialer: Dialer, targets: usize) {
    let timers = Arc::clone(driver);
    tokio::spawn(async move { timers.run_timers().await });
    let linked = Linked { driver: Arc::clone(driver), endpoint, dialer };
    tokio::spawn(linked.run(targets));
}

/// What keeps a client linked.
struct Linked {
    driver: Arc<Driver>,
    endpoint: Endpoint,
    dialer: Dialer,
}

impl Linked {
    /// Links again and again, until the client is closed or none of its targets takes it in the
    /// first round.
    async fn run(mut self, targets: usize) {
        let mut phase = self.driver.phase();
        let mut first_round = targets;
        loop {
            let dialed = tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase >= Phase::Closing) => break,
                dialed = self.dialer.next(&self.endpoint) => dialed,
            };
            match dialed {
                Ok(link) => {
                    self.driver.turn(|state, now| state.link_up(now, &link));
                    let end = link.run(|_, frames| self.driver.frames(frames)).await;
                    if self.driver.turn(|state, now| state.link_down(now, end)) {
                        self.dialer.settled();
                    }
                }
                Err(error) => {
                    let error = AttemptError::Dial(error);
                    self.driver.turn(|state, _| state.attempt_failed(error));
                }
            }
            first_round = first_round.saturating_sub(1);
            if first_round == 0 && *phase.borrow() == Phase::Connecting {
                break;
            }
        }
        // Those who wait for a connection need not wait for the socket.
        self.driver.close();
        self.endpoint.shutdown().await;
    }
}

/// However the task ends, also with its runtime: nobody waits for ever.
impl Drop for Linked {
    fn drop(&mut self) {
        self.driver.finish();
    }
}
