//! Nodes that nothing is known of but that peers say they are there.
//!
//! What a peer says that it has is not signed. So one that invents nodes could fill the room that a
//! network has, and keep out those that there are. It takes room from itself only: when there is
//! none, one of the nodes makes room that was asked of the peer that has most such claims open. If
//! nobody has any, the node makes room that could not be reached for longest.

use std::collections::BTreeMap;

use amop_wire::NodeId;

use crate::remote::Remote;

/// Which node is to be forgotten so that there is room for another that `claimer` tells of.
pub(super) fn gives_way(remotes: &BTreeMap<NodeId, Remote>, claimer: NodeId) -> Option<NodeId> {
    let mut open = BTreeMap::<NodeId, (usize, NodeId)>::new();
    for (&node, remote) in remotes.iter().filter(|(_, remote)| remote.signed().is_none()) {
        // Of this one nobody owes us an answer any more.
        let Some(peer) = remote.asked() else { return Some(node) };
        open.entry(peer).or_insert((0, node)).0 += 1;
    }
    match open.into_iter().max_by_key(|(_, (count, _))| *count) {
        Some((peer, (_, node))) => (peer != claimer).then_some(node),
        None => {
            let lost = remotes.iter().filter_map(|(&node, remote)| Some((remote.lost_at?, node)));
            lost.min().map(|(_, node)| node)
        }
    }
}
