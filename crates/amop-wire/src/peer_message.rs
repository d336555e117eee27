//! What two linked nodes say to each other.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use prost::Message as _;

use crate::announcement::{Announcement, AnnouncementChanges, check_count};
use crate::delivery::AnswerStatus;
use crate::fields::{msg_id, name, no_payload, node_id, node_id_words, put, topic, ttl};
use crate::generated::{self as pb, peer_header::Kind};
use crate::handshake::{PeerHandshake, read_peer_handshake};
use crate::hot::{self, Hot};
use crate::limits::NODES_MAX;
use crate::message::no_kind;
use crate::multicast::{Multicast, read_multicast};
use crate::peer_receipts::{PeerReceiptRun, put_receipts, read_receipts};
use crate::probe::{put_held, read_held};
use crate::{
    Chain, Epoch, Frame, Instance, Lane, Message, MessageError, MsgId, Name, NodeId, ReachMessage,
    Reason, Recent, Relay, Returned, RevocationMessage, Seq, SignedHead, Terms, Topic, TraceAnswer,
    TraceQuestion, Tree, Version,
};

/// A message between two linked nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerMessage {
    /// The first message on a link, with the life of its sender.
    Greeting(Epoch),
    /// Says which version of which announcement the sender holds; of at most
    /// [`NODES_MAX`](crate::limits::NODES_MAX) nodes.
    Summary(Vec<(NodeId, Version)>),
    /// Sums up what a summary would say.
    Heartbeat(u64),
    /// Asks for the snapshot of a node.
    Pull(NodeId),
    /// All that a node announces.
    Snapshot(Announcement),
    /// How that has changed.
    Changes(AnnouncementChanges),
    /// Home node to exit node: push this to that subscriber.
    Request(Request),
    /// Exit node to home node: the subscriber handled it.
    Answer(PeerAnswer),
    /// Exit node to home node: not handled, and never will be.
    Refusal(PeerRefusal),
    /// Home node to exit node: push this to every subscriber you have.
    Multicast(Multicast),
    /// Exit node to home node: what became of multicasts.
    Receipts(Vec<PeerReceiptRun>),
    /// A message to be passed on, or that was passed on to this node.
    Relay(Relay),
    /// A message that could not be passed on.
    Returned(Returned),
    /// A multicast for several nodes, to be passed on.
    Tree(Tree),
    /// Asks which version of the sender's announcement counts at the receiver.
    Probe,
    /// The version of the receiver's announcement that counts at the sender.
    Held(Version),
    /// A publisher and a subscriber of a private topic speak with each other.
    Handshake(PeerHandshake),
    /// Asks what the receiver has written down of a message.
    TraceQuestion(TraceQuestion),
    /// What is left of a message at the sender.
    TraceAnswer(TraceAnswer),
    /// Two nodes speak of who would get a message.
    Reach(ReachMessage),
    /// Two neighbours speak of revocation lists.
    Revocation(RevocationMessage),
}

/// A unicast on its way to the chosen subscriber's node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which unicast.
    pub id: MsgId,
    /// What is left until the deadline, at most [`TTL_MAX`](crate::limits::TTL_MAX). Travels in
    /// whole milliseconds, rounded up.
    pub ttl: Duration,
    /// Which try, from 1.
    pub attempt: u32,
    /// The chosen subscriber.
    pub subscriber: Instance,
    /// The life of the exit node in which the subscriber was announced.
    pub exit_epoch: Epoch,
    /// What its publisher asks for beyond the usual.
    pub terms: Terms,
    /// Who published, as its node attests it.
    pub from: Name,
    /// To what.
    pub topic: Topic,
    /// The message itself.
    pub payload: Bytes,
}

/// An answer on its way to the publisher's node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAnswer {
    /// Which unicast.
    pub id: MsgId,
    /// Which try.
    pub attempt: u32,
    /// What the handler did.
    pub status: AnswerStatus,
    /// Who answered, as its node attests it.
    pub subscriber: Instance,
    /// The answer itself.
    pub payload: Bytes,
}

/// A no to one copy of a unicast, or to all of them, on its way to the publisher's node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRefusal {
    /// Which unicast.
    pub id: MsgId,
    /// Which try.
    pub attempt: u32,
    /// Why.
    pub reason: Reason,
    /// Whom it was meant for.
    pub subscriber: Instance,
    /// Whether the subscriber refuses every other copy of it as well, forever; else only this one
    /// was refused.
    pub fenced: bool,
}

impl Message for PeerMessage {
    fn lane(&self) -> Lane {
        match self {
            Self::Greeting(_)
            | Self::Summary(_)
            | Self::Heartbeat(_)
            | Self::Pull(_)
            | Self::Snapshot(_)
            | Self::Changes(_)
            | Self::Revocation(_) => Lane::Control,
            Self::Answer(_)
            | Self::Refusal(_)
            | Self::Receipts(_)
            | Self::Returned(_)
            | Self::Probe
            | Self::Held(_)
            | Self::TraceQuestion(_)
            | Self::TraceAnswer(_)
            | Self::Reach(_)
            | Self::Handshake(_) => Lane::Replies,
            Self::Relay(relay) => relay.lane,
            Self::Request(_) => Lane::Unicasts,
            Self::Multicast(_) | Self::Tree(_) => Lane::Multicasts,
        }
    }

    fn put_header(&self, buf: &mut BytesMut) {
        match self {
            Self::Request(request) => request.put(buf),
            Self::Answer(answer) => answer.put(buf),
            Self::Multicast(multicast) if !multicast.sealed => multicast.put(buf),
            _ => put(&pb::PeerHeader { kind: self.to_kind() }, buf),
        }
    }

    fn payload(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        match self {
            Self::Snapshot(announcement) => announcement.encoded(),
            Self::Changes(changes) => changes.encoded(),
            Self::Request(request) => &request.payload,
            Self::Answer(answer) => &answer.payload,
            Self::Multicast(multicast) => &multicast.payload,
            Self::Handshake(handshake) => &handshake.payload,
            Self::Revocation(RevocationMessage::List(list)) => &list.der,
            Self::Relay(relay) => &relay.frame.payload,
            Self::Tree(tree) => &tree.frame.payload,
            Self::Greeting(_)
            | Self::Summary(_)
            | Self::Heartbeat(_)
            | Self::Pull(_)
            | Self::Refusal(_)
            | Self::Receipts(_)
            | Self::Returned(_)
            | Self::Probe
            | Self::TraceQuestion(_)
            | Self::TraceAnswer(_)
            | Self::Reach(_)
            | Self::Revocation(_)
            | Self::Held(_) => &NONE,
        }
    }

    fn read(Frame { header, payload }: Frame, recent: &mut Recent) -> Result<Self, MessageError> {
        if let Some(multicast) = hot::get::<Multicast>(&header, recent) {
            return Ok(Self::Multicast(Multicast { payload, ..multicast }));
        }
        if let Some(request) = hot::get::<Request>(&header, recent) {
            return Ok(Self::Request(Request { payload, ..request }));
        }
        if let Some(answer) = hot::get::<PeerAnswer>(&header, recent) {
            return Ok(Self::Answer(PeerAnswer { payload, ..answer }));
        }
        Self::from_frame(Frame { header, payload })
    }

    fn deduct(&mut self, spent: Duration) {
        match self {
            Self::Request(request) => request.ttl = request.ttl.saturating_sub(spent),
            Self::Multicast(multicast) => multicast.ttl = multicast.ttl.saturating_sub(spent),
            Self::Relay(relay) => relay.spent += spent,
            Self::Tree(tree) => tree.spent += spent,
            _ => {}
        }
    }

    fn from_frame(Frame { header, payload }: Frame) -> Result<Self, MessageError> {
        let header_bytes = header.len();
        let header = pb::PeerHeader::decode(header).map_err(MessageError::Malformed)?;
        Ok(match header.kind.ok_or_else(|| no_kind(header_bytes))? {
            Kind::Snapshot(pb::Snapshot { signed, certificates }) => {
                let (signed, chain) = (SignedHead::read(signed)?, Chain::read(&certificates)?);
                Self::Snapshot(Announcement::decode(signed, chain, payload)?)
            }
            Kind::Changes(pb::Changes { signed, from_seq }) => {
                let (signed, from_seq) =
                    (SignedHead::read(signed)?, Seq(from_seq.unwrap_or_default()));
                Self::Changes(AnnouncementChanges::decode(signed, from_seq, payload)?)
            }
            Kind::Request(request) => Self::Request(read_request(&request, payload)?),
            Kind::Answer(answer) => Self::Answer(read_answer(&answer, payload)?),
            Kind::Multicast(multicast) => Self::Multicast(read_multicast(&multicast, payload)?),
            Kind::Handshake(handshake) => {
                Self::Handshake(read_peer_handshake(&handshake, payload)?)
            }
            Kind::RevocationList(list) => {
                Self::Revocation(RevocationMessage::read_list(&list, payload)?)
            }
            Kind::Relay(relay) => Self::Relay(Relay::read(relay, payload)?),
            Kind::Tree(tree) => Self::Tree(Tree::read(tree, payload)?),
            without_payload => {
                no_payload(&payload)?;
                read_bare(without_payload)?
            }
        })
    }
}

impl PeerMessage {
    /// All but those that are always [`hot`].
    fn to_kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Request(_) | Self::Answer(_) => return None,
            Self::Multicast(multicast) => Kind::Multicast(multicast.to_proto()),
            Self::Handshake(handshake) => Kind::Handshake(handshake.to_proto()),
            Self::Greeting(epoch) => Kind::Greeting(pb::Greeting { epoch: Some(epoch.0) }),
            Self::Summary(entries) => {
                let entry = |&(node, version): &(NodeId, Version)| pb::SummaryEntry {
                    node: node_id_words(node),
                    epoch: Some(version.epoch.0),
                    seq: Some(version.seq.0),
                };
                Kind::Summary(pb::Summary { entries: entries.iter().map(entry).collect() })
            }
            Self::Heartbeat(digest) => Kind::Heartbeat(pb::Heartbeat { digest: Some(*digest) }),
            Self::Pull(node) => Kind::Pull(pb::Pull { node: node_id_words(*node) }),
            Self::Snapshot(announcement) => Kind::Snapshot(pb::Snapshot {
                signed: Some(announcement.signed().to_proto()),
                certificates: announcement.chain().to_proto(),
            }),
            Self::Changes(changes) => Kind::Changes(pb::Changes {
                from_seq: Some(changes.from_seq().0),
                signed: Some(changes.signed().to_proto()),
            }),
            Self::Refusal(refusal) => Kind::Refusal(pb::PeerRefusal {
                publisher: Some(refusal.id.publisher.0),
                counter: Some(refusal.id.counter),
                attempt: Some(refusal.attempt),
                reason: Some(refusal.reason.number()),
                subscriber: Some(refusal.subscriber.0),
                fenced: Some(refusal.fenced),
            }),
            Self::Receipts(runs) => Kind::Receipts(put_receipts(runs)),
            Self::Relay(relay) => Kind::Relay(relay.to_proto()),
            Self::Returned(returned) => Kind::Returned(returned.to_proto()),
            Self::Tree(tree) => Kind::Tree(tree.to_proto()),
            Self::Probe => Kind::Probe(pb::Probe {}),
            Self::Held(version) => Kind::Held(put_held(*version)),
            Self::TraceQuestion(question) => Kind::TraceQuestion(question.to_proto()),
            Self::TraceAnswer(answer) => Kind::TraceAnswer(answer.to_proto()),
            Self::Reach(message) => message.to_kind(),
            Self::Revocation(message) => message.to_kind(),
        })
    }
}

/// Reads a kind that has no payload; the kinds that have one were read before.
fn read_bare(kind: Kind) -> Result<PeerMessage, MessageError> {
    Ok(match kind {
        Kind::Greeting(pb::Greeting { epoch }) => {
            PeerMessage::Greeting(Epoch(epoch.unwrap_or_default()))
        }
        Kind::Summary(summary) => PeerMessage::Summary(read_summary(&summary.entries)?),
        Kind::Heartbeat(pb::Heartbeat { digest }) => {
            PeerMessage::Heartbeat(digest.unwrap_or_default())
        }
        Kind::Pull(pb::Pull { node }) => PeerMessage::Pull(node_id("pull.node", node)?),
        Kind::Refusal(refusal) => PeerMessage::Refusal(PeerRefusal {
            id: msg_id(refusal.publisher, refusal.counter),
            attempt: refusal.attempt.unwrap_or_default(),
            reason: Reason::from_number(refusal.reason.unwrap_or_default()),
            subscriber: Instance(refusal.subscriber.unwrap_or_default()),
            fenced: refusal.fenced.unwrap_or_default(),
        }),
        Kind::Receipts(receipts) => PeerMessage::Receipts(read_receipts(&receipts.runs)?),
        Kind::Returned(returned) => PeerMessage::Returned(Returned::read(returned)?),
        Kind::Probe(pb::Probe {}) => PeerMessage::Probe,
        Kind::Held(held) => PeerMessage::Held(read_held(held)),
        Kind::TraceQuestion(question) => PeerMessage::TraceQuestion(TraceQuestion::read(question)),
        Kind::TraceAnswer(answer) => PeerMessage::TraceAnswer(TraceAnswer::read(answer)?),
        Kind::ReachQuestion(question) => {
            PeerMessage::Reach(ReachMessage::read_question(&question)?)
        }
        Kind::ReachAnswer(answer) => PeerMessage::Reach(ReachMessage::read_answer(answer)?),
        Kind::RevocationsHeld(held) => {
            PeerMessage::Revocation(RevocationMessage::read_held(&held)?)
        }
        Kind::RevocationPull(pull) => PeerMessage::Revocation(RevocationMessage::read_pull(&pull)?),
        Kind::Snapshot(_)
        | Kind::Changes(_)
        | Kind::Request(_)
        | Kind::Answer(_)
        | Kind::Multicast(_)
        | Kind::Relay(_)
        | Kind::RevocationList(_)
        | Kind::Handshake(_)
        | Kind::Tree(_) => return Err(MessageError::UnknownKind),
    })
}

fn read_request(request: &pb::Request, payload: Bytes) -> Result<Request, MessageError> {
    Ok(Request {
        id: msg_id(request.publisher, request.counter),
        ttl: ttl("request.ttl_ms", request.ttl_ms)?,
        attempt: request.attempt.unwrap_or_default(),
        subscriber: Instance(request.subscriber.unwrap_or_default()),
        exit_epoch: Epoch(request.exit_epoch.unwrap_or_default()),
        from: name("request.from", &request.from)?,
        topic: topic("request.topic", &request.topic)?,
        terms: Terms::read(request.terms),
        payload,
    })
}

fn read_answer(answer: &pb::PeerAnswer, payload: Bytes) -> Result<PeerAnswer, MessageError> {
    Ok(PeerAnswer {
        id: msg_id(answer.publisher, answer.counter),
        attempt: answer.attempt.unwrap_or_default(),
        status: AnswerStatus::from_number("answer.status", answer.status)?,
        subscriber: Instance(answer.subscriber.unwrap_or_default()),
        payload,
    })
}

fn read_summary(entries: &[pb::SummaryEntry]) -> Result<Vec<(NodeId, Version)>, MessageError> {
    check_count("summary.entries", entries.len(), NODES_MAX)?;
    let entry = |entry: &pb::SummaryEntry| {
        Ok((node_id("summary.node", entry.node)?, version(entry.epoch, entry.seq)))
    };
    entries.iter().map(entry).collect()
}

fn version(epoch: Option<u64>, seq: Option<u64>) -> Version {
    Version { epoch: Epoch(epoch.unwrap_or_default()), seq: Seq(seq.unwrap_or_default()) }
}
