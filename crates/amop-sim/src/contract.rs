//! What was published, handled and ended, and whether that keeps the contract.
//!
//! Nothing here knows how nodes work: it judges by the table of codes alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use amop_wire::{Code, Instance, Instant, Mode, MsgId, Reason, Receipt};
use bytes::Bytes;

/// Everything that applications did and saw.
#[derive(Debug, Default)]
pub struct Record {
    pub(crate) publications: BTreeMap<MsgId, Publication>,
    pub(crate) story: String,
}

/// One publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// To one or to all.
    pub mode: Mode,
    /// When its time is up.
    pub deadline: Instant,
    /// Who handled it, and when.
    pub calls: Vec<Call>,
    /// How it ended, and when; more than one end breaks the contract.
    pub ends: Vec<(Instant, End)>,
    /// Whether its publisher lives to see the end.
    pub publisher_lives: bool,
}

/// One call of an application's handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// By whom.
    pub instance: Instance,
    /// When it began.
    pub at: Instant,
}

/// How a publish ended, as its publisher was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With an outcome.
    Outcome {
        /// The code.
        code: Code,
        /// The reason.
        reason: Reason,
        /// How many tries.
        attempts: u32,
        /// The answer.
        payload: Bytes,
    },
    /// With a receipt, and code 0.
    Receipt(Receipt),
}

impl Record {
    /// One publish, by its id.
    ///
    /// # Panics
    ///
    /// If nobody published it.
    #[must_use]
    pub fn publication(&self, id: MsgId) -> &Publication {
        self.publications.get(&id).expect("it was published")
    }

    /// Every publish.
    pub fn publications(&self) -> impl Iterator<Item = (&MsgId, &Publication)> {
        self.publications.iter()
    }

    pub(crate) fn tell(&mut self, now: Instant, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.story, "{:>10.3} ms  {line}", millis(now));
    }

    /// Everything that breaks the contract at `now`, one sentence each.
    #[must_use]
    pub fn violations(&self, now: Instant) -> Vec<String> {
        let mut found = Vec::new();
        for (&id, publication) in &self.publications {
            let violations = publication.violations(id, now);
            found.extend(violations.into_iter().map(|what| format!("{id}: {what}")));
        }
        found
    }
}

impl Publication {
    /// The one end of this publish.
    ///
    /// # Panics
    ///
    /// If it has none, or several.
    #[must_use]
    pub fn end(&self) -> &End {
        let [(_, end)] = &self.ends[..] else { panic!("not one end: {:?}", self.ends) };
        end
    }

    /// The code that it ended with.
    #[must_use]
    pub fn code(&self) -> Code {
        match self.end() {
            End::Outcome { code, .. } => *code,
            End::Receipt(_) => Code::Ok,
        }
    }

    fn violations(&self, id: MsgId, now: Instant) -> Vec<String> {
        let mut found = Vec::new();
        let mut demand = |holds: bool, what: &str| {
            if !holds {
                found.push(format!("{what}: {self:?}"));
            }
        };
        demand(self.ends.len() <= 1, "more than one end");
        let in_time = |at: Instant| at <= self.deadline + END_GRACE;
        demand(self.ends.iter().all(|&(at, _)| in_time(at)), "an end after its time");
        let must_have_ended = self.publisher_lives && now > self.deadline + END_GRACE;
        demand(!must_have_ended || self.ends.len() == 1, "no end");
        let late = |call: &Call| call.at > self.deadline + CALL_GRACE;
        demand(!self.calls.iter().any(late), "a call after its time");
        let mut callers: Vec<Instance> = self.calls.iter().map(|call| call.instance).collect();
        callers.sort_unstable();
        let calls = callers.len();
        callers.dedup();
        demand(callers.len() == calls, "one instance handled it twice");
        demand(self.mode == Mode::Multicast || calls <= 1, "a unicast was handled twice");
        match self.ends.first() {
            Some((_, End::Outcome { code: Code::Ok, payload, .. })) => {
                demand(calls == 1, "code 0, but not one call");
                let answer = self.calls.first().map(|call| answer_to(id, call.instance));
                let is_its = answer.is_some_and(|answer| payload.is_empty() || *payload == answer);
                demand(is_its, "the answer of another call");
            }
            Some((_, End::Outcome { code: Code::TimedOut, .. })) | None => {}
            Some((_, End::Outcome { .. })) => {
                demand(calls == 0, "handled although the code says never");
            }
            Some((_, End::Receipt(receipt))) => {
                let (acked, unknown) = (receipt.acked as usize, receipt.unknown as usize);
                demand(acked <= calls, "acked by more than handled it");
                demand(calls <= acked + unknown, "handled by some who refused it");
            }
        }
        found
    }
}

/// What an application answers; different for each message and each instance.
pub(crate) fn answer_to(id: MsgId, by: Instance) -> Bytes {
    format!("answer to {id} by {by}").into()
}

fn millis(at: Instant) -> f64 {
    at.since_start().as_secs_f64() * 1e3
}

/// How long after its deadline a publish may end.
const END_GRACE: Duration = Duration::from_millis(500);

/// How long after its deadline a handler may begin.
const CALL_GRACE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    const ID: MsgId = MsgId { publisher: Instance(1), counter: 1 };

    fn publication(code: Code, calls: &[u64]) -> Publication {
        let call = |&n: &u64| Call { instance: Instance(n), at: Instant::default() };
        let payload = calls.first().map_or(Bytes::new(), |&n| answer_to(ID, Instance(n)));
        let (reason, attempts) = (Reason::Unspecified, 1);
        Publication {
            mode: Mode::Unicast,
            deadline: Instant::default() + Duration::from_secs(1),
            calls: calls.iter().map(call).collect(),
            ends: vec![(Instant::default(), End::Outcome { code, reason, attempts, payload })],
            publisher_lives: true,
        }
    }

    #[test]
    fn every_lie_is_found() {
        let now = Instant::default();
        let lies = |publication: &Publication| publication.violations(ID, now).len();
        assert_eq!(lies(&publication(Code::Ok, &[7])), 0);
        assert_eq!(lies(&publication(Code::NoSubscriber, &[])), 0);
        assert_eq!(lies(&publication(Code::TimedOut, &[7])), 0);
        assert_ne!(lies(&publication(Code::Ok, &[])), 0);
        assert_ne!(lies(&publication(Code::Ok, &[7, 8])), 0);
        assert_ne!(lies(&publication(Code::NoSubscriber, &[7])), 0);
        assert_ne!(lies(&publication(Code::TimedOut, &[7, 8])), 0);

        let mut twice = publication(Code::Ok, &[7]);
        twice.ends.push(twice.ends[0].clone());
        assert_ne!(lies(&twice), 0);
        let mut never = publication(Code::Ok, &[7]);
        never.ends.clear();
        assert_eq!(lies(&never), 0, "its time is not up");
        let late = now + Duration::from_secs(2);
        assert_ne!(never.violations(ID, late).len(), 0);
        let mut wrong = publication(Code::Ok, &[7]);
        wrong.calls[0].instance = Instance(8);
        assert_ne!(lies(&wrong), 0, "the answer is that of another");
    }

    #[test]
    fn a_receipt_that_does_not_add_up_is_found() {
        let receipt = |acked, refused, unknown, calls: &[u64]| {
            let mut publication = publication(Code::Ok, calls);
            publication.mode = Mode::Multicast;
            publication.ends[0].1 = End::Receipt(Receipt { acked, refused, unknown });
            publication.violations(ID, Instant::default()).len()
        };
        assert_eq!(receipt(2, 1, 0, &[7, 8]), 0);
        assert_eq!(receipt(1, 0, 1, &[7, 8]), 0);
        assert_ne!(receipt(2, 0, 0, &[7]), 0);
        assert_ne!(receipt(1, 1, 0, &[7, 8]), 0);
        assert_ne!(receipt(2, 0, 0, &[7, 7]), 0);
    }
}
