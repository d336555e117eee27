//! Whether those who are verified are who they are said to be, where they are said to be.
//!
//! A client's core is believed about itself: which node it is attached to, in which life of the node, and
//! which keys it subscribes with. What a publisher holds true of it is judged by that.

use std::collections::{BTreeMap, BTreeSet};

use amop_core::client::Input as ClientInput;
use amop_wire::{Epoch, Instance, NodeMessage, Topic};

use crate::world::World;

/// What is known of the ends of private topics.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    /// At which node each instance links, as its client knows it.
    linked: BTreeMap<Instance, amop_wire::NodeId>,
    /// Where each instance ever was.
    was_at: BTreeSet<(Instance, amop_wire::NodeId, Epoch)>,
    /// Where each publisher was told that each subscriber is.
    seats: BTreeMap<(Instance, Topic), BTreeMap<Instance, (amop_wire::NodeId, Epoch)>>,
    /// Whom each publisher has verified so far.
    judged: BTreeSet<(Instance, Topic, Instance)>,
}

impl World {
    /// Notes what a client is told of where it is, and where others are.
    pub(crate) fn learn_seats(&mut self, client: usize, input: &ClientInput) {
        let Some(core) = &self.clients[client].core else { return };
        let (instance, verdicts) = (core.instance(), &mut self.secrets.verdicts);
        match input {
            ClientInput::LinkUp { node } => _ = verdicts.linked.insert(instance, *node),
            ClientInput::Message(
                NodeMessage::Attached { epoch, .. } | NodeMessage::Outlived { epoch },
            ) => {
                let node = verdicts.linked.get(&instance);
                verdicts.was_at.extend(node.map(|node| (instance, *node, *epoch)));
            }
            ClientInput::Message(NodeMessage::Watched(watched)) => {
                let seats = verdicts.seats.entry((instance, watched.topic.clone())).or_default();
                for seated in &watched.present {
                    seats.insert(seated.instance, (seated.node, seated.epoch));
                }
            }
            _ => {}
        }
    }

    /// PRIV-2, PRIV-3: judges everybody whom a publisher has verified for the first time. Both signed that it
    /// is at that place.
    pub(crate) fn check_verdicts(&mut self, client: usize, topic: &Topic) {
        let Some(core) = &self.clients[client].core else { return };
        let publisher = core.instance();
        let seats = self.secrets.verdicts.seats.get(&(publisher, topic.clone()));
        for (subscriber, key) in core.verified(self.now, topic) {
            if !self.secrets.verdicts.judged.insert((publisher, topic.clone(), subscriber)) {
                continue;
            }
            let seat = seats.and_then(|seats| seats.get(&subscriber));
            let was_there = seat.is_some_and(|&(node, epoch)| {
                self.secrets.verdicts.was_at.contains(&(subscriber, node, epoch))
            });
            if !was_there {
                let what = format!("{subscriber} is verified at {seat:?}, where it never was");
                self.record.broken.push(what);
            }
            let held = self.secrets.held.get(&(subscriber, topic.clone()));
            let holds = |held: &BTreeSet<u8>| {
                held.iter().any(|number| crate::private::key(*number).public() == key)
            };
            if !held.is_some_and(holds) {
                let what = format!("{subscriber} is verified by a key that it never held");
                self.record.broken.push(what);
            }
        }
    }
}
