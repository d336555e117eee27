//! Puts what parties say into words for a story.

use amop_core::node::LinkId;
use amop_wire::{
    ClientMessage, Frame, Instance, Lane, Message, MsgId, NodeId, NodeMessage, PeerMessage,
};

use crate::kinds::{client_message, node_message, peer_message};
use crate::network::{Kind, Party};
use crate::story::{About, Line, What};
use crate::world::World;

impl World {
    pub(crate) fn is_telling(&self) -> bool {
        self.record.story.is_some()
    }

    /// Adds a line to the story, if somebody wants to know it.
    pub(crate) fn tell(&mut self, what: What, about: About, text: std::fmt::Arguments<'_>) {
        if let Some(story) = &mut self.record.story {
            story.push(Line { at: self.now, what, about, text: text.to_string() });
        }
    }

    /// Tells of a fault.
    pub(crate) fn tell_all(&mut self, text: std::fmt::Arguments<'_>) {
        self.tell(What::World, About::Nothing, text);
    }

    /// Tells what a frame says that has arrived at one end of a link, or would have.
    pub(crate) fn tell_frame(
        &mut self,
        (link, to, lane): (LinkId, usize, Lane),
        frame: &Frame,
        arrived: bool,
    ) {
        let Some(state) = self.network.links.get(&link) else { return };
        let (kind, parties) = (state.kind, state.parties);
        let (from, to) = (parties[1 - to], parties[to]);
        let words = match (kind, from) {
            _ if lane == Lane::Files => vec![(self.file_words(frame.clone()), About::Nothing)],
            (Kind::Peer, _) => match PeerMessage::from_frame(frame.clone()) {
                Ok(message) => self.peer_words(&message),
                Err(error) => vec![(error.to_string(), About::Nothing)],
            },
            (Kind::Client, Party::Node(_)) => match NodeMessage::from_frame(frame.clone()) {
                Ok(message) => node_words(&message, self.instance_of(to)),
                Err(error) => vec![(error.to_string(), About::Nothing)],
            },
            (Kind::Client, _) => match ClientMessage::from_frame(frame.clone()) {
                Ok(message) => vec![client_words(&message, self.instance_of(from))],
                Err(error) => vec![(error.to_string(), About::Nothing)],
            },
        };
        for (text, about) in words {
            self.tell(What::Said { from, to, arrived }, about, format_args!("{text}"));
        }
    }

    fn instance_of(&self, party: Party) -> Option<Instance> {
        let Party::Client(client) = party else { return None };
        self.clients[client].core.as_ref().map(amop_core::client::Client::instance)
    }

    /// One line for each run, and one for any other message.
    fn peer_words(&self, message: &PeerMessage) -> Vec<(String, About)> {
        let kind = peer_message(message);
        let words = match message {
            PeerMessage::Request(request) => {
                (format!("{kind} {}", request.attempt), request.id.into())
            }
            PeerMessage::Answer(answer) => (format!("{kind} {}", answer.attempt), answer.id.into()),
            PeerMessage::Refusal(refusal) => {
                let fenced = if refusal.fenced { ", fenced" } else { "" };
                let text = format!("{kind} {}: {}{fenced}", refusal.attempt, refusal.reason);
                (text, refusal.id.into())
            }
            PeerMessage::Multicast(multicast) => (kind.to_owned(), multicast.id.into()),
            PeerMessage::Receipts(runs) => {
                let words = runs.iter().map(|run| {
                    let text = format!("{kind} {} {:?}", run.count, run.receipt);
                    (text, About::Messages(run.first, run.count))
                });
                return words.collect();
            }
            PeerMessage::Relay(relay) => {
                let path = self.path_words(relay.path.nodes());
                match PeerMessage::from_frame(relay.frame.clone()) {
                    Ok(inner) => {
                        let words = self.peer_words(&inner).into_iter();
                        let wrapped = |(text, about)| (format!("{kind} by {path}: {text}"), about);
                        return words.map(wrapped).collect();
                    }
                    Err(error) => (format!("{kind} by {path}: {error}"), About::Nothing),
                }
            }
            PeerMessage::Tree(tree) => {
                let stops: Vec<NodeId> = tree.stops.iter().map(|stop| stop.node).collect();
                let (way, stops) = (self.path_words(&tree.way), self.path_words(&stops));
                let inner = PeerMessage::from_frame(tree.frame.clone());
                let inner = inner.map(|inner| self.peer_words(&inner)).unwrap_or_default();
                let wrapped = |(text, about)| (format!("{kind} {way} to {stops}: {text}"), about);
                return inner.into_iter().map(wrapped).collect();
            }
            PeerMessage::Returned(returned) => {
                let path = self.path_words(returned.path.nodes());
                let frame = Frame { header: returned.header.clone(), payload: Default::default() };
                let inner = PeerMessage::from_frame(frame).map(|inner| self.peer_words(&inner));
                let inner = inner.unwrap_or_default().into_iter();
                return inner.map(|(_, about)| (format!("{kind} by {path}"), about)).collect();
            }
            PeerMessage::Pull(node) => {
                (format!("{kind} {}", self.path_words(&[*node])), About::Nothing)
            }
            PeerMessage::Snapshot(announcement) => {
                let (name, version) = (announcement.name(), announcement.version());
                (format!("{kind} of {name} {version:?}"), About::Nothing)
            }
            PeerMessage::Changes(changes) => {
                let (name, version) = (changes.name(), changes.version());
                (
                    format!("{kind} of {name} {:?} to {version:?}", changes.from_seq()),
                    About::Nothing,
                )
            }
            PeerMessage::Summary(entries) => {
                let entries = entries.iter().map(|&(node, version)| {
                    let node = self.path_words(&[node]);
                    format!("{node} {}/{}", version.epoch.0, version.seq.0)
                });
                let entries: Vec<String> = entries.collect();
                (format!("{kind} {}", entries.join(", ")), About::Nothing)
            }
            PeerMessage::Handshake(handshake) => {
                let (from, to) = (handshake.from, handshake.to);
                (
                    format!("{kind} {from} to {to}: {}", handshake_words(&handshake.payload)),
                    About::Nothing,
                )
            }
            PeerMessage::Greeting(_)
            | PeerMessage::Heartbeat(_)
            | PeerMessage::Probe
            | PeerMessage::TraceQuestion(_)
            | PeerMessage::TraceAnswer(_)
            | PeerMessage::Reach(_)
            | PeerMessage::Revocation(_)
            | PeerMessage::Held(_) => (format!("{message:?}"), About::Nothing),
        };
        vec![words]
    }

    /// The nodes of a path by their columns.
    fn path_words(&self, path: &[NodeId]) -> String {
        let words = path.iter().map(|id| {
            let known = self.nodes.iter().position(|slot| slot.id == *id);
            known.map_or_else(|| "?".to_owned(), |node| Party::Node(node).to_string())
        });
        words.collect::<Vec<_>>().join(">")
    }
}

fn node_words(message: &NodeMessage, to: Option<Instance>) -> Vec<(String, About)> {
    let kind = node_message(message);
    let words = match message {
        NodeMessage::Attached { .. } => (kind.to_owned(), About::Nothing),
        NodeMessage::Subscribed { topic, code, .. } => {
            (format!("{kind} {topic}: {code}"), About::Nothing)
        }
        NodeMessage::Propagated { topic } => (format!("{kind} {topic}"), About::Nothing),
        NodeMessage::Watched(watched) => (format!("{kind} {watched:?}"), About::Nothing),
        NodeMessage::Draining => (kind.to_owned(), About::Nothing),
        NodeMessage::Outlived { epoch } => (format!("{kind} {epoch:?}"), About::Nothing),
        NodeMessage::Handshake(handshake) => {
            let words = handshake_words(&handshake.payload);
            (format!("{kind} of {}: {words}", handshake.from), About::Nothing)
        }
        NodeMessage::Delivery(delivery) => {
            (format!("{kind} {}", delivery.attempt.number), delivery.attempt.id.into())
        }
        NodeMessage::Multicast(multicast) => (kind.to_owned(), multicast.id.into()),
        NodeMessage::Outcome(outcome) => {
            let text = format!("{kind} {}: {}", outcome.code, outcome.reason);
            (text, about(to, outcome.counter, 1))
        }
        NodeMessage::Receipts(runs) => {
            let words = runs.iter().map(|run| {
                let text = format!("{kind} {} {:?}", run.count, run.receipt);
                (text, about(to, run.first, run.count))
            });
            return words.collect();
        }
    };
    vec![words]
}

fn client_words(message: &ClientMessage, from: Option<Instance>) -> (String, About) {
    let kind = client_message(message);
    match message {
        ClientMessage::Attach { instance, generation } => {
            (format!("{kind} {instance}, {generation:?}"), About::Nothing)
        }
        ClientMessage::Subscribe(topic)
        | ClientMessage::Unsubscribe(topic)
        | ClientMessage::Propagate(topic)
        | ClientMessage::Watch(topic) => (format!("{kind} {topic}"), About::Nothing),
        ClientMessage::Handshake(handshake) => {
            let words = handshake_words(&handshake.payload);
            (format!("{kind} to {}: {words}", handshake.to), About::Nothing)
        }
        ClientMessage::Publish(publish) => {
            let text = format!("{kind} to {}, {:?}", publish.topic, publish.ttl);
            (text, about(from, publish.counter, 1))
        }
        ClientMessage::Answer(answer) => {
            (format!("{kind} {}", answer.attempt.number), answer.attempt.id.into())
        }
        ClientMessage::Refuse(refuse) => {
            let fenced = if refuse.fenced { ", fenced" } else { "" };
            let text = format!("{kind} {}: {}{fenced}", refuse.attempt.number, refuse.reason);
            (text, refuse.attempt.id.into())
        }
        ClientMessage::Acks(runs) => (format!("{kind} {runs:?}"), About::Nothing),
    }
}

/// What a part of a handshake is, by its second byte (PRIV-3).
fn handshake_words(payload: &[u8]) -> &'static str {
    match payload.get(1) {
        Some(1) => "challenge",
        Some(2) => "proof",
        Some(3) => "confirmation",
        Some(4) => "lost",
        Some(5) => "holds",
        Some(_) => "?",
        None => "here",
    }
}

fn about(publisher: Option<Instance>, counter: u64, count: u32) -> About {
    let id = |publisher| About::Messages(MsgId { publisher, counter }, count);
    publisher.map_or(About::Nothing, id)
}
