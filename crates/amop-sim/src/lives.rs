//! What a test does to the parties of a world: they die and live again, stop for a while, and move.

use std::time::Duration;

use amop_core::node::{Input as NodeInput, LinkId, Node, Rules};
use amop_wire::{Epoch, Instance, Instant};

use crate::application::Inbox;
use crate::contract::Record;
use crate::due::Happening;
use crate::fault::Fault;
use crate::files::Files;
use crate::network::Party;
use crate::watch::Calm;
use crate::world::{ClientId, NodeId, NodeSlot, World};

impl World {
    /// Kills a node, if it is up. Whoever is linked with it notices after `notice`.
    pub fn crash(&mut self, node: NodeId, notice: Duration) {
        if self.nodes[node.0].core.take().is_none() {
            return;
        }
        self.nodes[node.0].calm = Calm::never();
        self.coverage.fault(Fault::Crash);
        self.disturb(self.now);
        self.tell_all(format_args!("n{} crashes, noticed after {notice:?}", node.0));
        let links: Vec<(LinkId, usize)> = self.network.links_of(Party::Node(node.0)).collect();
        for (link, end) in links {
            self.abandon(link, end, notice);
        }
    }

    /// Whether a node is up.
    #[must_use]
    pub fn is_up(&self, node: NodeId) -> bool {
        self.nodes[node.0].core.is_some()
    }

    /// Starts a node that is down: with an empty memory and a greater epoch than at the start before.
    pub fn restart(&mut self, node: NodeId) {
        let epoch = Epoch(self.nodes[node.0].epoch.0 + 1);
        self.restart_with(node, epoch);
    }

    /// The epoch that a node started with last.
    #[must_use]
    pub fn epoch_of(&self, node: NodeId) -> Epoch {
        self.nodes[node.0].epoch
    }

    /// Starts a node that is down, with an empty memory and this epoch.
    pub fn restart_with(&mut self, node: NodeId, epoch: Epoch) {
        if self.nodes[node.0].core.is_some() {
            return;
        }
        if epoch <= self.nodes[node.0].epoch {
            self.coverage.fault(Fault::LostEpoch);
        }
        let slot = &mut self.nodes[node.0];
        slot.epoch = epoch;
        slot.life += 1;
        slot.is_shut_down = false;
        slot.is_draining = false;
        slot.paused_until = self.now;
        let is_honest = !slot.swallows && !slot.denies;
        slot.calm = if is_honest { Calm::since(self.now) } else { Calm::never() };
        slot.wake_at = None;
        slot.arrived.clear();
        slot.seen.clear();
        let mut core = Node::new(slot.name.clone(), epoch, slot.seed());
        core.set_limits(self.limits.node);
        slot.core = Some(core);
        let rules = (!slot.rules.is_empty()).then(|| Rules::new(slot.rules.clone()));
        self.begin_taking(node.0);
        self.tell_all(format_args!("n{} starts, {epoch:?}", node.0));
        self.node_batch(node.0, rules.map(NodeInput::Rules));
        self.show_lists(node.0);
    }

    /// Stops the process of a node for a while: it hears and does nothing, its timers come late. If
    /// that takes longer than a link may be silent, its links end, and what they brought last is lost:
    /// the other ends notice meanwhile, the node itself when it goes on.
    pub fn pause(&mut self, node: NodeId, span: Duration) {
        let slot = &self.nodes[node.0];
        if slot.core.is_none() || self.now < slot.paused_until {
            return;
        }
        self.coverage.fault(Fault::PauseNode);
        self.nodes[node.0].paused_until = self.now + span;
        self.disturb(self.now + span);
        self.nodes[node.0].calm.disturb(self.now + span);
        self.tell_all(format_args!("n{} is paused for {span:?}", node.0));
        let links: Vec<(LinkId, usize)> = self.network.links_of(Party::Node(node.0)).collect();
        for (link, end) in links {
            self.pause_end(link, end, span);
        }
        if span >= SILENCE_MAX {
            self.nodes[node.0].arrived.clear();
        }
    }

    /// Stops the process of a client for a while, as [`pause`](Self::pause) does with a node.
    pub fn pause_client(&mut self, client: ClientId, span: Duration) {
        let slot = &self.clients[client.0];
        if slot.core.is_none() || self.now < slot.paused_until {
            return;
        }
        self.coverage.fault(Fault::PauseClient);
        self.clients[client.0].paused_until = self.now + span;
        self.disturb(self.now + span);
        self.clients[client.0].calm.disturb(self.now + span);
        self.tell_all(format_args!("c{} is paused for {span:?}", client.0));
        let until = self.now + span;
        let instance = self.instance(client);
        let its_own =
            self.record.publications.iter_mut().filter(|(id, _)| id.publisher == instance);
        its_own.for_each(|(_, publication)| publication.stopped_until = until);
        let its_own = self.file_record.sends.iter_mut().filter(|(id, _)| id.0 == instance);
        its_own.for_each(|(_, send)| send.stopped_until = until);
        let slot = &self.clients[client.0];
        for link in [slot.link, slot.old_link].into_iter().flatten() {
            self.pause_end(link, 0, span);
        }
        if span >= SILENCE_MAX {
            self.clients[client.0].arrived.clear();
        }
    }

    /// Whether the process of a client is stopped.
    #[must_use]
    pub fn is_paused(&self, client: ClientId) -> bool {
        self.now < self.clients[client.0].paused_until
    }

    /// Whether the process of a node is stopped.
    #[must_use]
    pub fn is_node_paused(&self, node: NodeId) -> bool {
        self.now < self.nodes[node.0].paused_until
    }

    /// Until when the process of a party is stopped.
    pub(crate) fn paused_until(&self, party: Party) -> Instant {
        match party {
            Party::Node(node) => self.nodes[node].paused_until,
            Party::Client(client) => self.clients[client].paused_until,
            Party::Stranger(_) => Instant::default(),
        }
    }

    fn pause_end(&mut self, link: LinkId, end: usize, span: Duration) {
        if span < SILENCE_MAX {
            return self.stall_link(link, [true; 2], span);
        }
        let mut notice = [SILENCE_MAX; 2];
        notice[end] = span;
        self.cut_link(link, notice);
    }

    pub(crate) fn life_of(&self, party: Party) -> u32 {
        match party {
            Party::Node(node) => self.nodes[node].life,
            Party::Client(client) => self.clients[client].life,
            Party::Stranger(_) => 0,
        }
    }

    /// Has a node close its links and refuse what is new. It stays up.
    pub fn shut_down(&mut self, node: NodeId) {
        self.coverage.fault(Fault::ShutDown);
        self.disturb(self.now);
        self.nodes[node.0].calm = Calm::never();
        self.nodes[node.0].is_shut_down = true;
        self.node_batch(node.0, [NodeInput::Shutdown]);
    }

    /// Has a node stop without harm; it [has](Self::has_drained) once it has shut down.
    pub fn drain(&mut self, node: NodeId) {
        self.coverage.fault(Fault::Drain);
        self.disturb(self.now);
        self.nodes[node.0].is_draining = true;
        self.node_batch(node.0, [NodeInput::Drain]);
    }

    /// Whether a node has shut down, but is not down.
    #[must_use]
    pub fn has_drained(&self, node: NodeId) -> bool {
        self.nodes[node.0].is_shut_down
    }

    /// Kills a client, if it lives. Its node notices after `notice`.
    pub fn kill(&mut self, client: ClientId, notice: Duration) {
        let slot = &mut self.clients[client.0];
        let Some(core) = slot.core.take() else { return };
        self.coverage.fault(Fault::Kill);
        slot.life += 1;
        slot.inbox = Inbox::default();
        slot.files = Files::default();
        slot.disk.release_all();
        slot.connected = Calm::never();
        for topic in std::mem::take(&mut slot.wanted) {
            // Until then its node takes it for alive.
            self.topics_changed.insert(topic, self.now + notice + NEWS);
        }
        let slot = &mut self.clients[client.0];
        slot.leaves = false;
        let links = [slot.link.take(), slot.old_link.take()];
        let instance = core.instance();
        self.disturb(self.now);
        self.tell_all(format_args!("c{} is killed, noticed after {notice:?}", client.0));
        self.record.publisher_died(instance);
        for (id, send) in &mut self.file_record.sends {
            send.lives &= id.0 != instance;
        }
        for link in links.into_iter().flatten() {
            self.abandon(link, 0, notice);
        }
    }

    /// Starts a client that is down: a new instance, which subscribes to nothing.
    pub fn start_client(&mut self, client: ClientId) {
        let instance = self.draw_instance();
        if self.clients[client.0].core.is_some() {
            return;
        }
        let mut core = self.new_client(client, instance);
        core.set_limits(self.limits.client);
        let slot = &mut self.clients[client.0];
        slot.keys.clear();
        slot.allowed.clear();
        slot.core = Some(core);
        slot.paused_until = self.now;
        slot.wake_at = None;
        slot.arrived.clear();
        slot.subscribed.clear();
        slot.propagated.clear();
        let life = slot.life;
        self.file_record.instances.insert(instance, client.0);
        self.tell_all(format_args!("c{} starts as {instance}", client.0));
        self.after(Duration::ZERO, Happening::Dial { client: client.0, life });
    }

    /// Has a client leave its node for another one. Its node notices after `notice`.
    pub fn move_client(&mut self, client: ClientId, to: NodeId, notice: Duration) {
        self.coverage.fault(Fault::Move);
        let slot = &mut self.clients[client.0];
        if let Some(position) = slot.homes.iter().position(|&home| home == to.0) {
            slot.next_home = position;
        }
        self.cut_client(client, Duration::ZERO, notice);
    }
}

impl Record {
    /// Notes that a publisher has died: what it has published may have no end.
    pub fn publisher_died(&mut self, publisher: Instance) {
        for (id, publication) in &mut self.publications {
            publication.publisher_lives &= id.publisher != publisher;
        }
    }
}

impl NodeSlot {
    /// What makes the numbers of attempts of this life secret; a world has no secrets from its tests.
    pub(crate) fn seed(&self) -> [u8; 32] {
        let mut seed = *self.id.as_bytes();
        seed[..4].copy_from_slice(&self.life.to_be_bytes());
        seed
    }
}

/// Nobody learns later than this what a node has learned, while nothing fails.
const NEWS: Duration = Duration::from_secs(1);

/// LINK-6: a link that is silent for longer is lost.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(6);
