//! The flight recorder: what became of each message here, as far back as there is room.
//!
//! Two rings of fixed size, so that a record costs one write and nothing else: no lock, no allocation, no search. The
//! first holds every step, and under load a few seconds of it; the second holds copies of what went wrong, so that
//! load does not wash that out. Only who asks for a message pays for looking through them.
//!
//! What stands in it is told in [`record`](super::record): no payload, no topic, no name.

use std::collections::BTreeMap;

use amop_wire::{Instant, MsgId, Name, NodeId};

use super::record::{NodeTag, Party, Record, Step};
use super::{Limits, Node};

/// What became of each message, as far back as there is room.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    all: Ring,
    failures: Ring,
    parties: Parties,
}

impl Recorder {
    /// A recorder with so much room as these limits say.
    pub(super) fn new(limits: &Limits) -> Self {
        let (all, failures) = (Ring::new(limits.records), Ring::new(limits.failures));
        Self { all, failures, parties: Parties::default() }
    }

    /// Writes down a step of a message. Where the kind of the step is known, so is whether it is a failure.
    #[inline(always)]
    pub(super) fn note(&mut self, at: Instant, id: MsgId, step: Step) {
        let record = Record { id, at, step };
        if record.step.is_failure() {
            self.failures.push(record);
        }
        self.all.push(record);
    }

    /// Numbers the agency of somebody.
    pub(super) fn party(&mut self, name: &Name) -> Party {
        self.parties.number(name)
    }

    /// Whether this is the number of the agency of somebody.
    pub(super) fn is_of(&self, party: Party, name: &Name) -> bool {
        self.parties.numbers.get(name.agency_subtree()) == Some(&party)
    }

    /// What is left of a message, in the order in which it happened: of each ring the first 512 steps, more
    /// of which none has but by somebody's malice.
    pub(super) fn find(&self, id: MsgId) -> Vec<Record> {
        let of_it = |record: &&Record| record.id == id;
        let recent = self.all.in_order().filter(of_it).take(FOUND_MAX);
        let recent: Vec<Record> = recent.copied().collect();
        let old = self.failures.in_order().filter(of_it).take(FOUND_MAX).copied();
        let mut found: Vec<Record> = old.filter(|record| !recent.contains(record)).collect();
        found.extend(recent);
        found
    }
}

/// As many records as there is room for, the oldest making way.
#[derive(Debug, Default)]
struct Ring {
    records: Vec<Record>,
    capacity: usize,
    /// Where the next record goes once it is full.
    next: usize,
}

impl Ring {
    fn new(capacity: usize) -> Self {
        Self { records: Vec::with_capacity(capacity), capacity, next: 0 }
    }

    #[inline(always)]
    fn push(&mut self, record: Record) {
        if let Some(oldest) = self.records.get_mut(self.next) {
            *oldest = record;
            self.next += 1;
        } else if self.records.len() < self.capacity {
            self.records.push(record);
            self.next += 1;
        }
        if self.next == self.capacity {
            self.next = 0;
        }
    }

    fn in_order(&self) -> impl Iterator<Item = &Record> {
        let (newer, older) = self.records.split_at(self.next.min(self.records.len()));
        older.iter().chain(newer)
    }
}

/// The agencies that took part in messages here.
#[derive(Debug, Default)]
struct Parties {
    numbers: BTreeMap<Box<str>, Party>,
    /// Whom was asked for last: most messages have the same publisher as the one before.
    last: Option<(Name, Party)>,
}

impl Parties {
    fn number(&mut self, name: &Name) -> Party {
        if let Some((last, party)) = &self.last
            && last == name
        {
            return *party;
        }
        let party = match self.numbers.get(name.agency_subtree()) {
            Some(&party) => party,
            None if self.numbers.len() >= PARTIES_MAX => return Party::ELSEWHERE,
            None => {
                let next = u16::try_from(self.numbers.len()).expect("there are not so many");
                self.numbers.insert(name.agency_subtree().into(), Party(next));
                Party(next)
            }
        };
        self.last = Some((name.clone(), party));
        party
    }
}

impl Node {
    /// The node of this tag, as far as it is known here.
    #[must_use]
    pub fn node_of(&self, tag: NodeTag) -> Option<NodeId> {
        let others = self.table.known_nodes().map(|node| node.id);
        [self.id].into_iter().chain(others).find(|&node| NodeTag::of(node) == tag)
    }

    /// Writes down a step of a message.
    #[inline(always)]
    pub(super) fn note(&mut self, id: MsgId, step: Step) {
        self.recorder.note(self.now, id, step);
    }

    /// What this node has written down of a message, in the order in which it happened.
    ///
    /// It walks over all that was written down.
    #[must_use]
    pub fn records(&self, id: MsgId) -> Vec<Record> {
        self.recorder.find(id)
    }
}

/// Most steps of one message that are found in a ring: those of the two are held against each other.
const FOUND_MAX: usize = 512;

/// Most agencies that have a number: those of nodes and of their clients.
const PARTIES_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use amop_wire::{Code, Instance, Reason};

    fn recorder(records: usize, failures: usize) -> Recorder {
        Recorder::new(&Limits { records, failures, ..Limits::default() })
    }

    fn id(counter: u64) -> MsgId {
        MsgId { publisher: Instance(1), counter }
    }

    fn failed(party: Party) -> Step {
        Step::Ended { party, code: Code::TimedOut, reason: Reason::Deadline, attempts: 1 }
    }

    #[test]
    fn load_washes_out_what_went_well_and_keeps_what_went_wrong() {
        let mut recorder = recorder(8, 2);
        let now = Instant::default();
        recorder.note(now, id(1), Step::Parked);
        recorder.note(now, id(1), failed(Party(0)));
        assert_eq!(recorder.find(id(1)).len(), 2, "a failure is told once");
        for counter in 2..10 {
            recorder.note(now, id(counter), Step::Parked);
        }
        let left: Vec<Step> = recorder.find(id(1)).iter().map(|record| record.step).collect();
        assert_eq!(left, [failed(Party(0))]);
        assert_eq!(recorder.find(id(2)).len(), 1, "there is room for eight");
        recorder.note(now, id(10), Step::Parked);
        assert_eq!(recorder.find(id(2)).len(), 0);
    }

    #[test]
    fn records_come_in_the_order_in_which_they_were_written() {
        let mut recorder = recorder(4, 2);
        for second in 0..6 {
            let at = Instant::after_start(std::time::Duration::from_secs(second));
            recorder.note(at, id(1), Step::Parked);
        }
        let seconds: Vec<u64> =
            recorder.find(id(1)).iter().map(|record| record.at.since_start().as_secs()).collect();
        assert_eq!(seconds, [2, 3, 4, 5]);
    }

    #[test]
    fn a_message_with_more_steps_than_any_has_is_found_in_part() {
        let mut recorder = recorder(2000, 2000);
        for _ in 0..1000 {
            recorder.note(Instant::default(), id(1), failed(Party(0)));
        }
        assert_eq!(recorder.find(id(1)).len(), FOUND_MAX);
    }

    #[test]
    fn without_room_nothing_is_written() {
        let mut recorder = recorder(0, 0);
        recorder.note(Instant::default(), id(1), failed(Party(0)));
        assert_eq!(recorder.find(id(1)), []);
    }

    #[test]
    fn an_agency_has_one_number_and_those_past_the_limit_have_none() {
        let mut recorder = recorder(1, 1);
        let name = |agency: &str| format!("x.sdk.{agency}.amop").parse::<Name>().unwrap();
        let (a, b) = (recorder.party(&name("a")), recorder.party(&name("b")));
        assert_ne!(a, b);
        assert_eq!(recorder.party(&"n1.node.a.amop".parse().unwrap()), a);
        for number in 2..PARTIES_MAX {
            recorder.party(&name(&format!("agency-{number}")));
        }
        assert_eq!(recorder.party(&name("one-more")), Party::ELSEWHERE);
        assert!(recorder.is_of(a, &name("a")) && !recorder.is_of(a, &name("b")));
        assert!(!recorder.is_of(Party::ELSEWHERE, &name("one-more")));
    }
}
