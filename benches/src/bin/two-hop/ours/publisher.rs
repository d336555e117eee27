//! The client that sends.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use amop_sdk::{Bytes, Client, MulticastReceipt, Pending, Topic};
use anyhow::{Context, Result, bail, ensure};
use tokio::time::{sleep, timeout};

use super::{Access, TOPIC};
use crate::asking::{Asker, keep_asking};
use crate::certs::Party;
use crate::door::Door;
use crate::flow::Flow;
use crate::message::{Content, Kind};
use crate::publisher::{self, serve_publisher};
use crate::window::Requests;

/// Runs the client until the benchmark has no more orders. It is ready once its node knows of all
/// subscribers.
///
/// # Errors
///
/// Fails when the client cannot connect, and when the subscribers are not found.
pub(crate) async fn run_publisher(dir: &Path, node: Door, subscribers: u32) -> Result<()> {
    let client = Access::read(dir, Party::Publisher, node)?.connect().await?;
    let topic = TOPIC.parse().context("the topic is bad")?;
    let publisher = Publisher { asker: SdkAsker { client, topic }, subscribers };
    let found = timeout(FOUND_WITHIN, publisher.find_subscribers()).await;
    found.context("the node does not learn of the subscribers")??;
    serve_publisher(publisher).await
}

struct Publisher {
    asker: SdkAsker,
    subscribers: u32,
}

impl Publisher {
    /// Asks until all are there: the nodes tell each other of subscribers in the background.
    async fn find_subscribers(&self) -> Result<()> {
        let SdkAsker { client, topic } = &self.asker;
        let probe = Content { kind: Kind::End, number: 0 }.payload(0);
        loop {
            match client.multicast(topic, probe.clone()).await {
                Ok(receipt) if receipt.acked == self.subscribers => return Ok(()),
                Ok(_) => {}
                Err(error) if error.may_have_been_handled() => bail!(error),
                Err(_) => {}
            }
            sleep(ASK_AGAIN_AFTER).await;
        }
    }

    async fn acknowledged(&self, message: Pending<MulticastReceipt>) -> Result<u64> {
        let receipt = message.await.context("a message was lost")?;
        let MulticastReceipt { targets, acked, .. } = receipt;
        let all = (targets, acked) == (self.subscribers, self.subscribers);
        ensure!(all, "a message was not acknowledged by all: {receipt:?}");
        Ok(acked.into())
    }

    /// A message has arrived when its receipt says that every subscriber took it.
    async fn stream_to_all(&self, flow: &mut Flow) -> Result<u64> {
        let SdkAsker { client, topic } = &self.asker;
        let in_flight_max = (BYTES_IN_FLIGHT_MAX / flow.payload_bytes()).clamp(1, IN_FLIGHT_MAX);
        let mut in_flight = VecDeque::with_capacity(in_flight_max);
        let mut arrived = 0;
        while let Some(payload) = flow.next_payload() {
            if in_flight.len() == in_flight_max {
                let oldest = in_flight.pop_front().expect("it is full");
                arrived += self.acknowledged(oldest).await?;
            }
            in_flight.push_back(client.multicast(topic, payload).submit().await?);
        }
        for message in in_flight {
            arrived += self.acknowledged(message).await?;
        }
        Ok(arrived)
    }
}

impl publisher::Publisher for Publisher {
    async fn stream(&mut self, flow: &mut Flow) -> Result<u64> {
        self.stream_to_all(flow).await
    }

    async fn ask(&mut self, in_flight: u32, run: Requests) -> Result<Requests> {
        keep_asking(&self.asker, in_flight, run).await
    }

    async fn ask_beside(&mut self, run: Requests, flow: &mut Flow) -> Result<(Requests, u64)> {
        tokio::try_join!(keep_asking(&self.asker, 1, run), self.stream_to_all(flow))
    }
}

#[derive(Clone)]
struct SdkAsker {
    client: Client,
    topic: Topic,
}

impl Asker for SdkAsker {
    async fn ask(&self, question: Bytes) -> Result<Bytes> {
        Ok(self.client.request(&self.topic, question).await?.payload)
    }
}

/// How many one-way messages may be without a receipt. Nearly as many as the client takes at a time:
/// fewer leave the processes waiting for each other, more make it hold back.
const IN_FLIGHT_MAX: usize = 8000;

/// As many bytes as the client takes at a time.
const BYTES_IN_FLIGHT_MAX: usize = 4 << 20;

/// How soon to ask again for subscribers, and for how long.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(10);
const FOUND_WITHIN: Duration = Duration::from_secs(8);
