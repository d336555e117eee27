//! What has begun here and has not come to its end: all of it is zero again once nothing happens.
//!
//! Every count that bounds what others can fill goes up when something begins and down when it ends. One
//! that misses an end only grows, and fills its bound some day, on a node on which nothing was wrong for
//! years. So each stands here, and whoever runs a node in a world looks when all is quiet.

use super::Node;
use super::links::Link;
use super::publisher::Publisher;

impl Node {
    /// How many of each kind have begun and not ended, kinds without any left out. It walks over all
    /// clients and links.
    pub fn loose_ends(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let publishers = self.publishers.values();
        let under_way: usize = publishers.map(Publisher::under_way).sum();
        let of_publishers = |of: fn(&Publisher) -> usize| self.publishers.values().map(of).sum();
        let is_gone = |instance: &&_| !self.sessions.contains_key(instance);
        let is_ungreeted = |link: &&Link| match link {
            Link::Client { instance, .. } => instance.is_none(),
            Link::Peer { greeted, .. } => greeted.is_none(),
        };
        let all = [
            ("publishes of clients without an outcome", under_way),
            ("publishes of all clients without an outcome", self.under_way),
            ("bytes of publishes", of_publishers(|publisher| publisher.open_bytes)),
            ("receipts", of_publishers(|publisher| publisher.receipts.len())),
            ("publishers that are gone", self.publishers.keys().filter(is_gone).count()),
            ("bytes held", self.memory.held()),
            ("links with something passed on", self.transit_links().count()),
            ("deliveries without an ack", self.sessions.values().map(|it| it.unacked.len()).sum()),
            ("multicasts without a report", self.fanouts.waiting()),
            ("subscriptions that wait", self.propagation.waiting()),
            ("messages of files", self.transfers.waiting()),
            ("links without a greeting", self.links.values().filter(is_ungreeted).count()),
            ("links used before their greeting", self.early.len()),
            ("traces", self.traces.under_way()),
            ("reaches", self.reaches.under_way()),
            ("revocation lists asked for", self.revocations.under_way()),
            ("pulls", self.table.pulls_under_way()),
            ("effects", self.effects.len()),
        ];
        all.into_iter().filter(|(_, count)| *count > 0)
    }
}
