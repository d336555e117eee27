//! The client that sends.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_nats::{Client, Subject, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::subscriber::Count;
use super::{Access, SUBJECT};
use crate::asking::{Asker, keep_asking};
use crate::clock::now;
use crate::door::Door;
use crate::flow::Flow;
use crate::message::{Content, Kind};
use crate::publisher::{self, serve_publisher};
use crate::window::Requests;

/// Runs the client until the benchmark has no more orders. It is ready once it reaches all
/// subscribers.
///
/// # Errors
///
/// Fails when the client cannot connect, and when the subscribers are not found.
pub(crate) async fn run_publisher(dir: &Path, server: Door, subscribers: u32) -> Result<()> {
    let client = Access::read(dir, server)?.connect().await?;
    let inbox = Subject::from(client.new_inbox());
    let counts = client.subscribe(inbox.clone()).await.context("cannot subscribe")?;
    let asker = NatsAsker { client, subject: SUBJECT.into() };
    let mut publisher =
        Publisher { asker, inbox, counts, subscribers, questions: 0, arrived: BTreeMap::new() };
    publisher.count().await.context("the subscribers are not found")?;
    serve_publisher(publisher).await
}

struct Publisher {
    asker: NatsAsker,
    /// Where subscribers say how many messages have come.
    inbox: Subject,
    counts: Subscriber,
    subscribers: u32,
    /// How often they were asked.
    questions: u64,
    /// What each of them said last.
    arrived: BTreeMap<u64, u64>,
}

impl Publisher {
    /// Asks all subscribers how many messages have come, which they say behind the last one, and
    /// answers how many more copies that are than before.
    async fn count(&mut self) -> Result<u64> {
        let before: u64 = self.arrived.values().sum();
        let began = now();
        while now().duration_since(began) < COUNTED_WITHIN {
            self.questions += 1;
            let question = Content { kind: Kind::End, number: self.questions }.payload(0);
            let NatsAsker { client, subject } = &self.asker;
            client.publish_with_reply(subject.clone(), self.inbox.clone(), question).await?;
            // The question may be lost as well, or come before anybody is known to listen.
            if let Ok(answered) = timeout(ASK_AGAIN_AFTER, self.all_have_answered()).await {
                answered?;
                return Ok(self.arrived.values().sum::<u64>() - before);
            }
        }
        bail!("{} of {} subscribers answer", self.arrived.len(), self.subscribers)
    }

    async fn all_have_answered(&mut self) -> Result<()> {
        let mut missing = self.subscribers;
        while missing > 0 {
            let message = self.counts.next().await.context("the link broke")?;
            let Some(count) = Count::decode(&message.payload) else { continue };
            self.arrived.insert(count.subscriber, count.arrived);
            missing -= u32::from(count.question == self.questions);
        }
        Ok(())
    }
}

impl publisher::Publisher for Publisher {
    /// The server takes what it gets; only what the subscribers count has arrived.
    async fn stream(&mut self, flow: &mut Flow) -> Result<u64> {
        let NatsAsker { client, subject } = &self.asker;
        while let Some(payload) = flow.next_payload() {
            client.publish(subject.clone(), payload).await?;
        }
        client.flush().await?;
        self.count().await
    }

    async fn ask(&mut self, in_flight: u32, run: Requests) -> Result<Requests> {
        keep_asking(&self.asker, in_flight, run).await
    }
}

#[derive(Clone)]
struct NatsAsker {
    client: Client,
    subject: Subject,
}

impl Asker for NatsAsker {
    async fn ask(&self, question: Bytes) -> Result<Bytes> {
        Ok(self.client.request(self.subject.clone(), question).await?.payload)
    }
}

/// How soon subscribers are asked again, and for how long.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(250);
const COUNTED_WITHIN: Duration = Duration::from_secs(30);
