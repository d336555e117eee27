//! The client that receives: counts one-way messages, answers requests with what they bring.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use amop_sdk::{Message, Mode, Subscription};
use anyhow::{Context, Result, bail, ensure};

use super::{TOPIC, connect, number};
use crate::certs::Party;
use crate::orders::{Order, Reply, serve};

/// Runs the client until the benchmark has no more orders.
///
/// # Errors
///
/// Fails when the client cannot connect or subscribe.
pub(crate) async fn run_subscriber(dir: &Path, node: SocketAddr) -> Result<()> {
    let client = connect(dir, Party::Subscriber, node).await?;
    let subscription = client.subscribe(TOPIC).await.context("cannot subscribe")?;
    let tally = Arc::new(Tally::default());
    tokio::spawn(receive(subscription, tally.clone()));
    serve(async |order| match order {
        Order::Count => tally.take().map(Reply::Count),
        Order::Measure(_) => bail!("this client sends nothing"),
    })
    .await
}

/// What has arrived.
#[derive(Debug, Default)]
struct Tally {
    arrived: AtomicU64,
    /// One was lost, came twice, in the wrong order, or damaged; or an answer was not taken.
    went_wrong: AtomicBool,
}

impl Tally {
    /// How many one-way messages have come since the last time.
    fn take(&self) -> Result<u64> {
        let went_wrong = self.went_wrong.load(Ordering::Relaxed);
        ensure!(!went_wrong, "a message was lost, came twice, late, or damaged");
        Ok(self.arrived.swap(0, Ordering::Relaxed))
    }
}

async fn receive(mut subscription: Subscription, tally: Arc<Tally>) {
    let mut expected = 0;
    while let Some(message) = subscription.next().await {
        let is_right = match message.mode() {
            Mode::Multicast => {
                tally.arrived.fetch_add(1, Ordering::Relaxed);
                expected += 1;
                number(message.payload()) == Some(expected - 1)
            }
            Mode::Unicast => answer(message),
        };
        if !is_right {
            tally.went_wrong.store(true, Ordering::Relaxed);
        }
    }
}

fn answer(message: Message) -> bool {
    let payload = message.payload().clone();
    message.reply(payload).is_ok()
}
