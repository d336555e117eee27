//! What the loss of a node or of a subscriber costs: for how long messages end in another way than well, and how long
//! the node takes to be linked again.

use std::collections::BTreeMap;
use std::time::Duration;

use amop_sdk::MsgId;

use crate::books::Verdict;
use crate::diary::{Diaries, Line};

/// A node that was killed and started again, or a subscriber that was killed and another one started. Moments are in
/// microseconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    pub(crate) who: String,
    pub(crate) killed_at: u64,
    /// When it was started again, or its successor was.
    pub(crate) until: u64,
    /// How long after its start a node was linked with both of its neighbours.
    pub(crate) linked_after: Option<Duration>,
}

impl Outage {
    /// How long after the kill the last message was published that did not end well, of those that were published while
    /// it was away.
    fn felt_for(&self, bad: &[u64]) -> Duration {
        let last = bad.iter().filter(|at| (self.killed_at..self.until).contains(at)).max();
        Duration::from_micros(last.map_or(0, |at| at - self.killed_at))
    }

    fn lasted(&self) -> Duration {
        Duration::from_micros(self.until - self.killed_at)
    }
}

/// Tells what was seen of them, and demands that it is in time.
pub(crate) fn judge(outages: &[Outage], diaries: &Diaries, verdict: &mut Verdict) {
    let bad = bad(diaries);
    for outage in outages {
        let Outage { who, linked_after, .. } = outage;
        let (lasted, felt_for) = (outage.lasted(), outage.felt_for(&bad));
        print!(
            "  {who} was away for {:.1} s: felt for {:.1} s",
            lasted.as_secs_f64(),
            felt_for.as_secs_f64()
        );
        verdict.demand(felt_for <= FELT_MAX, || {
            format!("messages of {felt_for:?} after the kill of {who} do not end well")
        });
        if let Some(linked_after) = linked_after {
            print!(", linked again after {:.1} s", linked_after.as_secs_f64());
            verdict.demand(*linked_after <= LINKED_MAX, || {
                format!("{who} is linked again after {linked_after:?}")
            });
        }
        println!();
    }
    let long = outages.iter().filter(|outage| outage.lasted() > FELT_MAX).count();
    println!("  {long} of {} were away for longer than {FELT_MAX:?}", outages.len());
}

/// When the messages were published that did not end well. Those without an end of publishers that were killed say nothing.
fn bad(diaries: &Diaries) -> Vec<u64> {
    let ends = diaries.lines.iter().filter_map(|line| match line {
        Line::Answered { id, .. } | Line::Counted { id, .. } => Some((*id, true)),
        Line::Failed { id, .. } => Some((*id, false)),
        _ => None,
    });
    let is_good: BTreeMap<MsgId, bool> = ends.collect();
    let bad = diaries.lines.iter().filter_map(|line| match line {
        Line::Published { id, at, .. } => Some((id, *at)),
        _ => None,
    });
    let is_bad = |id: &MsgId| match is_good.get(id) {
        Some(is_good) => !is_good,
        None => !diaries.killed.contains(&id.publisher),
    };
    bad.filter(|(id, _)| is_bad(id)).map(|(_, at)| at).collect()
}

/// How long after the loss of a node or of a subscriber nothing may be felt of it any more: its neighbours hear nothing of
/// it for 6 s, and a second is left to go another way.
const FELT_MAX: Duration = Duration::from_secs(7);

/// How long a node may take from its start until it is linked again, though its neighbours may not have noticed yet that
/// it was away.
const LINKED_MAX: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use amop_sdk::{Instance, Mode};

    use super::*;

    fn published(publisher: u64, at: u64) -> Line {
        let id = MsgId { publisher: Instance(publisher), counter: at };
        Line::Published { id, mode: Mode::Unicast, at, timeout_ms: 9 }
    }

    fn is_good(lines: Vec<Line>, linked_after: Duration) -> bool {
        let (who, linked_after) = ("n1".into(), Some(linked_after));
        let outage = Outage { who, killed_at: 1_000_000, until: 20_000_000, linked_after };
        let killed = BTreeSet::from([Instance(9)]);
        let diaries = Diaries { lines, killed, ..Diaries::default() };
        let mut verdict = Verdict::default();
        judge(&[outage], &diaries, &mut verdict);
        verdict.is_good()
    }

    #[test]
    fn what_is_published_7_s_after_a_kill_must_end_well_while_the_node_is_away() {
        let soon = Duration::from_secs(3);
        let answered = |at| {
            let id = MsgId { publisher: Instance(1), counter: at };
            Line::Answered { id, at, text: "x".into() }
        };
        assert!(is_good(vec![published(1, 8_000_000), published(1, 20_000_000)], soon));
        assert!(!is_good(vec![published(1, 8_000_001)], soon));
        assert!(is_good(vec![published(1, 8_000_001), answered(8_000_001)], soon));
        assert!(is_good(vec![published(9, 8_000_001)], soon), "its publisher was killed");
        let id = MsgId { publisher: Instance(9), counter: 8_000_001 };
        let failed = Line::Failed { id, at: 9_000_000, code: 102 };
        assert!(!is_good(vec![published(9, 8_000_001), failed], soon), "before it was killed");
    }

    #[test]
    fn a_subscriber_that_was_killed_is_felt_for_7_s_at_most_and_needs_no_link() {
        let good = |at| {
            let who = "subscriber 3".to_owned();
            let outage = Outage { who, killed_at: 1_000_000, until: 9_000_000, linked_after: None };
            let diaries = Diaries { lines: vec![published(1, at)], ..Diaries::default() };
            let mut verdict = Verdict::default();
            judge(&[outage], &diaries, &mut verdict);
            verdict.is_good()
        };
        assert!(good(8_000_000) && !good(8_000_001) && good(9_000_000));
    }

    #[test]
    fn a_node_must_be_linked_3_s_after_its_start() {
        assert!(is_good(vec![], Duration::from_secs(3)));
        assert!(!is_good(vec![], Duration::from_millis(3001)));
    }
}
