//! A bare relay: passes bytes from link to link, as many at a time as are there.

use std::array;
use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use quinn::{RecvStream, SendStream};

use super::transport::{Transport, accept};
use crate::certs::Party;
use crate::door::Door;
use crate::network::{Servers, Site, start_role};
use crate::orders::{RelayAddrs, Reply, say};
use crate::system::System;

/// Starts so many relays in a row, each of which dials the one before it.
///
/// # Errors
///
/// Fails when one cannot be started or is not ready in time.
pub(crate) async fn start_relays(system: System, site: &Site, count: usize) -> Result<Servers> {
    let mut servers = Servers::default();
    let mut dial: Option<Door> = None;
    for node in Party::NODES.into_iter().take(count) {
        let mut arguments: Vec<OsString> = vec!["relay".into(), system.name().into()];
        arguments.extend([node.dns().into(), site.dir.clone().into()]);
        arguments.extend(dial.map(|door| door.to_string().into()));
        let (relay, addrs) = start_role(node.dns(), arguments).await?;
        let RelayAddrs { back, front } = addrs.context("a relay listens nowhere")?;
        servers.push(relay, Door { node, addr: back.unwrap_or(front) });
        dial = Some(Door { node, addr: site.weather.before(front).await? });
    }
    Ok(servers)
}

/// Runs a relay until its links are gone. Its back is dialed by the publisher, unless it dials
/// the relay before it; its front is dialed by the next relay or by the subscriber.
///
/// # Errors
///
/// Fails when a link does not come up or breaks.
pub(crate) async fn run_relay(
    system: System,
    party: Party,
    dir: &Path,
    dial: Option<Door>,
) -> Result<()> {
    let transport = Transport::load(system, dir, party)?;
    let (front, front_addr) = transport.listen()?;
    let ready = |back| say(&Reply::Ready(Some(RelayAddrs { back, front: front_addr })));
    let (mut back, mut front) = match dial {
        Some(door) => {
            let back = transport.dial(door).await?;
            ready(None)?;
            (back, accept(&front).await?)
        }
        None => {
            let (back, back_addr) = transport.listen()?;
            ready(Some(back_addr))?;
            tokio::try_join!(accept(&back), accept(&front))?
        }
    };
    tokio::select! {
        end = pass(&mut back.asks.receive, &mut front.asks.send) => end,
        end = pass(&mut front.asks.receive, &mut back.asks.send) => end,
        end = pass(&mut back.flow.receive, &mut front.flow.send) => end,
        end = pass(&mut front.flow.receive, &mut back.flow.send) => end,
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
