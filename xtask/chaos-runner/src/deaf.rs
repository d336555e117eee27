//! A client that subscribes and then reads nothing any more, though its process lives and its system goes on
//! acknowledging packets: the worst subscriber there is.

use std::net::SocketAddr;
use std::path::PathBuf;

use amop_p2p::{Batch, Endpoint, Identity, LinkKind, Settings, Trust};
use amop_wire::{ClientMessage, CloseReason, Frame, Gen, Instance, Lane};
use anyhow::{Context, Result, bail};
use tokio::sync::mpsc;

use crate::client::{NEWS, PATIENCE, wait_for_the_end};

/// Whose certificate it shows to which node.
#[derive(Debug, clap::Args)]
pub(crate) struct DeafArgs {
    /// Where `ca.crt`, `sdk.crt` and `sdk.key` are.
    #[arg(long)]
    dir: PathBuf,
    /// Where its node is.
    #[arg(long)]
    endpoint: SocketAddr,
}

/// Is one until the standard input ends; then says how its link has ended, if it has.
///
/// # Errors
///
/// Fails if it cannot link or subscribe.
pub(crate) async fn run(DeafArgs { dir, endpoint: node }: DeafArgs) -> Result<()> {
    let read = |name: &str| std::fs::read(dir.join(name)).with_context(|| format!("no {name}"));
    let identity = Identity::from_pem(&read("sdk.crt")?, &read("sdk.key")?)?;
    let trust = Trust::from_pem(&read("ca.crt")?)?;
    let endpoint = Endpoint::dial_only(LinkKind::Sdk, &identity, &trust, Settings::default())?;
    let link = endpoint.dial(node, None).await?;
    let outbox = link.outbox();
    let (heard, mut hears) = mpsc::unbounded_channel();
    let mut running = Box::pin(link.run(move |_: Lane, frames: &mut Vec<Frame>| {
        // Stamps say nothing.
        let told = frames.iter().filter(|frame| !frame.header.is_empty()).count();
        heard.send(told).expect("it is listened to");
        Ok::<(), CloseReason>(())
    }));
    let hello = [
        ClientMessage::Attach { instance: Instance(DEAF), generation: Gen(1) },
        ClientMessage::Subscribe(NEWS.parse()?),
    ];
    for message in hello {
        let mut batch = Batch::default();
        batch.push(&message)?;
        outbox.send(&mut batch);
        let mut told = 0;
        while told == 0 {
            tokio::select! {
                end = &mut running => bail!("the link has ended: {end}"),
                count = hears.recv() => told = count.context("the link runs")?,
            }
        }
    }
    println!("ready");
    // Nobody runs the link any more, so nothing is read.
    wait_for_the_end().await;
    let end = tokio::time::timeout(PATIENCE, running).await?;
    println!("{end}");
    Ok(())
}

/// Its instance; others are drawn at random.
const DEAF: u64 = 0xdeaf;
