//! What a client says to its node.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use prost::Message as _;

use crate::delivery::{AnswerStatus, Mode};
use crate::fields::{
    bad, counter, msg_id, no_payload, node_id, node_id_words, put, text, topic, ttl,
};
use crate::generated::{self as pb, client_header::Kind};
use crate::handshake::read_client_handshake;
use crate::hot::{self, Hot};
use crate::message::no_kind;
use crate::{
    ClientHandshake, Frame, Gen, Instance, Lane, Message, MessageError, MsgId, NodeId, Reason,
    Recent, Terms, Topic,
};

/// A message from a client to its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// Greets the node: the first message on a link.
    Attach {
        /// The life of the client process.
        instance: Instance,
        /// Which link of that life this is.
        generation: Gen,
    },
    /// Wants the messages of a topic.
    Subscribe(Topic),
    /// Wants them no longer.
    Unsubscribe(Topic),
    /// Asks to be told when every other node knows of this subscription.
    Propagate(Topic),
    /// Wants to be told who subscribes to this topic.
    Watch(Topic),
    /// Says something to the other end of a private topic.
    Handshake(ClientHandshake),
    /// Publishes.
    Publish(Publish),
    /// Handled a unicast.
    Answer(Answer),
    /// Did not handle a unicast and never will.
    Refuse(Refuse),
    /// Says what became of multicast deliveries.
    Acks(Vec<AckRun>),
}

/// One publish of the client whose link carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// With the client's instance, the message id. Never `u64::MAX`, which is refused.
    pub counter: u64,
    /// What is left until the deadline, at most [`TTL_MAX`](crate::limits::TTL_MAX). Travels in
    /// whole milliseconds, rounded up.
    pub ttl: Duration,
    /// To one subscriber or to all.
    pub mode: Mode,
    /// Numbers the multicasts of this client to this topic, one after another; 0 for a unicast.
    pub sequence: u64,
    /// What a unicast asks for beyond the usual.
    pub terms: Terms,
    /// To whom.
    pub topic: Topic,
    /// The message itself.
    pub payload: Bytes,
}

/// Names one try of one unicast, so that an answer finds its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The publisher's node.
    pub home: NodeId,
    /// The unicast.
    pub id: MsgId,
    /// Which try, from 1.
    pub number: u32,
}

/// The subscriber's answer to a unicast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What is answered.
    pub attempt: Attempt,
    /// What the handler did.
    pub status: AnswerStatus,
    /// The answer itself.
    pub payload: Bytes,
}

/// The subscriber's definite no to a unicast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refuse {
    /// What is refused.
    pub attempt: Attempt,
    /// Why.
    pub reason: Reason,
    /// Whether every other copy of it is refused as well, forever; else only this one is.
    pub fenced: bool,
}

/// Deliveries `first`, `first + 1`, … of one link that all ended alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckRun {
    /// The number of the first.
    pub first: u64,
    /// How many. A receiver refuses a run whose `first + count` is over `u64::MAX`.
    pub count: u32,
    /// How they ended.
    pub end: AckEnd,
}

/// How a delivery of a multicast ended at its subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckEnd {
    /// The application took it.
    Taken,
    /// The application never got it and never will.
    Refused,
    /// It is a copy of one that came on another way; what became of that is not said here.
    Copy,
}

impl Message for ClientMessage {
    fn lane(&self) -> Lane {
        match self {
            Self::Attach { .. }
            | Self::Subscribe(_)
            | Self::Unsubscribe(_)
            | Self::Propagate(_)
            | Self::Watch(_) => Lane::Control,
            Self::Answer(_) | Self::Refuse(_) | Self::Acks(_) | Self::Handshake(_) => Lane::Replies,
            Self::Publish(publish) => publish.mode.lane(),
        }
    }

    fn put_header(&self, buf: &mut BytesMut) {
        match self {
            Self::Publish(publish) => publish.put(buf),
            Self::Answer(answer) => answer.put(buf),
            Self::Attach { .. }
            | Self::Subscribe(_)
            | Self::Unsubscribe(_)
            | Self::Propagate(_)
            | Self::Watch(_)
            | Self::Handshake(_)
            | Self::Refuse(_)
            | Self::Acks(_) => put(&pb::ClientHeader { kind: self.to_kind() }, buf),
        }
    }

    fn payload(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        match self {
            Self::Publish(publish) => &publish.payload,
            Self::Answer(answer) => &answer.payload,
            Self::Handshake(handshake) => &handshake.payload,
            Self::Attach { .. }
            | Self::Subscribe(_)
            | Self::Unsubscribe(_)
            | Self::Propagate(_)
            | Self::Watch(_)
            | Self::Refuse(_)
            | Self::Acks(_) => &NONE,
        }
    }

    fn read(Frame { header, payload }: Frame, recent: &mut Recent) -> Result<Self, MessageError> {
        if let Some(publish) = hot::get::<Publish>(&header, recent) {
            return Ok(Self::Publish(Publish { payload, ..publish }));
        }
        if let Some(answer) = hot::get::<Answer>(&header, recent) {
            return Ok(Self::Answer(Answer { payload, ..answer }));
        }
        Self::from_frame(Frame { header, payload })
    }

    fn deduct(&mut self, spent: Duration) {
        if let Self::Publish(publish) = self {
            publish.ttl = publish.ttl.saturating_sub(spent);
        }
    }

    fn from_frame(Frame { header, payload }: Frame) -> Result<Self, MessageError> {
        let header_bytes = header.len();
        let header = pb::ClientHeader::decode(header).map_err(MessageError::Malformed)?;
        let kind = header.kind.ok_or_else(|| no_kind(header_bytes))?;
        if !matches!(kind, Kind::Publish(_) | Kind::Answer(_) | Kind::Handshake(_)) {
            no_payload(&payload)?;
        }
        Ok(match kind {
            Kind::Attach(attach) => Self::Attach {
                instance: Instance(attach.instance.unwrap_or_default()),
                generation: Gen(attach.generation.unwrap_or_default()),
            },
            Kind::Subscribe(subscribe) => {
                Self::Subscribe(topic("subscribe.topic", &subscribe.topic)?)
            }
            Kind::Unsubscribe(unsubscribe) => {
                Self::Unsubscribe(topic("unsubscribe.topic", &unsubscribe.topic)?)
            }
            Kind::Propagate(propagate) => {
                Self::Propagate(topic("propagate.topic", &propagate.topic)?)
            }
            Kind::Watch(watch) => Self::Watch(topic("watch.topic", &watch.topic)?),
            Kind::Handshake(handshake) => {
                Self::Handshake(read_client_handshake(&handshake, payload)?)
            }
            Kind::Refuse(refuse) => Self::Refuse(read_refuse(&refuse)?),
            Kind::Acks(acks) => Self::Acks(read_acks(&acks.runs)?),
            Kind::Publish(publish) => Self::Publish(read_publish(&publish, payload)?),
            Kind::Answer(answer) => Self::Answer(read_answer(answer, payload)?),
        })
    }
}

impl ClientMessage {
    /// All but those that are [`hot`].
    fn to_kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Publish(_) | Self::Answer(_) => return None,
            Self::Attach { instance, generation } => Kind::Attach(pb::Attach {
                instance: Some(instance.0),
                generation: Some(generation.0),
            }),
            Self::Subscribe(topic) => {
                Kind::Subscribe(pb::Subscribe { topic: text(topic.as_bytes()) })
            }
            Self::Unsubscribe(topic) => {
                Kind::Unsubscribe(pb::Unsubscribe { topic: text(topic.as_bytes()) })
            }
            Self::Propagate(topic) => {
                Kind::Propagate(pb::Propagate { topic: text(topic.as_bytes()) })
            }
            Self::Watch(topic) => Kind::Watch(pb::Watch { topic: text(topic.as_bytes()) }),
            Self::Handshake(handshake) => Kind::Handshake(handshake.to_proto()),
            Self::Refuse(Refuse { attempt, reason, fenced }) => Kind::Refuse(pb::Refuse {
                publisher: Some(attempt.id.publisher.0),
                counter: Some(attempt.id.counter),
                attempt: Some(attempt.number),
                reason: Some(reason.number()),
                home: node_id_words(attempt.home),
                fenced: Some(*fenced),
            }),
            Self::Acks(runs) => {
                let run = |run: &AckRun| pb::AckRun {
                    first: Some(run.first),
                    count: Some(run.count),
                    refused: Some(run.end == AckEnd::Refused),
                    copies: (run.end == AckEnd::Copy).then_some(true),
                };
                Kind::Acks(pb::Acks { runs: runs.iter().map(run).collect() })
            }
        })
    }
}

fn read_publish(publish: &pb::Publish, payload: Bytes) -> Result<Publish, MessageError> {
    Ok(Publish {
        counter: counter("publish.counter", publish.counter)?,
        ttl: ttl("publish.ttl_ms", publish.ttl_ms)?,
        mode: Mode::from_number("publish.mode", publish.mode)?,
        sequence: publish.sequence.unwrap_or_default(),
        terms: Terms::read(publish.terms),
        topic: topic("publish.topic", &publish.topic)?,
        payload,
    })
}

fn read_answer(answer: pb::Answer, payload: Bytes) -> Result<Answer, MessageError> {
    let attempt = Attempt {
        home: node_id("answer.home", answer.home)?,
        id: msg_id(answer.publisher, answer.counter),
        number: answer.attempt.unwrap_or_default(),
    };
    let status = AnswerStatus::from_number("answer.status", answer.status)?;
    Ok(Answer { attempt, status, payload })
}

fn read_refuse(refuse: &pb::Refuse) -> Result<Refuse, MessageError> {
    let attempt = Attempt {
        home: node_id("refuse.home", refuse.home)?,
        id: msg_id(refuse.publisher, refuse.counter),
        number: refuse.attempt.unwrap_or_default(),
    };
    let reason = Reason::from_number(refuse.reason.unwrap_or_default());
    Ok(Refuse { attempt, reason, fenced: refuse.fenced.unwrap_or_default() })
}

fn read_acks(runs: &[pb::AckRun]) -> Result<Vec<AckRun>, MessageError> {
    let run = |run: &pb::AckRun| {
        let (first, count) = (run.first.unwrap_or_default(), run.count.unwrap_or_default());
        if first.checked_add(count.into()).is_none() {
            return Err(bad("acks.count", "first + count passes the last number"));
        }
        let end = match (run.refused.unwrap_or_default(), run.copies.unwrap_or_default()) {
            (false, false) => AckEnd::Taken,
            (true, false) => AckEnd::Refused,
            (_, true) => AckEnd::Copy,
        };
        Ok(AckRun { first, count, end })
    };
    runs.iter().map(run).collect()
}
