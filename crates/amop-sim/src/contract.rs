//! What was published, handled and ended, and whether that keeps the contract.
//!
//! Nothing here knows how nodes work: it judges by the table of codes alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use amop_core::client::Gap;
use amop_wire::{
    AnswerStatus, Code, Instance, Instant, Mode, MsgId, Reason, Receipt, Terms, Topic,
};
use bytes::Bytes;

use crate::access::Requests;
use crate::application::answer_to;
use crate::keys;
use crate::sealed_order::SealedOrder;
use crate::sequence::Sequences;
use crate::story::Story;

/// Everything that applications did and saw.
#[derive(Debug, Default)]
pub struct Record {
    pub(crate) publications: BTreeMap<MsgId, Publication>,
    /// What was found broken while it happened.
    pub(crate) broken: Vec<String>,
    pub(crate) sequences: Sequences,
    pub(crate) requests: Requests,
    pub(crate) sealed_order: SealedOrder,
    pub(crate) gaps: Vec<(Instance, MsgId, Gap)>,
    pub(crate) story: Option<Story>,
}

/// One publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// To one or to all.
    pub mode: Mode,
    /// What it asks for beyond the usual.
    pub terms: Terms,
    /// To whom.
    pub topic: Topic,
    /// When it was published.
    pub at: Instant,
    /// When its time is up.
    pub deadline: Instant,
    /// Who handled it, and when.
    pub calls: Vec<Call>,
    /// Who said that it never will, and when first.
    pub refusals: BTreeMap<Instance, Instant>,
    /// How it ended, and when; more than one end breaks the contract.
    pub ends: Vec<(Instant, End)>,
    /// Until when its publisher is stopped, so that it cannot see an end.
    pub stopped_until: Instant,
    /// Whether its publisher lives to see the end.
    pub publisher_lives: bool,
    /// Whom the publisher's node knew to subscribe when it accepted this.
    pub known: BTreeSet<Instance>,
    /// Whose applications got it.
    pub delivered_to: BTreeSet<Instance>,
}

/// One call of an application's handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// By whom.
    pub instance: Instance,
    /// When it began.
    pub at: Instant,
    /// How it ends.
    pub status: AnswerStatus,
}

/// How a publish ended, as its publisher was told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// With an outcome.
    Outcome {
        /// The code.
        code: Code,
        /// The reason.
        reason: Reason,
        /// How many tries.
        attempts: u32,
        /// What the handler did, with code 0.
        status: AnswerStatus,
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

    /// Everything that breaks the contract at `now`, one sentence each.
    #[must_use]
    pub fn violations(&self, now: Instant) -> Vec<String> {
        let mut found = self.broken.clone();
        for (&id, publication) in &self.publications {
            let violations = publication.violations(id, now);
            found.extend(violations.into_iter().map(|what| format!("{id}: {what}")));
        }
        found.extend(keys::violations(&self.publications));
        found.extend(self.requests.violations(&self.publications));
        found
    }

    /// Who was told of which hole, before which multicast.
    #[must_use]
    pub fn gaps(&self) -> &[(Instance, MsgId, Gap)] {
        &self.gaps
    }

    /// What happened so far as a ladder: of the message that a text names, or all of it if it
    /// names none. Empty if nobody wanted to know.
    #[must_use]
    pub fn story(&self, text: &str) -> String {
        let is_named = |id: &&MsgId| text.contains(&id.to_string());
        let named = self.publications.keys().find(is_named).copied();
        self.story.as_ref().map(|story| story.ladder(named)).unwrap_or_default()
    }

    /// Notes a publish.
    pub fn published(&mut self, id: MsgId, publication: Publication) {
        self.publications.insert(id, publication);
    }

    /// Notes a call of a handler, if it is of a publish that was noted.
    pub fn called(&mut self, id: MsgId, call: Call) {
        if let Some(publication) = self.publications.get_mut(&id) {
            publication.calls.push(call);
        }
    }

    pub(crate) fn delivered(&mut self, id: MsgId, to: Instance) {
        if let Some(publication) = self.publications.get_mut(&id) {
            publication.delivered_to.insert(to);
        }
    }

    pub(crate) fn refused(&mut self, id: MsgId, now: Instant, by: Instance) {
        if let Some(publication) = self.publications.get_mut(&id) {
            publication.refusals.entry(by).or_insert(now);
        }
    }

    /// Notes the end of a publish that was noted, as its publisher was told.
    pub fn ended(&mut self, id: MsgId, now: Instant, end: End) {
        if let Some(publication) = self.publications.get_mut(&id) {
            publication.ends.push((now, end));
        }
    }
}

impl Publication {
    /// A publish of which nothing more is known so far.
    #[must_use]
    pub fn new(mode: Mode, topic: Topic, at: Instant, timeout: Duration) -> Self {
        Self {
            mode,
            terms: Terms::default(),
            topic,
            at,
            deadline: at + timeout,
            calls: Vec::new(),
            refusals: BTreeMap::new(),
            ends: Vec::new(),
            stopped_until: at,
            publisher_lives: true,
            known: BTreeSet::new(),
            delivered_to: BTreeSet::new(),
        }
    }

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
    ///
    /// # Panics
    ///
    /// As [`end`](Self::end).
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
        let in_time = |at: Instant| at <= self.deadline.max(self.stopped_until) + END_GRACE;
        demand(self.ends.iter().all(|&(at, _)| in_time(at)), "an end after its time");
        let must_have_ended = self.publisher_lives && now > self.deadline + END_GRACE;
        demand(!must_have_ended || self.ends.len() == 1, "no end");
        let late = |call: &Call| call.at > self.deadline + CALL_GRACE;
        demand(!self.calls.iter().any(late), "a call after its time");
        let callers: BTreeSet<Instance> = self.calls.iter().map(|call| call.instance).collect();
        demand(callers.len() == self.calls.len(), "one instance handled it twice");
        let broke_word = self.refusals.keys().any(|instance| callers.contains(instance));
        demand(!broke_word, "handled by one who said that it never will");
        let may_be_many = self.mode == Mode::Multicast || self.terms.at_least_once;
        demand(may_be_many || self.calls.len() <= 1, "a unicast handled twice");
        if let Some((at, end)) = self.ends.first() {
            self.judge(id, *at, end, &mut demand);
        }
        found
    }

    /// Compares what the publisher was told at `at` with what happened.
    fn judge(&self, id: MsgId, at: Instant, end: &End, demand: &mut impl FnMut(bool, &str)) {
        match end {
            End::Outcome { code: Code::Ok, status, payload, .. } => {
                demand(self.mode == Mode::Unicast, "a multicast without a receipt");
                if self.terms.key.is_some() {
                    return; // Another one may have been handled for it: see `keys`.
                }
                let is_its = |call: &&Call| {
                    *payload == answer_to(id, call.instance) && *status == call.status
                };
                let call = self.calls.iter().find(is_its);
                demand(call.is_some(), "no call, or the answer of another");
                demand(call.is_none_or(|call| call.at <= at), "answered before it was handled");
            }
            End::Outcome { code: Code::TimedOut, .. } => {
                demand(at >= self.deadline, "102 before the time was up");
            }
            End::Outcome { .. } => {
                demand(self.calls.is_empty(), "handled although the code says never");
            }
            End::Receipt(Receipt { acked, refused, unknown }) => {
                demand(self.mode == Mode::Multicast, "a unicast with a receipt");
                let calls = self.calls.iter().filter(|call| call.at <= at).count();
                demand(*acked as usize <= calls, "acked by more than handled it");
                let targets = (acked + refused + unknown) as usize;
                demand(targets >= self.known.len(), "not everybody known was tried");
                let handled = self.calls.iter().filter(|call| self.known.contains(&call.instance));
                let may_have = (acked + unknown) as usize;
                demand(handled.count() <= may_have, "handled by more than may have");
            }
        }
    }
}

/// How long after its deadline a publish may end.
const END_GRACE: Duration = Duration::from_millis(500);

/// How long after its deadline a handler may begin.
const CALL_GRACE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    const ID: MsgId = MsgId { publisher: Instance(1), counter: 1 };
    const STATUS: AnswerStatus = AnswerStatus::Answered;

    fn deadline() -> Instant {
        Instant::default() + Duration::from_secs(1)
    }

    fn call(instance: u64) -> Call {
        Call { instance: Instance(instance), at: Instant::default(), status: STATUS }
    }

    fn publication(mode: Mode, calls: &[u64], end: End) -> Publication {
        Publication {
            calls: calls.iter().map(|&instance| call(instance)).collect(),
            ends: vec![(deadline(), end)],
            ..Publication::new(
                mode,
                "t".parse().unwrap(),
                Instant::default(),
                Duration::from_secs(1),
            )
        }
    }

    fn unicast(code: Code, calls: &[u64]) -> Publication {
        let payload = calls.first().map_or(Bytes::new(), |&n| answer_to(ID, Instance(n)));
        let (reason, attempts, status) = (Reason::Unspecified, 1, STATUS);
        publication(Mode::Unicast, calls, End::Outcome { code, reason, attempts, status, payload })
    }

    fn lies(publication: &Publication) -> usize {
        publication.violations(ID, deadline()).len()
    }

    #[test]
    fn a_code_that_says_the_wrong_thing_is_found() {
        for code in Code::ALL {
            let may_be_handled = matches!(code, Code::Ok | Code::TimedOut);
            assert_eq!(lies(&unicast(code, &[7])) == 0, may_be_handled, "{code}");
            assert_eq!(lies(&unicast(code, &[])) == 0, code != Code::Ok, "{code}");
            assert_ne!(lies(&unicast(code, &[7, 8])), 0, "{code}");
        }
    }

    #[test]
    fn a_number_of_ends_other_than_one_is_found() {
        let mut twice = unicast(Code::Ok, &[7]);
        twice.ends.push(twice.ends[0].clone());
        assert_ne!(lies(&twice), 0);
        let mut never = unicast(Code::Ok, &[7]);
        never.ends.clear();
        assert_eq!(lies(&never), 0, "its time is not up");
        let late = deadline() + END_GRACE + Duration::from_nanos(1);
        assert_ne!(never.violations(ID, late).len(), 0);
        never.publisher_lives = false;
        assert_eq!(never.violations(ID, late).len(), 0, "there is nobody to tell");
    }

    #[test]
    fn what_comes_too_early_or_too_late_is_found() {
        let mut late = unicast(Code::Ok, &[7]);
        late.ends[0].0 = deadline() + END_GRACE;
        assert_eq!(lies(&late), 0);
        late.ends[0].0 = deadline() + END_GRACE + Duration::from_nanos(1);
        assert_ne!(lies(&late), 0);

        let mut zombie = unicast(Code::TimedOut, &[7]);
        zombie.calls[0].at = deadline() + CALL_GRACE;
        assert_eq!(lies(&zombie), 0);
        zombie.calls[0].at = deadline() + CALL_GRACE + Duration::from_nanos(1);
        assert_ne!(lies(&zombie), 0);

        let mut hasty = unicast(Code::TimedOut, &[]);
        hasty.ends[0].0 = Instant::default();
        assert_ne!(lies(&hasty), 0, "102 before the deadline");
        let mut prophet = unicast(Code::Ok, &[7]);
        prophet.calls[0].at = deadline() + Duration::from_nanos(1);
        assert_ne!(lies(&prophet), 0, "an answer before the call");
    }

    #[test]
    fn an_answer_of_another_call_is_found() {
        let mut wrong = unicast(Code::Ok, &[7]);
        wrong.calls[0].instance = Instance(8);
        assert_ne!(lies(&wrong), 0);
        let mut wrong = unicast(Code::Ok, &[7]);
        wrong.calls[0].status = AnswerStatus::Failed;
        assert_ne!(lies(&wrong), 0);
    }

    #[test]
    fn who_handles_what_it_refused_is_found() {
        let mut refused = unicast(Code::TimedOut, &[7]);
        refused.refusals.insert(Instance(8), deadline());
        assert_eq!(lies(&refused), 0);
        refused.refusals.insert(Instance(7), deadline());
        assert_ne!(lies(&refused), 0);
    }

    #[test]
    fn a_receipt_that_does_not_add_up_is_found() {
        let receipt = |acked, refused, unknown, calls: &[u64]| {
            let end = End::Receipt(Receipt { acked, refused, unknown });
            let mut publication = publication(Mode::Multicast, calls, end);
            publication.known = BTreeSet::from([Instance(7), Instance(8)]);
            lies(&publication)
        };
        assert_eq!(receipt(2, 1, 0, &[7, 8]), 0);
        assert_eq!(receipt(1, 0, 1, &[7, 8]), 0);
        assert_eq!(receipt(1, 1, 0, &[7, 9]), 0, "somebody joined while it was on its way");
        assert_ne!(receipt(2, 0, 0, &[7]), 0);
        assert_ne!(receipt(1, 1, 0, &[7, 8]), 0);
        assert_ne!(receipt(2, 0, 0, &[7, 7]), 0);
        assert_ne!(receipt(1, 0, 0, &[7]), 0, "the other was not tried");
    }
}
