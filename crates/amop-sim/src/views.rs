//! Whether nodes know what is true: who subscribes to what, at which node.
//!
//! While things fail a view may lag behind, but it never goes back. Once nothing has failed for
//! two heartbeats, every view equals the truth, and the truth is what applications asked for.

use std::collections::BTreeSet;

use amop_core::node::{Input as NodeInput, LinkId};
use amop_topic_table::Place;
use amop_wire::limits::HOPS_MAX;
use amop_wire::{ClientMessage, Instance, MsgId, PeerMessage, Subscriber, Topic, Version};

use crate::network::Party;
use crate::world::World;

/// Who subscribes to what at one node.
type Topics = BTreeSet<(Topic, Instance)>;

impl World {
    /// Compares what every node knows of itself and of the nodes that it can reach to what the
    /// applications want. One sentence for each difference.
    #[must_use]
    pub fn wrong_views(&self) -> Vec<String> {
        let up: Vec<usize> =
            (0..self.nodes.len()).filter(|&node| self.nodes[node].core.is_some()).collect();
        let (wanted, neighbours, nobody) = (self.wanted(), self.neighbours(), Topics::new());
        let mut found = Vec::new();
        for &at in &up {
            let (wanted_here, own) = (&wanted[at], self.view(at, at));
            if *wanted_here != own {
                found.push(format!("node {at} serves {own:?}, its clients want {wanted_here:?}"));
            }
            let reached = reached(at, &neighbours);
            for &of in up.iter().filter(|&&of| of != at) {
                let wanted = if reached.contains(&of) { &wanted[of] } else { &nobody };
                let is_believed = |(topic, _): &&(Topic, Instance)| self.believes(at, of, topic);
                let wanted: Topics = wanted.iter().filter(is_believed).cloned().collect();
                let seen = self.view(at, of);
                if wanted != seen {
                    found.push(format!("node {at} believes {seen:?} of node {of}, not {wanted:?}"));
                }
                let chosen = self.found(at, of, &wanted);
                if wanted != chosen {
                    found.push(format!("node {at} finds {chosen:?} at node {of}, not {wanted:?}"));
                }
            }
        }
        found
    }

    /// The nodes that a path of links leads to from one, no longer than a message may travel; itself
    /// included.
    pub(crate) fn in_reach(&self, from: usize) -> BTreeSet<usize> {
        reached(from, &self.neighbours())
    }

    /// Who has a link to each node that passes messages.
    fn neighbours(&self) -> Vec<Vec<usize>> {
        let mut neighbours = vec![Vec::new(); self.nodes.len()];
        for link in self.network.links.values().filter(|link| link.passes == [true; 2]) {
            if let [Some((Party::Node(a), _)), Some((Party::Node(b), _))] = link.ends {
                neighbours[a].push(b);
                neighbours[b].push(a);
            }
        }
        neighbours
    }

    /// What the applications of the clients that are connected to each node want.
    fn wanted(&self) -> Vec<Topics> {
        let mut wanted = vec![Topics::new(); self.nodes.len()];
        for slot in &self.clients {
            let core = slot.core.as_ref().filter(|core| core.is_connected());
            if let (Some(core), Some(home)) = (core, self.home(slot)) {
                let topics = slot.wanted.iter().map(|topic| (topic.clone(), core.instance()));
                wanted[home.0].extend(topics);
            }
        }
        wanted
    }

    /// What one node knows of another's clients, or of its own.
    fn view(&self, at: usize, of: usize) -> Topics {
        let Some(core) = &self.nodes[at].core else { return Topics::new() };
        let mut topics = Topics::new();
        let mut add = |topic: &Topic, subscriber: Subscriber| {
            topics.insert((topic.clone(), subscriber.instance));
        };
        for (topic, subscribers) in core.table().topics_of(self.nodes[of].id) {
            subscribers.for_each(|subscriber| add(topic, subscriber));
        }
        topics
    }

    /// Whom of these one node would choose and send to another, which may be itself.
    fn found(&self, at: usize, of: usize, wanted: &Topics) -> Topics {
        let Some(core) = &self.nodes[at].core else { return Topics::new() };
        let place = if at == of { Place::Here } else { Place::Node(self.nodes[of].id) };
        let is_found = |(topic, instance): &&(Topic, Instance)| {
            core.table().find(topic, *instance).is_some_and(|found| found.place == place)
        };
        wanted.iter().filter(is_found).cloned().collect()
    }

    /// Stops comparing after every batch what a node holds of each other one to what it held before:
    /// with a thousand nodes that costs more than all else.
    pub fn stop_watching_versions(&mut self) {
        self.watches_versions = false;
    }

    /// Notes a violation if a view of this node went back.
    pub(crate) fn check_versions(&mut self, node: usize) {
        let Some(core) = self.nodes[node].core.as_ref().filter(|_| self.watches_versions) else {
            return;
        };
        let versions: Vec<Option<Version>> =
            self.nodes.iter().map(|of| core.table().version_of(of.id)).collect();
        let before = std::mem::replace(&mut self.nodes[node].seen, versions);
        for (of, (before, after)) in before.iter().zip(&self.nodes[node].seen).enumerate() {
            if after.is_some() && before > after {
                let line = format!("node {node} went back from {before:?} to {after:?} of {of}");
                self.record.broken.push(line);
            }
        }
    }

    /// Notes a violation if a relayed message goes in a circle, or too far.
    pub(crate) fn check_path(&mut self, node: usize, message: &PeerMessage) {
        let PeerMessage::Relay(relay) = message else { return };
        let nodes = relay.path.nodes();
        let distinct: BTreeSet<_> = nodes.iter().collect();
        if distinct.len() < nodes.len() || nodes.len() > HOPS_MAX + 1 {
            self.record.broken.push(format!("node {node} sends along {nodes:?}"));
        }
    }

    /// Notes whom a node knows to subscribe when a message reaches it.
    pub(crate) fn learn_what_is_known(&mut self, node: usize, input: &NodeInput) {
        let NodeInput::Client { link, message: ClientMessage::Publish(publish) } = input else {
            return;
        };
        let Some(publisher) = self.client_at(*link) else { return };
        let id = MsgId { publisher, counter: publish.counter };
        let Some(core) = &self.nodes[node].core else { return };
        let all = self.nodes.iter().flat_map(|of| core.table().topics_of(of.id));
        let of_topic = all.filter(|(topic, _)| **topic == publish.topic);
        let known = of_topic.flat_map(|(_, subscribers)| subscribers.map(|one| one.instance));
        let known = known.collect();
        if let Some(publication) = self.record.publications.get_mut(&id) {
            publication.known = known;
        }
    }

    /// The client that dialed a link.
    fn client_at(&self, link: LinkId) -> Option<Instance> {
        match self.network.links.get(&link)?.ends[0]? {
            (Party::Client(client), _) => Some(self.clients[client].core.as_ref()?.instance()),
            (Party::Node(_) | Party::Stranger(_), _) => None,
        }
    }
}

/// The nodes that a path of links leads to from one of them, no longer than a message may travel.
fn reached(from: usize, neighbours: &[Vec<usize>]) -> BTreeSet<usize> {
    let (mut reached, mut last) = (BTreeSet::from([from]), vec![from]);
    for _ in 0..HOPS_MAX {
        let next = last.iter().flat_map(|&node| &neighbours[node]).copied();
        last = next.filter(|&node| reached.insert(node)).collect();
    }
    reached
}
