//! Links that end and are dialed again.

use std::time::Duration;

use amop_core::client::Input as ClientInput;
use amop_core::node::{Input as NodeInput, LinkId};

use crate::due::Happening;
use crate::network::Party;
use crate::world::World;

impl World {
    /// One end learns that its link has ended.
    pub(crate) fn notice(&mut self, link: LinkId, end: usize) {
        let Some((party, reason)) = self.link_ended(link, end) else { return };
        self.flush(party);
        match party {
            Party::Node(node) => self.node_batch(node, [NodeInput::LinkDown { link }]),
            Party::Client(client) if self.clients[client].link == Some(link) => {
                self.clients[client].link = None;
                self.clients[client].leaves = false;
                self.client_batch(client, [ClientInput::LinkDown]);
                self.files_link_down(client);
                let (wait, life) = (100 + self.draw(100), self.clients[client].life);
                self.after(Duration::from_millis(wait), Happening::Dial { client, life });
            }
            Party::Client(client) if self.clients[client].old_link == Some(link) => {
                self.clients[client].old_link = None;
                self.client_batch(client, [ClientInput::OldLinkDown]);
            }
            Party::Client(_) => {}
            Party::Stranger(stranger) => self.strangers[stranger].end = Some(reason),
        }
    }

    /// Looks after a link between nodes, as long as the world lasts: dials if none leads to the
    /// peer, whoever dialed the last.
    pub(crate) fn peer_dial(&mut self, dialer: usize) {
        let (from, to) = self.dialers[dialer];
        let wait = Duration::from_millis(100 + self.draw(200));
        self.after(wait, Happening::PeerDial { dialer });
        if [from, to].into_iter().any(|node| self.now < self.nodes[node].paused_until) {
            return;
        }
        let name = &self.nodes[to].name;
        let Some(core) = &self.nodes[from].core else { return };
        let is_linked = core.peers().any(|peer| peer == name);
        let is_dialing = self.network.links_of(Party::Node(from)).any(|(link, end)| {
            let other = self.network.links[&link].ends[1 - end];
            end == 0 && other.is_none_or(|(party, _)| party == Party::Node(to))
        });
        let is_parted = self.parted.contains(&(from.min(to), from.max(to)));
        if !is_linked && !is_dialing && !is_parted && self.nodes[to].core.is_some() {
            self.link_nodes(from, to);
        }
    }
}
