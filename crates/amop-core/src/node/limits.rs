//! How much a node holds for others, and how full that is.

use amop_wire::limits::{
    FAILURES, LINK_BYTES_MAX, MEMORY_BYTES, NODES_MAX, Occupancy, RECORDS,
    REQUEST_BYTES_PER_CLIENT_MAX, REQUESTS_PER_CLIENT_MAX, REQUESTS_PER_NODE_MAX,
    SUBSCRIPTIONS_PER_CLIENT_MAX, UNACKED_PER_CLIENT_MAX, WATCHES_PER_CLIENT_MAX,
};

use super::Node;
use super::access::DECIDED_MAX;
use super::publisher::Publisher;
use super::rates::{Rate, Rates};
use super::recorder::Recorder;

/// Bounds on what others can make one node hold, and on how fast its clients may publish. What is over one
/// is refused with code 204 or 103, a multicast delivery counts as refused; nothing that is held already
/// is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most subscriptions of one client.
    pub subscriptions_per_client: usize,
    /// Most publishes of one client without an outcome.
    pub requests_per_client: usize,
    /// Most payload of the unicasts of one client without an outcome, in bytes. A single one is always taken.
    pub request_bytes_per_client: usize,
    /// Most publishes of all clients without an outcome.
    pub requests_per_node: usize,
    /// Most multicast deliveries of one client that wait for its ack.
    pub unacked_per_client: usize,
    /// Most nodes whose way here is remembered; past that all are forgotten, and the best way is taken.
    pub ways_back: usize,
    /// Most that the node holds for others altogether, in bytes: publishes without an outcome and what waits
    /// on links. Past half of it nothing is passed on between other nodes, past three quarters no publish
    /// is taken, and past seven eighths nothing goes to subscribers; the rest is for replies.
    pub memory_bytes: usize,
    /// Most that may wait on one link as its driver has it, in bytes: a peer may have as much waiting there as
    /// is free.
    pub link_bytes: usize,
    /// How many steps of messages are written down before the oldest makes way; 64 bytes each. With 0 none is.
    pub records: usize,
    /// How many of those that went wrong are kept beside them; 64 bytes each.
    pub failures: usize,
    /// How fast clients may publish.
    pub rates: Rates,
    /// How fast the payload of messages and files is passed on between other nodes that the peers of one
    /// agency together send, in bytes. Messages past that are given back, files wait; replies always pass.
    pub transit: Option<Rate>,
    /// How fast files are sent on each link, in bytes.
    pub files: Option<Rate>,
    /// What the topic table holds.
    pub table: amop_topic_table::Limits,
}

/// The limits of `amop_wire`, which are the largest that may be set: others rely on them.
impl Default for Limits {
    fn default() -> Self {
        Self {
            subscriptions_per_client: SUBSCRIPTIONS_PER_CLIENT_MAX,
            requests_per_client: REQUESTS_PER_CLIENT_MAX,
            request_bytes_per_client: REQUEST_BYTES_PER_CLIENT_MAX,
            requests_per_node: REQUESTS_PER_NODE_MAX,
            memory_bytes: MEMORY_BYTES,
            link_bytes: LINK_BYTES_MAX,
            unacked_per_client: UNACKED_PER_CLIENT_MAX,
            ways_back: NODES_MAX,
            records: RECORDS,
            failures: FAILURES,
            rates: Rates::default(),
            transit: None,
            files: None,
            table: amop_topic_table::Limits::default(),
        }
    }
}

impl Node {
    /// Takes other limits from now on. With another room for records, those that there are are lost.
    pub fn set_limits(&mut self, limits: Limits) {
        if (limits.records, limits.failures) != (self.limits.records, self.limits.failures) {
            self.recorder = Recorder::new(&limits);
        }
        self.limits = limits;
        self.table.set_limits(limits.table);
    }

    /// Lets clients publish at these rates from now on. What they took before counts under them.
    pub fn set_rates(&mut self, rates: Rates) {
        self.limits.rates = rates;
    }

    /// How full each collection is that others can fill; of those that every client has, the
    /// fullest. It walks over all clients.
    pub fn occupancy(&self) -> impl Iterator<Item = Occupancy> {
        let limits = self.limits;
        let fullest = |lens: &mut dyn Iterator<Item = usize>| lens.max().unwrap_or_default();
        let subscriptions =
            fullest(&mut self.sessions.values().map(|session| session.topics.len()));
        let unacked = fullest(&mut self.sessions.values().map(|session| session.unacked.len()));
        let requests = fullest(&mut self.publishers.values().map(Publisher::under_way));
        let decided = fullest(&mut self.publishers.values().map(|it| it.permits.len()));
        let own = [
            ("subscriptions of one client", subscriptions, limits.subscriptions_per_client),
            ("deliveries to one client without an ack", unacked, limits.unacked_per_client),
            ("publishes of one client without an outcome", requests, limits.requests_per_client),
            ("publishes without an outcome", self.under_way, limits.requests_per_node),
            ("bytes held", self.memory.held(), limits.memory_bytes),
            ("topics of one client decided about", decided, DECIDED_MAX),
            ("topics watched by one client", self.watches.most(), WATCHES_PER_CLIENT_MAX),
            ("ways back to other nodes", self.ways_back.len(), limits.ways_back),
        ];
        let own = own.map(|(what, held, limit)| Occupancy { what, held, limit });
        own.into_iter().chain(self.table.occupancy())
    }
}
