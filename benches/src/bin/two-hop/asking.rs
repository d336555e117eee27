//! Keeps requests in flight the way an application does: with as many tasks, each of which asks
//! again once it has its answer.

use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::case::REQUEST_BYTES;
use crate::clock::now;
use crate::message::{Content, Kind};
use crate::window::Requests;

/// A client that many tasks can ask with.
pub(crate) trait Asker: Clone + Send + 'static {
    /// Sends one request and waits for its answer.
    ///
    /// # Errors
    ///
    /// Fails when there is none.
    fn ask(&self, question: Bytes) -> impl Future<Output = Result<Bytes>> + Send;
}

/// Keeps so many requests in flight until the run is over, and waits for the last answers.
///
/// # Errors
///
/// Fails when a request has no answer, or a wrong one.
pub(crate) async fn keep_asking(
    asker: &impl Asker,
    in_flight: u32,
    run: Requests,
) -> Result<Requests> {
    let run = Arc::new(Mutex::new(run));
    let mut tasks = JoinSet::new();
    for number in 0..in_flight {
        tasks.spawn(ask_again_and_again(asker.clone(), number, run.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a task panicked")??;
    }
    let run = Arc::into_inner(run).context("a task is left")?;
    run.into_inner().context("a task panicked")
}

async fn ask_again_and_again(
    asker: impl Asker,
    task: u32,
    run: Arc<Mutex<Requests>>,
) -> Result<()> {
    let mut number = u64::from(task) << 32;
    loop {
        number += 1;
        let question = Content { kind: Kind::Request, number }.payload(REQUEST_BYTES);
        let sent = now();
        let answer = asker.ask(question.clone()).await?;
        let at = now();
        ensure!(answer == question, "an answer was not what was asked for");
        let mut run = lock(&run);
        run.answered(at.duration_since(sent));
        if !run.goes_on(at)? {
            return Ok(());
        }
    }
}

fn lock(run: &Mutex<Requests>) -> MutexGuard<'_, Requests> {
    run.lock().expect("nothing panics while it holds the lock")
}
