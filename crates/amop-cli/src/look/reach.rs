//! Draws who would get a message on a topic now, and over which nodes.

use amop_node::view::{HopView, ReachView};

use crate::text::printable;

/// The picture for people: each node on the ways after those that lead to it.
pub(crate) fn draw(reach: &ReachView) -> String {
    let topic = printable(reach.topic.as_bytes());
    let exits = reach.hops.iter().filter(|hop| hop.announced > 0);
    let (nodes, count) = exits.fold((u32::from(reach.count > 0), reach.count), |sum, hop| {
        (sum.0 + 1, sum.1.saturating_add(found(hop)))
    });
    let mut lines = vec![
        format!(
            "`{topic}`: {} at {}; nothing was sent to them",
            many(count, "subscriber"),
            many(nodes, "node")
        ),
        String::new(),
    ];
    for one in &reach.subscribers {
        let name = one.client.as_deref().unwrap_or_default();
        lines.push(
            format!("     here     {} ─▶ {}  {name}", reach.node, one.instance).trim_end().into(),
        );
    }
    lines.extend(more(reach.count, reach.subscribers.len(), &reach.node));
    for hop in &reach.hops {
        lines.extend(hop_lines(hop, before(reach, hop)));
    }
    lines.push(String::new());
    lines.push(end(reach));
    lines.join("\n")
}

/// How many subscribers there are at a node, as far as is known.
fn found(hop: &HopView) -> u32 {
    if hop.word == "there" { hop.count } else { hop.announced }
}

/// The round trip to the node before this one on its way, if it was measured.
fn before(reach: &ReachView, hop: &HopView) -> f64 {
    let way = &hop.way[..hop.way.len().saturating_sub(1)];
    let last = reach.hops.iter().find(|other| other.way == way && other.word == "there");
    last.map_or(0.0, |other| other.round_trip_ms)
}

fn hop_lines(hop: &HopView, before: f64) -> Vec<String> {
    let node = hop.way.last().map(String::as_str).unwrap_or_default();
    let from = hop.way.iter().nth_back(1).map(String::as_str).unwrap_or_default();
    let announced = match hop.announced {
        0 => String::new(),
        count => format!("; it has announced {}", many(count, "subscriber")),
    };
    let mut lines = vec![match hop.word.as_str() {
        "there" => {
            let more = (hop.round_trip_ms - before).max(0.0);
            format!("{:>9.2} ms  {from} ─▶ {node}  +{more:.2} ms", hop.round_trip_ms)
        }
        "busy" => format!("        ?     {from} ─▶ {node}  is asked too often{announced}"),
        "unasked" => {
            format!("        ?     {from} ─▶ {node}  was not asked: too much at once{announced}")
        }
        _ => format!("        ✗     {from} ─▶ {node}  did not answer in 2 s{announced}"),
    }];
    let subscribers = hop.subscribers.iter();
    lines.extend(subscribers.map(|instance| format!("              {node} ─▶ {instance}")));
    lines.extend(more(hop.count, hop.subscribers.len(), node));
    if hop.word == "there" && hop.announced > hop.count {
        let gone = many(hop.announced - hop.count, "subscriber");
        lines.push(format!("              {node}  {gone} less than it has announced"));
    }
    lines
}

fn more(count: u32, shown: usize, node: &str) -> Option<String> {
    let left = u32::try_from(shown).ok().and_then(|shown| count.checked_sub(shown))?;
    (left > 0).then(|| format!("              {node} ─▶ {left} more"))
}

fn end(reach: &ReachView) -> String {
    let silent = |hop: &&HopView| hop.word == "silent";
    match reach.hops.iter().find(silent).and_then(|hop| hop.way.last()) {
        Some(node) => format!(
            "{node} is gone or cut off, or of a version that does not know the question: \
             look at it with `amop peers` at the node before it"
        ),
        None => "times are round trips from here".into(),
    }
}

fn many(count: u32, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(
        way: &[&str],
        word: &str,
        (announced, count): (u32, u32),
        round_trip_ms: f64,
    ) -> HopView {
        HopView {
            way: way.iter().map(|&node| node.into()).collect(),
            announced,
            word: word.into(),
            round_trip_ms,
            count,
            subscribers: (1..=count.min(2)).map(|n| format!("{n:016x}")).collect(),
        }
    }

    fn drawn(hops: Vec<HopView>) -> String {
        let (topic, node) = ("quote".into(), "a".into());
        draw(&ReachView { topic, node, count: 0, subscribers: Vec::new(), hops })
    }

    /// REACH-3
    #[test]
    fn a_hop_is_shown_with_the_time_that_it_adds_and_who_is_there() {
        let relay = hop(&["a", "b"], "there", (0, 0), 1.0);
        let text = drawn(vec![relay, hop(&["a", "b", "c"], "there", (4, 3), 1.5)]);
        let expected = "`quote`: 3 subscribers at 1 node; nothing was sent to them\n\n     \
                        1.00 ms  a ─▶ b  +1.00 ms\n     \
                        1.50 ms  b ─▶ c  +0.50 ms\n              \
                        c ─▶ 0000000000000001\n              \
                        c ─▶ 0000000000000002\n              \
                        c ─▶ 1 more\n              \
                        c  1 subscriber less than it has announced\n\n\
                        times are round trips from here";
        assert_eq!(text, expected);
    }

    /// REACH-4
    #[test]
    fn who_did_not_answer_is_named() {
        let text = drawn(vec![hop(&["a", "b"], "silent", (2, 0), 0.0)]);
        assert!(
            text.contains("a ─▶ b  did not answer in 2 s; it has announced 2 subscribers"),
            "{text}"
        );
        assert!(text.contains("\nb is gone or cut off, or of a version"), "{text}");
    }
}
