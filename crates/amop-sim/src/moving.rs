//! A client that moves away from a node that stops: it links with another one first.

use std::time::Duration;

use amop_core::client::Input as ClientInput;
use amop_core::node::Input as NodeInput;
use amop_wire::{CloseCode, CloseReason};

use crate::due::Happening;
use crate::network::{Kind, Party};
use crate::world::World;

impl World {
    /// A client wants to be elsewhere; it stays if it knows no other node.
    pub(crate) fn leave(&mut self, client: usize) {
        let (wait, slot) = (50 + self.draw(50), &mut self.clients[client]);
        if slot.homes.len() < 2 {
            return;
        }
        slot.leaves = true;
        let life = slot.life;
        self.after(Duration::from_millis(wait), Happening::Dial { client, life });
    }

    /// A client that has no link, or wants to be elsewhere, dials the next of its nodes.
    pub(crate) fn dial(&mut self, client: usize, life: u32) {
        let slot = &mut self.clients[client];
        let is_linked = slot.link.is_some() && !slot.leaves;
        if slot.life != life || slot.core.is_none() || is_linked || slot.homes.is_empty() {
            return;
        }
        let node = slot.homes[slot.next_home % slot.homes.len()];
        slot.next_home += 1;
        let name = slot.name.clone();
        if self.nodes[node].core.is_none() || self.now < self.nodes[node].paused_until {
            return self.after(Duration::from_millis(100), Happening::Dial { client, life });
        }
        let from = (Party::Client(client), life);
        let acceptor = (Party::Node(node), self.nodes[node].life);
        let link = self.network.connect(self.now, Kind::Client, from, acceptor);
        self.node_batch(node, [NodeInput::ClientUp { link, name }]);
        self.flush(from.0); // What has come, came on the link as it was.
        let slot = &mut self.clients[client];
        slot.leaves = false;
        let replaced = slot.link.replace(link);
        let node = self.nodes[node].id;
        if let Some(old) = replaced {
            self.close_old_link(client);
            self.clients[client].old_link = Some(old);
            self.files_link_down(client);
        }
        self.client_batch(client, [ClientInput::LinkUp { node }]);
    }

    /// A client closes its old link, if it has one.
    pub(crate) fn close_old_link(&mut self, client: usize) {
        let slot = &mut self.clients[client];
        let from = (Party::Client(client), slot.life);
        if let Some(old) = slot.old_link.take() {
            self.close(from, old, CloseReason::new(CloseCode::Done, "has moved"));
        }
    }
}
