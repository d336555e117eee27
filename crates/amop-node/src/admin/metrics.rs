//! The metrics, in the text format 0.0.4 of Prometheus, which all that scrape can read, and `promtool` reads alone.
//!
//! They are made anew at each scrape from what the node shows, so nothing is counted twice. Labels are codes,
//! directions, and names of peers and issuers: never topics, clients or ids, of which there may be any number.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use amop_node::view::{Flow, Overview, PeerView};
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;

use super::Reloads;

/// What the text is.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of a node.
pub(crate) fn text(overview: &Overview, peers: &[PeerView], reloads: &Reloads) -> String {
    let mut sheet = Sheet(Registry::default());
    node(&mut sheet, overview);
    traffic(&mut sheet, overview);
    links(&mut sheet, peers);
    ends(&mut sheet, overview, peers);
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    sheet.counters(
        "amop_reloads_total",
        "How often the configuration was read again, and whether it was taken",
        [("taken", read(&reloads.taken)), ("refused", read(&reloads.refused))]
            .map(|(result, count)| (vec![("result", result.to_owned())], count)),
    );
    let mut text = String::new();
    encode_registry(&mut text, &sheet.0).expect("a text takes all that is written");
    text
}

fn node(sheet: &mut Sheet, overview: &Overview) {
    let labels = vec![("name", overview.name.clone()), ("version", overview.version.clone())];
    sheet.gauges("amop_node_info", "The node and its version, always 1", [(labels, 1.0)]);
    let is_ready = if overview.state == "serving" { 1.0 } else { 0.0 };
    let gauges = [
        ("amop_ready", "1 if the node takes clients in", is_ready),
        ("amop_tasks", "Tasks that the node runs on its first thread", number(overview.tasks)),
        ("amop_uptime_seconds", "How long the node has been running", overview.uptime_seconds),
        ("amop_peers", "Peers that are linked", number(overview.peers)),
        (
            "amop_nodes_reachable",
            "Other nodes that a path leads to",
            number(overview.nodes_reachable),
        ),
        ("amop_clients", "Clients that are attached", number(overview.clients)),
        ("amop_topics", "Topics with a subscriber at this node", number(overview.topics_here)),
        ("amop_publishes_under_way", "Publishes without an outcome", number(overview.under_way)),
    ];
    for (name, help, value) in gauges {
        sheet.gauge(name, help, value);
    }
}

fn traffic(sheet: &mut Sheet, overview: &Overview) {
    let counts = &overview.counts;
    sheet.counters(
        "amop_publishes_total",
        "How publishes of clients of this node ended, by code; files are not among them",
        counts.outcomes.iter().map(|(code, count)| (vec![("code", code.to_string())], *count)),
    );
    let both = |value: Count| {
        [("clients", value(&counts.clients)), ("peers", value(&counts.peers))]
            .map(|(link, count)| (vec![("link", link.to_owned())], count))
    };
    let flows: [(&str, &str, Count); 4] = [
        ("amop_messages_received_total", "Messages of all kinds that came", |flow| flow.received),
        ("amop_messages_sent_total", "Messages of all kinds that were sent", |flow| flow.sent),
        ("amop_payload_received_bytes_total", "Payload that came", |flow| flow.received_bytes),
        ("amop_payload_sent_bytes_total", "Payload that was sent", |flow| flow.sent_bytes),
    ];
    for (name, help, value) in flows {
        sheet.counters(name, help, both(value));
    }
    let single = [
        (
            "amop_announcements_refused_total",
            "Announcements of other nodes that were not believed",
            counts.refused_announcements,
        ),
        (
            "amop_revocation_lists_learned_total",
            "Revocation lists that peers gave and that count",
            counts.learned_lists,
        ),
        (
            "amop_revocation_lists_refused_total",
            "Revocation lists of peers that do not count",
            counts.refused_lists,
        ),
        ("amop_messages_refused_total", "Messages that cannot be true", counts.refused_messages),
        (
            "amop_messages_unknown_total",
            "Messages that only a newer version understands",
            counts.unknown_messages,
        ),
    ];
    for (name, help, count) in single {
        sheet.counter(name, help, count);
    }
}

fn links(sheet: &mut Sheet, peers: &[PeerView]) {
    let of = |peer: &PeerView| vec![("peer", peer.name.clone())];
    let configured = peers.iter().filter(|peer| peer.configured);
    sheet.gauges(
        "amop_peer_up",
        "1 if a peer that the configuration names is linked",
        configured.map(|peer| (of(peer), if peer.up { 1.0 } else { 0.0 })),
    );
    let linked = peers.iter().filter_map(|peer| Some((of(peer), peer.link.as_ref()?)));
    sheet.gauges(
        "amop_peer_round_trip_seconds",
        "How long a packet to a peer and its acknowledgement take",
        linked.clone().map(|(labels, link)| (labels, link.round_trip_ms / 1e3)),
    );
    sheet.counters(
        "amop_peer_lost_packets_total",
        "Packets lost on the way to a peer, on its present link",
        linked.map(|(labels, link)| (labels, link.lost_packets)),
    );
}

fn ends(sheet: &mut Sheet, overview: &Overview, peers: &[PeerView]) {
    let own = [(vec![("name", overview.name.clone())], seconds(overview.certified_until))];
    let peers = peers.iter().filter_map(|peer| {
        let until = peer.link.as_ref()?.certified_until?;
        Some((vec![("name", peer.name.clone())], seconds(until)))
    });
    sheet.gauges(
        "amop_certificate_end_timestamp_seconds",
        "When the first certificate of the chain of this node, or of a linked peer, ends",
        own.into_iter().chain(peers),
    );
    let lists = overview.revocation_lists.iter();
    sheet.gauges(
        "amop_revocation_list_end_timestamp_seconds",
        "When a revocation list ends",
        lists.map(|list| (vec![("issuer", list.issuer.clone())], seconds(list.until))),
    );
}

/// Takes one number of a flow.
type Count = fn(&Flow) -> u64;

type Labels = Vec<(&'static str, String)>;

/// Metrics as they are written down.
struct Sheet(Registry);

impl Sheet {
    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        let gauge: Gauge<f64, AtomicU64> = Gauge::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let total = Total::default();
        total.0.inc_by(value);
        self.0.register(name, help, total);
    }

    fn gauges(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, f64)>) {
        let family: Family<Labels, Gauge<f64, AtomicU64>> = Family::default();
        for (labels, value) in values {
            family.get_or_create(&labels).set(value);
        }
        self.0.register(name, help, family);
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels, u64)>,
    ) {
        let family: Family<Labels, Total> = Family::default();
        for (labels, value) in values {
            family.get_or_create(&labels).0.inc_by(value);
        }
        self.0.register(name, help, family);
    }
}

/// A counter whose help, type and values all go by its whole name, which ends in `_total`.
///
/// The library writes OpenMetrics, where help and type go by the name without it.
#[derive(Debug, Default)]
struct Total(Counter);

impl EncodeMetric for Total {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_gauge(&self.0.get()) // The way to write a value with no more than its name.
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Total {
    const TYPE: MetricType = MetricType::Counter;
}

/// Counts here are far below 2^53.
fn number(count: usize) -> f64 {
    count as f64
}

fn seconds(unix: u64) -> f64 {
    unix as f64
}

#[cfg(test)]
mod tests {
    use amop_node::view::{Counted, LinkView, ListView};

    use super::*;

    #[test]
    fn what_a_node_has_peers_and_lists_are_shown_and_names_cannot_break_the_format() {
        let list = ListView {
            issuer: "CN=\"bank-b\" CA".into(),
            number: 3,
            until: 1_800_000_000,
            learned: false,
        };
        let overview = Overview {
            name: "n1.node.bank-a.amop".into(),
            revocation_lists: vec![list],
            counts: Counted { refused_messages: 2, unknown_messages: 3, ..Counted::default() },
            ..Overview::default()
        };
        let link = LinkView {
            round_trip_ms: 1.5,
            lost_packets: 7,
            certified_until: Some(1_700_000_000),
            ..LinkView::default()
        };
        let name = "n1.node.bank-b.amop".to_owned();
        let peer = PeerView { name, up: true, link: Some(link), ..PeerView::default() };
        let text = text(&overview, &[peer], &Reloads::default());
        for line in [
            "amop_peer_round_trip_seconds{peer=\"n1.node.bank-b.amop\"} 0.0015",
            "amop_peer_lost_packets_total{peer=\"n1.node.bank-b.amop\"} 7",
            "amop_messages_refused_total 2",
            "amop_messages_unknown_total 3",
            "amop_certificate_end_timestamp_seconds{name=\"n1.node.bank-b.amop\"} 1700000000.0",
            "amop_revocation_list_end_timestamp_seconds{issuer=\"CN=\\\"bank-b\\\" CA\"} 1800000000.0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
        assert!(!text.contains("amop_peer_up{"), "nobody is to be dialed");
    }
}
