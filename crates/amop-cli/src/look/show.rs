//! How a node is shown to people. Names of topics come from others, so nothing in them commands the terminal.

use std::time::{Duration, SystemTime};

use amop_node::view::{ClientView, LinkView, Overview, PeerView, SubscriberView, TopicView};

use crate::cert::{date, left};
use crate::text::printable;

/// One screen about the node.
pub(crate) fn status(overview: &Overview, now: SystemTime) -> String {
    let counts = &overview.counts;
    let outcomes: Vec<String> = counts
        .outcomes
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(code, count)| format!("{code}: {count}"))
        .collect();
    let outcomes = match outcomes.is_empty() {
        true => "none".to_owned(),
        false => outcomes.join("  "),
    };
    let ends = at(overview.certified_until);
    [
        format!(
            "{}  {}  up {}  amop {}",
            overview.name,
            overview.state,
            age(overview.uptime_seconds),
            overview.version
        ),
        format!(
            "peers      {} linked; of {} to dial {} linked; {} nodes in reach",
            overview.peers,
            overview.peers_configured,
            overview.peers_configured_up,
            overview.nodes_reachable
        ),
        format!(
            "clients    {} attached, {} topics; {} publishes under way",
            overview.clients, overview.topics_here, overview.under_way
        ),
        format!("publishes  by code: {outcomes}"),
        format!(
            "messages   clients {} in, {} out; peers {} in, {} out",
            counts.clients.received, counts.clients.sent, counts.peers.received, counts.peers.sent
        ),
        format!(
            "refused    {} announcements, {} messages",
            counts.refused_announcements, counts.refused_messages
        ),
        format!(
            "tls        certificate ends {} ({}); {} revocation lists",
            date(ends),
            left(ends, now),
            overview.revocation_lists.len()
        ),
        format!("listens    peers {}  clients {}", overview.p2p_addr, overview.sdk_addr),
    ]
    .join("\n")
}

/// A line for each peer.
pub(crate) fn peers(peers: &[PeerView], now: SystemTime) -> String {
    let rows = peers.iter().map(|peer| {
        let link = peer.link.as_ref();
        let state = match (peer.up, &peer.why) {
            (true, _) => "up".to_owned(),
            (false, Some(why)) => format!("down: {}", printable(why.as_bytes())),
            (false, None) => "down".to_owned(),
        };
        vec![
            peer.name.clone(),
            peer.up_seconds.map(age).unwrap_or_default(),
            link.map(round_trip).unwrap_or_default(),
            link.map(|link| link.lost_packets.to_string()).unwrap_or_default(),
            link.and_then(|link| link.certified_until)
                .map(|until| left(at(until), now))
                .unwrap_or_default(),
            state,
        ]
    });
    table(["PEER", "FOR", "RTT", "LOST", "CERTIFICATE", "STATE"], rows)
}

/// A line for each client.
pub(crate) fn clients(clients: &[ClientView]) -> String {
    let rows = clients.iter().map(|client| {
        let link = client.link.as_ref();
        vec![
            client.name.clone(),
            client.instance.clone(),
            client.topics.to_string(),
            client.under_way.to_string(),
            client.unacked.to_string(),
            link.map(round_trip).unwrap_or_default(),
            link.map(|link| link.remote.clone()).unwrap_or_default(),
        ]
    });
    table(["CLIENT", "INSTANCE", "TOPICS", "UNDER WAY", "UNACKED", "RTT", "FROM"], rows)
}

/// A line for each topic.
pub(crate) fn topics(topics: &[TopicView]) -> String {
    let rows = topics.iter().map(|topic| {
        let name = printable(topic.topic.as_bytes());
        vec![name, topic.here.to_string(), topic.elsewhere.to_string()]
    });
    table(["TOPIC", "HERE", "ELSEWHERE"], rows)
}

/// A line for each subscriber.
pub(crate) fn subscribers(subscribers: &[SubscriberView]) -> String {
    let rows = subscribers.iter().map(|subscriber| {
        let client = subscriber.client.clone().unwrap_or_else(|| "-".into());
        vec![subscriber.node.clone(), client, subscriber.instance.clone()]
    });
    table(["NODE", "CLIENT", "INSTANCE"], rows)
}

/// Columns as wide as what stands in them.
pub(crate) fn table<const N: usize>(
    head: [&str; N],
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let mut rows: Vec<Vec<String>> = rows.collect();
    rows.insert(0, head.iter().map(|&cell| cell.to_owned()).collect());
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

pub(crate) fn round_trip(link: &LinkView) -> String {
    format!("{:.1} ms", link.round_trip_ms)
}

fn at(unix: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(unix)
}

/// A long span for people, in its two greatest units.
pub(crate) fn age(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_span_has_its_two_greatest_units() {
        let ages = [0.4, 59.9, 61.0, 3_600.0, 273_600.0].map(age);
        assert_eq!(ages, ["0 s", "59 s", "1m 1s", "1h 0m", "3d 4h"]);
    }

    #[test]
    fn a_topic_of_others_cannot_command_the_terminal() {
        let topic = TopicView { topic: "a\u{1b}[2J".into(), here: 1, elsewhere: 20 };
        let shown = topics(&[topic]);
        assert_eq!(shown, "TOPIC       HERE  ELSEWHERE\na\\u{1b}[2J  1     20");
    }
}
