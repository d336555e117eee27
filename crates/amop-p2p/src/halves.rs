//! Notices a peer that begins a frame and does not end it.
//!
//! What has come of such a frame is kept until the rest comes, so whoever never sends the rest would have it
//! kept for ever. A lane with half a frame has a deadline. It is put off when the frame ends, and when so many
//! bytes more have come, on this lane or on a more urgent one: those may hold it up without any fault of the
//! peer, while a single byte now and then puts nothing off.

use std::time::Duration;

use amop_wire::Lane;
use tokio::time::Instant;

use crate::lane::Progress;
use crate::waiting::Waiting;

/// The halves of frames on the lanes of one link, most urgent lane first.
#[derive(Debug)]
pub(crate) struct Halves {
    lanes: [Option<Half>; Lane::COUNT],
    /// How many bytes of them are kept.
    bytes: usize,
    /// Counts what is kept here and elsewhere.
    waiting: Waiting,
}

/// Half a frame.
#[derive(Clone, Copy, Debug)]
struct Half {
    deadline: Instant,
    /// What has come since the deadline was set, here and on more urgent lanes.
    arrived: usize,
}

impl Halves {
    pub(crate) fn new(waiting: Waiting) -> Self {
        Self { lanes: [None; Lane::COUNT], bytes: 0, waiting }
    }

    /// Takes in what the lanes read. The clock is read only if a deadline is to be set.
    pub(crate) fn note(
        &mut self,
        read: [Progress; Lane::COUNT],
        patience: Duration,
        now: impl Fn() -> Instant,
    ) {
        let mut arrived = 0;
        for (half, read) in self.lanes.iter_mut().zip(&read) {
            arrived += read.bytes;
            let before = half.filter(|_| !read.has_ended).map(|half| half.arrived + arrived);
            *half = match (read.kept, *half, before) {
                (0, ..) => None,
                (_, Some(half), Some(arrived)) if arrived < ENOUGH_BYTES => {
                    Some(Half { arrived, ..half })
                }
                _ => Some(Half { deadline: now() + patience, arrived: 0 }),
            };
        }
        let kept = read.iter().map(|read| read.kept).sum::<usize>();
        if kept > self.bytes {
            self.waiting.add(kept - self.bytes);
        } else if kept < self.bytes {
            self.waiting.sub(self.bytes - kept);
        }
        self.bytes = kept;
    }

    /// The first deadline, and on which lane, if any has half a frame.
    pub(crate) fn first(&self) -> Option<(Instant, usize)> {
        let deadlines = self.lanes.iter().enumerate();
        deadlines.filter_map(|(lane, half)| Some(((*half)?.deadline, lane))).min()
    }
}

impl Drop for Halves {
    fn drop(&mut self) {
        self.waiting.sub(self.bytes);
    }
}

/// What must come within the patience at least: any link that lives carries so much.
const ENOUGH_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);
    const NOTHING: Progress = Progress { bytes: 0, has_ended: false, kept: 0 };

    fn half(bytes: usize, kept: usize) -> Progress {
        Progress { bytes, has_ended: false, kept }
    }

    #[expect(clippy::disallowed_methods, reason = "an instant cannot be made from nothing")]
    fn epoch() -> Instant {
        Instant::now()
    }

    /// The first deadline in seconds, and its lane, after reads at the given seconds; and what is kept.
    fn first_after(reads: &[(u64, [Progress; Lane::COUNT])]) -> (Option<(u64, usize)>, usize) {
        let (start, waiting) = (epoch(), Waiting::default());
        let mut halves = Halves::new(waiting.clone());
        for &(second, read) in reads {
            halves.note(read, PATIENCE, || start + Duration::from_secs(second));
        }
        let first = halves.first().map(|(at, lane)| ((at - start).as_secs(), lane));
        (first, waiting.bytes())
    }

    #[test]
    fn a_frame_that_is_begun_has_a_deadline_and_one_that_ends_has_none() {
        let begun = [NOTHING, half(100, 100), NOTHING, NOTHING, NOTHING];
        assert_eq!(first_after(&[(3, begun)]), (Some((33, 1)), 100));
        let ended =
            [NOTHING, Progress { bytes: 10, has_ended: true, kept: 0 }, NOTHING, NOTHING, NOTHING];
        assert_eq!(first_after(&[(3, begun), (4, ended)]), (None, 0));
        let next =
            [NOTHING, Progress { bytes: 10, has_ended: true, kept: 5 }, NOTHING, NOTHING, NOTHING];
        assert_eq!(first_after(&[(3, begun), (4, next)]), (Some((34, 1)), 5), "that of the next");
    }

    #[test]
    fn a_deadline_is_put_off_by_much_and_not_by_little() {
        let lane = |bytes, kept| [NOTHING, NOTHING, half(bytes, kept), NOTHING, NOTHING];
        let drip = [(0, lane(1, 1)), (9, lane(1, 2)), (18, lane(ENOUGH_BYTES - 2, ENOUGH_BYTES))];
        assert_eq!(first_after(&drip), (Some((30, 2)), ENOUGH_BYTES));
        let flow = [(0, lane(1, 1)), (9, lane(ENOUGH_BYTES, ENOUGH_BYTES + 1))];
        assert_eq!(first_after(&flow).0, Some((39, 2)));
        let in_parts = [(0, lane(1, 1)), (9, lane(9000, 9001)), (20, lane(9000, 18_001))];
        assert_eq!(first_after(&in_parts).0, Some((50, 2)));
    }

    #[test]
    fn a_more_urgent_lane_that_flows_puts_a_deadline_off_and_not_the_reverse() {
        let waits = half(0, 7);
        let starved = [(0, [NOTHING, NOTHING, NOTHING, half(7, 7), NOTHING])];
        let busy = Progress { bytes: ENOUGH_BYTES, has_ended: true, kept: 0 };
        let flows = |lane: usize, of: usize| {
            let mut read = [NOTHING; Lane::COUNT];
            (read[lane], read[of]) = (busy, waits);
            read
        };
        assert_eq!(first_after(&[starved[0], (5, flows(2, 3))]).0, Some((35, 3)));
        let begun = [(0, [NOTHING, half(7, 7), NOTHING, NOTHING, NOTHING])];
        assert_eq!(first_after(&[begun[0], (5, flows(2, 1))]).0, Some((30, 1)));
    }

    #[test]
    fn what_was_kept_of_a_link_that_has_ended_counts_no_more() {
        let waiting = Waiting::default();
        let mut halves = Halves::new(waiting.clone());
        halves.note([half(5, 5), NOTHING, half(9, 9), NOTHING, NOTHING], PATIENCE, epoch);
        assert_eq!(waiting.bytes(), 14);
        drop(halves);
        assert_eq!(waiting.bytes(), 0);
    }
}
