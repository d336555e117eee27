//! Remembers which numbers were seen, so that nothing sealed is taken twice.
//!
//! The last [`REORDERED_MAX`] numbers before the highest are known exactly. What is older counts as
//! seen: it may be a copy, and nobody can tell.

use crate::limits::REORDERED_MAX;

/// Which of the numbers of one key were seen.
pub(crate) struct Window {
    /// One more than the highest number that was seen.
    end: u64,
    /// Number n is bit n of these, wrapped around.
    seen: Box<[u64; WORDS]>,
}

impl Window {
    /// Whether the number was surely not seen.
    pub(crate) fn is_new(&self, number: u64) -> bool {
        if number >= self.end {
            return true;
        }
        let (word, bit) = place(number);
        self.end - number <= REORDERED_MAX && self.seen[word] & bit == 0
    }

    /// Remembers a new number, which must be that of a message that was authentic.
    pub(crate) fn mark(&mut self, number: u64) {
        if number >= self.end {
            if number - self.end >= REORDERED_MAX {
                self.seen.fill(0);
            } else {
                for skipped in self.end..number {
                    let (word, bit) = place(skipped);
                    self.seen[word] &= !bit;
                }
            }
            self.end = number.saturating_add(1);
        }
        let (word, bit) = place(number);
        self.seen[word] |= bit;
    }
}

impl Default for Window {
    fn default() -> Self {
        Self { end: 0, seen: Box::new([0; WORDS]) }
    }
}

fn place(number: u64) -> (usize, u64) {
    let at = number % REORDERED_MAX;
    (usize::try_from(at / 64).expect("a window has few words"), 1 << (at % 64))
}

const WORDS: usize = 256;
const _: () = assert!(WORDS as u64 * 64 == REORDERED_MAX, "a bit for each number");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_taken_at_the_limit_of_lateness_and_not_one_past_it() {
        let mut window = Window::default();
        window.mark(REORDERED_MAX);
        assert!(window.is_new(1), "{REORDERED_MAX} numbers are known: from 1 on");
        assert!(!window.is_new(0));
        window.mark(1);
        assert!(!window.is_new(1) && window.is_new(2));
    }

    proptest! {
        /// Against a twin that remembers everything.
        #[test]
        fn no_number_is_new_twice(
            steps in prop::collection::vec((0..3 * REORDERED_MAX, any::<bool>()), 1..200),
        ) {
            let (mut window, mut twin, mut highest) = (Window::default(), BTreeSet::new(), 0);
            for (step, ahead) in steps {
                let number = if ahead { highest + step } else { highest.saturating_sub(step) };
                let is_late = number + REORDERED_MAX <= highest;
                prop_assert_eq!(window.is_new(number), !twin.contains(&number) && !is_late);
                if window.is_new(number) {
                    window.mark(number);
                    twin.insert(number);
                    highest = highest.max(number);
                }
            }
        }
    }
}
