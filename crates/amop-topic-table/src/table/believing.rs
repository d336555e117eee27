//! Which of the topics that other nodes announce count here: those that their agencies may subscribe to.
//!
//! What does not count stays in what is held of the node, since that is what it has signed and what others
//! are told, but nobody is chosen for it.

use amop_wire::{Name, NodeId, Topic};

use super::TopicTable;
use crate::index::{Index, Place};
use crate::remote::Remote;
use crate::rules::Rules;

impl TopicTable {
    /// The rules that count.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Goes by other rules from now on: subscribers at other nodes count, or do not count any more.
    pub fn set_rules(&mut self, rules: Rules) {
        let before = std::mem::replace(&mut self.rules, rules);
        for (&node, remote) in self.remotes.iter().filter(|(_, remote)| remote.is_indexed) {
            for (topic, subscribers) in remote.topics().iter() {
                let (name, place) = (remote.name(), Place::Node(node));
                let was_believed = is_believed(&before, name, topic);
                let is_believed = is_believed(&self.rules, name, topic);
                for one in subscribers.filter(|_| was_believed != is_believed) {
                    if is_believed {
                        self.index.insert(topic, place, one);
                    } else {
                        self.index.remove(topic, place, one.instance);
                    }
                }
            }
        }
    }

    /// Whether what a node announces of a topic counts.
    pub(crate) fn is_believed(&self, remote: &Remote, topic: &Topic) -> bool {
        is_believed(&self.rules, remote.name(), topic)
    }
}

/// Whether rules let a node announce a topic. Who has announced nothing has no name so far.
pub(super) fn is_believed(rules: &Rules, node: Option<&Name>, topic: &Topic) -> bool {
    node.is_none_or(|node| rules.may_announce(node, topic))
}

/// Adds all that a node announces and that is believed.
pub(super) fn insert_believed(index: &mut Index, rules: &Rules, (node, remote): (NodeId, &Remote)) {
    let is_believed = |topic: &Topic| is_believed(rules, remote.name(), topic);
    for (topic, subscribers) in remote.topics().iter().filter(|(topic, _)| is_believed(topic)) {
        for subscriber in subscribers {
            index.insert(topic, Place::Node(node), subscriber);
        }
    }
}
