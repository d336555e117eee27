//! What applications publish.

use std::time::Duration;

use amop_core::client::Input as ClientInput;
use amop_wire::{Mode, MsgId, Terms, Topic};
use bytes::Bytes;

use crate::contract::Publication;
use crate::network::Party;
use crate::private::SECRET;
use crate::story::What;
use crate::world::{ClientId, World};

impl World {
    /// Publishes.
    ///
    /// # Panics
    ///
    /// If the client is down.
    pub fn publish(
        &mut self,
        client: ClientId,
        mode: Mode,
        topic: &str,
        timeout: Duration,
    ) -> MsgId {
        self.publish_on(Terms::default(), client, mode, topic, timeout)
    }

    /// Publishes on terms of its own. The payload goes by the key, if there is one.
    ///
    /// # Panics
    ///
    /// If the client is down.
    pub fn publish_on(
        &mut self,
        terms: Terms,
        client: ClientId,
        mode: Mode,
        topic: &str,
        timeout: Duration,
    ) -> MsgId {
        let core = self.clients[client.0].core.as_mut().expect("the client lives");
        let (publisher, counter) = (core.instance(), core.draw_counter());
        let id = MsgId { publisher, counter };
        let publication = Publication::new(mode, parse(topic), self.now, timeout);
        let topic = parse(topic);
        let is_sealed = self.clients[client.0].allowed.contains_key(&topic);
        let publication = Publication { terms, ..publication };
        self.record.published(id, publication);
        let line = format_args!("publishes {id} to {topic}: {mode:?}, {timeout:?}, {terms:?}");
        self.tell(What::Did(Party::Client(client.0)), id.into(), line);
        let payload = terms.key.map_or(id.to_string(), |key| format!("{key:?}"));
        let payload = if is_sealed { format!("{SECRET}{payload}") } else { payload };
        let payload = Bytes::from(payload);
        if mode == Mode::Multicast && !self.has_keys(&topic) {
            self.record.sequences.published(id, &topic);
        }
        let input = ClientInput::Publish { counter, key: 0, mode, terms, topic, payload, timeout };
        self.client_batch(client.0, [input]);
        id
    }
}

pub(crate) fn parse(topic: &str) -> Topic {
    topic.parse().expect("a valid topic")
}
