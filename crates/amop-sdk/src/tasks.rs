//! The two tasks of a client: one keeps it linked, one hands in timeouts.

use std::sync::Arc;
use std::time::Duration;

use amop_p2p::{Dialer, Endpoint, Link, Outbox};
use amop_wire::{CloseCode, CloseReason, Recent, Transit};
use tokio::task::JoinHandle;
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
        // The link that goes on until another one has taken its place.
        let mut left = None;
        loop {
            let dialed = tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase >= Phase::Closing) => break,
                dialed = self.dialer.next(&self.endpoint) => dialed,
            };
            match dialed {
                Ok(link) => {
                    let mut running = self.start(link);
                    if self.stay(&mut running, targets).await {
                        self.dialer.settled();
                    }
                    left = Some(running.task);
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
        if let Some(left) = left.take_if(|left| !left.is_finished()) {
            // It ends once it is flushed; it fails only if it panicked.
            let _ = left.await;
        }
        self.endpoint.shutdown().await;
    }

    fn start(&self, link: Link) -> Running {
        let (driver, outbox) = (Arc::clone(&self.driver), link.outbox());
        let number = driver.turn(|state, now| state.link_up(now, &link));
        let task = tokio::spawn(async move {
            let (mut recent, mut transit) = (Recent::default(), Transit::default());
            let end = link
                .run(|lane, frames| {
                    driver.frames((number, lane), frames, (&mut recent, &mut transit))
                })
                .await;
            driver.turn(|state, now| state.link_down(now, number, end))
        });
        Running { task, outbox }
    }

    /// Waits for the end of a link, or until the client is to be linked with another node while
    /// this link goes on. Says whether the client was connected by it. One whose node does not take the
    /// client in is given up.
    async fn stay(&self, running: &mut Running, targets: usize) -> bool {
        let Running { task, outbox } = running;
        let is_taken_in = tokio::select! {
            biased;
            ended = &mut *task => return ended.unwrap_or(false),
            () = self.driver.leaves(), if targets > 1 => return true,
            () = sleep(self.attach_timeout) => self.driver.look(|state| state.core.is_connected()),
        };
        if !is_taken_in {
            let text = format!("the node did not take us in within {:?}", self.attach_timeout);
            outbox.abort(CloseReason::new(CloseCode::Protocol, text));
        }
        tokio::select! {
            biased;
            ended = &mut *task => ended.unwrap_or(false),
            () = self.driver.leaves(), if targets > 1 => true,
        }
    }
}

/// A link and the task that runs it, which answers whether the client was connected by it.
struct Running {
    task: JoinHandle<bool>,
    outbox: Outbox,
}

/// However the task ends, also with its runtime: nobody waits for ever.
impl Drop for Linked {
    fn drop(&mut self) {
        self.driver.finish();
    }
}
