//! A relay of the floor: passes bytes from link to link, as many at a time as are there.

use std::array;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use quinn::{RecvStream, SendStream};

use super::transport::{Transport, accept};
use crate::certs::Party;
use crate::orders::{RelayAddrs, Reply, say};

/// Runs a relay until its links are gone: the first one waits for the other to
/// link, the second one dials the first.
///
/// # Errors
///
/// Fails when a link does not come up or breaks.
pub(crate) async fn run_relay(
    dir: &Path,
    dial: Option<SocketAddr>,
    ack_frequency: bool,
) -> Result<()> {
    let party = if dial.is_some() { Party::Node2 } else { Party::Node1 };
    let transport = Transport::load(dir, party, ack_frequency)?;
    let (for_client, client_addr) = transport.listen()?;
    let (for_relay, relay_addr) = transport.listen()?;
    let addrs = RelayAddrs { client: client_addr, relay: relay_addr };
    let ready = Reply::Ready(Some(addrs));
    let (mut client, mut relay) = match dial {
        Some(addr) => {
            let relay = transport.dial(addr, Party::Node1).await?;
            say(&ready)?;
            (accept(&for_client).await?, relay)
        }
        None => {
            say(&ready)?;
            tokio::try_join!(accept(&for_client), accept(&for_relay))?
        }
    };
    tokio::select! {
        end = pass(&mut client.receive, &mut relay.send) => end,
        end = pass(&mut relay.receive, &mut client.send) => end,
    }
}

/// Copies what is there into one buffer and writes it as one piece. While the next link takes
/// nothing, nothing is read, so that a fast sender is held back.
async fn pass(from: &mut RecvStream, to: &mut SendStream) -> Result<()> {
    let mut chunks: [Bytes; CHUNKS_PER_READ] = array::from_fn(|_| Bytes::new());
    let mut buffer = BytesMut::new();
    while let Some(count) = from.read_chunks(&mut chunks).await.context("a link broke")? {
        let bytes = chunks[..count].iter().map(Bytes::len).sum();
        buffer.reserve(bytes);
        for chunk in &mut chunks[..count] {
            buffer.extend_from_slice(&std::mem::take(chunk));
        }
        to.write_chunk(buffer.split().freeze()).await.context("a link broke")?;
    }
    Ok(())
}

/// As many as AMOP's links read at a time.
const CHUNKS_PER_READ: usize = 64;
