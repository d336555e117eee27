//! Who may receive a file: the subscribers of its topic, as a node names them to its client.

use crate::fields::{bad, name, text};
use crate::generated as pb;
use crate::limits::FILE_RECEIVERS_MAX;
use crate::{FileEnd, Instance, MessageError, Name, NodeId};

/// Who subscribes to a topic, as far as a node knows and can reach them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileFound {
    receivers: Vec<FoundReceiver>,
    left_out: u32,
}

/// A subscriber that may receive a file, and where it is attached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundReceiver {
    /// The certified name of its node.
    pub node: Name,
    /// The client.
    pub instance: Instance,
}

impl FoundReceiver {
    /// How a transfer names it.
    #[must_use]
    pub fn end(&self) -> FileEnd {
        FileEnd { instance: self.instance, node: NodeId::of(&self.node) }
    }
}

impl FileFound {
    /// Names all of these, or, if they are more than [`FILE_RECEIVERS_MAX`] or than fit a header, the first ones.
    /// Those of one node stand best together.
    #[must_use]
    pub fn new(all: impl IntoIterator<Item = FoundReceiver>) -> Self {
        let (mut found, mut bytes) = (Self::default(), 0);
        for receiver in all {
            let is_next_node = found.receivers.last().is_none_or(|last| last.node != receiver.node);
            let node_bytes = if is_next_node { receiver.node.as_bytes().len() + 16 } else { 0 };
            bytes += node_bytes + 8;
            if found.receivers.len() < FILE_RECEIVERS_MAX && bytes <= BYTES_MAX {
                found.receivers.push(receiver);
            } else {
                found.left_out = found.left_out.saturating_add(1);
            }
        }
        found
    }

    /// Those that are named.
    #[must_use]
    pub fn receivers(&self) -> &[FoundReceiver] {
        &self.receivers
    }

    /// How many more there are.
    #[must_use]
    pub fn left_out(&self) -> u32 {
        self.left_out
    }

    pub(crate) fn to_proto(&self, route: Option<pb::FileRoute>) -> pb::FileFound {
        let of_one_node = |one: &FoundReceiver, other: &FoundReceiver| one.node == other.node;
        let at = self.receivers.chunk_by(of_one_node).map(|receivers| pb::FileFoundAt {
            node: text(receivers[0].node.as_bytes()),
            instances: receivers.iter().map(|receiver| receiver.instance.0).collect(),
        });
        pb::FileFound { route, left_out: Some(self.left_out), at: at.collect() }
    }
}

pub(crate) fn read_found(found: &pb::FileFound) -> Result<FileFound, MessageError> {
    let count: usize = found.at.iter().map(|at| at.instances.len()).sum();
    if count > FILE_RECEIVERS_MAX {
        let why = format!("{count} receivers are over the limit of {FILE_RECEIVERS_MAX}");
        return Err(bad("file_found.at", why));
    }
    let mut receivers = Vec::with_capacity(count);
    for at in &found.at {
        let node = name("file_found.node", &at.node)?;
        let here = |&instance| FoundReceiver { node: node.clone(), instance: Instance(instance) };
        receivers.extend(at.instances.iter().map(here));
    }
    Ok(FileFound { receivers, left_out: found.left_out.unwrap_or_default() })
}

/// What fits a header beside the route, with room to spare.
const BYTES_MAX: usize = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(node: usize, instance: usize) -> FoundReceiver {
        let long = format!("{}-{node:04}", "x".repeat(50));
        let node = format!("n1.node.{long}.{long}.amop").parse().unwrap();
        FoundReceiver { node, instance: Instance(instance as u64) }
    }

    #[test]
    fn as_many_are_named_as_may_be_and_the_others_counted() {
        let all = |count| FileFound::new((0..count).map(|instance| receiver(0, instance)));
        assert_eq!((all(1024).receivers().len(), all(1024).left_out()), (1024, 0));
        assert_eq!((all(1025).receivers().len(), all(1025).left_out()), (1024, 1));
    }

    #[test]
    fn what_is_named_fits_a_header_however_many_nodes_they_are_at() {
        use prost::Message as _;
        let found = FileFound::new((0..1024).map(|n| receiver(n, n)));
        let named = found.receivers().len();
        assert!(named > 400 && found.left_out() as usize == 1024 - named, "{named}");
        assert!(found.to_proto(None).encoded_len() < BYTES_MAX);
    }
}
