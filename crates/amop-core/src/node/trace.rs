//! Tracing one message: asks the nodes on its way, and answers those that ask.
//!
//! ```text
//!  Trace ──▶ own records ──▶ ask each node that they name ──▶ its records ──▶ ask those that they name ...
//!                                └─ 2 s after the beginning, whoever has not answered is silent ──▶ Traced
//! ```
//!
//! A node says nothing about messages in which the asker's agency took no part. Who asks over others says as proof
//! that it knows of the message the number of one of its attempts: a relay on the way of the question could ask in
//! the name of another node, but does not know that.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use amop_wire::limits::STEPS_PER_ANSWER_MAX;
use amop_wire::{Instant, MsgId, Name, NodeId, PeerMessage, TraceAnswer, TraceQuestion, TraceWord};

use super::record::{NodeTag, Party, Record, Relayed, Step};
use super::telling::{heard, told};
use super::{Effect, Node, Timer};

/// What is left of a message at the nodes on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Which message.
    pub id: MsgId,
    /// What each node said: the one that was asked first, then the others in the order in which they were asked.
    pub told: Vec<Told>,
}

/// What one node said of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which node.
    pub node: NodeId,
    /// What it was asked about: the message, or the [mark](super::Mark::as_id) of what it passed on unread.
    pub about: MsgId,
    /// What its answer is worth; `None` if none came.
    pub word: Option<TraceWord>,
    /// How long question and answer took. The times of its records may be wrong by half of that.
    pub round_trip: Duration,
    /// Its steps, with their times on the clock of the asker.
    pub records: Vec<Record>,
}

/// What is being traced here, and how often others have asked.
#[derive(Debug, Default)]
pub(super) struct Traces {
    open: BTreeMap<u64, Open>,
    last_question: u64,
    /// Until when the answers that were given take up the pace.
    paced_until: Instant,
}

#[derive(Debug)]
struct Open {
    trace: Trace,
    until: Instant,
    /// Questions without an answer: which of those asked, and when.
    asked: BTreeMap<u64, (usize, Instant)>,
}

/// A node on the way, what to ask it about, and an attempt of it.
type Lead = (NodeTag, MsgId, u32);

impl Node {
    /// Begins to trace a message for whoever asks by that number.
    pub(super) fn trace(&mut self, now: Instant, number: u64, id: MsgId) {
        let records = self.records(id);
        let leads = leads_of(&records);
        let word = Some(TraceWord::Told);
        let own = Told { word, records, ..Told::awaited(self.id, id) };
        let trace = Trace { id, told: vec![own] };
        if self.traces.open.len() >= TRACES_MAX || self.traces.open.contains_key(&number) {
            return self.effects.push_back(Effect::Traced { number, trace });
        }
        let until = now + PATIENCE;
        self.timers.set(until, Timer::Trace(number));
        self.traces.open.insert(number, Open { trace, until, asked: BTreeMap::new() });
        self.follow(now, number, leads);
    }

    /// Asks the nodes that were named, each once about one thing; ends the trace if no answer is awaited.
    fn follow(&mut self, now: Instant, number: u64, leads: Vec<Lead>) {
        let mut left = VecDeque::from(leads);
        while let Some((tag, about, attempt)) = left.pop_front() {
            let Some(node) = self.node_of(tag) else { continue };
            let Some(open) = self.traces.open.get_mut(&number) else { return };
            let is_asked = |told: &Told| told.node == node && told.about == about;
            if open.trace.told.len() > QUESTIONS_MAX || open.trace.told.iter().any(is_asked) {
                continue;
            }
            let mut told = Told::awaited(node, about);
            if node == self.id {
                // It was a relay of the message, or of the answer.
                told.records = self.recorder.find(about);
                told.word = Some(TraceWord::Told);
                left.extend(leads_of(&told.records));
                open.trace.told.push(told);
                continue;
            }
            self.traces.last_question += 1;
            let question = self.traces.last_question;
            open.asked.insert(question, (open.trace.told.len(), now));
            open.trace.told.push(told);
            let message = TraceQuestion { number: question, id: about, attempt };
            if !self.tell_node(node, PeerMessage::TraceQuestion(message))
                && let Some(open) = self.traces.open.get_mut(&number)
            {
                open.asked.remove(&question);
            }
        }
        if self.traces.open.get(&number).is_some_and(|open| open.asked.is_empty()) {
            self.trace_over(number);
        }
    }

    /// A node answers.
    pub(super) fn trace_answered(&mut self, now: Instant, node: NodeId, answer: &TraceAnswer) {
        let waits = |open: &Open| open.asked.contains_key(&answer.number);
        let Some((&number, open)) = self.traces.open.iter_mut().find(|(_, open)| waits(open))
        else {
            return; // It comes too late.
        };
        let Some(&(position, sent)) = open.asked.get(&answer.number) else { return };
        let told = &mut open.trace.told[position];
        if told.node != node {
            return; // Somebody else was asked.
        }
        open.asked.remove(&answer.number);
        let round_trip = now.saturating_since(sent);
        told.word = Some(answer.word);
        told.round_trip = round_trip;
        // The answer left halfway, as far as can be known.
        let told_at = sent + round_trip / 2;
        let about = told.about;
        told.records = answer.steps.iter().filter_map(|step| heard(about, told_at, step)).collect();
        let leads = leads_of(&told.records);
        self.follow(now, number, leads);
    }

    /// Time is up, or all have answered.
    pub(super) fn trace_over(&mut self, number: u64) {
        let Some(Open { trace, until, .. }) = self.traces.open.remove(&number) else { return };
        self.timers.cancel(until, Timer::Trace(number));
        self.effects.push_back(Effect::Traced { number, trace });
    }

    /// Another node asks.
    pub(super) fn trace_asked(&mut self, now: Instant, node: NodeId, question: TraceQuestion) {
        let TraceQuestion { number, id, attempt } = question;
        let (word, steps) = if self.traces.is_too_often(now) {
            (TraceWord::Busy, Vec::new())
        } else {
            let records = self.records(id);
            let is_told = records.is_empty() || self.may_know(node, attempt, &records);
            if is_told {
                let steps = records.iter().take(STEPS_PER_ANSWER_MAX);
                (TraceWord::Told, steps.map(|record| told(now, record)).collect())
            } else {
                (TraceWord::Refused, Vec::new())
            }
        };
        self.reply_to(node, PeerMessage::TraceAnswer(TraceAnswer { number, word, steps }));
    }

    /// Whether the agency of a node took part in a message with these records, and the node knows of it.
    fn may_know(&self, node: NodeId, attempt: u32, records: &[Record]) -> bool {
        let Some(asker) = self.table.name_of(node) else { return false };
        let mut attempts = records.iter().filter_map(|record| attempt_of(&record.step)).peekable();
        if attempts.peek().is_some() && !attempts.any(|known| known == attempt) {
            return false;
        }
        let is_of_asker = |tag: NodeTag| {
            let name = self.node_of(tag).and_then(|node| self.name_of(node));
            name.is_some_and(|name: &Name| name.agency_subtree() == asker.agency_subtree())
        };
        let took_part = |record: &Record| {
            let (nodes, parties) = ends(&record.step);
            nodes.into_iter().flatten().any(is_of_asker)
                || parties.into_iter().flatten().any(|party| self.recorder.is_of(party, asker))
        };
        records.iter().any(took_part)
    }
}

impl Told {
    fn awaited(node: NodeId, about: MsgId) -> Self {
        Self { node, about, word: None, round_trip: Duration::ZERO, records: Vec::new() }
    }
}

impl Traces {
    /// How many traces have no end yet.
    pub(super) fn under_way(&self) -> usize {
        self.open.len()
    }

    /// Whether another answer now would be one too many; if not, it counts.
    pub(super) fn is_too_often(&mut self, now: Instant) -> bool {
        let paced_until = self.paced_until.max(now);
        if paced_until > now + ANSWERS_AT_ONCE * ANSWER_EVERY {
            return true;
        }
        self.paced_until = paced_until + ANSWER_EVERY;
        false
    }
}

/// The number of the attempt that a step belongs to.
fn attempt_of(step: &Step) -> Option<u32> {
    match *step {
        Step::Sent { attempt, .. }
        | Step::Pushed { attempt, .. }
        | Step::NotPushed { attempt, .. }
        | Step::Replied { attempt, .. }
        | Step::Declined { attempt, .. }
        | Step::Answered { attempt, .. }
        | Step::Refused { attempt, .. } => Some(attempt),
        _ => None,
    }
}

/// Who took part in a message by a step of it, beside the node itself.
fn ends(step: &Step) -> ([Option<NodeTag>; 2], [Option<Party>; 2]) {
    match *step {
        Step::Accepted { party, .. }
        | Step::NotAccepted { party, .. }
        | Step::Ended { party, .. }
        | Step::Received { party, .. } => ([None; 2], [Some(party), None]),
        Step::Sent { node, .. }
        | Step::Answered { node, .. }
        | Step::Refused { node, .. }
        | Step::Spread { node, .. }
        | Step::NotPushed { home: node, .. }
        | Step::Replied { home: node, .. }
        | Step::Declined { home: node, .. }
        | Step::Reported { home: node, .. } => ([Some(node), None], [None; 2]),
        Step::Pushed { home, from, to, .. } => ([Some(home), None], [Some(from), Some(to)]),
        Step::FannedOut { home, from, .. } => ([Some(home), None], [Some(from), None]),
        Step::Relayed(Relayed { source, target, .. })
        | Step::GivenBack(Relayed { source, target, .. }) => {
            ([Some(source), Some(target)], [None; 2])
        }
        Step::Parked | Step::Routed { .. } => ([None; 2], [None; 2]),
    }
}

/// Whom the records of one node name.
fn leads_of(records: &[Record]) -> Vec<Lead> {
    let lead = |record: &Record| match record.step {
        Step::Routed { via, mark, .. } => Some((via, mark.as_id(), 0)),
        // Its target knows the message itself.
        Step::Relayed(Relayed { to, target, .. }) if to != target => Some((to, record.id, 0)),
        ref step => {
            let ([node, _], _) = ends(step);
            let is_relayed = matches!(step, Step::Relayed(_) | Step::GivenBack(_));
            let attempt = attempt_of(step).unwrap_or_default();
            node.filter(|_| !is_relayed).map(|node| (node, record.id, attempt))
        }
    };
    records.iter().filter_map(lead).collect()
}

/// How long a trace takes at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// Most questions of one trace.
const QUESTIONS_MAX: usize = 32;

/// Most traces at a time.
const TRACES_MAX: usize = 16;

/// How often others are answered in the long run, so that looking through the records takes no more than some
/// hundredths of a node's time.
const ANSWER_EVERY: Duration = Duration::from_millis(50);

/// How many answers may be given at once.
const ANSWERS_AT_ONCE: u32 = 40;
