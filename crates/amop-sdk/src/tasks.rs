//! The two tasks of a client: one keeps it linked, one hands in timeouts.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use amop_p2p::{Dialer, Endpoint, Link, LinkEnd};
use amop_wire::{CloseCode, CloseReason, Recent, Transit};
use tokio::time::sleep;

use crate::connect_error::AttemptError;
use crate::driver::Driver;
use crate::state::Phase;

/// What keeps a client linked.
pub(crate) struct Linked {
    pub(crate) driver: Arc<Driver>,
    pub(crate) endpoint: Endpoint,
    pub(crate) dialer: Dialer,
    /// How long a node may take to take the client in, once there is a link.
    pub(crate) attach_timeout: Duration,
}

impl Linked {
    /// Starts the tasks, which end once the client is closed or could not connect to any of its
    /// targets.
    pub(crate) fn spawn(self, targets: usize) {
        let timers = Arc::clone(&self.driver);
        tokio::spawn(async move { timers.run_timers().await });
        tokio::spawn(self.run(targets));
    }

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
                    let end = self.run_link(link).await;
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

    /// Runs a link to its end. One whose node does not take the client in is given up.
    async fn run_link(&self, link: Link) -> LinkEnd {
        let outbox = link.outbox();
        self.driver.turn(|state, now| state.link_up(now, &link));
        let (mut recent, mut transit) = (Recent::default(), Transit::default());
        let mut run =
            pin!(link.run(|lane, frames| {
                self.driver.frames(lane, frames, (&mut recent, &mut transit))
            }));
        tokio::select! {
            biased;
            end = &mut run => return end,
            () = sleep(self.attach_timeout) => {}
        }
        if !self.driver.look(|state| state.core.is_connected()) {
            let text = format!("the node did not take us in within {:?}", self.attach_timeout);
            outbox.abort(CloseReason::new(CloseCode::Protocol, text));
        }
        run.await
    }
}

/// However the task ends, also with its runtime: nobody waits for ever.
impl Drop for Linked {
    fn drop(&mut self) {
        self.driver.finish();
    }
}
