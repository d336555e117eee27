//! Strangers that begin handshakes as fast as they can, from several addresses: true first packets of a true QUIC
//! stack, of somebody who has no certificate.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use quinn::Endpoint;
use tokio::task::{JoinSet, yield_now};

use crate::client::wait_for_the_end;
use crate::raw;

/// At whose door they knock.
#[derive(Debug, clap::Args)]
pub(crate) struct KnockArgs {
    /// Where `ca.crt` is.
    #[arg(long)]
    dir: PathBuf,
    /// Where the node is.
    #[arg(long)]
    endpoint: SocketAddr,
    /// Its certified name.
    #[arg(long)]
    name: String,
}

/// What became of the handshakes.
#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    answered: AtomicU64,
}

/// Does so until the standard input ends; then says what became of it.
///
/// # Errors
///
/// Fails if the system gives no sockets.
pub(crate) async fn run(KnockArgs { dir, endpoint: node, name }: KnockArgs) -> Result<()> {
    let (counts, mut knocking) = (Arc::new(Counts::default()), JoinSet::new());
    for number in 1..=ADDRESSES {
        let endpoint = raw::endpoint(&dir, IpAddr::V4(Ipv4Addr::new(127, 0, 1, number)), false)?;
        for _ in 0..AT_ONCE {
            knocking.spawn(knock(endpoint.clone(), node, name.clone(), Arc::clone(&counts)));
        }
    }
    println!("ready");
    wait_for_the_end().await;
    knocking.shutdown().await;
    let [begun, answered] =
        [&counts.begun, &counts.answered].map(|count| count.load(Ordering::Relaxed));
    println!("{begun} handshakes begun, {answered} of them answered");
    Ok(())
}

/// Begins one after another, for ever.
async fn knock(endpoint: Endpoint, node: SocketAddr, name: String, counts: Arc<Counts>) {
    loop {
        counts.begun.fetch_add(1, Ordering::Relaxed);
        if let Ok(connecting) = endpoint.connect(node, &name)
            && let Ok(connection) = connecting.await
        {
            // Our end believes in it until the node has looked for a certificate.
            counts.answered.fetch_add(1, Ordering::Relaxed);
            connection.closed().await;
        }
        yield_now().await;
    }
}

/// From how many addresses they come, and how many handshakes each has open at once.
const ADDRESSES: u8 = 8;
const AT_ONCE: usize = 64;
