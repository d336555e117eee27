//! What can be measured: AMOP, and what it is compared with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::case::{Case, Work};

/// One way to get messages from a client over two nodes to another client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum System {
    /// AMOP: daemons, and clients of the SDK.
    Ours,
    /// Bare QUIC with the transport settings of AMOP's links.
    Raw,
    /// The same, and it asks for sparser acknowledgements.
    RawSparseAcks,
    /// A cluster of NATS servers.
    Nats,
}

impl System {
    /// Every system, in the order in which they take turns.
    pub(crate) const ALL: [Self; 4] = [Self::Ours, Self::Raw, Self::RawSparseAcks, Self::Nats];

    /// The name on the command line and in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Raw => "raw",
            Self::RawSparseAcks => "raw-sparse-acks",
            Self::Nats => "nats",
        }
    }

    /// Whether it promises that nothing is lost as long as nothing fails. Where it does, a loss
    /// ends the benchmark; where not, losses are a figure like others.
    pub(crate) fn promises_delivery(self) -> bool {
        self != Self::Nats
    }

    /// Why this system cannot do the work of a case, if so.
    pub(crate) fn lacks(self, case: &Case) -> Option<&'static str> {
        match self {
            Self::Ours => None,
            Self::Raw | Self::RawSparseAcks if case.subscribers > 1 => {
                Some("a bare relay joins two links and copies nothing to a third")
            }
            Self::Raw | Self::RawSparseAcks if matches!(case.work, Work::Attach { .. }) => {
                Some("a bare relay takes one client")
            }
            Self::Nats if matches!(case.work, Work::Beside { .. }) => {
                Some("its client here streams or asks, one at a time")
            }
            Self::Nats if case.nodes > 2 => {
                Some("servers of a cluster are all linked with each other: none is on the way")
            }
            Self::Raw | Self::RawSparseAcks | Self::Nats => None,
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for System {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|system| system.name() == text);
        found.ok_or_else(|| format!("there are {}", Self::ALL.map(Self::name).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_is_found_by_its_name() {
        for system in System::ALL {
            assert_eq!(system.to_string().parse(), Ok(system));
        }
        let error = "natz".parse::<System>().unwrap_err();
        assert_eq!(error, "there are ours, raw, raw-sparse-acks, nats");
    }

    #[test]
    fn ours_does_every_case_and_the_others_say_what_they_lack() {
        let lacking = |system: System| {
            let lacks = |case: &&Case| system.lacks(case).is_some();
            Case::ALL.iter().filter(lacks).map(|case| case.name).collect::<Vec<_>>()
        };
        assert_eq!(lacking(System::Ours), [""; 0]);
        assert_eq!(lacking(System::Raw), ["fan-out-100", "attach-2000"]);
        let beside = "requests-1-beside-1m";
        assert_eq!(
            lacking(System::Nats),
            [beside, "three-nodes-one-way", "three-nodes-requests-64"]
        );
    }
}
