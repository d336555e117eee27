//! What goes wrong in a world: cut links, crashes, kills and restarts.

use std::time::Duration;

use amop_core::node::{Input as NodeInput, LinkId, Node};
use amop_wire::Epoch;

use crate::network::Party;
use crate::world::{ClientId, Happening, NodeId, World};

impl World {
    /// Cuts every link between two nodes. Both ends notice after `notice`.
    pub fn cut(&mut self, a: NodeId, b: NodeId, notice: Duration) {
        let links_of = |node: NodeId| self.network.links_of(Party::Node(node.0));
        let of_b: Vec<LinkId> = links_of(b).map(|(link, _)| link).collect();
        let of_both: Vec<LinkId> =
            links_of(a).map(|(link, _)| link).filter(|link| of_b.contains(link)).collect();
        for link in of_both {
            self.cut_link(link, [notice; 2]);
        }
    }

    /// Cuts the link of a client. The client notices after `client_notice`, its node after
    /// `node_notice`.
    pub fn cut_client(&mut self, client: ClientId, client_notice: Duration, node_notice: Duration) {
        if let Some(link) = self.clients[client.0].link {
            self.cut_link(link, [client_notice, node_notice]);
        }
    }

    /// Kills a node. Whoever is linked with it notices after `notice`.
    pub fn crash(&mut self, node: NodeId, notice: Duration) {
        self.record.tell(self.now, format_args!("{node:?} crashes"));
        self.nodes[node.0].core = None;
        let links: Vec<(LinkId, usize)> = self.network.links_of(Party::Node(node.0)).collect();
        for (link, end) in links {
            if let Some(link) = self.network.links.get_mut(&link) {
                link.passes = false;
                link.ends[end] = None;
            }
            self.after(notice, Happening::Notice { link, end: 1 - end });
        }
    }

    /// Kills a node that is up.
    pub fn crash_if_up(&mut self, node: NodeId, notice: Duration) {
        if self.is_up(node) {
            self.crash(node, notice);
        }
    }

    /// Starts a node again that is down.
    pub fn restart_if_down(&mut self, node: NodeId) {
        if !self.is_up(node) {
            self.restart(node);
        }
    }

    /// Starts a node, or starts it again: with an empty memory and a greater epoch.
    pub fn restart(&mut self, node: NodeId) {
        let slot = &mut self.nodes[node.0];
        slot.life += 1;
        slot.wake_at = None;
        slot.core = Some(Node::new(slot.name.clone(), Epoch(slot.life.into())));
        self.record.tell(self.now, format_args!("{node:?} starts"));
        self.node_input(node.0, NodeInput::EndOfBatch);
    }

    /// Kills a client. Its node notices after `notice`.
    pub fn kill(&mut self, client: ClientId, notice: Duration) {
        self.record.tell(self.now, format_args!("{client:?} is killed"));
        let slot = &mut self.clients[client.0];
        slot.life += 1;
        let instance = slot.core.take().map(|core| core.instance());
        for (id, publication) in &mut self.record.publications {
            publication.publisher_lives &= Some(id.publisher) != instance;
        }
        if let Some(link) = self.clients[client.0].link.take() {
            if let Some(link) = self.network.links.get_mut(&link) {
                link.passes = false;
                link.ends[0] = None;
            }
            self.after(notice, Happening::Notice { link, end: 1 });
        }
    }

    /// Cuts a link; each end notices after its time.
    pub(crate) fn cut_link(&mut self, link: LinkId, notice: [Duration; 2]) {
        self.record.tell(self.now, format_args!("{link:?} is cut"));
        if let Some(link) = self.network.links.get_mut(&link) {
            link.passes = false;
        }
        for (end, notice) in notice.into_iter().enumerate() {
            self.after(notice, Happening::Notice { link, end });
        }
    }
}
