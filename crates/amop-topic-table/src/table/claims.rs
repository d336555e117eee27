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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use amop_wire::limits::NODES_MAX;
    use amop_wire::{Epoch, Instant, Seq, Version};

    use super::super::TopicTable;
    use super::*;
    use crate::signing;

    const PEER: NodeId = NodeId::from_bytes([1; 32]);
    const OTHER_PEER: NodeId = NodeId::from_bytes([2; 32]);

    fn at(secs: u64) -> Instant {
        Instant::after_start(Duration::from_secs(secs))
    }

    fn node(number: usize) -> NodeId {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        NodeId::from_bytes(bytes)
    }

    /// A node that has announced itself and can be reached.
    fn announced(number: usize) -> Remote {
        let version = Version { epoch: Epoch(1), seq: Seq(1) };
        let mut remote = Remote::new(node(number), at(0));
        let pull = remote.announced(at(0), PEER, version);
        assert!(pull.is_some());
        let announcement = signing::announcement(version, Vec::new(), Vec::new());
        remote.snapshot(at(0), PEER, &announcement).expect("it is small");
        remote.lost_at = None;
        remote
    }

    /// A table that knows of as many nodes as there may be, itself among them; all of them can be reached.
    fn full() -> TopicTable {
        let mut table = TopicTable::new(signing::name(), Epoch(1));
        table.remotes = (1..NODES_MAX).map(|number| (node(number), announced(number))).collect();
        table
    }

    /// A peer tells of one of the nodes, which has announced nothing.
    fn claim(table: &mut TopicTable, number: usize, by: NodeId) {
        let mut remote = Remote::new(node(number), at(0));
        let version = Version { epoch: Epoch(1), seq: Seq(1) };
        assert!(remote.announced(at(0), by, version).is_some());
        table.remotes.insert(node(number), remote);
    }

    fn lose(table: &mut TopicTable, number: usize, secs: u64) {
        table.remotes.get_mut(&node(number)).unwrap().lost_at = Some(at(secs));
    }

    fn knows(table: &TopicTable, number: usize) -> bool {
        table.remotes.contains_key(&node(number))
    }

    const NEWCOMER: usize = NODES_MAX;

    /// SEQ-7
    #[test]
    fn the_last_node_that_a_network_may_have_is_taken_in_and_one_more_is_not_while_all_live() {
        let mut table = full();
        table.remotes.remove(&node(5));
        assert!(table.make_room(at(9), PEER, node(5)));
        table.remotes.insert(node(5), announced(5));
        assert!(!table.make_room(at(9), PEER, node(NEWCOMER)));
        assert_eq!(table.remotes.len(), NODES_MAX - 1);
        assert!(!knows(&table, NEWCOMER));
        assert!(table.make_room(at(9), PEER, node(5)), "it is known");
    }

    /// SEQ-7
    #[test]
    fn a_newcomer_takes_the_place_of_the_node_that_was_gone_for_longest() {
        let mut table = full();
        lose(&mut table, 4, 5);
        lose(&mut table, 8, 3);
        assert!(table.make_room(at(9), PEER, node(NEWCOMER)));
        assert_eq!(
            (knows(&table, 4), knows(&table, 8), knows(&table, NEWCOMER)),
            (true, false, true)
        );
        assert_eq!(table.remotes.len(), NODES_MAX - 1);
    }

    /// SEQ-7
    #[test]
    fn who_has_announced_nothing_makes_room_first_unless_the_same_peer_tells_of_the_newcomer() {
        let mut table = full();
        lose(&mut table, 4, 5);
        claim(&mut table, 8, PEER);
        assert!(!table.make_room(at(9), PEER, node(NEWCOMER)), "a peer displaces no other's nodes");
        assert!(knows(&table, 4) && knows(&table, 8));
        assert!(table.make_room(at(9), OTHER_PEER, node(NEWCOMER)));
        assert_eq!((knows(&table, 4), knows(&table, 8)), (true, false));
    }
}
