//! A multicast, which has the same bytes on all its way: from node to node, and to each subscriber.

use std::time::Duration;

use bytes::Bytes;

use crate::fields::{counter, msg_id, name, text, topic, ttl, ttl_millis};
use crate::generated as pb;
use crate::{MessageError, MsgId, Name, Topic};

/// A multicast on its way to a node that has subscribers, and on to each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multicast {
    /// Which multicast. Its counter is never `u64::MAX`, which is refused.
    pub id: MsgId,
    /// What is left until the deadline, at most [`TTL_MAX`](crate::limits::TTL_MAX). Travels in
    /// whole milliseconds, rounded up.
    pub ttl: Duration,
    /// Numbers the multicasts of this publisher to this topic, one after another.
    pub sequence: u64,
    /// Who published, as its node attests it.
    pub from: Name,
    /// To what.
    pub topic: Topic,
    /// Whether the payload is sealed for a group.
    pub sealed: bool,
    /// The message itself.
    pub payload: Bytes,
}

impl Multicast {
    /// The general form, for one that is sealed.
    pub(crate) fn to_proto(&self) -> pb::Multicast {
        pb::Multicast {
            publisher: Some(self.id.publisher.0),
            counter: Some(self.id.counter),
            ttl_ms: Some(ttl_millis(self.ttl)),
            sequence: Some(self.sequence),
            from: text(self.from.as_bytes()),
            topic: text(self.topic.as_bytes()),
            sealed: self.sealed.then_some(true),
        }
    }
}

pub(crate) fn read_multicast(
    multicast: &pb::Multicast,
    payload: Bytes,
) -> Result<Multicast, MessageError> {
    Ok(Multicast {
        id: msg_id(multicast.publisher, Some(counter("multicast.counter", multicast.counter)?)),
        ttl: ttl("multicast.ttl_ms", multicast.ttl_ms)?,
        sequence: multicast.sequence.unwrap_or_default(),
        from: name("multicast.from", &multicast.from)?,
        topic: topic("multicast.topic", &multicast.topic)?,
        sealed: multicast.sealed.unwrap_or_default(),
        payload,
    })
}
