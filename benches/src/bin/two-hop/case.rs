//! What is measured.

use serde::{Deserialize, Serialize};

/// A network and what its clients do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    /// The name on the command line and in reports.
    pub(crate) name: &'static str,
    /// How many nodes are between the two clients.
    pub(crate) nodes: usize,
    /// How many clients get each one-way message. Where there are several, they are spread over
    /// all nodes; a single one is at the last node.
    pub(crate) subscribers: u32,
    pub(crate) work: Work,
}

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    /// Messages in one direction, as fast as they go through.
    OneWay { payload_bytes: usize },
    /// So many messages in one direction, as fast as they go through.
    Bulk { payload_bytes: usize, messages: u64 },
    /// Requests of 256 bytes, each answered by the other client with the bytes of the request.
    Requests {
        /// How many wait for their answer at any time.
        in_flight: u32,
    },
    /// One request after another: first alone, then beside messages in one direction, as fast as they go
    /// through, of the same client to the same subscriber.
    Beside { payload_bytes: usize },
    /// Clients that attach to one node and then do nothing.
    Attach { clients: u32 },
}

impl Case {
    /// Every case, in the order in which they run.
    pub(crate) const ALL: [Self; 14] = [
        Self::one_way("one-way-16", 16),
        Self::one_way("one-way-256", 256),
        Self::one_way("one-way-4k", 4 << 10),
        Self::one_way("one-way-64k", 64 << 10),
        Self::one_way("one-way-1m", 1 << 20),
        Self::two_nodes("requests-1", Work::Requests { in_flight: 1 }),
        Self::two_nodes("requests-64", Work::Requests { in_flight: 64 }),
        Self::two_nodes("requests-1024", Work::Requests { in_flight: 1024 }),
        Self::two_nodes("requests-1-beside-1m", Work::Beside { payload_bytes: 1 << 20 }),
        Self { subscribers: 100, ..Self::one_way("fan-out-100", 256) },
        Self { nodes: 3, ..Self::one_way("three-nodes-one-way", 256) },
        Self {
            nodes: 3,
            ..Self::two_nodes("three-nodes-requests-64", Work::Requests { in_flight: 64 })
        },
        Self::two_nodes("bulk-1g", Work::Bulk { payload_bytes: 1 << 20, messages: 1 << 10 }),
        Self {
            nodes: 1,
            subscribers: 0,
            ..Self::two_nodes("attach-2000", Work::Attach { clients: 2000 })
        },
    ];

    /// Whether the case takes as long as it takes, so that it runs only when it is asked for.
    pub(crate) fn is_long(&self) -> bool {
        matches!(self.work, Work::Bulk { .. } | Work::Attach { .. })
    }

    /// The same with so little work that it proves no more than that it goes through.
    pub(crate) fn small(mut self) -> Self {
        self.subscribers = self.subscribers.min(10);
        match &mut self.work {
            Work::Bulk { messages, .. } => *messages = 16,
            Work::Attach { clients } => *clients = 20,
            Work::OneWay { .. } | Work::Requests { .. } | Work::Beside { .. } => {}
        }
        self
    }

    const fn one_way(name: &'static str, payload_bytes: usize) -> Self {
        Self::two_nodes(name, Work::OneWay { payload_bytes })
    }

    const fn two_nodes(name: &'static str, work: Work) -> Self {
        Self { name, nodes: 2, subscribers: 1, work }
    }
}

/// The length of every request and of every answer.
pub(crate) const REQUEST_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let mut names = Case::ALL.map(|case| case.name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }

    #[test]
    fn a_small_case_is_the_same_kind_of_work_in_the_same_network() {
        for case in Case::ALL {
            let small = case.clone().small();
            assert_eq!((small.name, small.nodes), (case.name, case.nodes));
            let kind = |case: &Case| std::mem::discriminant(&case.work);
            assert_eq!(kind(&small), kind(&case));
            assert_eq!(small.subscribers == 0, case.subscribers == 0);
        }
    }
}
