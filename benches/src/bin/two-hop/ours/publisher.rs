//! The client that sends: makes the load, and measures it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use amop_sdk::{Client, Code, MulticastReceipt, Pending, Topic};
use anyhow::{Context, Result, bail, ensure};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{TOPIC, connect, payload};
use crate::case::Case;
use crate::certs::Party;
use crate::clock::now;
use crate::orders::{Load, Measured, Order, Reply, serve};
use crate::window::{Requests, Window};

/// Runs the client until the benchmark has no more orders. It is ready once its node knows of the
/// subscriber.
///
/// # Errors
///
/// Fails when the client cannot connect.
pub(crate) async fn run_publisher(dir: &Path, node: SocketAddr) -> Result<()> {
    let client = connect(dir, Party::Publisher, node).await?;
    let topic = TOPIC.parse().context("the topic is bad")?;
    let mut publisher = Publisher { client, topic, next_one_way: 0 };
    let found = timeout(FOUND_WITHIN, publisher.find_subscriber()).await;
    found.context("the node does not learn of the subscriber")??;
    serve(async |order| match order {
        Order::Measure(load) => publisher.measure(&load).await.map(Reply::Measured),
        Order::Count => bail!("this client receives no one-way messages"),
    })
    .await
}

struct Publisher {
    client: Client,
    topic: Topic,
    next_one_way: u64,
}

impl Publisher {
    /// Asks until somebody answers: the nodes tell each other of subscribers in the background.
    async fn find_subscriber(&self) -> Result<()> {
        loop {
            match self.client.request(&self.topic, payload(0)).await {
                Ok(_) => return Ok(()),
                Err(error) if error.code() == Code::NoSubscriber => sleep(ASK_AGAIN_AFTER).await,
                Err(error) => return Err(error).context("cannot reach the subscriber"),
            }
        }
    }

    async fn measure(&mut self, load: &Load) -> Result<Measured> {
        match load.case {
            Case::OneWay => {
                let warm_up = self.stream(load.warm_up).await?;
                let window = Window::open(load)?;
                let done = self.stream(load.window).await?;
                window.close(warm_up + done, done)
            }
            Case::Requests { in_flight } => self.request(load, in_flight).await,
        }
    }

    /// Sends multicasts for so long, and waits until the subscriber has acknowledged every one.
    async fn stream(&mut self, lasting: Duration) -> Result<u64> {
        let (began, first) = (now(), self.next_one_way);
        let mut in_flight = VecDeque::with_capacity(IN_FLIGHT_MAX);
        while now().duration_since(began) < lasting {
            for _ in 0..MESSAGES_PER_LOOK {
                if in_flight.len() == IN_FLIGHT_MAX {
                    let oldest = in_flight.pop_front().expect("it is full");
                    acknowledged(oldest).await?;
                }
                let message = self.client.multicast(&self.topic, payload(self.next_one_way));
                self.next_one_way += 1;
                in_flight.push_back(message.submit().await?);
            }
        }
        for message in in_flight {
            acknowledged(message).await?;
        }
        Ok(self.next_one_way - first)
    }

    /// Keeps so many requests in flight: as many tasks, each of which asks again once it has its
    /// answer.
    async fn request(&self, load: &Load, in_flight: u32) -> Result<Measured> {
        let run = Arc::new(Mutex::new(Requests::begin(load)));
        let mut tasks = JoinSet::new();
        for number in 0..in_flight {
            let (client, topic, run) = (self.client.clone(), self.topic.clone(), run.clone());
            tasks.spawn(ask(client, topic, number, run));
        }
        while let Some(ended) = tasks.join_next().await {
            ended.context("a task panicked")??;
        }
        let run = Arc::into_inner(run).context("a task is left")?;
        run.into_inner().context("a task panicked")?.finish()
    }
}

/// Asks again and again, until the run is over.
async fn ask(client: Client, topic: Topic, task: u32, run: Arc<Mutex<Requests>>) -> Result<()> {
    let mut number = u64::from(task) << 32;
    loop {
        lock(&run).sent();
        number += 1;
        let (question, sent) = (payload(number), now());
        let answer = client.request(&topic, question.clone()).await?;
        let at = now();
        ensure!(answer.payload == question, "an answer was not what was asked for");
        let mut run = lock(&run);
        run.answered(at.duration_since(sent));
        if !run.goes_on(at)? {
            return Ok(());
        }
    }
}

async fn acknowledged(message: Pending<MulticastReceipt>) -> Result<()> {
    let receipt = message.await.context("a message was lost")?;
    let MulticastReceipt { targets, acked, .. } = receipt;
    ensure!((targets, acked) == (1, 1), "a message was not acknowledged: {receipt:?}");
    Ok(())
}

fn lock(run: &Mutex<Requests>) -> MutexGuard<'_, Requests> {
    run.lock().expect("nothing panics while it holds the lock")
}

/// How many one-way messages may be without a receipt. Nearly as many as the client takes at a time:
/// fewer leave the four processes waiting for each other, more make it hold back.
const IN_FLIGHT_MAX: usize = 8000;

/// How many messages are sent between two looks at the clock.
const MESSAGES_PER_LOOK: u32 = 64;

/// How soon to ask again for a subscriber, and for how long.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(10);
const FOUND_WITHIN: Duration = Duration::from_secs(8);
