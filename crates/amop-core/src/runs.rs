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
        let joined = continues && self.end == next.end;
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
    use amop_wire::AckEnd;

    use super::*;

    fn ack(first: u64, end: AckEnd) -> AckRun {
        AckRun { first, count: 1, end }
    }

    #[test]
    fn consecutive_numbers_that_ended_alike_are_one_run() {
        let mut runs = Vec::new();
        let [taken, refused, copy] = [AckEnd::Taken, AckEnd::Refused, AckEnd::Copy];
        let ended = [(1, taken), (2, taken), (3, refused), (5, refused), (6, refused), (7, copy)];
        for (number, end) in ended {
            push_run(&mut runs, ack(number, end));
        }
        let run = |first, count, end| AckRun { first, count, end };
        let expected = [run(1, 2, taken), run(3, 1, refused), run(5, 2, refused), run(7, 1, copy)];
        assert_eq!(runs, expected);
    }

    #[test]
    fn many_runs_are_cut_into_lots_in_their_order() {
        let mut runs: Vec<AckRun> = (0..2500).map(|n| ack(2 * n, AckEnd::Taken)).collect();
        let all = runs.clone();
        let lots: Vec<_> = take_lots(&mut runs).collect();
        assert_eq!(lots.iter().map(Vec::len).collect::<Vec<_>>(), [1000, 1000, 500]);
        assert_eq!(lots.concat(), all);
        assert!(runs.is_empty());
    }
}
