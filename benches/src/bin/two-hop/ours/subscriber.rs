//! The clients that receive: they count one-way messages and answer requests with what they bring.

use std::path::Path;

use amop_sdk::{Client, Message, Mode, Subscription};
use anyhow::{Context, Result};

use super::{Access, TOPIC};
use crate::certs::Party;
use crate::clock::now;
use crate::crowd::{Attach, serve_crowd};
use crate::door::Door;
use crate::message::{Content, Kind};
use crate::subscriber::{SharedTally, serve_subscribers};

/// Runs so many subscribers until the benchmark has no more orders.
///
/// # Errors
///
/// Fails when one cannot connect or subscribe.
pub(crate) async fn run_subscribers(dir: &Path, node: Door, count: u32) -> Result<()> {
    let access = Access::read(dir, Party::Subscriber, node)?;
    let mut tallies = Vec::new();
    for _ in 0..count {
        let client = access.connect().await?;
        let subscription = client.subscribe(TOPIC).await.context("cannot subscribe")?;
        let tally = SharedTally::default();
        tokio::spawn(receive(client, subscription, tally.clone()));
        tallies.push(tally);
    }
    serve_subscribers(&tallies).await
}

/// Runs a crowd of idle clients until the benchmark has no more orders.
///
/// # Errors
///
/// Fails when the certificates cannot be read.
pub(crate) async fn run_crowd(dir: &Path, node: Door) -> Result<()> {
    serve_crowd(Access::read(dir, Party::Subscriber, node)?).await
}

impl Attach for Access {
    type Client = Client;

    async fn attach(&self) -> Result<Client> {
        self.connect().await
    }

    fn is_attached(client: &Client) -> bool {
        client.is_connected()
    }
}

async fn receive(_client: Client, mut subscription: Subscription, tally: SharedTally) {
    while let Some(message) = subscription.next().await {
        let is_right = match (message.mode(), Content::decode(message.payload())) {
            (Mode::Multicast, Some(Content { kind: Kind::OneWay, number })) => {
                tally.lock().arrive(now(), number);
                true
            }
            // By this the publisher finds out who is there.
            (Mode::Multicast, Some(Content { kind: Kind::End, .. })) => true,
            (Mode::Unicast, Some(Content { kind: Kind::Request, .. })) => answer(message),
            (Mode::Multicast | Mode::Unicast, _) => false,
        };
        if !is_right {
            tally.lock().go_wrong();
        }
    }
}

fn answer(message: Message) -> bool {
    let payload = message.payload().clone();
    message.reply(payload).is_ok()
}
