//! The rows of a table, sorted by a column.

use std::cmp::Ordering;
use std::time::{Duration, SystemTime};

use amop_node::view::LinkView;

use crate::cert::{date, left};
use crate::look::show::{age, round_trip};
use crate::text::{printable, size};

use super::screen::{Screen, View};

/// One field: what is shown, and what it counts when rows are sorted.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) text: String,
    weight: Option<f64>,
}

/// The rows of what the screen shows. Texts are sorted from a to z, numbers from the greatest on; a certificate that
/// ends first comes first.
pub(super) fn rows(screen: &Screen, now: SystemTime) -> Vec<Vec<Cell>> {
    let mut rows = match screen.view {
        View::Peers => peers(screen, now),
        View::Clients => clients(screen),
        View::Outcomes => outcomes(screen),
        View::Certificates => certificates(screen, now),
    };
    let (column, is_reversed) = screen.sorted;
    rows.sort_by(|a, b| {
        let order = order(&a[column], &b[column]);
        if is_reversed { order.reverse() } else { order }
    });
    rows
}

fn order(a: &Cell, b: &Cell) -> Ordering {
    match (a.weight, b.weight) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.text.cmp(&b.text),
    }
}

fn text(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), weight: None }
}

fn number(text: impl Into<String>, weight: f64) -> Cell {
    Cell { text: text.into(), weight: Some(weight) }
}

#[expect(clippy::cast_precision_loss, reason = "only the order counts")]
fn count(count: usize) -> Cell {
    number(count.to_string(), count as f64)
}

fn peers(screen: &Screen, now: SystemTime) -> Vec<Vec<Cell>> {
    let row = |peer: &amop_node::view::PeerView| {
        let link = peer.link.as_ref();
        let rate = screen.rates.links.get(&peer.name).copied().unwrap_or_default();
        let state = match (peer.up, &peer.why) {
            (true, _) => "up".to_owned(),
            (false, Some(why)) => format!("down: {}", printable(why.as_bytes())),
            (false, None) => "down".to_owned(),
        };
        vec![
            text(&peer.name),
            peer.up_seconds.map_or_else(|| text(""), |up| number(age(up), up)),
            trip(link),
            number(bytes(rate.received_bytes), rate.received_bytes),
            number(bytes(rate.sent_bytes), rate.sent_bytes),
            number(format!("{:.1}", rate.lost_packets), rate.lost_packets),
            link.and_then(|link| link.certified_until)
                .map_or_else(|| text(""), |until| end(until, left(at(until), now))),
            text(state),
        ]
    };
    screen.sample.peers.iter().map(row).collect()
}

fn clients(screen: &Screen) -> Vec<Vec<Cell>> {
    let row = |client: &amop_node::view::ClientView| {
        let rate = screen.rates.links.get(&client.instance).copied().unwrap_or_default();
        vec![
            text(&client.name),
            text(&client.instance),
            count(client.topics),
            count(client.under_way),
            count(client.unacked),
            trip(client.link.as_ref()),
            number(bytes(rate.received_bytes), rate.received_bytes),
            number(bytes(rate.sent_bytes), rate.sent_bytes),
        ]
    };
    screen.sample.clients.iter().map(row).collect()
}

fn outcomes(screen: &Screen) -> Vec<Vec<Cell>> {
    let row = |(code, all): (&u8, &u64)| {
        let rate = screen.rates.outcomes.get(code).copied().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "only the order counts")]
        let weight = *all as f64;
        // Codes are read from the smallest on.
        vec![
            number(code.to_string(), -f64::from(*code)),
            number(format!("{rate:.1}"), rate),
            number(all.to_string(), weight),
        ]
    };
    screen.sample.node.counts.outcomes.iter().map(row).collect()
}

fn certificates(screen: &Screen, now: SystemTime) -> Vec<Vec<Cell>> {
    let node = &screen.sample.node;
    let own = std::iter::once((format!("{} (this node)", node.name), node.certified_until));
    let peers = screen
        .sample
        .peers
        .iter()
        .filter_map(|peer| Some((peer.name.clone(), peer.link.as_ref()?.certified_until?)));
    let clients =
        screen.sample.clients.iter().filter_map(|client| {
            Some((client.name.clone(), client.link.as_ref()?.certified_until?))
        });
    let lists = node.revocation_lists.iter();
    let lists = lists.map(|list| (format!("list of {}", list.issuer), list.until));
    let row = |(whose, until): (String, u64)| {
        vec![
            text(printable(whose.as_bytes())),
            end(until, date(at(until))),
            end(until, left(at(until), now)),
        ]
    };
    own.chain(peers).chain(clients).chain(lists).map(row).collect()
}

fn trip(link: Option<&LinkView>) -> Cell {
    link.map_or_else(|| text(""), |link| number(round_trip(link), link.round_trip_ms))
}

/// What ends first is what matters most.
#[expect(clippy::cast_precision_loss, reason = "only the order counts")]
fn end(until: u64, text: String) -> Cell {
    number(text, -(until as f64))
}

/// Bytes in a second.
pub(super) fn bytes(rate: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    size(rate as usize)
}

fn at(unix: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(unix)
}
