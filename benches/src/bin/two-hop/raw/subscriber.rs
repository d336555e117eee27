//! The far client of the floor: counts one-way frames, sends requests back.

use std::array;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};

use super::frame::{Content, Cutter, Kind, put};
use super::transport::{Link, Transport};
use crate::certs::Party;
use crate::orders::{Reply, say};

/// Runs the far client until its link is gone.
///
/// # Errors
///
/// Fails when the link does not come up or breaks, and when a frame was lost or came twice.
pub(crate) async fn run_echo(dir: &Path, relay: SocketAddr, ack_frequency: bool) -> Result<()> {
    let transport = Transport::load(dir, Party::Subscriber, ack_frequency)?;
    let link = transport.dial(relay, Party::Node2).await?;
    say(&Reply::Ready(None))?;
    answer(link).await
}

async fn answer(mut link: Link) -> Result<()> {
    let mut chunks: [Bytes; CHUNKS_PER_READ] = array::from_fn(|_| Bytes::new());
    let (mut cutter, mut answers, mut expected) = (Cutter::default(), BytesMut::new(), Some(0_u64));
    while let Some(count) = link.receive.read_chunks(&mut chunks).await.context("the link broke")? {
        for chunk in &mut chunks[..count] {
            cutter.cut(&std::mem::take(chunk), |content| {
                expected = expected.and_then(|next| handle(content?, next, &mut answers));
            });
        }
        ensure!(expected.is_some(), "a message was lost, came twice or was damaged");
        if !answers.is_empty() {
            let answers = answers.split().freeze();
            link.send.write_chunk(answers).await.context("the link broke")?;
        }
    }
    Ok(())
}

/// Handles one frame; answers which one-way frame must come next, or nothing if this one must not
/// have come.
fn handle(content: Content, expected: u64, answers: &mut BytesMut) -> Option<u64> {
    match content.kind {
        Kind::OneWay => (content.counter == expected).then_some(expected + 1),
        Kind::Request => {
            put(answers, content);
            Some(expected)
        }
        Kind::End => {
            put(answers, Content { counter: expected, ..content });
            Some(0)
        }
    }
}

const CHUNKS_PER_READ: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_frames_are_counted_until_the_end_is_asked_for() {
        let mut answers = BytesMut::new();
        let mut expected = Some(0);
        for (kind, counter) in [(Kind::OneWay, 0), (Kind::OneWay, 1), (Kind::End, 0)] {
            let content = Content { kind, counter };
            expected = expected.and_then(|next| handle(content, next, &mut answers));
        }
        assert_eq!(expected, Some(0), "the count starts anew");
        let mut said = Vec::new();
        Cutter::default().cut(&answers, |content| said.extend(content));
        assert_eq!(said, [Content { kind: Kind::End, counter: 2 }]);
    }

    #[test]
    fn a_hole_and_a_repeat_are_noticed() {
        let one_way = |counter| Content { kind: Kind::OneWay, counter };
        assert_eq!(handle(one_way(1), 0, &mut BytesMut::new()), None);
        assert_eq!(handle(one_way(0), 1, &mut BytesMut::new()), None);
    }
}
