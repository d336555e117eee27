//! Revocation lists in a world: which node goes by which, and whether the newest of each authority comes to all.
//!
//! A list is genuine if it is what its authority has made under its number; the words of a list are its number.

use std::collections::BTreeMap;

use amop_core::node::Input as NodeInput;
use amop_wire::{AuthorityId, RevocationList};
use bytes::Bytes;

use crate::fault::Fault;
use crate::network::Party;
use crate::story::{About, What};
use crate::world::{NodeId, World};

/// The lists that a node goes by, kept from one life to the next.
pub(crate) type Lists = BTreeMap<AuthorityId, RevocationList>;

impl World {
    /// An authority makes a list with the next number, and the operator of one node gives it to that. Every node
    /// has met the authority then.
    pub fn revoke(&mut self, node: NodeId, authority: u8) {
        self.coverage.fault(Fault::Revoke);
        let authority = authority_of(authority);
        let number = self.made_lists.entry(authority).or_default();
        *number += 1;
        let list = list(authority, *number);
        let (is_first, line) = (*number == 1, format!("is given list {number} of {authority:?}"));
        self.tell(What::Did(Party::Node(node.0)), About::Nothing, format_args!("{line}"));
        self.nodes[node.0].lists.insert(authority, list);
        self.show_lists(node.0);
        for other in (0..self.nodes.len()).filter(|&other| is_first && other != node.0) {
            self.show_lists(other);
        }
    }

    /// Tells a node which authorities there are, and which lists it goes by.
    pub(crate) fn show_lists(&mut self, node: usize) {
        let held = &self.nodes[node].lists;
        let made = self.made_lists.keys();
        let all: Vec<_> = made.map(|&of| (of, held.get(&of).cloned())).collect();
        if !all.is_empty() {
            self.node_batch(node, [NodeInput::Revocations(all)]);
        }
    }

    /// CRL-3: whether a list that a peer gave counts. One that does is kept.
    pub(crate) fn judge_list(&mut self, node: usize, given: &RevocationList) -> Result<(), String> {
        let made = self.made_lists.get(&given.authority).copied().unwrap_or_default();
        if given.number > made || *given != list(given.authority, given.number) {
            return Err("it is forged".to_owned());
        }
        let held = self.nodes[node].lists.get(&given.authority);
        if held.is_some_and(|held| held.number >= given.number) {
            return Err("it is not newer".to_owned());
        }
        self.nodes[node].lists.insert(given.authority, given.clone());
        Ok(())
    }

    /// CRL-2: which nodes go by an older list than one that they can reach.
    #[must_use]
    pub fn old_lists(&self) -> Vec<String> {
        let mut old = Vec::new();
        let up = |node: &usize| self.nodes[*node].core.is_some();
        for at in (0..self.nodes.len()).filter(up) {
            for of in self.in_reach(at).into_iter().filter(up) {
                for (authority, list) in &self.nodes[of].lists {
                    let held = self.nodes[at].lists.get(authority).map(|held| held.number);
                    if held < Some(list.number) {
                        let newer = list.number;
                        old.push(format!(
                            "node {at} goes by list {held:?} of {authority:?}, node {of} by {newer}"
                        ));
                    }
                }
            }
        }
        old
    }
}

/// The authority of this number: the same in every world.
pub(crate) fn authority_of(number: u8) -> AuthorityId {
    AuthorityId::of(&[number], b"key")
}

fn list(authority: AuthorityId, number: u64) -> RevocationList {
    let der = Bytes::from(format!("list {number} of {authority}"));
    RevocationList { authority, number, der }
}
