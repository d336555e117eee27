//! The far client: counts one-way frames, sends requests back.

use std::array;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};

use super::frame::{Cutter, put};
use super::transport::{Lane, Transport};
use crate::certs::Party;
use crate::clock::now;
use crate::door::Door;
use crate::message::{Content, Kind, Tally};
use crate::subscriber::{SharedTally, serve_subscribers};
use crate::system::System;

/// Runs the far client until the benchmark has no more orders.
///
/// # Errors
///
/// Fails when the link does not come up or breaks.
pub(crate) async fn run_subscriber(system: System, dir: &Path, relay: Door) -> Result<()> {
    let transport = Transport::load(system, dir, Party::Subscriber)?;
    let mut link = transport.dial(relay).await?;
    let tallies = [SharedTally::default()];
    tokio::select! {
        result = answer(&mut link.asks, &tallies[0]) => result,
        result = answer(&mut link.flow, &tallies[0]) => result,
        result = serve_subscribers(&tallies) => result,
    }
}

async fn answer(lane: &mut Lane, tally: &SharedTally) -> Result<()> {
    let mut chunks: [Bytes; CHUNKS_PER_READ] = array::from_fn(|_| Bytes::new());
    let (mut cutter, mut answers) = (Cutter::default(), BytesMut::new());
    while let Some(count) = lane.receive.read_chunks(&mut chunks).await.context("the link broke")? {
        let at = now();
        for chunk in &mut chunks[..count] {
            let mut tally = tally.lock();
            cutter.cut(&std::mem::take(chunk), |frame| handle(at, frame, &mut tally, &mut answers));
        }
        if !answers.is_empty() {
            let answers = answers.split().freeze();
            lane.send.write_chunk(answers).await.context("the link broke")?;
        }
    }
    Ok(())
}

fn handle(at: Instant, frame: Option<(Content, usize)>, tally: &mut Tally, answers: &mut BytesMut) {
    match frame {
        Some((Content { kind: Kind::OneWay, number }, _)) => tally.arrive(at, number),
        Some((content @ Content { kind: Kind::Request, .. }, payload_bytes)) => {
            put(answers, content, payload_bytes);
        }
        Some((Content { kind: Kind::End, .. }, payload_bytes)) => {
            // If something went wrong, the publisher waits for what it has not sent.
            let number = tally.arrived().unwrap_or(u64::MAX);
            put(answers, Content { kind: Kind::End, number }, payload_bytes);
        }
        None => tally.go_wrong(),
    }
}

const CHUNKS_PER_READ: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_frames_are_counted_until_the_end_is_asked_for() {
        let (mut tally, mut answers) = (Tally::default(), BytesMut::new());
        for (kind, number) in [(Kind::OneWay, 0), (Kind::OneWay, 1), (Kind::End, 0)] {
            handle(now(), Some((Content { kind, number }, 16)), &mut tally, &mut answers);
        }
        let mut said = Vec::new();
        Cutter::default().cut(&answers, |frame| said.extend(frame));
        assert_eq!(said, [(Content { kind: Kind::End, number: 2 }, 16)]);
    }

    #[test]
    fn a_frame_that_makes_no_sense_is_wrong() {
        let mut tally = Tally::default();
        handle(now(), None, &mut tally, &mut BytesMut::new());
        assert!(tally.arrived().is_err());
    }
}
