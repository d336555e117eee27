//! Joins reports about consecutive numbers that are alike, so that a batch of them costs a few
//! bytes and one frame.

use amop_wire::{AckRun, PeerReceiptRun, ReceiptRun};

/// A report about `count` numbers from a first one on, that can be joined with its successor.
pub(crate) trait Run: Sized {
    /// Joins `next`, a report about one number, if it continues this run and says the same.
    fn join(&mut self, next: &Self) -> bool;
}

/// Adds a report, to the last run if it continues it.
pub(crate) fn push_run<R: Run>(runs: &mut Vec<R>, next: R) {
    if !runs.last_mut().is_some_and(|last| last.join(&next)) {
        runs.push(next);
    }
}

/// Takes the runs in lots that fit one frame.
pub(crate) fn take_lots<R>(runs: &mut Vec<R>) -> impl Iterator<Item = Vec<R>> {
    let mut rest = std::mem::take(runs);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let later = rest.split_off(rest.len().min(RUNS_PER_FRAME));
        Some(std::mem::replace(&mut rest, later))
    })
}

impl Run for AckRun {
    fn join(&mut self, next: &Self) -> bool {
        let continues = next.first == self.first + u64::from(self.count);
        let joined = continues && self.refused == next.refused;
        self.count += if joined { next.count } else { 0 };
        joined
    }
}

impl Run for ReceiptRun {
    fn join(&mut self, next: &Self) -> bool {
        let continues = next.first == self.first + u64::from(self.count);
        let joined = continues && self.receipt == next.receipt;
        self.count += if joined { next.count } else { 0 };
        joined
    }
}

impl Run for PeerReceiptRun {
    fn join(&mut self, next: &Self) -> bool {
        let continues = next.first.publisher == self.first.publisher
            && next.first.counter == self.first.counter + u64::from(self.count);
        let joined = continues && self.receipt == next.receipt;
        self.count += if joined { next.count } else { 0 };
        joined
    }
}

/// At some 45 bytes each they stay below the limit of a header.
const RUNS_PER_FRAME: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(first: u64, refused: bool) -> AckRun {
        AckRun { first, count: 1, refused }
    }

    #[test]
    fn consecutive_numbers_that_ended_alike_are_one_run() {
        let mut runs = Vec::new();
        for run in [ack(1, false), ack(2, false), ack(3, true), ack(5, true), ack(6, true)] {
            push_run(&mut runs, run);
        }
        let run = |first, count, refused| AckRun { first, count, refused };
        assert_eq!(runs, [run(1, 2, false), run(3, 1, true), run(5, 2, true)]);
    }

    #[test]
    fn many_runs_are_cut_into_lots_in_their_order() {
        let mut runs: Vec<AckRun> = (0..2500).map(|n| ack(2 * n, false)).collect();
        let all = runs.clone();
        let lots: Vec<_> = take_lots(&mut runs).collect();
        assert_eq!(lots.iter().map(Vec::len).collect::<Vec<_>>(), [1000, 1000, 500]);
        assert_eq!(lots.concat(), all);
        assert!(runs.is_empty());
    }
}
