//! Who else may have all of a file, so that the no of one does not speak for the others.

use std::collections::BTreeSet;

use amop_wire::Instance;

/// Receivers that a transfer went to before and that may have all of it.
#[derive(Debug, Default)]
pub(super) struct Holders(BTreeSet<Instance>);

impl Holders {
    /// One more may have it. Past the limit none is forgotten any more, since nobody knows who they all are.
    pub(super) fn add(&mut self, receiver: Instance) {
        if !self.is_full() {
            self.0.insert(receiver);
        }
    }

    /// One says that it has not.
    pub(super) fn remove(&mut self, receiver: Instance) {
        if !self.is_full() {
            self.0.remove(&receiver);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn is_full(&self) -> bool {
        self.0.len() >= HOLDERS_MAX
    }
}

/// Nodes say where a receiver is, and could name another one each time.
const HOLDERS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// FILE-10
    #[test]
    fn past_the_limit_whoever_says_no_leaves_doubt() {
        let all = |count: usize| (1..=count as u64).map(Instance);
        for (count, is_known) in [(HOLDERS_MAX - 1, true), (HOLDERS_MAX, false), (1000, false)] {
            let mut holders = Holders::default();
            all(count).for_each(|holder| holders.add(holder));
            assert_eq!(holders.0.len(), count.min(HOLDERS_MAX));
            all(count).for_each(|holder| holders.remove(holder));
            assert_eq!(holders.is_empty(), is_known, "{count}");
        }
    }
}
