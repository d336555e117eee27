//! Asks the client's node who may receive a file, until it answers.

use std::time::Duration;

use amop_wire::{
    Code, FileBody, FileEnd, FileFound, FileMessage, FileRoute, Instance, Instant, Reason, Topic,
};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::{Files, SendFileError};
use crate::driver::Driver;
use crate::lease::Lease;

/// A question without an answer.
#[derive(Debug)]
pub(super) struct Find {
    topic: Topic,
    tell: oneshot::Sender<Result<FileFound, SendFileError>>,
}

impl Files {
    /// Asks, if there is a node to be asked.
    fn ask(&mut self, now: Instant, own: Instance, number: u64) {
        let (Some(home), Some(find)) = (self.home, self.finds.get(&number)) else { return };
        let sender = FileEnd { instance: own, node: home };
        let route = FileRoute { transfer: number, sender, receiver: FileEnd::ANY };
        let body = FileBody::Find(find.topic.clone());
        self.lane.push(now, (), FileMessage { route, round: 0, body });
    }

    /// The node has answered.
    pub(super) fn found(&mut self, number: u64, found: Result<FileFound, SendFileError>) {
        if let Some(Find { tell, .. }) = self.finds.remove(&number) {
            // Nobody may wait for it any more.
            let _ = tell.send(found);
        }
    }
}

/// Finds out who subscribes to a topic now, as far as the client's node knows.
///
/// # Errors
///
/// Code 99 if no node has answered for that long; 202 if the node does not permit it.
pub(super) async fn find(
    lease: &Lease,
    topic: &Topic,
    patience: Duration,
) -> Result<FileFound, SendFileError> {
    let (tell, found) = oneshot::channel();
    let topic = topic.clone();
    let number = lease.turn(|state, _| {
        if !state.is_open() {
            return Err(SendFileError::Closed);
        }
        state.files.last_transfer += 1;
        let number = state.files.last_transfer;
        state.files.finds.insert(number, Find { topic, tell });
        Ok(number)
    })?;
    let asked = Asked { driver: lease, number };
    let ask = async {
        loop {
            lease.turn(|state, now| state.files.ask(now, lease.instance(), asked.number));
            sleep(ASK_AGAIN_AFTER).await;
        }
    };
    tokio::select! {
        found = found => found.unwrap_or(Err(SendFileError::Closed)),
        () = ask => unreachable!("it asks without end"),
        () = sleep(patience) => {
            Err(SendFileError::Failed { code: Code::NotSent, reason: Reason::NotConnected })
        }
    }
}

/// Takes the question back if nobody waits for its answer.
struct Asked<'a> {
    driver: &'a Driver,
    number: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.driver.look(|state| state.files.finds.remove(&self.number));
    }
}

/// How long a node may take, or be away, before it is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);
