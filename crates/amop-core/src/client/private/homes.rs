//! At which node the publishers of private topics are, as they said last.
//!
//! A publisher that attaches elsewhere says so. One is remembered until many others have said
//! something since.

use amop_wire::{Instance, NodeId};

use crate::id_map::IdMap;

/// The node of each publisher that was heard lately.
#[derive(Debug, Default)]
pub(super) struct Homes {
    recent: IdMap<Instance, NodeId>,
    /// Those that were heard before that.
    older: IdMap<Instance, NodeId>,
}

impl Homes {
    pub(super) fn len(&self) -> usize {
        self.recent.len() + self.older.len()
    }

    pub(super) fn note(&mut self, publisher: Instance, home: NodeId) {
        if self.recent.len() >= HOMES_MAX / 2 && !self.recent.contains_key(&publisher) {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(publisher, home);
    }

    pub(super) fn get(&self, publisher: Instance) -> Option<NodeId> {
        self.recent.get(&publisher).or_else(|| self.older.get(&publisher)).copied()
    }
}

/// Most publishers that are remembered.
pub(in super::super) const HOMES_MAX: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_is_remembered_until_many_others_were_heard_since() {
        let mut homes = Homes::default();
        let node = |number| NodeId::from_bytes([number; 32]);
        homes.note(Instance(0), node(1));
        homes.note(Instance(0), node(2));
        let others = |from: u64| (0..HOMES_MAX as u64 / 2).map(move |n| Instance(from + n));
        others(1).for_each(|other| homes.note(other, node(3)));
        assert!(homes.len() <= HOMES_MAX);
        assert_eq!(homes.get(Instance(0)), Some(node(2)), "where it was last");
        others(100_000).for_each(|other| homes.note(other, node(3)));
        assert_eq!(homes.get(Instance(0)), None);
        assert!(homes.len() <= HOMES_MAX);
    }
}
