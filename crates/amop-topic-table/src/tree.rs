//! The tree along which one message reaches many nodes, each link carrying one copy.
//!
//! A tree is a flat list of stops in preorder, each with its depth: a stop is followed by all that
//! lies behind it, which is deeper than itself. So the part that a neighbour gets is a slice of
//! what we got, and a relay that knows nothing of the network can cut its own part further:
//!
//! ```text
//!         ┌─ 2 ── 3              1 at depth 1 ┐
//!   0 ─ 1 ┤                      2 at depth 2 │ ┐          the part for 1, who sends on
//!         └─ 4                   3 at depth 3 │ ┘ part for 2
//!                                4 at depth 2 ┘ ] part for 4
//! ```
//!
//! Depths count from the home node and grow on every way, so that whatever list somebody makes up,
//! it moves on at most [`HOPS_MAX`] times.

use std::collections::{BTreeMap, BTreeSet};

use amop_wire::limits::{HOPS_MAX, NODES_MAX};
use amop_wire::{NodeId, Stop};

use crate::map::{Labels, Map};

/// The way of one message to many nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    stops: Vec<Stop>,
    unreachable: Vec<NodeId>,
}

impl Tree {
    /// The parts of the home node's neighbours, one for each that gets a copy.
    pub fn branches(&self) -> impl Iterator<Item = Branch<'_>> {
        branches(&self.stops)
    }

    /// All stops in preorder: the [branches](Self::branches) one after the other.
    #[must_use]
    pub fn stops(&self) -> &[Stop] {
        &self.stops
    }

    /// The exits that no path leads to, in the order of their ids.
    #[must_use]
    pub fn unreachable(&self) -> &[NodeId] {
        &self.unreachable
    }
}

/// The part of a tree that one node gets: itself, and all that lies behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch<'a> {
    stops: &'a [Stop],
}

impl<'a> Branch<'a> {
    /// Reads a branch that came from another node.
    ///
    /// Whether its [node](Self::node) is the receiver is left to the caller.
    ///
    /// # Errors
    ///
    /// Every [`BadBranch`] is the fault of whoever made the tree.
    pub fn new(stops: &'a [Stop]) -> Result<Self, BadBranch> {
        let Some(first) = stops.first() else { return Err(BadBranch::Empty) };
        if stops.len() > NODES_MAX {
            return Err(BadBranch::TooLong { stops: stops.len() });
        }
        if stops.iter().any(|stop| !(1..=HOPS_MAX).contains(&usize::from(stop.depth))) {
            return Err(BadBranch::Depth);
        }
        let hangs_on =
            |pair: &[Stop]| (first.depth + 1..=pair[0].depth + 1).contains(&pair[1].depth);
        if !stops.windows(2).all(hangs_on) {
            return Err(BadBranch::Torn);
        }
        let ends_well = |pair: &[Stop]| pair[0].is_exit || pair[1].depth > pair[0].depth;
        if !stops.windows(2).all(ends_well) || !stops[stops.len() - 1].is_exit {
            return Err(BadBranch::Aimless);
        }
        let nodes: BTreeSet<NodeId> = stops.iter().map(|stop| stop.node).collect();
        if nodes.len() < stops.len() {
            return Err(BadBranch::Twice);
        }
        Ok(Self { stops })
    }

    /// The node that this is for.
    #[must_use]
    pub fn node(self) -> NodeId {
        self.stops[0].node
    }

    /// Whether that node hands the message to clients of its own.
    #[must_use]
    pub fn is_exit(self) -> bool {
        self.stops[0].is_exit
    }

    /// The parts that it sends on, one for each neighbour that gets a copy.
    pub fn branches(self) -> impl Iterator<Item = Branch<'a>> {
        branches(&self.stops[1..])
    }

    /// What to put into the message for the node.
    #[must_use]
    pub fn stops(self) -> &'a [Stop] {
        self.stops
    }
}

/// What is wrong with a list that should be a branch. Nothing may be sent on by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadBranch {
    /// There is no stop, so it is for nobody.
    #[error("branch without a stop")]
    Empty,
    /// There are more stops than a network has nodes.
    #[error("branch of {stops} stops is over the limit of {NODES_MAX}")]
    TooLong {
        /// How many there are.
        stops: usize,
    },
    /// A depth is zero, or more than a message may travel.
    #[error("branch with a depth that is not within 1 and {HOPS_MAX}")]
    Depth,
    /// A stop is not behind the first one, or the stop between them is missing.
    #[error("branch with a stop that hangs on none")]
    Torn,
    /// It ends at a node that is no exit.
    #[error("branch that ends at no exit")]
    Aimless,
    /// A node would get two copies.
    #[error("branch with a node that occurs twice")]
    Twice,
}

/// Cuts a list into runs that each begin at the depth of the first stop.
fn branches(mut stops: &[Stop]) -> impl Iterator<Item = Branch<'_>> {
    std::iter::from_fn(move || {
        let first = stops.first()?;
        let behind = stops[1..].iter().take_while(|stop| stop.depth > first.depth).count();
        let (branch, rest) = stops.split_at(1 + behind);
        stops = rest;
        Some(Branch { stops: branch })
    })
}

/// Joins the ways to the exits into one tree.
///
/// Where two ways reach a relay with different numbers of hops, because the shorter one passes a
/// node that is worth avoiding and the longer one would lead some exits out of reach, both take the
/// shorter: one copy for each node goes before preference.
pub(crate) fn tree(map: &Map, labels: &Labels, exits: &[NodeId]) -> Tree {
    let exits: BTreeSet<NodeId> = exits.iter().copied().collect();
    let mut reached = Vec::new();
    let mut unreachable = Vec::new();
    let mut shortest = BTreeMap::<usize, usize>::new();
    for &exit in &exits {
        let Some((spot, last)) =
            map.spot(exit).and_then(|spot| Some((spot, labels.cheapest(spot)?)))
        else {
            unreachable.push(exit);
            continue;
        };
        reached.push(spot);
        for position in labels.back(last) {
            let first = shortest.entry(labels.label(position).node).or_insert(position);
            *first = position.min(*first); // Labels with fewer hops come first.
        }
    }
    let stops = preorder(map, &children(labels, &shortest, &reached), &exits);
    Tree { stops, unreachable }
}

/// The nodes behind each node, in the order of their ids. Only ways that lead to an exit are
/// walked: one that was given up for a shorter one leaves nothing behind.
fn children(
    labels: &Labels,
    shortest: &BTreeMap<usize, usize>,
    exits: &[usize],
) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut children = BTreeMap::<usize, BTreeSet<usize>>::new();
    for &exit in exits {
        let mut node = exit;
        while let Some(parent) = labels.label(shortest[&node]).parent {
            let parent = labels.label(parent).node;
            if !children.entry(parent).or_default().insert(node) {
                break; // The rest of the way is there already.
            }
            node = parent;
        }
    }
    children
}

fn preorder(
    map: &Map,
    children: &BTreeMap<usize, BTreeSet<usize>>,
    exits: &BTreeSet<NodeId>,
) -> Vec<Stop> {
    let mut stops = Vec::new();
    let mut waiting = vec![(map.own(), 0)];
    while let Some((spot, depth)) = waiting.pop() {
        if depth > 0 {
            let node = map.id(spot);
            stops.push(Stop { node, depth, is_exit: exits.contains(&node) });
        }
        let behind = children.get(&spot).into_iter().flatten().rev();
        waiting.extend(behind.map(|&child| (child, depth + 1)));
    }
    stops
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: usize) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        NodeId::from_bytes(bytes)
    }

    fn stop(number: usize, depth: u8) -> Stop {
        Stop { node: node(number), depth, is_exit: true }
    }

    #[test]
    fn a_branch_is_cut_into_what_each_neighbour_gets() {
        let stops = [stop(1, 3), stop(2, 4), stop(3, 5), stop(4, 5), stop(5, 4)];
        let branch = Branch::new(&stops).unwrap();
        assert_eq!((branch.node(), branch.is_exit()), (node(1), true));
        let parts: Vec<&[Stop]> = branch.branches().map(Branch::stops).collect();
        assert_eq!(parts, [&stops[1..4], &stops[4..]]);
        assert_eq!(branch.branches().flat_map(Branch::branches).count(), 2);
        assert_eq!(Branch::new(&stops[4..]).unwrap().branches().count(), 0);
    }

    #[test]
    fn a_list_that_is_no_branch_is_refused() {
        let bad = |stops: &[Stop]| Branch::new(stops).unwrap_err();
        assert_eq!(bad(&[]), BadBranch::Empty);
        assert_eq!(bad(&[stop(1, 0)]), BadBranch::Depth);
        assert_eq!(bad(&[stop(1, 2), stop(2, 1)]), BadBranch::Torn, "above the first");
        assert_eq!(bad(&[stop(1, 1), stop(2, 1)]), BadBranch::Torn, "beside the first");
        assert_eq!(bad(&[stop(1, 1), stop(2, 3)]), BadBranch::Torn, "nobody in between");
        assert_eq!(bad(&[stop(1, 1), stop(2, 2), stop(1, 3)]), BadBranch::Twice);
        let relay = Stop { is_exit: false, ..stop(2, 2) };
        assert_eq!(bad(&[stop(1, 1), relay]), BadBranch::Aimless);
        assert_eq!(bad(&[stop(1, 1), relay, stop(3, 2)]), BadBranch::Aimless);
        assert!(Branch::new(&[stop(1, 1), relay, stop(3, 3)]).is_ok());
    }

    #[test]
    fn a_branch_has_at_most_as_many_stops_as_a_network_has_nodes_and_eight_hops() {
        let wide: Vec<Stop> = (0..=NODES_MAX).map(|n| stop(n, 1 + u8::from(n > 0))).collect();
        assert!(Branch::new(&wide[..NODES_MAX]).is_ok());
        let stops = NODES_MAX + 1;
        assert_eq!(Branch::new(&wide).unwrap_err(), BadBranch::TooLong { stops });

        let deep: Vec<Stop> = (1..=9).map(|depth| stop(usize::from(depth), depth)).collect();
        assert!(Branch::new(&deep[..HOPS_MAX]).is_ok());
        assert_eq!(Branch::new(&deep).unwrap_err(), BadBranch::Depth);
        assert_eq!(Branch::new(&[stop(1, u8::MAX)]).unwrap_err(), BadBranch::Depth);
    }
}
