//! Clients that send and receive files.

use std::path::Path;

use amop_sdk::{Code, FolderSettings, Overwrite};
use anyhow::{Result, bail, ensure};

use super::Access;
use crate::certs::Party;
use crate::clock::now;
use crate::door::Door;
use crate::orders::{FileSent, Order, Reply, benchmark_ended, say, serve};

/// Runs the client that sends until the benchmark has no more orders.
///
/// # Errors
///
/// Fails when the client cannot connect.
pub(crate) async fn run_file_sender(dir: &Path, node: Door) -> Result<()> {
    let client = Access::read(dir, Party::Publisher, node)?.connect().await?;
    serve(async |order| {
        let Order::SendFile(path) = order else { bail!("this client sends files") };
        let begin = now();
        let sending = client.send_file(FILES, path).to_all().start().await?;
        let begun = now();
        let sent = sending.done().await?;
        let ended = now();
        ensure!(sent.code() == Code::Ok, "not every receiver has the file: {:?}", sent.outcomes);
        Ok(Reply::FileSent(FileSent {
            hashed_seconds: begun.duration_since(begin).as_secs_f64(),
            seconds: ended.duration_since(begun).as_secs_f64(),
            receivers: sent.outcomes.len(),
        }))
    })
    .await
}

/// Runs a client that receives until the benchmark ends. It is ready once every node knows of it.
///
/// # Errors
///
/// Fails when the client cannot connect or the directory cannot be used.
pub(crate) async fn run_file_receiver(certs: &Path, node: Door, dir: &Path) -> Result<()> {
    let client = Access::read(certs, Party::Subscriber, node)?.connect().await?;
    let mut settings = FolderSettings::default();
    settings.overwrite = Overwrite::Always;
    let receive = client.receive_files(FILES, dir).settings(settings).propagated();
    let mut files = receive.await?;
    say(&Reply::Ready(None))?;
    let take = async { while files.next().await.is_some() {} };
    tokio::select! {
        () = take => bail!("the subscription has ended"),
        () = benchmark_ended() => Ok(()),
    }
}

/// Where files are sent to; messages have another topic.
const FILES: &str = "bench.files";
