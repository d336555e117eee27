//! What a node says to a client.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use prost::Message as _;

use crate::client_message::Attempt;
use crate::delivery::{AnswerStatus, Receipt};
use crate::fields::{bad, msg_id, name, no_payload, node_id, put, text, topic, ttl};
use crate::generated::{self as pb, node_header::Kind};
use crate::handshake::read_node_handshake;
use crate::hot::{self, Hot};
use crate::limits::{REQUEST_BYTES_PER_CLIENT_MAX, REQUESTS_PER_CLIENT_MAX, TRIED_MAX};
use crate::message::no_kind;
use crate::multicast::{Multicast, read_multicast};
use crate::watched::{Watched, read_watched};
use crate::{
    Code, Epoch, Frame, Lane, Message, MessageError, Name, NodeHandshake, Reason, Recent, Terms,
    Topic,
};

/// A message from a node to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeMessage {
    /// The node took the client in: only now is it connected.
    Attached {
        /// The life of the node.
        epoch: Epoch,
        /// What the client may have under way there.
        in_flight: InFlight,
    },
    /// Answers a subscribe.
    Subscribed {
        /// To what.
        topic: Topic,
        /// [`Code::Ok`] if the node holds the subscription.
        code: Code,
        /// Why it does not.
        reason: Reason,
    },
    /// Every node that the node can reach has confirmed that it knows of a subscription.
    Propagated {
        /// To what.
        topic: Topic,
    },
    /// Who subscribes to a topic that the client watches.
    Watched(Watched),
    /// The other end of a private topic says something.
    Handshake(NodeHandshake),
    /// The node counts as a later life of itself from now on.
    Outlived {
        /// The life that it counts as.
        epoch: Epoch,
    },
    /// The node stops soon.
    Draining,
    /// A unicast for the client as a subscriber.
    Delivery(Delivery),
    /// A multicast for the client as a subscriber. Both ends number those of one link from 0, and
    /// acks name the numbers.
    Multicast(Multicast),
    /// The end of a unicast, or of a multicast that failed.
    Outcome(Outcome),
    /// The ends of multicasts.
    Receipts(Vec<ReceiptRun>),
}

/// What one client may have under way at its node; past that its publishes end with 204.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// Most publishes without an end.
    pub messages: u32,
    /// Most payload of its unicasts without an end, in bytes.
    pub bytes: u64,
}

/// What every node takes that does not say otherwise.
impl Default for InFlight {
    fn default() -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "it is a small constant")]
        let messages = REQUESTS_PER_CLIENT_MAX as u32;
        Self { messages, bytes: REQUEST_BYTES_PER_CLIENT_MAX as u64 }
    }
}

/// A unicast on its way to a subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Which try of which message.
    pub attempt: Attempt,
    /// What is left until the deadline, at most [`TTL_MAX`](crate::limits::TTL_MAX). Travels in
    /// whole milliseconds, rounded up.
    pub ttl: Duration,
    /// What its publisher asks for beyond the usual.
    pub terms: Terms,
    /// Who published, as the publisher's node attests it.
    pub from: Name,
    /// To what.
    pub topic: Topic,
    /// The message itself.
    pub payload: Bytes,
}

/// How a publish ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which publish of the client.
    pub counter: u64,
    /// The code of the contract.
    pub code: Code,
    /// How it came to that.
    pub reason: Reason,
    /// How many times a subscriber was tried.
    pub attempts: u32,
    /// What the handler did, with [`Code::Ok`].
    pub status: AnswerStatus,
    /// The node whose subscriber answered.
    pub answered_by: Option<Name>,
    /// The nodes that were tried in vain; no more than the first [`TRIED_MAX`] are sent.
    pub tried: Vec<Name>,
    /// When the same publish will be within the limits, with [`Code::Limited`]. Travels in whole
    /// milliseconds, rounded up, at most 49 days.
    pub retry_after: Option<Duration>,
    /// The answer.
    pub payload: Bytes,
}

/// Multicasts `first`, `first + 1`, … of a client that all ended alike, with [`Code::Ok`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptRun {
    /// The counter of the first.
    pub first: u64,
    /// How many. A receiver refuses a run whose `first + count` is over `u64::MAX`.
    pub count: u32,
    /// What became of each.
    pub receipt: Receipt,
}

impl Outcome {
    /// Whether it has nothing but what most have.
    fn is_usual(&self) -> bool {
        self.tried.is_empty() && self.retry_after.is_none()
    }
}

impl Message for NodeMessage {
    fn lane(&self) -> Lane {
        match self {
            Self::Attached { .. }
            | Self::Subscribed { .. }
            | Self::Propagated { .. }
            | Self::Watched(_)
            | Self::Outlived { .. }
            | Self::Draining => Lane::Control,
            Self::Outcome(_) | Self::Receipts(_) | Self::Handshake(_) => Lane::Replies,
            Self::Delivery(_) => Lane::Unicasts,
            Self::Multicast(_) => Lane::Multicasts,
        }
    }

    fn put_header(&self, buf: &mut BytesMut) {
        match self {
            Self::Delivery(delivery) => delivery.put(buf),
            Self::Multicast(multicast) if !multicast.sealed => multicast.put(buf),
            Self::Outcome(outcome) if outcome.is_usual() => outcome.put(buf),
            Self::Multicast(_)
            | Self::Watched(_)
            | Self::Handshake(_)
            | Self::Outlived { .. }
            | Self::Draining
            | Self::Attached { .. }
            | Self::Subscribed { .. }
            | Self::Propagated { .. }
            | Self::Outcome(_)
            | Self::Receipts(_) => put(&pb::NodeHeader { kind: self.to_kind() }, buf),
        }
    }

    fn payload(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        match self {
            Self::Delivery(delivery) => &delivery.payload,
            Self::Multicast(multicast) => &multicast.payload,
            Self::Outcome(outcome) => &outcome.payload,
            Self::Handshake(handshake) => &handshake.payload,
            Self::Attached { .. }
            | Self::Subscribed { .. }
            | Self::Propagated { .. }
            | Self::Watched(_)
            | Self::Outlived { .. }
            | Self::Draining
            | Self::Receipts(_) => &NONE,
        }
    }

    fn read(Frame { header, payload }: Frame, recent: &mut Recent) -> Result<Self, MessageError> {
        if let Some(multicast) = hot::get::<Multicast>(&header, recent) {
            return Ok(Self::Multicast(Multicast { payload, ..multicast }));
        }
        if let Some(delivery) = hot::get::<Delivery>(&header, recent) {
            return Ok(Self::Delivery(Delivery { payload, ..delivery }));
        }
        if let Some(outcome) = hot::get::<Outcome>(&header, recent) {
            return Ok(Self::Outcome(Outcome { payload, ..outcome }));
        }
        Self::from_frame(Frame { header, payload })
    }

    fn deduct(&mut self, spent: Duration) {
        match self {
            Self::Delivery(delivery) => delivery.ttl = delivery.ttl.saturating_sub(spent),
            Self::Multicast(multicast) => multicast.ttl = multicast.ttl.saturating_sub(spent),
            Self::Attached { .. }
            | Self::Subscribed { .. }
            | Self::Propagated { .. }
            | Self::Watched(_)
            | Self::Handshake(_)
            | Self::Outlived { .. }
            | Self::Draining
            | Self::Outcome(_)
            | Self::Receipts(_) => {}
        }
    }

    fn from_frame(Frame { header, payload }: Frame) -> Result<Self, MessageError> {
        let header_bytes = header.len();
        let header = pb::NodeHeader::decode(header).map_err(MessageError::Malformed)?;
        let kind = header.kind.ok_or_else(|| no_kind(header_bytes))?;
        if !has_payload(&kind) {
            no_payload(&payload)?;
        }
        Ok(match kind {
            Kind::Attached(attached) => {
                let usual = InFlight::default();
                let in_flight = InFlight {
                    messages: attached.requests_max.unwrap_or(usual.messages),
                    bytes: attached.request_bytes_max.unwrap_or(usual.bytes),
                };
                Self::Attached { epoch: Epoch(attached.epoch.unwrap_or_default()), in_flight }
            }
            Kind::Subscribed(subscribed) => Self::Subscribed {
                topic: topic("subscribed.topic", &subscribed.topic)?,
                code: code("subscribed.code", subscribed.code)?,
                reason: Reason::from_number(subscribed.reason.unwrap_or_default()),
            },
            Kind::Propagated(propagated) => {
                Self::Propagated { topic: topic("propagated.topic", &propagated.topic)? }
            }
            Kind::Watched(watched) => Self::Watched(read_watched(&watched)?),
            Kind::Handshake(handshake) => {
                Self::Handshake(read_node_handshake(&handshake, payload)?)
            }
            Kind::Outlived(outlived) => {
                Self::Outlived { epoch: Epoch(outlived.epoch.unwrap_or_default()) }
            }
            Kind::Draining(pb::Draining {}) => Self::Draining,
            Kind::Delivery(delivery) => Self::Delivery(read_delivery(&delivery, payload)?),
            Kind::Multicast(multicast) => Self::Multicast(read_multicast(&multicast, payload)?),
            Kind::Outcome(outcome) => Self::Outcome(read_outcome(outcome, payload)?),
            Kind::Receipts(receipts) => Self::Receipts(read_receipts(&receipts.runs)?),
        })
    }
}

impl NodeMessage {
    /// All but those that are always [`hot`].
    fn to_kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Delivery(_) => return None,
            Self::Multicast(multicast) => Kind::Multicast(multicast.to_proto()),
            Self::Watched(watched) => Kind::Watched(watched.to_proto()),
            Self::Handshake(handshake) => Kind::Handshake(handshake.to_proto()),
            Self::Outlived { epoch } => Kind::Outlived(pb::Outlived { epoch: Some(epoch.0) }),
            Self::Draining => Kind::Draining(pb::Draining {}),
            Self::Attached { epoch, in_flight } => Kind::Attached(pb::Attached {
                epoch: Some(epoch.0),
                requests_max: Some(in_flight.messages),
                request_bytes_max: Some(in_flight.bytes),
            }),
            Self::Subscribed { topic, code, reason } => Kind::Subscribed(pb::Subscribed {
                code: Some(code.number().into()),
                reason: Some(reason.number()),
                topic: text(topic.as_bytes()),
            }),
            Self::Propagated { topic } => {
                Kind::Propagated(pb::Propagated { topic: text(topic.as_bytes()) })
            }
            Self::Outcome(outcome) => Kind::Outcome(pb::Outcome {
                counter: Some(outcome.counter),
                code: Some(outcome.code.number().into()),
                reason: Some(outcome.reason.number()),
                attempts: Some(outcome.attempts),
                status: Some(outcome.status.number()),
                answered_by: outcome
                    .answered_by
                    .as_ref()
                    .map(|name| text(name.as_bytes()))
                    .unwrap_or_default(),
                tried: outcome
                    .tried
                    .iter()
                    .take(TRIED_MAX)
                    .map(|name| text(name.as_bytes()))
                    .collect(),
                too_fast: outcome
                    .retry_after
                    .map(|span| pb::TooFast { retry_after_ms: Some(whole_millis(span)) }),
            }),
            Self::Receipts(runs) => {
                let run = |run: &ReceiptRun| pb::ClientReceiptRun {
                    first: Some(run.first),
                    count: Some(run.count),
                    acked: Some(run.receipt.acked),
                    refused: Some(run.receipt.refused),
                    unknown: Some(run.receipt.unknown),
                };
                Kind::Receipts(pb::ClientReceipts { runs: runs.iter().map(run).collect() })
            }
        })
    }
}

fn has_payload(kind: &Kind) -> bool {
    matches!(kind, Kind::Delivery(_) | Kind::Multicast(_) | Kind::Outcome(_) | Kind::Handshake(_))
}

fn read_delivery(delivery: &pb::Delivery, payload: Bytes) -> Result<Delivery, MessageError> {
    Ok(Delivery {
        attempt: Attempt {
            home: node_id("delivery.home", delivery.home)?,
            id: msg_id(delivery.publisher, delivery.counter),
            number: delivery.attempt.unwrap_or_default(),
        },
        ttl: ttl("delivery.ttl_ms", delivery.ttl_ms)?,
        from: name("delivery.from", &delivery.from)?,
        topic: topic("delivery.topic", &delivery.topic)?,
        terms: Terms::read(delivery.terms),
        payload,
    })
}

fn read_outcome(outcome: pb::Outcome, payload: Bytes) -> Result<Outcome, MessageError> {
    if outcome.tried.len() > TRIED_MAX {
        let found = outcome.tried.len();
        return Err(bad(
            "outcome.tried",
            format!("{found} nodes are over the limit of {TRIED_MAX}"),
        ));
    }
    let answered_by = match outcome.answered_by {
        none if none.is_empty() => None,
        dns => Some(name("outcome.answered_by", &dns)?),
    };
    Ok(Outcome {
        counter: outcome.counter.unwrap_or_default(),
        code: code("outcome.code", outcome.code)?,
        reason: Reason::from_number(outcome.reason.unwrap_or_default()),
        attempts: outcome.attempts.unwrap_or_default(),
        status: AnswerStatus::from_number("outcome.status", outcome.status)?,
        answered_by,
        tried: outcome
            .tried
            .iter()
            .map(|dns| name("outcome.tried", dns))
            .collect::<Result<_, _>>()?,
        retry_after: outcome
            .too_fast
            .map(|span| Duration::from_millis(span.retry_after_ms.unwrap_or_default().into())),
        payload,
    })
}

/// Rounds up, so that whoever waits so long does not come too early.
fn whole_millis(span: Duration) -> u32 {
    u32::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

fn read_receipts(runs: &[pb::ClientReceiptRun]) -> Result<Vec<ReceiptRun>, MessageError> {
    let run = |run: &pb::ClientReceiptRun| {
        let (first, count) = (run.first.unwrap_or_default(), run.count.unwrap_or_default());
        if first.checked_add(count.into()).is_none() {
            return Err(bad("receipts.count", "first + count passes the last number"));
        }
        let receipt = Receipt {
            acked: run.acked.unwrap_or_default(),
            refused: run.refused.unwrap_or_default(),
            unknown: run.unknown.unwrap_or_default(),
        };
        Ok(ReceiptRun { first, count, receipt })
    };
    runs.iter().map(run).collect()
}

fn code(field: &'static str, number: Option<u32>) -> Result<Code, MessageError> {
    let number = number.unwrap_or_default(); // Some encoders leave out what is zero.
    Code::from_number(number).ok_or_else(|| bad(field, format!("{number} is no code")))
}
