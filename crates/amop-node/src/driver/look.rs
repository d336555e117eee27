//! Makes what people are shown, on the node's thread and on demand.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use amop_core::node::LinkId;
use amop_p2p::Gauge;
use amop_wire::{CloseCode, CloseReason, Name, NodeId, Topic};
use tokio::runtime::Handle;

use super::{Driver, State};
use crate::view::{
    ClientView, Counted, LinkView, NodeView, Overview, PeerView, SubscriberView, TopicView,
};

impl Driver {
    /// Remembers that a peer is to be dialed.
    pub(crate) fn wants(&self, peer: &Name) {
        self.lock().wanted.insert(peer.clone(), None);
    }

    /// Remembers why a peer could not be dialed.
    pub(crate) fn missed(&self, peer: &Name, why: &str) {
        self.lock().wanted.insert(peer.clone(), Some(why.to_owned()));
    }

    /// The node as a whole, but for what its thread does not know.
    pub(crate) fn overview(&self) -> Overview {
        let uptime_seconds = self.now().since_start().as_secs_f64();
        let state = self.lock();
        let peers: Vec<&Name> = state.core.peers().collect();
        let is_serving = state.core.is_serving();
        let word = match (state.is_superseded, is_serving) {
            (true, _) => "superseded",
            (false, true) => "serving",
            (false, false) => "draining",
        };
        let table = state.core.table();
        Overview {
            name: self.name.as_dns().into(),
            version: env!("CARGO_PKG_VERSION").into(),
            state: word.into(),
            uptime_seconds,
            epoch: 0,
            p2p_addr: String::new(),
            sdk_addr: String::new(),
            peers: peers.len(),
            peers_configured: state.wanted.len(),
            peers_configured_up: peers.iter().filter(|&&p| state.wanted.contains_key(p)).count(),
            nodes_reachable: table.known_nodes().filter(|node| node.path.is_some()).count(),
            clients: state.core.session_count(),
            tasks: Handle::try_current().map_or(0, |here| here.metrics().num_alive_tasks()),
            topics_here: table.own_topic_count(),
            under_way: state.core.under_way(),
            fingerprint: state.border.identity().fingerprint().to_string(),
            certified_until: unix(state.border.identity().valid_until()),
            revocation_lists: Vec::new(),
            counts: state.counted(),
        }
    }

    /// Peers that are linked or to be dialed, by name.
    pub(crate) fn peers(&self) -> Vec<PeerView> {
        let now = self.now();
        let state = self.lock();
        let down = |(name, why): (&Name, &Option<String>)| PeerView {
            name: name.as_dns().into(),
            up: false,
            configured: true,
            up_seconds: None,
            dialed: None,
            epoch: None,
            why: why.clone(),
            link: None,
        };
        let mut peers: BTreeMap<String, PeerView> = state
            .wanted
            .iter()
            .map(|wanted| (wanted.0.as_dns().to_owned(), down(wanted)))
            .collect();
        for peer in state.core.linked_peers() {
            let view = PeerView {
                name: peer.name.as_dns().into(),
                up: true,
                configured: state.wanted.contains_key(peer.name),
                up_seconds: Some(now.saturating_since(peer.since).as_secs_f64()),
                dialed: Some(peer.dialed),
                epoch: Some(peer.epoch.0),
                why: None,
                link: state.link_view(peer.link),
            };
            peers.insert(view.name.clone(), view);
        }
        peers.into_values().collect()
    }

    /// Attached clients, by name.
    pub(crate) fn clients(&self) -> Vec<ClientView> {
        let state = self.lock();
        let mut clients: Vec<ClientView> = state
            .core
            .attached_clients()
            .map(|client| ClientView {
                name: client.name.as_dns().into(),
                instance: client.instance.to_string(),
                generation: client.generation.0,
                topics: client.topics.len(),
                under_way: client.under_way,
                unacked: client.unacked,
                link: state.link_view(client.link),
            })
            .collect();
        clients.sort_by(|a, b| (&a.name, &a.instance).cmp(&(&b.name, &b.instance)));
        clients
    }

    /// Topics that begin like this, no more than `limit`, and how many there are.
    pub(crate) fn topics(&self, beginning: &str, limit: usize) -> (Vec<TopicView>, usize) {
        let state = self.lock();
        let topics = state.core.table().subscribed_topics();
        let found = topics.iter().filter(|(topic, _)| topic.as_str().starts_with(beginning));
        let total = found.clone().count();
        let views = found.take(limit).map(|(topic, count)| TopicView {
            topic: topic.as_str().into(),
            here: count.here,
            elsewhere: count.elsewhere,
        });
        (views.collect(), total)
    }

    /// Everybody who would get a message on a topic.
    pub(crate) fn subscribers(&self, topic: &Topic) -> Vec<SubscriberView> {
        let state = self.lock();
        let here: BTreeMap<_, _> =
            state.core.attached_clients().map(|client| (client.instance, client.name)).collect();
        let mut subscribers: Vec<SubscriberView> = state
            .core
            .subscribers(topic)
            .map(|(node, instance)| SubscriberView {
                node: state.shown(node),
                client: here
                    .get(&instance)
                    .filter(|_| node == state.core.id())
                    .map(|name| name.as_dns().into()),
                instance: instance.to_string(),
            })
            .collect();
        subscribers.sort_by(|a, b| (&a.node, &a.instance).cmp(&(&b.node, &b.instance)));
        subscribers
    }

    /// This node and all others that are known, by name.
    pub(crate) fn topology(&self) -> Vec<NodeView> {
        let state = self.lock();
        let table = state.core.table();
        let own = self.name.as_dns().to_owned();
        let mut neighbours: Vec<String> =
            state.core.linked_peers().map(|peer| peer.name.as_dns().into()).collect();
        neighbours.sort_unstable();
        let mut nodes = vec![NodeView {
            name: own.clone(),
            neighbours,
            path: Some(vec![own]),
            topics: table.own_topic_count(),
        }];
        let shown = |nodes: &[NodeId]| nodes.iter().map(|&node| state.shown(node)).collect();
        nodes.extend(table.known_nodes().map(|node| NodeView {
            name: state.shown(node.id),
            neighbours: shown(node.neighbours),
            path: node.path.map(shown),
            topics: node.topics,
        }));
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        nodes
    }

    /// Closes the links of everybody with this name or instance, and says how many there were.
    pub(crate) fn kick(&self, whom: &str) -> usize {
        let state = self.lock();
        let is_meant = |name: &Name| name.as_dns() == whom || name.to_string() == whom;
        let clients = state.core.attached_clients();
        let clients = clients
            .filter(|client| is_meant(client.name) || client.instance.to_string() == whom)
            .map(|client| client.link);
        let peers = state.core.linked_peers();
        let peers = peers.filter(|peer| is_meant(peer.name)).map(|peer| peer.link);
        let links: Vec<LinkId> = clients.chain(peers).collect();
        for link in links.iter().filter_map(|link| state.links.get(link)) {
            let text = format!("closed by the operator of {}", self.name);
            link.outbox.close(CloseReason::new(CloseCode::Shutdown, text));
        }
        links.len()
    }
}

impl State {
    fn counted(&self) -> Counted {
        Counted {
            outcomes: self.counts.outcomes().collect(),
            clients: self.counts.clients,
            peers: self.counts.peers,
            refused_announcements: self.complaints.refused_count(),
            learned_lists: self.counts.learned_lists,
            refused_lists: self.complaints.bad_list_count(),
            refused_messages: self.complaints.untrue_count(),
            unknown_messages: self.complaints.unknown_count(),
        }
    }

    /// The name of a node, or its id.
    pub(super) fn shown(&self, node: NodeId) -> String {
        self.core.name_of(node).map_or_else(|| hex(node), |name| name.as_dns().into())
    }

    fn link_view(&self, link: LinkId) -> Option<LinkView> {
        let reading = self.links.get(&link).map(|link| &link.gauge).map(Gauge::read)?;
        Some(LinkView {
            remote: reading.remote_addr.to_string(),
            round_trip_ms: millis(reading.round_trip),
            sent_bytes: reading.sent_bytes,
            received_bytes: reading.received_bytes,
            lost_packets: reading.lost_packets,
            fingerprint: reading.peer.fingerprint.to_string(),
            certified_until: reading.certified_until.map(unix),
        })
    }
}

/// Milliseconds, to the microsecond.
pub(super) fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

/// Seconds since 1970.
pub(crate) fn unix(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn hex(node: NodeId) -> String {
    node.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
