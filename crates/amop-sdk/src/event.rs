//! What happens to a client beside its messages: for logs, for status lines, for tests.

use std::net::SocketAddr;

use amop_wire::{Code, Name, Reason, Topic};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Something that happened to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The client is connected, and the node holds every subscription. Told again, with nothing in between,
    /// when it has moved from a node that stops to another one.
    Connected {
        /// Where the node is.
        endpoint: SocketAddr,
        /// Which node it is.
        node: Name,
    },
    /// The client was connected and is no longer. It connects again by itself, unless it was
    /// closed.
    Disconnected {
        /// One sentence that says who ended the link and why.
        why: String,
    },
    /// An attempt to connect failed. The next one follows by itself.
    AttemptFailed {
        /// One sentence that names the endpoint and says who is at fault.
        why: String,
    },
    /// A subscription has as many messages waiting as it may have: what comes now is refused.
    ///
    /// Told once, and again only after half of them were taken.
    SubscriptionFull {
        /// Of which topic.
        topic: Topic,
    },
    /// The node refused a subscription that it, or another node, had taken before. The
    /// subscription ends.
    SubscriptionLost {
        /// Of which topic.
        topic: Topic,
        /// The kind of refusal.
        code: Code,
        /// The reason behind it.
        reason: Reason,
    },
    /// This many events were dropped, because nobody took them for too long.
    Missed {
        /// How many.
        count: u64,
    },
}

/// The events of a client from the moment on at which this was made, in their order.
///
/// Holds at most 64 events: the oldest are dropped, and [`Event::Missed`] counts them.
#[derive(Debug)]
pub struct Events {
    received: broadcast::Receiver<Event>,
}

impl Events {
    pub(crate) fn new(received: broadcast::Receiver<Event>) -> Self {
        Self { received }
    }

    /// Waits for the next event; `None` once the client is closed and everything was told.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        match self.received.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(count)) => Some(Event::Missed { count }),
            Err(RecvError::Closed) => None,
        }
    }
}

/// How many events wait for one that listens.
pub(crate) const EVENTS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_events_are_dropped_and_counted() {
        let sender = broadcast::Sender::new(EVENTS_MAX);
        let mut events = Events::new(sender.subscribe());
        let event = |number: usize| Event::Disconnected { why: number.to_string() };
        for number in 0..EVENTS_MAX + 3 {
            sender.send(event(number)).unwrap();
        }
        drop(sender);
        assert_eq!(events.next().await, Some(Event::Missed { count: 3 }));
        for number in 3..EVENTS_MAX + 3 {
            assert_eq!(events.next().await, Some(event(number)));
        }
        assert_eq!(events.next().await, None);
    }
}
