//! Counts what happened in a world, so that a run can say what it never tried.
//!
//! A swarm that never loses a link proves nothing about lost links. So every input, effect, message,
//! code, reason and fault is counted by its kind, and whoever adds up many worlds looks for those
//! that stayed at zero.

use std::fmt;

use amop_core::client::{Effect as ClientEffect, Input as ClientInput, PublishEnd};
use amop_core::node::{Effect as NodeEffect, Input as NodeInput};
use amop_core::transfer::{DiskSaid, End as FileEnd};
use amop_wire::{ClientMessage, Code, FileBody, PeerMessage, Reason, Refuse};

use crate::fault::Fault;
use crate::kinds::{
    CLIENT_EFFECTS, CLIENT_INPUTS, CLIENT_MESSAGES, FILE_MESSAGES, FILES, LIMITS, NODE_EFFECTS,
    NODE_INPUTS, NODE_MESSAGES, PEER_MESSAGES, client_effect, client_input, client_message,
    code_name, file_message, node_effect, node_input, node_message, peer_message,
};

/// How often each kind of thing happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    groups: Vec<Group>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    title: &'static str,
    counts: Vec<(&'static str, u64)>,
}

impl Default for Coverage {
    fn default() -> Self {
        let group = |title, names: &[&'static str]| Group {
            title,
            counts: names.iter().map(|&name| (name, 0)).collect(),
        };
        let codes = Code::ALL.map(code_name);
        let reasons: Vec<&str> = Reason::ALL.iter().map(|reason| reason.kind()).collect();
        let faults = Fault::ALL.map(Fault::name);
        Self {
            groups: vec![
                group("node input", NODE_INPUTS),
                group("node effect", NODE_EFFECTS),
                group("client input", CLIENT_INPUTS),
                group("client effect", CLIENT_EFFECTS),
                group("client message", CLIENT_MESSAGES),
                group("node message", NODE_MESSAGES),
                group("peer message", PEER_MESSAGES),
                group("code", &codes),
                group("reason", &reasons),
                group("fault", &faults),
                group("limit", LIMITS),
                group("dedup", &["first", "repeat", "no room"]),
                group("file message", FILE_MESSAGES),
                group("file", FILES),
            ],
        }
    }
}

impl Coverage {
    /// Adds what happened in another world.
    pub fn add(&mut self, other: &Self) {
        for (group, others) in self.groups.iter_mut().zip(&other.groups) {
            for ((_, count), (_, more)) in group.counts.iter_mut().zip(&others.counts) {
                *count += more;
            }
        }
    }

    /// Every group and kind, and how often it happened.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        self.groups
            .iter()
            .flat_map(|group| group.counts.iter().map(|&(kind, count)| (group.title, kind, count)))
    }

    /// The kinds that never happened, without those that this version cannot produce.
    pub fn missing(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let never = self.counts().filter(|&(_, _, count)| count == 0);
        never.map(|(group, kind, _)| (group, kind)).filter(|missing| !ABSENT.contains(missing))
    }

    pub(crate) fn node_input(&mut self, input: &NodeInput) {
        self.count(0, node_input(input));
    }

    pub(crate) fn node_effect(&mut self, effect: &NodeEffect) {
        self.count(1, node_effect(effect));
        match effect {
            NodeEffect::ToClient { message, .. } | NodeEffect::ToClients { message, .. } => {
                self.count(5, node_message(message));
            }
            NodeEffect::ToPeer { message, .. } => {
                self.count(6, peer_message(message));
                if let PeerMessage::Refusal(refusal) = message {
                    self.reason(refusal.reason);
                }
            }
            NodeEffect::Sign { .. }
            | NodeEffect::JudgeRevocations { .. }
            | NodeEffect::Traced { .. }
            | NodeEffect::Reached { .. }
            | NodeEffect::Close { .. }
            | NodeEffect::Event(_) => {}
        }
    }

    pub(crate) fn client_input(&mut self, input: &ClientInput) {
        self.count(2, client_input(input));
    }

    pub(crate) fn client_effect(&mut self, effect: &ClientEffect) {
        self.count(3, client_effect(effect));
        match effect {
            ClientEffect::Send(message) | ClientEffect::SendOld(message) => {
                self.count(4, client_message(message));
                if let ClientMessage::Refuse(refuse) = message {
                    self.reason(refuse.reason);
                }
            }
            ClientEffect::Subscribed { reason, .. } => self.reason(*reason),
            ClientEffect::Published { end: PublishEnd::Outcome(outcome), .. } => {
                self.code(outcome.code);
                self.reason(outcome.reason);
            }
            ClientEffect::Published { end: PublishEnd::Receipt(_), .. } => self.code(Code::Ok),
            ClientEffect::Deliver(_)
            | ClientEffect::Propagated { .. }
            | ClientEffect::Receivers { .. }
            | ClientEffect::Connected
            | ClientEffect::Disconnected
            | ClientEffect::Leave
            | ClientEffect::Part
            | ClientEffect::Close(_) => {}
        }
    }

    pub(crate) fn code(&mut self, code: Code) {
        self.count(7, code_name(code));
    }

    pub(crate) fn reason(&mut self, reason: Reason) {
        self.count(8, reason.kind());
    }

    /// What a message turned out to be for a client that may have had it before.
    pub(crate) fn dedup(&mut self, is_repeated: bool, effects: &[ClientEffect]) {
        if is_repeated {
            return self.count(11, "repeat");
        }
        for effect in effects {
            match effect {
                ClientEffect::Deliver(_) => self.count(11, "first"),
                ClientEffect::Send(ClientMessage::Refuse(Refuse {
                    reason: Reason::SubscriberBusy,
                    fenced: false,
                    ..
                })) => self.count(11, "no room"),
                _ => {}
            }
        }
    }

    pub(crate) fn file_message(&mut self, body: &FileBody) {
        self.count(12, file_message(body));
    }

    /// What a disk, a sender or a receiver of a file came to.
    pub(crate) fn file(&mut self, what: &'static str) {
        self.count(13, what);
    }

    pub(crate) fn disk(&mut self, said: DiskSaid) {
        self.file(match said {
            DiskSaid::Prepared { checked: 0, .. } => "begins",
            DiskSaid::Prepared { .. } => "is resumed",
            DiskSaid::AlreadyThere => "is there already",
            DiskSaid::Wrote { .. } => "grows",
            DiskSaid::Corrupt { .. } => "was damaged",
            DiskSaid::Finished => "gets its name",
            DiskSaid::Failed(_) => "fails",
        });
    }

    /// A transfer ended at one of its ends.
    pub(crate) fn file_end(&mut self, end: FileEnd) {
        self.code(end.code);
        if end.code != Code::Ok {
            self.reason(end.reason);
        }
    }

    /// A collection is as full as it may be.
    pub(crate) fn limit(&mut self, what: &'static str) {
        self.count(10, what);
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        self.count(9, fault.name());
    }

    fn count(&mut self, group: usize, kind: &'static str) {
        let mut counts = self.groups[group].counts.iter_mut();
        let (_, count) = counts.find(|(name, _)| *name == kind).expect("every kind is listed");
        *count += 1;
    }
}

/// A table with a line for each group.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Group { title, counts } in &self.groups {
            let kinds = counts.iter().map(|(kind, count)| format!("{kind} {count}"));
            writeln!(f, "{title:<15} {}", kinds.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}

/// What no world can show in this version, since nothing produces it or the border of the SDK takes
/// it out before a core sees it. Clients publish nothing at a node that stops, which would say 203,
/// and only one that lies to its own client makes that close its link. What the number of nodes
/// bounds would take more of them, and so do topics and publishers of one client. Files go
/// to folders that take all of them and from disks that do not fail, and no certificate
/// changes in a swarm, but for a test. That a node's clients are there when it learns of a later life of
/// itself is too rare to count on.
const ABSENT: &[(&str, &str)] = &[
    ("client effect", "close"),
    ("code", "201"),
    ("code", "203"),
    // Nearly full is full for what is longer; that it was tells the reason `memory-full`.
    ("limit", "bytes held"),
    ("limit", "nodes of publishers"),
    ("limit", "other nodes"),
    ("limit", "nodes on the map"),
    ("limit", "topics watched by one client"),
    ("limit", "topics of one client decided about"),
    ("node input", "recertified"),
    ("node message", "Outlived"),
    ("reason", "bad-topic"),
    ("reason", "payload-too-long"),
    ("reason", "file-too-long"),
    ("reason", "file-not-wanted"),
    ("reason", "file-changed"),
    ("reason", "file-unreadable"),
    ("reason", "shutting-down"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_happened_is_missing_until_it_does() {
        let mut coverage = Coverage::default();
        assert!(coverage.missing().any(|missing| missing == ("code", "102")));
        coverage.code(Code::TimedOut);
        assert!(coverage.missing().all(|missing| missing != ("code", "102")));
        assert!(coverage.missing().all(|missing| missing != ("code", "203")), "not produced");
    }

    #[test]
    fn worlds_add_up() {
        let (mut all, mut one) = (Coverage::default(), Coverage::default());
        one.reason(Reason::Deadline);
        one.fault(Fault::Crash);
        all.add(&one);
        all.add(&one);
        let happened: Vec<_> = all.counts().filter(|&(_, _, count)| count > 0).collect();
        assert_eq!(happened, [("reason", "deadline", 2), ("fault", "crash", 2)]);
        assert!(all.to_string().contains("crash 2"));
    }
}
