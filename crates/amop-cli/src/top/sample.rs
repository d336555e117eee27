//! What a node says at one moment, and how fast it has changed since another.

use std::collections::BTreeMap;
use std::time::Instant;

use amop_node::view::{ClientView, Flow, LinkView, Overview, PeerView};
use serde::Serialize;

use crate::exit::Failure;
use crate::look::admin::Admin;

/// What a node says at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    pub(crate) node: Overview,
    pub(crate) peers: Vec<PeerView>,
    pub(crate) clients: Vec<ClientView>,
}

/// Asks the node.
pub(crate) async fn take(admin: &Admin, at: Instant) -> Result<Sample, Failure> {
    Ok(Sample {
        at,
        node: admin.get("/v1/status").await?,
        peers: admin.get("/v1/peers").await?,
        clients: admin.get("/v1/clients").await?,
    })
}

/// What came and went in a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Rates {
    pub(crate) clients: FlowRate,
    pub(crate) peers: FlowRate,
    /// Publishes that ended, by code.
    pub(crate) outcomes: BTreeMap<u8, f64>,
    /// By the name of a peer or the instance of a client.
    pub(crate) links: BTreeMap<String, LinkRate>,
}

/// Messages and their payloads in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct FlowRate {
    pub(crate) received: f64,
    pub(crate) received_bytes: f64,
    pub(crate) sent: f64,
    pub(crate) sent_bytes: f64,
}

/// Bytes of UDP in a second, and packets lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct LinkRate {
    pub(crate) received_bytes: f64,
    pub(crate) sent_bytes: f64,
    pub(crate) lost_packets: f64,
}

impl Rates {
    /// How fast it went between two samples. What counts from zero again, in a new life of the node or on a new link,
    /// has not moved.
    pub(crate) fn between(before: &Sample, after: &Sample) -> Self {
        let seconds = after.at.saturating_duration_since(before.at).as_secs_f64().max(0.001);
        let per_second = |before: u64, after: u64| {
            #[expect(clippy::cast_precision_loss, reason = "nobody reads so many digits")]
            let grown = after.saturating_sub(before) as f64;
            grown / seconds
        };
        let flow = |before: &Flow, after: &Flow| FlowRate {
            received: per_second(before.received, after.received),
            received_bytes: per_second(before.received_bytes, after.received_bytes),
            sent: per_second(before.sent, after.sent),
            sent_bytes: per_second(before.sent_bytes, after.sent_bytes),
        };
        let (was, is) = (&before.node.counts, &after.node.counts);
        let outcomes = is.outcomes.iter().map(|(&code, &count)| {
            (code, per_second(was.outcomes.get(&code).copied().unwrap_or_default(), count))
        });
        let known = before.links();
        let links = after.links().into_iter().filter_map(|(name, link)| {
            let old = known.get(&name)?;
            let rate = LinkRate {
                received_bytes: per_second(old.received_bytes, link.received_bytes),
                sent_bytes: per_second(old.sent_bytes, link.sent_bytes),
                lost_packets: per_second(old.lost_packets, link.lost_packets),
            };
            Some((name, rate))
        });
        Self {
            clients: flow(&was.clients, &is.clients),
            peers: flow(&was.peers, &is.peers),
            outcomes: outcomes.collect(),
            links: links.collect(),
        }
    }
}

impl Sample {
    fn links(&self) -> BTreeMap<String, &LinkView> {
        let peers = self.peers.iter().map(|peer| (&peer.name, &peer.link));
        let clients = self.clients.iter().map(|client| (&client.instance, &client.link));
        let linked = peers.chain(clients);
        linked.filter_map(|(name, link)| Some((name.clone(), link.as_ref()?))).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;

    /// A node with a peer that is linked, one that is not, and a client.
    pub(in crate::top) fn sample(at: Instant, count: u64) -> Sample {
        let flow = Flow {
            received: 2 * count,
            received_bytes: 2048 * count,
            sent: count,
            sent_bytes: 1024 * count,
        };
        let link = |count: u64| LinkView {
            round_trip_ms: 0.4,
            sent_bytes: 1_048_576 * count,
            received_bytes: 1024 * count,
            certified_until: Some(1_800_000_000 + 12 * 86_400),
            ..LinkView::default()
        };
        let mut node = Overview {
            name: "n1.node.bank-a.amop".into(),
            version: "0.1.0".into(),
            state: "serving".into(),
            uptime_seconds: 273_600.0,
            peers: 1,
            peers_configured: 2,
            peers_configured_up: 1,
            clients: 1,
            topics_here: 41,
            under_way: 3,
            certified_until: 1_800_000_000 + 61 * 86_400,
            ..Overview::default()
        };
        (node.counts.clients, node.counts.peers) = (flow, flow);
        node.counts.outcomes = [(0, 10 * count), (102, count)].into();
        let up = PeerView {
            name: "n1.node.bank-b.amop".into(),
            up: true,
            up_seconds: Some(61.0),
            link: Some(link(count)),
            ..PeerView::default()
        };
        let down = PeerView {
            name: "n1.node.bank-c.amop".into(),
            why: Some("no answer\u{1b}[2J".into()),
            ..PeerView::default()
        };
        let client = ClientView {
            name: "app.sdk.bank-a.amop".into(),
            instance: "5fd2a1c07b3e9864".into(),
            generation: 1,
            topics: 2,
            under_way: 3,
            unacked: 0,
            link: Some(link(2 * count)),
        };
        Sample { at, node, peers: vec![up, down], clients: vec![client] }
    }

    #[test]
    fn rates_are_what_grew_in_a_second_and_a_new_life_has_not_moved() {
        let start = crate::clock::moment();
        let (before, after) = (sample(start, 10), sample(start + Duration::from_secs(2), 30));
        let rates = Rates::between(&before, &after);
        assert_eq!((rates.clients.received, rates.clients.sent_bytes), (20.0, 10_240.0));
        assert_eq!(rates.outcomes, [(0, 100.0), (102, 10.0)].into());
        assert_eq!(rates.links["n1.node.bank-b.amop"].sent_bytes, 10_485_760.0);
        assert_eq!(rates.links.len(), 2, "who is not linked has no rate");
        let again = Rates::between(&after, &sample(start + Duration::from_secs(3), 1));
        assert_eq!(again.clients, FlowRate::default());
    }
}
