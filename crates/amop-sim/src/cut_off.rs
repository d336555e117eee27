//! Which nodes can get no message from another one, so that nobody is in doubt about it.
//!
//! Where every link out of a part of the network has ended, and the near ends know it, a message that
//! goes for the other part is refused at the last of them. Whoever sent it asks another subscriber.

use std::collections::BTreeSet;
use std::time::Duration;

use amop_wire::{Instance, Instant, Topic};

use crate::network::Party;
use crate::world::{NodeId, World};

impl World {
    /// The subscribers that nothing reaches now which is sent at this node.
    pub(crate) fn cut_off(&self, from: usize, topic: &Topic) -> BTreeSet<Instance> {
        let reached = self.may_reach(from);
        let is_beyond = |home: NodeId| !reached.contains(&home.0);
        let subscribers = self.clients.iter().filter(|slot| slot.wanted.contains(topic));
        let beyond = subscribers.filter(|slot| self.home(slot).is_some_and(is_beyond));
        beyond.filter_map(|slot| Some(slot.core.as_ref()?.instance())).collect()
    }

    /// Whether no nodes linked while what was sent then was on its way, which might reach more.
    pub(crate) fn is_unlinked_after(&self, at: Instant) -> bool {
        !self.network.linked.iter().any(|&linked| at <= linked && linked <= at + ON_ITS_WAY)
    }

    /// The nodes to which lead links of which no near end knows that they have ended.
    fn may_reach(&self, from: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::from([from]);
        loop {
            let mut next = reached.clone();
            for link in self.network.links.values() {
                let [Party::Node(a), Party::Node(b)] = link.parties else { continue };
                for (near, far, end) in [(a, b, 0), (b, a, 1)] {
                    if link.ends[end].is_some() && reached.contains(&near) {
                        next.insert(far);
                    }
                }
            }
            if next == reached {
                return reached;
            }
            reached = next;
        }
    }
}

/// Longer than a message is on its way where the check of availability demands anything.
const ON_ITS_WAY: Duration = Duration::from_secs(2);
