//! Draws the way of one message: the steps of all nodes in one list, each after what caused it.
//!
//! Clocks of different nodes agree to half a round trip, so times alone would now and then put an effect before
//! its cause. The order is that of causes; among steps that do not depend on each other the earlier comes first,
//! and no step is shown with a time before that of its cause.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use amop_node::view::{NodeTraceView, StepView, TraceView};

use crate::clock::Timestamp;
use crate::text::printable;

/// A step at a node.
#[derive(Clone, Copy)]
struct At<'a> {
    node: &'a NodeTraceView,
    step: &'a StepView,
    /// The number of the attempt that it belongs to, also if it was passed on unread.
    attempt: Option<u32>,
}

/// The picture for people.
pub(crate) fn draw(trace: &TraceView, now: SystemTime) -> String {
    let steps = in_order(trace);
    let mut lines = vec![head(trace, &steps, now), String::new()];
    let mut slowest: Option<(f64, &str)> = None;
    let mut last: Option<(f64, &str)> = None;
    for &(at_ms, At { node, step, .. }) in &steps {
        lines.push(format!("{at_ms:>9.2} ms  {}", line(&node.node, step)));
        if let Some((before, at)) = last
            && slowest.is_none_or(|(longest, _)| at_ms - before > longest)
        {
            slowest = Some((at_ms - before, at));
        }
        last = Some((at_ms, &step.step));
    }
    lines.push(String::new());
    if let (Some((longest, after)), Some((end, _))) = (slowest, last) {
        lines.push(format!("{longest:.2} of {end:.2} ms went by after `{after}`."));
    }
    lines.push(recorded_by(trace));
    lines.join("\n")
}

fn head(trace: &TraceView, steps: &[(f64, At<'_>)], now: SystemTime) -> String {
    let accepted = steps.iter().map(|(_, at)| at.step).find(|step| {
        step.step == "accepted" || step.step == "not-accepted" || step.step == "fanned-out"
    });
    let kind = match accepted.map(|step| step.multicast == Some(true) || step.step == "fanned-out")
    {
        Some(true) => "multicast",
        Some(false) => "unicast",
        None => "message",
    };
    let topic = accepted.and_then(|step| step.topic.as_ref());
    let topic = topic.map(|topic| format!(" `{}`", printable(topic.as_bytes())));
    let length = accepted.and_then(|step| step.length).map(|length| format!(" {length} B"));
    let age = Duration::try_from_secs_f64(trace.age_ms / 1e3).unwrap_or_default();
    let ended = steps.iter().rev().map(|(_, at)| at.step).find_map(end);
    format!(
        "{kind}{}{} · {} · {} · {}",
        topic.unwrap_or_default(),
        length.unwrap_or_default(),
        trace.id,
        Timestamp::of(now.checked_sub(age).unwrap_or(now)),
        ended.unwrap_or_else(|| "no end is known".into()),
    )
}

fn end(step: &StepView) -> Option<String> {
    let why = || step.reason.clone().unwrap_or_default();
    match (step.step.as_str(), step.code, step.receipt) {
        ("answered", ..) => Some("ended: 0".into()),
        ("ended" | "not-accepted", Some(code), _) => Some(format!("ended: {code} {}", why())),
        ("received", _, Some([acked, refused, unknown])) => {
            Some(format!("ended: 0, {acked} took it, {refused} refused, {unknown} unknown"))
        }
        _ => None,
    }
}

fn recorded_by(trace: &TraceView) -> String {
    let told: Vec<&NodeTraceView> =
        trace.nodes.iter().filter(|node| !node.steps.is_empty()).collect();
    let uncertain = told.iter().map(|node| node.uncertainty_ms).fold(0.0, f64::max);
    let mut words: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in trace.nodes.iter().filter(|node| node.steps.is_empty()) {
        let word = if node.word == "told" { "nothing left" } else { &node.word };
        let nodes = words.entry(word).or_default();
        if !nodes.contains(&node.node.as_str()) {
            nodes.push(&node.node);
        }
    }
    let mut names: Vec<&str> = told.iter().map(|node| node.node.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut text =
        format!("clock uncertainty ±{uncertain:.2} ms · recorded by {} nodes", names.len());
    for (word, nodes) in words {
        text += &format!(" · {word}: {}", nodes.join(", "));
    }
    text
}

/// One step in words.
fn line(node: &str, step: &StepView) -> String {
    let other = step.node.as_deref().unwrap_or("?");
    let subscriber = step.subscriber.as_deref().unwrap_or("?");
    let number = |number: Option<u32>| number.unwrap_or_default();
    let (count, nth, length) = (number(step.count), number(step.nth), number(step.length));
    let held = step.held.map(|bytes| bytes >> 10).filter(|&kib| kib >= WORTH_TELLING_KIB);
    let held = held.map(|kib| format!(", {kib} KiB held")).unwrap_or_default();
    let reason = step.reason.as_deref().unwrap_or_default();
    let code = step.code.unwrap_or_default();
    let [took, refused, unknown] = step.receipt.unwrap_or_default();
    match step.step.as_str() {
        "accepted" => format!("{node}  accepted, {length} B"),
        "not-accepted" => format!("{node} ✗  not accepted: {code} {reason}"),
        "parked" => format!("{node}  nobody is there; waits for somebody to come"),
        "sent" => {
            format!("{node} ─▶ {other}  attempt {nth} to {subscriber}, chosen among {count}{held}")
        }
        "sent-again" => format!("{node} ─▶ {other}  attempt {nth} sent again{held}"),
        "routed" => format!("{node} ─▶ {other}  over {} links", number(step.hops)),
        "relayed" => {
            format!("{} ─▶ {node} ─▶ {other}  passed on", step.from.as_deref().unwrap_or("?"))
        }
        "given-back" => format!("{node} ✗  no link or no room to {other}: given back"),
        "pushed" => format!("{node} ─▶ {subscriber}  pushed{held}"),
        "not-pushed" => format!("{node} ✗  not pushed to {subscriber}: {reason}"),
        "replied" => format!("{node} ◀─ {subscriber}  answered"),
        "declined" => format!("{node} ✗ {subscriber}  refused: {reason}"),
        "answered" => format!("{node} ◀─ {other}  the answer came"),
        "refused" => format!("{node} ✗ {other}  {reason}"),
        "ended" => format!("{node} ✗  gave up: {code} {reason}, {count} tried"),
        "spread" => format!("{node} ─▶ {other}  for {count} there"),
        "fanned-out" => format!("{node}  pushed to {count}, {refused} had no room"),
        "reported" | "received" => {
            let what = if step.step == "received" { "ended" } else { "reported" };
            format!("{node}  {what}: {took} took it, {refused} refused, {unknown} unknown")
        }
        other => format!("{node}  {other}"),
    }
}

/// All steps with their times, none before what caused it.
fn in_order(trace: &TraceView) -> Vec<(f64, At<'_>)> {
    let all = || trace.nodes.iter().flat_map(|node| &node.steps);
    let marked = |step: &'_ StepView| Some((step.mark.clone()?, step.attempt?));
    let attempts: BTreeMap<String, u32> = all().filter_map(marked).collect();
    let mut waiting: Vec<(Vec<usize>, At<'_>)> = Vec::new();
    for node in &trace.nodes {
        let passed_on = node.mark.as_ref().and_then(|mark| attempts.get(mark)).copied();
        for (position, step) in node.steps.iter().enumerate() {
            let before = if position > 0 { vec![waiting.len() - 1] } else { Vec::new() };
            waiting.push((before, At { node, step, attempt: step.attempt.or(passed_on) }));
        }
    }
    for effect in 0..waiting.len() {
        let at = waiting[effect].1;
        let causes: Vec<usize> =
            (0..waiting.len()).filter(|&cause| is_cause(waiting[cause].1, at)).collect();
        waiting[effect].0.extend(causes);
    }
    let mut shown: BTreeMap<usize, f64> = BTreeMap::new();
    let mut ordered = Vec::new();
    while ordered.len() < waiting.len() {
        let left = || (0..waiting.len()).filter(|number| !shown.contains_key(number));
        let is_ready = |number: &usize| waiting[*number].0.iter().all(|c| shown.contains_key(c));
        let time = |number: &usize| waiting[*number].1.step.at_ms;
        let earlier = |a: &usize, b: &usize| time(a).total_cmp(&time(b));
        // What nodes say need not fit together: then the time alone decides.
        let next = left().filter(is_ready).min_by(earlier).or_else(|| left().min_by(earlier));
        let Some(next) = next else { break };
        let caused_at = waiting[next].0.iter().filter_map(|cause| shown.get(cause)).copied();
        let at_ms = caused_at.fold(time(&next), f64::max);
        shown.insert(next, at_ms);
        ordered.push((at_ms, waiting[next].1));
    }
    ordered
}

/// Whether a step at one node can only come after one at another.
fn is_cause(cause: At<'_>, effect: At<'_>) -> bool {
    if std::ptr::eq(cause.node, effect.node) {
        return false; // Their order is known.
    }
    let leads_there = cause.step.node.as_ref() == Some(&effect.node.node);
    let is_back = effect.step.node.as_ref() == Some(&cause.node.node);
    let is_same_attempt = cause.attempt.is_some() && cause.attempt == effect.attempt;
    match (cause.step.step.as_str(), effect.step.step.as_str()) {
        ("sent", "pushed" | "not-pushed" | "replied" | "declined") => {
            leads_there && is_same_attempt
        }
        ("replied", "answered") | ("declined" | "not-pushed", "refused") => {
            is_back && is_same_attempt
        }
        ("routed", "relayed" | "given-back") => cause.step.mark == effect.node.mark,
        ("relayed", "relayed" | "given-back") => cause.node.mark == effect.node.mark && leads_there,
        ("relayed", "pushed" | "not-pushed" | "answered" | "refused") => {
            leads_there && is_same_attempt
        }
        ("spread", "fanned-out") => leads_there,
        ("reported", "received") => true,
        _ => false,
    }
}

/// As long as a node holds less than that for others, nothing waits for long.
const WORTH_TELLING_KIB: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, mark: Option<&str>, steps: &[(f64, &str, &str)]) -> NodeTraceView {
        let step = |&(at_ms, step, node): &(f64, &str, &str)| StepView {
            at_ms,
            step: step.into(),
            node: Some(node.into()),
            attempt: Some(7),
            mark: (step == "routed").then(|| "m".into()),
            ..StepView::default()
        };
        NodeTraceView {
            node: name.into(),
            word: "told".into(),
            mark: mark.map(str::to_owned),
            uncertainty_ms: 0.5,
            steps: steps.iter().map(step).collect(),
        }
    }

    fn trace(nodes: Vec<NodeTraceView>) -> TraceView {
        TraceView { id: "0".repeat(32), node: "a".into(), age_ms: 0.0, nodes }
    }

    /// TRACE-5
    #[test]
    fn no_step_is_shown_before_its_cause_whatever_the_clocks_say() {
        let home = [
            (0.0, "accepted", ""),
            (0.1, "sent", "c"),
            (0.1, "routed", "b"),
            (2.0, "answered", "c"),
        ];
        let trace = trace(vec![
            node("c", None, &[(-5.0, "pushed", "a"), (9.0, "replied", "a")]),
            node("b", Some("m"), &[(0.05, "relayed", "c")]),
            node("a", None, &home),
        ]);
        let order: Vec<(f64, &str)> =
            in_order(&trace).iter().map(|(at, of)| (*at, of.step.step.as_str())).collect();
        let expected = [
            (0.0, "accepted"),
            (0.1, "sent"),
            (0.1, "routed"),
            (0.1, "relayed"),
            (0.1, "pushed"),
            (9.0, "replied"),
            (9.0, "answered"),
        ];
        assert_eq!(order, expected);
    }

    #[test]
    fn who_has_said_nothing_is_named() {
        let silent = NodeTraceView { word: "silent".into(), ..node("c", None, &[]) };
        let refused = NodeTraceView { word: "refused".into(), ..node("d", None, &[]) };
        let trace = trace(vec![node("a", None, &[(0.0, "accepted", "")]), silent, refused]);
        let text = draw(&trace, SystemTime::UNIX_EPOCH + Duration::from_secs(1));
        assert!(text.contains("recorded by 1 nodes · refused: d · silent: c"), "{text}");
    }

    #[test]
    fn causes_that_go_in_a_circle_do_not_stop_the_picture() {
        let trace = trace(vec![
            node("a", None, &[(3.0, "answered", "b"), (4.0, "sent", "b")]),
            node("b", None, &[(1.0, "pushed", "a"), (2.0, "replied", "a")]),
        ]);
        assert_eq!(in_order(&trace).len(), 4);
    }
}
