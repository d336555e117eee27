//! Whom to ask for the announcement of one node, and whom next.
//!
//! ```text
//!              a peer has a newer version
//!   ┌───────┐ ────────────────────────────▶ ┌─────────┐ ──┐ PULL_TIMEOUT, or an answer that is
//!   │ Quiet │                               │ Pulling │   │ worth nothing: ask the next that
//!   └───────┘ ◀──────────────────────────── └─────────┘ ◀─┘ says that it has it
//!              an answer, or asked too often
//! ```
//!
//! What peers say that they have is nobody's signed word, so one that lies must not keep the others
//! from being asked: they queue while one is asked.

use std::collections::VecDeque;
use std::time::Duration;

use amop_wire::{Instant, NodeId, Version};

/// One pull at a time.
#[derive(Debug, Default)]
pub(crate) struct Pulls {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Quiet,
    Pulling {
        via: Claim,
        others: VecDeque<Claim>,
        retry_at: Instant,
        tries: u32,
    },
}

/// A peer says that it has this version.
#[derive(Clone, Copy, Debug)]
struct Claim {
    peer: NodeId,
    version: Version,
}

impl Pulls {
    /// A peer says that it has a version newer than ours. Answers whom to ask now, if anybody.
    #[must_use]
    pub(crate) fn claimed(
        &mut self,
        now: Instant,
        peer: NodeId,
        version: Version,
    ) -> Option<NodeId> {
        let claim = Claim { peer, version };
        match &mut self.state {
            State::Quiet => {
                let retry_at = now + PULL_TIMEOUT;
                self.state =
                    State::Pulling { via: claim, others: VecDeque::new(), retry_at, tries: 1 };
                Some(peer)
            }
            State::Pulling { via, .. } if via.peer == peer => {
                via.version = version;
                None
            }
            State::Pulling { others, .. } => {
                if let Some(other) = others.iter_mut().find(|other| other.peer == peer) {
                    other.version = version;
                } else if others.len() < OTHERS_MAX {
                    others.push_back(claim);
                }
                None
            }
        }
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.asked().is_some()
    }

    /// The peer that owes an answer.
    pub(crate) fn asked(&self) -> Option<NodeId> {
        match &self.state {
            State::Pulling { via, .. } => Some(via.peer),
            State::Quiet => None,
        }
    }

    /// What was wanted is here.
    pub(crate) fn done(&mut self) {
        self.state = State::Quiet;
    }

    /// A peer answered with what is worth nothing, or is gone. Answers whom to ask instead, if that
    /// peer was asked and another says that it has more than we `hold`.
    #[must_use]
    pub(crate) fn in_vain(
        &mut self,
        now: Instant,
        peer: NodeId,
        held: Option<Version>,
    ) -> Option<NodeId> {
        let State::Pulling { via, others, retry_at, tries } = &mut self.state else { return None };
        others.retain(|other| other.peer != peer && Some(other.version) > held);
        if via.peer != peer {
            return None;
        }
        let Some(next) = others.pop_front().filter(|_| *tries < PULLS_MAX) else {
            self.state = State::Quiet;
            return None;
        };
        (*via, *retry_at, *tries) = (next, now + PULL_TIMEOUT, *tries + 1);
        Some(next.peer)
    }

    /// Asks again if the answer is overdue at `now`: the next that says it has it, else the same.
    #[must_use]
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<NodeId> {
        match &mut self.state {
            State::Pulling { via, others, retry_at, tries } if *retry_at <= now => {
                if *tries >= PULLS_MAX {
                    self.state = State::Quiet;
                    return None;
                }
                others.push_back(*via);
                *via = others.pop_front().expect("it was just pushed");
                (*retry_at, *tries) = (now + PULL_TIMEOUT, *tries + 1);
                Some(via.peer)
            }
            State::Pulling { .. } | State::Quiet => None,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Pulling { retry_at, .. } => Some(retry_at),
            State::Quiet => None,
        }
    }
}

/// One slow round trip between institutions, with room to spare.
const PULL_TIMEOUT: Duration = Duration::from_millis(800);

/// How often somebody is asked before it takes another claim to begin anew.
const PULLS_MAX: u32 = 5;

/// Most peers that queue: as many as can be asked.
const OTHERS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use amop_wire::{Epoch, Seq};

    const A: NodeId = NodeId::from_bytes([1; 32]);
    const B: NodeId = NodeId::from_bytes([2; 32]);
    const C: NodeId = NodeId::from_bytes([3; 32]);

    fn version(seq: u64) -> Version {
        Version { epoch: Epoch(1), seq: Seq(seq) }
    }

    #[test]
    fn a_lost_answer_is_pulled_again_but_only_once_per_timeout() {
        let (mut pulls, start) = (Pulls::default(), Instant::default());
        assert_eq!(pulls.claimed(start, A, version(7)), Some(A));
        assert_eq!(pulls.claimed(start, A, version(8)), None, "one pull is under way");

        let overdue = pulls.poll_timeout().expect("a pull has a deadline");
        assert_eq!(pulls.handle_timeout(overdue - Duration::from_millis(1)), None);
        assert_eq!(pulls.handle_timeout(overdue), Some(A));
        assert_eq!(pulls.handle_timeout(overdue), None);
    }

    #[test]
    fn a_peer_that_never_answers_is_asked_five_times() {
        let mut pulls = Pulls::default();
        assert!(pulls.claimed(Instant::default(), A, version(7)).is_some());
        let mut asked = 1;
        while let Some(overdue) = pulls.poll_timeout() {
            asked += u32::from(pulls.handle_timeout(overdue).is_some());
        }
        assert_eq!(asked, PULLS_MAX);
    }

    /// SEQ-4
    #[test]
    fn while_one_peer_keeps_quiet_the_others_that_have_it_are_asked_in_turn() {
        let (mut pulls, start) = (Pulls::default(), Instant::default());
        assert_eq!(pulls.claimed(start, A, version(7)), Some(A));
        assert_eq!(pulls.claimed(start, B, version(7)), None);
        assert_eq!(pulls.claimed(start, C, version(7)), None);
        let mut asked = Vec::new();
        while let Some(overdue) = pulls.poll_timeout() {
            asked.extend(pulls.handle_timeout(overdue));
        }
        assert_eq!(asked, [B, C, A, B]);
    }

    #[test]
    fn who_is_gone_or_answers_nonsense_is_followed_at_once_by_the_next_that_has_more() {
        let (mut pulls, start) = (Pulls::default(), Instant::default());
        for (peer, seq) in [(A, 7), (B, 5), (C, 6)] {
            let _ = pulls.claimed(start, peer, version(seq));
        }
        assert_eq!(pulls.in_vain(start, C, None), None, "it was not asked");
        assert_eq!(pulls.claimed(start, C, version(6)), None);
        assert_eq!(pulls.in_vain(start, A, Some(version(5))), Some(C), "the other has no more");
        assert_eq!(pulls.in_vain(start, C, Some(version(5))), None);
        assert!(!pulls.is_under_way(), "nobody is left");
        assert_eq!(pulls.claimed(start, B, version(6)), Some(B));
    }

    /// LIMIT-1
    #[test]
    fn no_more_peers_queue_than_can_be_asked() {
        let mut pulls = Pulls::default();
        for peer in 0..=100 {
            let _ = pulls.claimed(Instant::default(), NodeId::from_bytes([peer; 32]), version(7));
        }
        let State::Pulling { others, .. } = &pulls.state else { panic!("one is asked") };
        assert_eq!(others.len(), OTHERS_MAX);
    }
}
