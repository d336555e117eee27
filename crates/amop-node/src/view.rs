//! What people and programs that look at a node are shown. Plain values, made on demand.
//!
//! Names of nodes and clients are their DNS names, instances 16 hex digits, moments seconds since 1970.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A node as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// Its certified name.
    pub name: String,
    /// The version of this library.
    pub version: String,
    /// `serving`, `draining`, or `superseded` if another process runs with its name.
    pub state: String,
    /// How long it has been running.
    pub uptime_seconds: f64,
    /// This life of it.
    pub epoch: u64,
    /// Where peers link.
    pub p2p_addr: String,
    /// Where clients attach.
    pub sdk_addr: String,
    /// How many peers are linked.
    pub peers: usize,
    /// How many peers it is to dial by its configuration.
    pub peers_configured: usize,
    /// How many of these are linked.
    pub peers_configured_up: usize,
    /// How many other nodes a path leads to.
    pub nodes_reachable: usize,
    /// How many clients are attached.
    pub clients: usize,
    /// How many topics have a subscriber here.
    pub topics_here: usize,
    /// How many publishes have no outcome yet.
    pub under_way: usize,
    /// How many tasks it runs on its first thread: a few, and two or three for each link.
    #[serde(default)]
    pub tasks: usize,
    /// The fingerprint of its key.
    pub fingerprint: String,
    /// When the first certificate of its chain ends.
    pub certified_until: u64,
    /// The revocation lists that it goes by.
    pub revocation_lists: Vec<ListView>,
    /// What was counted since it started.
    pub counts: Counted,
}

/// A revocation list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListView {
    /// Whose it is.
    pub issuer: String,
    /// Its number.
    pub number: u64,
    /// Until when the next must have come.
    pub until: u64,
    /// Whether a peer gave it; else it is from `tls.crl`.
    #[serde(default)]
    pub learned: bool,
}

/// What a node has counted since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// How publishes of clients here ended, by code. Files are not among them.
    pub outcomes: BTreeMap<u8, u64>,
    /// To and from clients.
    pub clients: Flow,
    /// To and from peers.
    pub peers: Flow,
    /// Announcements that were not believed.
    pub refused_announcements: u64,
    /// Revocation lists that peers gave and that count.
    #[serde(default)]
    pub learned_lists: u64,
    /// Revocation lists of peers that do not count.
    #[serde(default)]
    pub refused_lists: u64,
    /// Messages that cannot be true.
    pub refused_messages: u64,
    /// Messages that were skipped because only a newer version understands them.
    #[serde(default)]
    pub unknown_messages: u64,
}

/// Messages of all kinds in both directions, with the bytes of their payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Messages that came.
    pub received: u64,
    /// Their payloads.
    pub received_bytes: u64,
    /// Messages that were sent.
    pub sent: u64,
    /// Their payloads.
    pub sent_bytes: u64,
}

/// A link, as both ends of it measure it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkView {
    /// Where the other end is.
    pub remote: String,
    /// How long a packet and its acknowledgement take.
    pub round_trip_ms: f64,
    /// Bytes of UDP payload sent.
    pub sent_bytes: u64,
    /// Bytes of UDP payload received.
    pub received_bytes: u64,
    /// Packets lost on their way there.
    pub lost_packets: u64,
    /// The fingerprint of the other end's key.
    pub fingerprint: String,
    /// When the first certificate of its chain ends.
    pub certified_until: Option<u64>,
}

/// A peer: linked, or to be dialed by the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PeerView {
    /// Its certified name.
    pub name: String,
    /// Whether it is linked.
    pub up: bool,
    /// Whether the configuration says to dial it.
    pub configured: bool,
    /// How long it has been linked.
    pub up_seconds: Option<f64>,
    /// Whether we dialed the link.
    pub dialed: Option<bool>,
    /// Its life.
    pub epoch: Option<u64>,
    /// Why it could not be dialed the last time.
    pub why: Option<String>,
    /// Its link.
    pub link: Option<LinkView>,
}

/// An attached client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientView {
    /// Its certified name.
    pub name: String,
    /// Its process.
    pub instance: String,
    /// How many links it has made in its life.
    pub generation: u32,
    /// How many topics it subscribes to.
    pub topics: usize,
    /// How many of its publishes have no outcome yet.
    pub under_way: usize,
    /// How many multicasts were pushed to it and not acked.
    pub unacked: usize,
    /// Its link.
    pub link: Option<LinkView>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicView {
    /// Its name.
    pub topic: String,
    /// How many subscribers it has at this node.
    pub here: usize,
    /// How many it has at others that can be reached.
    pub elsewhere: usize,
}

/// Somebody who would get a message on a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriberView {
    /// The node that it is attached to; its id if its name is not known.
    pub node: String,
    /// Its certified name, if it is attached here. Nodes do not tell each other the names of clients.
    pub client: Option<String>,
    /// Its process.
    pub instance: String,
}

/// A node of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// Its certified name, or its id as long as that is all that is known.
    pub name: String,
    /// Those that it says to be linked with.
    pub neighbours: Vec<String>,
    /// The nodes on the way from this one to it, both included; `None` if no path leads there.
    pub path: Option<Vec<String>>,
    /// How many topics have subscribers there.
    pub topics: usize,
}

/// Who would get a message on a topic now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReachView {
    /// The topic.
    pub topic: String,
    /// The node that was asked.
    pub node: String,
    /// How many of its clients would get it.
    pub count: u32,
    /// Some of them.
    pub subscribers: Vec<SubscriberView>,
    /// The other nodes on the ways, each after those that lead to it.
    pub hops: Vec<HopView>,
}

/// A node on the way to subscribers, or the one that they are attached to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HopView {
    /// The nodes from the one that was asked to this one, both included.
    pub way: Vec<String>,
    /// How many subscribers it has announced; of none it is but a relay.
    pub announced: u32,
    /// `there`; `busy`, since it is asked too often; `silent`; or `unasked`, since there are too many.
    pub word: String,
    /// How long question and answer took, in milliseconds; 0 if there is no answer.
    pub round_trip_ms: f64,
    /// How many of its clients would get a message.
    pub count: u32,
    /// The instances of some of them.
    pub subscribers: Vec<String>,
}

/// What is left of a message at the nodes that were asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceView {
    /// The message.
    pub id: String,
    /// The node that was asked first.
    pub node: String,
    /// How long ago the first step at that node was, in milliseconds.
    pub age_ms: f64,
    /// What each node says.
    pub nodes: Vec<NodeTraceView>,
}

/// What one node says of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeTraceView {
    /// Its certified name, or its id.
    pub node: String,
    /// `told`; `refused`, since our agency took no part; `busy`; or `silent`.
    pub word: String,
    /// The mark by which it knows the message, if it passed it on unread.
    pub mark: Option<String>,
    /// By how much its times may be wrong, in milliseconds: half of the round trip in which it was asked.
    pub uncertainty_ms: f64,
    /// Its steps, in the order in which they happened.
    pub steps: Vec<StepView>,
}

/// One step of a message at a node. What does not belong to its kind is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepView {
    /// When: milliseconds since the first step at the node that was asked first.
    pub at_ms: f64,
    /// Its kind: `accepted`, `not-accepted`, `parked`, `sent`, `sent-again`, `routed`, `pushed`, `not-pushed`,
    /// `replied`, `declined`, `answered`, `refused`, `ended`, `spread`, `fanned-out`, `reported`, `received`,
    /// `relayed` or `given-back`.
    pub step: String,
    /// The node at the other end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Whom a message came from that was passed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The instance of the subscriber.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriber: Option<String>,
    /// The number of the attempt as it travels: the same at both nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Which attempt it is, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u32>,
    /// Among how many subscribers one was chosen; how many there are; how many tries there were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The topic, if the node still knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Whether it is for all subscribers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multicast: Option<bool>,
    /// How long its payload is, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// How much the node held for others, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<u32>,
    /// How many links it is to cross.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hops: Option<u32>,
    /// What relays know it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// Why, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of a multicast: how many took it, never got it, are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<[u32; 3]>,
}
