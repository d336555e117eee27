//! Multicasts that travel to several nodes, one copy for each link.
//!
//! Every node gets the part of the tree that lies behind it, as a flat list in preorder, and the way
//! that the message took so far. Whether the list is a tree is up to whoever passes it on.

use std::time::Duration;

use bytes::Bytes;

use crate::announcement::{check_count, put_nodes, read_nodes};
use crate::fields::{bad, node_id, node_id_words};
use crate::generated as pb;
use crate::limits::{HOPS_MAX, NODES_MAX};
use crate::relay::whole_millis;
use crate::{Frame, MessageError, NodeId};

/// A multicast on its way along a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The nodes that it has visited, from its home node to its present sender: 1 to
    /// [`HOPS_MAX`].
    pub way: Vec<NodeId>,
    /// The receiver and all nodes behind it, at most [`NODES_MAX`].
    pub stops: Vec<Stop>,
    /// How long it was held up so far. Travels in whole milliseconds.
    pub spent: Duration,
    /// The multicast itself, still encoded.
    pub frame: Frame,
}

/// One node of a multicast tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Who gets a copy.
    pub node: NodeId,
    /// How many hops it is away from the home node, from 1.
    pub depth: u8,
    /// Whether the message is for clients of this node, and not only to be passed on.
    pub is_exit: bool,
}

impl Tree {
    pub(crate) fn to_proto(&self) -> pb::Tree {
        let stop = |stop: &Stop| pb::Stop {
            node: node_id_words(stop.node),
            depth: Some(stop.depth.into()),
            is_exit: Some(stop.is_exit),
        };
        pb::Tree {
            way: put_nodes(&self.way),
            stops: self.stops.iter().map(stop).collect(),
            header: self.frame.header.clone(),
            spent_ms: Some(whole_millis(self.spent)),
        }
    }

    pub(crate) fn read(tree: pb::Tree, payload: Bytes) -> Result<Self, MessageError> {
        check_count("tree.way", tree.way.len(), HOPS_MAX)?;
        check_count("tree.stops", tree.stops.len(), NODES_MAX)?;
        let way = read_nodes("tree.way", tree.way)?;
        if way.is_empty() {
            return Err(bad("tree.way", "it begins nowhere"));
        }
        let stop = |stop: pb::Stop| {
            let depth = stop.depth.unwrap_or_default();
            Ok(Stop {
                node: node_id("tree.stops", stop.node)?,
                depth: u8::try_from(depth)
                    .map_err(|_| bad("tree.stops", format!("{depth} is no depth")))?,
                is_exit: stop.is_exit.unwrap_or_default(),
            })
        };
        let stops = tree.stops.into_iter().map(stop).collect::<Result<_, MessageError>>()?;
        let spent = Duration::from_millis(tree.spent_ms.unwrap_or_default().into());
        Ok(Self { way, stops, spent, frame: Frame { header: tree.header, payload } })
    }
}
