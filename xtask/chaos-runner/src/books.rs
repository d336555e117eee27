//! What the diaries of a run add up to: judged by the rules of the simulated world, and by what the
//! scenario demands on top of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use amop_sdk::{AnswerStatus, Code, Instance, Mode, MsgId, Reason};
use amop_sim::{Call, End, Publication, Record};
use amop_wire::{Instant, Receipt};

use crate::clock::micros;
use crate::diary::{Diaries, Line, Stop};

/// What a scenario demands beyond the contract.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Demands {
    /// Everything that was published from this moment on must end with code 0.
    pub(crate) good_from: Option<u64>,
    /// How many of a thousand publishes must end with code 0 at least.
    pub(crate) good_per_mille: u64,
    /// Whether nobody may miss a multicast.
    pub(crate) no_gaps: bool,
}

/// How a run went.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// How many unicasts and multicasts ended with each code.
    ends: BTreeMap<(bool, u8), u64>,
    published: u64,
    handled: u64,
    missed: u64,
    lines: u64,
    /// What broke the contract or a demand.
    broken: Vec<String>,
}

impl Verdict {
    /// Whether nothing was broken.
    pub(crate) fn is_good(&self) -> bool {
        self.broken.is_empty()
    }

    /// Adds what went wrong beside the messages.
    pub(crate) fn complain(&mut self, text: String) {
        self.broken.push(text);
    }

    /// Adds what went wrong unless something holds.
    pub(crate) fn demand(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(otherwise());
        }
    }

    /// Judges what clients wrote. What publishers that were killed have published may have no end; one that stood still is
    /// told it when it goes on.
    pub(crate) fn of(Diaries { lines, killed, stops }: &Diaries, demands: Demands) -> Self {
        let mut verdict = Self { lines: lines.len() as u64, ..Self::default() };
        let mut record = Record::default();
        let mut modes = BTreeMap::new();
        let mut counted = BTreeMap::new();
        let mut latest = BTreeMap::new();
        for line in lines {
            if let &Line::Published { id, mode, at, timeout_ms } = line {
                let topic = "t".parse().expect("it is a topic");
                let timeout = Duration::from_millis(timeout_ms);
                let deadline = at + timeout_ms * 1000;
                let stops = stops.get(&id.publisher).map_or(&[][..], |stops| stops);
                let sees_until = deadline.max(stopped_until(stops, at, deadline));
                record.published(
                    id,
                    Publication {
                        stopped_until: moment(sees_until),
                        ..Publication::new(mode, topic, moment(at), timeout)
                    },
                );
                modes.insert(id, (mode, at));
                latest.insert(id, sees_until + END_GRACE);
                verdict.published += 1;
            }
            if let &Line::Counted { id, at, .. } = line {
                counted.insert(id, at);
            }
        }
        killed.iter().for_each(|publisher| record.publisher_died(*publisher));
        for line in lines {
            verdict.note(&mut record, (&counted, &latest), line);
        }
        for (id, call) in handed_out(lines, killed) {
            record.called(id, call);
        }
        let mut bad = 0;
        for (id, publication) in record.publications() {
            let (mode, at) = modes[id];
            let Some((_, end)) = publication.ends.first() else { continue };
            let code = match end {
                End::Receipt(_) => Code::Ok,
                End::Outcome { code, .. } => *code,
            };
            *verdict.ends.entry((mode == Mode::Multicast, code.number())).or_default() += 1;
            bad += u64::from(code != Code::Ok);
            if code != Code::Ok && demands.good_from.is_some_and(|from| at >= from) {
                verdict.broken.push(format!("{id} ends with {code} though all was well"));
            }
        }
        if bad * 1000 > verdict.published * (1000 - demands.good_per_mille) {
            verdict.broken.push(format!("{bad} of {} do not end with 0", verdict.published));
        }
        if demands.no_gaps && verdict.missed > 0 {
            verdict.broken.push(format!("{} multicasts were missed", verdict.missed));
        }
        verdict.broken.extend(record.violations(moment(micros())));
        verdict
    }

    fn note(
        &mut self,
        record: &mut Record,
        (counted, latest): (&BTreeMap<MsgId, u64>, &BTreeMap<MsgId, u64>),
        line: &Line,
    ) {
        match line {
            Line::Published { .. } => {}
            Line::Handled { id, at, by } => {
                self.handled += 1;
                // A multicast is acked when it is handed out; between that and the diary its process may
                // have stood still.
                let acked = counted.get(id).filter(|acked| **acked + STILL_MAX > *at);
                let at = acked.map_or(at, |acked| acked.min(at));
                let status = AnswerStatus::Answered;
                record.called(*id, Call { instance: *by, at: moment(*at), status });
            }
            Line::Missed { count, .. } => self.missed += count,
            Line::Counted { id, at, acked, refused, unknown } => {
                let (acked, refused, unknown) = (*acked, *refused, *unknown);
                let receipt = Receipt { acked, refused, unknown };
                record.ended(*id, moment(*at), End::Receipt(receipt));
            }
            Line::Answered { id, at, text } => {
                record.ended(*id, moment(*at), outcome(Code::Ok, text.clone()));
            }
            Line::Failed { id, at, code } => {
                let code = Code::from_number(u32::from(*code)).unwrap_or(Code::TimedOut);
                // A machine that has more to do than it can tells it late, which is not the publisher's fault.
                let on_time = latest.get(id).filter(|latest| **latest + BUSY_MAX > *at);
                let at = on_time.map_or(at, |latest| latest.min(at));
                record.ended(*id, moment(*at), outcome(code, String::new()));
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ends, published, handled, missed, lines, broken } = self;
        write!(f, "  {published} published, {handled} handled, {missed} missed; {lines} lines;")?;
        for ((is_multicast, code), count) in ends {
            let mode = if *is_multicast { "multicasts" } else { "unicasts" };
            write!(f, " {count} {mode} with {code}")?;
        }
        for line in broken.iter().take(SHOWN_MAX) {
            write!(f, "\n  BROKEN: {line}")?;
        }
        if broken.len() > SHOWN_MAX {
            write!(f, "\n  and {} more", broken.len() - SHOWN_MAX)?;
        }
        if broken.is_empty() { write!(f, "\n  good") } else { Ok(()) }
    }
}

/// Until when a publisher may not have been told the end of what it published at `at`, since it stood still; 0 if it did not.
/// What it had begun to publish when that began has its time from then on.
fn stopped_until(stops: &[Stop], at: u64, deadline: u64) -> u64 {
    let hidden = stops.iter().filter(|stop| stop.from < deadline + END_GRACE && at < stop.until);
    let until = hidden.map(|stop| match stop.from.checked_sub(at) {
        Some(before) if before > BEGUN => stop.until,
        _ => stop.until + (deadline - at),
    });
    until.max().unwrap_or(0)
}

/// What those who were killed were handed last, and had no time to write down.
///
/// A multicast is acked when it is handed out. A subscriber writes it down before it takes the next, so that of each
/// that was killed one is missing at most: one that was counted after its last line, and acked by more than wrote of it.
fn handed_out(lines: &[Line], killed: &BTreeSet<Instance>) -> Vec<(MsgId, Call)> {
    let (mut wrote, mut last) = (BTreeMap::<MsgId, BTreeSet<Instance>>::new(), BTreeMap::new());
    for line in lines {
        if let &Line::Handled { id, at, by } = line {
            wrote.entry(id).or_default().insert(by);
            if killed.contains(&by) {
                last.insert(by, at);
            }
        }
    }
    let mut calls = Vec::new();
    for line in lines {
        let &Line::Counted { id, at, acked, .. } = line else { continue };
        let wrote = wrote.get(&id).cloned().unwrap_or_default();
        let missing = (acked as usize).saturating_sub(wrote.len());
        let may_be = |(by, last): &(&Instance, &u64)| **last <= at && !wrote.contains(by);
        let by: Vec<_> = last.iter().filter(may_be).map(|(by, _)| *by).take(missing).collect();
        for instance in by {
            last.remove(&instance);
            let status = AnswerStatus::Answered;
            calls.push((id, Call { instance, at: moment(at), status }));
        }
    }
    calls
}

fn outcome(code: Code, text: String) -> End {
    let (reason, status) = (Reason::Unspecified, AnswerStatus::Answered);
    End::Outcome { code, reason, attempts: 1, status, payload: text.into() }
}

fn moment(micros: u64) -> Instant {
    Instant::after_start(Duration::from_micros(micros))
}

/// How long it takes from the call until the time of a message runs, in microseconds.
const BEGUN: u64 = 10_000;

/// How long after its time a publish may end, in microseconds.
const END_GRACE: u64 = 500_000;

/// By how much more a busy machine may be late, in microseconds.
const BUSY_MAX: u64 = 2_000_000;

/// How long a process may stand still, in microseconds.
const STILL_MAX: u64 = 25_000_000;

/// How much of what is broken is shown.
const SHOWN_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    const ID: MsgId = MsgId { publisher: Instance(7), counter: 1 };
    const BY: Instance = Instance(8);

    fn published(mode: Mode) -> Line {
        Line::Published { id: ID, mode, at: 1000, timeout_ms: 10 }
    }

    fn handled(by: Instance) -> Line {
        Line::Handled { id: ID, at: 2000, by }
    }

    fn answered() -> Line {
        let text = String::from_utf8(amop_sim::answer_to(ID, BY).to_vec()).unwrap();
        Line::Answered { id: ID, at: 3000, text }
    }

    fn is_good(lines: &[Line], demands: Demands) -> bool {
        Verdict::of(&Diaries { lines: lines.to_vec(), ..Diaries::default() }, demands).is_good()
    }

    fn is_good_without(lines: &[Line], killed: Instance) -> bool {
        let (lines, killed) = (lines.to_vec(), BTreeSet::from([killed]));
        let diaries = Diaries { lines, killed, ..Diaries::default() };
        Verdict::of(&diaries, Demands::default()).is_good()
    }

    #[test]
    fn the_contract_is_judged_as_in_the_world() {
        let none = Demands::default();
        assert!(is_good(&[published(Mode::Unicast), handled(BY), answered()], none));
        assert!(!is_good(&[published(Mode::Unicast), answered()], none), "handled by nobody");
        assert!(!is_good(&[published(Mode::Unicast), handled(BY)], none), "no end");
        let twice = [published(Mode::Unicast), handled(BY), handled(Instance(9)), answered()];
        assert!(!is_good(&twice, none));
        let lost = Line::Failed { id: ID, at: 3000, code: 100 };
        assert!(is_good(&[published(Mode::Unicast), lost.clone()], none));
        assert!(!is_good(&[published(Mode::Unicast), handled(BY), lost], none), "never is never");
    }

    #[test]
    fn what_a_publisher_that_was_killed_has_published_may_have_no_end_but_not_be_handled_twice() {
        let good = is_good_without;
        let once = [published(Mode::Unicast), handled(BY)];
        assert!(good(&once, ID.publisher) && !good(&once, BY));
        let twice = [published(Mode::Unicast), handled(BY), handled(Instance(9))];
        assert!(!good(&twice, ID.publisher));
    }

    #[test]
    fn whoever_was_killed_may_have_been_handed_one_multicast_that_it_did_not_write_down() {
        let multicast = |counter, wrote: &[Instance]| {
            let id = MsgId { counter, ..ID };
            let at = 1000 * counter;
            let receipt = Line::Counted { id, at: at + 9, acked: 2, refused: 0, unknown: 0 };
            let mut lines = vec![Line::Published { id, mode: Mode::Multicast, at, timeout_ms: 10 }];
            lines.extend(wrote.iter().map(|by| Line::Handled { id, at: at + 5, by: *by }));
            lines.push(receipt);
            lines
        };
        let (all, one) = ([BY, Instance(9)], [Instance(9)]);
        let good = |parts: &[Vec<Line>], killed| is_good_without(&parts.concat(), killed);
        let last = [multicast(1, &all), multicast(2, &one)];
        assert!(good(&last, BY));
        assert!(!good(&last, ID.publisher), "nobody was killed who could have been handed it");
        assert!(!good(&last, Instance(9)), "it wrote that it was handed it");
        assert!(!good(&[multicast(1, &all), multicast(2, &one), multicast(3, &one)], BY), "two");
        assert!(!good(&[multicast(1, &one), multicast(2, &all)], BY), "it has written since");
    }

    #[test]
    fn an_end_may_be_as_late_as_a_busy_machine_makes_it_and_no_later() {
        let ended = |at| [published(Mode::Unicast), Line::Failed { id: ID, at, code: 102 }];
        let latest = 1000 + 10_000 + END_GRACE + BUSY_MAX;
        assert!(is_good(&ended(latest - 1), Demands::default()));
        assert!(!is_good(&ended(latest), Demands::default()));
    }

    #[test]
    fn a_publisher_that_stood_still_is_told_an_end_when_it_goes_on_and_no_later() {
        let ended = |at, stop| {
            let lines = vec![published(Mode::Unicast), Line::Failed { id: ID, at, code: 102 }];
            let stops = BTreeMap::from([(ID.publisher, vec![stop])]);
            let diaries = Diaries { lines, stops, ..Diaries::default() };
            Verdict::of(&diaries, Demands::default()).is_good()
        };
        // It is published at 1 ms and has 10 ms.
        let during = Stop { from: 11_001, until: 9_000_000 };
        let latest = during.until + END_GRACE + BUSY_MAX;
        assert!(ended(latest - 1, during) && !ended(latest, during));
        let before = Stop { from: 0, until: 1000 };
        let after = Stop { from: 11_000 + END_GRACE, until: 9_000_000 };
        assert!(!ended(latest - 1, before) && !ended(latest - 1, after));
        let begun = Stop { from: 11_000, until: 9_000_000 };
        assert!(ended(latest + 9_999, begun), "its time had hardly begun");
    }

    #[test]
    fn a_demand_that_is_not_met_is_told() {
        let lost = [published(Mode::Unicast), Line::Failed { id: ID, at: 3000, code: 100 }];
        let from = |at| Demands { good_from: Some(at), ..Demands::default() };
        assert!(!is_good(&lost, from(1000)));
        assert!(is_good(&lost, from(1001)));
        assert!(!is_good(&lost, Demands { good_per_mille: 999, ..Demands::default() }));
        let gap = [Line::Missed { id: ID, by: BY, count: 1 }];
        assert!(is_good(&gap, Demands::default()));
        assert!(!is_good(&gap, Demands { no_gaps: true, ..Demands::default() }));
    }
}
