//! Messages that travel over other nodes.
//!
//! The first sender names the whole path. Every node on it checks that the message came from the
//! hop before and passes it on to the hop behind, so that a path without repetition cannot loop.
//! What is passed on stays encoded; only its last receiver reads it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::announcement::{put_nodes, read_nodes};
use crate::fields::bad;
use crate::generated as pb;
use crate::limits::HOPS_MAX;
use crate::{Frame, Lane, MessageError, NodeId};

/// The nodes that a message visits, from its first sender to its last receiver: 3 to
/// [`HOPS_MAX`]` + 1` of them, all different. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Arc<[NodeId]>);

/// A message on its way along a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// The whole path.
    pub path: Path,
    /// Which node of the path gets it next, from 1.
    pub position: usize,
    /// The lane that it travels on.
    pub lane: Lane,
    /// How long it was held up so far. Travels in whole milliseconds.
    pub spent: Duration,
    /// The message itself, still encoded.
    pub frame: Frame,
}

/// A message on its way back, because it could not be passed on and never will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The path of the message.
    pub path: Path,
    /// Which node of the path gets it next, from 0: its first sender.
    pub position: usize,
    /// The header of the message, still encoded.
    pub header: Bytes,
}

impl Path {
    /// Checks a path. Answers `None` if it is too short, too long, or visits a node twice.
    #[must_use]
    pub fn new(nodes: &[NodeId]) -> Option<Self> {
        let is_simple = || {
            let mut sorted = nodes.to_vec();
            sorted.sort_unstable();
            sorted.windows(2).all(|pair| pair[0] != pair[1])
        };
        ((3..=HOPS_MAX + 1).contains(&nodes.len()) && is_simple()).then(|| Self(nodes.into()))
    }

    /// The same way back.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self(self.0.iter().rev().copied().collect())
    }

    /// The nodes in the order in which they are visited.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        &self.0
    }

    /// The first sender.
    #[must_use]
    pub fn source(&self) -> NodeId {
        self.0[0]
    }

    /// The last receiver.
    #[must_use]
    pub fn target(&self) -> NodeId {
        self.0[self.0.len() - 1]
    }

    fn read(field: &'static str, hops: Vec<pb::NodeId>) -> Result<Self, MessageError> {
        let nodes = read_nodes(field, hops)?;
        Self::new(&nodes).ok_or_else(|| bad(field, "they are no path"))
    }
}

impl AsRef<[NodeId]> for Path {
    fn as_ref(&self) -> &[NodeId] {
        &self.0
    }
}

impl Relay {
    pub(crate) fn to_proto(&self) -> pb::Relay {
        pb::Relay {
            position: u32::try_from(self.position).ok(),
            lane: Some(self.lane.number().into()),
            spent_ms: Some(whole_millis(self.spent)),
            hops: put_nodes(&self.path.0),
            header: self.frame.header.clone(),
        }
    }

    pub(crate) fn read(relay: pb::Relay, payload: Bytes) -> Result<Self, MessageError> {
        let lane = match relay.lane {
            Some(1) => Lane::Replies,
            Some(2) => Lane::Unicasts,
            Some(3) => Lane::Multicasts,
            other => {
                let number = other.unwrap_or_default();
                return Err(bad("relay.lane", format!("nothing is passed on on lane {number}")));
            }
        };
        let path = Path::read("relay.hops", relay.hops)?;
        let position = read_position("relay.position", relay.position, 1, &path)?;
        let spent = Duration::from_millis(relay.spent_ms.unwrap_or_default().into());
        Ok(Self { path, position, lane, spent, frame: Frame { header: relay.header, payload } })
    }
}

impl Returned {
    pub(crate) fn to_proto(&self) -> pb::Returned {
        pb::Returned {
            position: u32::try_from(self.position).ok(),
            hops: put_nodes(&self.path.0),
            header: self.header.clone(),
        }
    }

    pub(crate) fn read(returned: pb::Returned) -> Result<Self, MessageError> {
        let path = Path::read("returned.hops", returned.hops)?;
        let position = read_position("returned.position", returned.position, 0, &path)?;
        Ok(Self { path, position, header: returned.header })
    }
}

pub(crate) fn whole_millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}

fn read_position(
    field: &'static str,
    position: Option<u32>,
    least: usize,
    path: &Path,
) -> Result<usize, MessageError> {
    let position = usize::try_from(position.unwrap_or_default()).unwrap_or(usize::MAX);
    if (least..path.0.len()).contains(&position) {
        Ok(position)
    } else {
        Err(bad(field, format!("{position} is not on the path")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(numbers: impl IntoIterator<Item = u8>) -> Option<Path> {
        let node = |number| NodeId::from_bytes([number; 32]);
        Path::new(&numbers.into_iter().map(node).collect::<Vec<_>>())
    }

    #[test]
    fn a_path_has_a_node_between_its_ends_at_most_eight_hops_and_no_node_twice() {
        assert_eq!(path([1, 2]), None, "nothing is relayed to a neighbour");
        assert!(path([1, 2, 3]).is_some());
        assert!(path(0..9).is_some());
        assert_eq!(path(0..10), None);
        assert_eq!(path([1, 2, 3, 1]), None);
    }

    #[test]
    fn the_way_back_visits_the_same_nodes_the_other_way_round() {
        assert_eq!(path([1, 2, 3]).unwrap().reversed(), path([3, 2, 1]).unwrap());
    }
}
