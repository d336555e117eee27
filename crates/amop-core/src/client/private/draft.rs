//! A publish to a private topic until it has its end, as the application handed it in.
//!
//! Each subscriber that is tried gets it sealed anew, as a message with a number of its own. So it may
//! have several messages under way one after the other, and at once if it may be handled more than once.

use std::time::Duration;

use amop_wire::limits::TRIED_MAX;
use amop_wire::{
    AnswerStatus, Code, Epoch, Instance, Instant, Key, Mode, MsgId, Name, NodeId, Outcome, Reason,
    Terms, Topic,
};
use bytes::Bytes;
use smallvec::SmallVec;

/// What was published to a private topic and has no end yet.
pub(in super::super) struct Draft {
    /// What the driver keeps it under.
    pub(super) key: usize,
    pub(super) mode: Mode,
    pub(super) terms: Terms,
    pub(super) topic: Topic,
    pub(super) payload: Bytes,
    pub(super) deadline: Instant,
    /// When nobody to wait for may appear any more; until then it is with nobody.
    pub(super) parked: Option<Instant>,
    /// When another one is asked although one may handle it.
    pub(super) fail_over_at: Option<Instant>,
    /// Whether its answer was none, so that nobody knows what became of it: it waits for its deadline.
    pub(super) is_garbled: bool,
    /// Messages without an outcome: one, but for what may be handled more than once.
    pub(super) open: SmallVec<[Part; 1]>,
    /// What failed so far. Mostly nothing, so that it lies apart.
    failures: Option<Box<Failures>>,
}

/// What failed of a draft.
#[derive(Default)]
struct Failures {
    /// Who said a definite no, or is in doubt.
    tried: Vec<Instance>,
    /// Who could not open it, for want of a key that it may get, or was not there any more: it may be
    /// asked again if that changes.
    wanting: Vec<Instance>,
    attempts: u32,
    nodes: Vec<Name>,
    /// How it ends if nobody else can be asked.
    worst: Option<(Code, Reason)>,
    /// When it may be published again, if that was refused by a limit.
    retry_after: Option<Duration>,
}

/// A message of a draft that has no outcome.
pub(super) struct Part {
    pub(super) counter: u64,
    /// Whom it is sealed for; `None` if it is a multicast.
    pub(super) subscriber: Option<Instance>,
    /// Where that one was.
    pub(super) seat: Option<(NodeId, Epoch)>,
}

impl Draft {
    pub(in super::super) fn new(
        key: usize,
        (mode, terms): (Mode, Terms),
        topic: Topic,
        payload: Bytes,
        deadline: Instant,
    ) -> Self {
        Self {
            key,
            mode,
            terms,
            topic,
            payload,
            deadline,
            parked: None,
            fail_over_at: None,
            is_garbled: false,
            open: SmallVec::new(),
            failures: None,
        }
    }

    /// What the choice goes by: publishes with one key go to one subscriber.
    pub(super) fn choice(&self, publisher: Instance, first: u64) -> MsgId {
        let id = MsgId { publisher, counter: first };
        self.terms.key.map_or(id, Key::as_id)
    }

    /// Whether nobody was asked so far.
    pub(super) fn is_new(&self) -> bool {
        self.open.is_empty() && self.failures.as_ref().is_none_or(|it| it.worst.is_none())
    }

    /// Whether it is with nobody.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether this subscriber may be asked.
    pub(super) fn is_left(&self, subscriber: Instance) -> bool {
        let is_open = self.open.iter().any(|part| part.subscriber == Some(subscriber));
        !is_open && self.failures.as_ref().is_none_or(|it| !it.tried.contains(&subscriber))
    }

    /// When something is to be done about it.
    pub(super) fn due(&self) -> Option<Instant> {
        let parked = self.parked.map(|until| until.min(self.deadline));
        let garbled = self.is_garbled.then_some(self.deadline);
        parked.into_iter().chain(self.fail_over_at).chain(garbled).min()
    }

    /// A message of it ended.
    pub(super) fn take_open(&mut self, counter: u64) -> Option<Part> {
        let position = self.open.iter().position(|part| part.counter == counter)?;
        Some(self.open.swap_remove(position))
    }

    /// A subscriber has keys that it had not, or is somewhere else: it may be asked again.
    pub(super) fn readmit(&mut self, subscriber: Instance) {
        if let Some(Failures { tried, wanting, .. }) = self.failures.as_deref_mut()
            && wanting.contains(&subscriber)
        {
            wanting.retain(|&wanting| wanting != subscriber);
            tried.retain(|&tried| tried != subscriber);
        }
    }

    /// Whether somebody may be asked again if it gets a key, or is somewhere else.
    pub(super) fn is_wanted(&self) -> bool {
        self.failures.as_ref().is_some_and(|failures| !failures.wanting.is_empty())
    }

    /// A subscriber cannot be asked.
    pub(super) fn cannot_ask(&mut self, subscriber: Instance) {
        self.failures.get_or_insert_default().tried.push(subscriber);
    }

    /// Notes an end that is not good.
    pub(super) fn failed(&mut self, subscriber: Option<Instance>, outcome: &Outcome) {
        let Outcome { code, reason, attempts, tried, .. } = outcome;
        let failures = self.failures.get_or_insert_default();
        failures.attempts = failures.attempts.saturating_add(*attempts);
        let room = TRIED_MAX.saturating_sub(failures.nodes.len());
        failures.nodes.extend(tried.iter().take(room).cloned());
        failures.tried.extend(subscriber);
        if may_change(*reason) && !code.may_have_been_handled() {
            failures.wanting.extend(subscriber);
        }
        let weight = |code: Code| match code {
            Code::NoSubscriber => 0,
            Code::SubscriberUnreachable => 1,
            _ => 2,
        };
        if failures.worst.is_none_or(|(worst, _)| weight(worst) <= weight(*code)) {
            failures.worst = Some((*code, *reason));
            failures.retry_after = outcome.retry_after;
        }
    }

    /// The end of it if nobody else can be asked.
    pub(super) fn outcome(self, first: u64, code: Code, reason: Reason) -> Outcome {
        let failures = self.failures.map(|failures| *failures).unwrap_or_default();
        let (code, reason) = failures.worst.unwrap_or((code, reason));
        Outcome {
            counter: first,
            code,
            reason,
            attempts: failures.attempts,
            status: AnswerStatus::Answered,
            answered_by: None,
            tried: failures.nodes,
            retry_after: failures.retry_after,
            payload: Bytes::new(),
        }
    }

    /// The end of it once somebody has answered.
    pub(super) fn answered(
        self,
        first: u64,
        outcome: Outcome,
        status: AnswerStatus,
        payload: Bytes,
    ) -> Outcome {
        let failures = self.failures.map(|failures| (failures.attempts, failures.nodes));
        let (attempts, tried) = failures.unwrap_or_default();
        Outcome {
            counter: first,
            attempts: attempts.saturating_add(outcome.attempts),
            status,
            tried,
            retry_after: None,
            payload,
            ..outcome
        }
    }
}

/// Whether a no of this reason may be another one soon.
fn may_change(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::CannotOpen
            | Reason::NoSubscriber
            | Reason::NoPath
            | Reason::SubscriberGone
            | Reason::NotSubscribed
            | Reason::StaleEpoch
    )
}
