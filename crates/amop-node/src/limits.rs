//! The section `[limits]`: how much others may make a node hold, and how fast they may come.
//!
//! Every rate and every size is written with its unit, since a bare number would be read as bytes by one and
//! as bits by another. What is left out has its default; zero is refused rather than taken for no limit.

mod bounds;
mod values;

use amop_core::node::{Rate, Rates};
use amop_p2p::Settings;
use amop_wire::limits::{
    ALL_HANDSHAKES_BURST, ALL_HANDSHAKES_PER_SECOND, FAILURES, HANDSHAKES_BURST,
    HANDSHAKES_PER_SECOND, LINK_BYTES_MAX, LINK_MESSAGES_MAX, LINKS_PER_NODE_MAX, MEMORY_BYTES,
    PAYLOAD_BYTES_MAX, RECORDS, REQUEST_BYTES_PER_CLIENT_MAX, REQUESTS_PER_CLIENT_MAX,
    REQUESTS_PER_NODE_MAX, SUBSCRIPTIONS_PER_CLIENT_MAX,
};
use serde::Deserialize;
use toml::{Spanned, Value};

use crate::config::ConfigError;
use bounds::Bounds;
pub(crate) use bounds::Text;

/// How much others may make a node hold, and how fast they may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How fast clients may publish.
    pub rates: Rates,
    /// Most subscriptions of one client.
    pub subscriptions: usize,
    /// Most publishes of one client without an end.
    pub in_flight: usize,
    /// Most payload of the unicasts of one client without an end, in bytes.
    pub in_flight_bytes: usize,
    /// Most publishes of all clients without an end.
    pub in_flight_of_node: usize,
    /// Most that the node holds for others altogether, in bytes.
    pub memory_bytes: usize,
    /// How fast what the peers of one agency send is passed on to other nodes, in bytes of payload.
    pub transit: Option<Rate>,
    /// How fast files are sent on each link, in bytes.
    pub files: Option<Rate>,
    /// Most links of the node, to clients and to peers together.
    pub links: usize,
    /// Most links of one agency.
    pub links_per_agency: usize,
    /// How many steps of messages are kept for tracing, 64 bytes each.
    pub records: usize,
    /// How many of those that went wrong are kept beside them, 64 bytes each.
    pub failures: usize,
    /// How many links may be begun a second at each port.
    pub handshakes_per_second_of_node: u32,
    /// How many links may be begun at once at each port after a pause.
    pub handshakes_burst_of_node: u32,
    /// How many links one address may begin a second.
    pub handshakes_per_second: u32,
    /// How many links one address may begin at once after a pause.
    pub handshakes_burst: u32,
    /// Most bytes that wait for one link. Counts from the next start on.
    pub queue_bytes: usize,
    /// Most messages that wait for one link. Counts from the next start on.
    pub queue_messages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rates: Rates::default(),
            subscriptions: SUBSCRIPTIONS_PER_CLIENT_MAX,
            in_flight: REQUESTS_PER_CLIENT_MAX,
            in_flight_bytes: REQUEST_BYTES_PER_CLIENT_MAX,
            in_flight_of_node: REQUESTS_PER_NODE_MAX,
            memory_bytes: MEMORY_BYTES,
            transit: None,
            files: None,
            links: LINKS_PER_NODE_MAX,
            links_per_agency: LINKS_PER_NODE_MAX,
            records: RECORDS,
            failures: FAILURES,
            handshakes_per_second_of_node: ALL_HANDSHAKES_PER_SECOND,
            handshakes_burst_of_node: ALL_HANDSHAKES_BURST,
            handshakes_per_second: HANDSHAKES_PER_SECOND,
            handshakes_burst: HANDSHAKES_BURST,
            queue_bytes: LINK_BYTES_MAX,
            queue_messages: LINK_MESSAGES_MAX,
        }
    }
}

impl Limits {
    /// What of it the core goes by.
    pub(crate) fn of_core(&self) -> amop_core::node::Limits {
        amop_core::node::Limits {
            subscriptions_per_client: self.subscriptions,
            requests_per_client: self.in_flight,
            request_bytes_per_client: self.in_flight_bytes,
            requests_per_node: self.in_flight_of_node,
            memory_bytes: self.memory_bytes,
            link_bytes: self.queue_bytes,
            records: self.records,
            failures: self.failures,
            rates: self.rates,
            transit: self.transit,
            files: self.files,
            ..amop_core::node::Limits::default()
        }
    }

    /// Has links go by what of it is theirs.
    pub(crate) fn apply_to(&self, settings: &mut Settings) {
        settings.outbox_bytes_max = self.queue_bytes;
        settings.outbox_messages_max = self.queue_messages;
        settings.handshakes_per_address = self.handshakes_of_address();
        settings.handshakes = self.handshakes_of_node();
    }

    /// How many links one address may begin: a second, and at once after a pause.
    pub(crate) fn handshakes_of_address(&self) -> (u32, u32) {
        (self.handshakes_per_second, self.handshakes_burst)
    }

    /// How many links may be begun at each port, likewise.
    pub(crate) fn handshakes_of_node(&self) -> (u32, u32) {
        (self.handshakes_per_second_of_node, self.handshakes_burst_of_node)
    }

    /// As far as a node can go by it that was started with other limits: its links have their queues, and how much of
    /// one each peer may have is reckoned by what it was made with.
    pub(crate) fn for_queues_of(self, started: &Self) -> Self {
        let Self { queue_bytes, queue_messages, .. } = *started;
        Self { queue_bytes, queue_messages, ..self }
    }
}

type Given = Option<Spanned<Value>>;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsSection {
    session: SessionSection,
    agency: AgencySection,
    node: NodeSection,
    link: LinkSection,
    address: AddressSection,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SessionSection {
    bytes: Given,
    bytes_burst: Given,
    messages: Given,
    messages_burst: Given,
    subscriptions: Given,
    in_flight: Given,
    in_flight_bytes: Given,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AgencySection {
    bytes: Given,
    bytes_burst: Given,
    messages: Given,
    messages_burst: Given,
    transit: Given,
    transit_burst: Given,
    links: Given,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NodeSection {
    bytes: Given,
    bytes_burst: Given,
    messages: Given,
    messages_burst: Given,
    in_flight: Given,
    links: Given,
    memory: Given,
    handshakes: Given,
    handshakes_burst: Given,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LinkSection {
    queue: Given,
    queue_messages: Given,
    files: Given,
    files_burst: Given,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AddressSection {
    handshakes: Given,
    handshakes_burst: Given,
}

impl LimitsSection {
    /// Checks all of it.
    pub(crate) fn check(&self, text: Text<'_>) -> Result<Limits, ConfigError> {
        let Self { session, agency, node, link, address } = self;
        let usual = Limits::default();
        let bounds = Bounds::new(text);
        let in_session = bounds.section("session");
        let in_agency = bounds.section("agency");
        let in_node = bounds.section("node");
        let in_link = bounds.section("link");
        let in_address = bounds.section("address");
        let rates = Rates {
            session: in_session.pace(
                (&session.bytes, &session.bytes_burst),
                (&session.messages, &session.messages_burst),
            )?,
            agency: in_agency.pace(
                (&agency.bytes, &agency.bytes_burst),
                (&agency.messages, &agency.messages_burst),
            )?,
            node: in_node
                .pace((&node.bytes, &node.bytes_burst), (&node.messages, &node.messages_burst))?,
        };
        let one_frame = 2 * PAYLOAD_BYTES_MAX as u64;
        let memory_bytes = in_node.size("memory", &node.memory, 16 << 20)?;
        let memory_bytes = memory_bytes.unwrap_or_else(|| in_node.usual_memory(usual.memory_bytes));
        let handshakes = in_address.rate(
            ("handshakes", &address.handshakes),
            ("handshakes_burst", &address.handshakes_burst),
        )?;
        let handshakes = handshakes.unwrap_or(Rate {
            per_second: usual.handshakes_per_second.into(),
            burst: usual.handshakes_burst.into(),
        });
        let of_node = in_node
            .rate(("handshakes", &node.handshakes), ("handshakes_burst", &node.handshakes_burst))?;
        let of_node = of_node.unwrap_or(Rate {
            per_second: usual.handshakes_per_second_of_node.into(),
            burst: usual.handshakes_burst_of_node.into(),
        });
        let bounded = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(Limits {
            rates,
            subscriptions: in_session.count(
                "subscriptions",
                &session.subscriptions,
                usual.subscriptions,
            )?,
            in_flight: in_session.count("in_flight", &session.in_flight, usual.in_flight)?,
            in_flight_bytes: in_session
                .size("in_flight_bytes", &session.in_flight_bytes, 1)?
                .unwrap_or(usual.in_flight_bytes),
            in_flight_of_node: in_node.count(
                "in_flight",
                &node.in_flight,
                usual.in_flight_of_node,
            )?,
            memory_bytes,
            transit: in_agency.byte_rate(
                ("transit", &agency.transit),
                ("transit_burst", &agency.transit_burst),
            )?,
            files: in_link.byte_rate(("files", &link.files), ("files_burst", &link.files_burst))?,
            links: in_node.count("links", &node.links, usual.links)?,
            links_per_agency: in_agency.count("links", &agency.links, usual.links_per_agency)?,
            records: usual.records,
            failures: usual.failures,
            handshakes_per_second_of_node: bounded(of_node.per_second),
            handshakes_burst_of_node: bounded(of_node.burst),
            handshakes_per_second: bounded(handshakes.per_second),
            handshakes_burst: bounded(handshakes.burst),
            queue_bytes: in_link
                .size("queue", &link.queue, one_frame)?
                .unwrap_or(usual.queue_bytes),
            queue_messages: in_link.count(
                "queue_messages",
                &link.queue_messages,
                usual.queue_messages,
            )?,
        })
    }
}

#[cfg(test)]
mod tests;
