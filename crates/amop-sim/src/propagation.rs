//! Subscriptions whose clients wait until every node knows of them.

use amop_core::client::Input as ClientInput;
use amop_wire::{Instant, Topic};

use crate::network::Party;
use crate::story::{About, What};
use crate::world::{ClientId, World};

impl World {
    /// Subscribes, and waits until every node knows of it.
    ///
    /// # Panics
    ///
    /// If that is no topic.
    pub fn subscribe_propagated(&mut self, client: ClientId, topic: &str) {
        self.subscribe(client, topic);
        let topic: Topic = topic.parse().expect("a valid topic");
        self.client_batch(client.0, [ClientInput::Propagate(topic)]);
    }

    /// Of which subscriptions the application of a client was told that every node knows of them,
    /// and when.
    #[must_use]
    pub fn propagated(&self, client: ClientId) -> &[(Topic, Instant)] {
        &self.clients[client.0].propagated
    }

    pub(crate) fn told_propagated(&mut self, client: usize, topic: Topic) {
        let line = format_args!("is told that every node knows of {topic}");
        self.tell(What::Did(Party::Client(client)), About::Nothing, line);
        self.clients[client].propagated.push((topic, self.now));
    }
}
