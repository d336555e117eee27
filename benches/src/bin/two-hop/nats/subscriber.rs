//! The clients that receive: they count one-way messages, answer requests with what they bring,
//! and say on demand how many have come.

use std::path::Path;

use anyhow::{Context, Result};
use async_nats::connection::State;
use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::{Access, SUBJECT};
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
pub(crate) async fn run_subscribers(dir: &Path, server: Door, count: u32) -> Result<()> {
    let access = Access::read(dir, server)?;
    let mut tallies = Vec::new();
    for index in 0..count {
        let client = access.connect().await?;
        let subscription = client.subscribe(SUBJECT).await.context("cannot subscribe")?;
        client.flush().await.context("the link broke")?;
        let tally = SharedTally::default();
        let subscriber = u64::from(std::process::id()) << 32 | u64::from(index);
        tokio::spawn(receive(client, subscription, subscriber, tally.clone()));
        tallies.push(tally);
    }
    serve_subscribers(&tallies).await
}

/// Runs a crowd of idle clients until the benchmark has no more orders.
///
/// # Errors
///
/// Fails when the certificates cannot be read.
pub(crate) async fn run_crowd(dir: &Path, server: Door) -> Result<()> {
    serve_crowd(Access::read(dir, server)?).await
}

impl Attach for Access {
    type Client = Client;

    async fn attach(&self) -> Result<Client> {
        self.connect().await
    }

    fn is_attached(client: &Client) -> bool {
        client.connection_state() == State::Connected
    }
}

async fn receive(
    client: Client,
    mut subscription: Subscriber,
    subscriber: u64,
    tally: SharedTally,
) {
    while let Some(message) = subscription.next().await {
        let is_right = match Content::decode(&message.payload) {
            Some(Content { kind: Kind::OneWay, number }) => {
                tally.lock().arrive(now(), number);
                true
            }
            Some(Content { kind: Kind::Request, .. }) => {
                let payload = message.payload.clone();
                answer(&client, message, payload).await
            }
            Some(Content { kind: Kind::End, number }) => {
                let arrived = tally.lock().arrived();
                match arrived {
                    Ok(arrived) => {
                        let count = Count { question: number, subscriber, arrived };
                        answer(&client, message, count.encode()).await
                    }
                    Err(_) => false,
                }
            }
            None => false,
        };
        if !is_right {
            tally.lock().go_wrong();
        }
    }
}

async fn answer(client: &Client, message: Message, payload: Bytes) -> bool {
    let Some(inbox) = message.reply else { return false };
    client.publish(inbox, payload).await.is_ok()
}

/// What a subscriber says when it is asked how many have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) question: u64,
    pub(super) subscriber: u64,
    /// In all.
    pub(super) arrived: u64,
}

impl Count {
    fn encode(self) -> Bytes {
        let numbers = [self.question, self.subscriber, self.arrived];
        numbers.map(u64::to_be_bytes).concat().into()
    }

    /// Reads the three numbers, if it is an answer at all.
    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        let ([question, subscriber, arrived], []) = payload.as_chunks() else { return None };
        Some(Self {
            question: u64::from_be_bytes(*question),
            subscriber: u64::from_be_bytes(*subscriber),
            arrived: u64::from_be_bytes(*arrived),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_survives_the_way() {
        let count = Count { question: 1, subscriber: u64::MAX, arrived: 3 };
        assert_eq!(Count::decode(&count.encode()), Some(count));
        assert_eq!(Count::decode(b""), None, "nobody was there to answer");
        assert_eq!(Count::decode(&count.encode()[1..]), None);
    }
}
