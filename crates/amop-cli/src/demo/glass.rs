//! What a node sees of its client: stands in a node's place, with its certificate, and keeps every byte.
//!
//! A link is encrypted from one end to the other, so nobody but its two ends can look. This one is an end: the
//! client attaches to it as to its node, and it passes every frame on over a link of its own to the real node,
//! and back. So it has what each node on the way of a message has, no more and no less.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use amop_p2p::{Batch, Endpoint, Link, LinkKind, Outbox, Settings};
use amop_wire::{CloseReason, Frame, Lane, Message, MessageError, Name};
use bytes::{Bytes, BytesMut};
use tokio::task::JoinHandle;

use super::certificates::Certificates;
use crate::exit::chain;

/// A node made of glass.
#[derive(Debug)]
pub(super) struct Glass {
    addr: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

/// All that went through, in both directions.
#[derive(Debug, Default)]
struct Seen {
    frames: usize,
    bytes: Vec<u8>,
}

impl Glass {
    /// Stands between a client, which is to attach to [`addr`](Self::addr), and the node at `to`.
    pub(super) fn before(
        certificates: &Certificates,
        node: &Name,
        to: SocketAddr,
        client: &Name,
    ) -> Result<Self, String> {
        let (identity, trust) = certificates.load(node)?;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let door = Endpoint::listen(any, LinkKind::Sdk, &identity, &trust, Settings::default());
        let door = door.map_err(|error| chain(&error))?;
        let (identity, trust) = certificates.load(client)?;
        let back = Endpoint::dial_only(LinkKind::Sdk, &identity, &trust, Settings::default());
        let back = back.map_err(|error| chain(&error))?;
        let addr = door.local_addr().map_err(|error| error.to_string())?;
        let seen = Arc::default();
        let task = tokio::spawn(stand(door, back, to, Arc::clone(&seen)));
        Ok(Self { addr, seen, task })
    }

    /// Where it is found.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many frames went through.
    pub(super) fn frames(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).frames
    }

    /// Whether these words were in any of them.
    pub(super) fn has_seen(&self, words: &str) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.bytes.windows(words.len()).any(|window| window == words.as_bytes())
    }
}

impl Drop for Glass {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes in one client, and passes on what it and the node say to each other.
async fn stand(door: Endpoint, back: Endpoint, to: SocketAddr, seen: Arc<Mutex<Seen>>) {
    let Some(handshake) = door.accept().await else { return };
    // Whoever fails here sees that the client cannot connect.
    let Ok(near) = handshake.complete().await else { return };
    let Ok(far) = back.dial(to, None).await else { return };
    let (to_near, to_far) = (near.outbox(), far.outbox());
    tokio::join!(pass_on(near, to_far, &seen), pass_on(far, to_near, &seen));
}

async fn pass_on(from: Link, to: Outbox, seen: &Mutex<Seen>) {
    let end = from.run(|lane, frames| {
        let mut batch = Batch::default();
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        // A stamp is between the two ends of one link.
        for frame in frames.drain(..).filter(|frame| !frame.header.is_empty()) {
            seen.frames += 1;
            seen.bytes.extend_from_slice(&frame.header);
            seen.bytes.extend_from_slice(&frame.payload);
            let unread = Unread { lane, frame };
            batch.push(&unread).expect("it came in one frame");
        }
        to.send(&mut batch);
        Ok::<(), CloseReason>(())
    });
    end.await;
}

/// A message that is passed on as it came.
struct Unread {
    lane: Lane,
    frame: Frame,
}

impl Message for Unread {
    fn lane(&self) -> Lane {
        self.lane
    }

    fn put_header(&self, buf: &mut BytesMut) {
        buf.extend_from_slice(&self.frame.header);
    }

    fn payload(&self) -> &Bytes {
        &self.frame.payload
    }

    fn from_frame(frame: Frame) -> Result<Self, MessageError> {
        Ok(Self { lane: Lane::Unicasts, frame })
    }
}
